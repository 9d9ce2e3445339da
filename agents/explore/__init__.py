"""Exploration controllers, one a file; its line stands in `catalog.CONTROLLERS`."""
