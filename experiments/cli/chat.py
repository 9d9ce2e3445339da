"""``mstar chat``: ask a run's policy, or any model, about images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from mstar.envs.task import INSTRUCTION
from mstar.experiments.terminal import printable


@dataclass(frozen=True)
class ChatOptions:
    """Ask a policy one question about one or more images, and print its response.

    Attributes:
        subject: a run's folder, a model's folder, or a hub name.
        asked: the images, then the question.
        instruction: follows the question; the one of training by default, "" for none.
        temperature: of sampling; 0 is greedy.
        seed: of sampling.
        max_new_tokens: longest response, in tokens.
    """

    subject: tyro.conf.Positional[str]
    asked: tyro.conf.Positional[tuple[str, ...]]
    instruction: str = INSTRUCTION
    temperature: float = 0.0
    seed: int = 0
    max_new_tokens: int = 512


def run(arguments: list[str]) -> None:
    """``mstar chat RUN|MODEL IMAGE ... QUESTION``.

    Raises:
        ValueError: there is no image or no question, or an image cannot be read.
    """
    options = tyro.cli(
        ChatOptions,
        args=arguments,
        prog="mstar chat",
        description='For example: mstar chat runs/default chart.png "Which bar is the highest?"',
    )
    if len(options.asked) < 2:
        raise ValueError(
            "mstar chat needs an image and a question: mstar chat RUN|MODEL IMAGE ... QUESTION"
        )
    *images, question = options.asked
    from mstar.agents.sampling.engine import sampler_of
    from mstar.envs.datasets.images import StoredImage
    from mstar.envs.problem import Prompt
    from mstar.experiments.evaluation.subject import open_subject

    shown = tuple(StoredImage(Path(path), path).render() for path in images)
    text = f"{question}\n{options.instruction}" if options.instruction else question
    subject = open_subject(options.subject)
    recipe = subject.recipe.replace(max_new_tokens=options.max_new_tokens, server="")
    sampler = sampler_of(subject.policy(), recipe)
    prompt = Prompt(text=text, images=shown, key="chat")
    ((response,),) = sampler.sample([prompt], 1, options.temperature, options.seed)
    print(printable(response.text))
