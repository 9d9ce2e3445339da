"""Pages of one look: a template of this folder, filled in."""

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
    """The page of a template; a value that it lacks is an error."""
    return TEMPLATES.get_template(template).render(**values)
