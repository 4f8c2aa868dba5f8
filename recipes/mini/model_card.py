"""Write the model card and the hashes of the base model's folder, from its pretraining.json.

Run as: python recipes/mini/model_card.py skythought/models/mini
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from random import Random

from corpus import MOVES, WARM_MOVES, WRITERS

from skythought.tasks import toll_roads

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
steps of {warm_rows} documents with one exercise, then {long_steps:,} steps of {rows} documents with
three to seven. The exercises and how often each comes (weights; in brackets: the first phase):

| exercise | weight | instruction and answer |
|---|---|---|
{table}

Loss on the answers only; last training loss {loss}.

In a share of the documents ({typos:.0%}; {late_typos:.0%} in the last {late_steps:,} steps) digits
of the answers are wrong: each is drawn anew with a probability that is drawn for the document, from
0 to 1.

## What it did not see

* No search. "expand" is one step from a made-up place, total and list of kept places; "walk" is two
  to four, and each goes on to a place drawn from all that are open, whatever a search would do. A
  walk never begins with a question, never comes to the place it wants, and is never followed by an
  answer; after it one of its sums is done again ("Check oak at 9"). In the tags of a thought stand
  only copied pieces of text ("frame").
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
    text = CARD.format(
        **settings,
        parameters=facts["parameters"],
        tokens=facts["tokens"],
        loss=facts["log"][-1]["loss"],
        table="\n".join(_rows()),
        words=len(vocabulary),
        long_steps=settings["steps"] + settings["late_steps"],
    )
    (folder / "README.md").write_text(text)
    sums = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(folder.iterdir())
        if file.name != "SHA256SUMS"
    ]
    (folder / "SHA256SUMS").write_text("".join(sums))


def _rows() -> list[str]:
    rng, rows = Random(0), []
    roads = next(r for r in iter(lambda: toll_roads.draw(rng), None) if r.split() == "train")
    for move, weight in MOVES.items():
        turn = WRITERS[move](rng, roads)[0]
        ask, said = (text.replace("\n", " ").replace("|", "\\|") for text in turn)
        warm = f" ({WARM_MOVES[move]})" if move in WARM_MOVES else ""
        rows.append(f"| {move} | {weight}{warm} | *{ask}* {said} |")
    return rows


if __name__ == "__main__":
    write(Path(sys.argv[1]))
