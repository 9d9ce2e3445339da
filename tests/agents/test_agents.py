"""Every agent by its name: two rounds, weights that move, one cost, one error for a wrong name."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from closeness import same_weights
from tiny_runs import TINY, Even, agent_of, weights

from mstar.agents.catalog import AGENTS, ONLINE_AGENTS
from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import whole_turns
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.local import LocalSampler
from mstar.agents.sft import Sft
from mstar.agents.sft_trainer import LiveTrainer
from mstar.agents.types import FinetuneResult, Round, SFTExample
from mstar.envs.problem import Problem, Prompt
from mstar.envs.task import Task
from mstar.experiments.cli.main import main
from mstar.experiments.run.recipes import RECIPES
from mstar.rewards.base import Attempt, Scores
from mstar.rewards.panel import RewardPanel


class Longest:
    """Stands for a process reward: the longer, the better."""

    name = "process"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        return np.array([min(1.0, len(a.response) / 64) for a in attempts], np.float32)


@pytest.fixture(scope="module")
def loaded(model: str) -> Policy:
    policy = Policy.load(model, device="cpu")
    # Every fourth token ends a response: DAPO learns from none that was cut.
    policy.model.generation_config.eos_token_id = [1, *range(4, 72)]
    return policy


class Learned(NamedTuple):
    """An agent that has learned for two rounds, by name, with its policy and what it said."""

    agent: str
    policy: Policy
    rounds: list[Round]


@pytest.fixture(scope="module", params=AGENTS)
def learned(
    loaded: Policy, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Learned:
    agent: str = request.param
    whole: dict[str, Any] = {"controller": "reward-pass@2", "rank": "process"}
    policy = Policy(copy.deepcopy(loaded.model), loaded.processor)
    learner = agent_of(
        policy,
        tmp_path_factory.mktemp(agent),
        RewardPanel([Even(), Longest()] if agent == "mstar" else [Even()]),
        agent=agent,
        rounds=2,
        **(whole if agent == "mstar" else {}),
    )
    rounds = list(learner.learn())
    learner.close()
    return Learned(agent, policy, rounds)


def test_every_agent_learns_for_two_rounds_and_says_what_it_did(
    learned: Learned, loaded: Policy
) -> None:
    agent, policy, (base, *rounds) = learned
    assert base.finetuned is None
    assert [done.number for done in rounds] == [1, 2]
    assert not same_weights(weights(policy), weights(loaded))
    before = base.cost
    for done in rounds:
        assert done.finetuned is not None
        assert list(done.finetuned.checkpoint.glob("*.safetensors"))
        sampled = done.metrics.samples * len(done.metrics.by_temperature)
        measured = done.metrics.problems * (1 + sampled)
        assert done.cost.responses - before.responses == measured + len(done.rollouts)
        assert done.cost.tokens > before.tokens
        assert done.cost.flops - before.flops > 6 * policy.size * done.finetuned.examples
        assert len(done.rollouts) >= (0 if agent == "sft" else 8)
        before = done.cost


# These three sample for other purposes too, or not at all.
@pytest.mark.parametrize(
    "learned", [name for name in AGENTS if name not in ("mstar", "sft", "star")], indirect=True
)
def test_practice_is_what_was_sampled_to_learn_from(learned: Learned) -> None:
    training = 0
    for done in learned.rounds:
        training += sum(len(r.response.tokens) for r in done.rollouts)
        cost = done.cost
        assert cost.training_tokens == training
        measured = done.metrics.problems * (1 + done.metrics.samples)
        assert cost.measured_responses == (done.number + 1) * measured
        assert 0 < cost.measured_flops < cost.flops + 1e-6
        assert 0 < cost.measured_seconds <= cost.seconds


def test_the_table_holds_every_name_once() -> None:
    assert set(ONLINE_AGENTS) < set(AGENTS)


def test_an_unknown_agent_is_named_beside_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError, match=r"unknown agent 'ppo'.* Known: .*grpo, .*online-dpo"):
        Recipe.of(agent="ppo")  # type: ignore[arg-type]
    assert main(["train", "--agent", "ppo"]) != 0
    shown = capsys.readouterr().err
    assert "ppo" in shown
    assert "dr-grpo" in shown


def test_mstar_without_its_process_reward_or_with_a_fixed_plan_is_called_what_it_is() -> None:
    assert RECIPES["mstar"].run.agent == "mstar"
    for changes in ({"controller": "fixed"}, {"panel": ("correctness",), "rank": "reward"}):
        with pytest.raises(ValueError, match="without them it is 'continuous'"):
            RECIPES["mstar"].replace(**changes)  # type: ignore[arg-type]


def test_an_agent_starts_from_the_recipe_of_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[Recipe] = []

    def remember(recipe: Recipe, *_: object) -> None:
        ran.append(recipe)
        raise ValueError("far enough")

    monkeypatch.setattr("mstar.experiments.run.train.train", remember)
    for words in (["--agent", "mstar"], ["--agent=mstar"], ["adaptive", "--agent", "rest-em"]):
        assert main(["train", *words, "--keep", "3", "--out", str(tmp_path / "run")]) == 1
    wanted = RECIPES["mstar"].replace(keep=3)
    assert ran[:2] == [wanted, wanted]
    assert ran[2] == RECIPES["adaptive"].replace(agent="rest-em", keep=3)


class Watched:
    """The prompts that were sampled from and the examples that were learned."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[list[str]] = []
        self.examples: list[list[SFTExample]] = []
        generate, fine_tune = LocalSampler.generate, LiveTrainer.fine_tune

        def generated(
            sampler: LocalSampler,
            prompts: Sequence[Prompt],
            temperatures: Sequence[Sequence[float]],
            seed: int,
        ) -> list[list[Response]]:
            self.asked.append([prompt.text for prompt in prompts])
            return generate(sampler, prompts, temperatures, seed)

        def tuned(
            live: LiveTrainer, examples: Sequence[SFTExample], newest: Path | None
        ) -> FinetuneResult:
            self.examples.append(list(examples))
            return fine_tune(live, examples, newest)

        monkeypatch.setattr(LocalSampler, "generate", generated)
        monkeypatch.setattr(LiveTrainer, "fine_tune", tuned)


class Second:
    """Right is whoever answers a problem that has been asked before."""

    name = "correctness"

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        scores = np.array([a.group in self.seen for a in attempts], np.float32)
        self.seen |= {attempt.group for attempt in attempts}
        return scores


def told_to_say(monkeypatch: pytest.MonkeyPatch, texts: Sequence[str]) -> None:
    """Responses to hints say these texts in turn."""
    sample = LocalSampler.sample

    def sampled(
        sampler: LocalSampler, prompts: Sequence[Prompt], *rest: Any, **more: Any
    ) -> list[list[Response]]:
        written = sample(sampler, prompts, *rest, **more)
        said = [(text, whole_turns(sampler.policy, [text])[0]) for text in texts]
        return [
            [
                replace(response, text=said[i % len(said)][0], tokens=said[i % len(said)][1])
                if "The answer is" in prompt.text
                else response
                for i, response in enumerate(group)
            ]
            for prompt, group in zip(prompts, written, strict=True)
        ]

    monkeypatch.setattr(LocalSampler, "sample", sampled)


def test_star_hints_at_the_answer_of_what_it_missed_and_learns_without_the_hint(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_to_say(monkeypatch, ["red is 3\nAnswer: 3", "gray is 4\nAnswer: 4"])
    watched = Watched(monkeypatch)
    star = agent_of(policy, tmp_path, RewardPanel([Second()]), agent="star", rounds=1)
    _, done = star.learn()
    star.close()
    _, first, hinted, _ = watched.asked  # measure, sample, ask again, measure
    golds = {r.problem.id: r.problem.answer.value for r in done.rollouts if r.problem.answer}
    assert hinted == [
        text.replace("\nReason", f"\nThe answer is {gold}.\nReason")
        for text, gold in zip(first, golds.values(), strict=True)
    ]
    (examples,) = watched.examples
    assert {example.prompt.text for example in examples} == set(first)
    assert done.selection is not None
    assert min(done.selection.kept) >= 8  # only what was found with a hint is right
    drawn = [done.rollouts[i].response.tokens for i in done.selection.kept]
    assert sorted(example.tokens for example in examples) == sorted(drawn)


def test_star_does_not_learn_to_say_an_answer_that_it_was_given(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_to_say(monkeypatch, ["Answer: 3", "red is 3\nAnswer: 3"])
    watched = Watched(monkeypatch)
    star = agent_of(policy, tmp_path, RewardPanel([Second()]), agent="star", rounds=1)
    _, done = star.learn()
    star.close()
    (examples,) = watched.examples
    reasoned = whole_turns(policy, ["red is 3\nAnswer: 3"])
    assert [example.tokens for example in examples] == reasoned * 4
    bare = [r for r in done.rollouts if r.response.text == "Answer: 3"]
    assert len(bare) == 4
    assert all(r.extra and np.isnan(r.scores["correctness"]) for r in bare)


def test_star_does_not_ask_again_what_it_solved(policy: Policy, tmp_path: Path) -> None:
    class Always(Even):
        def score(self, attempts: Sequence[Attempt]) -> Scores:
            return np.ones(len(attempts), np.float32)

    star = agent_of(policy, tmp_path, RewardPanel([Always()]), agent="star", rounds=1)
    *_, done = star.learn()
    star.close()
    assert len(done.rollouts) == 8


def test_sft_learns_the_worked_solutions_of_the_problems_that_the_loop_would_sample(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(monkeypatch)
    sft = agent_of(policy, tmp_path, RewardPanel([Even()]), agent="sft", rounds=1)
    problems = Task(source="BarChart", size=96, seed=0).draw(4)
    _, done = sft.learn()
    sft.close()
    assert len(watched.asked) == 2  # it measures and never samples to learn
    (examples,) = watched.examples
    solutions = whole_turns(policy, [p.solution for p in problems])
    assert [example.tokens for example in examples] == solutions
    assert done.finetuned is not None
    assert done.finetuned.updates == TINY.optim.updates


def test_sft_without_worked_solutions_is_an_error_that_says_so(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sft = agent_of(policy, tmp_path, RewardPanel([Even()]), agent="sft", rounds=1)
    assert isinstance(sft, Sft)
    draw = sft.task.draw

    def bare(count: int) -> list[Problem]:
        return [replace(problem, steps=()) for problem in draw(count)]

    monkeypatch.setattr(sft.task, "draw", bare)
    rounds = sft.learn()
    next(rounds)
    with pytest.raises(ValueError, match="sft needs worked solutions, and none of 4 problems"):
        next(rounds)
