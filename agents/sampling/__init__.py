"""Rollout engines: what writes the responses to prompts."""
