"""What the answer types read text with: LaTeX, numbers, units, formulas, computer algebra.

Each file reads one kind of notation and returns None, or raises ``UnreadableError``, for anything
else; all are bounded in the length and depth of what they read. From the bottom up: ``characters``
and ``latex`` bring text to one form, ``numerals``, ``formula``, ``arithmetic`` and ``units`` read
numbers, ``quantities`` and ``prose`` read amounts bare or in sentences, ``mentions`` finds the
options that a sentence names, and ``symbolic`` asks a child process for computer algebra. New
notation goes into the file of its kind; the answer types above then accept it everywhere.
"""

from mstar.rewards.verifier.parsing.arithmetic import evaluate
from mstar.rewards.verifier.parsing.formula import UnreadableError, parse
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.numerals import number_words, numeral
from mstar.rewards.verifier.parsing.prose import stated_quantity
from mstar.rewards.verifier.parsing.quantities import Quantity, read_quantity
from mstar.rewards.verifier.parsing.symbolic import same_symbolically
from mstar.rewards.verifier.parsing.units import Unit, parse_unit

__all__ = [
    "Quantity",
    "Unit",
    "UnreadableError",
    "evaluate",
    "number_words",
    "numeral",
    "parse",
    "parse_unit",
    "plain",
    "read_quantity",
    "same_symbolically",
    "stated_quantity",
]
