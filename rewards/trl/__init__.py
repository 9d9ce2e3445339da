"""The bridge between reward models and TRL's reward functions, in both directions."""
