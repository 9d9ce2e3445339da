"""Prompts followed by responses, as the token ids that a policy is sampled with and trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mstar.agents.policy.policy import Policy
from mstar.envs.problem import Prompt

IGNORED = -100  # the label of what is not learned
TEXT = "answer"  # stands for any answer where the chat template is asked how it writes one


def padded(rows: Sequence[Sequence[int]], fill: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of ids as one tensor, padded on the right.

    Returns:
        (R, T) int64, and (R, T) int64 that is 1 on the ids and 0 on padding; T is at least 1.
    """
    longest = max([1, *(len(row) for row in rows)])
    tokens = torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])
    given = torch.tensor([[int(j < len(row)) for j in range(longest)] for row in rows])
    return tokens, given


def continued(
    policy: Policy, prompts: Sequence[Prompt], responses: Sequence[Sequence[int]]
) -> dict[str, torch.Tensor]:
    """The inputs of a forward pass over N prompts, each followed by its response, with labels.

    A row is the ids of ``Policy.encode``, which the policy was sampled with, then those of the
    response, then padding; the labels are the ids of the response alone. What else the model takes
    for each token (token types, the mask of cross-attention) goes on over the response as in
    ``generate``, with its value at the last token of the prompt; images are as ``encode`` makes
    them.

    Args:
        policy: whose inputs they are.
        prompts: N prompts.
        responses: N sequences of ids.
    """
    encoded = policy.encode(prompts)
    fill = policy.processor.tokenizer.pad_token_id or 0
    tokens, given = (each.to(policy.device) for each in padded(responses, fill))
    ids = encoded["input_ids"]
    inputs = {
        name: _going_on(value, tokens.shape[1]) if value.shape[:2] == ids.shape else value
        for name, value in encoded.items()
    }
    inputs["input_ids"] = torch.cat([ids, tokens], dim=1)
    inputs["attention_mask"] = torch.cat([encoded["attention_mask"], given], dim=1)
    learned = tokens.masked_fill(given == 0, IGNORED)
    inputs["labels"] = torch.cat([torch.full_like(ids, IGNORED), learned], dim=1)
    return _padded_on_the_right(inputs)


def _going_on(values: torch.Tensor, steps: int) -> torch.Tensor:
    """Values of prompts' tokens, (N, P, ...), with those of the last token `steps` times more."""
    return torch.cat([values, values[:, -1:].expand(-1, steps, *values.shape[2:])], dim=1)


def _padded_on_the_right(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same rows with the padding in front of prompts and behind responses behind both.

    The n-th token of a row then has position n, as it had in sampling, for models that number the
    columns of a batch as well as for those that number what the mask leaves.
    """
    mask = inputs["attention_mask"]
    order = mask.argsort(dim=1, descending=True, stable=True)[:, : int(mask.sum(1).max())]
    rows = torch.arange(len(mask), device=mask.device)[:, None]
    return {
        name: value[rows, order] if value.shape[:2] == mask.shape else value
        for name, value in inputs.items()
    }


def whole_turns(policy: Policy, texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Texts that the policy did not write, as the tokens that it would write them with.

    Each is one whole turn of the assistant, tokenized behind the start of that turn: with the white
    space that the chat template puts before an answer, and with the end token that it puts behind
    it. Where it puts none there at which sampling stops (LLaVA-1.5), the tokenizer's own is taken.

    Args:
        policy: whose chat template and tokenizer are used.
        texts: N texts.
    """
    tokenizer = policy.processor.tokenizer

    def ids(text: str) -> list[int]:
        found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    start, before, after = _around_an_answer(policy)
    started, end = ids(start), _end_of_turn(policy, ids(after))
    turns: list[tuple[int, ...]] = []
    for text in texts:
        answer = before + policy.plain(text)
        joined = ids(start + answer)
        # Behind the start, SentencePiece does not put the blank that it puts before any text. A
        # token may reach over the border, but no drawn one does: the answer then stands alone.
        own = joined[len(started) :] if joined[: len(started)] == started else ids(answer)
        turns.append((*own, *end))
    return turns


def _around_an_answer(policy: Policy) -> tuple[str, str, str]:
    """What the chat template writes up to an answer, between that start and it, and behind it."""

    def turn(role: str, text: str) -> dict[str, object]:
        return {"role": role, "content": [{"type": "text", "text": text}]}

    question = turn("user", "?")
    render = policy.processor.apply_chat_template
    start: str = render([question], add_generation_prompt=True, tokenize=False)
    whole: str = render([question, turn("assistant", TEXT)], tokenize=False)
    before, _, after = whole.removeprefix(start).rpartition(TEXT)
    # A template that starts a turn in another way than it shows one, with `<think>` for instance,
    # says nothing of what comes between.
    return start, before if whole.startswith(start) else "", after


def _end_of_turn(policy: Policy, after: Sequence[int]) -> list[int]:
    """The end token among the ids behind an answer, else the tokenizer's, else any; or none."""
    own = policy.processor.tokenizer.eos_token_id
    known = [*after, own, *policy.end_tokens]
    return [token for token in known if token in policy.end_tokens][:1]
