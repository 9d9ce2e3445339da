"""One run, from recipe to report.

``recipes`` names the recipes, ``train`` runs one, ``problems`` opens what it learns from and is
tested on, ``run_folder`` writes and resumes it, ``evaluate`` and ``variants`` test a policy,
``report`` makes its page, ``rescore`` and ``compare`` look at finished runs. What plugs in: a
recipe, one entry of ``RECIPES``.
"""
