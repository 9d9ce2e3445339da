"""The answer type ``choice``: the option that a text selects."""

from __future__ import annotations

import re

from mstar.rewards.base import Answer
from mstar.rewards.verifier.base import MatchResult
from mstar.rewards.verifier.expression import read_formula, same_formula
from mstar.rewards.verifier.number import same_amount
from mstar.rewards.verifier.parsing.arithmetic import close, decimal
from mstar.rewards.verifier.parsing.characters import BIDI
from mstar.rewards.verifier.parsing.discourse import (
    is_not_applicable,
    takes_back,
    without_given,
    without_premise,
    without_relative_clause,
)
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.mentions import denied_by, mentions
from mstar.rewards.verifier.parsing.prose import (
    is_spray,
    sentences,
    stated_quantity,
    without_denial,
    without_reason,
)
from mstar.rewards.verifier.parsing.quantities import Quantity, read_quantity
from mstar.rewards.verifier.sequence import read_sequence, same_sequence
from mstar.rewards.verifier.text import Words, essence, read_truth, words
from mstar.rewards.verifier.time import read_clock, same_clock

_LETTER = re.compile(r"[(\[]?([A-Za-z])[)\]]?[.:)]?")
_NAMED = re.compile(
    r"(?:option|choice|answer|letter|alternative)\s?:?\s?[(\[]?([A-Za-z])[)\]]?[.:)]?", re.I
)
_LETTER_FIRST = re.compile(
    r"(?:option |choice )?"
    r"(?:[(\[]([A-Za-z])[)\]][.:]?\s?|([A-Za-z])(?:[.:)]\s?| - | = |, | )\s?)(.+)",
    re.IGNORECASE,
)
_SEVERAL = re.compile(  # "(A) or b", "A/b/c"; the article in "A, a square" is no letter
    r"[(\[]?([A-Za-z])[)\].]?\s?(?:,|/|&|;|\+|\||\band\b|\bor\b)\s?(?:and |or |also )?"
    r"[(\[]?(?!a [a-z])([A-Za-z])(?![\w'])"
)
_OR_LAST = re.compile(r"[(\[]?([A-Za-z])[)\].]?(?!\w).*\bor\s[(\[]?([A-Z])[)\].]{0,2}")
_NOT_OTHER = re.compile(
    r"^([(\[]?[A-Za-z][)\].]?),? (?:only"
    r"|\(?(?:(?:and |but )?not|rather than|instead of) [(\[]?[A-Za-z][)\].]{0,2})$",
    re.IGNORECASE,
)
_RATIO = re.compile(r"([^:]{1,20}):([^:]{1,20})")
_DIGITAL_CLOCK = re.compile(r"\s*\d{1,2}:\d\d\s*")
_MARKED = re.compile(r"(?:option |choice )?(?:\([A-J]\)|[A-J][.:)])", re.IGNORECASE)
_ANOTHER_LABEL = re.compile(
    r"(?<![\w(])[A-Z]\)\s|[,;] ?\([A-Z]\) (?!(?:is|are|was|were|has|have|does|do|would|can)\b)"
)
_BRACKETED = re.compile(r"\([^()]{2,100}\)")
_STATES = re.compile(r"\b(?:is|are|was|were|equals|=|:)\s")
_JOINS = re.compile(  # "(B), but also (D)"
    r"\W{0,3}(?:and|or|but|also|as well as|(?:al)?though|while|yet|nor|plus|alternatively)\b", re.I
)
_LABEL_WORDS = 3  # words of the longest text beside a letter that must be the option's own
_FORMULA = re.compile(
    r"[a-zA-Z]\s?[-+*/^]|[-+*/^]\s?[a-zA-Z]|\d[a-zA-Z]|\\(?:frac|sqrt|root)|^-?[\d.]+$|^[a-z]$"
)
_LABELLED = re.compile(r"[(\[]?([A-Z])[)\].:]{1,2}\s[^A-Z]*")
_LISTED = re.compile(r"^[ \t*(]{0,4}([A-Za-z])[).:]", re.MULTILINE)
_LETTER_LAST = re.compile(
    r"(.*[^\s,(\[])\s?[,(\[]\s?(?:which is |corresponding to |i\.e\.,? |namely )?"
    r"(?:the )?(?:option |choice )?\(?([A-Z])[)\]]{0,2}\.?"
)


def read_choice(text: str, answer: Answer) -> int | None:
    """The index of the one option that is selected, from 0; None if none or several.

    An option's text takes precedence over its letter, and both must agree if both are given. A
    number selects the one option that equals it; it is never an index. Options are not matched by
    similarity.
    """
    whole = _tidy(plain(text))
    bare = " ".join(whole.replace("{", "").replace("}", "").split())
    options = answer.choices or ()
    is_question = bare.endswith("?") and not any(each.rstrip().endswith("?") for each in options)
    given = [i for i, option in enumerate(options) if option.strip() == text.strip()]
    if len(given) == 1 and not BIDI.search(text):  # even a sign, such as "*"
        return given[0]
    if not bare or BIDI.search(text) or is_question:
        return None
    if len({mark.upper() for mark in _LISTED.findall(text)}) > 1:  # the options are repeated
        return None
    index = _as_text(whole, options)
    if index is not None:
        return index
    first = _LETTER_FIRST.fullmatch(whole) if options and _MARKED.match(whole) else None
    if first and _letter(first, len(options)) is None:  # "(C) no", of two options
        return read_choice(first[3], answer)
    applies = any(map(is_not_applicable, options)) or not is_not_applicable(bare)
    several = _names_several(bare, len(options) or 26)
    if not applies or (several and not _as_formula(whole, options)):  # "(a+b)/2" is a formula
        return None
    bare = _NOT_OTHER.sub(r"\1", bare)
    letter = _LETTER.fullmatch(bare) or _NAMED.fullmatch(bare)
    if not options:
        return _letter(letter or _LABELLED.fullmatch(bare), 26)
    index = _letter(letter, len(options))
    if index is not None:
        return index
    lettered = _lettered(whole if _LETTER_FIRST.fullmatch(whole) else bare, options)
    if lettered is not None:
        return lettered if lettered >= 0 else None
    index = _as_value(whole, options)
    if index is None and whole != bare:
        index = _as_value(bare, options)
    if index is None:
        index = _mentioned(text, options)
        return None if index is not None and _says_otherwise(text, options[index]) else index
    return index


def same_choice(reference: int, predicted: int, answer: Answer) -> MatchResult:
    """Whether both are the same option."""
    return MatchResult(
        reference == predicted, "same option" if reference == predicted else "other option"
    )


def spelled(option: str) -> str:
    """The text of an option, by which it is recognised first: without markup and white space."""
    return _squeezed(_tidy(plain(option)))


def _letter(match: re.Match[str] | None, count: int) -> int | None:
    if match is None:
        return None
    letter = next(group for group in match.groups() if group is not None)
    index = ord(letter.upper()) - ord("A")
    return index if index < count else None


def _tidy(plain_text: str) -> str:
    return plain_text.strip(" *'\"\t\n") or plain_text.strip()  # the sign * itself


def _says_otherwise(text: str, option: str) -> bool:
    """Whether a text says yes where its option says no: ``No, the lowest one is A``."""
    spec = Answer("yes_no", "")
    verdicts = read_truth(text, spec), read_truth(option, spec)
    return None not in verdicts and verdicts[0] != verdicts[1]


def _names_several(text: str, count: int) -> bool:
    """Whether a text begins with two letters of options: ``A and b``, ``A/b/c``."""
    named = _SEVERAL.match(text) or _OR_LAST.fullmatch(text)
    letters = [ord(each.upper()) - ord("A") for each in named.groups()] if named else []
    return len(set(letters)) > 1 and max(letters) < count


def _squeezed(plain_text: str) -> str:
    return re.sub(r"[{}\s]", "", plain_text).rstrip(".")


def _as_text(text: str, options: tuple[str, ...]) -> int | None:
    written = _squeezed(text)
    exact = [i for i, option in enumerate(options) if spelled(option) == written]
    if len(exact) == 1:
        return exact[0]
    for tokens in dict.fromkeys((words(text), essence(words(text)))):
        indices = [i for i, option in enumerate(options) if tokens and words(option) == tokens]
        if len(indices) == 1:
            return indices[0]
    return _as_own_words(words(text), options)


def _as_own_words(spelled: Words, options: tuple[str, ...]) -> int | None:
    """The option of which a text is all that the others do not share: ``P`` of ``point P``."""
    known = [words(option) for option in options]
    shortest = min(map(len, known), default=0)
    start = next((i for i in range(shortest) if len({each[i] for each in known}) > 1), shortest)
    stop = next((i for i in range(shortest) if len({each[-1 - i] for each in known}) > 1), shortest)
    own = [each[start : len(each) - stop] for each in known]
    is_letter = (
        len(spelled) == 1 and _letter(_LETTER.fullmatch(spelled[0]), len(options)) is not None
    )
    if not (start or stop) or not spelled or is_letter or own.count(spelled) != 1:
        return None
    return own.index(spelled)


def _as_value(text: str, options: tuple[str, ...]) -> int | None:
    """The one option that is the same amount, time, formula or yes/no answer."""
    quantity = stated_quantity(text)
    indices: list[int] = []
    if quantity is not None and quantity.writing != "unevaluated":
        amounts = [(i, _amount(option)) for i, option in enumerate(options)]
        same = [(i, each) for i, each in amounts if each and _same_amount(each, quantity)]
        equal = [i for i, each in same if close(each.value, quantity.value)]  # not only rounded
        indices = equal if len(equal) == 1 else [i for i, _ in same]
    spec = Answer("time", "")
    clock = read_clock(text, spec)
    if not indices and clock is not None and (quantity is None or quantity.unit is None):
        clocks = [read_clock(option, spec) for option in options]
        indices = [i for i, c in enumerate(clocks) if c and same_clock(c, clock, spec).same]
    ratios = [_RATIO.fullmatch(plain(option).strip(" .")) for option in options]
    if not indices and quantity is not None and _may_be_ratio(quantity, options, all(ratios)):
        indices = [i for i, r in enumerate(ratios) if r and _is_ratio(r, quantity)]
    if not indices:
        indices = _as_formula(text, options)
    truths = [read_truth(option, spec) for option in options]
    verdicts = truths.count(True) == truths.count(False) == 1
    if not indices and verdicts and not mentions(text, options)[0]:
        verdict = read_truth(text, spec)
        indices = [i for i, truth in enumerate(truths) if truth is not None and truth == verdict]
    return indices[0] if len(indices) == 1 else None


def _may_be_ratio(quantity: Quantity, options: tuple[str, ...], among_ratios: bool) -> bool:
    """Whether an amount may stand for a ratio: ``3/2``, or ``2`` where all options are ratios."""
    if quantity.writing in ("fraction", "closed form"):
        return True
    clocks = any(map(_DIGITAL_CLOCK.fullmatch, options))
    return among_ratios and not clocks and not quantity.unit and not quantity.noun


def _amount(option: str) -> Quantity | None:
    r"""The amount that an option is, with its unit in braces or not: ``\text{2 m}^2``."""
    quantity = read_quantity(option)
    if quantity is None and "{" in option:
        return read_quantity(plain(option).replace("{", "").replace("}", ""))
    return quantity


def _is_ratio(ratio: re.Match[str], quantity: Quantity) -> bool:
    parts = [read_quantity(part.strip()) for part in ratio.groups()]
    values = [decimal(part.value) for part in parts if part is not None]
    return len(values) == 2 and close(values[0], decimal(quantity.value) * values[1])


def _as_formula(text: str, options: tuple[str, ...]) -> list[int]:
    """The options that are the same point, or the same expression with variables."""
    if "," in text or " and " in text:
        point = Answer("tuple", "")
        pair = read_sequence(text, point)
        pairs = [read_sequence(o, point) if o[:1] in "([" else None for o in map(plain, options)]
        return [i for i, o in enumerate(pairs) if o and pair and same_sequence(o, pair, point).same]
    if not _FORMULA.search(text) or not all(map(_FORMULA.search, map(plain, options))):
        return []
    spec = Answer("expression", "")
    formula = read_formula(text, spec)
    if formula is None or not formula.sides:
        return []
    formulas = [read_formula(option, spec) for option in options]
    return [
        i
        for i, each in enumerate(formulas)
        if each and each.sides and same_formula(each, formula, spec).same
    ]


def _same_amount(option: Quantity, predicted: Quantity) -> bool:
    if option.noun and predicted.noun and not option.unit and option.noun != predicted.noun:
        return False
    return bool(same_amount(option, predicted, Answer("text", "")).same)


def _lettered(text: str, options: tuple[str, ...]) -> int | None:
    """The option of a letter with text beside it; -1 if the two contradict each other."""
    first, last = _LETTER_FIRST.fullmatch(text), _LETTER_LAST.fullmatch(text)
    if first is not None:
        index, rest = _letter(first, len(options)), first[3]
        between = text[first.end(2) : first.start(3)] if first[2] else ""
        bare = between == " " or (between.strip() == "=" and text[0].islower())  # a = 30
    elif last is not None:
        index, rest, bare = ord(last[2]) - ord("A"), last[1], True
        index = index if index < len(options) else None
    else:
        return None
    if index is None:
        return None
    picked = _as_text(rest.strip(" ."), options)
    beside = _letter(_LETTER.fullmatch(rest.strip(" .")), len(options))
    if picked != index and beside not in (None, index):  # "A (B)"
        return -1
    picked = _as_value(rest, options) if picked is None else picked
    if picked is None:
        if bare:
            return index if rest.startswith(("because", "since")) else None
        return -1 if _contradicts(rest, index, options) else index
    if bare and picked != index and text[0] in "Aa" and rest[0].isalnum():  # an article
        return None
    return index if picked == index else -1


def _contradicts(rest: str, index: int, options: tuple[str, ...]) -> bool:
    """Whether the text beside a letter says something else than the letter's option.

    A label of a few words must be the option's own text; a sentence gives a reason, which may name
    other options, but must not state another option, or an amount where all options are amounts.
    """
    if denied_by(rest) or (_JOINS.match(rest) and mentions(rest, options)[0] - {index}):
        return True
    amounts = all(read_quantity(option) is not None for option in options)
    if amounts and stated_quantity(rest) is not None:
        return True
    if len(rest.split()) > _LABEL_WORDS:
        if _ANOTHER_LABEL.search(_BRACKETED.sub("", rest)):
            return True
        states = _STATES.split(sentences(rest)[0])
        said = _as_text(states[-1].strip(" ."), options) if len(states) > 1 else None
        return said not in (None, index)
    amount = read_quantity(rest) if not rest.startswith(("a ", "an ")) else None
    if mentions(without_reason(rest), options)[0] - {index} or amount is not None:
        return True
    own, given = _stems(options[index]), _stems(rest)
    return len("".join(own)) > 1 and bool(given) and not own & given


def _stems(text: str) -> set[str]:
    """The beginnings of the words of a text, so that ``octopuses`` is ``octopus``."""
    return {word[:4].rstrip("s") for word in words(text)}


def _mentioned(text: str, options: tuple[str, ...]) -> int | None:
    """The one option that the last sentence to name any asserts; reasons may follow it."""
    text = without_premise(without_given(without_relative_clause(text)))
    parts = sentences(without_denial(without_reason(text)))
    if not parts or is_spray(parts[-1]):
        return None
    for turn, part in enumerate(reversed(parts[-4:])):
        named, firm = mentions(part, options)
        if named:
            others = set().union(*(mentions(each, options)[0] for each in parts)) - named
            if turn and (others or takes_back(" ".join(parts[len(parts) - turn :]))):
                return None
            return next(iter(firm)) if len(named) == 1 and firm else None
    return None
