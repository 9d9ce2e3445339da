"""A model's own forward, and what trainers put around it: a scoring head, and autocast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peft import PeftModel


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Without dropout and by the model's own forward; afterwards the model is as it was.

    A policy that has met a trainer must still say what it says without one, to the last bit: a
    resumed run samples before it trains.
    """
    training, wrapped = model.training, own_forward(model)
    model.eval()
    try:
        yield
    finally:
        model.train(training)
        for module, forward in wrapped:
            module.forward = forward


def own_forward(model: Any) -> list[tuple[Any, Any]]:
    """Take away what trainers put around the forward of a model, and of the one inside a peft's.

    Returns:
        Each model that had something around its forward, with it.
    """
    models = [model, model.get_base_model()] if isinstance(model, PeftModel) else [model]
    return [(m, vars(m).pop("forward")) for m in models if "forward" in vars(m)]
