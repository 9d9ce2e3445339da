"""``mstar chat``: ask a run's policy, or any model, about images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from mstar.agents.model_names import check_model
from mstar.experiments.terminal import printable


@dataclass(frozen=True)
class ChatOptions:
    """Ask a policy one question about one or more images, and print its response.

    Attributes:
        subject: a run's folder, a model's folder, or a hub name.
        asked: the images, then the question.
        instruction: follows the question: a text, ``@FILE``, ``none``, or ``default``, as for mstar
            train; if left out, that of the run.
        system: the system turn: a text, ``@FILE`` or ``none``; if left out, that of the run.
        temperature: of sampling; 0 is greedy.
        seed: of sampling.
        max_new_tokens: longest response, in tokens.
    """

    subject: tyro.conf.Positional[str]
    asked: tyro.conf.Positional[tuple[str, ...]]
    instruction: str | None = None
    system: str | None = None
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
    check_model(options.subject)
    from mstar.agents.sampling.engine import sampler_of
    from mstar.envs.datasets.images import StoredImage
    from mstar.envs.problem import Prompt
    from mstar.experiments.evaluation.subject import open_subject

    shown = tuple(StoredImage(Path(path), path).render() for path in images)
    asked = {"instruction": options.instruction, "system": options.system}
    changes = {name: value for name, value in asked.items() if value is not None}
    subject = open_subject(options.subject, changes)
    recipe = subject.recipe.replace(max_new_tokens=options.max_new_tokens, server="")
    sampler = sampler_of(subject.policy(), recipe)
    instruction, system = recipe.data.instruction_text, recipe.data.system_text
    prompt = Prompt(
        text=f"{question}\n{instruction}" if instruction else question,
        images=shown,
        key="chat",
        system="" if system == "data" else system,  # of which a question has none
    )
    ((response,),) = sampler.sample([prompt], 1, options.temperature, options.seed)
    print(printable(response.text))
