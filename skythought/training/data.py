"""Examples in, token rows out: what the trainer sees, checked before any step is paid for."""

from __future__ import annotations

import json
import tempfile
from array import array
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from skythought.core import formats, shapes, store
from skythought.core.errors import UserError, first_line, require
from skythought.core.records import Example

IGNORED = -100
FILES = (".jsonl", ".json", ".parquet", ".csv", ".txt", ".gz")  # endings of files, not of datasets


Tokens: TypeAlias = "array[int]"  # every process holds all of them: four bytes each, not forty


class Rows(NamedTuple):
    """Tokenized training data."""

    input_ids: list[Tokens]
    labels: list[Tokens]  # the token where the loss is taken, -100 elsewhere
    truncated: int  # rows cut at max_length
    dropped: int  # rows of which nothing of the completion was left
    kinds: list[Tokens]  # what each token is for (`split.KINDS`); empty where nobody can say
    sources: list[int]  # number of the example that each row was made of
    why_dropped: str = "their prompt alone is longer"

    @property
    def n_tokens(self) -> int:
        """Count all tokens."""
        return sum(map(len, self.input_ids))

    @property
    def longest(self) -> int:
        """Count the tokens of the longest sample."""
        return max(map(len, self.input_ids))

    @property
    def n_rows(self) -> int:
        """Count the samples."""
        return len(self.input_ids)


def read(dataset: Path) -> list[Example]:
    """Read training data of any known shape: a file, a folder, or owner/name on the hub.

    Raises:
        UserError: as `shapes.read_examples`, or the hub has no such dataset or cannot be asked.
    """
    name = dataset.as_posix()
    on_hub = store.may_be_on_hub(name) and dataset.suffix not in FILES
    if dataset.exists() or not on_hub:
        return list(shapes.read_examples(dataset))
    return from_hub(name)


def from_hub(name: str) -> list[Example]:
    """Download the training split of a dataset and read its rows.

    Raises:
        UserError: there is no such dataset, no network, or a row of no known shape.
    """
    datasets = require("datasets", "train")
    try:
        rows = datasets.load_dataset(name, split="train")
    except (OSError, ValueError) as error:  # what the hub says, and OfflineModeIsEnabled
        raise UserError(
            f"--dataset {name}: no such file here, and the hub says: {first_line(error)}; give a "
            "local JSONL file, or run this with a network"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for row in rows:  # a table fills what a row does not have with None
                file.write(json.dumps({k: v for k, v in row.items() if v is not None}) + "\n")
        try:
            return list(shapes.read_examples(path))
        except UserError as error:
            raise UserError(str(error).replace(str(path), f"{name} row")) from error


def tokenize(
    tokenizer: Any, examples: Iterable[Example], max_length: int, stops: Collection[int] = ()
) -> Rows:
    """Tokenize examples with the model's own template; the loss is on the completion and its end.

    Args:
        tokenizer: of the model, with its chat template.
        examples: demonstrations.
        max_length: tokens at which a sample is cut.
        stops: ids at which an engine ends a turn; of these one is learned behind a completion.

    Raises:
        UserError: no examples, or none of which anything is left after cutting at `max_length`;
            preference pairs.
    """
    from skythought.training import split

    ids: list[Tokens] = []
    labels: list[Tokens] = []
    kinds: list[Tokens] = []
    sources: list[int] = []
    truncated = dropped = 0
    for number, example in enumerate(examples):
        if example.rejected:
            raise UserError(
                "the dataset holds preference pairs; train on them with --objective simpo or dpo"
            )
        prompt = formats.prompt_ids(tokenizer, example.messages)
        rendered = formats.render_completion(tokenizer, example.messages, example.completion, stops)
        completion = rendered.ids
        if len(prompt) >= max_length:
            dropped += 1
            continue
        whole = prompt + completion
        truncated += len(whole) > max_length
        sources.append(number)
        ids.append(array("i", whole[:max_length]))
        labels.append(array("i", ([IGNORED] * len(prompt) + completion)[:max_length]))
        if (of := split.of_tokens(tokenizer, rendered)) is not None:
            kinds.append(array("b", ([split.NONE] * len(prompt) + of)[:max_length]))
    if not ids and not dropped:
        raise UserError("the dataset is empty; nothing to train on")
    if not ids or truncated == len(ids):
        raise UserError(
            f"all {len(ids) + dropped} samples are longer than --max-length {max_length}, so no "
            "answer would ever be seen; raise --max-length"
        )
    return Rows(ids, labels, truncated, dropped, kinds, sources)
