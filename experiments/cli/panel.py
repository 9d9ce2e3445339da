"""``mstar panel fit``: a panel's weights and threshold, fitted to verdicts of people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass(frozen=True)
class PanelOptions:
    """Fit the weights and the threshold of a run's panel to what people said in an audit.

    The recipe that is written is the run's with the new panel: `mstar train FILE.yaml` trains with
    it, and `mstar rescore RUN --recipe FILE.yaml` shows what it would have selected.

    Attributes:
        what: the only thing there is to do with a panel.
        run: the run's folder, with verdicts in it.
        panel: names of the reward models; those of the run by default.
        precision: expected share of right responses at the threshold, in (0, 1).
        out: the recipe to write; panel.yaml in the run's folder by default.
        verdicts: the file of verdicts; that in the run's folder by default.
    """

    what: tyro.conf.Positional[Literal["fit"]]
    run: tyro.conf.Positional[Path]
    panel: tuple[str, ...] = ()
    precision: float = 0.5
    out: Path | None = None
    verdicts: Path | None = None


def run(arguments: list[str]) -> None:
    """``mstar panel fit RUN``."""
    options = tyro.cli(
        PanelOptions,
        args=arguments,
        prog="mstar panel",
        description=(PanelOptions.__doc__ or "").partition("\n")[0],
    )
    from mstar.experiments.audit.panel_fit import fit_panel
    from mstar.experiments.cli.options import recipe_text
    from mstar.experiments.rows import write_whole
    from mstar.experiments.run.run_folder import RunFolder
    from mstar.experiments.verdicts import verdict_file

    recipe = RunFolder(options.run).recipe()
    fitted = fit_panel(
        options.verdicts or verdict_file(options.run),
        options.panel or recipe.rewards.names,
        options.precision,
    )
    out = options.out or options.run / "panel.yaml"
    write_whole(out, recipe_text(fitted.recipe(recipe)))
    print(f"{fitted.text()}\nrecipe     {out}")
