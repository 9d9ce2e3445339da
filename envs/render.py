"""The render modes: a card, or text, with a problem, a response and its scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mstar.envs.canvas import Pixels, on_canvas
from mstar.envs.problem import Problem

WIDTH, HEIGHT = 960, 480  # pixels; multiples of 16, which video codecs require
MARGIN, TEXT = 24, 18  # pixels
IMAGE = HEIGHT - 2 * MARGIN
LEFT = IMAGE + 2 * MARGIN  # of the text
BARS = 6  # scores that the card has room for
PAPER, INK, PALE = (250, 250, 248), (30, 30, 34), (120, 120, 126)
RIGHT, WRONG, EMPTY = (46, 139, 87), (200, 60, 50), (226, 226, 222)

StepResult = tuple[float, Mapping[str, Any]]  # reward, and info with "rewards" and "valid"


def render_card(problem: Problem, response: str, result: StepResult | None) -> Pixels:
    """A card as (480, 960, 3) uint8: image left; question, response and score bars right.

    Args:
        problem: the current problem.
        response: "" before the step.
        result: reward and info of the step; None before it.
    """
    card = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    images = [image.render(IMAGE) for image in problem.images]
    card.paste(Image.fromarray(on_canvas(images, IMAGE)), (MARGIN, MARGIN))
    draw = ImageDraw.Draw(card)
    draw.rectangle((MARGIN - 1, MARGIN - 1, MARGIN + IMAGE, MARGIN + IMAGE), outline=EMPTY)
    bars = 0 if result is None else min(BARS, len(result[1]["rewards"])) + 1
    bottom = HEIGHT - MARGIN - bars * (TEXT + 8)
    y = _write(draw, MARGIN, problem.id, 13, PALE, lines=1)
    y = _write(draw, y + 4, problem.question, TEXT, INK, lines=5)
    room = (bottom - y - 20) // (TEXT + 5)
    _write(draw, y + 10, response, TEXT - 2, (60, 70, 110), lines=max(1, room))
    if result is not None:
        _bars(draw, bottom, result)
    return np.array(card, dtype=np.uint8)


def render_text(problem: Problem, response: str, result: StepResult | None) -> str:
    """The same as text, one score per line."""
    lines = [problem.id, problem.question, "", response]
    if result is not None:
        reward, info = result
        lines.append("")
        for name, score in info["rewards"].items():
            lines.append(f"{name:<20} {score:.3f}" if info["valid"][name] else f"{name:<20} none")
        lines.append(f"{'reward':<20} {reward:.3f}" if info["reward_valid"] else "no reward")
    return "\n".join(lines)


def _bars(draw: ImageDraw.ImageDraw, y: int, result: StepResult) -> None:
    reward, info = result
    rows = [(n, s if info["valid"][n] else None) for n, s in info["rewards"].items()][:BARS]
    rows.append(("reward", reward if info["reward_valid"] else None))
    start, end, font = LEFT + 170, WIDTH - MARGIN - 60, _font(TEXT - 3)
    for name, score in rows:
        shown = 0.0 if score is None else min(1.0, max(0.0, score))
        draw.text((LEFT, y), name, fill=INK, font=font)
        draw.rectangle((start, y + 3, end, y + TEXT - 1), fill=EMPTY)
        color = tuple(round(w + (r - w) * shown) for r, w in zip(RIGHT, WRONG, strict=True))
        if shown:
            draw.rectangle((start, y + 3, start + (end - start) * shown, y + TEXT - 1), fill=color)
        label = "none" if score is None else f"{score:.2f}"
        draw.text((end + 10, y), label, fill=PALE if score is None else INK, font=font)
        y += TEXT + 8


def _write(
    draw: ImageDraw.ImageDraw,
    y: int,
    text: str,
    pixels: int,
    color: tuple[int, int, int],
    lines: int,
) -> int:
    """Write wrapped text of at most `lines` lines, with an ellipsis if cut; returns the y below."""
    font = _font(pixels)
    wrapped = list(_wrapped(text[:4000], font, lines + 1))
    if len(wrapped) > lines:
        wrapped = [*wrapped[: lines - 1], wrapped[lines - 1][:-1] + "..."]
    for line in wrapped:
        draw.text((LEFT, y), line, fill=color, font=font)
        y += pixels + 5
    return y


def _wrapped(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, most: int
) -> Iterator[str]:
    """At most `most` lines that fit the width; a word that is wider than a line is broken."""
    width, made = WIDTH - MARGIN - LEFT, 0
    for paragraph in text.splitlines():
        rest = paragraph.strip()
        while rest and made < most:
            end = min(len(rest), width // 2)  # no letter is narrower than 2 pixels
            while font.getlength(rest[:end]) > width:
                blank = rest.rfind(" ", 0, end)
                end = blank if blank > 0 else min(end - 1, max(1, end * 9 // 10))
            yield rest[:end]
            rest, made = rest[end:].strip(), made + 1


def _font(pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=pixels)
