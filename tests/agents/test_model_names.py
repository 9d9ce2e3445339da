"""A name that stands for no model is told at once, with the nearest folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from mstar.agents import model_names
from mstar.agents.model_names import check_model


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run and a model in the working folder; no hub may be asked."""
    monkeypatch.chdir(tmp_path)
    for name, file in (("runs/mine", "recipe.json"), ("tiny", "config.json"), ("data", "a.txt")):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / file).write_text("{}")
    monkeypatch.setattr(model_names, "hub_answers", lambda: pytest.fail("the hub was asked"))
    return tmp_path


def test_folders_of_models_and_runs_are_taken(folders: Path) -> None:
    for name in ("embedded", "tiny", "./tiny", "runs/mine", str(folders / "tiny")):
        check_model(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("./tniy", "check the path"),
        ("~/tiny", "check the path"),
        ("runs/mine/checkpoints/best", "check the path"),
        ("data", "holds none of config.json"),
        ("runs//mien", "did you mean 'runs/mine'?"),
    ],
)
def test_what_cannot_be_a_name_on_the_hub_is_not_asked_there(
    folders: Path, name: str, hint: str
) -> None:
    with pytest.raises(FileNotFoundError) as failed:
        check_model(name)
    assert hint in str(failed.value)


def test_a_name_on_the_hub_needs_its_answer_or_its_files_in_the_cache(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_names, "hub_answers", lambda: True)
    check_model("Qwen/Qwen2.5-VL-3B-Instruct")  # whether there is such a model, the library says
    monkeypatch.setattr(model_names, "hub_answers", lambda: False)
    with pytest.raises(FileNotFoundError, match=r"did you mean 'runs/mine'.*the network"):
        check_model("runs/mien")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: "/cache/config.json")
    check_model("runs/mien")
