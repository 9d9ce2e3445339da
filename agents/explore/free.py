"""A temperature by what the round's own responses say about the others: exploration for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mstar.agents.explore.base import LADDER
from mstar.agents.explore.importance import evidence, probed
from mstar.agents.explore.paired import Paired
from mstar.agents.explore.temperature_belief import Comparison
from mstar.agents.types import RoundSamples, Samples

FEWEST = 30  # problems that evidence is taken from; with fewer, a few weights decide it


class Free(Paired):
    """Chooses the temperature of the most discovery a token, from samples that are there anyway.

    What is maximised is ``importance.discovery``: the probability that some samples of a problem
    hold a right one, weighted by how rarely the policy is right on it, for the tokens spent. It is
    not Reward-Pass@2, which counts problems that are always solved, from which nothing is learned,
    and so goes to the lowest temperature as soon as some kinds of problems are solved, while others
    need a higher one.

    The evidence is that of every round: the training samples, drawn from the policy before its
    update, and the validation samples at the present temperature, drawn after it. Importance
    weights make both speak for the temperatures of the ladder around theirs, and the posterior,
    margin and memory of ``Paired`` do the rest, with the noise that the weights really have.

    Weights degenerate where responses are long: then hardly any response has a likely place at two
    temperatures. Where a round's samples say nothing about another temperature, the controller
    probes the neighbours of its own in the next one, as ``Paired`` does. It never sweeps the base.

    An engine that does not see logits cannot record the ladder: the run is refused at its start.
    """

    ladder: ClassVar[tuple[float, ...]] = LADDER
    _blind = False  # whether the last round's own samples said nothing

    def probes(self, round_number: int) -> tuple[float, ...]:
        """The present temperature alone, unless the weights have degenerated."""
        if round_number == 0 or not self._blind:
            return (self._plan.temperature,)
        return super().probes(round_number)

    def _compared(self, round_number: int, samples: RoundSamples) -> list[Comparison]:
        """What training samples, validation samples and probes say about temperatures."""
        trained = [evidence(part, round_number - 1) for part in samples.training if _enough(part)]
        if len(samples.validation) > 1:
            validated = [probed(samples.validation, self._plan.temperature, round_number)]
        else:
            validated = [evidence(p, round_number) for p in samples.validation if _enough(p)]
        found = [each for each in (*trained, *validated) if each is not None]
        self._blind = not any(trained) and (len(samples.validation) > 1 or not found)
        return found

    def state(self) -> dict[str, Any]:
        """As of ``Paired``, and whether probes are needed."""
        return {**super().state(), "blind": self._blind}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume with the comparisons that were made."""
        super().restore(state)
        self._blind = bool(state["blind"])


def _enough(samples: Samples) -> bool:
    return len(samples.right) >= FEWEST
