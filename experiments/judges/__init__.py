"""Training and evaluating the shipped process reward model."""
