"""Families of other packages: by an entry point, by a plain import, and by module:NAME."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from mstar.envs import FAMILIES, Family, open_source, register_family
from mstar.envs.families.bar_chart import BarChart
from mstar.envs.source import find_problem

LAMPS = '''
from mstar.envs import register_family
from mstar.envs.families import COLORS, Drawing, Family, Solution, perceive


class Lamps(Family):
    """How many lamps are lit?"""

    name, topic = "Lamps", "counting"
    wordings = {"count": ("How many lamps are orange?", "Count the orange lamps.")}

    def latent(self, rng):
        return {"lit": [bool(d < 0.5) for d in rng.random(9)], "ask": {"template": "count"}}

    def vary(self, latent, rng):
        return self.latent(rng)

    def solve(self, latent, style):
        count = sum(latent["lit"])
        return Solution.number([perceive(f"{count} are orange", count)], type="count")

    def draw(self, latent, style):
        drawing = Drawing(style.background)
        for place, lit in enumerate(latent["lit"]):
            color = COLORS["orange" if lit else "gray"]
            drawing.ellipse(((place + 0.5) / 9, 0.5), 0.04, fill=color)
        return drawing
'''
REGISTERED = LAMPS + "\n\nregister_family(Lamps)\n"
SHOW = """
import json, gymnasium, mstar.envs
shown = []
for name in ("Lamps", "Torches"):
    env = gymnasium.make(f"mstar/{name}-v0", level=2)
    _, info = env.reset(seed=3)
    shown.append([info["problem_id"], env.step(env.unwrapped.problem.solution)[1]])
print(json.dumps([shown, len(mstar.envs.FAMILIES)]))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for a user's modules; what they register is removed afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    families, ids, modules = set(FAMILIES), set(gymnasium.registry), set(sys.modules)
    yield tmp_path
    for name in set(FAMILIES) - families:
        del FAMILIES[name]
    for name in set(gymnasium.registry) - ids:
        del gymnasium.registry[name]
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def install(folder: Path, name: str, value: str, text: str) -> None:
    """Install a distribution with one module, and an entry point that has this value."""
    (folder / f"{value.partition(':')[0]}.py").write_text(text)
    described = folder / f"{name}-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(f"[mstar.envs]\n{name} = {value}\n")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A process that finds three installed packages, the last of which fails to load."""
    folder = tmp_path_factory.mktemp("installed")
    install(folder, "lamps", "lamps_of_mine:Lamps", LAMPS)
    install(folder, "torches", "torches_of_mine", REGISTERED.replace("Lamps", "Torches"))
    install(folder, "sparks", "sparks_of_mine:Sparks", "raise OSError('no such spark')")
    code = f"import sys; sys.path.append({str(folder)!r})\n{SHOW}"
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", code], check=False, capture_output=True, text=True
    )


def test_families_of_installed_packages_are_registered(
    process: subprocess.CompletedProcess[str],
) -> None:
    assert process.returncode == 0
    shown, _ = json.loads(process.stdout)
    assert shown == [["Lamps-v0/train/L2/3/0", 1.0], ["Torches-v0/train/L2/3/0", 1.0]]
    assert "lamps" not in process.stderr
    assert "torches" not in process.stderr


def test_a_package_that_fails_to_load_is_named_and_disables_nothing_else(
    process: subprocess.CompletedProcess[str],
) -> None:
    _, families = json.loads(process.stdout)
    assert families == len(FAMILIES) + 2
    for words in ("'sparks_of_mine:Sparks'", "distribution 'sparks'", "OSError: no such spark"):
        assert words in process.stderr
    assert process.stderr.count("UserWarning") + process.stderr.count("RuntimeWarning") == 1


def test_a_family_is_opened_by_the_name_of_its_module(folder: Path) -> None:
    (folder / "lamps_of_mine.py").write_text(REGISTERED)
    source = open_source("lamps_of_mine:Lamps", level=3)
    problem = source.problem("test", 1, 4)
    assert problem.id == "Lamps-v0/test/L3/1/4"
    assert find_problem(source, "train", problem.id).latent == problem.latent
    assert open_source("mstar/Lamps-v0").problem("test", 1, 4).id == "Lamps-v0/test/L1/1/4"
    envs = gymnasium.make_vec("mstar/Lamps-v0", 4, group_size=2)
    assert envs.reset(seed=1)[1]["family"].tolist() == ["Lamps"] * 4
    processes = gymnasium.make_vec(
        "mstar/Lamps-v0", 1, vectorization_mode="async", vector_kwargs={"context": "spawn"}
    )
    assert processes.reset(seed=1)[1]["problem_id"].tolist() == ["Lamps-v0/train/L1/1/0"]
    processes.close()
    with pytest.raises(ValueError, match="there is no module 'lamps_of_yours'"):
        open_source("lamps_of_yours:Torches")


@pytest.mark.parametrize(
    ("family", "error", "words"),
    [
        ("Lamps", TypeError, "must be a subclass of Family"),
        (type("Half", (Family,), {"name": "Half"}), TypeError, "with latent, vary, solve and draw"),
        (type("Other", (BarChart,), {"name": "bars"}), ValueError, "a name in CamelCase"),
        (type("Other", (BarChart,), {}), ValueError, "name 'BarChart' is already taken"),
    ],
)
def test_invalid_families_are_refused(family: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        register_family(family)
