"""Examples in, token rows out: what the trainer sees, checked before any step is paid for."""

from __future__ import annotations

import json
import os
import tempfile
from array import array
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from skythought.core import formats, shapes, spread, store
from skythought.core.errors import UserError, first_line, require
from skythought.core.records import Example

IGNORED = -100
FILES = (".jsonl", ".json", ".parquet", ".csv", ".txt", ".gz")  # endings of files, not of datasets


Tokens: TypeAlias = "array[int]"  # every process holds all of them: four bytes each, not forty


MANY = 2000  # examples; for fewer, starting other Pythons does not pay
MOST = 8  # Pythons, each of some hundred megabytes
BATCH = 32  # examples that are handed over together


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
    tokenizer: Any,
    examples: Sequence[Example],
    max_length: int,
    stops: Collection[int] = (),
    workers: int = 0,
) -> Rows:
    """Tokenize examples with the model's own template; the loss is on the completion and its end.

    Args:
        tokenizer: of the model, with its chat template.
        examples: demonstrations.
        max_length: tokens at which a sample is cut.
        stops: ids at which an engine ends a turn; of these one is learned behind a completion.
        workers: processes that share the work; 0 is as `share_of_cores` says.

    Raises:
        UserError: no examples, or none of which anything is left after cutting at `max_length`;
            preference pairs.
    """
    found = Rows([], [], 0, 0, [], [])
    truncated = dropped = 0
    options = {"tokenizer": tokenizer, "max_length": max_length, "stops": list(stops)}
    source = iter(examples)
    batches = iter(lambda: list(islice(source, BATCH)), [])
    n_workers = workers or share_of_cores(len(examples))
    with spread.Spread("skythought.training.data:tokenizing", options, n_workers) as cores:
        rows = (row for batch in cores.over(batches) for row in batch)
        for number, row in enumerate(rows):
            if row is None:
                dropped += 1
                continue
            truncated += row.cut
            found.sources.append(number)
            found.input_ids.append(row.ids)
            found.labels.append(row.labels)
            if row.kinds is not None:
                found.kinds.append(row.kinds)
    ids = found.input_ids
    if not ids and not dropped:
        raise UserError("the dataset is empty; nothing to train on")
    if not ids or truncated == len(ids):
        raise UserError(
            f"all {len(ids) + dropped} samples are longer than --max-length {max_length}, so no "
            "answer would ever be seen; raise --max-length"
        )
    return found._replace(truncated=truncated, dropped=dropped)


class Row(NamedTuple):
    """One tokenized example, as `Rows` has them."""

    ids: Tokens
    labels: Tokens
    kinds: Tokens | None
    cut: bool


def tokenizing(
    tokenizer: Any, max_length: int, stops: Collection[int]
) -> Callable[[Sequence[Example]], list[Row | None]]:
    """Make what tokenizes examples; None for one of whose completion nothing is left."""
    from skythought.training import split

    def one(example: Example) -> Row | None:
        if example.rejected:
            raise UserError(
                "the dataset holds preference pairs; train on them with --objective simpo or dpo"
            )
        prompt = formats.prompt_ids(tokenizer, example.messages)
        rendered = formats.render_completion(tokenizer, example.messages, example.completion, stops)
        completion = rendered.ids
        if len(prompt) >= max_length:
            return None
        whole = prompt + completion
        labels = [IGNORED] * len(prompt) + completion
        kinds = None
        if (of := split.of_tokens(tokenizer, rendered)) is not None:
            kinds = array("b", ([split.NONE] * len(prompt) + of)[:max_length])
        return Row(
            array("i", whole[:max_length]),
            array("i", labels[:max_length]),
            kinds,
            len(whole) > max_length,
        )

    return lambda examples: [one(example) for example in examples]


def share_of_cores(n: int) -> int:
    """Say in how many processes n examples are tokenized: a share of the machine's cores."""
    if n < MANY:
        return 1
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # training processes, each of which does
    return max(1, min(MOST, spread.cores() // here))
