"""What the two ways to sample with vLLM, a server and this process, have in common."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from torch.distributed.fsdp import FSDPModule

from mstar.agents.policy.agreement import same_sum
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import Response, RolloutEngine
from mstar.agents.sampling.likelihood import log_probabilities
from mstar.agents.sampling.weight_transfer import WeightTransfer
from mstar.agents.seeds import mix, named
from mstar.envs.problem import Prompt

CHECKED = 4  # responses whose log-probabilities are compared


@dataclass(frozen=True, slots=True)
class Request:
    """Some of the responses to a prompt, at one temperature.

    Attributes:
        prompt: index of the prompt.
        first: index of the first of these samples among all of the prompt.
        temperature: 0 is greedy.
        samples: how many.
        seed: of vLLM's generator.
    """

    prompt: int
    first: int
    temperature: float
    samples: int
    seed: int

    @property
    def drawn(self) -> int:
        """How many different responses to ask for: greedy ones are all the same."""
        return 1 if self.temperature == 0 else self.samples


@dataclass(frozen=True, slots=True)
class Reply:
    """What vLLM returns for a request.

    Attributes:
        prompt: ids of the prompt as vLLM read it.
        tokens: ids of each response.
        logprobs: log-probabilities of these tokens at temperature 1.
    """

    prompt: list[int]
    tokens: list[list[int]]
    logprobs: list[list[float]]


class VLLMEngine(RolloutEngine):
    """Samples from a policy by vLLM, whose weights are made those of the policy before each call.

    vLLM reports the log-probabilities of sampled tokens only, so entropy and certainty are NaN, and
    reward models that need them abstain. What is drawn depends on the seed, the prompt's key and
    the index of the sample, but by vLLM's generator: another version may draw otherwise.

    Two checks keep what is learned equal to what was drawn. The ids of every prompt, as vLLM reads
    it, must be those that the policy is trained on; and after each of the first two transfers of
    weights, vLLM's log-probabilities of a few responses must be the policy's own.

    Args:
        policy: whose weights vLLM gets.
        max_new_tokens: limit on the length of a response, in tokens.
    """

    where: str  # what an error calls this vLLM

    def __init__(self, policy: Policy, max_new_tokens: int) -> None:
        super().__init__()
        self.policy, self.max_new_tokens = policy, max_new_tokens
        self._transfer: WeightTransfer | None = None
        self._to_check = 2  # transfers: the first may change nothing

    @abstractmethod
    def connect(self) -> WeightTransfer:
        """How weights reach vLLM; called before the first transfer."""

    @abstractmethod
    def request(self, prompts: Sequence[Prompt], requests: Sequence[Request]) -> list[Reply]:
        """Have vLLM reply to each request.

        Raises:
            ConnectionError: it is down, refuses, or returns something else.
        """

    def send_weights(self) -> bool:
        """Send the policy's weights if they changed; all processes must call this together."""
        if self._transfer is None:
            self._transfer = self.connect()
        return self._transfer.send()

    def generate(
        self, prompts: Sequence[Prompt], temperatures: Sequence[Sequence[float]], seed: int
    ) -> list[list[Response]]:
        """Generate one response to prompt i at each of ``temperatures[i]``.

        Raises:
            ConnectionError: vLLM is down, refuses, or returns fewer responses than requested.
            ValueError: vLLM reads prompts otherwise, or has other weights.
        """
        changed = self.send_weights()  # every process, including one that has nothing to sample
        requests = requests_of(prompts, temperatures, seed)
        results: list[list[Response]] = [[] for _ in prompts]
        for request, reply in zip(requests, self.request(prompts, requests), strict=True):
            self._check_reply(prompts[request.prompt], request, reply)
            drawn = [
                self._response(*pair) for pair in zip(reply.tokens, reply.logprobs, strict=True)
            ]
            responses = drawn * (request.samples // request.drawn)
            results[request.prompt] += responses
            if request.first == 0:  # a prompt counts once, however many requests it takes
                self._count_prompts([prompts[request.prompt]], len(reply.prompt))
            self._count_responses(responses)
        if changed and self._to_check:
            self._to_check -= 1
            self._check_weights(prompts, results)
        return results

    def _check_reply(self, prompt: Prompt, request: Request, reply: Reply) -> None:
        """Raise where a reply lacks responses, or answers to other ids than the policy's."""
        complete = sum(map(bool, reply.tokens))
        if complete != request.drawn or len(reply.logprobs) != request.drawn:
            raise ConnectionError(
                f"{self.where} was asked for {request.drawn} responses with log-probabilities and "
                f"returned {complete}; is it a vLLM server?"
            )
        if request.first:
            return
        ours = self.policy.encode([prompt])["input_ids"][0].tolist()
        if reply.prompt != ours:
            raise ValueError(
                f"{self.where} reads the prompt {prompt.text[:60]!r} as {len(reply.prompt)} tokens "
                f"and the policy as {len(ours)}, or as other ones: it would answer to what the "
                "policy is not trained on. Give both the same model folder, with the same chat "
                "template and image settings"
            )

    def _check_weights(
        self, prompts: Sequence[Prompt], results: Sequence[Sequence[Response]]
    ) -> None:
        """Raise where vLLM's log-probabilities are not the policy's."""
        # Those with most images first: they need the most to be equal.
        order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i].images))
        pairs = [(prompts[i], results[i][0]) for i in order if results[i]][:CHECKED]
        if not pairs or any(isinstance(m, FSDPModule) for m in self.policy.model.modules()):
            return
        own = log_probabilities(self.policy, *zip(*pairs, strict=True))  # type: ignore[arg-type]
        for ours, (_, response) in zip(own, pairs, strict=True):
            count = len(response.tokens)
            if same_sum(response.logprob, ours, count, self.policy.network.dtype):
                continue
            raise ValueError(
                f"{self.where} gives {count} tokens the log-probability {response.logprob:.2f} and "
                f"the policy {ours:.2f}, more than rounding: weights did not arrive, or images are "
                "read in another way. Without torchvision on this side, start the server with "
                "--mm-processor-kwargs '{\"use_fast\": false}'; preprocessor_config.json must have "
                "image_mean and image_std, which vLLM reads there; on a CPU, vLLM keeps old "
                "weights of an output layer that is tied to the embeddings"
            )

    def _response(self, tokens: list[int], logprobs: list[float]) -> Response:
        return Response(
            text=self.policy.processor.tokenizer.decode(tokens, skip_special_tokens=True),
            tokens=tuple(tokens),
            logprob=sum(logprobs),
            entropy=math.nan,
            certainty=math.nan,
            finished=tokens[-1] in self.policy.end_tokens,
        )


def requests_of(
    prompts: Sequence[Prompt], temperatures: Sequence[Sequence[float]], seed: int
) -> list[Request]:
    """One request for each run of equal temperatures of each prompt."""
    requests: list[Request] = []
    for index, each in enumerate(temperatures):
        first = 0
        for temperature, equal in groupby(each):
            samples = len(list(equal))
            drawn_by = mix(seed, named(prompts[index].key), first) % 2**31
            requests.append(Request(index, first, temperature, samples, drawn_by))
            first += samples
    return requests
