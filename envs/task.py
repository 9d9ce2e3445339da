"""Task: which problems are drawn, how they are asked, and how responses are scored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack, get_args

import numpy as np

from mstar.envs.families.base import SPLITS
from mstar.envs.problem import Problem, Prompt, RenderedImages, Split
from mstar.envs.registry import open_source
from mstar.envs.shown import SHOWN, WITH_CAPTION, WITH_IMAGE, Shown, caption, check_captions
from mstar.envs.source import Mixture, ProblemSource, find_problem
from mstar.envs.spaces import LONGEST_RESPONSE
from mstar.envs.variants.instructions import INSTRUCTIONS
from mstar.envs.variants.multiple_choice import choice_form
from mstar.envs.variants.unlabelled import unlabelled
from mstar.rewards.base import ScoreTable
from mstar.rewards.panel import RewardPanel
from mstar.rewards.registry import reward_model

INSTRUCTION = INSTRUCTIONS["en"]["steps"]
Form = Literal["open", "choice"]
FORMS: tuple[Form, ...] = get_args(Form)
PANEL = ("correctness", "format")  # the default
SIZES = range(96, 449)  # pixels


class TaskConfig(TypedDict, total=False):
    """What a task consists of; JSON values, except for source, panel and `left_out`.

    Attributes:
        source: anything that ``open_source`` accepts, such as the name of a family or the path of
            a data set, or a ``ProblemSource``.
        families: names of sources to mix in equal parts, instead of `source`.
        level: difficulty of the families, 1 to 3; 1 by default.
        split: train (default), validation or test.
        size: side in pixels of drawn images and of observations, 96 to 448; 112 by default.
        panel: names of reward models, or a ``RewardPanel``; correctness and format by default.
        instruction: follows the question in the prompt; ``INSTRUCTION`` by default, "" for none.
        system: the system turn of every prompt, "" (default) for none, or ``data`` for the system
            prompts of a data set, which otherwise stand in front of its questions.
        form: open (default), or choice: open questions become multiple-choice questions.
        show: what stands for the image in prompts: image (default); caption, a description in its
            place; both; or none.
        unlabelled: share of the problems whose answer is withheld; 0 by default.
        left_out: gives the ids of problems that are not drawn; asked at every draw.
        seed: of the problems; random by default.
    """

    source: str | Mapping[str, Any] | ProblemSource
    families: Sequence[str]
    level: int
    split: Split
    size: int
    panel: RewardPanel | Sequence[str] | None
    instruction: str
    system: str
    form: Form
    show: Shown
    unlabelled: float
    left_out: Callable[[], Collection[str]]
    seed: int | None


class Task:
    """Problems drawn in the order of a seed, their prompts, and the scores of responses.

    This is what agents work with. ``ProblemEnv`` and ``ProblemVectorEnv`` adapt a task to the
    Gymnasium interface.

    >>> task = Task(source="BarChart", seed=0)
    >>> (problem,) = task.draw(1)
    >>> task.score([problem], [problem.solution]).reward.tolist()
    [1.0]

    Args:
        **config: see ``TaskConfig``; give either `source` or `families`.

    Attributes:
        source: where the problems come from.
        panel: the reward models and the rule that combines their scores.
        split: train, validation or test.
        size: side of drawn images and of observations, in pixels.
        instruction: follows the question in the prompt.
        system: the system turn of every prompt, "" for none, or ``data``.
        show: what stands for the image in prompts.

    Raises:
        TypeError: an option that ``TaskConfig`` does not have.
        ValueError: an unknown name, split, form or `show`, a size out of range, not exactly one of
            `source` and `families`, or no caption of a problem that is to be shown as one.
    """

    def __init__(self, **config: Unpack[TaskConfig]) -> None:
        _check(config)
        self.source = _source(config)
        self.panel = _panel(config.get("panel"))
        self.split: Split = config.get("split", "train")
        self.size = config.get("size", 112)
        self.instruction = config.get("instruction", INSTRUCTION)
        self.system = config.get("system", "")
        self.show: Shown = config.get("show", "image")
        if self.show in WITH_CAPTION:
            check_captions(self.source, self.split)
        self._left_out = config.get("left_out", frozenset)
        self._seed: int | None = None
        self._index = 0
        if (seed := config.get("seed")) is not None:
            self.start_at(seed)

    @property
    def seed(self) -> int:
        """The seed of the problems; drawn at random on first use if none was given."""
        if self._seed is None:
            self._seed = int(np.random.default_rng().integers(2**31))
        return self._seed

    def start_at(self, seed: int | None = None, index: int = 0) -> None:
        """Set the position: the next problem drawn is number `index` of `seed`.

        Args:
            seed: an integer >= 0; the present seed by default.
            index: an integer >= 0.
        """
        seed = self.seed if seed is None else seed
        for name, value in (("seed", seed), ("index", index)):
            if not isinstance(value, int) or value < 0:
                raise ValueError(f"{name} must be an integer >= 0, got {value!r}")
        self._seed, self._index = seed, index

    def draw(self, count: int) -> list[Problem]:
        """The next `count` problems but for those left out; the position advances.

        Raises:
            ValueError: `count` is negative, or all problems are left out.
        """
        if count < 0:
            raise ValueError(f"can't draw {count} problems; count must be >= 0")
        left_out = self._left_out()
        drawn: list[Problem] = []
        passed_over = 0  # in a row; more than there can be means that nothing else comes
        while len(drawn) < count:
            problem = self.problem(self.seed, self._index)
            self._index += 1
            if problem.id not in left_out:
                drawn.append(problem)
                passed_over = 0
            elif (passed_over := passed_over + 1) > len(left_out) + (self.source.size or 0):
                raise ValueError(
                    f"all problems of {self.source.name} in split {self.split!r} are left out, as "
                    "people called them bad; give other problems, or no audit"
                )
        return drawn

    def problem(self, seed: int, index: int) -> Problem:
        """Problem number `index` of a seed; the position does not change."""
        return self.source.problem(self.split, seed, index)

    def find(self, problem_id: str) -> Problem:
        """The problem with an id; ValueError if there is none."""
        return find_problem(self.source, self.split, problem_id)

    def prompt(self, problem: Problem) -> Prompt:
        """The images, and the question with the instruction on a line of its own.

        Images are rendered on first access. A caption stands in front, on a line of its own; what
        is not shown is left out.
        """
        own = problem.instruction
        instruction = self.instruction if own is None else own
        text = f"{problem.question}\n{instruction}" if instruction else problem.question
        system, places = self.system, problem.image_places
        if self.system == "data":
            cut = len(text) - len(text.removeprefix(problem.system).lstrip())
            system, text = problem.system, text[cut:]
            places = tuple((max(0, start - cut), max(0, end - cut)) for start, end in places)
        if self.show in WITH_CAPTION and problem.images:
            described = f"{caption(problem)}\n"
            text = described + text
            places = tuple((start + len(described), end + len(described)) for start, end in places)
        shown = self.show in WITH_IMAGE
        return Prompt(
            text=text,
            images=RenderedImages(problem.images, self.size) if shown else (),
            key=problem.id,
            places=places if shown else (),
            system=system,
        )

    def score(
        self,
        problems: Sequence[Problem],
        responses: Sequence[str],
        measured: Sequence[Mapping[str, float]] | None = None,
    ) -> ScoreTable:
        """Score one response per listed problem; N problems in, N rows out.

        Only the first ``LONGEST_RESPONSE`` characters of a response are scored.

        Args:
            problems: N problems; list a problem once for each of its responses.
            responses: N texts.
            measured: N mappings with ``certainty``, ``logprob`` and ``finished``, if the sampler
                recorded them.

        Raises:
            TypeError: a response is not a string.
            ValueError: the numbers of problems and responses differ.
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

    def state(self) -> dict[str, int]:
        """The position, as JSON values."""
        return {"seed": self.seed, "index": self._index}

    def restore(self, state: Mapping[str, int]) -> None:
        """Return to the position of a ``state``."""
        self.start_at(state["seed"], state["index"])


Setting = TaskConfig  # the names until 0.2
Examiner = Task


def _check(config: Mapping[str, Any]) -> None:
    if unknown := set(config) - set(TaskConfig.__annotations__):
        raise TypeError(
            f"no such option: {sorted(unknown)}; known: {list(TaskConfig.__annotations__)}"
        )
    if ("source" in config) == ("families" in config):
        raise ValueError("give either source (a name or a ProblemSource) or families")
    for name, known in (("split", SPLITS), ("form", FORMS), ("show", SHOWN)):
        if config.get(name, known[0]) not in known:
            raise ValueError(f"{name} must be one of {known}, got {config[name]!r}")
    if config.get("size", SIZES[0]) not in SIZES:
        raise ValueError(f"size must be {SIZES[0]} to {SIZES[-1]} pixels, got {config['size']!r}")


def _source(config: TaskConfig) -> ProblemSource:
    level = config.get("level", 1)
    source: Any = config.get("source")
    if "families" in config:
        source = Mixture([open_source(name, level) for name in config["families"]])
    elif isinstance(source, (str, Mapping)):
        source = open_source(source, level)
    if config.get("form") == "choice":
        source = choice_form(source)
    share = config.get("unlabelled", 0.0)
    found: ProblemSource = source if share == 0 else unlabelled(source, share)
    return found


def _panel(panel: RewardPanel | Sequence[str] | None) -> RewardPanel:
    if isinstance(panel, RewardPanel):
        return panel
    names = PANEL if panel is None else panel
    if isinstance(names, str):
        raise ValueError(f"panel must be a sequence of names, got the string {names!r}")
    return RewardPanel([reward_model(name) for name in names])


def _text(response: object) -> str:
    if not isinstance(response, str):
        raise TypeError(
            f"a response must be a string, got {type(response).__name__}: pass the text that "
            "the policy wrote"
        )
    return response
