"""LaTeX to plain mathematics, one token at a time; nothing is evaluated."""

from __future__ import annotations

import re
from functools import lru_cache

from mstar.rewards.verifier.parsing.characters import normalise
from mstar.rewards.verifier.parsing.vocabulary import listed

_COMMAND = re.compile(r"\\([a-zA-Z]+)(\*?)|\\(.)|\$", re.DOTALL)
_COLOR = re.compile(r"\\(?:text)?color\s{0,2}\{[^{}]{0,40}\}")
_INFIX = re.compile(r"\{?([^{}\\]{1,40})\\(over|choose)(?![a-zA-Z])([^{}\\]{1,40})\}?")
_REPEATING = re.compile(
    r"(?<![\d.])(\d{1,12})\.(\d{0,12})\\(?:overline|bar|dot)\s?(?:\{(\d{1,12})\}|(\d))"
)
_GOES_ON = re.compile(r"(?<![\d.])(\d{1,12})\.(\d{1,20})(?:…|\.\.\.|\\l?dots(?![a-zA-Z]))")
_DEGREE_LETTER = re.compile(r"(?<=\d)\s?\^\s?\{{0,2}[oO]\}{0,2}(?![a-zA-Z])")
_SPACED_COMMA = re.compile(r"(?<=\d)(?:,\\[!,] ?| ?\{ ?, ?\} ?)(?=\d{3})")
_STRAY_DOLLAR = re.compile(r"(?<=[}\w])\s?\\?\$(?=[\s.,;]*$)")  # the end of a formula
_DROPPED = listed(
    """text textbf textit textrm textsf texttt textnormal textup textmd textsl textsc
    mathrm mathbf mathit mathsf mathtt mathbb mathcal
    operatorname mbox hbox boldsymbol bm boxed fbox framebox displaystyle textstyle left right big
    Big bigl bigr Bigl Bigr limits rm bf it emph underline displaylimits overline overrightarrow
    overleftrightarrow widehat unit pu num SI qty si ensuremath
    tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge"""
)
_WORDS = {
    "dfrac": "\\frac", "sfrac": "\\frac", "nicefrac": "\\frac", "tfrac": "\\frac",
    "cfrac": "\\frac", "frac": "\\frac",
    "sqrt": "\\sqrt", "pi": "π", "infty": "∞", "pm": "±", "mp": "±", "times": "*", "cdot": "*",
    "ast": "*", "div": "/", "le": "<=", "leq": "<=", "leqslant": "<=", "lt": "<", "ge": ">=",
    "geq": ">=", "geqslant": ">=", "gt": ">", "ne": "≠", "neq": "≠", "approx": "≈", "sim": "≈",
    "simeq": "≈", "cong": "≈", "circ": "°", "degree": "°", "in": "∈", "cup": "∪", "cap": "∩",
    "lbrace": "{", "rbrace": "}", "langle": "(", "rangle": ")", "lbrack": "[", "rbrack": "]",
    "vert": "|", "lvert": "|", "rvert": "|", "quad": " ", "qquad": " ", "space": " ",
    "ldots": "…", "dots": "…", "cdots": "…", "colon": ":", "percent": "%", "euro": "€",
    "pounds": "£", "ln": "\\ln", "log": "\\log", "sin": "\\sin", "cos": "\\cos", "tan": "\\tan",
    "exp": "\\exp", "implies": "=>", "to": "->", "rightarrow": "->", "mathdollar": "$",
    "or": " or ", "lor": " or ", "and": " and ", "land": " and ", "neg": " not ", "lnot": " not ",
    "mid": "|", "setminus": "-", "binom": "\\binom", "dbinom": "\\binom", "tbinom": "\\binom",
    "arcsin": "\\arcsin", "abs": "\\abs", "therefore": " ", "checkmark": " ", "not": " not ",
    "angle": "∠", "measuredangle": "∠", "triangle": "△", "odot": "⊙",
    "textdegree": "°", "textdollar": "$", "nobreakspace": " ", "varnothing": "∅", "emptyset": "∅",
}  # fmt: skip
_GREEK = listed(
    """alpha:α beta:β gamma:γ delta:δ epsilon:ε varepsilon:ε zeta:ζ eta:η theta:θ vartheta:θ
    lambda:λ mu:µ nu:ν xi:ξ rho:ρ sigma:σ tau:τ phi:φ varphi:φ chi:χ psi:ψ omega:ω Gamma:Γ Delta:Δ
    Theta:Θ Lambda:Λ Sigma:Σ Phi:Φ Psi:Ψ Omega:Ω"""
)
_WORDS |= {pair[:-2]: pair[-1] for pair in _GREEK}
_SIGNS = {",": " ", ";": " ", ":": " ", " ": " ", "\n": " ", "!": "", "(": " ", ")": " ",
          "[": " ", "]": " ", "%": "%", "$": "＄", "{": "{", "}": "}", "#": "#", "&": " ",
          "_": "_", "\\": " ", "-": "", "/": "", "|": "|"}  # fmt: skip
_AFTER = (
    ("{,}", ","), ("∠ ", "∠"), ("△ ", "△"), ("⊙ ", "⊙"),
    ("{}", ""), ("^{°}", "°"), ("^°", "°"), ("^ °", "°"), ("~", " "), ("**", "^"),
    ("√", "\\root "), ("...", "…"), ("!=", "≠"), ("+/-", "±"),
    (" not =", "≠"),
)  # fmt: skip


REMEMBERED = 200  # characters of the longest text whose plain form is remembered
LETTER_NAMES = {_WORDS[name]: f"\\{name} " for name in sorted(pair[:-2] for pair in _GREEK)}
"""The command of each Greek letter that ``plain`` writes as a character."""


def plain(text: str) -> str:
    r"""The text without typesetting: fonts, spacing, delimiters, dollar signs around formulas.

    ``\frac``, ``\sqrt`` and unknown commands stay, with braces for grouping. A dollar sign that is
    unpaired or escaped is a currency.

    >>> plain(r"$12\,\text{cm}^2$")
    '12 {cm}^2'
    >>> plain("He will spend $8.20.")
    'He will spend $8.20.'
    """
    return _remembered(text) if len(text) <= REMEMBERED else _plain(text)


def _plain(text: str) -> str:
    text = _SPACED_COMMA.sub(",", normalise(text)).rstrip("\\ ")
    if "\\" in text or "…" in text or "..." in text:
        text = _INFIX.sub(_prefixed, _COLOR.sub("", text))
        text = _GOES_ON.sub(_for_ever, _REPEATING.sub(_period, text))
    currency = len(re.findall(r"(?<!\\)\$", text)) % 2 == 1
    if currency and "\\" in text and _STRAY_DOLLAR.search(text):
        text, currency = _STRAY_DOLLAR.sub("", text), False

    def rewrite(found: re.Match[str]) -> str:
        word, sign = found.group(1), found.group(3)
        if word is not None:
            if word in _DROPPED:
                return ""
            known = _WORDS.get(word)
            return f"\\{word} " if known is None else known
        if sign is not None:
            return _SIGNS.get(sign, " ")
        return "$" if currency else ""

    text = _COMMAND.sub(rewrite, text).replace("＄", "$")
    for old, new in _AFTER:
        text = text.replace(old, new)
    return _DEGREE_LETTER.sub("°", text).strip()


_remembered = lru_cache(maxsize=4096)(_plain)  # options and references come with every response


def _prefixed(found: re.Match[str]) -> str:
    return f"\\{'frac' if found[2] == 'over' else 'binom'}{{{found[1]}}}{{{found[3]}}}"


def _period(found: re.Match[str]) -> str:
    return _repeating(found[1], found[2], found[3] or found[4])


def _for_ever(found: re.Match[str]) -> str:
    """``0.333...`` as a fraction; digits that don't repeat are kept as they are."""
    whole, decimals = found[1], found[2]
    shown = decimals.rstrip(decimals[-1])
    if len(decimals) - len(shown) > 1:
        return _repeating(whole, shown, decimals[-1])
    return f"{whole}.{decimals}" if len(decimals) > 2 else found[0]


def _repeating(whole: str, decimals: str, period: str) -> str:
    r"""The fraction that ``0.1\overline{6}`` is."""
    bottom = 10 ** len(decimals) * (10 ** len(period) - 1)
    top = int(whole + decimals + period) - int(whole + decimals)
    return rf"\frac{{{top}}}{{{bottom}}}"
