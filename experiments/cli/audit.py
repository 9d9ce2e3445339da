"""``mstar audit``: people look at responses, or at problems, and say what they are."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from mstar.envs.problem import Split
from mstar.experiments.cli.main import Terminated


@dataclass(frozen=True)
class AuditOptions:
    """Look at a run's responses, or a data set's problems, on a page of this machine.

    Attributes:
        subject: the folder of a run, which may still be going on; or an environment, a path or
            hub:NAME.
        user: name of the person who judges.
        samples: how many items to show: half of them drawn at random, for estimates; the others
            from those that tell most.
        blind: do not show the scores, so that they lead nobody.
        fields: how a data set is read, as in mstar train.
        split: which problems of a data set.
        out: the file of verdicts; by default audit.jsonl in the run's folder, or
            audits/NAME.jsonl for a data set.
        port: of the page; the first free one from 7860 by default.
        summary: print what the verdicts say instead: errors of the verifier and of every reward
            model, and how far people agree.
        examples: write the responses that people confirmed to this file instead, as worked
            examples for --worked-example-file.
        json: print the summary as JSON.
    """

    subject: tyro.conf.Positional[str]
    user: str = ""
    samples: int = 200
    blind: bool = False
    fields: tuple[str, ...] = ()
    split: Split = "train"
    out: Path | None = None
    port: int | None = None
    summary: bool = False
    examples: Path | None = None
    json: bool = False


def run(arguments: list[str]) -> None:
    """``mstar audit RUN|DATASET``.

    Raises:
        ValueError: nothing to look at, or no verdicts to sum up.
    """
    options = tyro.cli(AuditOptions, args=arguments, prog="mstar audit")
    if options.samples < 1:
        raise ValueError(f"--samples must be at least 1, got {options.samples}")
    verdicts = options.out or default_file(options.subject)
    if options.summary:
        from mstar.experiments.audit.errors import summarise_verdicts

        summary = summarise_verdicts(verdicts)
        print(json.dumps(summary.as_json()) if options.json else summary.text())
        return
    from mstar.experiments.audit.population import open_subject

    subject = open_subject(
        options.subject, verdicts, options.fields, options.split, options.samples
    )
    if options.examples:
        from mstar.experiments.audit.examples import write_examples

        print(f"{write_examples(subject, options.examples)} worked examples: {options.examples}")
        return
    from mstar.experiments.audit.gradio_page import launch
    from mstar.experiments.audit.session import Session

    session = Session(subject, options.user, options.samples, scores_shown=not options.blind)
    made, address = launch(session, options.port)
    print(f"{address}  (Ctrl-C ends it; verdicts are in {verdicts})", flush=True)
    serve(made)


def serve(page: Any) -> None:
    """Keep a gradio page up until Ctrl-C, which is its usual end; SIGTERM is passed on."""
    try:
        threading.Event().wait()
    except Terminated:
        raise
    except KeyboardInterrupt:
        return
    finally:
        page.close(verbose=False)


def default_file(subject: str) -> Path:
    """Where the verdicts on a run or a data set are kept."""
    from mstar.experiments.run.run_folder import RunFolder
    from mstar.experiments.verdicts import FILE

    if RunFolder(Path(subject)).exists():
        return Path(subject) / FILE
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in subject).strip("-.")
    return Path("audits") / f"{name.removesuffix('.jsonl')}.jsonl"
