"""Assemble a vision-language model, teach it to see, and say what it has learned and kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import RolloutEngine
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.problem import Prompt
from mstar.experiments.make_vlm.assemble import Tower, assemble
from mstar.experiments.make_vlm.eyes import merged, tower_of, with_eyes
from mstar.experiments.make_vlm.language import QUESTIONS, answers, nats, own_answers
from mstar.experiments.make_vlm.perception import KINDS, draw_reading
from mstar.experiments.make_vlm.train import STAGES, Training, VlmTrainer
from mstar.experiments.markdown import percent, table
from mstar.experiments.rows import Row, read_rows, write_rows, write_whole
from mstar.experiments.run.train import prepare_torch
from mstar.experiments.stats import estimate

CONFIG, PERCEPTION = "make_vlm.json", "perception.jsonl"
LANGUAGE, PLAIN = "language.jsonl", "plain.jsonl"
LONGEST = 96  # tokens of an answer
ROWS = 256  # answers generated at the same time
FREE = ("minutes", "workers")  # settings of a training that may change when it goes on


@dataclass(frozen=True)
class MakeVlm:
    """Build a vision-language model from a language model, and teach it to see.

    The form is that of SmolVLM (Idefics3). Only what is in images is taught, never how to solve
    problems. A killed command goes on where it was. What is learned, tower, connector and LoRA, is
    also written to training/eyes in the folder, and can be put behind the same language model
    elsewhere: --eyes.

    Attributes:
        language_model: a folder, a hub name, or a GGUF file; it must be instruction-tuned.
        out: the folder of the model.
        tower: form of the image tower, whose weights are random at first.
        training: how it is taught.
        train: --no-train stops when the model has been assembled.
        eyes: a folder of tower, connector and LoRA that were trained before; nothing is trained
            then, and the tower has their form.
        held_out: questions about held-out images that it is tested on, in equal parts by kind.
        seed: of weights and questions.
        threads: of torch on a CPU.
        device: where to train; a GPU if there is one.
    """

    language_model: str
    out: Path
    tower: Annotated[Tower, tyro.conf.arg(name="")] = field(default_factory=Tower)
    training: Annotated[Training, tyro.conf.arg(name="")] = field(default_factory=Training)
    train: bool = True
    eyes: Path | None = None
    held_out: int = 500
    seed: int = 0
    threads: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.held_out < len(KINDS):
            raise ValueError(f"held_out must be {len(KINDS)} or more, got {self.held_out}")


def make_vlm(settings: MakeVlm, say: Callable[[str], None]) -> None:
    """Write the model and, if it is trained, what it has learned and kept, and a card.

    Raises:
        FileNotFoundError, ValueError: the language model cannot be used, or the folder holds a
            model of other settings.
    """
    if settings.eyes is not None:
        settings = replace(settings, tower=tower_of(settings.eyes), train=False)
    out = settings.out
    prepare_torch(settings.threads)
    check_folder(settings)
    if (out / PERCEPTION).exists():
        say(f"{out} is finished")
        return
    # Assembled anew where a training goes on: what is saved of it belongs to untrained weights.
    model, processor = assemble(settings.language_model, settings.tower, settings.seed)
    model.save_pretrained(out)
    processor.save_pretrained(out)
    write_whole(out / CONFIG, json.dumps(_described(settings), indent=2) + "\n")
    policy = Policy.load(str(out), device=settings.device)
    say(f"{out}: {_sizes(policy)}")
    if settings.eyes is not None:
        merged(with_eyes(policy, settings.eyes)).save_pretrained(out)
    if not settings.train:
        return
    if not (out / LANGUAGE).exists():
        before = answers(LocalSampler(policy, LONGEST, len(QUESTIONS)))
        rows: list[Row] = [
            {"question": q, "before": a} for q, a in zip(QUESTIONS, before, strict=True)
        ]
        rows = [{**row, "nats_before": n} for row, n in zip(rows, nats(policy, rows), strict=True)]
        write_rows(out / PLAIN, own_answers(LocalSampler(policy, LONGEST, ROWS), settings.seed))
        write_rows(out / LANGUAGE, rows)
    trainer = VlmTrainer(
        policy,
        settings.tower,
        settings.training,
        settings.seed,
        read_rows(out / PLAIN),
        out / "training",
        say,
    )
    losses = trainer.run()
    policy = trainer.policy
    sampler = LocalSampler(policy, LONGEST, ROWS)
    rows = read_rows(out / LANGUAGE)
    rows = [
        {**row, "after": after, "nats_after": n}
        for row, after, n in zip(rows, answers(sampler), nats(policy, rows), strict=True)
    ]
    write_rows(out / LANGUAGE, rows)
    tested = ask_held_out(sampler, settings)
    merged(policy).save_pretrained(out)
    policy.processor.save_pretrained(out)
    write_whole(out / "README.md", card(settings, losses, tested, rows))
    write_rows(out / PERCEPTION, tested)  # the last file: what marks the end
    say(perception_table(tested))


def ask_held_out(sampler: RolloutEngine, settings: MakeVlm) -> list[Row]:
    """The greedy answer to each question about a held-out image, and how much of it is right.

    Returns:
        A row a question: kind, family, level, question, answer, response, and ``right``, the share
        of the parts of the answer (lines, and what stands between semicolons) that the response
        has.
    """
    size, families = settings.tower.image_size, settings.training.families
    asked = []
    for index in range(settings.held_out):
        kind = KINDS[index % len(KINDS)]
        seen = draw_reading(families, "validation", settings.seed, index, size, kind)
        asked += [(seen, question) for question in seen.questions if question.kind == kind]
    prompts = [Prompt(q.text, (seen.image,), str(i)) for i, (seen, q) in enumerate(asked)]
    responses = [group[0].text for group in sampler.sample(prompts, 1, 0.0, settings.seed)]
    return [
        {
            "kind": q.kind,
            "family": seen.family,
            "level": seen.level,
            "question": q.text,
            "answer": q.answer,
            "response": response,
            "right": _right(q.answer, response),
        }
        for (seen, q), response in zip(asked, responses, strict=True)
    ]


def perception_table(rows: list[Row]) -> str:
    """How much is right by kind of question and by family, with 95 % intervals over questions."""
    groups = [(kind, [row for row in rows if row["kind"] == kind]) for kind in KINDS]
    groups += [
        (family, [row for row in rows if row["family"] == family])
        for family in sorted({row["family"] for row in rows} - {""})
    ]
    lines = []
    for name, found in groups:
        if found:
            right = estimate([np.array([row["right"] for row in found], float)])
            whole = estimate([np.array([row["right"] == 1 for row in found], float)])
            lines.append(f"| {name} | {percent(right)} | {percent(whole)} | {right.n} |")
    return table("| questions | parts right, % | wholly right, % | n |", lines)


def card(settings: MakeVlm, losses: list[Row], tested: list[Row], language: list[Row]) -> str:
    """The model card."""
    tower, training = settings.tower, settings.training
    base = settings.language_model
    parts = [[row["loss"] for row in losses if row["stage"] == stage] for stage in STAGES]
    told = "\n".join(
        f"- `{stage}`: {len(part):,} updates, loss {np.mean(part[:10]):.2f} in the first ten and "
        f"{np.mean(part[-10:]):.2f} in the last"
        for stage, part in zip(STAGES, parts, strict=True)
        if part
    )
    adapted = f"a LoRA of rank {training.lora_rank} on the language model"
    spoken = adapted if training.lora_rank else "the language model as it is"
    return f"""---
library_name: transformers
pipeline_tag: image-text-to-text
{"" if Path(base).exists() else f"base_model: {base}{chr(10)}"}---

# {Path(base).name} with eyes

The form is that of SmolVLM (Idefics3): an image tower of {tower.layers} layers and width
{tower.width}, from random weights, {tower.tokens} tokens an image, and the language model with its
tokenizer and chat template. It was made by `mstar make-vlm`; the settings are in `{CONFIG}`.

It was trained for {losses[-1]["seconds"] / 60:.1f} minutes on {training.batch} images an update:
first tower and connector to name the words in each place of an image, without the language model
(`{STAGES[0]}`), then with {spoken} to answer questions about
images (`{STAGES[1]}`). What was learned is in `training/eyes`; a LoRA is merged into the model.

{told}

All questions ask what is in an image: of the train split of {", ".join(training.families)},
and of drawn words and tables. No worked solutions and no answers to problems that need more than
reading were shown.

## What it reads

Greedy answers about held-out images; the share of the parts of the answer (lines, and what stands
between semicolons) that the response has, with 95 % intervals over questions. All rows are in
`{PERCEPTION}`.

{perception_table(tested)}

## What it still says

{still_said(training, language)}

The licence is that of the language model.
"""


def still_said(training: Training, rows: list[Row]) -> str:
    """What the card says about the answers to plain questions."""
    same = sum(row["before"] == row["after"] for row in rows)
    more = estimate([np.array([row["nats_after"] - row["nats_before"] for row in rows])])
    if not training.lora_rank:
        rehearsed = "The weights that write words are those of the language model."
    elif not training.plain:
        rehearsed = "No conversation in plain words was among what it learned from."
    else:
        rehearsed = (
            f"For each {training.plain} images the second stage had one conversation in plain\n"
            "words: another question with the model's own answer before the training, all in\n"
            f"`{PLAIN}`."
        )
    return f"""{same} of {len(rows)} greedy answers to plain questions are the same as before the
training; both are in `{LANGUAGE}`, side by side. A token of an answer from before costs
{more.mean:+.3f} [{more.low:+.3f}, {more.high:+.3f}] nats more than then (over questions, 95 %).
{rehearsed}"""


def _right(answer: str, response: str) -> float:
    parts, said = (
        [" ".join(part.lower().split()) for part in re.split("[\n;]", text)]
        for text in (answer, response)
    )
    return sum(part in said for part in parts) / len(parts)


def check_folder(settings: MakeVlm) -> None:
    """Raise ValueError unless the folder is empty, or holds a model of the same settings."""
    out, path = settings.out, settings.out / CONFIG
    if not path.exists():
        if out.exists() and any(out.iterdir()):
            raise ValueError(f"{out} is not empty; give another --out")
        return
    stored = json.loads(path.read_text())
    changed = [name for name, value in _described(settings).items() if stored.get(name) != value]
    if changed:
        raise ValueError(
            f"{out} was made with another {', '.join(changed)}; give the same, or another --out"
        )


def _described(settings: MakeVlm) -> dict[str, Any]:
    """What decides the model, as JSON values."""
    training = {name: v for name, v in asdict(settings.training).items() if name not in FREE}
    described = {
        "language_model": settings.language_model,
        "seed": settings.seed,
        "eyes": settings.eyes and settings.eyes.name,
        **asdict(settings.tower),
        **training,
    }
    found: dict[str, Any] = json.loads(json.dumps(described))
    return found


def _sizes(policy: Policy) -> str:
    model = policy.model.model
    parts = {"tower": model.vision_model, "connector": model.connector, "all": policy.model}
    return ", ".join(
        f"{name} {sum(w.numel() for w in part.parameters()) / 1e6:.1f} M weights"
        for name, part in parts.items()
    )
