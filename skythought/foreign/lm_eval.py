"""Sample logs of lm-evaluation-harness: `samples_TASK_DATE.jsonl`, written with --log_samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from skythought.core import jsonl
from skythought.core.errors import UserError
from skythought.core.records import Sampling
from skythought.foreign import NO_TEXT, Logged, conversation, verdict_of


def read(path: Path) -> Iterator[Logged]:
    """Yield every response; of several filters of a document, the first counts.

    Raises:
        UserError: a row that is no sample, or that holds no text.
    """
    seen: set[str] = set()
    for number, row in jsonl.read_rows(path):
        where = f"{path}:{number}"
        if "doc_id" not in row or "resps" not in row:
            raise UserError(f"{where}: no sample of lm-evaluation-harness (no doc_id and resps)")
        key = str(row["doc_id"])
        if key in seen:
            continue
        seen.add(key)
        texts = list(_texts(row["resps"]))
        if not texts:
            raise UserError(f"{where}: {NO_TEXT}")
        metrics = {name: row.get(name) for name in row.get("metrics") or _numbers(row)}
        correct, why = verdict_of(metrics)
        doc = row.get("doc")
        for sample, text in enumerate(texts):
            yield Logged(
                where=where,
                id=key,
                row=doc if isinstance(doc, dict) else {},
                answer=str(row.get("target", "")),
                messages=conversation(_prompt(row.get("arguments"))),
                text=text,
                sample=sample,
                correct=correct if len(texts) == 1 else None,  # a metric of all of them
                why=why,
                sampling=_sampling(row.get("arguments")),
            )


def _sampling(arguments: Any) -> Sampling:
    """Read the settings of a request, {"arg_1": {"temperature": 0.6, "max_gen_toks": 256}}."""
    first = next(iter(arguments.values()), None) if isinstance(arguments, dict) else None
    given = first.get("arg_1") if isinstance(first, dict) else None
    if not isinstance(given, dict):
        return Sampling()
    names = {"temperature": "temperature", "top_p": "top_p", "max_gen_toks": "max_tokens"}
    told = {ours: given[theirs] for theirs, ours in names.items() if given.get(theirs) is not None}
    return msgspec.convert(told, Sampling, strict=False)


def _texts(resps: Any) -> Iterator[str]:
    for request in resps if isinstance(resps, list) else []:
        for text in request if isinstance(request, list) else [request]:
            if isinstance(text, str):
                yield text


def _prompt(arguments: Any) -> Any:
    first = arguments
    if isinstance(first, dict):  # {"gen_args_0": {"arg_0": prompt, "arg_1": settings}}
        first = next(iter(first.values()), "")
        return first.get("arg_0", "") if isinstance(first, dict) else first
    while isinstance(first, list) and first and not isinstance(first[0], dict):
        first = first[0]
    return first


def _numbers(row: dict[str, Any]) -> list[str]:
    return [k for k, value in row.items() if isinstance(value, int | float) and k != "doc_id"]
