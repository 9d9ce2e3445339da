import multiprocessing
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from env_doubles import LIGHT, task, vector_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics as VectorStatistics

from mstar.envs import ProblemEnv, ProblemVectorEnv, ResponseSpace

# Spaces


def test_the_response_space_contains_any_text_up_to_its_length() -> None:
    space = ResponseSpace(10)
    assert "½ ≤ 三\n\0" in space
    assert "" in space
    assert "x" * 11 not in space
    assert 3 not in space
    assert ["Answer: 3"] not in space


def test_a_pickled_space_is_small_and_samples_the_same_from_a_seed() -> None:
    space = ResponseSpace(seed=3)
    pickled = pickle.dumps(space)
    again = pickle.loads(pickled)
    assert len(pickled) < 5_000
    assert len(repr(space)) < 50
    assert again == space
    assert space != ResponseSpace(10)
    samples = [space.sample() for _ in range(50)]
    assert samples == [again.sample() for _ in range(50)]
    assert len(set(samples)) > 20
    assert all(sample in space for sample in samples)


# Vector environments


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"vectorization_mode": "sync", "vector_kwargs": {"autoreset_mode": "SameStep"}},
        {
            "vectorization_mode": "async",
            "vector_kwargs": {"context": "forkserver", "autoreset_mode": "SameStep"},
        },
        {
            "vectorization_mode": "async",
            "vector_kwargs": {
                "context": "forkserver",
                "shared_memory": False,
                "autoreset_mode": "SameStep",
            },
        },
    ],
    ids=["native", "sync", "async-shared", "async-piped"],
)
def test_every_vectorization_mode_resets_in_the_same_step(kwargs: dict[str, Any]) -> None:
    multiprocessing.set_forkserver_preload(["mstar.envs"])  # imported once for all processes
    envs = gymnasium.make_vec(
        "mstar/Mixture-v2", 2, panel=LIGHT, size=96, instruction="Réponds ≤ 3 mots.", **kwargs
    )
    observations, infos = envs.reset(seed=4)
    assert observations in envs.observation_space
    assert observations["prompt"][0].endswith("Réponds ≤ 3 mots.")
    asked = list(infos["problem_id"])
    envs.action_space.seed(1)
    for _ in range(2):
        last = observations
        actions = envs.action_space.sample()
        assert actions in envs.action_space
        observations, rewards, terminations, truncations, infos = envs.step(actions)
        assert observations in envs.observation_space
        assert terminations.all()
        assert not truncations.any()
        assert rewards.shape == (2,)
        assert list(infos["final_info"]["problem_id"]) == asked
        assert list(infos["final_info"]["rewards"]) == [
            "repetition",
            "_repetition",
            "brevity",
            "_brevity",
        ]
        assert np.array_equal(infos["final_obs"][1]["image"], last["image"][1])
        assert set(asked).isdisjoint(infos["problem_id"])
        asked = list(infos["problem_id"])
    envs.close()


def test_native_and_sync_infos_have_the_same_keys() -> None:
    native = gymnasium.make_vec("mstar/BarChart-v1", 2, panel=LIGHT)
    sync = gymnasium.make_vec(
        "mstar/BarChart-v1",
        2,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        panel=LIGHT,
    )
    assert set(native.reset(seed=1)[1]) == set(sync.reset(seed=1)[1])
    ours, theirs = native.step(["a", "b"])[4], sync.step(("a", "b"))[4]
    assert set(ours) == set(theirs)
    assert set(ours["final_info"]) == set(theirs["final_info"])
    assert native.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


def test_a_group_shares_a_problem_and_is_scored_together() -> None:
    envs = vector_env(6, group_size=3)
    observations, infos = envs.reset(seed=1)
    assert [id_.rpartition("/")[2] for id_ in infos["problem_id"]] == list("000111")
    assert np.array_equal(observations["image"][0], observations["image"][2])
    infos = envs.step(["a", "a", "b", "c", "c", "c"])[4]
    expected = [2 / 3, 2 / 3, 1 / 3, 1, 1, 1]
    assert infos["final_info"]["rewards"]["alike"] == pytest.approx(expected)
    assert infos["final_info"]["valid"]["alike"].all()


def test_returned_observations_share_no_memory() -> None:
    envs = vector_env(4, group_size=2)
    first, _ = envs.reset(seed=1)
    kept = first["image"].copy()
    _, _, _, _, infos = envs.step(list("abcd"))
    infos["final_obs"][0]["image"][:] = 0
    assert np.array_equal(first["image"], kept)
    assert infos["final_obs"][1]["image"].any()


def test_a_task_can_be_used_through_either_environment() -> None:
    shared = task(seed=9)
    (first,) = shared.draw(1)
    infos = ProblemVectorEnv(2, task=shared).reset()[1]
    assert first.id == "BarChart-v1/train/L1/9/0"
    assert list(infos["problem_id"]) == [f"BarChart-v1/train/L1/9/{i}" for i in (1, 2)]
    assert ProblemEnv(task=shared).reset()[1]["problem_id"] == "BarChart-v1/train/L1/9/3"
    with pytest.raises(TypeError, match=r"not both; got \['level', 'split'\]"):
        ProblemVectorEnv(2, task=shared, split="test", level=2)


def test_incomplete_groups_and_a_step_before_reset_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of the group size"):
        vector_env(5, group_size=2)
    with pytest.raises(RuntimeError, match="call reset"):
        vector_env(2).step(["a", "b"])


def test_vector_statistics_and_cards_work_with_the_native_environment() -> None:
    envs = VectorStatistics(vector_env(2, render_mode="rgb_array"))
    envs.reset(seed=1)
    infos = envs.step(["x" * 20_000, "x" * 10_000])[4]
    assert infos["episode"]["r"] == pytest.approx([0.5, 0.25])
    cards = envs.render()
    assert cards is not None
    assert [card.shape for card in cards] == [(480, 960, 3)] * 2
