"""Fill in the HTML templates of this package; all pages share one style."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)


def page(template: str, **values: Any) -> str:
    """The page that a template gives; a missing value is an error."""
    return TEMPLATES.get_template(template).render(**values)
