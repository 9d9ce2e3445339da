"""Which steps of a response are right, as far as the policy can tell by going on from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mstar.agents.judges.step_labels import LabelledResponse, error_kind
from mstar.agents.sampling.completion import complete
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.problem import Prompt
from mstar.rewards.verifier.verify import verify

Share = Literal["hard", "soft"]


def monte_carlo(
    sampler: LocalSampler,
    prompts: Sequence[Prompt],
    examples: Sequence[tuple[int, LabelledResponse]],
    completions: int,
    share: Share,
    seed: int,
) -> list[LabelledResponse]:
    """Label steps by the policy's own completions; no worked solution is needed, an answer is.

    Math-Shepherd (Wang et al. 2024, arXiv 2312.08935): a step is as right as what can still come
    of it. Of a number of completions from behind the step, ``hard`` asks whether any reaches the
    right answer, ``soft`` which share does. The last step holds the answer and is verified. A
    beginning that several responses share is completed once.

    Args:
        sampler: of the policy that completes, at temperature 1.
        prompts: P prompts.
        examples: R times the number of a prompt and a response to it; their labels are not read.
        completions: of each beginning, 1 or more.
        share: hard or soft.
        seed: of the sampling.
    """
    begun: list[dict[str, float]] = [{} for _ in prompts]  # what each beginning is worth
    for owner, example in examples:
        for last in range(1, len(example.steps)):
            begun[owner][_beginning(example, last)] = 0.0
    asked = [list(texts) for texts in begun]
    endings = complete(sampler, prompts, asked, completions, seed)
    problems = {owner: example.problem for owner, example in examples}
    for owner, texts in enumerate(asked):
        answer = problems[owner].answer if owner in problems else None
        for text, group in zip(texts, endings[owner], strict=True):
            right = [answer and verify(text + ending.text, answer).correct for ending in group]
            part = sum(map(bool, right)) / len(right)
            begun[owner][text] = float(part > 0) if share == "hard" else part
    return [_labelled(example, begun[owner]) for owner, example in examples]


def consensus(one: LabelledResponse, other: LabelledResponse) -> LabelledResponse:
    """The labels that two ways of labelling a response agree on; the rest is not known.

    As in the consensus filter of Qwen's process reward models (arXiv 2501.07301) and in
    Athena-PRM (arXiv 2506.09532), which learn only from steps that two judges see alike.
    """
    right = tuple(
        a if (a >= 0.5) == (b >= 0.5) else float("nan")
        for a, b in zip(one.right, other.right, strict=True)
    )
    return LabelledResponse(one.problem, one.steps, right, one.kind)


def _beginning(example: LabelledResponse, steps: int) -> str:
    return "\n".join(example.steps[:steps]) + "\n"


def _labelled(example: LabelledResponse, worth: dict[str, float]) -> LabelledResponse:
    problem, steps = example.problem, example.steps
    right = [worth[_beginning(example, last)] for last in range(1, len(steps))]
    answer = problem.answer
    right.append(
        float("nan") if answer is None else float(verify("\n".join(steps), answer).correct)
    )
    first = next((place for place, value in enumerate(right) if value < 0.5), None)
    kind = "" if first is None else error_kind(steps[first], first == len(steps) - 1)
    return LabelledResponse(problem, steps, tuple(right), kind)
