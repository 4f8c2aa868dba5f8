"""Ask a language model which steps follow, and keep every answer: `analyze --scorer`.

    asked = model("http://127.0.0.1:8000/v1#NAME", "concurrency=64")
    with Likelihoods(Path("likelihoods.jsonl"), asked.load(), asked.comparison, claim) as found:
        for values in found.of(thoughts): ...

Answers are appended to a file as they come, in the order of the traces; what is in the file is not
asked again. The model is in one process, whatever the number of workers that read traces.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from skythought.backends import hf
from skythought.core import jsonl, options, store
from skythought.core.errors import UserError, require, unknown
from skythought.structure import likelihood
from skythought.structure.likelihood import Comparison
from skythought.structure.scorers import Local, Pair, Scorer, Server

PAIRS = 1024  # that a scorer is given at once, or those of one thought


class Thought(NamedTuple):
    """What is judged of a trace."""

    trace_id: str
    question: str
    parts: list[str]


class Likelihood(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the file."""

    trace_id: str
    likelihood: float | None  # share of steps that follow, 0 to 1; null with too few to compare
    judged: int  # steps


@dataclass(frozen=True)
class Model:
    """A scorer as it is named on the command line, not loaded yet."""

    identity: dict[str, Any]  # what decides the figures
    comparison: Comparison
    load: Callable[[], Scorer]


def model(name: str, args: str = "") -> Model:
    """Read the name of a scorer: a folder, a hub name or mini, or URL#MODEL; and its options.

    Raises:
        UserError: an option that it does not have or that cannot be read, or a folder that holds
            half an adapter.
    """
    remote = name.startswith(("http://", "https://"))
    maker = server if remote else local
    settings = inspect.signature(Comparison).parameters.values()
    own = inspect.signature(maker).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    wanted = inspect.Signature([*own, *(each.replace(kind=keyword) for each in settings)])
    given = options.typed(wanted, options.read(args), "scorer", name)
    names = [field.name for field in fields(Comparison)]
    comparison = Comparison(**{key: given.pop(key) for key in names if key in given})
    identity = {"model": name.partition("#")[2] if remote else hf.find(name).identity}
    if not remote:
        identity["dtype"] = given.get("dtype", "auto")
    return Model(identity | asdict(comparison), comparison, lambda: maker(name, **given))


def server(
    name: str,
    *,
    api_key_env: str = "",
    concurrency: int = 16,
    timeout: float = 120,
    retries: int = 4,
) -> Scorer:
    """Make the scorer of URL#MODEL."""
    url, _, model = name.partition("#")
    if concurrency < 1 or retries < 0 or not timeout > 0:
        raise UserError("--scorer-args: give concurrency=1 or more, retries=0, timeout above 0")
    return Server(
        model,
        url,
        api_key_env=api_key_env,
        concurrency=concurrency,
        timeout=timeout,
        retries=retries,
    )


def local(name: str, *, dtype: str = "auto", device: str = "auto", batch: int = 16) -> Scorer:
    """Load the scorer of a folder, a hub name or mini.

    Raises:
        UserError: no torch, no such model, dtype or device.
    """
    torch = require("torch", "train")
    if dtype not in hf.DTYPES:
        raise unknown("dtype", dtype, hf.DTYPES)
    if batch < 1:
        raise UserError(f"--scorer-args batch={batch}: give 1 or more")
    place = hf.device_of(torch, device)
    net, tokenizer, _ = hf.load(name, dtype, chat=False)
    return Local(net.to(place), tokenizer, batch=batch)


class Likelihoods:
    """The answers of one scorer for one stream of traces.

    Args:
        path: the file; made with the first answers.
        scorer: what is asked.
        comparison: what is compared.
        claim: called before the file is made.
    """

    def __init__(
        self, path: Path, scorer: Scorer, comparison: Comparison, claim: Callable[[], None]
    ) -> None:
        self.path, self.scorer, self.comparison = path, scorer, comparison
        self._claim = claim
        self._out: store.Appender | None = None

    def __enter__(self) -> Self:
        self._known: Iterator[tuple[int, dict[str, Any]]] = iter(())
        self._left = 0  # rows of the file that are not taken yet
        if self.path.exists():
            self._open()
            self._left = sum(1 for _ in jsonl.read_lines(self.path))
            self._known = jsonl.read_rows(self.path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._out is not None:
            self._out.__exit__(kind, error, trace)

    def of(self, thoughts: Sequence[Thought]) -> Iterator[list[float | None]]:
        """Yield the likelihoods of thoughts, in order, some at a time.

        Raises:
            UserError: what the scorer refuses, or a file of other traces.
        """
        n = min(self._left, len(thoughts))
        if n:
            yield [self._take(thought.trace_id) for thought in thoughts[:n]]
        group: list[tuple[Thought, list[list[Pair]]]] = []
        held = 0
        for thought in thoughts[n:]:
            asked = likelihood.ask(thought.parts, thought.question, self.comparison)
            group.append((thought, asked))
            held += sum(map(len, asked))
            if held >= PAIRS:
                yield self._ask(group)
                group, held = [], 0
        if group:
            yield self._ask(group)

    def _take(self, trace_id: str) -> float | None:
        number, row = next(self._known)
        self._left -= 1
        try:
            found = msgspec.convert(row, Likelihood)
            if found.trace_id == trace_id:
                return found.likelihood
        except msgspec.ValidationError:
            pass
        raise UserError(f"{self.path}:{number}: not of trace {trace_id!r}; delete the folder")

    def _ask(self, group: Sequence[tuple[Thought, list[list[Pair]]]]) -> list[float | None]:
        pairs = [pair for _, asked in group for step in asked for pair in step]
        values = iter(self.scorer.logprobs(pairs))
        found = []
        for thought, asked in group:
            judged = likelihood.judged(asked, values)
            value = likelihood.consistency(judged)
            found.append(
                Likelihood(trace_id=thought.trace_id, likelihood=value, judged=len(judged))
            )
        if self._out is None:
            self._open()
        assert self._out is not None
        for row in found:
            self._out.add(row)
        return [row.likelihood for row in found]

    def _open(self) -> None:
        self._claim()
        self._out = store.Appender(self.path)
