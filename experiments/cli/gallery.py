"""Example problems of all families: a sheet of images each, and one page with solutions."""

from __future__ import annotations

from html import escape
from inspect import getdoc
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from mstar.envs.families.base import LEVELS, Family
from mstar.envs.problem import Problem

GAP, LINE, LINES = 8, 13, 5  # pixels, pixels, and the most lines of a caption
NARROWEST = 216  # pixels; the least width of a column, so that its caption fits
COLUMNS = 3


def sheet(family: type[Family], size: int) -> Image.Image:
    """Three problems of each level of a family, drawn `size` pixels square."""
    width, height = max(size, NARROWEST) + GAP, size + LINES * LINE + GAP
    page = Image.new("RGB", (COLUMNS * width + GAP, len(LEVELS) * height + GAP), "white")
    draw = ImageDraw.Draw(page)
    for row, level in enumerate(LEVELS):
        for column in range(COLUMNS):
            problem = family(level).problem("train", 0, column)
            left, top = GAP + column * width, GAP + row * height
            page.paste(problem.images[0].render(size), (left, top))
            caption = "\n".join(_wrapped(f"L{level}: {_caption(problem)}", width - GAP))
            draw.text((left, top + size), caption, fill="black", font=_font(), spacing=1)
    return page


def write_gallery(families: dict[str, type[Family]], out: Path, size: int) -> list[Path]:
    """Write one sheet per family to a folder; returns the files in the order of the families."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{name}.png" for name in families]
    for path, family in zip(paths, families.values(), strict=True):
        sheet(family, size).save(path)
    return paths


def write_page(families: dict[str, type[Family]], out: Path, size: int) -> Path:
    """Write ``gallery.md`` to a folder: one problem of each level, with a worked solution.

    Its images stand in ``gallery/`` beside it.
    """
    images = out / "gallery"
    images.mkdir(parents=True, exist_ok=True)
    parts = [
        "# Gallery",
        f"The first training problem of each of the {len(families)} families at each level. The "
        "worked solutions are exact; agents do not see them, unless worked examples are asked for.",
    ]
    for name, family in families.items():
        parts += [f"## {name}", f"{getdoc(family)}".partition("\n\n")[0]]
        for level in LEVELS:
            problem = family(level).problem("train", 0, 0)
            image = images / f"{name}-{level}.png"
            problem.images[0].render(size).save(image)
            parts += [
                f"**Level {level}**",
                f"![The image of {name} at level {level}](gallery/{image.name})",
                escape(problem.question),
                f"```text\n{problem.solution}\n```",
            ]
    page = out / "gallery.md"
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return page


def _caption(problem: Problem) -> str:
    answer = problem.answer.value if problem.answer else "none"
    return f"{problem.question} Answer: {answer}"


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` pixels, broken between words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _font().getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines[:LINES]


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=11)
