import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np
import pytest
from env_doubles import LIGHT, Stored, env
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RecordEpisodeStatistics, RecordVideo, TimeLimit
from PIL import Image

from mstar.envs import FAMILIES, INSTRUCTION, DatasetSource, Mixture, ProblemEnv
from mstar.envs.families.catalog import FORMER, with_version
from mstar.envs.source import Subset, find_problem

IDS = [id_ for id_ in gymnasium.registry if id_.startswith("mstar/")]
NEWEST = [f"mstar/{with_version(name)}" for name in FAMILIES]
MIXTURES = ["mstar/Mixture-v1", "mstar/Mixture-v2"]
GOLDEN = Path(__file__).with_name("golden_problems.json")

# Every registered id


@pytest.mark.parametrize("id_", [*NEWEST, MIXTURES[-1]])
def test_the_environment_passes_check_env(id_: str) -> None:
    check_env(gymnasium.make(id_, panel=LIGHT).unwrapped)


@pytest.mark.parametrize("id_", [*NEWEST, MIXTURES[-1]])
def test_a_spec_restored_from_json_makes_the_same_environment(id_: str) -> None:
    made = gymnasium.make(id_, panel=LIGHT, level=2, split="test", size=96)
    assert made.spec is not None
    again = gymnasium.make(EnvSpec.from_json(made.spec.to_json()))
    first, second = made.reset(seed=5), again.reset(seed=5)
    assert first[1]["problem_id"] == second[1]["problem_id"]
    assert np.array_equal(first[0]["image"], second[0]["image"])
    assert first[0]["image"].shape == (96, 96, 3)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_exact_solution_gets_the_full_reward_of_the_default_panel(name: str) -> None:
    asked = ProblemEnv(source=name)
    asked.reset(seed=2)
    _, reward, terminated, truncated, info = asked.step(asked.problem.solution)
    assert info["rewards"]["correctness"] == 1.0
    assert reward == pytest.approx(1.0)
    assert terminated
    assert truncated is False


def test_every_family_with_its_former_versions_and_the_mixtures_are_registered() -> None:
    assert set(IDS) == {*NEWEST, *(f"mstar/{version}" for version in FORMER), *MIXTURES}


@pytest.mark.filterwarnings(
    "ignore:.*is out of date:DeprecationWarning"
)  # Gymnasium's, of former ids
@pytest.mark.parametrize("id_", IDS)
def test_a_seed_draws_the_same_problems_as_in_earlier_versions(id_: str) -> None:
    hashes = {level: golden_hash(id_, level) for level in ("1", "2", "3")}
    assert hashes == json.loads(GOLDEN.read_text())[id_], (
        f"{id_} draws other problems: raise the family's version and store these hashes"
    )


def golden_hash(id_: str, level: str) -> str:
    """A hash of latent values, counterfactuals, questions and answers, but not of pixels."""
    asked = gymnasium.make(id_, level=int(level), split="test").unwrapped
    assert isinstance(asked, ProblemEnv)
    total = hashlib.sha256()
    for seed in (0, 7):
        asked.reset(seed=seed)
        more = 23 if "Mixture" in id_ else 5
        for problem in [asked.problem, *asked.task.draw(more)]:
            counterfactual = problem.counterfactual.latent if problem.counterfactual else None
            latent = json.dumps([problem.latent, counterfactual], sort_keys=True)
            total.update(f"{problem.id}\0{latent}\0{problem.question}\0{problem.answer}\n".encode())
    return total.hexdigest()[:16]


# One environment


def test_problems_come_in_the_order_of_the_seed() -> None:
    asked = env()
    first = [asked.reset(seed=7)[1]["problem_id"], *(asked.reset()[1]["problem_id"] for _ in "ab")]
    assert first == [f"BarChart-v1/train/L1/7/{index}" for index in range(3)]
    assert asked.reset(seed=7)[1]["problem_id"] == first[0]
    assert asked.reset(seed=8)[1]["problem_id"] == "BarChart-v1/train/L1/8/0"


def test_a_problem_can_be_selected_by_index_or_id() -> None:
    asked = env()
    pictured = asked.reset(seed=7, options={"index": 4})[0]
    assert asked.problem.id.endswith("/7/4")
    assert asked.reset()[1]["problem_id"].endswith("/7/5")
    found = env(split="test", level=3).reset(options={"problem_id": "BarChart-v1/train/L1/7/4"})[0]
    assert np.array_equal(found["image"], pictured["image"])
    assert found["prompt"] == pictured["prompt"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"difficulty": 3}, "options must be 'index' or 'problem_id'"),
        ({"index": 1, "problem_id": "x"}, "one of them"),
        ({"index": -1}, "index must be an integer >= 0"),
        ({"problem_id": "BarChart-v1/train/1"}, "no problem 'BarChart-v1/train/1'"),
        ({"problem_id": "BarChart-v9/train/L1/7/4"}, "BarChart is at version"),
    ],
)
def test_unknown_reset_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        env().reset(seed=1, options=options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "Barchart"}, "'Barchart'; did you mean .*BarChart"),
        ({"families": ["BarChart"], "source": "BarChart"}, "give either source"),
        ({"families": []}, "at least one source"),
        ({"level": 4}, "level must be one of"),
        ({"split": "dev"}, "split must be one of"),
        ({"size": 64}, "size must be 96 to 448 pixels, got 64"),
        (
            {"panel": ["corectness"]},
            "no reward model 'corectness'; did you mean 'correctness'\\? Known: .*process",
        ),
        ({"panel": "brevity"}, "panel must be a sequence of names"),
        ({"render_mode": "human"}, "render_mode must be"),
    ],
)
def test_invalid_options_are_refused_when_the_environment_is_made(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        env(**options)


def test_a_misspelt_option_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(TypeError, match=r"no such option: \['levle'\]; known: .*'level'"):
        gymnasium.make("mstar/BarChart-v1", levle=2)


def test_the_prompt_is_the_question_and_the_instruction() -> None:
    asked = env()
    assert asked.reset(seed=1)[0]["prompt"] == f"{asked.problem.question}\n{INSTRUCTION}"
    bare = env(instruction="")
    assert bare.reset(seed=1)[0]["prompt"] == bare.problem.question


def test_info_has_every_score_by_name_and_marks_abstentions() -> None:
    asked = env()
    asked.reset(seed=1)
    _, reward, _, _, info = asked.step("x" * 20_000)
    assert list(info["rewards"].items()) == [("length", 0.5), ("alike", 0.0)]
    assert info["valid"] == {"length": True, "alike": False}
    assert reward == 0.5
    assert info["reward_valid"] is True
    asked.reset()
    _, reward, _, _, info = asked.step("")
    assert (reward, info["reward_valid"]) == (0.0, False)
    assert info["rewards"] == {"length": 0.0, "alike": 0.0}


def test_a_long_response_is_truncated_and_the_info_says_so() -> None:
    asked = env()
    asked.reset(seed=1)
    info = asked.step("x" * 33_000)[4]
    assert info["truncated_chars"] == 33_000 - 32_768
    assert info["rewards"]["length"] == pytest.approx(32_768 / 40_000)


def test_a_step_before_reset_after_the_end_or_without_text_is_refused() -> None:
    asked = env()
    with pytest.raises(RuntimeError, match="call reset"):
        asked.step("Answer: 3")
    asked.reset(seed=1)
    with pytest.raises(TypeError, match="must be a string, got int"):
        asked.step(3)  # type: ignore[arg-type]
    asked.step("Answer: 3")
    with pytest.raises(RuntimeError, match="has been answered"):
        asked.step("Answer: 4")


def test_a_state_restored_from_json_continues_with_the_same_problems() -> None:
    asked, other = env(families=["BarChart", "Counting"]), env(families=["BarChart", "Counting"])
    asked.reset(seed=3)
    other.restore(json.loads(json.dumps(asked.state())))
    assert other.reset()[1]["problem_id"] == asked.reset()[1]["problem_id"]


def test_a_mixture_alternates_between_its_sources() -> None:
    mixed = Mixture([FAMILIES["BarChart"](1), Stored()])
    ids = [mixed.problem("train", 2, index).id for index in range(4)]
    assert ids[0::2] == ["BarChart-v1/train/L1/2/0", "BarChart-v1/train/L1/2/1"]
    assert ids[1::2] == ["stored/train/0", "stored/train/1"]
    assert mixed.size is None
    assert Mixture([Stored(), Stored()]).size == 6


def test_stored_images_share_the_canvas_and_the_info_has_them_in_full() -> None:
    asked = env(source=Stored(), size=100)
    observation, info = asked.reset(seed=0)
    dark = observation["image"][:, :, 0] == 0
    assert (np.flatnonzero(dark.any(axis=1))[[0, -1]] == [37, 61]).all()  # 100 x 25, centred
    observation, info = asked.reset()
    dark = observation["image"][:, :, 0] == 0
    assert dark[:, :50].sum() == 50 * 12  # the wide one
    assert dark[:, 50:].sum() == 50 * 50  # the square one
    assert [image.size for image in info["images"]] == [(200, 50), (60, 60)]
    assert asked.reset(options={"problem_id": "stored/train/2"})[1]["problem_id"].endswith("2")


def test_the_card_has_a_fixed_size_and_shows_the_scores() -> None:
    asked = env(render_mode="rgb_array", source=Stored())
    asked.reset(seed=1)
    before: Any = asked.render()
    asked.step("word " * 2000 + "w" * 500)
    after: Any = asked.render()
    assert before.shape == after.shape == (480, 960, 3)
    assert before.dtype == np.uint8
    assert not np.array_equal(before, after)
    told = env(render_mode="ansi")
    told.reset(seed=1)
    told.step("Answer: 3")
    text: Any = told.render()
    assert "Answer: 3" in text
    assert "alike                none" in text


def test_episode_statistics_and_a_time_limit_work_as_on_any_environment() -> None:
    asked = RecordEpisodeStatistics(TimeLimit(env(), max_episode_steps=1))
    asked.reset(seed=1)
    info = asked.step("x" * 20_000)[4]
    assert (info["episode"]["r"], info["episode"]["l"]) == (0.5, 1)


class Clip:
    """Replaces moviepy's clip: its releases so far require an older Pillow than is tested here."""

    def __init__(self, frames: Sequence[Any], fps: float) -> None:
        self.frames, self.fps = [Image.fromarray(frame) for frame in frames], fps

    def write_videofile(self, path: str, **_: Any) -> None:
        first, *rest = self.frames
        assert {frame.size for frame in self.frames} == {first.size}
        pause = round(1000 / self.fps)
        first.save(path, "GIF", save_all=True, append_images=rest, duration=pause)


def record(folder: Path) -> Path:
    asked = RecordVideo(env(render_mode="rgb_array"), str(folder), episode_trigger=lambda _: True)
    asked.reset(seed=1)
    asked.step("Answer: 3")
    asked.close()
    (video,) = folder.glob("*.mp4")
    return video


def test_a_video_has_the_card_before_and_after_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = ModuleType("moviepy.video.io.ImageSequenceClip")
    module.ImageSequenceClip = Clip
    monkeypatch.setitem(sys.modules, "moviepy", ModuleType("moviepy"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with Image.open(record(tmp_path / "videos")) as video:
        assert video.size == (960, 480)
        assert getattr(video, "n_frames", 1) == 2


def test_moviepy_records_a_video_of_the_cards(tmp_path: Path) -> None:
    pytest.importorskip("moviepy", reason="moviepy 2.2 demands a Pillow below 12")
    assert record(tmp_path / "videos").stat().st_size > 1000


def test_a_stored_problem_of_a_pool_is_found_under_every_seed() -> None:
    row = {"image": Image.new("RGB", (8, 8)), "answer": "1", "split": "test"}
    stored = DatasetSource.load([{**row, "question": f"How many in {n}?"} for n in range(40)])
    pool = Subset(stored, 2)
    asked = [pool.problem("test", seed, 0) for seed in range(9)]
    assert [find_problem(pool, "test", problem.id).id for problem in asked] == [p.id for p in asked]
