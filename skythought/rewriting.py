"""Ask a model to say steps in other words, and keep every answer that was paid for.

    with Rewrites(path, backend, sampling) as rewrites:
        for done in over(source, chain, seed, donors, rewrites): ...

Answers are appended to a file as they come, each under a hash of what was asked: model, sampling
and text. What is in the file is not asked again, not by the same command run again, and not for
another trace with the same step. What comes out is a function of the input and that file.
"""

from __future__ import annotations

import fcntl
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from skythought import edits
from skythought.backends import Backend
from skythought.core import progress, shapes, store
from skythought.core.errors import UserError
from skythought.core.records import Finish, Request, Sampling, Trace, digest
from skythought.edits import Chain, Done, Fault
from skythought.perturbations import paraphrase

MIN_FAILED = 20  # answers that could not be had, before a model can be called hopeless


class Rewritten(msgspec.Struct, frozen=True):
    """What a model made of a text; `text` is all it said."""

    id: str
    text: str
    finish: Finish
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Rewrites:
    """The answers of one model, in a file: those that are known, and how to get those that are not.

    Args:
        path: the file; made where there is none.
        backend: what is asked.
        sampling: how.
    """

    def __init__(self, path: Path, backend: Backend, sampling: Sampling) -> None:
        self.path, self.backend, self.sampling = path, backend, sampling
        self.label = backend.identity
        self.wanted: dict[str, str] = {}  # texts that were called for and are not known
        self.failed: dict[str, str] = {}  # of the texts asked for in vain, why
        self.asked = self.tokens = 0
        self._at: dict[str, int] = {}  # where in the file each answer begins

    def __enter__(self) -> Rewrites:
        """Open the file and see what it holds.

        Raises:
            UserError: another process writes it, or it holds something else.
        """
        self._out = store.Appender(self.path)
        self._in = self.path.open("rb")
        try:
            fcntl.flock(self._in, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.__exit__(None, None, None)
            raise UserError(f"{self.path}: another command is writing it; wait for it") from error
        except OSError:  # this file system has no locks
            progress.say(f"warning: {self.path}: no lock; see that no other command writes it")
        self._end = 0
        for number, line in enumerate(self._in, 1):
            try:
                row = msgspec.json.decode(line, type=Rewritten)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self.__exit__(None, None, None)
                raise UserError(
                    f"{self.path}:{number}: no answer of a model; choose another output"
                ) from error
            self._at[row.id] = self._end
            self._end += len(line)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._in.close()
        self._out.__exit__(kind, error, trace)

    def key(self, text: str) -> str:
        """Hash what is asked for a text."""
        return digest(self.label, self.sampling, paraphrase.prompt(text))

    def __call__(self, text: str) -> str:
        """Give a text in other words: "" where it could not be had, and where it is wanted now."""
        key = self.key(text)
        if key in self.failed:
            return ""
        if key not in self._at:
            self.wanted[key] = text
            return ""
        self._in.seek(self._at[key])
        row = msgspec.json.decode(self._in.readline(), type=Rewritten)
        return paraphrase.spoken(row.text) if row.finish == "stop" else ""

    def ask(self) -> None:
        """Ask for what is wanted; each answer is on disk before the next is taken.

        Raises:
            UserError: as the backend, or most of what is asked for cannot be had.
        """
        wanted, self.wanted = self.wanted, {}
        if not self.asked:
            progress.say(
                f"asking {self.label} to reword {len(wanted):,} texts, and more as it goes on; "
                f"every answer is kept in {self.path}"
            )
        requests = [
            Request(id=key, messages=paraphrase.prompt(text)) for key, text in wanted.items()
        ]
        for answer in self.backend.complete(requests, self.sampling):
            self.asked += 1
            self.tokens += answer.prompt_tokens + answer.completion_tokens
            if answer.finish == "error":
                self.failed[answer.id] = answer.error
                if len(self.failed) >= MIN_FAILED and len(self.failed) > self.asked / 2:
                    raise self.refusal()
                continue
            row = Rewritten(
                id=answer.id,
                text=answer.text,
                finish=answer.finish,
                model=self.label,
                prompt_tokens=answer.prompt_tokens,
                completion_tokens=answer.completion_tokens,
            )
            raw = msgspec.json.encode(row)
            self._out.add(msgspec.Raw(raw))
            self._at[row.id] = self._end
            self._end += len(raw) + 1
        for key in wanted:
            if key not in self._at:
                self.failed.setdefault(key, "the backend gave no answer")

    def refusal(self) -> UserError:
        """Say what could not be had."""
        why = next(reversed(self.failed.values()))
        return UserError(
            f"{len(self.failed):,} of {self.asked:,} texts could not be had of {self.label}, the "
            f"last: {why}; the others are kept in {self.path}; run the same command again, or "
            "leave these as they are with --keep-failed"
        )


def over(
    source: Path, chain: Chain, seed: int, donors: Sequence[Trace], rewrites: Rewrites
) -> Iterator[Done]:
    """Do a chain to every line of a file or folder, in order, asking for what is not known.

    Raises:
        UserError: as `Rewrites.ask`, and what an edit refuses.
    """
    counts: Counter[str] = Counter()
    given = {"counts": counts, "rewrite": rewrites}
    changes = [edits.bind([edit], seed, donors, given) for edit in chain]

    def attempt(trace: Trace) -> Trace | None:
        """Do the chain as far as what is known goes."""
        new = trace
        for change in changes:
            new = change(new)
            if rewrites.wanted:
                return None
        return msgspec.structs.replace(new, parent=trace.id)

    for lines in shapes.batches(source):
        found = [edits.read_line(line) for line in lines]
        traces = [trace for trace in found if isinstance(trace, Trace)]
        faults = [fault for fault in found if isinstance(fault, Fault)]
        made: dict[int, bytes] = {}
        total: Counter[str] = Counter()
        while len(made) < len(traces):
            asked: dict[str, str] = {}
            for place, trace in enumerate(traces):
                if place in made:
                    continue
                counts.clear()
                new = attempt(trace)
                asked |= rewrites.wanted
                rewrites.wanted = {}
                if new is not None:
                    made[place] = msgspec.json.encode(new)
                    total.update(counts)
                    total.update(edits.tally(trace, new))
            rewrites.wanted = asked
            if asked:
                rewrites.ask()
        written = b"\n".join(made[place] for place in sorted(made))
        yield Done([written], [total], faults, len(lines))
