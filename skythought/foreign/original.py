"""results.json of the first SkyThought: a problem by its id, with the responses to it.

Two forms are known: `responses` as a list of {content, correctness, reason}, and, older, as such an
entry or a list of them for each temperature.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from skythought.core.errors import UserError
from skythought.foreign import Logged, conversation

NOT_PROBLEM = ("responses", "token_usages", "prompt", "input_conversation", "messages")


def read(path: Path) -> Iterator[Logged]:
    """Yield every response.

    Raises:
        UserError: the file is no results.json.
    """
    try:
        found = msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(found, dict) or not all(isinstance(v, dict) for v in found.values()):
        raise UserError(f"{path}: no results.json of SkyThought (problems by their ids)")
    for key, entry in found.items():
        where = f"{path}: {key}"
        if "responses" not in entry:
            raise UserError(f"{where}: no responses; is it summary.json?")
        usages = list(_entries(entry.get("token_usages")))
        for sample, said in enumerate(_entries(entry["responses"])):
            usage = usages[sample] if sample < len(usages) else {}
            correct = said.get("correctness")
            yield Logged(
                where=where,
                id=str(key),
                row={k: v for k, v in entry.items() if k not in NOT_PROBLEM},
                answer="",
                messages=conversation(entry.get("input_conversation") or entry.get("prompt") or ""),
                text=str(said.get("content", "")),
                sample=sample,
                correct=None if correct is None else bool(correct),
                why=str(said.get("reason") or ""),
                tokens=int(usage.get("completion_tokens") or 0),
                prompt_tokens=int(usage.get("prompt_tokens") or 0),
            )


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the entries of a list, or of lists by temperature."""
    if isinstance(value, dict) and "content" not in value and "completion_tokens" not in value:
        for inside in value.values():
            yield from _entries(inside)
    elif isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))
    elif isinstance(value, dict):
        yield value
