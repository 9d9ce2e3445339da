"""The regret of exploration controllers on simulated policies."""
