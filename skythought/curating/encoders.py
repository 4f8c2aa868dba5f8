"""Sentence encoders of one's own: a folder of a model, or a server with OpenAI's /embeddings.

    load("models/bge-small")                      folder: transformers, mean of the last states
    load("http://127.0.0.1:8000/v1#bge-small")    server: the model's name behind #

`load` gives a function from texts to an array with a row of numbers for each. Nothing is
downloaded, and no key is sent.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skythought.core.errors import UserError, first_line, require

Vectors = NDArray[np.float32]
BATCH = 64  # texts at once
TOKENS = 512  # of a text that are read, at most
TIMEOUT_S = 120.0


def load(where: str) -> Callable[[Sequence[str]], Vectors]:
    """Make the function that encodes texts.

    Raises:
        UserError: no such folder, no model in it, a package is missing, or (also later, when texts
            are encoded) the server does not answer as expected.
    """
    if where.startswith(("http://", "https://")):
        url, _, model = where.partition("#")
        if not model:
            raise UserError(f"{where}: which model? write its name behind #: {where}#NAME")
        return lambda texts: _ask(url.rstrip("/") + "/embeddings", model, texts)
    folder = Path(where)
    if not (folder / "config.json").is_file():
        raise UserError(f"{where}: no folder of a model (it has no config.json)")
    return _local(folder)


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), BATCH):
        yield list(texts[start : start + BATCH])


def _local(folder: Path) -> Callable[[Sequence[str]], Vectors]:
    torch: Any = require("torch", "train")
    transformers: Any = require("transformers", "train")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: not a model transformers reads: {first_line(error)}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token

    def encode(texts: Sequence[str]) -> Vectors:
        made: list[Vectors] = [np.zeros((0, model.config.hidden_size), dtype=np.float32)]
        order = np.argsort([len(text) for text in texts], kind="stable")  # little padding
        for batch in _batches([texts[i] for i in order]):
            given = tokenizer(
                batch, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
            )
            given.pop("token_type_ids", None)
            with torch.no_grad():
                states = model(**given).last_hidden_state
            mask = given["attention_mask"].unsqueeze(-1)
            mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
            made.append(mean.float().numpy())
        vectors = np.concatenate(made)
        found = np.empty_like(vectors)
        found[order] = vectors
        return found

    return encode


def _ask(url: str, model: str, texts: Sequence[str]) -> Vectors:
    """Have a server encode texts."""
    rows: list[Any] = []
    for batch in _batches(texts):
        body = json.dumps({"model": model, "input": batch}).encode()
        request = urllib.request.Request(
            url, data=body, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                found = json.loads(answer.read())["data"]
            rows += [row["embedding"] for row in sorted(found, key=lambda row: row["index"])]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{url}: no embeddings from there ({first_line(error)})") from error
    try:
        vectors = np.array(rows, dtype=np.float32) if rows else np.zeros((0, 1), dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise UserError(f"{url}: embeddings that are no numbers ({first_line(error)})") from error
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise UserError(f"{url}: {len(rows)} embeddings for {len(texts)} texts, or of many lengths")
    return vectors
