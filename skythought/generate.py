r"""Problems in, traces out: ask a model every problem, keep every answer.

    skythought generate --task toll_roads --split train --limit 100 --backend symbolic \
        --n 4 --result-dir runs/teacher

Writes problems.jsonl and traces.jsonl into the run folder. Every finished sample is on disk before
the next is counted; the same command run again asks only for what is missing. Does not grade:
`skythought score` does.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta

from skythought import backends, formats, progress, store, tasks
from skythought.backends import Backend
from skythought.errors import UserError
from skythought.records import (
    Completion,
    Message,
    Problem,
    Request,
    Sampling,
    Trace,
    digest,
    trace_id,
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Ask a model every problem of a task and keep every answer."""

    result_dir: Path
    """Run folder; made if missing, continued if it holds the same run."""
    task: str = ""
    """A task by name, or a local JSONL/Parquet file with problem and answer."""
    split: str = "test"
    """Split of the task."""
    backend: str = "hf"
    """hf, openai, symbolic, scripted, or package.module:Class."""
    model: str = ""
    """Folder, hub name, or mini (in the package); an adapter folder is merged into its base."""
    backend_args: str = ""
    """Options of the backend, k=v,k=v."""
    sampling_params: str = ""
    """temperature=0.6,top_p=0.95,max_tokens=16384; greedy with 1024 tokens where not given."""
    n: int = 1
    """Samples per problem."""
    start: int = 0
    """First problem, counted from 0."""
    limit: int | None = None
    """Number of problems; endless tasks need it."""
    system_prompt: str = ""
    """Replaces the task's own system prompt."""
    seed: int = 0
    """Seed of the task and of sampling."""
    max_error_rate: float = 0.5
    """Stop when more than this share of the samples failed, judged from the 20th (or last) on."""


def run(config: Config) -> dict[str, int]:
    """Generate and say what the folder holds; returns the counts of `ask`.

    Raises:
        UserError: as `ask`.
    """
    counts = ask(config)
    progress.say(
        f"{config.result_dir}: {counts['traces']:,} traces, {counts['truncated']:,} truncated, "
        f"{counts['errors']:,} errors, {counts['completion_tokens']:,} tokens"
    )
    return counts


def ask(config: Config) -> dict[str, int]:
    """Generate; returns the number of traces, truncated ones, errors and tokens.

    Raises:
        UserError: unknown names, bad options, a folder of another run, or too many errors.
    """
    if not config.task:
        raise UserError("which problems? give --task NAME or --task problems.jsonl")
    for flag, value, least in (("n", config.n, 1), ("start", config.start, 0)):
        if value < least:
            raise UserError(f"--{flag} {value}: give {least} or more")
    if config.limit is not None and config.limit < 1:
        raise UserError(f"--limit {config.limit}: give 1 or more")
    if not 0 <= config.max_error_rate <= 1:
        raise UserError(f"--max-error-rate {config.max_error_rate:g}: give a share from 0 to 1")
    sampling = read_sampling(config.sampling_params, config.seed)
    task = tasks.get(config.task)
    problems = tasks.draw(config.task, config.split, config.seed, config.start, config.limit)
    backend = backends.make(config.backend, config.model, read_options(config.backend_args))
    return collect(
        problems,
        backend,
        sampling,
        config.result_dir,
        n=config.n,
        system_prompt=config.system_prompt or task.system_prompt,
        max_error_rate=config.max_error_rate,
    )


def collect(
    problems: Sequence[Problem],
    backend: Backend,
    sampling: Sampling,
    folder: Path,
    *,
    n: int = 1,
    system_prompt: str = "",
    max_error_rate: float = 0.5,
) -> dict[str, int]:
    """Ask a backend for `n` samples of each problem, into a run folder.

    What is in the folder already is not asked again.

    Raises:
        UserError: the folder holds another run, the disk is full, or too many samples failed.
    """
    wanted = {
        "problems": digest(problems),
        "n_problems": len(problems),
        "model": backend.identity,
        "sampling": msgspec.to_builtins(sampling),
        "n": n,
        "system_prompt": system_prompt,
    }
    if not store.owns(folder, "generate", wanted):
        for name in ("problems.jsonl", "traces.jsonl"):
            if (folder / name).exists():
                raise UserError(
                    f"{folder / name}: exists, and not from generate; choose another --result-dir"
                )
    store.claim(folder, "generate", wanted)
    if not (folder / "problems.jsonl").exists():
        store.write_records(folder / "problems.jsonl", problems)
    path = folder / "traces.jsonl"
    todo: dict[str, tuple[Problem, Request]] = {}
    for problem in problems:
        messages = prompt(problem, system_prompt)
        for sample in range(n):
            key = trace_id(problem.id, messages, backend.identity, sampling, sample)
            todo[key] = (problem, Request(id=key, messages=messages, sample=sample))
    failed = 0
    with store.Appender(path) as traces:  # opened first: it cuts off a line that was not finished
        for trace in store.read(path, Trace):
            if trace.finish != "error":
                todo.pop(trace.id, None)
        with progress.bar("generate", len(todo)) as bar:
            answers = backend.complete([request for _, request in todo.values()], sampling)
            try:
                for count, completion in enumerate(answers, 1):
                    problem, request = todo[completion.id]
                    traces.add(_trace(problem, request, completion, backend.identity, sampling))
                    failed += completion.finish == "error"
                    bar.advance(tokens=completion.completion_tokens)
                    _stop_if_hopeless(failed, count, len(todo), max_error_rate, completion.error)
            finally:  # at once, not when the error is forgotten: connections may be open
                if isinstance(answers, Generator):
                    answers.close()
    found = store.read(path, Trace)
    counts = {
        "traces": len({t.id for t in found if t.finish != "error"}),
        "truncated": len({t.id for t in found if t.finish == "length"}),
        "errors": failed,
        "completion_tokens": sum(t.completion_tokens for t in found),
    }
    store.finish(folder, done=not failed, **counts)
    return counts


def _stop_if_hopeless(failed: int, count: int, total: int, rate: float, last: str) -> None:
    if failed > rate * count and count >= min(20, total):
        raise UserError(
            f"{failed} of {count} samples failed, the last with: {last}; mend it and run the same "
            "command again"
        )


def prompt(problem: Problem, system_prompt: str) -> tuple[Message, ...]:
    """Build the conversation that asks a problem."""
    user = Message("user", problem.question)
    return (Message("system", system_prompt), user) if system_prompt else (user,)


def _trace(
    problem: Problem, request: Request, completion: Completion, model: str, sampling: Sampling
) -> Trace:
    parts = formats.parse(completion.text)
    finish = completion.finish
    return Trace(
        id=request.id,
        problem_id=problem.id,
        model=model,
        messages=request.messages,
        thought=parts.thought,
        answer=parts.answer,
        sampling=sampling,
        sample=request.sample,
        finish=finish,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        error=completion.error,
        served_model=completion.served_model or UNSET,
    )


def read_options(text: str) -> dict[str, str]:
    """Read `k=v,k=v`.

    Raises:
        UserError: a part without `=`.
    """
    found = {}
    for part in _parts(text):
        key, equals, value = part.partition("=")
        if not equals:
            raise UserError(f"expected k=v,k=v but found {part!r}")
        found[key.strip()] = value.strip()
    return found


def _parts(text: str) -> Iterator[str]:
    return (part for part in text.split(",") if part.strip())


def read_sampling(text: str, seed: int) -> Sampling:
    """Read sampling parameters such as `temperature=0.6,top_p=0.95,max_tokens=16384`.

    Raises:
        UserError: an unknown parameter, or a value that is no number or out of range.
    """
    options = read_options(text)
    try:
        return msgspec.convert({"seed": seed, **options}, _StrictSampling, strict=False).plain()
    except msgspec.ValidationError as error:
        known = "temperature, top_p, max_tokens, seed"
        raise UserError(f"--sampling-params {text!r}: {error}; known: {known}") from error


class _StrictSampling(Sampling, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`Sampling` that refuses names it does not know and values out of range."""

    temperature: Annotated[float, Meta(ge=0, le=100)] = Sampling().temperature
    top_p: Annotated[float, Meta(gt=0, le=1)] = Sampling().top_p
    max_tokens: Annotated[int, Meta(ge=1)] = Sampling().max_tokens

    def plain(self) -> Sampling:
        """Give the plain record."""
        return Sampling(**{f: getattr(self, f) for f in Sampling.__struct_fields__})
