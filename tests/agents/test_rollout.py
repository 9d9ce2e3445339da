from collections.abc import Sequence

from env_doubles import Stored, Stub, task

from mstar.agents.policy.policy import Policy
from mstar.agents.rollout import collect, collect_together, prompts_of
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.problem import Problem, Prompt
from mstar.envs.task import Task


class Recorder:
    """Responds with an empty text and keeps the prompts; looks at every image."""

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    def sample(
        self,
        prompts: Sequence[Prompt],
        samples: int | Sequence[int],
        temperature: float | Sequence[float],
        seed: int,
    ) -> list[list[Response]]:
        assert isinstance(samples, int)
        self.prompts += prompts
        assert all(image.size for prompt in prompts for image in prompt.images)
        response = Response("", (1,), logprob=0.0, entropy=0.0, certainty=0.0, finished=True)
        return [[response] * samples for _ in prompts]


def test_a_rollout_keeps_the_prompt_it_was_sampled_from_and_its_rendered_images() -> None:
    sampler, asked = Recorder(), task(source=Stored(), seed=0)
    images = [Stub(20, 20) for _ in range(2)]
    problems = [Problem(f"p{i}", (image,), "?", None) for i, image in enumerate(images)]
    rollouts = collect(sampler, asked, problems, [1.0, 1.0], seed=0, version=0)
    assert [rollout.prompt.key for rollout in rollouts] == ["p0", "p0", "p1", "p1"]
    assert all(r.prompt is sampler.prompts[i // 2] for i, r in enumerate(rollouts))
    assert [rollout.prompt.images[0].size for rollout in rollouts] == [(20, 20)] * 4
    assert [image.rendered for image in images] == [1, 1]


def test_prompts_that_exist_already_are_used() -> None:
    sampler, asked = Recorder(), task(source=Stored(), seed=0)
    problems = asked.draw(2)
    prompts = prompts_of(asked, problems)
    rollouts = collect(sampler, asked, problems, [0.0], seed=0, version=0, prompts=prompts)
    assert all(r.prompt is prompt for r, prompt in zip(rollouts, prompts, strict=True))


def test_temperatures_sampled_together_give_the_responses_of_each_sampled_alone(
    loaded: Policy,
) -> None:
    sampler, asked = LocalSampler(loaded, max_new_tokens=6), Task(source="BarChart", seed=1)
    problems, groups = asked.draw(3), [[0.0, 1.0, 1.0], [0.7, 0.7], [1.3, 1.3]]
    together = collect_together(sampler, asked, problems, groups, seed=5, version=0)
    assert sampler.prompts_prefilled == 3  # each prompt is read once for all temperatures
    for group, rollouts in zip(groups, together, strict=True):
        alone = collect(sampler, asked, problems, group, seed=5, version=0)
        assert [r.response.tokens for r in rollouts] == [r.response.tokens for r in alone]
        assert [r.temperature for r in rollouts] == group * 3
        assert [(r.problem.id, r.scores) for r in rollouts] == [
            (r.problem.id, r.scores) for r in alone
        ]
