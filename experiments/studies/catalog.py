"""The named studies; ``mstar compare NAME`` runs one."""

from __future__ import annotations

from typing import Any

from mstar.agents.catalog import ONLINE_AGENTS
from mstar.agents.explore.catalog import CONTROLLERS
from mstar.experiments.run.recipes import CONTINUOUS, RECIPES
from mstar.experiments.studies.study import Study, TuningGrid
from mstar.rewards.pseudo_labels import VOTES

# One rate for all updates of a run. With a warm-up, agents that begin a new optimizer every round
# would warm up again every round, and spend most of a short round below the rate of the others.
# The versions are those that the embedded model was pretrained on, and stored results rest on.
# Level 2: a policy that has learned to reason is near the ceiling of level 1 within two rounds.
EQUAL = CONTINUOUS.replace(
    families=(
        "Counting-v0",
        "Dice-v0",
        "Ruler-v0",
        "Pictograph-v0",
        "Venn-v0",
        "IconArithmetic-v0",
    ),
    extra_families=("BarChart-v0", "Clock-v0", "Coins-v0"),
    level=2,
    learning_rate=1e-4,  # what the grid of the study `online` chose for the self-evolving agents
    schedule="constant",
    warmup=0,
    test=300,
    test_samples=4,
    test_harder=True,
)

POOL = 512  # training problems of the studies `method-interval` and `unlabelled`
PASSES = 2  # over the training problems
UPDATES = 32  # per pass; every interval must have a whole number of them


def interval(share: float, **changes: Any) -> dict[str, Any]:
    """Settings of an arm whose rounds cover a share of the training problems and of the updates.

    All arms make the same number of passes, and so the same number of updates.

    Raises:
        ValueError: the share does not give whole numbers.
    """
    sizes = {"prompts": POOL * share, "updates": UPDATES * share, "rounds": PASSES / share}
    if not all(size.is_integer() for size in sizes.values()):
        raise ValueError(
            f"an interval of {share} gives fractional {sizes}: arms would not be equal; take a "
            f"share that divides {POOL} problems and {UPDATES} updates"
        )
    return {name: int(size) for name, size in sizes.items()} | changes


def apart(name: str) -> dict[str, Any]:
    """The settings in which a named recipe differs from continuous training."""
    plain, named = CONTINUOUS.settings(), RECIPES[name].settings()
    return {key: value for key, value in named.items() if value != plain[key]}


DEFAULT = Study(
    question="Is the default of `mstar train` well chosen?",
    design=(
        "Every arm uses the model, the problems and the size of `make demo`: six rounds of 256 "
        "problems with 8 samples each. default is M-STaR with the controller paired and the "
        "allocation by-prompt; free is the same with the controller that probes nothing. "
        "continuous has no process reward and stays at temperature 1; cool is the same at "
        "temperature 0.6, the best fixed value found afterwards on seed 0. grpo learns from the "
        "same number of responses."
    ),
    base=CONTINUOUS,
    arms={
        "default": apart("default"),
        "free": {**apart("default"), "controller": "free"},
        "continuous": {},
        "cool": {"temperature": 0.6},
        "grpo": {"agent": "grpo"},
    },
    baseline="continuous",
    optional=("free",),
)


METHOD_INTERVAL = Study(
    question="How do the length of a round and what it inherits affect accuracy?",
    design=(
        f"This repeats the first table of M-STaR (arXiv 2412.17451). Every arm makes {PASSES} "
        f"passes over the same {POOL} training problems, with {UPDATES} updates per pass. The "
        "number in the name of a continuous arm is its interval: the percentage of the training "
        "problems that is sampled in one round. The learning rate is constant, without warm-up: "
        "with warm-up, agents that start a new optimizer every round would warm up again each "
        "time and train at a lower rate than the others. The arms therefore differ only in "
        "whether they inherit the policy and Adam's moments. sft is trained on the exact "
        "solutions of the same problems and samples nothing."
    ),
    base=EQUAL.replace(training_problems=POOL, validation_problems=60, validation_samples=2),
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

BUDGET = 400_000  # generated training tokens
# Online agents learn from every response, in as many updates as the others but larger ones.
ONLINE_BATCHES = {"batch": 128, "minibatches": 4}

ONLINE = Study(
    question="Is self-evolving training better than online reinforcement learning at equal cost?",
    design=(
        f"Every run ends with the round in which it reaches {BUDGET:,} generated training tokens. "
        "These are the tokens of the responses that are sampled to learn from, and of a "
        "controller's temperature probes. In each round, all arms sample 8 responses to each of "
        "256 new problems and make 16 updates. The online agents learn from all 2048 responses, "
        "the others from at most 512. The learning rate of every arm is first chosen from the "
        "same four values by accuracy on validation problems, with a separate seed and half the "
        "budget. It is constant, without warm-up. The KL coefficients of GRPO and RLOO are those "
        "of their papers."
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
            "validation_problems": 240,
            "test": 1,
            "test_samples": 1,
            "extra_families": (),
            "test_harder": False,
        }
    ),
)

SELECTION = Study(
    question="Which of its correct responses should a policy learn from?",
    design=(
        "M-STaR reports a gain of 3.7 points when it selects the two correct responses that its "
        "process reward model ranks highest instead of two random ones. This study adds controls "
        "that the paper does not have. Every arm makes the same number of updates on the same "
        "number of responses in a round; all-correct draws them from all correct responses. The "
        "process reward model is the small one that ships with the package. In "
        "process-2-refreshed it is also trained on the newest responses every second round. The "
        "learning rate is constant, without warm-up."
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
    question="Does it help to show the policy the answers to problems that it did not solve?",
    design=(
        "STaR extends ReST-EM: it asks each problem that no sample solved once more with the "
        "answer as a hint, and also learns from the correct responses to hints that give reasons. "
        "Both arms make 16 updates per round on responses to 256 new problems; the responses to "
        "hints are additional. The learning rate is constant, without warm-up."
    ),
    base=EQUAL.replace(rounds=4, updates=16),
    arms={"rest-em": {"agent": "rest-em"}, "star": {"agent": "star"}},
    baseline="rest-em",
)

COOL_GRPO = {
    "agent": "grpo",
    "temperature": 0.6,
    "panel": CONTINUOUS.rewards.panel,
    "rank": CONTINUOUS.selection.rank,
    "selection": CONTINUOUS.selection.rule,
    **ONLINE_BATCHES,
}

EXPLORATION = Study(
    question="Does adapting the sampling temperature help, at equal cost?",
    design=(
        "The arms are M-STaR with different exploration controllers, each trained until it has "
        f"generated {BUDGET:,} training tokens. Temperature probes count towards this budget, so a "
        "controller that probes more trains less. In the paper the sweep takes 4 % of the tokens; "
        "here it takes far more, because rounds are small. fixed stays at temperature 1.0, cool "
        "at 0.6. by-prompt is paired with more samples for problems that lack correct responses. "
        "free and tampo probe nothing. grpo-cool is GRPO at temperature 0.6. noisy and grpo-noisy "
        "are cool and grpo-cool with half of the responses sampled from distorted images. "
        "The learning rate is the one that the study online chose for mstar, constant, without "
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
        "by-prompt": {"controller": "paired", "allocation": "by-prompt"},
        "grpo-cool": COOL_GRPO,
        "noisy": {"temperature": 0.6, "distorted": 0.5},
        "grpo-noisy": {**COOL_GRPO, "distorted": 0.5},
    },
    baseline="fixed",
    optional=(
        *("schedule", "pass@k", "balance", "entropy", "free", "tampo"),
        *("grpo-cool", "noisy", "grpo-noisy"),
    ),
)

LABELS = 128  # number of labelled problems, unless the arm says otherwise
FEW = {"unlabelled": 1 - LABELS / POOL}
NONE = {"unlabelled": 1.0}
# The process reward reweights the vote; what is learned is drawn at random as in the other arms.
JUDGE = {"judged": {"panel": ("correctness", "format", "process"), "rank": "process"}}

UNLABELLED = Study(
    question="Do problems without answers help, and what keeps their pseudo-labels reliable?",
    design=(
        f"About one in {POOL // LABELS} of the {POOL} training problems has an answer, the same "
        "ones in all arms except all-labels. few-labels learns from these alone. mix-in-P also "
        "learns from pseudo-labels, voted answers to the other problems, once P % of the rounds "
        "have passed. adaptive adds unlabelled problems only as far as the vote is right on "
        "validation problems. gold is mix-in-0 with a quarter of its training examples taken from "
        "32 worked solutions; adaptive-gold is adaptive with at most that share. The arms "
        "named by a vote have no labels at all: they use M-STaR's plain vote, the guarded one, "
        "agreement without a winner, or that reweighted by the process reward, with alarms that "
        "act or only warn. All arms sample in the same way. The learning rate is constant, "
        "without warm-up."
    ),
    base=EQUAL.replace(training_problems=POOL, rounds=8, prompts=LABELS, updates=8),
    arms={
        "few-labels": {**FEW, "unlabelled_start": 1.0},
        "all-labels": {},
        **{
            f"mix-in-{share}": {**FEW, "unlabelled_start": share / 100} for share in (0, 25, 50, 75)
        },
        "adaptive": {**FEW, "mixing": "adaptive"},
        "gold": {**FEW, "worked_examples": 0.25},
        "adaptive-gold": {**FEW, "mixing": "adaptive", "worked_examples": 0.25},
        **{
            f"{vote}-{guards}": {**NONE, **JUDGE.get(vote, {}), "vote": vote, "guards": guards}
            for vote in VOTES
            for guards in ("watch", "act")
        },
    },
    baseline="few-labels",
    optional=(
        "mix-in-25",
        "mix-in-75",
        *(f"{vote}-{guards}" for vote in ("agreement", "judged") for guards in ("watch", "act")),
    ),
)

PLATEAU = Study(
    question="Can a policy that has learned to reason learn to read from its own samples?",
    design=(
        "After `make demo` nearly all remaining errors are misread values. Every arm is that run, "
        "of the same model, problems and size, with one change. default has none, and the rows of "
        "the study default. grounded ranks right responses by how much more likely the image makes "
        "them, in place of the process reward. reading ranks them by the process reward of the "
        "steps that state something seen. harder draws problems of all families at levels 1 to 3, "
        "more of the kinds that are solved about half the time, and is tested like the others."
    ),
    base=CONTINUOUS.replace(**apart("default")),
    arms={
        "default": {},
        **{
            arm: {"agent": "continuous", "panel": ("correctness", "format", rank), "rank": rank}
            for arm, rank in (("grounded", "image_ablation"), ("reading", "reading"))
        },
        "harder": {"mixing": "curriculum"},
    },
    baseline="default",
)

WHOLE_ROUND = {"batch": 64, "minibatches": 4}  # all responses of a round, in 4 updates

LANGUAGE_MODEL = Study(
    question="Does a language model that nobody made for these problems learn from itself?",
    design=(
        "A description stands in place of the image, so that a language model can be trained "
        "that has never seen one: `--model` names it, put behind an untrained image tower by "
        "`mstar make-vlm`. Every run ends with the round in which it reaches the same number of "
        "generated training tokens; probes of a controller count. In each round all arms sample "
        "8 responses to each of 32 new problems at temperature 0.7, unless their controller "
        "moves it. continuous stays there; paired is the same with the controller paired and the "
        "allocation by-prompt; free has the controller that probes nothing; mstar, the default "
        "of `mstar train`, also ranks by the process reward that ships, which was made for "
        "another model. warm samples at temperature 1. two-epochs makes fewer updates where a "
        "round has few right responses. The online agents learn from all responses of a round in "
        "4 updates, the others from at most 48 in 6. All train a LoRA of rank 16 at a constant "
        "learning rate. Tests sample at temperature 0.7."
    ),
    base=RECIPES["language-model"].replace(
        families=(
            *("BarChart-v0", "Counting-v0", "Venn-v0", "Pictograph-v0", "IconArithmetic-v0"),
            "Shapes-v0",
        ),
        extra_families=("Dice-v0", "Ruler-v0"),
        rounds=48,
        token_budget=BUDGET,
        schedule="constant",
        warmup=0,
        test=300,
        test_samples=8,
    ),
    arms={
        "continuous": {},
        "paired": {"controller": "paired", "allocation": "by-prompt"},
        "free": {"controller": "free"},
        "mstar": apart("default"),
        "iterative-rft": {"agent": "iterative-rft"},
        "rest-em": {"agent": "rest-em"},
        "grpo": {"agent": "grpo", **WHOLE_ROUND},
        "rloo": {"agent": "rloo", **WHOLE_ROUND},
        "dapo": {"agent": "dapo", **WHOLE_ROUND},
        "warm": {"temperature": 1.0},
        "two-epochs": {"max_epochs": 2},
    },
    baseline="continuous",
    optional=("warm", "two-epochs"),
    tuning=TuningGrid(
        factors=(1 / 3, 1.0, 3.0),
        changes={"validation_problems": 120, "test": 1, "test_samples": 1, "extra_families": ()},
    ),
)

# The size at which the stored rows of `language-model` were made.
SMALL = {
    "families": ("BarChart-v0", "Counting-v0", "Venn-v0"),
    "token_budget": 24_000,
    "micro_batch": 8,
    "validation_problems": 16,
    "test": 144,
    "test_samples": 4,
}

LANGUAGE_MODEL_TUNED = Study(
    question="Which agent does most for a language model, each at its own learning rate?",
    design=(
        "This repeats the study language-model at its small size (three families at level 1, "
        "24,000 training tokens) with weights in bfloat16 and the learning rate of each arm that "
        "language-model-rates found: 9e-4 for iterative-rft and dapo, 3e-4 for the others, and "
        "1e-4 for grpo, for which the rate did not matter. tampo and free have these controllers, "
        "cold and warm sample at temperatures 0.4 and 1. All are also tested on two families that "
        "were not trained and one level higher."
    ),
    base=LANGUAGE_MODEL.base.replace(**SMALL, dtype="bfloat16", test_harder=True),
    arms={
        "continuous": {},
        "tampo": {"controller": "tampo"},
        "free": {"controller": "free"},
        "cold": {"temperature": 0.4},
        "warm": {"temperature": 1.0},
        "iterative-rft": {"agent": "iterative-rft", "learning_rate": 9e-4},
        "rest-em": {"agent": "rest-em"},
        "grpo": {"agent": "grpo", **WHOLE_ROUND},
        "rloo": {"agent": "rloo", **WHOLE_ROUND, "online_learning_rate": 3e-4},
        "dapo": {"agent": "dapo", **WHOLE_ROUND, "online_learning_rate": 9e-4},
    },
    baseline="continuous",
)

VOTED = {"unlabelled": 0.75, "unlabelled_start": 0.25}  # one round with labels alone

LANGUAGE_MODEL_UNLABELLED = Study(
    question="Do votes help a language model, where few problems have labels?",
    design=(
        "The model, the problems and the continuous training of language-model-tuned, in four "
        "rounds of 32 problems from 128. One in four has a label, the same ones in all arms but "
        "all-labels. few-labels learns from these alone. The others do so in their first round, "
        "then also from votes on problems without labels: M-STaR's plain vote, the guarded one, "
        "agreement without a winner (EvoLMM, arXiv 2511.16672), or that reweighted within bounds "
        "by the process reward (arXiv 2603.21289), with alarms that act or only warn."
    ),
    base=LANGUAGE_MODEL_TUNED.base.replace(
        training_problems=128, rounds=4, token_budget=0, extra_families=(), test_harder=False
    ),
    arms={
        "few-labels": {**VOTED, "unlabelled_start": 1.0},
        "all-labels": {},
        **{
            f"{vote}-{guards}": {**VOTED, **JUDGE.get(vote, {}), "vote": vote, "guards": guards}
            for guards in ("watch", "act")
            for vote in VOTES
        },
    },
    baseline="few-labels",
)

LANGUAGE_MODEL_EXAMPLES = Study(
    question="Do a few worked solutions bring within reach what a language model never solves?",
    design=(
        "The model and the continuous training of language-model-tuned on twice as many families "
        "at level 1, in six rounds of 32 problems. own learns from its own right responses alone. "
        "In examples a quarter of what it learns from are 24 worked solutions of training "
        "problems, in imitation all but one of 48. These solutions are labels. Tests sample 8 "
        "responses."
    ),
    base=LANGUAGE_MODEL_TUNED.base.replace(
        families=LANGUAGE_MODEL.base.families,
        rounds=6,
        token_budget=0,
        extra_families=(),
        test_harder=False,
        test=192,
        test_samples=8,
        worked_example_count=24,
    ),
    arms={
        "own": {},
        "examples": {"worked_examples": 0.25},
        "imitation": {"worked_examples": 47 / 48},
    },
    baseline="own",
)

STUDIES: dict[str, Study] = {
    "default": DEFAULT,
    "method-interval": METHOD_INTERVAL,
    "online": ONLINE,
    "selection": SELECTION,
    "hints": HINTS,
    "exploration": EXPLORATION,
    "unlabelled": UNLABELLED,
    "plateau": PLATEAU,
    "language-model": LANGUAGE_MODEL,
    "language-model-tuned": LANGUAGE_MODEL_TUNED,
    "language-model-unlabelled": LANGUAGE_MODEL_UNLABELLED,
    "language-model-examples": LANGUAGE_MODEL_EXAMPLES,
}
