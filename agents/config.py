"""A recipe: everything that decides a run, in one frozen place."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal, get_args

from mstar.agents.config_checks import (
    check_judges,
    check_panel,
    check_server,
    check_unlabelled,
)
from mstar.agents.explore.catalog import Anneal, ControllerName
from mstar.agents.explore.data_mix import MixingName
from mstar.agents.explore.sample_allocation import Budget
from mstar.envs.task import Form
from mstar.envs.variants.phrasing import Axis
from mstar.rewards.voting import VoteName

Inherit = Literal["policy+optimizer+schedule", "policy", "nothing"]
Schedule = Literal["constant", "constant_with_warmup", "linear", "cosine"]
SelectionRule = Literal["all", "random-k", "top-k", "shortest-k", "threshold"]
OnlineName = Literal["grpo", "dr-grpo", "dapo", "gspo", "rloo", "online-dpo"]
AgentName = Literal["mstar", "continuous", "iterative-rft", "rest-em", "star", "sft", OnlineName]

# What each agent inherits from one round to the next; the first four otherwise are one loop.
INHERITS: dict[AgentName, Inherit] = {
    "mstar": "policy+optimizer+schedule",
    "continuous": "policy+optimizer+schedule",
    "iterative-rft": "policy",
    "rest-em": "nothing",
    "star": "nothing",
    "sft": "policy+optimizer+schedule",
}


AT_LEAST_ONE = (
    *("rounds", "prompts", "samples", "first", "keep", "updates", "batch", "minibatches"),
    *("max_new_tokens", "batch_rows", "threads", "gold_set"),
    *("held_out", "held_out_samples", "test", "test_samples"),
)


@dataclass(frozen=True)
class Recipe:
    """What a run is; any field can be overridden on the command line.

    Attributes:
        agent: how rounds follow on one another.
        env: environment id, a path to problems, ``hub:NAME``, or ``module:NAME`` for a family of
            your own.
        fields: how a data set is read, ``KEY=COLUMN`` each, such as ``answer=gold``,
            ``type=number``, ``unit==cm`` or ``on_error=skip``; see ``FieldMap`` in
            envs/datasets/field_map.py.
        families: families of a mixture, used when ``env`` is ``mstar/Mixture-v0``.
        level: difficulty of generated problems, 1 to 3.
        form: open, or choice: open questions get options to choose from.
        unlabelled: share of the training problems whose answers are withheld. Where the gate has
            nothing to go by, a vote among the responses says which of them pass it.
        pseudo: that vote: ``vote`` as in the paper, or ``guarded``. Votes weigh by ``rank``.
        mixing: of labelled and unlabelled problems and gold: ``scheduled`` by ``mix_in``, or
            ``adaptive``, unlabelled problems as far as the vote on held-out ones proves right.
        mix_in: share of the rounds that pass before unlabelled problems are asked; 1: none is.
        gold: share of the lessons that are worked solutions, in [0, 1); the greatest, if adaptive.
        gold_set: how many worked solutions there are to draw those from.
        phrasings: what of the prompts varies from problem to problem and round to round.
        size: side of generated pictures, in pixels, 96 to 448.
        model: ``embedded``, a folder, or a hub name.
        server: address of a vLLM server that samples, see
            ``agents/sampling/vllm_client.py``; none: this process.
        rounds: sample, judge, select, fine-tune, measure, adjust: so many times at most.
        token_budget: the run ends with the round in which the tokens of its practice (see
            ``Cost``) reach this; 0 sets no limit. A decaying schedule still spans all rounds.
        pool: how many training problems there are; behind the last comes the first again. 0 gives
            fresh ones without end.
        prompts: problems of a round.
        samples: responses per problem.
        budget: of samples: the same for every problem, or by prompt: a few of each first, then
            more of those with fewer than ``keep`` right ones; no more in all.
        first: how many those few are.
        temperature: of sampling, at the start.
        max_new_tokens: longest response.
        batch_rows: responses written at the same time; fewer need less memory.
        panel: names of the reward models that judge.
        weights: of the panel's reward models in the combined reward, in their order; if none are
            given, 1 each, but the gate alone for the online agents, which learn from the reward.
        step_judge: folder of the process reward model, for a panel with ``process``; ``embedded``
            is the one that ships.
        judge_refresh: every so many rounds the step judge learns from the newest responses; 0 is
            never. For the agents that select, with ``process`` in the panel.
        outcome_judge: folder of the outcome reward model, for a panel with ``outcome``.
        judge_url: base of an OpenAI-compatible endpoint that ``self_judge`` asks, with the key in
            the environment variable MSTAR_JUDGE_KEY; if left out, it asks the run's own model.
        judge_model: the endpoint's name of the model.
        weighting: of the panel: ``fixed``, or by each model's ``agreement`` with the verifier on
            the held-out problems, after every round.
        gate: the score that must be 1 for a response to be learned from.
        rank: the score that ranks what passed the gate; ``reward`` is the combined one.
        selection: which of those that passed are kept.
        keep: how many of a problem, for ``random-k``, ``top-k`` and ``shortest-k``.
        threshold: least ranking score, for ``threshold``.
        controller: what moves temperature and threshold between rounds.
        last_temperature: of the last round, for the controller ``schedule``.
        anneal: the way there.
        updates: optimizer updates of a round.
        batch: responses of an update.
        learning_rate: after warm-up, of fine-tuning.
        online_learning_rate: after warm-up, of the online agents.
        minibatches: updates from one sampling of an online agent; 1 is strictly on-policy.
        beta: an online agent's pull to the base policy; None takes that of its paper.
        schedule: of the learning rate, by its name in transformers.
        warmup: updates of linear warm-up.
        lora_rank: 0 trains all weights; above, a LoRA of this rank on all linear layers.
        dtype: of the weights; full fine-tuning of bfloat16 weights loses updates that are small
            beside a weight, LoRA does not, as its factors stay float32.
        bf16: bfloat16 autocast in training.
        gradient_checkpointing: less memory, more time.
        held_out: validation problems measured after every round.
        held_out_samples: samples per validation problem and temperature.
        test: test problems for base against evolved.
        test_samples: samples per test problem, at temperature 1.
        extra_families: further families to test on, never trained on in the run.
        test_harder: test a mixture's families one level up as well.
        guards: whether alarms have consequences (``act``) or are only told (``watch``).
        canaries: whether a run that would learn from junk ends before it starts (``stop``), or is
            only told so (``warn``), as controls need it.
        seed: of problems, sampling and selection.
        threads: of torch on a CPU; two busy processes with two threads each are slower than one.
    """

    agent: AgentName = "continuous"
    env: str = "mstar/Mixture-v0"
    fields: tuple[str, ...] = ()
    families: tuple[str, ...] = (
        "Counting",
        "Dice",
        "Ruler",
        "Shapes",
    )
    level: int = 1
    form: Form = "open"
    unlabelled: float = 0.0
    pseudo: VoteName = "guarded"
    mixing: MixingName = "scheduled"
    mix_in: float = 0.0
    gold: float = 0.0
    gold_set: int = 32
    phrasings: tuple[Axis, ...] = ()
    size: int = 96
    model: str = "embedded"
    server: str = ""
    rounds: int = 6
    token_budget: int = 0
    pool: int = 0
    prompts: int = 256
    samples: int = 8
    budget: Budget = "uniform"
    first: int = 2
    temperature: float = 1.0
    max_new_tokens: int = 64
    batch_rows: int = 256
    panel: tuple[str, ...] = ("correctness", "format", "self_certainty")
    weights: tuple[float, ...] = ()
    step_judge: str = "embedded"
    judge_refresh: int = 0
    outcome_judge: str = ""
    judge_url: str = ""
    judge_model: str = ""
    weighting: Literal["fixed", "agreement"] = "fixed"
    gate: str = "correctness"
    rank: str = "self_certainty"
    selection: SelectionRule = "random-k"
    keep: int = 2
    threshold: float = 0.5
    controller: ControllerName = "fixed"
    last_temperature: float = 0.6
    anneal: Anneal = "linear"
    updates: int = 12
    batch: int = 32
    learning_rate: float = 1e-4
    online_learning_rate: float = 1e-4
    minibatches: int = 4
    beta: float | None = None
    schedule: Schedule = "constant_with_warmup"
    warmup: int = 10
    lora_rank: int = 0
    dtype: Literal["float32", "bfloat16"] = "float32"
    bf16: bool = False
    gradient_checkpointing: bool = False
    held_out: int = 120
    held_out_samples: int = 4
    test: int = 600
    test_samples: int = 8
    extra_families: tuple[str, ...] = ("BarChart", "Clock")
    test_harder: bool = False
    guards: Literal["act", "watch"] = "act"
    canaries: Literal["stop", "warn"] = "stop"
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if self.agent not in get_args(AgentName):
            raise ValueError(
                f"there is no agent {self.agent!r}; known: {', '.join(get_args(AgentName))}"
            )
        if self.agent == "mstar" and ("process" not in self.panel or self.controller == "fixed"):
            raise ValueError(
                "agent 'mstar' is continuous training with a process reward in its panel and a "
                f"controller that moves; got the panel {self.panel} and the controller "
                f"{self.controller!r}. The recipe 'mstar' has both; without them it is 'continuous'"
            )
        for name in AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("learning_rate", "online_learning_rate", "last_temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("warmup", "lora_rank", "seed", "token_budget", "pool", "judge_refresh"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if self.test_harder and self.level > 2:
            raise ValueError(f"test_harder needs a level above {self.level}, and there is none")
        check_unlabelled(self)
        check_panel(self)
        check_judges(self)
        check_server(self)
        if self.beta is not None and not 0 <= self.beta < inf:
            raise ValueError(f"beta must be finite and >= 0, got {self.beta}")

    @property
    def online(self) -> bool:
        """Whether the agent learns from rewards, and not from chosen responses."""
        return self.agent in get_args(OnlineName)

    @property
    def reward_weights(self) -> dict[str, float]:
        """Weight of each reward model in the combined reward, by name."""
        if self.weights:
            return dict(zip(self.panel, self.weights, strict=True))
        return {name: float(not self.online or name == self.gate) for name in self.panel}
