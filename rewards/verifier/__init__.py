"""The typed answer verifier: `verify`, `extract`, and one file per answer type."""
