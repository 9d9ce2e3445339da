"""Studies: several agents over several seeds at equal cost, and their tables."""
