"""The pages that show a run: one for managers and researchers alike, and two runs side by side.

``run_report`` writes ``report.html``, one file that needs no network, from a run's stored rows.
``summary`` compares base and evolved policy, ``verdict`` says in sentences what came of the run,
``choices`` why the controller chose what it chose, ``responses`` has the responses that tell most,
and ``beside`` compares two runs.
"""
