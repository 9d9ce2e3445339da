"""Reward models that are models themselves, and how they are trained."""
