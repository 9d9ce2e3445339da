"""Named studies: a question, the arms that answer it, and what these have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, get_args

from mstar.agents.explore import ControllerName
from mstar.agents.recipe import OnlineName, Recipe
from mstar.experiments.recipes import DEFAULT, RECIPES

Changes = Mapping[str, Any]  # fields of a recipe and their values

LABEL = re.compile(r"[\w.@-]+")  # of an arm: it names a folder
BASE = "base"  # no arm: the policy before any training
TUNING = "tuning"  # no arm: the folder of the tuning runs


@dataclass(frozen=True)
class Tuning:
    """A small grid of learning rates that every arm goes through before it is compared.

    The best by greedy accuracy on validation problems, averaged over the last third of the rounds,
    is taken. No test problem is looked at, and the seed is not one that is compared later.

    Attributes:
        factors: of the arm's own learning rate.
        seed: of the tuning runs.
        budget: share of the token budget that a tuning run has.
        changes: to the recipe of a tuning run.
    """

    factors: tuple[float, ...] = (1 / 3, 1.0, 3.0)
    seed: int = 1000
    budget: float = 0.5
    changes: Changes = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """Runs that differ in one thing, over several seeds.

    Attributes:
        question: that it answers.
        design: what is equal, and how what could favour an arm is settled.
        base: the recipe that all arms start from.
        arms: what each changes in it, by label.
        baseline: the arm that the others are paired with.
        optional: arms that run only when they are named.
        seeds: of the runs.
        tuning: before the comparison; None compares the recipes as they are.
    """

    question: str
    design: str
    base: Recipe
    arms: Mapping[str, Changes]
    baseline: str
    optional: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    tuning: Tuning | None = None

    def __post_init__(self) -> None:
        for label in self.arms:
            if not LABEL.fullmatch(label) or label in (BASE, TUNING):
                raise ValueError(
                    f"an arm cannot be called {label!r}: it names a folder; take letters, digits, "
                    f"'-', '.', '_' or '@', and neither {BASE!r} nor {TUNING!r}"
                )
        for label in (self.baseline, *self.optional):
            if label not in self.arms:
                raise ValueError(f"{label!r} is not among the arms: {', '.join(self.arms)}")

    @property
    def usual(self) -> tuple[str, ...]:
        """The arms that run when none are named."""
        return tuple(label for label in self.arms if label not in self.optional)

    def recipe(self, arm: str, seed: int, changes: Changes) -> Recipe:
        """The recipe of one run; `changes` hold for all arms and win over the arm's own."""
        return replace(self.base, **{**self.arms[arm], **changes, "seed": seed})


# One rate for all updates of a run. With a warm-up, agents that begin a new optimizer every round
# would warm up again every round, and spend most of a short round below the rate of the others.
# Level 2: a policy that has learned to reason is near the ceiling of level 1 within two rounds.
EQUAL = replace(
    DEFAULT,
    families=("Counting", "Dice", "Ruler", "Pictograph", "Venn", "IconArithmetic"),
    extra_families=("BarChart", "Clock", "Coins"),
    level=2,
    learning_rate=1e-4,  # what the grid of the study `online` chose for the self-evolving agents
    schedule="constant",
    warmup=0,
    test=300,
    test_samples=4,
    test_harder=True,
)

POOL = 512  # training problems of the study of the interval
PASSES = 2  # over the pool
UPDATES = 32  # for each pass over the pool; every interval must have a whole number of them


def interval(share: float, **changes: Any) -> dict[str, Any]:
    """A round is a share of the pool, with that share of the updates; all arms make the passes."""
    sizes = {"prompts": POOL * share, "updates": UPDATES * share, "rounds": PASSES / share}
    if not all(size.is_integer() for size in sizes.values()):
        raise ValueError(f"an interval of {share} gives broken {sizes}: arms would not be equal")
    return {name: int(size) for name, size in sizes.items()} | changes


def apart(name: str) -> dict[str, Any]:
    """What a named recipe changes in the default one."""
    default, named = asdict(DEFAULT), asdict(RECIPES[name])
    return {key: value for key, value in named.items() if value != default[key]}


METHOD_INTERVAL = Study(
    question="How much does it matter what a round inherits, and how long it is?",
    design=(
        f"The first table of M-STaR (arXiv 2412.17451). A pool of {POOL} problems, gone through "
        f"{PASSES} times, {UPDATES} updates a pass in every arm; the number behind continuous "
        "is the interval, the share of the pool between two samplings in percent. The learning "
        "rate is constant and without warm-up: agents with a new optimizer every round would "
        "otherwise repeat theirs and train below the others' rate. What an arm inherits is so its "
        "policy and Adam's moments, and nothing hides in the schedule. sft is shown the exact "
        "solutions of the same problems and samples nothing."
    ),
    base=replace(EQUAL, pool=POOL, held_out=60, held_out_samples=2),
    arms={
        "sft": interval(1.0, agent="sft"),
        "iterative-rft": interval(1.0, agent="iterative-rft"),
        "rest-em": interval(1.0, agent="rest-em"),
        "continuous-100": interval(1.0),
        "continuous-50": interval(0.5),
        "continuous-25": interval(0.25),
        "continuous-12.5": interval(0.125),
        "continuous-6.25": interval(0.0625),
    },
    baseline="iterative-rft",
)

BUDGET = 400_000  # tokens of practice
# An online agent learns from every response, so its updates are larger, and as many.
ONLINE_BATCHES = {"batch": 128, "minibatches": 4}

ONLINE = Study(
    question="Is self-evolving training better than online reinforcement learning at equal cost?",
    design=(
        f"Every run ends with the round in which its practice reaches {BUDGET:,} generated tokens: "
        "what is sampled to learn from, and the temperatures that a controller probes. All arms "
        "sample 8 responses to each of 256 fresh problems a round and make 16 updates of them; the "
        "online agents learn from all 2048 responses, the others from at most 512. Every arm's "
        "learning rate is first tuned with one grid of three on validation problems of a seed of "
        "its own, at half the budget. The rate is constant, without warm-up. The pull of GRPO and "
        "RLOO to the base is that of their papers."
    ),
    base=replace(
        EQUAL,
        rounds=48,
        token_budget=BUDGET,
        updates=16,
        test=600,
        test_samples=8,
    ),
    arms={
        "mstar": apart("mstar"),
        "continuous": {},
        "iterative-rft": {"agent": "iterative-rft"},
        "rest-em": {"agent": "rest-em"},
        "star": {"agent": "star"},
        **{name: {"agent": name, **ONLINE_BATCHES} for name in get_args(OnlineName)},
    },
    baseline="continuous",
    optional=("star", "gspo", "dr-grpo", "online-dpo"),
    tuning=Tuning(
        changes={
            "held_out": 240,
            "test": 1,
            "test_samples": 1,
            "extra_families": (),
            "test_harder": False,
        }
    ),
)

SELECTION = Study(
    question="Which of its right answers should a policy learn from?",
    design=(
        "M-STaR gains 3.7 points over two random right answers with the two that its process "
        "reward model puts first; the controls here are those that it left out. Every arm makes "
        "as many updates, of as many responses, a round: all-correct fills them from all that "
        "are right. The judge of steps is the small one that ships; refreshed, it also learns from "
        "the newest responses every second round. The learning rate is constant, without warm-up."
    ),
    base=replace(EQUAL, rounds=4, prompts=128, updates=8),
    arms={
        "process-2": {
            "panel": ("correctness", "format", "process"),
            "rank": "process",
            "selection": "top-k",
        },
        "process-2-refreshed": {
            "panel": ("correctness", "format", "process"),
            "rank": "process",
            "selection": "top-k",
            "judge_refresh": 2,
        },
        "random-2": {"selection": "random-k"},
        "shortest-2": {"selection": "shortest-k"},
        "all-correct": {"selection": "all"},
        "certainty-2": {"rank": "self_certainty", "selection": "top-k"},
    },
    baseline="random-2",
)

EXPLORATION = Study(
    question="Does it pay to adapt how the policy explores, at equal cost?",
    design=(
        f"M-STaR with one controller or another, each until {BUDGET:,} generated tokens are spent "
        "on practice. The temperatures that a controller probes are part of that bill, so a "
        "controller that probes more trains less: the paper's sweep takes 4 % of its tokens, and "
        "far more here, where rounds are small. by-prompt is paired that also gives more samples "
        "to problems whose first answers differ. The learning rate is constant, without warm-up."
    ),
    base=replace(
        EQUAL,
        rounds=48,
        token_budget=BUDGET,
        **{key: apart("mstar")[key] for key in ("panel", "rank", "selection")},
    ),
    arms={
        **{name: {"controller": name} for name in get_args(ControllerName)},
        "by-prompt": {"controller": "paired", "budget": "by-prompt"},
    },
    baseline="fixed",
    optional=("schedule", "pass@k", "balance", "entropy"),
)

STUDIES: dict[str, Study] = {
    "method-interval": METHOD_INTERVAL,
    "online": ONLINE,
    "selection": SELECTION,
    "exploration": EXPLORATION,
}
