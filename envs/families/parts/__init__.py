"""What several families are built of; none of it knows any family.

``drawing`` is the canvas of every image and ``boxes`` the regions that steps read; ``axes``,
``icons`` and ``figures`` draw on it. ``graphs``, ``grid`` and ``trees`` are algorithms on what an
image shows, and ``sampling`` makes random choices. To add a part, add a file here; families import
it from there.
"""
