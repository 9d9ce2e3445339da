"""One run, from recipe to report.

``recipes`` names the recipes, ``train`` runs one, ``problems`` opens what it learns from and is
tested on, ``run_folder`` writes and resumes it, ``report`` makes its page, ``export`` hands its
policy over. What plugs in: a recipe, one entry of ``RECIPES``.
"""
