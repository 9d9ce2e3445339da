"""The map for the rows of a data set: given, of a published form, or guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mstar.envs.datasets.column_names import guess
from mstar.envs.datasets.field_map import FieldMap, override, require_fields
from mstar.envs.datasets.published import SCHEMAS


def choose_fields(
    given: str | Mapping[str, Any] | None, columns: Sequence[str], where: str
) -> FieldMap:
    """The map for rows with these columns: what is given, a published form, or a guess.

    Args:
        given: name of a schema; a map by the names of ``FieldMap``, which may name a "schema"
            to start from; or None.
        columns: that the rows have.
        where: what messages call the rows.

    Raises:
        ValueError: an unknown schema, a mapped column that is not there, or one that is needed
            and can't be told.
    """
    wanted = {"schema": given} if isinstance(given, str) else dict(given or {})
    name = wanted.pop("schema", None)
    if name is not None and name not in SCHEMAS:
        raise ValueError(f"no schema {name!r}; known: {', '.join(SCHEMAS)}")
    if name is None:
        there = set(columns)
        known = (n for n, schema in SCHEMAS.items() if schema.columns and schema.columns <= there)
        name = next(known, None)
    if name is not None:
        base = SCHEMAS[name].fields
        base = replace(base, answer_form="auto") if "answer" in wanted else base
    else:
        base = guess([c for c in columns if c not in wanted.values()])
    chosen = override(base, wanted, columns)
    require_fields(chosen, columns, where)
    return chosen
