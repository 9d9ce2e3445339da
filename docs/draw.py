"""Draw the images of README and docs: ``python docs/draw.py`` writes them to docs/images.

The problems are drawn by their families, the curve from the stored rows of the study `default`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from mstar.envs import FAMILIES
from mstar.experiments.packed_rows import PACKED, unpack
from mstar.experiments.plots import BLUE, GRAY, ORANGE, present, problems_seen, svg

IMAGES = Path(__file__).parent / "images"
ROWS = Path(__file__).parents[1] / "experiments" / "results" / "default" / PACKED

# Family, level and index of the problems in the strip.
PROBLEMS = (
    ("BarChart", 1, 0),
    ("LineChart", 2, 0),
    ("Shapes", 2, 1),
    ("Clock", 2, 1),
    ("FunctionGraph", 1, 2),
    ("GridPath", 1, 5),
)
SIDE, GAP, LINE = 250, 20, 26  # pixels of an image, between two, and of a line of text
STEPS = (  # of a round, clockwise from the upper left
    ("1 sample", "several responses", "to each new problem"),
    ("2 judge", "every reward model", "scores every response"),
    ("3 select", "the best few of the", "right ones per problem"),
    ("4 fine-tune", "the policy on", "what was selected"),
    ("5 evaluate", "on validation problems,", "and check for alarms"),
    ("6 adjust", "temperature and", "selection threshold"),
)
BOX, HIGH, ACROSS, DOWN = 212, 84, 290, 160  # a box of the loop, and from one to the next


def problems() -> Image.Image:
    """The strip of problems: image, question and answer of each."""
    font = ImageFont.load_default(size=20)
    columns = len(PROBLEMS)
    strip = Image.new("RGB", (columns * (SIDE + GAP) + GAP, SIDE + 2 * GAP + 5 * LINE), "white")
    draw = ImageDraw.Draw(strip)
    for column, (family, level, index) in enumerate(PROBLEMS):
        problem = FAMILIES[family](level).problem("train", 0, index)
        left = GAP + column * (SIDE + GAP)
        strip.paste(problem.images[0].render(SIDE), (left, GAP))
        draw.rectangle((left, GAP, left + SIDE, GAP + SIDE), outline="#c8ccd2")
        assert problem.answer is not None
        lines = [*wrapped(problem.question, font), f"Answer: {problem.answer.value}"]
        for place, line in enumerate(lines):
            bold = int(place == len(lines) - 1)
            where = (left, GAP + SIDE + 8 + place * LINE)
            draw.text(where, line, "#1f2328", font, stroke_width=0.4 * bold)
    return strip.quantize(64, dither=Image.Dither.NONE)


def wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """The text in lines that are as wide as an image at most."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= SIDE:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def curve() -> str:
    """Accuracy of `make demo` on validation problems by round, over the seeds that are stored."""
    files = unpack(ROWS)
    runs = [rows for name, rows in files.items() if name.startswith("default/seed-")]
    runs = [rows for rows in runs if "dynamics" in rows[0]]
    seen = problems_seen(runs[0])
    k = runs[0][0]["dynamics"]["samples"]
    lines = {
        f"pass@{k}": ([[present(row)["pass_k"] for row in run] for run in runs], GRAY),
        "greedy": ([[row["dynamics"]["greedy"] for row in run] for run in runs], BLUE),
        "pass@1": ([[present(row)["pass_1"] for row in run] for run in runs], ORANGE),
    }
    figure = Figure(figsize=(6.4, 3.0), layout="constrained")
    axes = figure.subplots()
    for name, (values, color) in lines.items():
        by_seed = 100 * np.array(values)
        axes.plot(seen, by_seed.mean(axis=0), color=color, marker="o", markersize=4, label=name)
        axes.fill_between(seen, by_seed.min(axis=0), by_seed.max(axis=0), color=color, alpha=0.15)
    axes.set_ylim(0, 100)
    axes.set_xlabel("training problems seen")
    axes.set_ylabel("right on validation problems, %")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e6eb", linewidth=0.8)
    axes.legend(frameon=False, loc="lower right")
    return svg(figure)


def loop() -> str:
    """One round of self-evolving training as SVG, readable on light and dark pages."""
    width, height = 2 * ACROSS + BOX + 40, DOWN + HIGH + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" text-anchor="middle">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
        f'<rect width="{width}" height="{height}" rx="8" fill="#fff"/>',
    ]
    corners = [(20 + ACROSS * min(i, 5 - i), 20 + DOWN * (i // 3)) for i in range(6)]
    for i, (title, *lines) in enumerate(STEPS):
        left, top = corners[i]
        middle = left + BOX / 2
        parts.append(
            f'<rect x="{left}" y="{top}" width="{BOX}" height="{HIGH}" rx="8" fill="#eef3fa" '
            f'stroke="#2f6fb5"/><text x="{middle:g}" y="{top + 25}" font-size="17" '
            f'font-weight="bold" fill="#1c4a80">{title}</text>'
        )
        parts += [
            f'<text x="{middle:g}" y="{top + 48 + 19 * line}" font-size="14" fill="#222">{text}'
            "</text>"
            for line, text in enumerate(lines)
        ]
        parts.append(arrow(corners[i], corners[(i + 1) % 6]))
    middle = 20 + DOWN - (DOWN - HIGH) / 2
    parts.append(
        f'<text x="{width / 2:g}" y="{middle + 5:g}" font-size="14" fill="#555">one round; the '
        "next one samples with the new policy and the new settings</text></svg>"
    )
    return "\n".join(parts) + "\n"


def arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    """An arrow from one box of the loop to the next, by their upper left corners."""
    (x, y), (to_x, to_y) = start, end
    if x == to_x:
        down = to_y > y
        line = (x + BOX / 2, y + HIGH * down, to_x + BOX / 2, to_y + HIGH * (not down))
    else:
        right = to_x > x
        line = (x + BOX * right, y + HIGH / 2, to_x + BOX * (not right), to_y + HIGH / 2)
    x1, y1, x2, y2 = line
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="#555" stroke-width="1.5" '
        'marker-end="url(#head)"/>'
    )


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    problems().save(IMAGES / "problems.png", optimize=True)
    (IMAGES / "demo.svg").write_text(curve(), encoding="utf-8")
    (IMAGES / "loop.svg").write_text(loop(), encoding="utf-8")
