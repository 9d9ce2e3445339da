"""``mstar make-vlm``: a vision-language model from a language model."""

from __future__ import annotations

import sys

import tyro


def run(arguments: list[str]) -> None:
    """``mstar make-vlm --language-model NAME|FOLDER|FILE.gguf --out DIR``."""
    from mstar.experiments.make_vlm.make import MakeVlm, make_vlm

    options = tyro.cli(
        MakeVlm,
        args=arguments,
        prog="mstar make-vlm",
        description=(MakeVlm.__doc__ or "").partition("\n")[0],
        config=(tyro.conf.OmitArgPrefixes,),
    )
    make_vlm(options, lambda line: print(line, file=sys.stderr, flush=True))
    print(options.out)
