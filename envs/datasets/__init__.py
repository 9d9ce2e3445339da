"""Data sets as sources of problems: readers, field maps, published forms, the audit."""
