"""Evaluate a model without the wrappers that trainers put around its ``forward``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peft import PeftModel

# Attributes by which TRL (a fused scoring head) and accelerate (autocast) wrap a model, and the
# mark by which accelerate would skip it: the next trainer would then train without autocast.
WRAPPERS = ("forward", "_original_forward", "_is_accelerate_prepared")


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Put a model in eval mode, without wrappers, and restore it afterwards.

    A policy computes the same bits whether a trainer has wrapped it or not, so that a resumed run,
    which samples before it trains, continues exactly. A mixture of experts leaves out what a
    trainer asks it for to balance them: that needs a mask of a whole prompt.
    """
    training, wrapped = model.training, unwrap_forward(model)
    config = model.config.get_text_config()
    balanced = getattr(config, "output_router_logits", None)
    if balanced:
        config.output_router_logits = False
    model.eval()
    try:
        yield
    finally:
        model.train(training)
        if balanced:
            config.output_router_logits = True
        for module, attributes in wrapped:
            vars(module).update(attributes)


def unwrap_forward(model: Any) -> list[tuple[Any, dict[str, Any]]]:
    """Remove the wrappers from a model, and from the base model inside a peft model.

    Returns:
        Each model with the attributes that were removed from it.
    """
    models = [model, model.get_base_model()] if isinstance(model, PeftModel) else [model]
    return [(m, {name: vars(m).pop(name) for name in WRAPPERS if name in vars(m)}) for m in models]
