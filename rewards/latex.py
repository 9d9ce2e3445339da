"""LaTeX rewritten as plain mathematics: one token of the text at a time, nothing evaluated."""

from __future__ import annotations

import re

from mstar.rewards.characters import settle
from mstar.rewards.vocabulary import listed

_COMMAND = re.compile(r"\\([a-zA-Z]+)(\*?)|\\(.)|\$", re.DOTALL)
_DROPPED = listed(
    """text textbf textit textrm textsf texttt mathrm mathbf mathit mathsf mathtt mathbb mathcal
    operatorname mbox hbox boldsymbol bm boxed fbox framebox displaystyle textstyle left right big
    Big bigl bigr Bigl Bigr limits rm bf it emph underline displaylimits"""
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
    "textdegree": "°", "textdollar": "$", "nobreakspace": " ", "varnothing": "∅", "emptyset": "∅",
}  # fmt: skip
_SIGNS = {",": " ", ";": " ", ":": " ", " ": " ", "\n": " ", "!": "", "(": " ", ")": " ",
          "[": " ", "]": " ", "%": "%", "$": "＄", "{": "{", "}": "}", "#": "#", "&": " ",
          "_": "_", "\\": " ", "-": "", "/": "", "|": "|"}  # fmt: skip
_AFTER = (
    ("{,}", ","), ("{}", ""), ("^{°}", "°"), ("^°", "°"), ("^ °", "°"), ("~", " "), ("**", "^"),
    ("√", "\\root "), ("...", "…"), ("!=", "≠"),
)  # fmt: skip


def plain(text: str) -> str:
    r"""The text with typesetting gone: fonts, spacing, delimiters, dollar signs around formulas.

    ``\frac`` and ``\sqrt`` stay, as do unknown commands, with braces for grouping. A dollar sign
    that has no partner, or is escaped, is a currency.

    >>> plain(r"$12\,\text{cm}^2$")
    '12 {cm}^2'
    >>> plain("He will spend $8.20.")
    'He will spend $8.20.'
    """
    text = settle(text)
    currency = len(re.findall(r"(?<!\\)\$", text)) % 2 == 1

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
    return text.strip()
