"""Details of lighteval: `details_TASK_DATE.parquet`, with doc, model_response and metric."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skythought.core.errors import UserError, require
from skythought.core.records import Message, Sampling
from skythought.foreign import NO_TEXT, Logged, conversation, verdict_of


def read(path: Path) -> Iterator[Logged]:
    """Yield every response.

    Raises:
        UserError: pyarrow is missing, the file is none of lighteval's, or it holds no text.
    """
    parquet = require("pyarrow.parquet", "parquet")
    try:
        table = parquet.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a Parquet file ({error})") from error
    number = 0
    for batch in table.iter_batches(batch_size=256):
        for row in batch.to_pylist():
            number += 1
            yield from _row(row, f"{path} row {number}", number - 1)


def _row(row: dict[str, Any], where: str, number: int) -> Iterator[Logged]:
    doc, said = row.get("doc"), row.get("model_response")
    if not isinstance(doc, dict) or not isinstance(said, dict):
        raise UserError(f"{where}: no detail of lighteval (no doc and model_response)")
    texts = [text for text in said.get("text") or [] if isinstance(text, str)]
    if not texts:
        raise UserError(f"{where}: {NO_TEXT}")
    correct, why = verdict_of(row.get("metric") or {})
    tokens = said.get("output_tokens") or []
    prompt = said.get("input") or doc.get("query") or ""
    thoughts = said.get("reasonings") or []
    length = doc.get("generation_size")
    sampling = Sampling(max_tokens=length) if isinstance(length, int) else Sampling()
    for sample, text in enumerate(texts):
        thought = thoughts[sample] if sample < len(thoughts) else None
        yield Logged(
            where=where,
            id=str(doc.get("id") or number),
            row={"problem": doc.get("query") or "", **_specific(doc)},
            answer=_gold(doc),
            messages=conversation(prompt) or (Message("user", str(doc.get("query"))),),
            text=f"<think>\n{thought}\n</think>\n\n{text}" if thought else text,
            sample=sample,
            correct=correct if len(texts) == 1 else None,  # a metric of all of them
            why=why,
            tokens=len(tokens[sample] or []) if sample < len(tokens) else 0,
            prompt_tokens=len(said.get("input_tokens") or []),
            sampling=sampling,
        )


def _gold(doc: dict[str, Any]) -> str:
    choices, index = doc.get("choices") or [], doc.get("gold_index")
    places = index if isinstance(index, list) else [index]
    found = [choices[i] for i in places if isinstance(i, int) and 0 <= i < len(choices)]
    return str(found[0]) if found else ""


def _specific(doc: dict[str, Any]) -> dict[str, Any]:
    found = doc.get("specific")
    return {k: v for k, v in found.items() if v is not None} if isinstance(found, dict) else {}
