"""Sampling by a vLLM server."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.vllm import Reply, Request, VLLMEngine
from mstar.agents.sampling.vllm_client import Server, server_at
from mstar.agents.sampling.weight_transfer import WeightTransfer, transfer_to
from mstar.envs.problem import Prompt

CONCURRENT_REQUESTS = 64  # the server forms batches of them


class ServerSampler(VLLMEngine):
    """Samples from a policy by a vLLM server of the same model; see ``VLLMEngine``.

    Args:
        policy: whose weights are sent.
        server: of the same model.
        max_new_tokens: limit on the length of a response, in tokens.
        transfer: how weights reach the server, ``"auto"``, ``"nccl"`` or ``"folder"``.
        folder: for weights, which the server finds under the same path.
    """

    def __init__(
        self,
        policy: Policy,
        server: Server,
        max_new_tokens: int,
        transfer: str = "auto",
        folder: str = "",
    ) -> None:
        super().__init__(policy, max_new_tokens)
        self.server, self.transfer, self.folder = server, transfer, folder
        self.where = f"the server at {server.base_url}"

    @classmethod
    def from_config(cls, policy: Policy, recipe: Recipe) -> ServerSampler:
        """The sampler of a recipe's server.

        Raises:
            ConnectionError: there is no server at the recipe's address.
        """
        sampling = recipe.sampling
        return cls(
            policy,
            server_at(sampling.server),
            recipe.max_new_tokens,
            sampling.weight_transfer,
            sampling.weight_folder,
        )

    def connect(self) -> WeightTransfer:
        """Weights go to the server over NCCL or by a folder.

        Raises:
            ValueError: NCCL was asked for and cannot be used.
        """
        return transfer_to(self.policy, self.server, self.transfer, self.folder)

    def request(self, prompts: Sequence[Prompt], requests: Sequence[Request]) -> list[Reply]:
        """Send all requests, some of them at the same time; see ``VLLMEngine.request``."""
        with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
            return list(pool.map(lambda each: self._send(prompts[each.prompt], each), requests))

    def _send(self, prompt: Prompt, request: Request) -> Reply:
        reply = self.server.chat(
            [self.policy.messages(prompt)],
            n=request.drawn,
            temperature=request.temperature,
            max_tokens=self.max_new_tokens,
            generation_kwargs={"seed": request.seed},
        )
        logprobs = [
            [math.nan if ranked[0] is None else ranked[0] for ranked in response]
            for response in reply["logprobs"] or ()
        ]
        return Reply(reply["prompt_ids"][0], reply["completion_ids"], logprobs)
