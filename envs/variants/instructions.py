"""Instructions that follow the question in a prompt: several styles, several languages."""

from __future__ import annotations

from typing import Literal, get_args

from mstar.rewards.models.format import ResponseForm

InstructionStyle = Literal["steps", "brief", "none", "boxed", "polite"]
STYLES: tuple[InstructionStyle, ...] = get_args(InstructionStyle)

# A new language is an entry with every style. "Answer:" is the same in all languages because the
# verifier looks for it.
INSTRUCTIONS: dict[str, dict[InstructionStyle, str]] = {
    "en": {
        "steps": 'Reason step by step. End with a line "Answer: ..."',
        "brief": 'Reply with one line only: "Answer: ..."',
        "none": "",
        "boxed": r"Reason step by step, and put your final answer within \boxed{}.",
        "polite": (
            "Could you please explain how you get there, and then finish with a line that says "
            '"Answer: ..."? Thank you!'
        ),
    },
    "de": {
        "steps": 'Denke Schritt für Schritt nach. Schließe mit einer Zeile "Answer: ..."',
        "brief": 'Antworte nur mit einer einzigen Zeile: "Answer: ..."',
        "none": "",
        "boxed": r"Denke Schritt für Schritt nach und schreibe das Endergebnis in \boxed{}.",
        "polite": (
            "Könntest du bitte erklären, wie du darauf kommst, und dann mit einer Zeile "
            '"Answer: ..." schließen? Vielen Dank!'
        ),
    },
    "fr": {
        "steps": "Raisonne étape par étape. Termine par une ligne « Answer: ... »",
        "brief": "Réponds par une seule ligne : « Answer: ... »",
        "none": "",
        "boxed": r"Raisonne étape par étape et écris la réponse finale dans \boxed{}.",
        "polite": (
            "Pourrais-tu expliquer comment tu y arrives, puis terminer par une ligne "
            "« Answer: ... », s'il te plaît ? Merci !"
        ),
    },
}

# What asks for each form of response; the reward model ``format`` checks for it.
FORM_INSTRUCTIONS: dict[ResponseForm, str] = {
    "answer": INSTRUCTIONS["en"]["steps"],
    "boxed": INSTRUCTIONS["en"]["boxed"],
    "tags": "Reason step by step, and put your final answer within <answer> </answer>.",
    "thinking": (
        "First reason step by step within <think> </think>, then give your final answer within "
        "<answer> </answer>."
    ),
}


def instruction(style: InstructionStyle, language: str = "en") -> str:
    """The instruction of a style in a language; "" for ``none``.

    >>> instruction("brief")
    'Reply with one line only: "Answer: ..."'

    Raises:
        ValueError: an unknown style or language.
    """
    if language not in INSTRUCTIONS:
        known = ", ".join(INSTRUCTIONS)
        raise ValueError(f"no instructions in language {language!r}; known languages: {known}")
    if style not in STYLES:
        raise ValueError(f"no instruction style {style!r}; known styles: {', '.join(STYLES)}")
    return INSTRUCTIONS[language][style]
