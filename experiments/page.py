"""Fill in the HTML templates of this package; all pages share one style."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)


def with_code(text: str) -> Markup:
    """Text of ours as HTML, in which what stands between backticks is code.

    >>> with_code("Is `a < b`?")
    Markup('Is <code>a &lt; b</code>?')
    """
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)))


TEMPLATES.filters["code"] = with_code


def page(template: str, **values: Any) -> str:
    """The page that a template gives; a missing value is an error."""
    return TEMPLATES.get_template(template).render(**values)
