"""The policy: model, processor and weights, on one process or many."""
