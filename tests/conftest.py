"""Options of the tests, and what a process that runs them needs: models come with its fixtures."""

from __future__ import annotations

import gc
import random
from pathlib import Path

import pytest

# As the command does: imports make half a million objects that stay, among which there is no
# garbage to look for.
gc.set_threshold(100_000, 20, 20)


def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures, except where others run the tests and this process hands them out."""
    if hasattr(config, "workerinput") or config.getoption("dist", "no") == "no":
        config.pluginmanager.import_plugin("model_fixtures")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shuffle",
        type=int,
        metavar="SEED",
        help="run the files, and the tests of each, in an order drawn from this seed",
    )
    parser.addoption(
        "--rounding",
        type=int,
        metavar="SEED",
        help="add up what linear layers add up in an order drawn from this seed, so that float32 "
        "rounds otherwise, as it does on another processor",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seed = config.getoption("--shuffle")
    if seed is not None:
        files: dict[Path, list[pytest.Item]] = {}
        for item in items:
            files.setdefault(item.path, []).append(item)
        order, chance = list(files.values()), random.Random(seed)
        chance.shuffle(order)
        for tests in order:
            chance.shuffle(tests)
        items[:] = [item for tests in order for item in tests]
    else:
        # The last files of tests/envs are short, so that no worker waits long for another's last.
        items.sort(key=lambda item: item.path.parent.name == "envs")


def pytest_collection_finish() -> None:
    pass_over_what_is_there()


@pytest.fixture(scope="module", autouse=True)
def _what_earlier_files_left() -> None:
    """Modules and caches; what a file itself makes is looked through, and goes when it is over."""
    pass_over_what_is_there()


def pass_over_what_is_there() -> None:
    """Let the collector of garbage pass over it from now on; trainers call it in every round."""
    gc.collect()
    gc.freeze()
