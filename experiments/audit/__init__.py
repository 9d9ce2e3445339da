"""People look at what a run learns from, or at a data set, and what they say is used.

``population`` has what can be looked at, ``strata`` the sample that is shown, ``session`` one
person's way through it, and ``gradio_page`` the page. ``errors`` measures the verifier and the
reward models against people, ``panel_fit`` fits a panel to them, and ``examples`` writes responses
that people confirmed. The verdicts themselves are in ``experiments/verdicts.py``.
"""
