"""How much the images of a prompt raise the log-probability of a response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mstar.agents.judges.prompts import attempt_prompt, with_gray_images
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.likelihood import log_probabilities
from mstar.envs.problem import Prompt
from mstar.rewards.base import Attempt


@dataclass(frozen=True)
class ImageGap:
    """log p(response | images) - log p(response | gray images), in nats.

    The measure of PAPO (arXiv 2507.06448), which compares the policy with and without images, on a
    response as a whole; VPPO (arXiv 2510.09285) calls its token form visual dependency. It takes
    two prefills per problem and two forward passes per response. The policy is frozen: one that is
    trained on the gap could widen it by getting worse without images.

    Attributes:
        policy: frozen.
        size: side in pixels at which drawings are rendered.
        batch_rows: responses in one forward pass.
    """

    policy: Policy
    size: int = 96
    batch_rows: int = 64

    def __call__(self, attempts: Sequence[Attempt]) -> list[float]:
        """The gap of each of N attempts; 0 for an empty response."""
        prompts: list[Prompt] = []
        for attempt in attempts:
            same = prompts and prompts[-1].key == attempt.group and attempt.group != ""
            prompts.append(prompts[-1] if same else attempt_prompt(attempt, self.size))
        tokenizer = self.policy.processor.tokenizer
        responses = [
            Response(a.response, tuple(ids), 0.0, 0.0, 0.0, True)
            for a in attempts
            for ids in (
                tokenizer(self.policy.plain(a.response), add_special_tokens=False)["input_ids"],
            )
        ]
        gray: dict[int, Prompt] = {}
        ablated = [gray.setdefault(id(prompt), with_gray_images(prompt)) for prompt in prompts]
        seeing = log_probabilities(self.policy, prompts, responses, self.batch_rows)
        blind = log_probabilities(self.policy, ablated, responses, self.batch_rows)
        return [one - other for one, other in zip(seeing, blind, strict=True)]
