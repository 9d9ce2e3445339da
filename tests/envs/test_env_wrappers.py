import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from bfloat16 import needs_bfloat16
from datasets import Dataset
from env_doubles import LIGHT, env
from gymnasium.envs.registration import EnvSpec
from tiny_models import llava
from trl import GRPOConfig, GRPOTrainer

from mstar.envs import (
    FAMILIES,
    INSTRUCTION,
    Blank,
    ImageOnly,
    ProblemEnv,
    Stepwise,
    VectorReward,
    trl_environment,
    trl_rewards,
)

# Wrappers


def test_linear_reward_of_mo_gymnasium_accepts_the_reward_vector() -> None:
    wrappers = pytest.importorskip("mo_gymnasium.wrappers")
    inner = VectorReward(gymnasium.make("mstar/BarChart-v1", panel=LIGHT))
    inner.reset(seed=1)
    reward = inner.step("a b c")[1]
    assert reward.dtype == np.float32
    assert reward in inner.unwrapped.reward_space  # type: ignore[attr-defined]
    asked = wrappers.LinearReward(inner, weight=np.array([2.0, 0.0]))
    asked.reset(seed=1)
    _, scalar, _, _, info = asked.step("a b c")
    assert scalar == pytest.approx(2 * info["rewards"]["repetition"])
    assert info["vector_reward"].tolist() == reward.tolist()


@pytest.mark.parametrize("wrapper", [ImageOnly, Blank, Stepwise])
def test_a_wrapped_environment_can_be_made_again_from_its_spec(
    wrapper: Callable[[Any], Any],
) -> None:
    wrapped = wrapper(gymnasium.make("mstar/BarChart-v1", panel=LIGHT))
    assert wrapped.spec is not None
    again = gymnasium.make(EnvSpec.from_json(wrapped.spec.to_json()))
    assert again.reset(seed=1)[0]["prompt"] == wrapped.reset(seed=1)[0]["prompt"]
    assert wrapped.step("Answer: 3")[0] in wrapped.observation_space


def test_an_ablation_hides_the_image_in_the_info_too() -> None:
    full, _ = env().reset(seed=1)
    blank, blank_info = Blank(env()).reset(seed=1)
    assert np.unique(blank["image"]).tolist() == [127]
    assert blank["prompt"] == full["prompt"]
    assert np.unique(np.array(blank_info["images"][0])).tolist() == [127]
    silent = ImageOnly(env()).reset(seed=1)[0]
    assert silent["prompt"] == INSTRUCTION
    assert np.array_equal(silent["image"], full["image"])


# Stepwise


@pytest.mark.parametrize("name", FAMILIES)
def test_every_step_of_the_exact_solution_gets_process_reward_one(name: str) -> None:
    asked = Stepwise(env(source=name), max_steps=40)
    for index in range(5):
        asked.reset(seed=1, options={"index": index})
        problem = asked.get_wrapper_attr("problem")
        for step in problem.steps:
            observation, reward, terminated, truncated, info = asked.step(step.text)
            assert (info["process"], info["process_valid"]) == (1.0, True), (problem.id, step)
            assert (reward, terminated, truncated) == (0.0, False, False)
            assert observation["prompt"].endswith(step.text)
        assert asked.step(f"Answer: {problem.answer.value}")[2]


def test_wrong_readings_and_sums_score_zero_and_a_remark_is_not_scored() -> None:
    asked = Stepwise(env(source="BarChart"))
    asked.reset(seed=1)
    problem = asked.get_wrapper_attr("problem")
    first = problem.steps[0]
    wrong = f"{first.refs[0]} is {int(first.value) + 1}"
    results = []
    every = f"{first.refs[0]} is {' or '.join(map(str, range(11)))}"
    for text in (wrong, every, "2 + 2 = 5", "Let me look.", "2 + 2 = 4"):
        info = asked.step(text)[4]
        results.append((info["process"], info["process_valid"]))
    assert results == [(0.0, True)] * 3 + [(0.0, False), (1.0, True)]


def test_the_panel_scores_the_full_response_at_the_last_step() -> None:
    asked = Stepwise(env(), max_steps=2)
    asked.reset(seed=1)
    assert asked.step("x" * 9_999)[1] == 0.0
    _, reward, terminated, truncated, info = asked.step("y" * 10_000)
    assert (terminated, truncated) == (False, True)
    assert reward == pytest.approx(0.5)
    assert info["rewards"]["length"] == pytest.approx(0.5)
    asked.reset()
    assert asked.step("Answer: 1")[2:4] == (True, False)


# TRL


def test_the_trl_adapter_returns_the_problem_of_a_row_and_its_scores() -> None:
    made = trl_environment(env)
    group = [made(), made()]
    blocks = [member.reset(index=3, seed=5, prompt="") for member in group]
    assert [block["type"] for block in blocks[0]] == ["image", "text"]
    assert blocks[0][1]["text"] == blocks[1][1]["text"]
    functions = trl_rewards(["length", "alike", "reward"])
    completions = ["x" * 20_000, [{"role": "assistant", "content": ""}]]
    scores = {f.__name__: f(completions=completions, environments=group) for f in functions}
    assert scores == {"length": [0.5, None], "alike": [None, None], "reward": [0.5, None]}
    assert [name for name in dir(group[0]) if not name.startswith("_")] == ["reset"]


def test_the_trl_adapter_refuses_a_row_that_selects_no_problem() -> None:
    with pytest.raises(ValueError, match="a row must have a problem_id or an index"):
        trl_environment(env)().reset(prompt="")


CALLS = (  # TRL requires a template that can render tool calls, though there are none here
    "{% for call in message['tool_calls'] or [] %}{{ call['function'] | tojson }}{% endfor %}"
)


@needs_bfloat16  # TRL's default
def test_trl_takes_a_grpo_step_on_problem_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    model, processor = llava()
    template = processor.chat_template.replace("{% generation %}", "{% generation %}" + CALLS)
    template = template.replace("{% if message['content'] is string %}",
        "{% if not message['content'] %}{% elif message['content'] is string %}")  # fmt: skip
    processor.chat_template = processor.tokenizer.chat_template = template
    problems = [f"BarChart-v1/train/L1/0/{index}" for index in range(2)]
    asked = [{"role": "user", "content": ""}]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the trainer's own deprecations
        trainer = GRPOTrainer(
            model,
            reward_funcs=trl_rewards(["repetition", "brevity", "reward"]),
            args=GRPOConfig(
                output_dir=str(tmp_path), per_device_train_batch_size=4, num_generations=2,
                max_completion_length=8, max_steps=1, use_cpu=True, report_to="none",
                save_strategy="no", logging_steps=1, disable_tqdm=True,
            ),
            train_dataset=Dataset.from_list([{"prompt": asked, "problem_id": i} for i in problems]),
            processing_class=processor,
            environment_factory=trl_environment(
                partial(ProblemEnv, source="BarChart", panel=LIGHT)
            ),
        )  # fmt: skip
        trainer.train()
    logged = trainer.state.log_history[0]
    assert 0 < logged["rewards/repetition/mean"] == logged["rewards/reward/mean"] <= 1
    assert logged["rewards/brevity/mean"] is None  # it needs a group, so it abstains
    assert logged["num_tokens"] > 4 * 100  # the prompts hold question, instruction and picture
