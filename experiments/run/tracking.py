"""Rounds of a run in experiment trackers: every figure, and some responses with their images.

Trackers are those of ``accelerate.tracking``; a further one that is to show responses too is one
function and one line in ``RESPONSES``. What is sent is read from the run's folder, so that a
resumed run sends what is missing, and a finished one everything.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
from accelerate.utils import LoggerType
from PIL import Image

from mstar.agents.registry import check_name, resolve
from mstar.envs.task import Task
from mstar.experiments.evaluation.out_of_domain import FILE as OUT_OF_DOMAIN
from mstar.experiments.report.responses import shortened
from mstar.experiments.report.summary import summarise
from mstar.experiments.rows import Row, read_rows, write_whole
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.terminal import printable

PROJECT = "mstar"
SHOWN = 8  # responses of a round: the first to each of so many problems


@dataclass(frozen=True, slots=True)
class ShownResponse:
    """A response as a tracker shows it.

    Attributes:
        problem: its id.
        question: as it was asked.
        images: of the problem, as the policy saw them.
        response: without control characters.
        reference: the reference answer; None where the problem has none.
        correct: None where nobody knows.
        reward: the combined reward; NaN where every reward model abstained.
        kept: whether the policy learned from it.
    """

    problem: str
    question: str
    images: tuple[Image.Image, ...]
    response: str
    reference: str | None
    correct: bool | None
    reward: float
    kept: bool


class Tracking:
    """Sends the rounds of a run to trackers; one that fails is left out with a warning.

    Args:
        names: keys of ``accelerate.tracking.LOGGER_TYPE_TO_CLASS``, or ``module:Class`` for a
            ``GeneralTracker`` of yours.
        folder: the run's.
        task: the training problems, for their images.
        warn: shows a line to the user.

    Raises:
        ValueError: a tracker could not be started.
    """

    def __init__(
        self,
        names: Sequence[str],
        folder: RunFolder,
        task: Task,
        warn: Callable[[Sequence[str]], None],
    ) -> None:
        self._folder, self._task, self._warn = folder, task, warn
        self._path = folder.path / "tracking.json"
        self._sent: dict[str, Any] = {}
        run = f"{folder.path.resolve().name}-{secrets.token_hex(3)}"
        if self._path.exists():
            stored = json.loads(self._path.read_text())
            run, self._sent = stored["run"], stored["sent"]
        self.run = run
        self._trackers = {name: self._started(name) for name in dict.fromkeys(names)}
        if figures_only := [name for name in self._trackers if name not in RESPONSES]:
            warn([f"{' and '.join(figures_only)} gets the figures of the run, but no responses"])

    def update(self) -> None:
        """Send what is in the run's folder and was not sent before."""
        first = min((self._sent[name]["rounds"] for name in self._trackers), default=0)
        new = self._folder.rounds(first) if self._trackers else []
        tested = (self._folder.path / "evaluation.jsonl").exists()
        for name in tuple(self._trackers):
            sent = self._sent[name]
            for row in new[sent["rounds"] - first :]:
                if self._send_round(name, row):
                    sent.update(rounds=row["number"] + 1, test=False)
            if tested and sent["rounds"] and not sent["test"]:
                test = figures_of_test(self._folder)
                sent["test"] = self._send(name, test, sent["rounds"] - 1)
        if self._sent:
            write_whole(self._path, json.dumps({"run": self.run, "sent": self._sent}))

    def close(self) -> None:
        """Have every tracker write out what it holds."""
        for name, tracker in tuple(self._trackers.items()):
            self._tried(name, tracker.finish)

    def _started(self, name: str) -> Any:
        kind = resolve("tracker", LOGGER_TYPE_TO_CLASS, name)
        where = [name, self._folder.path] if kind.requires_logging_directory else [PROJECT]
        continues = name in CONTINUED or kind.requires_logging_directory
        if not continues or name not in self._sent:
            self._sent[name] = {"rounds": 0, "test": False, "id": None}
        sent = self._sent[name]
        try:
            with redirect_stdout(sys.stderr):  # what a command prints may be read as JSON
                tracker = kind(*where, **CONTINUED.get(name, _nothing)(self.run, sent["id"]))
                tracker.main_process_only = False  # only the main process is here
                tracker.start()
                sent["id"] = IDS[name](tracker) if name in IDS else None
                if not sent["rounds"]:
                    tracker.store_init_configuration(_settings(self._folder))
        except Exception as error:  # trackers raise errors of their own kinds
            raise ValueError(
                f"the tracker {name} does not start: {_first_line(error)}; solve that, or leave "
                "it out of --track"
            ) from error
        return tracker

    def _send_round(self, name: str, row: Row) -> bool:
        show = RESPONSES.get(name)
        elsewhere = {
            f"test {found['env']}/{metric}": found[metric]
            for found in read_rows(self._folder.path / OUT_OF_DOMAIN)
            for metric in ("greedy", "pass_1")
            if found["round"] == row["number"]
        }
        sent = self._send(name, figures(row) | elsewhere, row["number"])
        responses = self._responses(row["number"]) if sent and show is not None else []
        if show is not None and responses:
            tracker = self._trackers[name]
            sent = self._tried(name, lambda: show(tracker, responses, row["number"]))
        return sent

    def _send(self, name: str, values: Mapping[str, float], step: int) -> bool:
        if name not in self._trackers:
            return False
        return self._tried(name, lambda: self._trackers[name].log(dict(values), step=step))

    def _tried(self, name: str, call: Callable[[], None]) -> bool:
        """Whether it went well; a run never ends for its tracker."""
        try:
            with redirect_stdout(sys.stderr):
                call()
        except Exception as error:
            del self._trackers[name]
            self._warn(
                [
                    f"the tracker {name} failed and is left out, {_first_line(error)}; a resumed "
                    "run sends it what is missing"
                ]
            )
            return False
        return True

    def _responses(self, number: int) -> list[ShownResponse]:
        first = {row["problem"]: row for row in reversed(self._folder.rollouts(number))}
        shown = list(reversed(first.values()))[:SHOWN]
        return [
            ShownResponse(
                problem=row["problem"],
                question=printable(row["question"]),
                images=tuple(self._task.prompt(self._task.find(row["problem"])).images),
                response=shortened(row["response"]),
                reference=row["answer"],
                correct=row["oracle"],
                reward=row["reward"],
                kept=row["kept"],
            )
            for row in shown
        ]


def check_trackers(names: Sequence[str]) -> None:
    """Check the names of trackers before anything is loaded.

    Raises:
        ValueError: no tracker has this name, or it is not installed.
    """
    there = [LoggerType(name).value for name in get_available_trackers()]
    for name in names:
        check_name("tracker", LOGGER_TYPE_TO_CLASS, name)
        if name in LoggerType.list() and name not in there:
            raise ValueError(f"the tracker {name} is not installed: pip install {name}")


def figures(row: Row) -> dict[str, float]:
    """Every number of a row of ``rounds.jsonl``, by its path in the row.

    What was sampled at the round's own temperature stands under ``dynamics/spread``, so that its
    curve goes on where the temperature moves; other temperatures are named in their paths.

    >>> figures({"number": 1, "reward": 0.5, "dynamics": {"spread": {"0.8": {"pass_1": 0.25}}}})
    {'reward': 0.5, 'alarms': 0.0, 'dynamics/spread/pass_1': 0.25}
    """
    spread = row["dynamics"]["spread"]
    own = next(iter(spread), None)
    named = {f"at {at}": found for at, found in spread.items() if at != own}
    parts = {name: part for name, part in row.items() if name not in ("number", "state")}
    return _flat(
        {
            **parts,
            "alarms": len(row.get("alarms", ())),
            "dynamics": {**row["dynamics"], "spread": {**spread.get(own, {}), **named}},
        }
    )


def figures_of_test(folder: RunFolder) -> dict[str, float]:
    """Base, evolved and gain of every group of test problems and metric."""
    return {
        f"test {compared.group}/{compared.metric.replace('@', '_')} {name}": found.mean
        for compared in summarise(folder).comparisons
        for name, found in (
            ("base", compared.base),
            ("evolved", compared.evolved),
            ("gain", compared.gain),
        )
    }


def _flat(values: Mapping[str, Any], path: str = "") -> dict[str, float]:
    found = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found.update(_flat(value, f"{path}{name}/"))
        elif isinstance(value, int | float):
            found[f"{path}{name}"] = float(value)
    return found


def _settings(folder: RunFolder) -> dict[str, Any]:
    """The recipe as trackers take it: numbers, truth values and texts."""
    settings = folder.recipe().settings()
    plain = (bool, int, float, str)
    return {k: v if isinstance(v, plain) else json.dumps(v) for k, v in settings.items()}


def _first_line(error: Exception) -> str:
    return printable(str(error).strip().partition("\n")[0] or type(error).__name__)


def _nothing(*_: str | None) -> dict[str, Any]:
    return {}


# What makes a resumed run go on as the same run of a tracker without a folder of its own, from our
# name of the run and the tracker's id of it; a tracker that is not here begins a new run, and gets
# all rounds again.
CONTINUED: dict[str, Callable[[str, str | None], dict[str, Any]]] = {
    "trackio": lambda run, _: {"name": run, "resume": "allow"},
    "wandb": lambda run, _: {"name": run, "id": run, "resume": "allow"},
    "mlflow": lambda run, own: {"run_name": run, "run_id": own},
}
# Where the tracker gives the id.
IDS: dict[str, Callable[[Any], str]] = {"mlflow": lambda tracker: str(tracker.tracker.info.run_id)}


def _in_tensorboard(tracker: Any, responses: Sequence[ShownResponse], step: int) -> None:
    writer = tracker.tracker
    for place, shown in enumerate(responses):
        indented = "\n".join(f"    {line}" for line in shown.response.splitlines())  # verbatim
        writer.add_text(
            f"responses/{place}",
            f"{shown.question}\n\n{indented}\n\nreference: {shown.reference}, correct: "
            f"{shown.correct}, reward: {shown.reward:.3f}, kept: {shown.kept}, {shown.problem}",
            step,
        )
        for number, image in enumerate(shown.images):
            name = f"responses/{place}" + (f" image {number}" if number else "")
            writer.add_image(name, np.asarray(image), step, dataformats="HWC")
    writer.flush()


def _in_trackio(tracker: Any, responses: Sequence[ShownResponse], step: int) -> None:
    import trackio

    table = trackio.Table(data=_cells(responses, trackio.Image))
    tracker.log({"responses": table}, step=step)


def _in_wandb(tracker: Any, responses: Sequence[ShownResponse], step: int) -> None:
    import wandb

    cells = _cells(responses, wandb.Image)
    data = [list(row.values()) for row in cells]
    tracker.log_table("responses", columns=list(cells[0]), data=data, step=step)


def _cells(responses: Sequence[ShownResponse], image: Callable[[Any], Any]) -> list[Row]:
    """The rows of a table, with a column for the first images, one for the second, and so on."""
    columns = range(max(len(shown.images) for shown in responses))
    return [
        {
            **{
                f"image {n + 1}": image(shown.images[n]) if n < len(shown.images) else None
                for n in columns
            },
            "question": shown.question,
            "response": shown.response,
            "reference": shown.reference,
            "correct": shown.correct,
            "reward": round(shown.reward, 4),
            "kept": shown.kept,
            "problem": shown.problem,
        }
        for shown in responses
    ]


RESPONSES: dict[str, Callable[[Any, Sequence[ShownResponse], int], None]] = {
    "tensorboard": _in_tensorboard,
    "trackio": _in_trackio,
    "wandb": _in_wandb,
}
