"""``mstar export``: a run's policy as a folder for others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class ExportOptions:
    """Write a run's policy as a folder that transformers and vLLM load, with a model card.

    Attributes:
        run: the run's folder.
        out: a folder that does not exist yet.
        which: the round whose policy it is: a number, ``best`` (by greedy accuracy on validation
            problems), or ``last``.
        merge: add LoRA factors to the weights, so that no base model is needed.
        push: name of a repository on the Hugging Face hub to upload the folder to; it is private if
            it is new. Nothing is uploaded without it.
    """

    run: tyro.conf.Positional[Path]
    out: Path
    which: Annotated[str, tyro.conf.arg(name="round")] = "last"
    merge: bool = False
    push: str | None = None


def run(arguments: list[str]) -> None:
    """``mstar export RUN --out DIR``."""
    options = tyro.cli(ExportOptions, args=arguments, prog="mstar export")
    from mstar.experiments.run.export import export_run
    from mstar.experiments.run.run_folder import RunFolder

    exported = export_run(
        RunFolder(options.run), options.which, options.out, merge=options.merge, push=options.push
    )
    print(f"the policy after round {exported.round}: {exported.path}")
    if exported.url:
        print(exported.url)
