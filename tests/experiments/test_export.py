"""What a run hands over: a folder for stock transformers, its card, and an answer to a question."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from rich.console import Console
from safetensors import safe_open
from tiny_runs import TINY, noise
from transformers import AutoModelForImageTextToText, AutoProcessor

from mstar.agents.policy.policy import Policy
from mstar.envs.problem import Prompt
from mstar.experiments.cli.main import main
from mstar.experiments.run import export
from mstar.experiments.run import train as training
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.run.train import load_policy


@pytest.fixture(scope="module")
def run(model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that trained LoRA factors for two rounds."""
    out = tmp_path_factory.mktemp("runs") / "handed"
    recipe = TINY.replace(model=model, lora_rank=2, rounds=2, learning_rate=0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "write_report", lambda *_: None)
        training.train(recipe, out, Console(quiet=True))
    return out


def keys(folder: Path) -> set[str]:
    with safe_open(folder / "model.safetensors", "pt") as weights:
        return set(weights.keys())


def logits(model: Any, processor: Any) -> torch.Tensor:
    inputs = Policy(model, processor).encode([Prompt("what is it?", (noise(0),), "p")])
    with torch.no_grad():
        found: torch.Tensor = model(**inputs).logits
    return found


def test_a_merged_folder_is_the_policy_for_stock_transformers(
    run: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "merged"
    assert main(["export", str(run), "--merge", "--out", str(out)]) == 0
    assert "after round 2" in capsys.readouterr().out
    assert keys(out) == keys(Path(model))  # the names that vLLM looks for too
    assert not list(out.glob("adapter*"))
    stock = AutoModelForImageTextToText.from_pretrained(out)
    processor = AutoProcessor.from_pretrained(out, padding_side="left")
    folder = RunFolder(run)
    trained = load_policy(folder.recipe(), folder.checkpoint(2), device="cpu")
    base = load_policy(folder.recipe(), device="cpu")
    found = logits(stock, processor)
    assert torch.allclose(found, logits(trained.model, trained.processor), atol=1e-4)
    assert not torch.allclose(found, logits(base.model, base.processor), atol=1e-2)


def test_without_merge_the_adapter_names_its_base(run: Path, model: str, tmp_path: Path) -> None:
    out = tmp_path / "adapter"
    assert main(["export", str(run), "--round", "1", "--out", str(out)]) == 0
    described = json.loads((out / "adapter_config.json").read_text())
    assert described["base_model_name_or_path"] == model
    assert not (out / "model.safetensors").exists()
    stock = AutoModelForImageTextToText.from_pretrained(out)  # as the card says
    assert any("lora" in name for name, _ in stock.named_parameters())
    assert "LoRA factors" in (out / "README.md").read_text()
    assert "not of round 1" in (out / "README.md").read_text()


def test_the_card_says_what_the_run_stored(run: Path, model: str) -> None:
    folder = RunFolder(run)
    card = export.model_card(folder, 2, adapter=False)
    _, front, text = card.split("---\n", 2)
    assert yaml.safe_load(front)["pipeline_tag"] == "image-text-to-text"
    assert "license" not in yaml.safe_load(front)  # nobody knows it
    last = folder.rounds()[-1]
    assert f"{last['cost']['tokens']:,} generated tokens" in text
    assert "| trained | greedy |" in text
    assert f"| 2 | {100 * last['dynamics']['greedy']:.1f} |" in text
    assert "8 problems were asked" in text
    settings = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert settings["lora_rank"] == 2
    assert settings["model"] == Path(model).name  # a path of this machine is nobody's business
    assert str(Path(model).parent) not in card


def test_the_licence_is_that_of_the_base(tmp_path: Path) -> None:
    assert export.base_licence("embedded") == "apache-2.0"
    (tmp_path / "README.md").write_text("---\nlicense: mit\ntags: []\n---\n# A model\n")
    assert export.base_licence(str(tmp_path)) == "mit"
    (tmp_path / "README.md").write_text("# A model\n---\nlicense: mit\n")
    assert export.base_licence(str(tmp_path)) is None
    assert export.base_licence("nobody/no-such-model") is None


def test_nothing_is_uploaded_unless_it_is_asked_for(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[Any, ...]] = []

    class Hub:
        def create_repo(self, name: str, private: bool, exist_ok: bool) -> Any:
            calls.append(("create", name, private))
            raise ConnectionError("no network")

    monkeypatch.setattr(export, "HfApi", Hub)
    assert main(["export", str(run), "--out", str(tmp_path / "kept")]) == 0
    assert calls == []
    assert main(["export", str(run), "--out", str(tmp_path / "sent"), "--push", "me/it"]) == 1
    assert calls == [("create", "me/it", True)]
    assert "sent is written, but me/it could not be uploaded: no network" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--round", "7"], "has no round '7'"),
        (["--round", "0"], "still the base"),
        (["--round", "newest"], "give last, best, or 0 to 2"),
    ],
)
def test_a_round_that_cannot_be_exported_is_one_message(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    assert main(["export", str(run), "--out", str(tmp_path / "out"), *words]) == 1
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_with_files_is_left_alone(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").touch()
    assert main(["export", str(run), "--out", str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_chat_answers_a_question_about_images_and_is_asked_like_training(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 40)).save(path)
    words = ["chat", str(run), str(path), str(path), "What is it?", "--max-new-tokens", "4"]
    said = []
    for more in ([], [], ["--temperature", "1", "--seed", "1"]):
        assert main([*words, *more]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != said[2]
    asked: list[Prompt] = []
    encode = Policy.encode

    def noted(policy: Policy, prompts: Sequence[Prompt]) -> Any:
        asked.extend(prompts)
        return encode(policy, prompts)

    monkeypatch.setattr(Policy, "encode", noted)
    (tmp_path / "how.txt").write_text("In one word.")
    given = ["--instruction", f"@{tmp_path / 'how.txt'}", "--system", "Be brief."]
    for more in ([], given, ["--instruction", "none"]):
        assert main([*words, *more]) == 0
    own = RunFolder(run).recipe().data.instruction_text
    assert [prompt.text for prompt in asked] == [
        f"What is it?\n{own}",
        "What is it?\nIn one word.",
        "What is it?",
    ]
    assert [prompt.system for prompt in asked] == ["", "Be brief.", ""]
    capsys.readouterr()
    assert main(["chat", str(run), "What is it?"]) == 1
    assert "an image and a question" in capsys.readouterr().err
    assert main(["chat", str(run), str(tmp_path / "none.png"), "What is it?"]) == 1
    assert "no such file" in capsys.readouterr().err
