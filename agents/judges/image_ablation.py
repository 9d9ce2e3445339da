"""How much likelier the picture makes a response, by the policy's own probabilities."""

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
    """log p(response | pictures) - log p(response | gray pictures), in nats.

    The measure of PAPO (arXiv 2507.06448), which compares the policy with and without sight, on a
    response as a whole; VPPO (arXiv 2510.09285) calls its token form visual dependency. The policy
    is read twice per problem and twice per response. Which policy it is stays the same through a
    run: one that is trained by the gap could learn to be helpless without the picture.

    Attributes:
        policy: frozen.
        size: side in pixels that drawings are rendered at.
        batch_rows: responses in one forward pass.
    """

    policy: Policy
    size: int = 96
    batch_rows: int = 64

    def __call__(self, attempts: Sequence[Attempt]) -> list[float]:
        """The gap of each of N attempts; 0 for an empty response, which is as likely blind."""
        seen: list[Prompt] = []
        for attempt in attempts:
            same = seen and seen[-1].key == attempt.group and attempt.group != ""
            seen.append(seen[-1] if same else attempt_prompt(attempt, self.size))
        tokenizer = self.policy.processor.tokenizer
        written = [
            Response(a.response, tuple(ids), 0.0, 0.0, 0.0, True)
            for a in attempts
            for ids in (
                tokenizer(self.policy.plain(a.response), add_special_tokens=False)["input_ids"],
            )
        ]
        blind: dict[int, Prompt] = {}
        hidden = [blind.setdefault(id(prompt), with_gray_images(prompt)) for prompt in seen]
        with_sight = log_probabilities(self.policy, seen, written, self.batch_rows)
        without = log_probabilities(self.policy, hidden, written, self.batch_rows)
        return [one - other for one, other in zip(with_sight, without, strict=True)]
