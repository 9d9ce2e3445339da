"""TRL's online trainers on our environments: rewards, abstentions, temperature, resuming."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from closeness import assert_weights_agree, same_weights, within_rounding
from tiny_runs import Even, agent_of, weights

from mstar.agents.config import Recipe
from mstar.agents.explore.base import Fixed
from mstar.agents.online import trl_bridge
from mstar.agents.online.agent import Online
from mstar.agents.online.scoring import SampledInputs, whole_groups
from mstar.agents.online.trl_bridge import RULE
from mstar.agents.policy.packing import in_rows
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import padded
from mstar.agents.sampling.decoding import prefill
from mstar.agents.sampling.likelihood import response_logits
from mstar.agents.types import Rollout, SamplingPlan
from mstar.envs.problem import Problem
from mstar.experiments.run.problems import open_task
from mstar.rewards.base import Attempt, RewardModel, Scores
from mstar.rewards.panel import RewardPanel

ONLINE: tuple[str, ...] = ("grpo", "rloo", "online-dpo")  # one of each trainer


class Judge:
    """A reward model of a function of each attempt."""

    def __init__(self, name: str, worth: Callable[[Attempt], float]) -> None:
        self.name, self._worth = name, worth

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        return np.array([self._worth(attempt) for attempt in attempts], np.float32)


def even(attempt: Attempt) -> bool:
    return len(attempt.response) % 2 == 0


def online(policy: Policy, folder: Path, *judges: RewardModel, **changes: Any) -> Online:
    agent = agent_of(policy, folder, RewardPanel(judges), **changes)
    assert isinstance(agent, Online)
    return agent


def codes(attempt: Attempt) -> float:
    """The share of the characters that have an even code."""
    return float(np.mean([ord(character) % 2 == 0 for character in attempt.response] or [0.5]))


@pytest.mark.parametrize("agent", ONLINE)
def test_rewarded_responses_become_more_frequent(
    policy: Policy, tmp_path: Path, agent: str
) -> None:
    changes: dict[str, Any] = {"prompts": 16, "samples": 4, "batch": 8, "rounds": 2}
    changes |= {"held_out": 1, "held_out_samples": 1}
    rates = {"online_learning_rate": 1e-2, "schedule": "constant", "warmup": 0, "beta": 0.01}
    share = {}  # of even codes, by round; its updates begin within the first
    for wish, score in (("even", codes), ("odd", lambda attempt: 1 - codes(attempt))):
        own = Policy(copy.deepcopy(policy.model), policy.processor)
        judge = Judge("correctness", score)
        learner = online(own, tmp_path / wish, judge, agent=agent, **changes, **rates)
        _, *rounds = learner.learn()
        learner.close()
        rewards = [np.mean([r.reward for r in done.rollouts]) for done in rounds]
        share[wish] = rewards if wish == "even" else [1 - reward for reward in rewards]
    # Means of 64 responses have a standard error of about 0.03.
    assert share["even"][1] > share["odd"][1] + 0.1, share
    assert share["even"][1] > share["even"][0], share


@pytest.mark.parametrize("agent", ["continuous", "grpo", "online-dpo"])
def test_agents_learn_from_descriptions_in_place_of_images(
    policy: Policy, tmp_path: Path, agent: str
) -> None:
    learner = agent_of(
        policy, tmp_path, RewardPanel([Judge("correctness", even)]), agent=agent, show="caption"
    )
    before, (_, done) = weights(policy), learner.learn(1)
    learner.close()
    assert {len(rollout.prompt.images) for rollout in done.rollouts} == {0}
    assert all(rollout.prompt.text.startswith("The picture") for rollout in done.rollouts)
    assert learner.sampler.images_encoded == 0
    assert any(not torch.equal(before[name], weight) for name, weight in weights(policy).items())


@pytest.mark.parametrize("agent", ["grpo", "dapo", "rloo"])
def test_a_micro_batch_changes_the_memory_and_not_the_gradients(
    policy: Policy, tmp_path: Path, agent: str
) -> None:
    policy.model.double()  # batches of other sizes round differently; see ``closeness``
    # Every fourth token ends a response: DAPO learns from none that was cut.
    policy.model.generation_config.eos_token_id = [1, *range(4, 72)]
    base = weights(policy)
    judge = Judge("correctness", codes)
    learned = []
    for micro_batch in (0, 2):
        copied = Policy(copy.deepcopy(policy.model), policy.processor)
        changes: dict[str, Any] = {"batch": 4, "minibatches": 2, "rounds": 1, "held_out": 1}
        rates = {"online_learning_rate": 1e-2, "warmup": 0}
        folder = tmp_path / str(micro_batch)
        learner = online(
            copied, folder, judge, agent=agent, micro_batch=micro_batch, **changes, **rates
        )
        _, done = learner.learn()
        learner.close()
        assert done.finetuned is not None
        assert done.finetuned.updates == 2
        learned.append(weights(copied))
    assert not same_weights(learned[0], base)
    assert_weights_agree(learned[1], learned[0], learning_rate=1e-2)


@pytest.mark.parametrize("agent", ["grpo", "rloo"])
def test_packed_rows_train_as_rows_of_their_own_and_read_a_prompt_once(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: str
) -> None:
    policy.model.double()
    base = weights(policy)
    changes: dict[str, Any] = {"prompts": 4, "samples": 4, "batch": 8, "minibatches": 2}
    changes |= {"rounds": 1, "held_out": 1, "online_learning_rate": 1e-2, "warmup": 0, "beta": 0.1}
    learned, costs = [], []
    for packs in (None, False):
        monkeypatch.setattr(SampledInputs, "packs", packs)
        copied = Policy(copy.deepcopy(policy.model), policy.processor)
        learner = online(
            copied, tmp_path / str(packs), Judge("correctness", codes), agent=agent, **changes
        )
        _, done = learner.learn()
        learner.close()
        assert done.finetuned is not None
        learned.append(weights(copied))
        costs.append((done.finetuned.prompts, done.cost.flops))
    assert not same_weights(learned[0], base)
    assert_weights_agree(learned[1], learned[0], learning_rate=1e-2)
    (shared, cheaper), (own, dearer) = costs
    assert (shared, own) == (1 / 4, 1)
    assert cheaper < dearer


def test_long_responses_to_one_prompt_stand_in_several_rows(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = []
    for longest in (1000, 0):
        monkeypatch.setattr(trl_bridge, "longest_row", lambda *_, most=longest: most)
        copied = Policy(copy.deepcopy(policy.model), policy.processor)
        changes: dict[str, Any] = {"samples": 4, "batch": 4, "rounds": 1, "held_out": 1}
        learner = online(
            copied, tmp_path / str(longest), Judge("correctness", codes), agent="grpo", **changes
        )
        _, done = learner.learn()
        learner.close()
        assert done.finetuned is not None
        shares.append(done.finetuned.prompts)
    assert shares == [1 / 4, 1]
    responses = [[1] * 5, [2] * 3, [3] * 9, [4]]
    assert in_rows(responses, prompt=10, longest=20) == [responses[:2], responses[2:3], [[4]]]
    assert in_rows(responses, prompt=10, longest=5) == [[each] for each in responses]


def test_an_update_learns_from_whole_groups() -> None:
    batches = [
        {"row": torch.tensor([[3], [0], [7]]), "key": ["b", "a", "c"], "all": torch.tensor(9)},
        {"row": torch.tensor([[1], [4], [8]]), "key": ["a", "b", "c"], "all": torch.tensor(9)},
    ]
    first, second = whole_groups(batches)
    assert (first["key"], second["key"]) == (["b", "b", "a"], ["a", "c", "c"])
    assert (first["row"].tolist(), second["row"].tolist()) == ([[3], [4], [0]], [[1], [7], [8]])
    assert (int(first["all"]), int(second["all"])) == (9, 9)


# What each attempt is worth to two judges whose mean is 1 for everyone who has one at all.
UNIFORM: list[tuple[Callable[[Attempt], float], Callable[[Attempt], float]]] = [
    (lambda a: 1.0 if even(a) else np.nan, lambda a: 1.0 if even(a) else np.nan),
    (lambda _: 1.0, lambda a: 1.0 if even(a) else np.nan),
]


@pytest.mark.parametrize("agent", ONLINE)
@pytest.mark.parametrize("worths", UNIFORM)
def test_an_abstention_differs_from_a_score_of_0(
    policy: Policy,
    loaded: Policy,
    tmp_path: Path,
    agent: str,
    worths: tuple[Callable[[Attempt], float], Callable[[Attempt], float]],
) -> None:
    first, second = worths
    judges = [Judge("correctness", first), Judge("other", second)]
    settings: dict[str, Any] = {"rounds": 1, "beta": 0.1, "held_out": 1}
    learner = online(policy, tmp_path / "nan", *judges, agent=agent, **settings)
    list(learner.learn())
    learner.close()
    assert same_weights(weights(policy), weights(loaded))
    zeros = [
        Judge("correctness", lambda a: float(np.nan_to_num(first(a)))),
        Judge("other", lambda a: float(np.nan_to_num(second(a)))),
    ]
    learner = online(policy, tmp_path / "zero", *zeros, agent=agent, **settings)
    list(learner.learn())
    learner.close()
    assert not same_weights(weights(policy), weights(loaded))


@pytest.mark.parametrize("agent", ["grpo", "rloo"])
def test_each_reward_model_is_a_column_of_trl(policy: Policy, tmp_path: Path, agent: str) -> None:
    half = Judge("half", lambda a: 0.5 if even(a) else np.nan)
    learner = online(policy, tmp_path, Even(), half, agent=agent, rounds=1, minibatches=4)
    learner.task.panel.weights["half"] = 3.0
    _, done = learner.learn()
    learner.close()
    assert learner.trainer.reward_func_names == ["correctness", "half", RULE]
    assert learner.trainer.reward_weights.tolist() == [0.25, 0.75, 1.0]
    (log,) = [e for e in learner.trainer.state.log_history if "rewards/half/mean" in e]
    for name in ("correctness", "half"):
        scores = np.array([r.scores[name] for r in done.rollouts])
        assert log[f"rewards/{name}/mean"] == pytest.approx(np.nanmean(scores))
    assert log["reward"] == pytest.approx(np.mean([r.reward for r in done.rollouts]))
    # Odd responses: their one score, 0, is their reward. Even ones: 0.25 x 1 + 0.75 x 0.5.
    assert {round(r.reward, 6) for r in done.rollouts} == {0.0, 0.625}


def test_online_agents_weight_the_gate_alone_unless_the_recipe_gives_weights() -> None:
    loop, grpo = Recipe(), Recipe.of(agent="grpo")
    assert loop.reward_weights == {"correctness": 1.0, "format": 1.0, "self_certainty": 1.0}
    assert grpo.reward_weights == {"correctness": 1.0, "format": 0.0, "self_certainty": 0.0}
    told = grpo.replace(weights=(1.0, 0.2, 0.0))
    assert open_task(told, "train").panel.weights == told.reward_weights
    assert told.reward_weights["format"] == 0.2
    with pytest.raises(ValueError, match="2 weights are given for the panel"):
        grpo.replace(weights=(1.0, 0.2))
    with pytest.raises(ValueError, match="not all 0"):
        grpo.replace(weights=(0.0, 0.0, 0.0))


class Rising(Fixed):
    """Doubles the temperature after every round."""

    def observe(self, round_number: int, metrics: Any, samples: Any = None) -> None:
        self._plan = replace(self._plan, temperature=2.0 * self._plan.temperature)


@pytest.mark.parametrize("agent", ["grpo", "rloo"])
def test_a_new_temperature_reaches_sampling_and_scoring(
    policy: Policy, tmp_path: Path, agent: str
) -> None:
    learner = online(policy, tmp_path, Even(), agent=agent, rounds=2, beta=0.1, minibatches=4)
    learner.controller = Rising(SamplingPlan(0.5, 2), learner.recipe)  # measured once: 1, then 2
    scored: list[tuple[list[float], list[float], bool]] = []

    plain_begin = learner._begin
    plain_score: list[Any] = []

    def begin(exercise: Any) -> int:
        if not plain_score:
            plain_score.append(learner.trainer._get_per_token_logps_and_entropies)
            learner.trainer._get_per_token_logps_and_entropies = score
        return plain_begin(exercise)

    def score(network: Any, ids: Any, mask: Any, *given: Any, **named: Any) -> Any:
        out = plain_score[0](network, ids, mask, *given, **named)
        if not torch.is_grad_enabled():
            own = network is learner.trainer.model
            rollouts = learner.bridge.scored
            expected = by_hand(policy, learner, rollouts) if own else []
            given_tokens = mask[:, -out[0].shape[1] :]
            scored.append(((out[0] * given_tokens).sum(-1).tolist(), expected, own))
        return out

    learner._begin = begin  # type: ignore[method-assign]
    _, *rounds = learner.learn()
    learner.close()
    assert [{r.temperature for r in done.rollouts} for done in rounds] == [{1.0}, {2.0}]
    (first, wanted, _), (by_base, _, _), (second, wanted_then, _), _ = scored
    assert first == within_rounding(wanted)
    assert by_base == within_rounding(first)  # the base, before any update
    assert second == within_rounding(wanted_then)
    at_one = [r.response.logprob for r in rounds[1].rollouts]
    assert second != pytest.approx(at_one, abs=0.1)


def by_hand(policy: Policy, learner: Online, rollouts: Sequence[Rollout]) -> list[float]:
    """Log-probabilities of responses at the temperature they were sampled at."""
    different = list({r.problem.id: r.problem for r in rollouts}.values())
    tokens, given = padded([r.response.tokens for r in rollouts])
    owners = torch.tensor([i // 2 for i in range(len(rollouts))])
    policy.model.eval()
    with torch.no_grad():
        read = prefill(policy.network, learner.bridge.encode(different))
        logits = response_logits(policy, read, owners, tokens, given)
    policy.model.train()
    tempered = (logits / rollouts[0].temperature).log_softmax(-1)
    drawn = tempered.gather(-1, tokens[..., None])[..., 0]
    sums: list[float] = (drawn * given).sum(-1).tolist()
    return sums


# An update is a pass with gradients. Where several follow one sampling, responses are read once
# more before them; the base reads them where the policy is pulled towards it.
@pytest.mark.parametrize(
    ("minibatches", "kl", "samplings", "read"),
    [(1, 0.0, 4, 0), (2, 0.1, 2, 8)],
)
def test_a_round_of_grpo_samples_and_reads_responses_as_often_as_docs_scaling_says(
    policy: Policy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    minibatches: int,
    kl: float,
    samplings: int,
    read: int,
) -> None:
    agent = agent_of(
        policy.with_lora(2),  # the base is then the policy without it
        tmp_path,
        RewardPanel([Even()]),
        agent="grpo",
        rounds=2,
        prompts=4,
        samples=2,
        batch=2,
        minibatches=minibatches,
        kl_coefficient=kl,
        max_new_tokens=3,
        held_out=1,
        held_out_samples=1,
    )
    rounds = agent.learn()
    next(rounds)
    next(rounds)  # the first training round compares log-probabilities besides
    passes: list[bool] = []
    trained = policy.network.model.language_model
    trained.register_forward_pre_hook(
        lambda module, _: passes.append(torch.is_grad_enabled()) if module.training else None
    )
    assert isinstance(agent, Online)
    respond, sampled = agent.bridge.respond, list[int]()

    def responded(problems: Sequence[Problem]) -> list[Rollout]:
        sampled.append(len(problems))
        return respond(problems)

    monkeypatch.setattr(agent.bridge, "respond", responded)
    next(rounds)
    agent.close()
    assert sampled == [4 // samplings] * samplings
    assert (passes.count(True), passes.count(False)) == (4, read)
