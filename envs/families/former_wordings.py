"""Sentences of former versions that a textbook would not print; the newest versions ask better.

The embedded model was pretrained on some of them, and stored results rest on it, so they stay.
A former version has the same problems, answers and images as the newest one.
"""

from __future__ import annotations

# By the version's name: the sentences in which it differs from the newest one, each by its template
# and the number of the wording.
FORMER_WORDINGS: dict[str, dict[tuple[str, int], str]] = {
    "BarChart-v0": {
        ("difference", 1): "What is the {a} bar minus the {b} bar?",
        ("difference", 2): "By how much does {a} exceed {b}?",
        ("sum", 1): "What is the total of {a} and {b}?",
        ("sum", 2): "How much are {a} and {b} together?",
    },
    "LineChart-v1": {
        (
            "rise",
            1,
        ): "By how much does the {line} line rise where it rises most between neighboring points?",
    },
    "PieChart-v1": {
        ("combined", 0): "What percent of the pie are {a} and {b} together?",
    },
    "Pictograph-v0": {
        ("value", 0): "How many does the {a} row stand for?",
        ("difference", 1): "What is the {a} row worth more than the {b} row?",
        ("sum", 0): "How many do the {a} row and the {b} row stand for together?",
    },
    "Dice-v0": {
        ("difference", 0): "How many more pips has the {a} die than the {b} die?",
        ("difference", 1): "What is the {a} die minus the {b} die?",
        ("product", 0): "What is the {a} die times the {b} die?",
        ("product", 1): "Multiply the {a} die by the {b} die.",
        ("product", 2): "What is the product of the {a} die and the {b} die?",
        ("hidden", 0): "What do the faces under the {a} die and the {b} die add up to?",
        (
            "hidden",
            1,
        ): "How many pips are on the hidden bottoms of the {a} die and the {b} die together?",
    },
    "Shapes-v0": {
        ("perimeter", 1): "How long is the way around the {color} {kind}?",
        ("perimeter", 2): "The sides of the {color} {kind} add up to what?",
        ("angle", 1): "How many degrees has the angle marked x in the {color} triangle?",
    },
    "Ruler-v0": {
        ("total", 2): "What is the length of {a} and {b} in all, in {unit}?",
    },
    "Table-v1": {
        ("row total", 0): "What is the total of {a}?",
        ("row total", 2): "How many does {a} have over all days together?",
        ("column total", 0): "What is the total of {a}?",
        ("difference", 1): "By how much does {a} exceed {b} on {day}?",
        ("difference", 2): "On {day}, what is {a} minus {b}?",
    },
    "Coins-v0": {
        (
            "change",
            1,
        ): "How much of the round coins' value is left after paying the price on the tag?",
        (
            "change",
            2,
        ): "All the round coins are handed over for the price on the tag. What comes back?",
        ("afford", 2): "Is the value of the round coins as high as the price on the tag?",
        ("missing", 0): "How much more than the round coins is needed to pay the price on the tag?",
        ("missing", 1): "How much is missing if the round coins are to pay the price on the tag?",
    },
    "IconArithmetic-v0": {
        ("value", 1): "Each shape is a number. How much is the {a}?",
        ("value", 2): "Every shape hides a number. Find the number of the {a}.",
        ("evaluate", 1): "Each shape is a number. Which number replaces the question mark?",
        ("evaluate", 2): "Every shape hides a number. Work out the question mark.",
    },
    "NumberPattern-v1": {
        ("opposite", 2): "Every two opposite circles have the same sum. What number is hidden?",
        (
            "rows",
            2,
        ): "Left and middle give right, by the same rule in all rows. What number is hidden?",
    },
    "ShapeMatrix-v1": {
        ("both", 1): "What is missing, if all rows follow the same rule? Say color and shape.",
    },
    "Venn-v0": {
        ("only", 1): "How many are in {a} only?",
        ("both", 0): "How many are in {a} and also in {b}?",
        ("both", 2): "What is the number of those in the {a} and in the {b} circle at once?",
        ("union", 0): "How many are in {a} or {b} or both?",
        ("once", 2): "What is the number of those that are in just one of the circles?",
        ("twice", 2): "What is the number of those that are in just two of the circles?",
        (
            "missing",
            2,
        ): "If the {a} circle holds as many as the tag says, what is the question mark?",
    },
}
