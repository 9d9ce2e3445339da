"""Whether a run may be released: limits that it must keep, and where it comes from.

``limits`` reads a file of limits and holds a run's stored rows against them; another limit is one
entry of ``LIMITS``. ``provenance`` writes where a run comes from into one file.
"""
