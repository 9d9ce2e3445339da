"""Sampling by vLLM in this process, on the GPU that also trains."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trl.import_utils import is_vllm_available
from trl.trainer.utils import ensure_master_addr_port

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.vllm import Reply, Request, VLLMEngine
from mstar.agents.sampling.weight_transfer import WeightTransfer
from mstar.envs.problem import Prompt


class ColocatedSampler(VLLMEngine):
    """Samples from a policy by vLLM in this process; see ``VLLMEngine``.

    On a GPU vLLM sleeps while the policy is trained: it then holds neither weights nor a cache.

    Args:
        policy: whose weights vLLM gets.
        max_new_tokens: limit on the length of a response, in tokens.
        rows: responses generated at the same time.
        gpu_memory: share of the GPU's memory for vLLM, in (0, 1).

    Raises:
        ValueError: vLLM is not installed.
    """

    where = "vLLM in this process"

    def __init__(self, policy: Policy, max_new_tokens: int, rows: int, gpu_memory: float) -> None:
        if not is_vllm_available():
            raise ValueError(
                "engine 'vllm' needs vLLM in this environment: pip install 'mstar-rl[vllm]', or "
                "sample with --engine local"
            )
        super().__init__(policy, max_new_tokens)
        self.rows, self.gpu_memory = rows, gpu_memory
        self._vllm: Colocated | None = None

    @classmethod
    def from_config(cls, policy: Policy, recipe: Recipe) -> ColocatedSampler:
        """The sampler with a recipe's limits."""
        sampling = recipe.sampling
        return cls(policy, recipe.max_new_tokens, sampling.batch_rows, sampling.gpu_memory)

    def connect(self) -> WeightTransfer:
        """Start vLLM, which shares this process's memory."""
        self._vllm = Colocated(self.policy, self.rows, self.gpu_memory)
        return self._vllm

    def request(self, prompts: Sequence[Prompt], requests: Sequence[Request]) -> list[Reply]:
        """Have vLLM reply to all requests in one batch; see ``VLLMEngine.request``."""
        assert self._vllm is not None, "weights are sent first"
        messages = [self.policy.messages(prompts[each.prompt], "image_pil") for each in requests]
        return self._vllm.chat(messages, requests, self.max_new_tokens)


class Colocated(WeightTransfer):
    """TRL's vLLM in this process, with the log-probabilities of temperature 1."""

    def __init__(self, policy: Policy, rows: int, gpu_memory: float) -> None:
        sleeps = policy.device.type == "cuda"
        super().__init__(
            policy,
            "colocate",
            max_num_seqs=rows,
            gpu_memory_utilization=gpu_memory,
            enable_sleep_mode=sleeps,
        )

    def _init_vllm(self) -> None:
        from vllm import LLM

        ensure_master_addr_port()
        on_cpu = self.policy.device.type == "cpu"
        self.llm = LLM(
            model=self.policy.network.name_or_path,
            dtype=str(self.policy.network.dtype).removeprefix("torch."),
            distributed_executor_backend=None if on_cpu else "external_launcher",
            gpu_memory_utilization=self.gpu_memory_utilization,
            max_num_seqs=self.max_num_seqs,
            enable_sleep_mode=self.enable_sleep_mode,
            logprobs_mode="raw_logprobs",  # TRL's are those of the temperature
            trust_remote_code=False,
        )
        self._llm_weights_sleeping = self.enable_sleep_mode
        if self.enable_sleep_mode:
            self.llm.sleep(level=2)

    def send(self) -> bool:
        """Send the weights if they have changed, or if vLLM dropped them to sleep."""
        if self._llm_weights_sleeping:
            self._sent = ()
        return super().send()

    def sync_weights(self) -> None:
        """Load the policy's weights into vLLM.

        On a CPU vLLM runs its model in another process, and computes with a packed copy of the
        weights, which it makes anew only when it loads a checkpoint.
        """
        if self.policy.device.type == "cpu":
            with tempfile.TemporaryDirectory() as folder:
                self.write(Path(folder))
                self.llm.collective_rpc("reload_weights", kwargs={"weights_path": folder})
        else:
            super().sync_weights()
        self.llm.reset_prefix_cache()
        self.llm.reset_mm_cache()
        self.llm.llm_engine.reset_encoder_cache()  # of images, as older weights saw them

    def chat(
        self, messages: list[list[dict[str, Any]]], requests: Sequence[Request], limit: int
    ) -> list[Reply]:
        """Replies to conversations, one for each request.

        Args:
            messages: one conversation for each request.
            requests: their temperatures, seeds and numbers of responses.
            limit: on the length of a response, in tokens.
        """
        from vllm import SamplingParams

        if self.enable_sleep_mode:
            self.llm.wake_up(tags=["kv_cache"])
        outputs = self.llm.chat(
            messages,
            [
                SamplingParams(
                    n=each.drawn,
                    temperature=each.temperature,
                    seed=each.seed,
                    max_tokens=limit,
                    logprobs=0,
                    top_p=1.0,
                    top_k=0,
                )
                for each in requests
            ],
            use_tqdm=False,
        )
        if self.enable_sleep_mode:
            self.llm.sleep(level=2)
            self._llm_weights_sleeping = True
        return [
            Reply(
                list(output.prompt_token_ids),
                [list(response.token_ids) for response in output.outputs],
                [_sampled(response) for response in output.outputs],
            )
            for output in outputs
        ]


def _sampled(response: Any) -> list[float]:
    """The log-probabilities of the tokens of one of vLLM's responses."""
    ranked = zip(response.token_ids, response.logprobs, strict=True)
    return [known[token].logprob for token, known in ranked]
