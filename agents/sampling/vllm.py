"""Sampling by a vLLM server, which receives the policy's weights before each call."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from accelerate import Accelerator
from torch.distributed.fsdp import FSDPModule
from trl.generation.vllm_generation import VLLMGeneration

from mstar.agents.config import Recipe
from mstar.agents.policy import distributed
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import Response, RolloutEngine
from mstar.agents.sampling.vllm_client import Server, server_at
from mstar.agents.seeds import mix, named
from mstar.envs.problem import Prompt

CONCURRENT_REQUESTS = 64  # the server forms batches of them


class ServerSampler(RolloutEngine):
    """Samples from a policy by a vLLM server of the same model.

    Every call first sends the current weights. The server reports the log-probabilities of sampled
    tokens only, so entropy and certainty are NaN, and reward models that need them abstain. What is
    drawn depends on the seed, the prompt's key and the index of the sample, but by the server's own
    generator: another version of vLLM may draw otherwise.

    Args:
        policy: whose weights are sent.
        server: of the same model.
        max_new_tokens: limit on the length of a response, in tokens.
    """

    def __init__(self, policy: Policy, server: Server, max_new_tokens: int) -> None:
        super().__init__()
        self.policy, self.server, self.max_new_tokens = policy, server, max_new_tokens
        self._weights: WeightSync | None = None

    @classmethod
    def from_config(cls, policy: Policy, recipe: Recipe) -> ServerSampler:
        """The sampler of a recipe's server.

        Raises:
            ConnectionError: there is no server at the recipe's address.
        """
        return cls(policy, server_at(recipe.sampling.server), recipe.max_new_tokens)

    def generate(
        self, prompts: Sequence[Prompt], temperatures: Sequence[Sequence[float]], seed: int
    ) -> list[list[Response]]:
        """Generate one response to prompt i at each of ``temperatures[i]``.

        Raises:
            ConnectionError: the server is down, refuses, or returns fewer responses than requested.
        """
        self.send_weights()  # every process, including one that has nothing to sample
        requests: list[Request] = []
        for index, each in enumerate(temperatures):
            first = 0
            for temperature, equal in groupby(each):
                samples = len(list(equal))
                requests.append(Request(index, first, temperature, samples))
                first += samples
        results: list[list[Response]] = [[] for _ in prompts]
        with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
            replies = pool.map(lambda each: self._send(prompts[each.prompt], each, seed), requests)
            for request, (prompt_tokens, responses) in zip(requests, replies, strict=True):
                results[request.prompt] += responses
                if request.first == 0:  # a prompt counts once, however many requests it takes
                    self._count_prompts([prompts[request.prompt]], prompt_tokens)
                self._count_responses(responses)
        return results

    def send_weights(self) -> None:
        """Send the policy's weights to the server; all processes must call this together."""
        if self._weights is None:
            self._weights = WeightSync(self.policy, self.server)
        self._weights.sync_weights()
        distributed.wait()

    def _send(self, prompt: Prompt, request: Request, seed: int) -> tuple[int, list[Response]]:
        """The number of tokens of the prompt, and the responses to it."""
        content: list[dict[str, Any]] = [{"type": "image", "image": i} for i in prompt.images]
        content.append({"type": "text", "text": self.policy.plain(prompt.text)})
        # Greedy responses are all the same.
        samples = 1 if request.temperature == 0 else request.samples
        reply = self.server.chat(
            [[{"role": "user", "content": content}]],
            n=samples,
            temperature=request.temperature,
            max_tokens=self.max_new_tokens,
            generation_kwargs={"seed": mix(seed, named(prompt.key), request.first) % 2**31},
        )
        tokens, logprobs = reply["completion_ids"], reply["logprobs"]
        if len(tokens) != samples or logprobs is None or not all(tokens):
            raise ConnectionError(
                f"the server at {self.server.base_url} was asked for {samples} responses with "
                f"log-probabilities and returned {sum(map(bool, tokens))}; is it a vLLM server?"
            )
        responses = [self._response(*pair) for pair in zip(tokens, logprobs, strict=True)]
        return len(reply["prompt_ids"][0]), responses * (request.samples // samples)

    def _response(self, tokens: list[int], logprobs: list[list[float | None]]) -> Response:
        tokenizer = self.policy.processor.tokenizer
        sampled = [math.nan if ranked[0] is None else ranked[0] for ranked in logprobs]
        return Response(
            text=tokenizer.decode(tokens, skip_special_tokens=True),
            tokens=tuple(tokens),
            logprob=sum(sampled),
            entropy=math.nan,
            certainty=math.nan,
            finished=tokens[-1] in self.policy.end_tokens,
        )


@dataclass(frozen=True, slots=True)
class Request:
    """Some of the responses to a prompt, at one temperature.

    Attributes:
        prompt: index of the prompt.
        first: index of the first of these samples among all of the prompt.
        temperature: 0 is greedy.
        samples: how many.
    """

    prompt: int
    first: int
    temperature: float
    samples: int


class WeightSync(VLLMGeneration):
    """TRL's transfer of a policy's weights, sharded or with LoRA too, to a given server."""

    def __init__(self, policy: Policy, server: Server) -> None:
        self.vllm_client = server
        accelerator = Accelerator(cpu=policy.device.type == "cpu")
        super().__init__(policy.model, accelerator, policy.processor, mode="server")

    def _init_vllm(self) -> None:
        if distributed.is_main():
            self.vllm_client.join(self.accelerator.device)

    def sync_weights(self) -> None:
        """Send the weights, which are not sharded until the first trainer has started."""
        self._dist.fsdp_version = 2 if isinstance(self.model, FSDPModule) else None
        super().sync_weights()
