"""A backend that answers from a file: deterministic, for dry runs and tests.

The model is a JSONL file of rows `{"question": ..., "response": ...}`; several rows of one question
are its samples in order. A question that is not in the file is an error, not an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from skythought.backends import cut
from skythought.core import jsonl
from skythought.core.errors import UserError
from skythought.core.records import Completion, Request, Sampling, digest


class Scripted:
    """Answers each question with the responses a file lists for it, after a prefill if any."""

    lazy = True
    own_samples = True
    continues = True

    def __init__(self, model: str) -> None:
        if not model:
            raise UserError("scripted backend: which script? give --model FILE.jsonl")
        self.answers: dict[str, list[str]] = {}
        for number, row in jsonl.read_rows(Path(model)):
            if not isinstance(row.get("question"), str) or not isinstance(row.get("response"), str):
                raise UserError(f"{model}:{number}: expected the texts 'question' and 'response'")
            self.answers.setdefault(row["question"], []).append(row["response"])
        self.identity = f"scripted@{digest(self.answers, length=12)}"

    def complete(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        """Yield the listed responses; sample numbers past the last start again."""
        for request in requests:
            known = self.answers.get(request.messages[-1].content)
            if known is None:
                yield Completion(
                    id=request.id, text="", finish="error", error="question not in the script"
                )
                continue
            text, finish, n_words = cut(known[request.sample % len(known)], sampling.max_tokens)
            yield Completion(id=request.id, text=text, finish=finish, completion_tokens=n_words)
