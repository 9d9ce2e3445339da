"""A run's policy as a folder that stock ``from_pretrained`` takes, with a model card."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import HfApi, metadata_load, try_to_load_from_cache
from peft import PeftModel

from mstar.agents.config import Recipe
from mstar.agents.policy.embedded import EMBEDDED
from mstar.agents.settings import MIXTURE
from mstar.agents.types import Cost
from mstar.experiments.evaluation.compare import gain_table
from mstar.experiments.markdown import table
from mstar.experiments.release.provenance import without_paths, write_provenance
from mstar.experiments.report.verdict import judge_bill
from mstar.experiments.rows import Row, read_rows
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.run.train import load_policy, prepare_torch

USE = """\
from transformers import AutoModelForImageTextToText, AutoProcessor

model = AutoModelForImageTextToText.from_pretrained("FOLDER OR NAME")
processor = AutoProcessor.from_pretrained("FOLDER OR NAME")
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        path: the folder.
        round: whose policy it is.
        url: where it was uploaded to; None if it was not.
    """

    path: Path
    round: int
    url: str | None = None


def export_run(
    folder: RunFolder, which: str, out: Path, *, merge: bool, push: str | None = None
) -> Exported:
    """Write the policy of a round with its processor and a model card; upload it if asked to.

    Args:
        folder: the run's.
        which: ``last``, ``best`` or a number; see ``RunFolder.round_named``.
        out: a folder that does not exist yet, or is empty.
        merge: add LoRA factors to the weights, so that the folder needs no base model.
        push: name of a repository on the hub, which is made private if it does not exist.

    Raises:
        ValueError: no such round, a round without a checkpoint or with a damaged one, a folder that
            is not empty, or an adapter whose base nobody else has.
        OSError: the folder cannot be written, or the hub cannot be reached.
    """
    recipe, number = folder.recipe(), folder.round_named(which)
    checkpoint = folder.checkpoint_after(number)
    if checkpoint is None:
        raise ValueError(
            f"after round {number} the policy of {folder.path} is still the base; name a round "
            "that trained with --round"
        )
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty; give another --out")
    if recipe.model.lora_rank and not merge and recipe.model.name == "embedded":
        raise ValueError(
            "the run trained LoRA factors of the embedded model, which is on no hub; give --merge "
            "for a folder that needs no base model"
        )
    folder.check(checkpoint, to_train=False)
    prepare_torch(recipe.run.threads)
    # Factors that were trained beside 4 bits are merged into the weights as they were before.
    policy = load_policy(recipe.replace(quantize="none"), checkpoint, device="cpu")
    if merge and isinstance(policy.model, PeftModel):
        policy = replace(policy, model=policy.model.merge_and_unload())
    policy.save(out)
    adapter = isinstance(policy.model, PeftModel)
    (out / "README.md").write_text(model_card(folder, number, adapter), encoding="utf-8")
    write_provenance(folder, out, for_others=True)
    try:
        return Exported(out, number, _pushed(out, push) if push else None)
    except OSError as error:
        raise OSError(f"{out} is written, but {push} could not be uploaded: {error}") from error


def model_card(folder: RunFolder, number: int, adapter: bool) -> str:
    """The card: data, recipe, cost and results of a run as they are stored.

    Args:
        folder: the run's.
        number: the round whose policy the card describes.
        adapter: whether the weights are LoRA factors alone.
    """
    recipe, rounds = folder.recipe(), folder.rounds()[: number + 1]
    described = json.loads((folder.path / "recipe.json").read_text())
    base = without_paths(recipe.model.name)
    parts = [
        f"---\n{yaml.safe_dump(_front(recipe, adapter), sort_keys=False)}---",
        f"# {folder.path.resolve().name}",
        f"`{base}`, trained on its own answers by mstar {described['versions']['mstar-rl']}: the "
        f"policy after round {number} of the agent `{recipe.run.agent}`"
        + (", as LoRA factors of that model." if adapter else "."),
        "## Use",
        f"```python\n{USE}```",
        "## Results",
        _results(folder, number),
        "After every round, on the same validation problems:",
        _curve(rounds),
        "## Data",
        _data(recipe, rounds),
        "## Cost",
        _cost(rounds[-1], described["hardware"]),
        "## Recipe",
        "Settings that differ from those of the recipe `continuous`:",
        f"```yaml\n{yaml.safe_dump(_changed(recipe), sort_keys=False)}```",
    ]
    return "\n\n".join(parts) + "\n"


def _front(recipe: Recipe, adapter: bool) -> dict[str, Any]:
    """What the hub reads."""
    name = recipe.model.name
    local = name == "embedded" or Path(name).exists()
    front: dict[str, Any] = {"library_name": "peft" if adapter else "transformers"}
    if (licence := base_licence(name)) is not None:
        front["license"] = licence
    if not local:
        front["base_model"] = name
    return {**front, "pipeline_tag": "image-text-to-text", "tags": ["mstar"]}


def base_licence(name: str) -> str | None:
    """The licence that the base model's own card names; None where no card is on this machine."""
    folder = EMBEDDED if name == "embedded" else Path(name)
    card: Any = folder / "README.md"
    if not folder.exists():
        card = try_to_load_from_cache(name, "README.md")
    if not isinstance(card, str | Path) or not Path(card).exists():
        return None
    try:
        front = metadata_load(Path(card))
    except (ValueError, yaml.YAMLError):  # it is written by others
        return None
    licence = (front or {}).get("license")
    return licence if isinstance(licence, str) else None


def _results(folder: RunFolder, number: int) -> str:
    tested, last = read_rows(folder.path / "evaluation.jsonl"), folder.rounds()[-1]["number"]
    if not tested:
        return "The run has not been tested yet."
    text = (
        "Base against evolved policy on test problems that were not trained on; 95 % intervals by "
        "bootstrap over problems, with the run's one seed.\n\n"
        + gain_table([[row | {"group": without_paths(row["group"])} for row in tested]])
    )
    if folder.checkpoint_after(number) != folder.checkpoint_after(last):
        text = f"These are the results of the run's last policy, not of round {number}. {text}"
    return text


def _curve(rounds: list[Row]) -> str:
    lines = [
        f"| {row['number']} | {_percent(row['dynamics']['greedy'])} "
        f"| {_percent(next(iter(row['dynamics']['spread'].values()))['pass_1'])} "
        f"| {row['dynamics']['problems']} |"
        for row in rounds
    ]
    return table("| round | greedy, % | pass@1, % | n |", lines)


def _data(recipe: Recipe, rounds: list[Row]) -> str:
    data = recipe.data
    names = f" ({', '.join(recipe.families)})" if data.env == MIXTURE else ""
    stored = data.env.startswith("hub:") or Path(data.env).exists()
    level = "" if stored else f"level {data.level}, "
    asked = sum(row["problems"] for row in rounds)
    return (
        f"`{without_paths(data.env)}`{names}, {level}seed {recipe.run.seed}: "
        f"{asked:,} problems were asked for training, repeats included. The policy learned "
        "from its own responses to them"
        + (" and from worked solutions." if recipe.mixing.worked_examples else ".")
    )


def _cost(row: Row, hardware: Row) -> str:
    cost = Cost(**row["cost"])
    machine = hardware["accelerator"] or f"{hardware['cores']} cores ({hardware['machine']})"
    return (
        f"{cost.responses:,} responses, {cost.tokens:,} generated tokens ({cost.training_tokens:,} "
        f"of them for training), {cost.flops:.2g} FLOPs by estimate, {cost.seconds / 60:.1f} "
        f"minutes on {machine}."
        + (f" Judges behind an address: {judge_bill(cost)}." if cost.judge_calls else "")
    )


def _changed(recipe: Recipe) -> dict[str, Any]:
    usual = Recipe().settings()
    return {
        name: without_paths(value)
        for name, value in recipe.settings().items()
        if value != usual[name]
    }


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _pushed(out: Path, name: str) -> str:
    api = HfApi()
    url = api.create_repo(name, private=True, exist_ok=True)
    api.upload_folder(folder_path=out, repo_id=url.repo_id)
    return str(url)
