"""Sampling by a vLLM server, which is given the policy's weights before it writes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

from accelerate import Accelerator
from torch.distributed.fsdp import FSDPModule
from trl.generation.vllm_generation import VLLMGeneration

from mstar.agents.config import Recipe
from mstar.agents.policy import distributed
from mstar.agents.policy.launch import check_launch
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.local import (
    CountingSampler,
    LocalSampler,
    Prompt,
    Response,
)
from mstar.agents.sampling.temperatures import ladder, sample_counts
from mstar.agents.sampling.vllm_client import Server, server_at
from mstar.agents.seeds import mix, named

AT_ONCE = 64  # prompts under way; the server forms batches of them

Wanted = tuple[int, int, float, int]  # prompt, number of its first sample, temperature, samples


class ServerSampler(CountingSampler):
    """Samples from a policy by a server of the same model; see ``Sampler``.

    Every call first hands over the weights as they are now. The server knows the likelihood of the
    tokens that it draws and nothing of the others, so entropy and certainty are NaN, and reward
    models that look at them abstain. What is drawn depends on seed, key and number of the sample,
    but by the server's own generator: another version of it may draw otherwise.

    Args:
        policy: whose weights are sampled.
        server: where it is served.
        max_new_tokens: limit on the length of a response.
    """

    def __init__(self, policy: Policy, server: Server, max_new_tokens: int) -> None:
        self.policy, self.server, self.max_new_tokens = policy, server, max_new_tokens
        self._weights: Weights | None = None
        self.reset_counts()

    def sample(
        self,
        prompts: Sequence[Prompt],
        samples: int | Sequence[int],
        temperature: float | Sequence[float],
        seed: int,
    ) -> list[list[Response]]:
        """Write `samples` responses to each prompt, in the prompts' order; see ``Sampler``.

        Raises:
            ConnectionError: the server is down, refuses, or answers less than it was asked for.
        """
        self.hand_over()  # all processes, also one that has nothing to sample
        counts = sample_counts(len(prompts), samples)
        wanted: list[Wanted] = []
        for index, count in enumerate(counts):
            first = 0
            for heat, equal in groupby(ladder(count, temperature)):
                many = len(list(equal))
                wanted.append((index, first, heat, many))
                first += many
        found: list[list[Response]] = [[] for _ in prompts]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = pool.map(lambda want: self._ask(prompts[want[0]], want, seed), wanted)
            for (index, *_), (read, responses) in zip(wanted, answers, strict=True):
                found[index] += responses
                self._count(prompts[index], read if len(found[index]) == len(responses) else 0)
                self.responses += len(responses)
                self.tokens_generated += sum(len(response.tokens) for response in responses)
        return found

    def hand_over(self) -> None:
        """Give the server the policy's weights; every process must come here."""
        if self._weights is None:
            self._weights = Weights(self.policy, self.server)
        self._weights.sync_weights()
        distributed.wait()

    def _count(self, prompt: Prompt, read: int) -> None:
        """Count a prompt, unless it was sent before in this call."""
        if read:
            self.prompts_prefilled += 1
            self.images_encoded += len(prompt.images)
            self.prompt_tokens += read

    def _ask(self, prompt: Prompt, want: Wanted, seed: int) -> tuple[int, list[Response]]:
        """Tokens of the prompt, and its responses at one temperature."""
        _, first, heat, many = want
        content: list[dict[str, Any]] = [{"type": "image", "image": i} for i in prompt.images]
        content.append({"type": "text", "text": self.policy.plain(prompt.text)})
        drawn = 1 if heat == 0 else many  # the likeliest tokens are the same every time
        answer = self.server.chat(
            [[{"role": "user", "content": content}]],
            n=drawn,
            temperature=heat,
            max_tokens=self.max_new_tokens,
            generation_kwargs={"seed": mix(seed, named(prompt.key), first) % 2**31},
        )
        tokens, told = answer["completion_ids"], answer["logprobs"]
        if len(tokens) != drawn or told is None or not all(tokens):
            raise ConnectionError(
                f"the server at {self.server.base_url} was asked for {drawn} responses with "
                f"log-probabilities and gave {sum(map(bool, tokens))}; is it a vLLM server?"
            )
        responses = [self._response(*pair) for pair in zip(tokens, told, strict=True)]
        return len(answer["prompt_ids"][0]), responses * (many // drawn)

    def _response(self, tokens: list[int], told: list[list[float | None]]) -> Response:
        tokenizer = self.policy.processor.tokenizer
        likely = [math.nan if rank[0] is None else rank[0] for rank in told]
        return Response(
            text=tokenizer.decode(tokens, skip_special_tokens=True),
            tokens=tuple(tokens),
            logprob=sum(likely),
            entropy=math.nan,
            certainty=math.nan,
            finished=tokens[-1] in self.policy.end_tokens,
        )


class Weights(VLLMGeneration):
    """TRL's walk through the weights of a policy, in pieces or with LoRA too, to a given server."""

    def __init__(self, policy: Policy, server: Server) -> None:
        self.vllm_client = server
        accelerator = Accelerator(cpu=policy.device.type == "cpu")
        super().__init__(policy.model, accelerator, policy.processor, mode="server")

    def _init_vllm(self) -> None:
        if distributed.is_main():
            self.vllm_client.join(self.accelerator.device)

    def sync_weights(self) -> None:
        """Send them; whatever the launch, they are whole until a trainer has had them cut."""
        self._dist.fsdp_version = 2 if isinstance(self.model, FSDPModule) else None
        super().sync_weights()


def sampler_of(policy: Policy, recipe: Recipe) -> CountingSampler:
    """The recipe's sampler of a policy: its server, or this process.

    Raises:
        ConnectionError: there is no server at the recipe's address.
        ValueError: the launch would cut the weights in a way that the run could not go on with.
    """
    check_launch(recipe)
    if recipe.sampling.server:
        return ServerSampler(
            policy, server_at(recipe.sampling.server), recipe.sampling.max_new_tokens
        )
    return LocalSampler(policy, recipe.sampling.max_new_tokens, recipe.sampling.batch_rows)
