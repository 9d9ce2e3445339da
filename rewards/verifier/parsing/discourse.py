"""What the words around an answer do to it: take it back, set a condition, refuse, or break off.

A commitment is what stands in the explicit answer; each function here tests one way in which the
text beside it makes it none.
"""

from __future__ import annotations

import re

from mstar.rewards.verifier.parsing.vocabulary import listed

LONGEST_REASON = 300  # characters
READ = 4_000  # characters after an answer in which it can be taken back
_OPENS = r"(?:^|[.!?;:\n)\]}>*$]|[-,—]\s?)[\s*_\"'(-]{0,4}"  # the start of a sentence
_ANOTHER_POSSIBLE = (
    r"(?:but|however|(?:al)?though|or),? (?:[a-zA-Z\d.]+ ){1,4}(?:"
    r"(?:is|are|may be|might be|could be) (?:(?:also |equally )?(?:possible|plausible)"
    r"|(?:also|equally) (?:right|correct))"
    r"|(?:also |equally )?(?:works?|fits?|applies|matches)(?: too| as well| also))\b"
)
_TAKES_BACK = re.compile(
    _OPENS + r"(?:(?:oh,? |but |no,? |hold on,? )?wait\b(?! (?:for|time))"
    r"|h+m+\b|actually\b|oops\b|correction\b|hold on\b|never ?mind\b"
    r"|no[:;!]|oh,? no\b|nope\b|nah\b|(?:rather|better)[:,]|i meant\b"
    r"|(?:second|new|better|another|updated|revised) (?:thought|answer|guess|option|choice)\b"
    r"|alternatively,? (?:\S+ ?){1,3}(?=[.!\n]|$)"
    r"|(?:scratch|strike|forget|ignore|disregard) (?:that|this|it|my|the (?:above|previous))\b"
    r"|(?:i'm |i am |oh )?sorry\b|(?:my )?apologies\b|my (?:mistake|bad|error)\b|i mean\b"
    r"|(?:on|upon|after|with) (?:a )?(?:second|further|more|closer|another|re)?-?\s?"
    r"(?:thoughts?|reflection|consideration|inspection|look|review|examination|checking)\b"
    r"|(?:non|nein|no),? (?:attendez|warte|espera)\b|attendez\b|en fait\b|pardon\b|moment,"
    r"|warte\b|korrektur\b|espera\b|en realidad\b|perdón\b|等等|等一下|不对|错了|更正|实际上"
    r"|(?:looking|counting|checking|reading) (?:it |them )?(?:again|closer|more closely|back)\b"
    r"|no,? (?:wait|sorry|make (?:it|that)|it's|\(?[A-H]\b|-?\d)"
    r"|no,? (?:that|this|it|the answer) (?:is|was)(?:n't| not| wrong| incorrect)"
    r"|(?:that|this|it|which|my answer|the (?:above )?answer) (?:is|was|looks|seems|must be)"
    r" (?:wrong|incorrect|not (?:right|correct)|a mistake|an error)\b"
    r"|(?:that|this|it) (?:can't|cannot|can not|couldn't|doesn't|does not) (?:be|seem|look|sound)"
    r" (?:right|correct|true)\b"
    r"|(?:edit(?:ed)?|update[d]?|revis(?:ion|ed)|amended|corrected)\b[^.:\n]{0,20}:"
    r"|(?:i think |i believe |i see )?i (?:have |just |now |then |may have |might have )?"
    r"(?:made a mistake|made an error|miscounted|misread|misjudged"
    r"|miscalculated|forgot|missed|overlooked|was wrong|take (?:it|that) back|retract|withdraw)"
    r"|(?:i(?:'d| would) like to |i (?:want|need|have) to |i(?:'ll| will| must)? ?|let me )"
    r"(?:change|revise|correct|amend|redo)\b"
    r"|"
    + _ANOTHER_POSSIBLE
    + r"|(?:but|however),? (?:\(?[A-H]\)?|-?\d[\d.]*) is (?:right|correct)\b"
    r"|(?:but |however,? |(?:al)?though,? |or |then again,? )(?:maybe |perhaps )?"
    r"(?:it|that|this|i|we|the (?:right |correct |real )?answer)(?:'s| is)?"
    r" (?:also |well )?(?:may|might|could|possibly|probably|am not|not sure)\b"
    r"|(?:but|or) (?:maybe|perhaps|possibly|rather|actually)\b"
    r"|(?:maybe|perhaps|alternatively|or rather|instead),? (?:it\b|that\b|the (?:right |correct )?"
    r"answer|\(?[A-H]\b|-?\d)"
    r"|(?:but |so )?i (?:am|'m) (?:not (?:\w+ )?(?:sure|certain|confident)|unsure|guessing)\b"
    r"|(?:but |so )?i(?:'m| am)? (?:just |only )?(?:don't know|do not know|guess(?:ed|ing)?\b))",
    re.IGNORECASE,
)
_OR_ELSE = re.compile(
    r"(?:^|[.!?;\n])\s{0,3}(?:otherwise|else|or)\b"
    r"(?!,? (?:equivalently|simply|approximately|about|roughly|in other))",
    re.IGNORECASE,
)
_LISTING = re.compile(r":[^:;.!?\n]{1,100}(?:;[^:;.!?\n]{1,100})+;\s*or\b", re.IGNORECASE)
_EVADES = re.compile(
    r"\b(?:" + _ANOTHER_POSSIBLE + r"|the (?:opposite|contrary|reverse) of"
    r"|(?:anything|everything|all|any(?: \w+)?) (?:but|except)"
    r"|(?:anything|something|everything) (?:else|other)|(?:but|or|though|although)"
    r" (?:it |that |this )?(?:maybe|perhaps|possibly|might|could|may)\b)"
    r"|\bother way (?:a?round|about)\b"
    r"|\b(?:rather than|instead of)\b.*\b(?:rather than|instead of)\b"
    r"|\b(\S.{0,30}) (?:rather than|instead of) \1(?!\w)"
    r"|^\W{0,3}[A-H]\W{1,3}(?:but|however|though),? \W?[A-H]\W? is (?:right|correct)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\W{0,4}(?:is|was)(?:n't| not| wrong| incorrect| false)\b", re.IGNORECASE)
_CHECKS = re.compile(
    _OPENS
    + r"(?:(?:on|upon|after|by) )?(?:(?:re-?|double-? ?)(?:check|count|read|calculat|comput|examin"
    r"|consider|evaluat|verif)\w*ing)\b"
    r"|"
    + _OPENS
    + r"(?:but )?let(?:'s| me| us) (?:\w+ )?(?:re-?|double-? ?)?(?:check|count|verify|compute"
    r"|calculate|examine|consider|think|look|evaluate|do)\w*(?: again| it| this| that)?\b",
    re.IGNORECASE,
)
_CONFIRMED = re.compile(
    r"\b(?:correct|confirm\w*|match\w*|verified|consistent|agrees?|holds|checks out|right|yes)\b",
    re.I,
)
_IF = (
    r"(?:if(?! any\b)|unless|assuming|suppos(?:e|ing)|as long as|in case"
    r"|provided (?:that|the|it|they|you|we|all|no|none)|on condition)\b"
)
_CONDITION = re.compile(
    rf"(?:^|[\s,(])(?:{_IF}|(?:otherwise|depending|depends|whichever)\b)", re.IGNORECASE
)
_DEPENDS = re.compile(
    r"\b(?:unless|otherwise|depending|depends|whichever)\b"
    r"|^.{1,40}\b(?:assuming|supposing|provided that|as long as|on condition)\b"
    r"|^\W{0,4}if (?:not\b|(?:i|you|we) had to\b)"
    r"|^\W{0,4}(?:yes|no|true|false|\(?[a-z]\)?|-?[\d.,/]{1,12}%?)[ ,(]{1,3}(?:but )?(?:only )?"
    + _IF,
    re.IGNORECASE,
)
_OPTION_AND_CLAUSE = re.compile(  # "(A), the stock will drop if otters rise"
    r"\W{0,3}[A-H][).,:;]{1,3}\s"
    r"(?:(?:[^\s,;.:]+ ){3,30}if\b[^,;.]{1,200}|[Ii]f [^,;.]{5,200},(?: [a-z']+){3,30})\.?"
)
_CONDITION_FIRST = re.compile(
    r"[\W_]{0,4}(?:and |but |so |then |or |else,? )?"
    rf"(?:{_IF}|(?:in the (?:first|second|other|one|former|latter) case|case \d|otherwise|else|if"
    r"|perhaps|maybe|possibly|probably|i guess|let(?:'s| us)? (?:suppose|assume|say)|assume"
    r"|it depends|that depends|depending"
    r"|when(?:ever)? (?:it|we|you)|(?:should|were|had) (?:it|they|this|that|we|you|i|the))\b)",
    re.IGNORECASE,
)
_IF_THEN = re.compile(r"\bif\b[^.;!?\n]{1,200}\bthen\s?(?:the|my|our|its)?\s*$", re.IGNORECASE)
_FOLLOWS = re.compile(
    r"(?<!\bif),? (?:so|hence|thus|therefore),? (?:the|my|our)\s*$", re.IGNORECASE
)
_LAST_SENTENCE = re.compile(r".*(?:[.!?;]\s|\n)", re.DOTALL)
_REFUSAL = re.compile(
    r"\b(?:can(?:not|'t|\s?not)|could ?n(?:o|')t|unable to|impossible to|not possible to"
    r"|(?:am|are|is|was) not able to|difficult to|hard to)\s(?:\w+\s){0,2}?(?:be\s)?(?:determine"
    r"|tell|see|view|answer|know|identif|calculat|say|solve|find|choose|select|pick|read|provide"
    r"|give|verif|access|process|infer|decide|count|assess|conclude|ascertain|make out)\w*"
    r"|\bnot (?:enough|sufficient|determinable|visible|clear|available|provided|given|shown|sure"
    r"|certain|known|applicable|specified|stated|possible)\b"
    r"|\b(?:insufficient|unanswerable|indeterminate|undetermined|unclear|unreadable|illegible"
    r"|missing (?:data|information))\b|\btoo (?:blurr\w+|unclear"
    r"|(?:small|dark) to (?:read|see|tell|make))\b"
    r"|\b(?:need|needs|requires?|lacks?|lacking|without|please (?:upload|provide|share|give"
    r"|show|attach|send))\b (?:\w+ ){0,4}?(?:picture|image|images|figure|chart|charts|graph"
    r"|diagram|photo|information|details?|data|context)\b"
    r"|\bno (?:\w+ ){0,2}?(?:picture|image|images|figure|chart|graph|diagram|photo|data|information"
    r"|idea|clue|answer|correct|context|options?|matching|valid|such|details?|text)\b"
    r"|\b(?:i|we) (?:don't|do not|didn't) (?:\w+ )?(?:know|see|have)\b"
    r"|\b(?:doesn't|does not|don't) (?:provide|include|specify|match any)\b"
    r"|\bto determine (?:which|what|if|whether)\b",
    re.IGNORECASE,
)
_SAYS_SO = re.compile(r"\W{0,3}(?:yes|no)[,.;]", re.IGNORECASE)  # "No, it is not possible"
_NOT_APPLICABLE = re.compile(
    r"n\.? ?/ ?a\.?\b|none\b|null\b|nil\b|not applicable\b|nothing\b", re.I
)
_REASON_WORDS = listed("because since")
_DOUBT = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|presumably|might|could|may(?= (?:be|also|well|or)\b)"
    r"|guess(?:es|ed|ing)?|unsure|uncertain|unverified|hardly|barely|scarcely|mostly|partly"
    r"|partially|sometimes|usually|tbd|to be determined|n/a|unknown|unclear|undetermined"
    r"|not (?:exactly|quite|really))\b|^\W*(?:also|at (?:least|most))\b",
    re.IGNORECASE,
)
_STARTS_CONDITION = re.compile(
    rf"[^\S\n]{{0,3}}\(?(?:{_IF}|is what (?:i|one|we|you) (?:would|might|could)\b)", re.IGNORECASE
)
_UNFINISHED = listed("the a an of because since and but which to with from than where if makes or")
_REASON_BREAKS_OFF = re.compile(
    r"\b(?:because|since)\b.*\b(?:is|are|was|were|that)$", re.IGNORECASE
)
_GIVEN = re.compile(r"\bif [^,.;=]{1,30}= ?-?\d[\d.]*[°%]?(?: [a-z]{1,12})?, (?:then )?", re.I)
_PREMISE = re.compile(
    r"(?:^|(?<=[.,] ))if (?![^,.;]*\([A-H]\))[^,.;]{1,120}, (?=(?:the|its|their|there) )", re.I
)
_RELATIVE = re.compile(
    r", (?:which|who|that) (?:is|are|was|were|does|do|can)[^,.;:]{1,80},(?= (?:is|are|was)\b)"
    r"|\bnot (?:\w{2,12}ed|shown|seen|drawn|given|known|sold|made)(?: \w+){0,3}?"
    r"(?= (?:is|are|was)\b)"
    r"|\b(?:that|which|who) (?!(?:i|we|it|the answer)\b)[^,.;:]{1,80}?(?= (?:is|are|was)\b"
    r"(?![^,.;:]{0,80} (?:is|are|was)\b))",
    re.IGNORECASE,
)


def takes_back(after: str) -> bool:
    """Whether the text after an answer withdraws it: ``Wait, ...``, ``But it may be 8``.

    A check that ends in a confirmation takes nothing back.
    """
    after = _LISTING.sub("", after[:READ])
    if any(each.search(after) for each in (_TAKES_BACK, _OR_ELSE)) or _DENIED.match(after):
        return True
    check = _CHECKS.search(after)
    return check is not None and _CONFIRMED.search(after, check.end()) is None


def opens_with_condition(before: str) -> bool:
    """Whether the sentence that a text breaks off in began with ``If ...`` or ``Otherwise``."""
    sentence = _LAST_SENTENCE.sub("", before[-300:])
    if _FOLLOWS.search(sentence):
        return False
    return bool(_CONDITION_FIRST.match(sentence) or _IF_THEN.search(sentence))


def goes_on_with_condition(after: str) -> bool:
    r"""Whether the sentence of a tag or a box goes on: ``\boxed{7} if the border counts``."""
    return _STARTS_CONDITION.match(after) is not None


def is_conditional(text: str) -> bool:
    """Whether an answer holds under a condition only: ``8 if we count the legend``.

    The sentence beside an option's letter may repeat the condition of its question.
    """
    if _OPTION_AND_CLAUSE.fullmatch(text):
        return depends(text)
    return _CONDITION.search(text) is not None


def depends(text: str) -> bool:
    """Whether a statement is left open: ``Yes, if ...; no otherwise``.

    A sentence may repeat the condition of its question: ``If the oaks died, it would fall.``
    """
    return _DEPENDS.search(text) is not None


def names_another(text: str) -> bool:
    """Whether an answer names something only to say that it, or another, may be right.

    >>> names_another("anything but red"), names_another("B, but maybe C"), names_another("red")
    (True, True, False)
    """
    return _EVADES.search(text) is not None or _OR_ELSE.search(text) is not None


def is_doubtful(sentence: str) -> bool:
    """Whether a sentence names an answer without standing by it: ``barely 7``, ``7 (TBD)``.

    >>> is_doubtful("my guess: 7"), is_doubtful("7 on May 4")
    (True, False)
    """
    return _DOUBT.search(sentence) is not None


def is_refusal(text: str) -> bool:
    """Whether a text says that there is no answer.

    >>> is_refusal("There is not enough information."), is_refusal("There are no birds.")
    (True, False)
    """
    return _SAYS_SO.match(text) is None and bool(_REFUSAL.search(without_relative_clause(text)))


def is_not_applicable(text: str) -> bool:
    """Whether a text says that no option applies: ``N/A``, ``None (A)``."""
    return _NOT_APPLICABLE.match(text.lstrip(" (*")) is not None


def is_unfinished(text: str) -> bool:
    """Whether a text was cut off: its last word never ends a sentence."""
    *before, last = text.split(" ") if text else [""]
    reason = bool(_REASON_WORDS & {last, *before})
    cut = last in _UNFINISHED and bool(before) and (len(before) > 3 or reason or last == "the")
    return cut or _REASON_BREAKS_OFF.search(text[-LONGEST_REASON:]) is not None


def without_given(text: str) -> str:
    """A statement without what the question gave: ``If x = 3, then``.

    >>> without_given("If x = 3, then y is (B) 7.")
    'y is (B) 7.'
    """
    return _GIVEN.sub("", text) if len(_GIVEN.findall(text)) == 1 else text


def without_premise(text: str) -> str:
    """A statement without the condition that its question set.

    >>> without_premise("If the stock increases, the price will drop.")
    'the price will drop.'
    """
    return _PREMISE.sub("", text)


def without_relative_clause(text: str) -> str:
    """A statement without the clause that describes its subject.

    >>> without_relative_clause("The pattern that could NOT be folded is (D).")
    'The pattern is (D).'
    """
    return _RELATIVE.sub("", text).replace("  ", " ")
