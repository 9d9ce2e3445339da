"""Labels of the steps of a response, estimated from the policy's completions of them."""

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
    """Label steps by the policy's own completions; needs an answer, but no worked solution.

    Math-Shepherd (Wang et al. 2024, arXiv 2312.08935): the label of a step is whether any of a
    number of completions after it reaches the right answer (``hard``), or the share that does
    (``soft``). The last step holds the answer and is verified. A prefix that several responses
    share is completed once.

    Args:
        sampler: of the policy that completes, at temperature 1.
        prompts: P prompts.
        examples: R pairs of the index of a prompt and a response to it; their labels are ignored.
        completions: of each prefix, 1 or more.
        share: hard or soft.
        seed: of the sampling.

    Returns:
        The R responses with the estimated labels.
    """
    values: list[dict[str, float]] = [{} for _ in prompts]  # of each prefix
    for owner, example in examples:
        for last in range(1, len(example.steps)):
            values[owner][_prefix(example, last)] = 0.0
    prefixes = [list(texts) for texts in values]
    endings = complete(sampler, prompts, prefixes, completions, seed)
    problems = {owner: example.problem for owner, example in examples}
    for owner, texts in enumerate(prefixes):
        answer = problems[owner].answer if owner in problems else None
        for text, group in zip(texts, endings[owner], strict=True):
            right = [answer and verify(text + ending.text, answer).correct for ending in group]
            part = sum(map(bool, right)) / len(right)
            values[owner][text] = float(part > 0) if share == "hard" else part
    return [_with_labels(example, values[owner]) for owner, example in examples]


def consensus(one: LabelledResponse, other: LabelledResponse) -> LabelledResponse:
    """A response with the labels of `one` where both labellings agree, and else unknown ones.

    As in the consensus filter of Qwen's process reward models (arXiv 2501.07301) and in
    Athena-PRM (arXiv 2506.09532), which train only on steps that two labellers judge alike.
    """
    right = tuple(
        a if (a >= 0.5) == (b >= 0.5) else float("nan")
        for a, b in zip(one.right, other.right, strict=True)
    )
    return LabelledResponse(one.problem, one.steps, right, one.kind)


def _prefix(example: LabelledResponse, steps: int) -> str:
    return "\n".join(example.steps[:steps]) + "\n"


def _with_labels(example: LabelledResponse, values: dict[str, float]) -> LabelledResponse:
    problem, steps = example.problem, example.steps
    right = [values[_prefix(example, last)] for last in range(1, len(steps))]
    answer = problem.answer
    right.append(
        float("nan") if answer is None else float(verify("\n".join(steps), answer).correct)
    )
    first = next((place for place, value in enumerate(right) if value < 0.5), None)
    kind = "" if first is None else error_kind(steps[first], first == len(steps) - 1)
    return LabelledResponse(problem, steps, tuple(right), kind)
