"""Poses problems and judges responses: what the environments of every form have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, TypedDict, get_args

import numpy as np
from gymnasium import spaces

from mstar.envs.canvas import on_canvas
from mstar.envs.families.base import SPLITS
from mstar.envs.open import open_source
from mstar.envs.problem import Problem, Split
from mstar.envs.source import Mixture, ProblemSource, find
from mstar.envs.spaces import LONGEST_PROMPT, LONGEST_RESPONSE, UnicodeText
from mstar.envs.variants.instructions import INSTRUCTIONS
from mstar.envs.variants.multiple_choice import choice_form
from mstar.envs.variants.unlabelled import unlabelled
from mstar.rewards.panel import RewardPanel, ScoreTable

INSTRUCTION = INSTRUCTIONS["en"]["steps"]
Form = Literal["open", "choice"]
FORMS: tuple[Form, ...] = get_args(Form)
PANEL = ("correctness", "format")  # where none is named
SIZES = range(96, 449)  # pixels

Observation = dict[str, Any]
Info = dict[str, Any]


class Setting(TypedDict, total=False):
    """What an environment is made of; JSON values, apart from live sources and panels.

    Attributes:
        source: what ``open_source`` takes, such as a family's name or a path to problems, or a
            live source of problems.
        families: names of sources to mix, in place of `source`.
        level: difficulty of the families that are named, 1 to 3; 1 if left out.
        split: train (if left out), validation or test.
        size: side of the picture in pixels, 96 to 448; 112 if left out.
        panel: names of reward models, or a live panel; correctness and format if left out.
        instruction: follows the question in the prompt; ``INSTRUCTION`` if left out.
        form: open (if left out), or choice: open questions get options to choose from.
        unlabelled: share of the problems whose answers are withheld; 0 if left out.
    """

    source: str | Mapping[str, Any] | ProblemSource
    families: Sequence[str]
    level: int
    split: Split
    size: int
    panel: RewardPanel | Sequence[str] | None
    instruction: str
    form: Form
    unlabelled: float


@dataclass(frozen=True, eq=False)
class Examiner:
    """Poses the problems of a source and has a panel judge the responses; remembers nothing.

    Attributes:
        source: where the problems come from.
        panel: judges.
        split: train, validation or test.
        size: side of the canvas, in pixels.
        instruction: follows the question in the prompt.
    """

    source: ProblemSource
    panel: RewardPanel
    split: Split
    size: int
    instruction: str

    @property
    def observation_space(self) -> spaces.Dict:
        """The picture, (size, size, 3) uint8, and the prompt."""
        picture = spaces.Box(0, 255, (self.size, self.size, 3), np.uint8)
        return spaces.Dict({"image": picture, "prompt": UnicodeText(LONGEST_PROMPT)})

    @property
    def reward_space(self) -> spaces.Box:
        """(K,) float32 in [0, 1], one number per reward model, in the panel's order."""
        return spaces.Box(0.0, 1.0, (len(self.panel.names),), np.float32)

    def problem(self, seed: int, index: int) -> Problem:
        """Problem number `index` of a seed."""
        return self.source.problem(self.split, seed, index)

    def find(self, problem_id: str) -> Problem:
        """The problem of an id; ValueError if there is none."""
        return find(self.source, self.split, problem_id)

    def prompt(self, problem: Problem) -> str:
        """The text that is asked: the question, and the instruction on a line of its own."""
        own = problem.instruction
        instruction = self.instruction if own is None else own
        return f"{problem.question}\n{instruction}" if instruction else problem.question

    def pose(self, problem: Problem) -> tuple[Observation, Info]:
        """The first observation of a problem and the info beside it, both fresh."""
        prompt = self.prompt(problem)
        if len(prompt) > LONGEST_PROMPT:
            raise ValueError(
                f"the prompt of {problem.id} has {len(prompt)} characters; an observation holds "
                f"{LONGEST_PROMPT}: shorten its question"
            )
        images = tuple(picture.render(self.size) for picture in problem.pictures)
        observation = {"image": on_canvas(images, self.size), "prompt": prompt}
        return observation, {
            "problem_id": problem.id,
            "template": problem.template,
            "level": problem.tags.get("level", ""),
            "family": problem.tags.get("family", self.source.name),
            "versions": {"mstar": _release(), "problems": problem.id.partition("/")[0]},
            "images": images,
        }

    def judge(
        self,
        problems: Sequence[Problem],
        responses: Sequence[str],
        measured: Sequence[Mapping[str, float]] | None = None,
    ) -> ScoreTable:
        """Score one response to each listed problem; N problems in, N rows out.

        What a response has beyond the longest that the action space holds is not read.

        Args:
            problems: N problems; one that has several responses is listed as often.
            responses: N texts.
            measured: N times ``certainty`` and ``logprob``, where the sampler kept them.
        """
        if len(problems) != len(responses):
            raise ValueError(
                f"got {len(responses)} responses to {len(problems)} problems; list a problem "
                "once for each of its responses"
            )
        extra = measured if measured is not None else [{}] * len(problems)
        return self.panel.score(
            [
                problem.attempt(_text(response)[:LONGEST_RESPONSE], **more)
                for problem, response, more in zip(problems, responses, extra, strict=True)
            ]
        )


def examiner(setting: Setting) -> Examiner:
    """Check a setting, fill in what it leaves out, and find what it names.

    Raises:
        TypeError: a key that ``Setting`` does not have.
        ValueError: a name, split or size that does not exist, or not one of source and families.
    """
    if unknown := set(setting) - set(Setting.__annotations__):
        raise TypeError(
            f"no such setting: {sorted(unknown)}; known: {list(Setting.__annotations__)}"
        )
    if ("source" in setting) == ("families" in setting):
        raise ValueError(
            "give a source (a family's name or a live source) or families, one of them"
        )
    split, size = setting.get("split", "train"), setting.get("size", 112)
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    if size not in SIZES:
        raise ValueError(f"size must be {SIZES[0]} to {SIZES[-1]} pixels, got {size!r}")
    if setting.get("form", "open") not in FORMS:
        raise ValueError(f"form must be one of {FORMS}, got {setting['form']!r}")
    panel = setting.get("panel")
    return Examiner(
        source=_source(setting),
        panel=panel
        if isinstance(panel, RewardPanel)
        else _panel(PANEL if panel is None else panel),
        split=split,
        size=size,
        instruction=setting.get("instruction", INSTRUCTION),
    )


def verdict(table: ScoreTable, row: int) -> tuple[float, Info]:
    """The reward of a row as a float, and every score by name; 0.0 where there is none."""
    scores = dict(zip(table.names, map(float, table.scores[row]), strict=True))
    reward = float(table.reward[row])
    return 0.0 if math.isnan(reward) else reward, {
        "rewards": {n: 0.0 if math.isnan(score) else score for n, score in scores.items()},
        "valid": {n: not math.isnan(score) for n, score in scores.items()},
        "reward_valid": not math.isnan(reward),
    }


def checked_options(options: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The options of a reset: {}, {"index": i} or {"problem_id": id}; ValueError if not."""
    options = options or {}
    if len(options) > 1 or set(options) - {"index", "problem_id"}:
        raise ValueError(
            f"options must be 'index' or 'problem_id', one of them; got {dict(options)}"
        )
    return options


def _source(setting: Setting) -> ProblemSource:
    level = setting.get("level", 1)
    source: Any = setting.get("source")
    if "families" in setting:
        source = Mixture([open_source(name, level) for name in setting["families"]])
    elif isinstance(source, (str, Mapping)):
        source = open_source(source, level)
    if setting.get("form") == "choice":
        source = choice_form(source)
    share = setting.get("unlabelled", 0.0)
    found: ProblemSource = source if share == 0 else unlabelled(source, share)
    return found


def _panel(names: Sequence[str]) -> RewardPanel:
    from mstar.rewards import REWARDS  # here, so that a live panel does without the verifier

    if isinstance(names, str):
        raise ValueError(f"panel must be a sequence of names, got the one string {names!r}")
    if unknown := [name for name in names if name not in REWARDS]:
        raise ValueError(f"no reward model {unknown}; known: {', '.join(REWARDS)}")
    return RewardPanel([REWARDS[name]() for name in names])


def _text(response: object) -> str:
    if not isinstance(response, str):
        raise TypeError(
            f"a response must be a string, got {type(response).__name__}: pass the text that "
            "the policy wrote"
        )
    return response


@lru_cache(maxsize=1)
def _release() -> str:
    try:
        return version("mstar-rl")
    except PackageNotFoundError:  # the folders are used without being installed
        return "unknown"
