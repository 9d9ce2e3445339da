"""Procedural families of problems, one a file; its line stands in `catalog.FAMILIES`."""
