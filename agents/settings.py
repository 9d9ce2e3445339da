"""The settings of a run, in groups: a frozen dataclass for each, which checks its own values.

``agents/config.py`` has the recipe that holds them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import arg

from mstar.agents.catalog import AGENTS
from mstar.agents.explore.catalog import CONTROLLERS, MIXINGS
from mstar.agents.registry import check_name, unknown
from mstar.agents.sampling.catalog import ENGINES
from mstar.envs.shown import Shown
from mstar.envs.task import Form
from mstar.envs.variants.instructions import FORM_INSTRUCTIONS
from mstar.envs.variants.phrasing import Axis
from mstar.rewards.models.format import ResponseForm
from mstar.rewards.pseudo_labels import VOTES, VoteName
from mstar.rewards.rules import RULES
from mstar.rewards.verifier.unfinished import Unfinished

Schedule = Literal["constant", "constant_with_warmup", "linear", "cosine"]
SelectionRule = Literal["all", "random-k", "top-k", "shortest-k", "threshold"]
Allocation = Literal["uniform", "by-prompt"]
Anneal = Literal["linear", "cosine"]
Optimizer = Literal[
    "adamw_torch_fused",
    "adamw_torch",
    "adafactor",
    "adamw_bnb_8bit",
    "paged_adamw_32bit",
    "paged_adamw_8bit",
]
WeightTransfer = Literal["auto", "nccl", "folder"]

MIXTURE = "mstar/Mixture-v2"  # with the families that a recipe names
FORMER_MIXTURES = ("mstar/Mixture-v0", "mstar/Mixture-v1")  # its ids in older recipes


def choice(names: Mapping[str, Any], flag: str | None = None) -> Any:
    """How the command line shows a setting that is a key of `names`: with all of them."""
    return arg(name=flag, metavar="{" + ",".join(names) + "}")


@dataclass(frozen=True)
class DataConfig:
    """Which problems the policy learns from, and how they are asked."""

    env: str = MIXTURE
    """Environment id, path to problems, ``hub:NAME``, or ``module:NAME`` for a family of yours."""
    fields: tuple[str, ...] = ()
    """How a data set is read, ``KEY=COLUMN`` each, such as ``answer=gold``, ``type=number``,
    ``unit==cm`` or ``on_error=skip``; see ``envs/datasets/field_map.py``."""
    families: tuple[str, ...] | None = None
    """Families of ``mstar/Mixture-v2``; None: Counting, Dice, Ruler, Shapes, the newest versions,
    or the ``-v0`` that the embedded model has read. A name without a version means the newest."""
    level: int = 1
    """Difficulty of generated problems, 1 to 3."""
    form: Form = "open"
    """``open``, or ``choice``: open questions get options to choose from."""
    show: Shown = "image"
    """What stands for the image in prompts: ``image``; ``caption``, a description in its place;
    ``both``; ``none``. Families describe their images; in a data set, ``--fields caption=COLUMN``
    does. Reward models see the image in any case."""
    phrasings: tuple[Axis, ...] = ()
    """What varies in the prompts from problem to problem and from round to round."""
    answer_form: ResponseForm = "answer"
    """What prompts ask for and ``format`` rewards: ``answer``, a line "Answer: ..." (any form that
    is recognised is rewarded); ``boxed``, ``\\boxed{}``; ``tags``, ``<answer>``; ``thinking``,
    ``<think>`` and then an answer."""
    instruction: str = "default"
    """Follows the question: a text, ``@FILE`` for the text of a file, ``none``, or ``default`` for
    what asks for ``answer_form``."""
    system: str = "none"
    """The system turn of every prompt: a text, ``@FILE``, ``data`` for the system prompts of a data
    set, or ``none``, with which those stand in front of its questions."""
    image_size: int = 96
    """Side of generated images, in pixels, 96 to 448."""
    training_problems: int = 0
    """Size of the training set, repeated once it is used up; 0: new problems without end."""
    audit: str = ""
    """A file of verdicts, or the folder of a run that has one: problems that people called bad
    (``mstar audit``) are no longer asked, from the next round on."""
    solve_rate: tuple[float, ...] = ()
    """Two shares: trains on the problems alone that the model solves this often, such as 0.1 0.9,
    as ``mstar envs solve-rate`` has measured it; the others teach little."""
    solve_rates: str = ""
    """The file of that measurement; empty: where that command puts it for this model and data."""

    def __post_init__(self) -> None:
        _at_least(0, self, "training_problems")
        if self.env in FORMER_MIXTURES:
            object.__setattr__(self, "env", MIXTURE)
        if self.solve_rate and not (
            len(self.solve_rate) == 2 and 0 <= self.solve_rate[0] <= self.solve_rate[1] <= 1
        ):
            raise ValueError(
                f"solve_rate is {self.solve_rate}; give two shares in [0, 1], the smaller one "
                "first: --solve-rate 0.1 0.9"
            )
        if self.solve_rates and not self.solve_rate:
            raise ValueError("solve_rates names a file, but no solve_rate says which to keep")
        for name in ("instruction", "system"):
            object.__setattr__(self, name, _text_or_file(name, getattr(self, name)))

    @property
    def instruction_text(self) -> str:
        """The instruction, with ``default`` and ``none`` resolved."""
        if self.instruction == "default":
            return FORM_INSTRUCTIONS[self.answer_form]
        return "" if self.instruction == "none" else self.instruction

    @property
    def system_text(self) -> str:
        """The system turn; "" for none, ``data`` for that of the data."""
        return "" if self.system == "none" else self.system

    @property
    def asking(self) -> dict[str, Any]:
        """How problems are asked, by the arguments of ``Task``."""
        return {
            "size": self.image_size,
            "form": self.form,
            "show": self.show,
            "instruction": self.instruction_text,
            "system": self.system_text,
        }


@dataclass(frozen=True)
class ModelConfig:
    """The model, and which of its weights are trained."""

    name: Annotated[str, arg(name="model")] = "embedded"
    """``embedded`` (the small model that ships), a folder, or a hub name."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the weights. Full fine-tuning of bfloat16 weights loses updates that are small beside a
    weight; LoRA does not, since its factors stay float32."""
    attention: Literal["auto", "eager"] = "auto"
    """``auto`` lets transformers choose; ``eager`` for a model whose faster attention fails."""
    lora_rank: int = 0
    """0 trains all weights; above, a LoRA of this rank on all linear layers."""

    quantize: Literal["none", "4bit"] = "none"
    """``4bit``: ``bitsandbytes`` keeps the weights under LoRA in 4 bits, a quarter of the memory of
    bfloat16 (QLoRA). Sampling is slower, since LoRA cannot be merged into them."""
    image_tower: Literal["auto", "frozen", "trained"] = "auto"
    """In full fine-tuning; ``auto`` trains the embedded model's and freezes all others', as is
    usual. LoRA never touches it."""
    min_pixels: int = 0
    """Fewest pixels of an image; smaller ones are enlarged. 0: the model's own bound."""
    max_pixels: int = 0
    """Most pixels of an image; larger ones are made smaller, which costs fewer tokens with most
    models: ``mstar envs validate --model`` tells how many. 0: the model's own bound."""

    def __post_init__(self) -> None:
        _at_least(0, self, "lora_rank", "min_pixels", "max_pixels")
        if 0 < self.max_pixels < self.min_pixels:
            raise ValueError(
                f"min_pixels is {self.min_pixels} and max_pixels {self.max_pixels}; the former "
                "must not be larger"
            )
        if self.quantize != "none" and not self.lora_rank:
            raise ValueError(
                f"quantize is {self.quantize!r}, and weights in 4 bits cannot be trained; give a "
                "--lora-rank, such as 16, or leave --quantize out"
            )

    @property
    def trains_image_tower(self) -> bool:
        """Whether full fine-tuning trains the image tower."""
        if self.image_tower == "auto":
            return self.name == "embedded"
        return self.image_tower == "trained"


@dataclass(frozen=True)
class SamplingConfig:
    """How responses are sampled for training."""

    prompts: int = 256
    """Problems of a round."""
    samples: int = 8
    """Responses per problem."""
    temperature: float = 1.0
    """Sampling temperature of the first round; the exploration controller may move it."""
    allocation: Allocation = "uniform"
    """``uniform``: equally many responses to every problem. ``by-prompt``: a few for each first,
    then more for those with fewer than ``top_k`` right ones, for the same number in all."""
    initial_samples: int = 2
    """How many those few are."""
    warming: float = 1.0
    """With ``by-prompt``: by what factor the temperature of a problem rises each time that it was
    sampled without a right response, in this round or in earlier ones; 1: it never does."""
    distorted: float = 0.0
    """Share of the responses to a problem that are sampled from a distorted image and learned from
    as responses to the clean one (NoisyRollout), in [0, 1)."""
    distortion: float = 0.25
    """Strength of that distortion at the start, in (0, 1]: the share of noise in the image's
    variance. It fades out over the run, by its rounds or its token budget, whichever ends first."""
    max_new_tokens: int | None = None
    """Longest response, in tokens; None: 64 for the embedded model, 1,024 for any other. What it
    cuts off is not right and not learned from; see ``unfinished``."""
    batch_rows: int = 256
    """Responses generated at the same time; fewer need less memory."""
    engine: Annotated[str, choice({"auto": "", **ENGINES})] = "auto"
    """What generates responses: ``local``, this process by transformers; ``vllm``, this process by
    vLLM; ``server``, a vLLM server; ``auto``, the server if its address is given, else ``local``;
    or ``module:Class`` of your own."""
    server: str = ""
    """Address of a vLLM server, such as http://localhost:8000."""
    weight_transfer: WeightTransfer = "auto"
    """How weights reach the server: ``nccl``, from GPU to GPU; ``folder``, written by the one and
    read by the other; ``auto``: by NCCL where both sides have it, else by a folder."""
    weight_folder: str = ""
    """That folder, under a path that both machines have; empty: a temporary one, for a server on
    this machine."""
    gpu_memory: float = 0.4
    """Share of the GPU's memory for the engine ``vllm``, in (0, 1)."""

    def __post_init__(self) -> None:
        _at_least(1, self, "prompts", "samples", "initial_samples", "batch_rows")
        if self.max_new_tokens is not None:
            _at_least(1, self, "max_new_tokens")
        if not 0 <= self.distorted < 1 or not 0 < self.distortion <= 1:
            raise ValueError(
                f"distorted must lie in [0, 1) and distortion in (0, 1], got {self.distorted} and "
                f"{self.distortion}"
            )
        if not 1 <= self.warming < inf:
            raise ValueError(f"warming must be 1 or more, and finite, got {self.warming}")
        if self.warming > 1 and self.allocation != "by-prompt":
            raise ValueError(
                f"warming is {self.warming}, but only the allocation 'by-prompt' samples a problem "
                "again; add --allocation by-prompt, or leave warming at 1"
            )
        check_name("engine", {"auto": "", **ENGINES}, self.engine)
        if self.server and not self.server.startswith(("http://", "https://")):
            raise ValueError(
                f"server is {self.server!r}; give an address such as http://localhost:8000"
            )
        if bool(self.server) != (self.engine_name == "server"):
            raise ValueError(
                f"engine is {self.engine!r} and server is {self.server!r}; give the engine "
                "'server' an address, such as --server http://localhost:8000, and the others none"
            )
        if not 0 < self.gpu_memory < 1:
            raise ValueError(f"gpu_memory must lie in (0, 1), got {self.gpu_memory}")

    @property
    def engine_name(self) -> str:
        """The engine, with ``auto`` resolved."""
        if self.engine != "auto":
            return self.engine
        return "server" if self.server else "local"

    @property
    def reports_certainty(self) -> bool:
        """Whether the engine reports entropy and certainty; vLLM reports neither."""
        return self.engine_name not in ("vllm", "server")


@dataclass(frozen=True)
class ExplorationConfig:
    """What moves the sampling temperature and the selection threshold between rounds."""

    controller: Annotated[str, choice(CONTROLLERS)] = "fixed"
    """The exploration controller, or ``module:Class`` of your own."""
    last_temperature: float = 0.6
    """Temperature of the last round, for the controller ``schedule``."""
    anneal: Anneal = "linear"
    """The way there."""

    def __post_init__(self) -> None:
        check_name("controller", CONTROLLERS, self.controller)
        _above_zero(self, "last_temperature")


@dataclass(frozen=True)
class MixingConfig:
    """Labelled problems, unlabelled problems and worked examples: how much of each."""

    unlabelled: float = 0.0
    """Share of the training problems whose answers are withheld. A vote among the responses to
    such a problem decides which of them pass the gate."""
    vote: VoteName = "guarded"
    """That vote: ``vote`` as in the paper; ``guarded``; ``agreement``, with which a response passes
    the more often the more agree with it; or ``judged``, the same, reweighted within bounds by
    ``rank``. Votes are weighted by ``rank``."""
    rule: Annotated[str, choice(MIXINGS, "mixing")] = "scheduled"
    """``scheduled``: by ``unlabelled_start``. ``adaptive``: unlabelled problems as far as the vote
    on validation problems proves right, worked examples as far as problems stay unsolved.
    ``curriculum``: of all families at levels 1 to 3, or all topics of a data set, most of those
    that the policy solves about half the time; it is evaluated at ``level``."""
    unlabelled_start: float = 0.0
    """Share of the rounds that pass before unlabelled problems are asked; 1: none is."""
    worked_examples: float = 0.0
    """Share of the training examples that are worked solutions, in [0, 1); the largest share, if
    ``mixing`` is ``adaptive``."""
    worked_example_count: int = 32
    """How many worked solutions there are to draw from."""
    worked_example_file: str = ""
    """A file of worked examples, as ``mstar audit --examples`` writes it; empty: the solutions of
    the training problems, where these have any."""

    @property
    def learns_from_votes(self) -> bool:
        """Whether any round asks problems without a label."""
        return self.unlabelled > 0 and self.unlabelled_start < 1

    def __post_init__(self) -> None:
        check_name("mixing", MIXINGS, self.rule)
        _at_least(1, self, "worked_example_count")
        for name in ("unlabelled", "unlabelled_start"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if self.vote not in VOTES:
            raise ValueError(unknown("vote", self.vote, VOTES))
        if not 0 <= self.worked_examples < 1:
            raise ValueError(f"worked_examples must lie in [0, 1), got {self.worked_examples}")
        if self.rule == "curriculum" and self.unlabelled:
            raise ValueError(
                f"unlabelled is {self.unlabelled}, but a curriculum goes by how often problems are "
                "solved, which needs labels; leave unlabelled at 0, or use another mixing"
            )
        adaptive = self.rule == "adaptive"
        if self.unlabelled == 1 and (self.unlabelled_start or self.worked_examples or adaptive):
            raise ValueError(
                "with unlabelled 1 there are no labelled problems for unlabelled_start, "
                "worked_examples or adaptive mixing; lower it"
            )
        if adaptive and self.unlabelled_start:
            raise ValueError(
                f"unlabelled_start is {self.unlabelled_start}, but adaptive mixing decides by "
                "itself when unlabelled problems begin; leave it at 0, or use scheduled mixing"
            )
        if adaptive and not self.unlabelled and not self.worked_examples:
            raise ValueError(
                "adaptive mixing has nothing to mix: give --unlabelled, --worked-examples or both "
                "a share above 0"
            )


@dataclass(frozen=True)
class RewardsConfig:
    """The reward models that judge responses."""

    panel: tuple[str, ...] = ("correctness", "format", "self_certainty")
    """Names of the reward models; ``FILE.py:NAME`` or ``module:NAME`` for one of your own, which
    may be a reward function of TRL. It is called NAME where a setting or a table speaks of it."""
    weights: tuple[float, ...] = ()
    """Their weights in the combined reward, in their order. By default 1 each, but for online
    agents, which learn from the combined reward, 1 for the gate and 0 for the others."""
    rule: Annotated[str, choice({"default": None, **RULES}, "rule")] = "default"
    """How the scores become one reward. ``default``: ``weighted_sum``, or ``gated`` for an online
    agent whose reward counts length, so that no wrong answer is paid for being short."""
    weighting: Literal["fixed", "agreement"] = "fixed"
    """``agreement``: after every round each weight follows how well the reward model agrees with
    the verifier on validation problems."""
    unfinished: Unfinished = "nothing"
    """Which responses that ``max_new_tokens`` cut off are judged at all: ``nothing``;
    ``committed``, those with a complete explicit answer; ``everything``. The others earn 0, are not
    learned from, and are wrong in every evaluation."""
    step_judge: str = "embedded"
    """Folder of the process reward model, for a panel with ``process``; ``embedded`` ships."""
    judge_refresh: int = 0
    """Every so many rounds the process reward model is trained on the newest responses; 0: never.
    For agents that select, with ``process`` in the panel."""
    outcome_judge: str = ""
    """Folder of the outcome reward model, for a panel with ``outcome``."""
    judge_url: str = ""
    """Base of an OpenAI-compatible endpoint for ``self_judge``, with the key in the environment
    variable MSTAR_JUDGE_KEY; empty: the run's own model judges."""
    judge_model: str = ""
    """The endpoint's name of the model."""
    judge_prices: tuple[float, ...] = ()
    """Two numbers: what a million tokens of its prompts cost, and of its replies. Calls and tokens
    are counted in the cost of a round in any case."""

    def __post_init__(self) -> None:
        _at_least(0, self, "judge_refresh")
        if self.rule != "default" and self.rule not in RULES:
            raise ValueError(unknown("rule", self.rule, ["default", *RULES]))
        if "correctness" not in self.panel:
            raise ValueError(
                f"the panel {self.panel} lacks 'correctness', by which every round's accuracy is "
                "measured; add it, with weight 0 if it is not to count: --panel correctness ..."
            )
        if self.weights and len(self.weights) != len(self.panel):
            raise ValueError(
                f"{len(self.weights)} weights are given for the panel {self.panel}; give one for "
                "each, in its order"
            )
        if self.weights and not (min(self.weights) >= 0 and 0 < sum(self.weights) < inf):
            raise ValueError(f"weights must be finite, >= 0 and not all 0, got {self.weights}")
        if self.judge_prices and (len(self.judge_prices) != 2 or min(self.judge_prices) < 0):
            raise ValueError(
                f"judge_prices is {self.judge_prices}; give two numbers, of a million tokens of "
                "prompts and of replies: --judge-prices 0.15 0.6"
            )
        if bool(self.judge_url) != bool(self.judge_model):
            raise ValueError(
                f"judge_url is {self.judge_url!r} and judge_model is {self.judge_model!r}; give "
                "both for an endpoint, or neither for the run's own model"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the panel's columns."""
        return tuple(described.rpartition(":")[2] for described in self.panel)


@dataclass(frozen=True)
class SelectionConfig:
    """Which responses the policy is fine-tuned on."""

    gate: str = "correctness"
    """The score that must be 1 for a response to be learned from."""
    rank: str = "self_certainty"
    """The score that ranks the responses that passed; ``reward`` is the combined one."""
    rule: Annotated[SelectionRule, arg(name="selection")] = "random-k"
    """Which of those that passed are kept."""
    top_k: int = 2
    """How many per problem, for ``random-k``, ``top-k`` and ``shortest-k``."""
    threshold: float = 0.5
    """Smallest ranking score, for ``threshold``."""

    def __post_init__(self) -> None:
        _at_least(1, self, "top_k")


@dataclass(frozen=True)
class OptimConfig:
    """Fine-tuning."""

    updates: int = 12
    """Optimizer updates of a round; fewer where ``max_epochs`` ends it."""
    batch: int = 32
    """Responses that an update learns from."""
    max_epochs: int = 0
    """How often a round learns from the same response at most, in whole updates: a round with few
    right responses then makes few updates. 0: as often as it takes to fill all ``updates``."""
    micro_batch: int = 0
    """Responses of one forward and backward pass, whose gradients add up to those of ``batch``; 0:
    all. A run that is out of memory halves it and goes on."""
    optimizer: Optimizer = "adamw_torch_fused"
    """By its name in transformers. Those of ``bitsandbytes``, with ``8bit`` or ``paged`` in their
    names, keep their moments small or outside of the GPU."""
    learning_rate: float = 1e-4
    """Of fine-tuning, after warm-up."""
    schedule: Schedule = "constant_with_warmup"
    """Of the learning rate, by its name in transformers."""
    warmup: int = 10
    """Updates of linear warm-up."""
    bf16: bool = False
    """Train under bfloat16 autocast."""
    gradient_checkpointing: bool = False
    """Less memory, more time."""

    def __post_init__(self) -> None:
        _at_least(1, self, "updates", "batch")
        _at_least(0, self, "warmup", "micro_batch", "max_epochs")
        _above_zero(self, "learning_rate")
        if self.micro_batch and self.batch % self.micro_batch:
            raise ValueError(
                f"batch is {self.batch}, which is no multiple of micro_batch ({self.micro_batch}); "
                "give one that divides it"
            )

    @property
    def passes(self) -> int:
        """Forward and backward passes of an update."""
        return self.batch // (self.micro_batch or self.batch)


@dataclass(frozen=True)
class OnlineConfig:
    """Settings of the online agents alone."""

    learning_rate: Annotated[float, arg(name="online-learning-rate")] = 1e-4
    """After warm-up."""
    minibatches: int = 4
    """Updates from one sampling; 1 is strictly on-policy."""
    kl_coefficient: float | None = None
    """Pull to the base policy; None: the value of the algorithm's paper."""
    dynamic_sampling: int | None = None
    """How often, at most, the groups of a sampling whose responses are all right or all wrong are
    replaced by those of fresh problems; 0: never. None: 10 for ``dapo``, 0 for the others."""

    def __post_init__(self) -> None:
        _at_least(1, self, "minibatches")
        if self.dynamic_sampling is not None:
            _at_least(0, self, "dynamic_sampling")
        if not self.learning_rate > 0:
            raise ValueError(f"online_learning_rate must be above 0, got {self.learning_rate}")
        if self.kl_coefficient is not None and not 0 <= self.kl_coefficient < inf:
            raise ValueError(f"kl_coefficient must be finite and >= 0, got {self.kl_coefficient}")


@dataclass(frozen=True)
class EvaluationConfig:
    """Validation after every round, and the final test of base against evolved policy."""

    validation_problems: int = 120
    """Problems that every round is evaluated on."""
    validation_samples: int = 4
    """Samples per validation problem and temperature."""
    test_problems: Annotated[int, arg(name="test")] = 600
    """Problems of the final test."""
    test_samples: int = 8
    """Samples per test problem."""
    test_temperature: float = 1.0
    """At which they are sampled, whatever the run trains at."""
    extra_families: tuple[str, ...] | None = None
    """Further families to test on, never trained on in the run; None: BarChart and Clock, in the
    versions of ``families``."""
    test_harder: bool = False
    """Test the families of a mixture one level up as well."""
    test_envs: Annotated[tuple[str, ...], arg(name="test-env")] = ()
    """Further environments to test on, after every round and at the end; never trained on."""

    def __post_init__(self) -> None:
        _at_least(1, self, "validation_problems", "validation_samples", "test_samples")
        _at_least(1, self, "test_problems")
        _above_zero(self, "test_temperature")


@dataclass(frozen=True)
class RunConfig:
    """The agent, the length of the run, and its safeguards."""

    agent: Annotated[str, choice(AGENTS)] = "continuous"
    """The learning algorithm, or ``module:Class`` of your own."""
    rounds: int = 6
    """Rounds of sample, judge, select, fine-tune, evaluate, adjust; the most there are."""
    token_budget: int = 0
    """The run ends with the round in which the tokens generated for training (see ``Cost``) reach
    this; 0: no limit. What is set by the share of the rounds, such as a decaying learning rate and
    ``unlabelled_start``, still spans ``rounds``."""
    save_total_limit: int = 2
    """Rounds whose weights are kept, the newest among them, beside those of the best; 0: all."""
    guards: Literal["act", "watch"] = "act"
    """Whether alarms have consequences (``act``) or are only reported (``watch``)."""
    canaries: Literal["stop", "warn"] = "stop"
    """Whether a run that would learn from junk answers ends before it starts (``stop``), or is
    only warned about (``warn``), as control experiments need it."""
    seed: int = 0
    """Of problems, sampling and selection."""
    threads: int = 1
    """Of torch on a CPU; two busy processes with two threads each are slower than with one."""

    def __post_init__(self) -> None:
        _at_least(1, self, "rounds", "threads")
        _at_least(0, self, "seed", "token_budget", "save_total_limit")
        check_name("agent", AGENTS, self.agent)


def _text_or_file(name: str, value: str) -> str:
    """A text, or that of the file behind ``@``: a stored recipe does not depend on the file."""
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{name} is {value!r}, but that file cannot be read as text: {error}"
        ) from None


def _at_least(least: int, config: Any, *names: str) -> None:
    """Raise ValueError where one of these fields is smaller."""
    rule = "at least 1" if least else "0 or more"
    for name in names:
        if getattr(config, name) < least:
            raise ValueError(f"{name} must be {rule}, got {getattr(config, name)}")


def _above_zero(config: Any, *names: str) -> None:
    """Raise ValueError where one of these fields is 0, negative or NaN."""
    for name in names:
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} must be above 0, got {getattr(config, name)}")
