"""The named studies; ``mstar compare NAME`` runs one."""

from __future__ import annotations

from typing import Any, get_args

from mstar.agents.catalog import ONLINE_AGENTS
from mstar.agents.explore.catalog import CONTROLLERS
from mstar.experiments.run.recipes import CONTINUOUS, RECIPES
from mstar.experiments.studies.study import Study, TuningGrid
from mstar.rewards.voting import VoteName

# One rate for all updates of a run. With a warm-up, agents that begin a new optimizer every round
# would warm up again every round, and spend most of a short round below the rate of the others.
# Level 2: a policy that has learned to reason is near the ceiling of level 1 within two rounds.
EQUAL = CONTINUOUS.replace(
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
    """What a named recipe changes in continuous training."""
    plain, named = CONTINUOUS.settings(), RECIPES[name].settings()
    return {key: value for key, value in named.items() if value != plain[key]}


DEFAULT = Study(
    question="Is what `mstar train` does by default well chosen?",
    design=(
        "The problems, model and size of `make demo`: six rounds of 256 problems with 8 samples "
        "each. default is M-STaR with the controller paired and samples by prompt. continuous "
        "stays at temperature 1 without a process reward, cool at 0.6, the best fixed temperature "
        "by hindsight on seed 0. grpo learns from the same number of responses."
    ),
    base=CONTINUOUS,
    arms={
        "default": apart("default"),
        "continuous": {},
        "cool": {"temperature": 0.6},
        "grpo": {"agent": "grpo"},
    },
    baseline="continuous",
)


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
    base=EQUAL.replace(pool=POOL, held_out=60, held_out_samples=2),
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
        "learning rate is first tuned with one grid of four on validation problems of a seed of "
        "its own, at half the budget. The rate is constant, without warm-up. The pull of GRPO and "
        "RLOO to the base is that of their papers."
    ),
    base=EQUAL.replace(
        rounds=48,
        token_budget=BUDGET,
        updates=16,
        test=600,
        test_samples=8,
    ),
    arms={
        "mstar": apart("mstar"),
        "mstar-paired": {**apart("mstar"), "controller": "paired"},
        "continuous": {},
        "iterative-rft": {"agent": "iterative-rft"},
        "rest-em": {"agent": "rest-em"},
        "star": {"agent": "star"},
        **{name: {"agent": name, **ONLINE_BATCHES} for name in ONLINE_AGENTS},
    },
    baseline="continuous",
    optional=("mstar-paired", "star", "gspo", "dr-grpo", "online-dpo"),
    tuning=TuningGrid(
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
    base=EQUAL.replace(rounds=4, prompts=128, updates=8),
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

HINTS = Study(
    question="Does it pay to show the policy the answers to what it did not solve?",
    design=(
        "STaR is ReST-EM that asks what no sample solved once more, with the answer, and also "
        "learns from right responses that then give reasons. Both make 16 updates a round, from "
        "256 fresh problems; the responses to hints come on top. The learning rate is constant, "
        "without warm-up."
    ),
    base=EQUAL.replace(rounds=4, updates=16),
    arms={"rest-em": {"agent": "rest-em"}, "star": {"agent": "star"}},
    baseline="rest-em",
)

EXPLORATION = Study(
    question="Does it pay to adapt how the policy explores, at equal cost?",
    design=(
        f"M-STaR with one controller or another, each until {BUDGET:,} generated tokens are spent "
        "on practice. The temperatures that a controller probes are part of that bill, so a "
        "controller that probes more trains less: the paper's sweep takes 4 % of its tokens, and "
        "far more here, where rounds are small. fixed stays at 1.0, cool at 0.6. "
        "by-prompt is paired that also gives more samples to problems that lack right "
        "answers. The learning rate is that of the study online for mstar, constant, without "
        "warm-up."
    ),
    base=EQUAL.replace(
        rounds=48,
        token_budget=BUDGET,
        updates=16,
        learning_rate=3.33e-5,
        test=600,
        test_samples=8,
        **{key: apart("mstar")[key] for key in ("panel", "rank", "selection")},
    ),
    arms={
        **{name: {"controller": name} for name in CONTROLLERS},
        "cool": {"temperature": 0.6},
        "by-prompt": {"controller": "paired", "budget": "by-prompt"},
    },
    baseline="fixed",
    optional=("schedule", "pass@k", "balance", "entropy"),
)

LABELS = 128  # of the pool's problems have one, where the arm does not say otherwise
FEW = {"unlabelled": 1 - LABELS / POOL}
NONE = {"unlabelled": 1.0}

UNLABELLED = Study(
    question="What are problems without answers worth, and what keeps their votes honest?",
    design=(
        f"A pool of {POOL} problems of which about one in {POOL // LABELS} has an answer, the "
        "same in all arms but all-labels. few-labels learns from those alone; mix-in-P also "
        "from the vote on the others once P % of the rounds have passed, adaptive as far as "
        "that vote proves right on held-out ones. gold is mix-in-0 with a quarter of its "
        "lessons from 32 worked solutions, adaptive-gold is adaptive with up to as many. The "
        "last four arms have no label at all: the plain vote of M-STaR or the guarded one, "
        "with alarms that act or are only told. All arms sample alike. The learning rate is "
        "constant, without warm-up."
    ),
    base=EQUAL.replace(pool=POOL, rounds=8, prompts=LABELS, updates=8),
    arms={
        "few-labels": {**FEW, "mix_in": 1.0},
        "all-labels": {},
        **{f"mix-in-{share}": {**FEW, "mix_in": share / 100} for share in (0, 25, 50, 75)},
        "adaptive": {**FEW, "mixing": "adaptive"},
        "gold": {**FEW, "gold": 0.25},
        "adaptive-gold": {**FEW, "mixing": "adaptive", "gold": 0.25},
        **{
            f"{vote}-{guards}": {**NONE, "pseudo": vote, "guards": guards}
            for vote in get_args(VoteName)
            for guards in ("watch", "act")
        },
    },
    baseline="few-labels",
    optional=("mix-in-25", "mix-in-75"),
)

STUDIES: dict[str, Study] = {
    "default": DEFAULT,
    "method-interval": METHOD_INTERVAL,
    "online": ONLINE,
    "selection": SELECTION,
    "hints": HINTS,
    "exploration": EXPLORATION,
    "unlabelled": UNLABELLED,
}
