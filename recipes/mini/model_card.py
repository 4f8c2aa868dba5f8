"""Write the model card and the hashes of the base model's folder, from its pretraining.json.

Run as: python recipes/mini/model_card.py skythought/models/mini
"""

from __future__ import annotations

import hashlib
import json
import sys
from itertools import islice
from pathlib import Path

from corpus import MOVES, WARM_MOVES, documents

CARD = """---
license: apache-2.0
library_name: transformers
tags: [reasoning-distillation, skythought]
---
# The base model of the miniature study

A Llama of {parameters:,} parameters ({layers} layers, width {hidden}, {heads} attention heads of
{head_dim}, tied embeddings) with a word-level tokenizer: every word and every
digit is one token. Made by `make base-model` (`recipes/mini/base_model.py`, seed {seed}). Six heads
of the first two layers started out as induction heads, which copy what followed the same words
before; all other weights were random.

## What it saw

{tokens:,} tokens, each document made up on the spot and, in all likelihood, read once. A document
shows the roads of one toll-roads problem and then unrelated exercises about them. {warm_steps:,}
steps of {warm_rows} documents with one exercise, then {steps:,} steps of {rows} documents with four
to eight. The exercises and how often each comes (weights; in brackets during the first phase):

| exercise | weight | instruction and answer |
|---|---|---|
{table}

Loss on the answers only; last training loss {loss}. Numbers were {typos}.

## What it did not see

* No search: never two consecutive steps, and in the tags of a thought only copied pieces of text
  ("frame"). "expand" starts from a made-up place, total and list of kept places.
* No problem of the dev or test split. The split is a hash of the problem; the corpus draws problems
  of the train split only, and answers questions directly ("answer") for those alone.

## What it is for

To be taught to reason from a few hundred demonstrations, and to find out what in them teaches.
Nothing else: it knows {words} words and no language.
"""


def write(folder: Path) -> None:
    """Write README.md and SHA256SUMS into a model folder."""
    facts = json.loads((folder / "pretraining.json").read_text())
    settings = facts["settings"]
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    share = settings["typos"]
    text = CARD.format(
        **{key: value for key, value in settings.items() if key != "typos"},
        parameters=facts["parameters"],
        tokens=facts["tokens"],
        loss=facts["log"][-1]["loss"],
        table="\n".join(_rows()),
        words=len(vocabulary),
        typos=f"partly wrong in {share:.0%} of the documents" if share else "always right",
    )
    (folder / "README.md").write_text(text)
    sums = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(folder.iterdir())
        if file.name != "SHA256SUMS"
    ]
    (folder / "SHA256SUMS").write_text("".join(sums))


def _rows() -> list[str]:
    shown: dict[str, tuple[str, str]] = {}
    for move in MOVES:
        turns = next(iter(islice(documents(0, (2, 2), {move: 1}), 1)))
        shown[move] = turns[1]
    rows = []
    for move, weight in MOVES.items():
        ask, said = (text.replace("\n", " ").replace("|", "\\|") for text in shown[move])
        warm = f" ({WARM_MOVES[move]})" if move in WARM_MOVES else ""
        rows.append(f"| {move} | {weight}{warm} | *{ask}* {said} |")
    return rows


if __name__ == "__main__":
    write(Path(sys.argv[1]))
