import json
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from env_doubles import Stored, Stub, task

from mstar.envs import FAMILIES, INSTRUCTION, Examiner, Mixture, Problem, Prompt, Task
from mstar.envs.shown import SHOWN


def test_draw_continues_after_the_last_problem_and_a_state_restores_the_position() -> None:
    drawn = task(seed=9)
    first = drawn.draw(3)
    state = json.loads(json.dumps(drawn.state()))
    following = [problem.id for problem in drawn.draw(2)]
    assert [problem.id for problem in first] == [f"BarChart-v1/train/L1/9/{i}" for i in range(3)]
    assert following == ["BarChart-v1/train/L1/9/3", "BarChart-v1/train/L1/9/4"]
    other = task()
    other.restore(state)
    assert [problem.id for problem in other.draw(2)] == following


def test_problem_and_find_leave_the_position_unchanged() -> None:
    drawn = task(seed=9)
    assert drawn.find(drawn.problem(9, 5).id).id == "BarChart-v1/train/L1/9/5"
    assert drawn.state() == {"seed": 9, "index": 0}
    drawn.start_at(index=7)
    assert drawn.draw(1)[0].id.endswith("/9/7")
    with pytest.raises(ValueError, match="count must be >= 0"):
        drawn.draw(-1)
    with pytest.raises(ValueError, match="seed must be an integer >= 0, got -1"):
        drawn.start_at(-1)


def test_a_task_without_a_seed_draws_one_at_random() -> None:
    assert task().seed != task().seed
    assert (once := task()).seed == once.seed


def test_a_prompt_has_question_instruction_and_images_and_renders_once() -> None:
    stub = Stub(20, 10)
    problem = Problem("stored/train/0", (stub, stub), "How many?", None)
    prompt = task(source=Stored()).prompt(problem)
    assert prompt.text == f"How many?\n{INSTRUCTION}"
    assert (prompt.key, len(prompt.images), stub.rendered) == ("stored/train/0", 2, 0)
    assert [image.size for image in prompt.images] == [(20, 10)] * 2
    assert prompt.images[0] is next(iter(prompt.images[:1]))
    assert stub.rendered == 2
    assert isinstance(prompt, Prompt)


def test_a_prompt_shows_the_image_a_description_both_or_neither() -> None:
    (problem,) = task(seed=1).draw(1)
    read = "; ".join(step.text for step in problem.steps if step.kind == "perceive")
    asked = f"{problem.question}\n{INSTRUCTION}"
    described = f"The picture shows: {read}.\n{asked}"
    prompts = {shown: task(seed=1, show=shown).prompt(problem) for shown in SHOWN}
    assert {shown: (prompt.text, len(prompt.images)) for shown, prompt in prompts.items()} == {
        "image": (asked, 1),
        "caption": (described, 0),
        "both": (described, 1),
        "none": (asked, 0),
    }
    with pytest.raises(ValueError, match=r"show must be one of .* got 'picture'"):
        task(show="picture")


def test_an_observation_without_an_image_has_a_white_canvas() -> None:
    shown = gymnasium.make("mstar/BarChart-v1", show="caption")
    observation, info = shown.reset(seed=1)
    assert observation["prompt"].startswith("The picture shows: ")
    assert np.unique(observation["image"]).tolist() == [255]
    assert info["images"] == ()


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_describes_its_images_unlabelled_or_not(name: str) -> None:
    for unlabelled in (0.0, 1.0):
        drawn = task(source=name, seed=1, show="caption", unlabelled=unlabelled)
        assert all(drawn.prompt(p).text.startswith("The picture shows: ") for p in drawn.draw(3))


def test_a_caption_stands_behind_the_system_prompt_and_moves_the_places_of_images() -> None:
    problem = Problem(
        "stored/train/0",
        (Stub(20, 10),),
        "Be brief. Is picture 1 red?",
        None,
        image_places=((13, 22),),
        system="Be brief.",
        caption="a red square",
    )
    prompt = task(source=Described(problem), show="both", system="data").prompt(problem)
    assert prompt.system == "Be brief."
    assert prompt.parts() == [
        "The picture shows: a red square.\nIs ",
        0,
        f" red?\n{INSTRUCTION}",
    ]


def test_a_source_without_captions_is_refused_but_not_its_problems_in_words() -> None:
    with pytest.raises(ValueError, match=r"nothing describes the image of stored/test/0.*caption="):
        task(source=Stored(), split="test", show="caption")
    with pytest.raises(ValueError, match="nothing describes the image of stored/train/0"):
        task(source=Mixture([FAMILIES["BarChart"](1), Stored()]), show="both")
    words = Problem("stored/train/0", (), "2 + 2?", None)
    assert task(source=Described(words), show="caption").prompt(words).text.startswith("2 + 2?")


class Described(Stored):
    """A source of one problem."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    def problem(self, split: str, seed: int, index: int) -> Problem:
        return self._problem


def test_drawn_images_have_the_size_of_the_task() -> None:
    sized = task(seed=1, size=96)
    assert [image.size for image in sized.prompt(sized.draw(1)[0]).images] == [(96, 96)]


def test_score_gives_one_row_per_response_and_passes_on_what_the_sampler_measured() -> None:
    scored = task(seed=9)
    one, two = scored.draw(2)
    table = scored.score([one, one, two], ["a", "a", ""], [{"certainty": 0.5}] * 3)
    assert table.groups == (one.id, one.id, two.id)
    assert table["alike"][:2].tolist() == [1.0, 1.0]
    assert np.isnan(table.reward[2])
    with pytest.raises(ValueError, match="got 2 responses to 1 problems"):
        scored.score([one], ["a", "b"])


def test_the_old_name_still_works() -> None:
    assert Examiner is Task


def test_the_shipped_step_judge_can_be_named_in_the_panel_of_an_environment() -> None:
    env = gymnasium.make("mstar/BarChart-v1", panel=["correctness", "process"])
    env.reset(seed=0)
    info = env.step(env.get_wrapper_attr("problem").solution)[4]
    assert list(info["rewards"]) == ["correctness", "process"]
    assert info["valid"]["process"]
    assert info["rewards"]["process"] > 0.5


def test_only_a_panel_that_names_the_step_judge_loads_torch() -> None:
    code = (
        "import sys, gymnasium, mstar.envs; "
        "gymnasium.make('mstar/BarChart-v1', panel=['correctness']).reset(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
