"""What a policy can do: tests of runs and models, and comparisons of them.

``evaluate`` tests one policy and draws its tables, ``variants`` asks the same problems in other
ways, ``out_of_domain`` follows other environments during a run. ``evaluate_subjects`` tests several
runs and models (``subject``) on several environments, ``compare`` pools finished runs, ``rescore``
asks another panel about stored responses, ``votes`` whether a vote on them would have been right,
and ``errors`` what is wrong in them.
"""
