"""Send a policy's weights to vLLM: over NCCL, by a folder, or within this process."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from peft import PeftModel
from torch.distributed.fsdp import FSDPModule
from trl.generation.vllm_generation import VLLMGeneration

from mstar.agents.policy import distributed
from mstar.agents.policy.merging import merged, merged_weights
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.vllm_client import Server


class WeightTransfer(VLLMGeneration):
    """TRL's transfer of a policy's weights, sharded or with LoRA too, in one of three ways.

    All processes must call ``send`` together. It does nothing while the weights are those that were
    sent last.

    Args:
        policy: whose weights are sent.
        mode: TRL's ``"server"`` or ``"colocate"``.
        options: further ones of ``VLLMGeneration``.
    """

    def __init__(self, policy: Policy, mode: str, **options: Any) -> None:
        self.policy = policy
        self._sent: tuple[float, ...] = ()
        accelerator = Accelerator(cpu=policy.device.type == "cpu")
        super().__init__(policy.model, accelerator, policy.processor, mode=mode, **options)

    def send(self) -> bool:
        """Send the weights if they have changed; returns whether they had."""
        present = fingerprint(self.policy.model)
        (changed,) = distributed.total(present != self._sent)
        if changed:
            # Weights are not sharded until the first trainer has started.
            self._dist.fsdp_version = 2 if isinstance(self.model, FSDPModule) else None
            self.sync_weights()
            self._sent = present
        distributed.wait()
        return bool(changed)

    def write(self, folder: Path) -> None:
        """Write all weights as a checkpoint of the model; all processes must call this together."""
        weights = {
            name: weight.detach().to("cpu", copy=True)
            for name, weight in self._iter_named_params()
            if distributed.is_main()
        }
        if distributed.is_main():
            self.policy.network.save_pretrained(folder, state_dict=weights)

    @abstractmethod
    def _init_vllm(self) -> None:
        """Start vLLM, or connect to it."""

    def _iter_named_params(self) -> Iterator[tuple[str, torch.Tensor]]:
        """All weights, each whole, by the names of the model; LoRA is merged into them.

        TRL merges in place and subtracts again, so that every transfer would change the policy by a
        rounding error. Here the weights of the base stay what they are.
        """
        if isinstance(self.model, PeftModel) and not self._dist.is_fsdp:
            with self._dist.gather_params(list(self.model.parameters())), merged(self.model):
                yield from merged_weights(self.model)
        else:
            yield from super()._iter_named_params()

    def _iter_fsdp2_params(self, module: Any) -> Iterator[tuple[str, torch.Tensor]]:
        """As TRL does, which looks through all modules for LoRA once more for every weight."""
        adapted = isinstance(module, PeftModel)
        for name, weight in merged_weights(module) if adapted else module.named_parameters():
            shard: Any = weight.detach().to(self.accelerator.device)
            yield self._fix_param_name_to_vllm(name), shard.full_tensor()


class NcclTransfer(WeightTransfer):
    """Weights go to a server over NCCL, from GPU to GPU."""

    def __init__(self, policy: Policy, server: Server) -> None:
        self.vllm_client = server
        super().__init__(policy, "server")

    def _init_vllm(self) -> None:
        if distributed.is_main():
            self.vllm_client.join(self.accelerator.device)


class FolderTransfer(WeightTransfer):
    """Weights go to a server by a folder that both can read.

    The folder holds one set of weights, in the form of a checkpoint of the model.

    Args:
        policy: whose weights are sent.
        server: of the same model.
        folder: which the server finds under the same path; empty for a temporary one, for a server
            on this machine.
    """

    def __init__(self, policy: Policy, server: Server, folder: str = "") -> None:
        self.vllm_client = server
        if not folder:
            folder = tempfile.mkdtemp()
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.folder = Path(folder) / "weights"
        super().__init__(policy, "server")

    def _init_vllm(self) -> None:
        """Nothing to start: a server takes a folder without preparation."""

    def sync_weights(self) -> None:
        """Write the weights, and have the server load them."""
        self.write(self.folder)
        if distributed.is_main():
            self.vllm_client.load_folder(self.folder)
            self.vllm_client.reset_prefix_cache()


def transfer_to(policy: Policy, server: Server, way: str, folder: str) -> WeightTransfer:
    """The way by which a server receives weights.

    Args:
        policy: whose weights are sent.
        server: of the same model.
        way: ``"nccl"``, ``"folder"``, or ``"auto"`` for NCCL where both sides have it.
        folder: see ``FolderTransfer``.

    Raises:
        ValueError: NCCL was asked for and cannot be used.
    """
    if way == "nccl" or (way == "auto" and not folder and server.takes_nccl(policy.device)):
        return NcclTransfer(policy, server)
    return FolderTransfer(policy, server, folder)


def fingerprint(model: Any) -> tuple[float, ...]:
    """A number for each weight that changes when training changes the weight.

    It is the sum plus the Euclidean norm, in float64; of a sharded weight, those of this process's
    shard.
    """
    numbers = []
    for weight in model.parameters():
        local = getattr(weight, "ds_tensor", weight).detach()  # a shard of ZeRO's
        local = local.to_local() if hasattr(local, "to_local") else local
        norm = torch.linalg.vector_norm(local, dtype=torch.float64)
        numbers.append(local.sum(dtype=torch.float64) + norm)
    return tuple(torch.stack(numbers).tolist())
