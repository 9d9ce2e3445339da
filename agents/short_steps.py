"""Keep a trainer from visiting every module of a model in each update.

transformers' trainer does it four times: it sets the mode of training, counts the weights for an
estimate of operations, clips the gradients and clears them. A LoRA on 36 layers makes a model of
3,361 modules, and a GPU, whose kernels the same thread launches, waits for each visit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils import DistributedType

# Kinds of training in which every process holds all weights.
WHOLE = {DistributedType.NO, DistributedType.MULTI_GPU, DistributedType.MULTI_CPU}


class ShortSteps:
    """Makes a trainer go through the weights that it trains, in place of all modules.

    It stands before the trainer among the base classes. A trainer that shards the model is left as
    it is; with several processes, the wrapper around the model still clears all gradients.
    """

    _short: ShortMethods | None = None

    def train(self, *given: Any, **options: Any) -> Any:
        """Train as the trainer does."""
        trainer: Any = self
        parent: Any = super()
        if trainer.accelerator.distributed_type not in WHOLE:
            return parent.train(*given, **options)
        model = trainer.model
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        self._short = short = ShortMethods(model, trained)
        model.train, model.zero_grad = short.train, short.zero_grad
        try:
            return parent.train(*given, **options)
        finally:
            del model.train, model.zero_grad

    def floating_point_ops(self, inputs: Any) -> int:
        """0: agents count operations themselves."""
        return 0

    def _clip_grad_norm(self, model: Any) -> Any:
        trainer: Any = self
        parent: Any = super()
        if self._short is None:
            return parent._clip_grad_norm(model)
        return trainer.accelerator.clip_grad_norm_(self._short.trained, trainer.args.max_grad_norm)


@dataclass(frozen=True, slots=True, eq=False)
class ShortMethods:
    """Methods for a model that is trained; a deep copy of the model has copies for itself.

    Attributes:
        model: whose methods they are.
        trained: its weights that take gradients.
    """

    model: Any
    trained: Sequence[torch.nn.Parameter]

    def train(self, mode: bool = True) -> Any:
        """Set the mode of all modules, unless that of the model is the same.

        Args:
            mode: of training, else of evaluation.
        """
        same = self.model.training == mode
        return self.model if same else type(self.model).train(self.model, mode)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of the weights that are trained.

        Args:
            set_to_none: ignored; gradients are always set to None.
        """
        for weight in self.trained:
            weight.grad = None
