"""Plain questions in words: what a model says before and after it learns to see.

So that it goes on speaking, it learns what it said to some of them itself before, beside what is in
images (self-distillation). The questions that it is tested with are others.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import cross_entropy

from mstar.agents.policy.forward import evaluating
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import IGNORED
from mstar.agents.sampling.base import RolloutEngine
from mstar.envs.problem import Prompt
from mstar.experiments.make_vlm.batches import Conversations
from mstar.experiments.rows import Row

QUESTIONS: tuple[str, ...] = (
    "What is the capital of France?",
    "Who wrote Romeo and Juliet?",
    "What color is the sky on a clear day?",
    "How many days are in a week?",
    "What is 2 + 3?",
    "What is 7 times 6?",
    "Name three fruits.",
    "What is the opposite of hot?",
    "What do bees make?",
    "What is water made of?",
    "Which planet is closest to the sun?",
    "What is the largest ocean?",
    "How many legs does a spider have?",
    "What is the plural of mouse?",
    "Translate 'good morning' into French.",
    "Translate 'thank you' into Spanish.",
    "Write a sentence with the word 'river'.",
    "Write a short poem about the sea.",
    "Give me a name for a black cat.",
    "What should I wear when it rains?",
    "How do you boil an egg?",
    "What are the ingredients of bread?",
    "Why do leaves fall in autumn?",
    "What causes the tides?",
    "What is photosynthesis?",
    "What is gravity?",
    "Explain what a computer is to a child.",
    "What is the difference between a frog and a toad?",
    "What is a prime number?",
    "List the first five even numbers.",
    "What is half of 50?",
    "If I have 3 apples and eat one, how many are left?",
    "What comes after Wednesday?",
    "In which month is Christmas?",
    "Who was the first person on the moon?",
    "Who painted the Mona Lisa?",
    "What is the currency of Japan?",
    "On which continent is Egypt?",
    "What language is spoken in Brazil?",
    "What is the freezing point of water in degrees Celsius?",
    "What is a synonym of 'happy'?",
    "Correct this sentence: He go to school.",
    "Is a whale a fish?",
    "Can penguins fly?",
    "What is the tallest animal?",
    "What does a thermometer measure?",
    "What is the heart for?",
    "Suggest a title for a story about a lost dog.",
    "Give one reason to read books.",
    "Say hello.",
)

TOPICS = (
    *("rain", "music", "trains", "bread", "winter", "the moon", "dogs", "gardens", "money"),
    *("history", "sugar", "ships", "mountains", "letters", "iron", "birds", "health", "maps"),
)
REHEARSED: tuple[str, ...] = tuple(
    asked.format(topic)
    for topic in TOPICS
    for asked in (
        "Tell me about {}.",
        "Write a sentence about {}.",
        "Why do people care about {}?",
        "Ask me a question about {}.",
        "What is the French word for {}?",
        "Give three words that go with {}.",
    )
)


def own_answers(sampler: RolloutEngine, seed: int) -> list[Row]:
    """Rows of question, answer and whether it came to an end, sampled at temperature 1.

    At this temperature a model that learns from them has nothing to learn at first.
    """
    prompts = [Prompt(question, (), str(number)) for number, question in enumerate(REHEARSED)]
    return [
        {"question": question, "answer": said.text, "finished": said.finished}
        for question, (said,) in zip(REHEARSED, sampler.sample(prompts, 1, 1.0, seed), strict=True)
    ]


def answers(sampler: RolloutEngine, questions: Sequence[str] = QUESTIONS) -> list[str]:
    """The greedy answer to each question, without an image."""
    prompts = [Prompt(question, (), str(number)) for number, question in enumerate(questions)]
    return [group[0].text for group in sampler.sample(prompts, 1, 0.0, 0)]


def nats(policy: Policy, rows: Sequence[Row]) -> list[float]:
    """What a token of each row's answer ``before`` costs a policy: mean -log p, in nats.

    How often greedy answers stay the same says little once none does; this says how far off a
    model is. An empty answer costs 0.
    """
    write, network = Conversations(policy), policy.network
    found = []
    with torch.no_grad(), evaluating(policy.model):
        for row in rows:
            told = {"question": row["question"], "answer": row["before"], "finished": False}
            batch = {n: t.to(policy.device) for n, t in write.encode([], [told]).items()}
            after = batch.pop("labels")[0, 1:]
            logits = network(**batch).logits[0, :-1].float()
            cost = cross_entropy(logits, after, ignore_index=IGNORED, reduction="sum")
            found.append(float(cost) / max(1, int((after != IGNORED).sum())))
    return found
