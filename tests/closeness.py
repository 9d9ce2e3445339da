"""How close two computations of the same thing must come, and why.

**The same operations on the same shapes** give the same bits, on any one machine: a resumed run
and the run that was never stopped, a policy and the policy that was loaded from its checkpoint.
Such tests compare with ``==`` or ``same_weights`` and allow for nothing.

**Two ways to the same numbers** (one process or two, with a cache or without, other batches) add
the same terms in another order. In float32 the results differ from about the seventh digit on,
and how they differ is up to the processor. What follows is not always continuous: the likeliest
token, a token that is drawn at the border between two, an answer that passes a threshold. Adam is
worse, for it divides a gradient by the gradient's own size: where a gradient is nothing but
rounding (as that of a bias of all attention keys, which attention does not depend on), a weight
moves by a whole learning rate one way or the other. So these tests run in ``double_precision``,
where rounding is 1e-16. Tokens, answers and lessons must then be equal, and weights agree as
``assert_weights_agree`` says.

**Numbers that are float32** whatever the model is (logits, losses, sums of log-probabilities, all
stored scores) are compared ``within_rounding``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from mstar.agents.policy import policy as policies

Weights = Mapping[str, torch.Tensor]

# Terms that are added one after another on the way from a tiny model's input to a logit: over two
# times two layers 48 channels five times, 96 once and about 100 positions, then 300 tokens.
FORWARD_PASS = 2048


def rounding(terms: int = FORWARD_PASS) -> float:
    """How much of its size a sum of float32 terms may change with the order of the terms.

    Each addition rounds by at most half of 2**-23, and two orders may round to opposite sides.
    """
    return terms * 2.0**-23


def within_rounding(expected: Any, terms: int = FORWARD_PASS) -> Any:
    """What equals `expected`, numbers of about 1 or more in all, up to float32 rounding."""
    return pytest.approx(expected, rel=rounding(terms), abs=rounding(terms), nan_ok=True)


@contextmanager
def double_precision() -> Iterator[None]:
    """While this lasts, models that would be float32 are loaded as float64."""
    load = policies.load_weights

    def doubled(name: str, dtype: Any, *others: Any, **options: Any) -> Any:
        return load(name, "float64" if dtype == "float32" else dtype, *others, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policies, "load_weights", doubled)
        yield


def same_weights(one: Weights, other: Weights) -> bool:
    """Whether all weights are equal to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def assert_weights_agree(ours: Weights, theirs: Weights, learning_rate: float) -> None:
    """Weights that Adam has trained in double precision, in two ways, are the same.

    An update is the learning rate times a ratio of gradients, of which the lower part is at least
    Adam's epsilon, 1e-8. A gradient that is off by 1e-16 therefore moves a weight by at most 1e-8
    of the learning rate. The losses are float32, so that their gradients are off by 1e-7 of their
    size, and a weight where they nearly cancel can move further. There are few of those, so what is
    compared is the root mean square of each tensor: a thousandth of the learning rate at most,
    where training on anything else would make it about 1.
    """
    assert ours.keys() == theirs.keys()
    for name, weight in theirs.items():
        assert weight.dtype == torch.float64, f"{name} was not trained in double precision"
        off = float((ours[name] - weight).square().mean().sqrt()) / learning_rate
        assert off <= 1e-3, f"{name} is off by {off:.1e} of the learning rate"
