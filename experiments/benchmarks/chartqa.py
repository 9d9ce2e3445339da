"""ChartQA (Masry et al. 2022, arXiv 2203.10244)."""

from __future__ import annotations

from typing import Any

from mstar.experiments.benchmarks.base import Cells
from mstar.rewards.models.relaxed_accuracy import RelaxedAccuracy


class ChartQA:
    """Relaxed accuracy: 5 % tolerance for numbers, other answers exact but for case.

    The paper (section 5.1) asks trained models with the bare question. Prompt and comparison are
    those by which vision-language models are compared: ``lmms_eval/tasks/chartqa`` of the
    repository EvolvingLMMs-Lab/lmms-eval (``chartqa.yaml``, ``utils.py``). The whole response is
    the answer.
    """

    schema: str | None = "chartqa"
    _scoring = RelaxedAccuracy()

    def prompt(self, cells: Cells) -> str:
        """The question, and how long the answer is to be."""
        return f"{cells['query']}\nAnswer the question using a single word or phrase."

    def right(self, response: str, cells: Cells) -> bool:
        """Whether it is right within the tolerance."""
        return self._scoring.right(response.strip(), _only(cells["label"]))


def _only(label: Any) -> str:
    """The label, which some published files hold in a list of one."""
    return str(label[0] if isinstance(label, list) else label).strip()
