r"""Problems in, traces out: ask a model every problem, keep every answer.

    skythought generate --task toll_roads --split train --limit 100 --backend symbolic \
        --n 4 --result-dir runs/teacher

Writes problems.jsonl and traces.jsonl into the run folder. Says first what it will ask and what
that may cost. Every finished sample is on disk before the next is counted; the same command run
again asks only for what is missing. Does not grade: `skythought score` does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from skythought import backends, grading, tasks
from skythought.backends import Backend, forcing
from skythought.core import options, presets, prices, progress, store
from skythought.core.errors import UserError
from skythought.core.labels import Labelled
from skythought.core.prices import Price, dollars
from skythought.core.records import Problem, Sampling
from skythought.generating import folder as folders
from skythought.generating import found as founds
from skythought.generating import plan
from skythought.generating.ask import keep_asking
from skythought.generating.budget import Budget
from skythought.generating.found import Found
from skythought.generating.lock import Lock
from skythought.generating.work import Asked, Work
from skythought.verifiers import known

Counts = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Ask a model every problem of a task and keep every answer."""

    result_dir: Path
    """Run folder; made if missing, continued if it holds the same run."""
    task: str = ""
    """A task by name, or a local JSONL/Parquet file with problem and answer."""
    input: str = ""
    """A local JSONL/Parquet file of problems, in place of --task; answers are not needed."""
    data: str = ""
    """A local JSONL/Parquet copy of the task's dataset, read in place of the hub."""
    where: tuple[str, ...] = ()
    """Only problems of which a field says so: subject=algebra,geometry, level=4..5, or
    contest_date=2024-08-01..2025-01-31."""
    split: str = "test"
    """Split of the task."""
    backend: str = "hf"
    """hf, openai, vllm, ray, symbolic, scripted, or package.module:Class."""
    model: str = ""
    """Folder, hub name, or mini (in the package); an adapter folder is merged into its base."""
    backend_args: str = ""
    """Options of the backend, k=v,k=v."""
    sampling_params: str = ""
    """temperature=0.6,top_p=0.95,max_tokens=16384, or preset: that of the model's family. Where not
    given: the preset of a reasoning model, else greedy with 1024 tokens."""
    n: int = 1
    """Samples per problem."""
    start: int = 0
    """First problem, counted from 0."""
    end: int | None = None
    """The problem to stop before, counted from 0."""
    limit: int | None = None
    """Number of problems; endless tasks need it, or --end."""
    system_prompt: str | None = None
    """Replaces the task's own system prompt; "" for none."""
    assistant_prefill: str = ""
    """How every answer begins; the model goes on from there."""
    budget_forcing: str = ""
    """wait=2,thinking=4000: so often a thought is made to go on; after so many tokens it ends."""
    seed: int = 0
    """Seed of the task and of sampling."""
    max_error_rate: float = 0.5
    """Stop when more than this share of the latest samples failed, 20 of them or more."""
    budget: float | None = None
    """Dollars that the whole run folder may cost; the run stops before more are spent."""
    price_in: float | None = None
    """Dollars for a million prompt tokens, where they are not known or other."""
    price_out: float | None = None
    """Dollars for a million completion tokens."""
    dry_run: bool = False
    """Say what would be asked and what it may cost; ask and write nothing."""
    strict: bool = False
    """Stop at a damaged line of traces.jsonl; else it is put aside and its sample asked again."""


def run(config: Config, *, cancel: threading.Event | None = None) -> Counts:
    """Generate and say what the folder holds; returns the counts of `ask`.

    Raises:
        UserError: as `ask`.
    """
    counts = ask(config, cancel=cancel)
    if not config.dry_run:
        progress.say(f"{config.result_dir}: {summary(counts)}")
    if failed := int(counts["errors"]):
        samples, them = ("sample", "it") if failed == 1 else ("samples", "them")
        progress.say(f"{failed:,} {samples} failed; run the same command again to ask for {them}")
    return counts


def exit_code(counts: Counts) -> int:
    """Give the exit code of a command that ended by itself: 1 where samples failed."""
    return 1 if counts["errors"] else 0


async def run_async(config: Config) -> Counts:
    """Do `run` in a thread, for notebooks and others that have an event loop of their own.

    Cancelled it stops as at Ctrl-C: nothing new is asked, what is paid is waited for some seconds,
    and then the folder is given back.

    Raises:
        UserError: as `ask`.
    """
    cancel = threading.Event()
    running = asyncio.create_task(asyncio.to_thread(run, config, cancel=cancel))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        cancel.set()
        running.add_done_callback(lambda task: task.cancelled() or task.exception())  # is known
        await asyncio.wait([running])
        raise


def summary(counts: Counts) -> str:
    """Say on one line what a folder holds."""
    cost = f", {dollars(counts['cost'])}" if "cost" in counts else ""
    return (
        f"{counts['traces']:,} traces, {counts['truncated']:,} truncated, "
        f"{counts['errors']:,} errors, {counts['completion_tokens']:,} tokens{cost}"
    )


def ask(
    config: Config,
    *,
    how: grading.How | None = None,
    announce: bool = True,
    exact: bool = False,
    cancel: threading.Event | None = None,
) -> Counts:
    """Generate; returns how many traces, truncated, errors, tokens, and the cost where it is known.

    With `announce`, what will be asked is said first. `how` the answers will be graded right after
    has to work here; where it is not given, what does not work is only told. With `exact`, a folder
    that is for more than is asked for now is refused. Another thread sets `cancel` to stop the run.

    Raises:
        UserError: unknown names, bad options, a folder of another run, too many errors, or (as its
            kinds `BudgetReached` and `Stopped`) the budget is spent or `cancel` was set.
    """
    _check(config)
    if config.budget is not None and config.budget_forcing:
        raise UserError(
            "--budget cannot be kept with --budget-forcing, which asks several times for an "
            "answer; give one of them"
        )
    chosen = presets.choose(config.sampling_params, config.model, config.seed)
    given = options.read(config.backend_args)
    task = tasks.of_file(Path(config.input)) if config.input else tasks.get(config.task)
    drawn = problems(config)
    backend = forcing.wrap(
        backends.make(config.backend, config.model, given), config.budget_forcing
    )
    host = getattr(backend, "host", "")
    tier = "service_tier" in getattr(backend, "extra_body", {})
    price = prices.choose("" if tier else host, config.model, (config.price_in, config.price_out))
    if config.budget is not None and price is None:
        raise UserError(
            "--budget: the price is not known; give --price-in and --price-out, in dollars for a "
            "million tokens"
        )
    if chosen.warning:
        progress.say(f"warning: {chosen.warning}")
    if config.n > 1 and equal(backend, chosen.sampling):
        progress.say(
            f"warning: greedy decoding draws {config.n} samples of a problem that are (nearly) the "
            "same; give a temperature with --sampling-params, or --n 1"
        )
    if not config.dry_run:
        try_verifiers(drawn, how)
    return collect(
        drawn,
        backend,
        _with_extra(chosen.sampling, getattr(backend, "extra_body", {})),
        config.result_dir,
        n=config.n,
        system_prompt=task.system_prompt if config.system_prompt is None else config.system_prompt,
        prefill=config.assistant_prefill,
        max_error_rate=config.max_error_rate,
        price=price,
        budget=config.budget,
        strict=config.strict,
        dry_run=config.dry_run,
        announce=announce,
        exact=exact,
        why=chosen.why,
        cancel=cancel,
    )


def problems(config: Config) -> list[Problem]:
    """Draw the problems that a config asks.

    Raises:
        UserError: no such task, file, split or problems.
    """
    _check(config)
    limit = config.limit if config.end is None else config.end - config.start
    return tasks.draw(
        tasks.of_file(Path(config.input)) if config.input else config.task,
        config.split,
        config.seed,
        config.start,
        limit,
        where=[Labelled.parse(text) for text in config.where],
        **({"answers": False} if config.input else {}),
        **({"path": config.data} if config.data else {}),
    )


def equal(backend: Backend, sampling: Sampling) -> bool:
    """Say whether a backend's samples of a problem are all the same, as those of a greedy model."""
    told = presets.fixed(backend.identity) or getattr(backend, "own_samples", False)
    return sampling.temperature == 0 and not told


def _check(config: Config) -> None:
    """Refuse what no run can be made of."""
    if not config.task and not config.input:
        raise UserError(
            "which problems? give --task NAME or --task problems.jsonl, or --input problems.jsonl"
        )
    if config.task and config.input:
        raise UserError("--task and --input both name problems; give one of them")
    if config.data and (config.input or config.task not in tasks.TASKS):
        raise UserError(
            f"--data {config.data}: is a copy of a benchmark's dataset; name that with --task, or "
            "give the file itself as --task"
        )
    for flag, value, least in (
        ("n", config.n, 1),
        ("start", config.start, 0),
        ("limit", config.limit, 1),
        ("end", config.end, config.start + 1),
    ):
        if value is not None and value < least:
            raise UserError(f"--{flag} {value}: give {least} or more")
    if config.end is not None and config.limit is not None:
        raise UserError("--end and --limit both say where to stop; give one of them")
    if not 0 <= config.max_error_rate <= 1:
        raise UserError(f"--max-error-rate {config.max_error_rate:g}: give a share from 0 to 1")
    if config.budget is not None and not 0 < config.budget < float("inf"):
        raise UserError(f"--budget {config.budget:g}: give dollars, more than 0")


def _with_extra(sampling: Sampling, extra: dict[str, Any]) -> Sampling:
    """Keep the extra fields of a server's requests in the sampling, which is in every trace."""
    if not extra:
        return sampling
    twice = sorted(set(extra) & set(msgspec.to_builtins(sampling)))
    if twice:
        raise UserError(f"{twice[0]} is in --sampling-params and in extra_body; give it once")
    return msgspec.structs.replace(sampling, extra=extra)


def collect(
    problems: Sequence[Problem],
    backend: Backend,
    sampling: Sampling,
    folder: Path,
    *,
    n: int = 1,
    system_prompt: str = "",
    prefill: str = "",
    max_error_rate: float = 0.5,
    price: Price | None = None,
    budget: float | None = None,
    strict: bool = False,
    dry_run: bool = False,
    announce: bool = True,
    exact: bool = False,
    why: str = "",
    cancel: threading.Event | None = None,
) -> Counts:
    """Ask a backend for `n` samples of each problem, into a run folder.

    What is in the folder already is not asked again. `why` says where the sampling is from.

    Raises:
        UserError: the folder holds another run, is written by another process, or is damaged; the
            disk is full; too many samples failed; the budget is spent (`BudgetReached`); `cancel`
            was set (`Stopped`).
    """
    if prefill and not getattr(backend, "continues", False):
        raise UserError(f"--assistant-prefill: {backend.identity} cannot go on with a begun answer")
    asked = Asked(
        model=backend.identity, sampling=sampling, n=n, system_prompt=system_prompt, prefill=prefill
    )
    path = folder / "traces.jsonl"
    wanted = folders.settings(problems, asked, n)
    whole = folders.look(folder, problems, asked, wanted)
    if exact and whole.more:
        raise UserError(
            f"{folder}: {folders.beyond(whole)}, and would be counted too; ask for all of it, or "
            "choose another --result-dir"
        )
    if dry_run:
        found = founds.read(path, sampling.max_tokens)
        founds.refuse_damaged(path, found, strict=strict)
        money = Budget(price, budget, sampling.max_tokens, found)
        work = Work(problems, asked, found.finished)
        if whole.more:
            progress.say(f"{folder}: {folders.beyond(whole)}")
        plan.say(folder, work, found, money, backend, why)
        return _counts(found, money)
    with Lock(folder):
        whole = folders.claim(folder, problems, asked, wanted)
        found = founds.read(path, sampling.max_tokens)
        founds.refuse_damaged(path, found, strict=strict)
        founds.put_aside(path, found)
        money = Budget(price, budget, sampling.max_tokens, found)
        work = Work(problems, asked, found.finished)
        if whole.more:
            progress.say(f"{folder}: {folders.beyond(whole)}")
        if work.missing:
            store.note(folder, "engines", getattr(backend, "runs_on", type(backend).__name__))
        if work.missing and announce:
            plan.say(folder, work, found, money, backend, why)
        try:
            with store.Appender(path) as traces:
                keep_asking(work, backend, traces, found, money, max_error_rate, cancel)
        except BaseException:  # the counts of what is on disk; why it ended is told by who ended it
            with suppress(UserError, OSError):
                store.finish(folder, done=False, **_counts(found, money))
            raise
        counts = _counts(found, money)
        left = len(work.missing) - work.next
        done = not found.errors and not work.open and not left
        done = done and not (whole.more and folders.left(whole, asked, found.finished))
        store.finish(folder, done=done, **counts)
        if left and budget is not None:
            _, following = work.request(work.next)
            raise money.reached(folder, left, money.worst(following))
    return counts


def try_verifiers(problems: Sequence[Problem], how: grading.How | None = None) -> None:
    """Try what will grade the answers; without `how`, only say what is missing here.

    Raises:
        UserError: a verifier gives wrong verdicts, or with `how` does not work here, so that
            nothing asked for could be graded.
    """
    kinds = {grading.kind(problem): problem for problem in problems if problem.answer}
    asked = how or grading.How()
    for name in sorted({asked.name_of(problem) for problem in kinds.values()}):
        try:
            known.self_test(name, unsafe=asked.unsafe)
        except UserError as error:
            if how is not None or isinstance(error, known.Broken):
                raise
            progress.say(f"warning: the answers cannot be graded here: {error}")


def _counts(found: Found, money: Budget) -> Counts:
    counts: Counts = {
        "traces": len(found.finished),
        "truncated": found.truncated,
        "errors": found.errors,
        "completion_tokens": found.completion_tokens,
    }
    return counts if money.price is None else {**counts, "cost": round(money.spent, 6)}
