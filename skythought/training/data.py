"""Examples in, token rows out: what the trainer sees, checked before any step is paid for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from skythought import formats
from skythought.errors import UserError
from skythought.records import Example

IGNORED = -100


class Rows(NamedTuple):
    """Tokenized training data."""

    input_ids: list[list[int]]
    labels: list[list[int]]  # the token where the loss is taken, -100 elsewhere
    truncated: int  # rows cut at max_length
    dropped: int  # rows of which nothing of the completion was left

    @property
    def n_tokens(self) -> int:
        """Count all tokens."""
        return sum(map(len, self.input_ids))


def tokenize(tokenizer: Any, examples: Iterable[Example], max_length: int) -> Rows:
    """Tokenize examples with the model's own template; the loss is on the completion and its end.

    Raises:
        UserError: no examples, or none of which anything is left after cutting at `max_length`.
    """
    ids: list[list[int]] = []
    labels: list[list[int]] = []
    truncated = dropped = 0
    for example in examples:
        prompt = formats.prompt_ids(tokenizer, example.messages)
        completion = formats.completion_ids(tokenizer, example.messages, example.completion)
        if len(prompt) >= max_length:
            dropped += 1
            continue
        whole = prompt + completion
        truncated += len(whole) > max_length
        ids.append(whole[:max_length])
        labels.append(([IGNORED] * len(prompt) + completion)[:max_length])
    if not ids and not dropped:
        raise UserError("the dataset is empty; nothing to train on")
    if not ids or truncated == len(ids):
        raise UserError(
            f"all {len(ids) + dropped} samples are longer than --max-length {max_length}, so no "
            "answer would ever be seen; raise --max-length"
        )
    return Rows(ids, labels, truncated, dropped)
