"""Stored studies: their tables come from their rows, and the README's from those tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from mstar.experiments.study_page import TABLES, missing, write_page
from mstar.experiments.study_plan import PLAN, saved_plan
from mstar.experiments.study_rows import StudyRows, load

ROOT = Path(__file__).parent.parent
STORED = sorted(path.parent for path in (ROOT / "experiments" / "results").glob(f"*/{PLAN}"))


def stored(folder: Path) -> StudyRows:
    plan = saved_plan(folder, folder.name)
    assert plan is not None
    return load(plan, folder)


def table_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_the_studies_that_the_readme_speaks_of_are_stored() -> None:
    assert {"method-interval", "online", "selection"} <= {folder.name for folder in STORED}


@pytest.mark.parametrize("folder", STORED, ids=lambda folder: folder.name)
def test_the_tables_of_a_stored_study_are_what_its_rows_give(folder: Path, tmp_path: Path) -> None:
    rows = stored(folder)
    write_page(rows, tmp_path)
    written = (folder / TABLES).read_text()
    assert table_lines((tmp_path / TABLES).read_text()) == table_lines(written)
    for absent in missing(rows):
        assert absent in written, f"{absent} is missing, and the tables do not say so"


def test_every_row_of_a_study_in_the_readme_stands_in_its_tables() -> None:
    text = (ROOT / "README.md").read_text()
    told = [line for line in table_lines(text) if line.count("|") == 8 and "[" in line]
    there = {line for folder in STORED for line in table_lines((folder / TABLES).read_text())}
    shown = [line for line in told if line.split("|")[2].strip() in ("greedy", "pass@1", "pass@k")]
    studied = [line for line in shown if not line.startswith(("| trained |", "| not trained |"))]
    assert studied
    assert not [line for line in studied if line not in there]
