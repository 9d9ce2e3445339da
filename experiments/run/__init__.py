"""One run: its problems, its folder, its test, its report."""
