import json
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from env_doubles import LIGHT, vector_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics as VectorStatistics

from mstar.envs import ResponseSpace

# Spaces


def test_any_script_is_in_the_space_and_only_what_is_too_long_is_not() -> None:
    space = ResponseSpace(10)
    assert "½ ≤ 三\n\0" in space
    assert "" in space
    assert "x" * 11 not in space
    assert 3 not in space
    assert ["Answer: 3"] not in space


def test_the_space_is_small_equal_to_its_copy_and_samples_the_same_from_a_seed() -> None:
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
            "vector_kwargs": {"context": "spawn", "autoreset_mode": "SameStep"},
        },
        {
            "vectorization_mode": "async",
            "vector_kwargs": {
                "context": "spawn",
                "shared_memory": False,
                "autoreset_mode": "SameStep",
            },
        },
    ],
    ids=["native", "sync", "async-shared", "async-piped"],
)
def test_every_kind_of_vector_environment_resets_in_the_same_step(kwargs: dict[str, Any]) -> None:
    envs = gymnasium.make_vec(
        "mstar/Mixture-v0", 2, panel=LIGHT, size=96, instruction="Réponds ≤ 3 mots.", **kwargs
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
    native = gymnasium.make_vec("mstar/BarChart-v0", 2, panel=LIGHT)
    sync = gymnasium.make_vec(
        "mstar/BarChart-v0",
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


def test_a_group_shares_a_problem_and_its_judges_see_all_its_attempts() -> None:
    envs = vector_env(6, group_size=3)
    observations, infos = envs.reset(seed=1)
    assert [id_.rpartition("/")[2] for id_ in infos["problem_id"]] == list("000111")
    assert np.array_equal(observations["image"][0], observations["image"][2])
    infos = envs.step(["a", "a", "b", "c", "c", "c"])[4]
    expected = [2 / 3, 2 / 3, 1 / 3, 1, 1, 1]
    assert infos["final_info"]["rewards"]["alike"] == pytest.approx(expected)
    assert infos["final_info"]["valid"]["alike"].all()


def test_observations_that_were_handed_out_share_no_memory() -> None:
    envs = vector_env(4, group_size=2)
    first, _ = envs.reset(seed=1)
    kept = first["image"].copy()
    _, _, _, _, infos = envs.step(list("abcd"))
    infos["final_obs"][0]["image"][:] = 0
    assert np.array_equal(first["image"], kept)
    assert infos["final_obs"][1]["image"].any()


def test_draw_goes_on_where_it_was_and_a_state_brings_it_back() -> None:
    envs = vector_env(1, seed=9)
    first = envs.draw(3)
    state = json.loads(json.dumps(envs.state()))
    following = [problem.id for problem in envs.draw(2)]
    assert [problem.id for problem in first] == [f"BarChart-v0/train/L1/9/{i}" for i in range(3)]
    assert following == ["BarChart-v0/train/L1/9/3", "BarChart-v0/train/L1/9/4"]
    other = vector_env(1)
    other.restore(state)
    assert [problem.id for problem in other.draw(2)] == following


def test_judge_gives_one_row_per_response_with_what_was_measured() -> None:
    envs = vector_env(1, seed=9)
    one, two = envs.draw(2)
    table = envs.judge([one, one, two], ["a", "a", ""], [{"certainty": 0.5}] * 3)
    assert table.groups == (one.id, one.id, two.id)
    assert table["alike"][:2].tolist() == [1.0, 1.0]
    assert np.isnan(table.reward[2])
    with pytest.raises(ValueError, match="got 2 responses to 1 problems"):
        envs.judge([one], ["a", "b"])


def test_slots_that_do_not_make_whole_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of the group size"):
        vector_env(5, group_size=2)
    with pytest.raises(RuntimeError, match="call reset"):
        vector_env(2).step(["a", "b"])


def test_vector_statistics_and_cards_work_on_the_native_environment() -> None:
    envs = VectorStatistics(vector_env(2, render_mode="rgb_array"))
    envs.reset(seed=1)
    infos = envs.step(["x" * 20_000, "x" * 10_000])[4]
    assert infos["episode"]["r"] == pytest.approx([0.5, 0.25])
    cards = envs.render()
    assert cards is not None
    assert [card.shape for card in cards] == [(480, 960, 3)] * 2
