"""Policies that learn: sampling, selection, exploration and the self-evolving loop."""
