"""Variants of a problem: the same image and answer, asked or solved in another way.

A variant is a function from a ``Problem`` to a ``Problem``: another wording, instruction or order
of options (``phrasing``), options to choose from (``multiple_choice``), a hidden answer
(``unlabelled``); ``corruptions`` writes solutions with one known error. To plug in: a language is
an entry in ``INSTRUCTIONS``, a way to mark options an entry in ``OptionLayout``; a new variant of a
whole source is a function handed to ``MappedSource``.
"""

from mstar.envs.variants.corruptions import CorruptedSolution, corrupt_solution
from mstar.envs.variants.instructions import INSTRUCTIONS, InstructionStyle, instruction
from mstar.envs.variants.multiple_choice import as_choice, choice_form
from mstar.envs.variants.option_layout import OPTION_LAYOUTS, OptionLayout
from mstar.envs.variants.phrasing import (
    AXES,
    Axis,
    Phrasing,
    distinct_phrasings,
    draw_phrasing,
    phrase,
    phrase_all,
)
from mstar.envs.variants.unlabelled import is_right, oracle, unlabelled, withhold

__all__ = [
    "AXES",
    "INSTRUCTIONS",
    "OPTION_LAYOUTS",
    "Axis",
    "CorruptedSolution",
    "InstructionStyle",
    "OptionLayout",
    "Phrasing",
    "as_choice",
    "choice_form",
    "corrupt_solution",
    "distinct_phrasings",
    "draw_phrasing",
    "instruction",
    "is_right",
    "oracle",
    "phrase",
    "phrase_all",
    "unlabelled",
    "withhold",
]
