"""English words that the answer types recognise."""

from __future__ import annotations


def listed(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


_MONTHS = "january february march april may june july august september october november december"
MONTHS = tuple(_MONTHS.split())
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday"
WEEKDAYS = tuple(_WEEKDAYS.split())
_ORDINALS = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
    thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"""
ORDINALS = tuple(_ORDINALS.split())
_PLACES = "1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th"
ALIASES = (
    {month[:3]: month for month in MONTHS}
    | {day[:3]: day for day in WEEKDAYS}
    | {"sept": "september", "tues": "tuesday", "thur": "thursday", "thurs": "thursday"}
    | {"grey": "gray", "colour": "color", "infinity": "∞"}
    | dict(zip(ORDINALS, _PLACES.split(), strict=False))
)
# Generic nouns that add nothing to an answer.
KIND_NAMES = listed("color colored shape shaped size sized")

# Words that compare, deny, hedge or calculate: a number beside them is not an answer.
REFUSED = listed(
    """not no never neither nor isn't aren't wasn't doesn't don't cannot can't or either between
    least most than under over above below almost nearly maybe perhaps possibly probably might could
    wrong anything incorrect except without unless if unknown more less fewer up else and plus minus
    far yet twice thrice double triple root times divided squared cubed factorial modulo mod to
    through versus vs impossible too ish odd guess guessing unsure"""
)
# Of these, the ones that leave a whole sentence open wherever they stand in it.
DENYING = listed(
    """not no never neither nor cannot or either maybe perhaps possibly probably might could wrong
    incorrect except without unless if unknown impossible but first"""
)
# In a sentence these count only right before the number: "costs $2.71 more than a book" is $2.71.
BOUNDS = listed("than least most under over above below almost nearly to through between up")
HARMLESS = BOUNDS | listed("and more less fewer times")
# Words that don't start a unit after a number: "12 in total".
NO_UNIT = listed(
    """in for of on at total altogether overall each left away long tall wide high deep old
    remaining apiece only exactly now then here there"""
)
# Words after which a number is a label: "figure 12".
NUMBERED = listed(
    """figure fig step question option problem row column part image line page chapter item
    exercise example equation bar clock"""
)
# Words that make the number after them the size of a noun's group: "the two lines".
DETERMINERS = listed("the these those both last next first other another every each")
# Nouns of which a number is the size, in "a total of 7"; "a threshold of 7" is another matter.
MEASURES = listed(
    """total sum value answer area volume length perimeter circumference average mean median mode
    measure measurement size cost price distance difference number speed height width depth age
    result rate count score weight mass ratio percentage probability temperature radiu diameter
    amount gap product quotient out gain los profit tip salary angle slope mark rating change"""
)
# Words right before a number that state it; a number in words needs one of them.
STATING = listed(
    "is are was were be equals equal makes gives get total answer has have of only count counted"
)
PERCENT = frozenset(("%", "percent", "per cent", "pct", "percentage"))

YES = listed("yes true correct right yeah yep")
NO = listed("no false incorrect wrong nope untrue")
NEGATIONS = listed("not isn't never n't wasn't cannot hardly")
UNDECIDED = listed(
    """maybe perhaps possibly probably might could may half idea unclear unknown depends either
    partly partially unsure sometimes
    else uncertain undetermined impossible cannot can't or both neither nearly almost"""
)
