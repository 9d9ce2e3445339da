"""The configuration of a run: one frozen `Recipe` of the groups of ``agents/settings.py``.

A setting has one short name, which is its flag on the command line, its key in ``Recipe.of`` and
``Recipe.replace``, and, but for the four that are called otherwise in their group, its field.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from mstar.agents.catalog import ONLINE_AGENTS
from mstar.agents.registry import did_you_mean, unknown
from mstar.agents.settings import (
    DataConfig,
    EvaluationConfig,
    ExplorationConfig,
    MixingConfig,
    ModelConfig,
    OnlineConfig,
    OptimConfig,
    RewardsConfig,
    RunConfig,
    SamplingConfig,
    SelectionConfig,
)
from mstar.envs.families.catalog import with_version

# KL coefficients for a recipe without one: the papers', and TRL's for online DPO.
KL_COEFFICIENTS: dict[str, float] = {
    "grpo": 0.04,
    "dr-grpo": 0.0,
    "dapo": 0.0,
    "gspo": 0.0,
    "rloo": 0.05,
    "online-dpo": 0.1,
}

# What a mixture has, and what a run on it is tested on besides, where a recipe names nothing.
TRAINED, EXTRA = ("Counting", "Dice", "Ruler", "Shapes"), ("BarChart", "Clock")
READ = {name: f"{name}-v0" for name in (*TRAINED, *EXTRA)}  # as the embedded model has read them
LENGTH_TERMS = ("brevity",)  # reward models that score how short a response is


@dataclass(frozen=True)
class Recipe:
    """All settings of a run, in groups."""

    run: RunConfig = field(default_factory=RunConfig)
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    exploration: ExplorationConfig = field(default_factory=ExplorationConfig)
    rewards: RewardsConfig = field(default_factory=RewardsConfig)
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    mixing: MixingConfig = field(default_factory=MixingConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    online: OnlineConfig = field(default_factory=OnlineConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self) -> None:
        agent, panel = self.run.agent, self.rewards.names
        if agent == "mstar" and ("process" not in panel or self.exploration.controller == "fixed"):
            raise ValueError(
                "agent 'mstar' is continuous training with a process reward in its panel and a "
                f"controller that moves; got the panel {panel} and the controller "
                f"{self.exploration.controller!r}. The recipe 'mstar' has both; without them it is "
                "'continuous'"
            )
        if self.evaluation.test_harder and self.data.level > 2:
            raise ValueError(
                f"test_harder needs a level above {self.data.level}, and there is none"
            )
        if self.model.quantize != "none" and self.sampling.engine_name != "local":
            raise ValueError(
                f"quantize is {self.model.quantize!r}, and engine {self.sampling.engine_name!r} "
                "takes whole weights; give --engine local, or leave --quantize out"
            )
        if self.selection.gate not in panel:
            raise ValueError(
                f"the gate {self.selection.gate!r} is not in the panel {panel}"
                f"{did_you_mean(self.selection.gate, panel) or '; add it to the panel'}"
            )
        if self.selection.rank not in ("reward", *panel):
            raise ValueError(
                f"the rank {self.selection.rank!r} is neither 'reward' nor in the panel {panel}"
                f"{did_you_mean(self.selection.rank, ['reward', *panel])}; give --rank reward, the "
                "combined one, or a name of the panel"
            )
        if self.selection.rank == "self_certainty" and not self.sampling.reports_certainty:
            raise ValueError(
                "vLLM does not report how certain the policy is, so rank cannot be "
                "'self_certainty'; give another --rank, such as reward"
            )
        if (
            self.mixing.unlabelled
            and self.mixing.vote == "judged"
            and (self.selection.rank == "self_certainty")
        ):
            raise ValueError(
                "vote 'judged' is reweighted by a judge that does not learn, and rank is "
                "'self_certainty', the policy's own; give --rank process with process in the panel"
            )
        if self.mixing.worked_examples and self.learns_online:
            raise ValueError(
                f"worked_examples is {self.mixing.worked_examples}, but {agent} learns from "
                "rewards and is shown no solutions; leave it at 0, or use an agent that fine-tunes"
            )
        if self.rewards.judge_refresh and (
            "process" not in panel or self.learns_online or agent == "sft"
        ):
            raise ValueError(
                f"judge_refresh is {self.rewards.judge_refresh}, with the panel {panel} and the "
                f"agent {agent!r}; it needs 'process' in the panel and an agent that selects"
            )

    @property
    def learns_online(self) -> bool:
        """Whether the agent learns from rewards, and not from selected responses."""
        return self.run.agent in ONLINE_AGENTS

    @property
    def kl_coefficient(self) -> float:
        """Coefficient of the KL divergence from the base policy; 0 where an agent has none."""
        given = self.online.kl_coefficient
        return KL_COEFFICIENTS.get(self.run.agent, 0.0) if given is None else given

    @property
    def resamplings(self) -> int:
        """How often groups without an advantage are replaced, at most; see ``dynamic_sampling``."""
        given = self.online.dynamic_sampling
        return (10 if self.run.agent == "dapo" else 0) if given is None else given

    @property
    def families(self) -> tuple[str, ...]:
        """Families of the mixture: the setting, or what suits the model."""
        return self._suited(TRAINED) if self.data.families is None else self.data.families

    @property
    def extra_families(self) -> tuple[str, ...]:
        """Further families to test on: the setting, or what suits the model."""
        given = self.evaluation.extra_families
        return self._suited(EXTRA) if given is None else given

    def _suited(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(READ[name] for name in names) if self.model.name == "embedded" else names

    @property
    def max_new_tokens(self) -> int:
        """Longest response, in tokens: the setting, or what suits the model."""
        given = self.sampling.max_new_tokens
        if given is not None:
            return given
        return 64 if self.model.name == "embedded" else 1024

    def resolved(self) -> Recipe:
        """The same recipe with what depends on the model, and versions of families, written out."""
        return self.replace(
            max_new_tokens=self.max_new_tokens,
            env=with_version(self.data.env),
            families=tuple(map(with_version, self.families)),
            extra_families=tuple(map(with_version, self.extra_families)),
            test_env=tuple(map(with_version, self.evaluation.test_envs)),
        )

    @property
    def reward_weights(self) -> dict[str, float]:
        """Weight of each reward model in the combined reward, by name."""
        panel = self.rewards.names
        if self.rewards.weights:
            return dict(zip(panel, self.rewards.weights, strict=True))
        gate = self.selection.gate
        return {name: float(not self.learns_online or name == gate) for name in panel}

    @property
    def pays_for_length(self) -> bool:
        """Whether an online agent's reward counts how short a response is."""
        counted = (self.reward_weights.get(name, 0.0) for name in LENGTH_TERMS)
        return self.learns_online and any(weight > 0 for weight in counted)

    @property
    def reward_rule(self) -> str:
        """The rule that combines the scores, a key of ``RULES``."""
        if self.rewards.rule != "default":
            return self.rewards.rule
        return "gated" if self.pays_for_length else "weighted_sum"

    @classmethod
    def of(cls, **settings: Any) -> Recipe:
        """The default recipe with some settings changed.

        >>> Recipe.of(rounds=2, top_k=4).selection.top_k
        4
        """
        return cls().replace(**settings)

    def replace(self, **settings: Any) -> Recipe:
        """This recipe with some settings changed, by their short names.

        Raises:
            ValueError: there is no such setting, or a value is of another type or out of its range.
        """
        changed: dict[str, dict[str, Any]] = {}
        for name, value in settings.items():
            if (found := SETTINGS.get(RENAMED.get(name, name))) is None:
                raise ValueError(unknown_setting(name))
            changed.setdefault(found[0], {})[found[1]] = _typed(name, value, HINTS[found])
        groups = {
            group: dataclasses.replace(getattr(self, group), **values)
            for group, values in changed.items()
        }
        return dataclasses.replace(self, **groups)

    def settings(self) -> dict[str, Any]:
        """Every setting by its short name."""
        return {name: getattr(getattr(self, group), own) for name, (group, own) in SETTINGS.items()}

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Recipe:
        """The recipe of a file: settings in groups, or flat as in runs before version 0.2.

        Settings that it lacks have their defaults.

        Raises:
            ValueError: it has a setting that does not exist, or a value that is out of range.
        """
        return cls().replace(**stored_settings(stored))


def stored_settings(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a file by their short names, from groups or flat, old names included.

    Raises:
        ValueError: a setting or a group that does not exist.
    """
    short = {where: name for name, where in SETTINGS.items()}
    found: dict[str, Any] = {}
    for name, value in stored.items():
        if name in GROUPS and isinstance(value, Mapping):
            for own, inner in value.items():
                if (name, own) not in short:
                    known = [each for group, each in short if group == name]
                    raise ValueError(unknown(f"setting of {name}", own, known))
                found[short[name, own]] = inner
        elif RENAMED.get(name, name) in SETTINGS:
            found[RENAMED.get(name, name)] = value
        else:
            raise ValueError(unknown_setting(name))
    return {name: tuple(v) if isinstance(v, list) else v for name, v in found.items()}


def unknown_setting(name: str) -> str:
    """The message for a name that no setting has, with the nearest; they are too many to list."""
    nearest = unknown("setting", name, [*GROUPS, *SETTINGS]).partition(" Known: ")[0]
    return f"{nearest} `mstar config` prints all settings"


def _settings() -> Iterator[tuple[str, tuple[str, str]]]:
    """Each setting's short name, its group, and its field there."""
    for group, kind in get_type_hints(Recipe).items():
        hints = get_type_hints(kind, include_extras=True)
        for own in dataclasses.fields(kind):
            extras = getattr(hints[own.name], "__metadata__", ())
            flags = [extra.name for extra in extras if getattr(extra, "name", None)]
            yield (flags[0] if flags else own.name).replace("-", "_"), (group, own.name)


def _typed(name: str, value: Any, hint: Any) -> Any:
    """The value of a setting, a whole number as a float where that is its type.

    Raises:
        ValueError: it is of another type, or none of a closed set.
    """
    if get_origin(hint) is Annotated:
        return _typed(name, value, get_args(hint)[0])
    if get_origin(hint) is Literal:
        known = _choices(hint)
        if value not in known:
            raise ValueError(unknown(name, str(value), known))
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple | list):
            raise ValueError(f"{name} must be a list, got {value!r}")
        return tuple(_typed(name, each, get_args(hint)[0]) for each in value)
    if get_origin(hint) is UnionType:
        return None if value is None else _typed(name, value, get_args(hint)[0])
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        kinds = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise ValueError(f"{name} must be {kinds[hint]}, got {value!r}")
    return value


def _choices(hint: Any) -> tuple[str, ...]:
    """The members of a Literal, those of Literals inside it too."""
    return tuple(
        choice
        for each in get_args(hint)
        for choice in (_choices(each) if get_origin(each) is Literal else (each,))
    )


GROUPS = tuple(each.name for each in dataclasses.fields(Recipe))
SETTINGS: dict[str, tuple[str, str]] = dict(_settings())
HINTS: dict[tuple[str, str], Any] = {
    (group, own): hint
    for group, kind in get_type_hints(Recipe).items()
    for own, hint in get_type_hints(kind, include_extras=True).items()
}

# Settings that decide how fast a run is and what it takes, but not what comes out, up to the
# rounding of floats. An address may change, but not whether there is a server.
FREE = frozenset(
    {
        "batch_rows",
        "gpu_memory",
        "gradient_checkpointing",
        "judge_prices",
        "save_total_limit",
        "micro_batch",
        "server",
        "threads",
        "weight_folder",
        "weight_transfer",
    }
)


def deciding(recipe: Recipe) -> dict[str, Any]:
    """The settings of a recipe that decide the result of its run, by their short names."""
    decides = {name: value for name, value in recipe.settings().items() if name not in FREE}
    return {**decides, "engine": recipe.sampling.engine_name}


def spanning(recipe: Recipe) -> list[str]:
    """What of a recipe is spread over all its rounds, so that these cannot become more."""
    found = {
        f"the schedule {recipe.optim.schedule!r}": not recipe.optim.schedule.startswith("constant"),
        "the controller 'schedule'": recipe.exploration.controller == "schedule",
        "distorted": bool(recipe.sampling.distorted),
        "unlabelled_start": bool(recipe.mixing.unlabelled and recipe.mixing.unlabelled_start),
    }
    return [name for name, spread in found.items() if spread]


# Names that settings had before version 0.2: flags and files with them are still read.
RENAMED = {
    "size": "image_size",
    "pool": "training_problems",
    "budget": "allocation",
    "first": "initial_samples",
    "keep": "top_k",
    "pseudo": "vote",
    "mix_in": "unlabelled_start",
    "gold": "worked_examples",
    "gold_set": "worked_example_count",
    "beta": "kl_coefficient",
    "held_out": "validation_problems",
    "held_out_samples": "validation_samples",
}
