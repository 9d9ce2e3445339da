"""A model's own forward, and what trainers put around it: a scoring head, and autocast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peft import PeftModel

# Where TRL and accelerate put theirs, and the mark by which accelerate would pass a model over: the
# next trainer of the same model would then train without autocast.
PLACES = ("forward", "_original_forward", "_is_accelerate_prepared")


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
        for module, held in wrapped:
            vars(module).update(held)


def own_forward(model: Any) -> list[tuple[Any, dict[str, Any]]]:
    """Take away what trainers put around the forward of a model, and of the one inside a peft's.

    Returns:
        Each model, with what it had in which place.
    """
    models = [model, model.get_base_model()] if isinstance(model, PeftModel) else [model]
    return [(m, {p: vars(m).pop(p) for p in PLACES if p in vars(m)}) for m in models]
