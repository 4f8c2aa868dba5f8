r"""A task in, what its verifier makes of its own answers out: what can be verified, and what not.

    skythought check --task math500.jsonl
    skythought check --task reasoning_gym/chain_sum --limit 200 --output exceptions.jsonl

Every gold answer is graded against itself and has to be correct, a worked solution too where the
row has one. Answers made wrong of it must not be: another problem's answer, a changed digit or
sign, an empty one, one that is cut off; for choices the other letters, two at once, a denial; for
programs the row's wrong ones. The exceptions are counted by kind and, with `--output`, listed. The
command leaves with exit code 1 where there is one. It asks no model and writes nothing else.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.table import Table

from skythought import grading, tasks, verifiers
from skythought.core import formats, progress, store
from skythought.core.errors import NotHeld, UserError
from skythought.core.records import Finish, Problem, Trace, Verdict
from skythought.grading import How
from skythought.verifiers import Job

GOLD = ("gold", "worked solution")  # the kinds that have to be correct
NOT_GOLD = "Let us see. So the answer is"
PLAIN_NUMBER = re.compile(r"-?(?:\d+(?:\.\d+)?|\\[dt]?frac\{\d+\}\{\d+\}|\d+/\d+)")
# Where data sets keep programs known to be right.
PROGRAMS = ("correct_solutions", "solutions", "canonical_solution", "code", "solution")


class Probe(NamedTuple):
    """An answer made of a gold answer."""

    kind: str
    text: str
    finish: Finish = "stop"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Grade a task's own answers, right and made wrong."""

    task: str
    """A task by name, or a local JSONL/Parquet file with problem and answer."""
    split: str = "test"
    """Split of the task."""
    verifier: str | None = None
    """Verifier to use in place of the task's own."""
    strict: bool = False
    """Use the stricter rules of the verifier."""
    lenient: bool = False
    """Use the more lenient rules of the verifier."""
    limit: int | None = None
    """Number of problems; endless tasks need it."""
    seed: int = 0
    """Seed of the task."""
    output: Path | None = None
    """JSONL file to list the exceptions in."""
    workers: int | None = None
    """Processes that grade; as many as there are cores where not given."""
    judge_args: str = ""
    """Model of the verifier judge: model=NAME,base_url=URL, and options of the backend openai."""
    allow_unsafe_execution: bool = False
    """Run programs without a sandbox. They can do whatever you can."""


def run(config: Config) -> dict[str, dict[str, int]]:
    """Check and print a table; returns for each kind how many held, did not, and could not be told.

    Raises:
        UserError: no such task or verifier, or one that does not work here.
        NotHeld: a gold answer is not correct, one made wrong is, or one cannot be told.
    """
    if config.strict and config.lenient:
        raise UserError("--strict and --lenient: give one of them")
    for flag, value in (("limit", config.limit), ("workers", config.workers)):
        if value is not None and value < 1:
            raise UserError(f"--{flag} {value}: give 1 or more")
    how = How(
        verifier=config.verifier,
        mode="strict" if config.strict else "lenient" if config.lenient else "",
        unsafe=config.allow_unsafe_execution,
        workers=config.workers or grading.cores(),
        judge_args=config.judge_args or os.environ.get(grading.JUDGE_ARGS, ""),
    )
    problems = tasks.draw(config.task, config.split, config.seed, 0, config.limit)
    counts, exceptions = check(problems, how)
    label = ", ".join(sorted({how.name_of(problem) for problem in problems}))
    progress.say(f"{config.task}: {len(problems):,} problems, graded by {label}")
    progress.console.print(_table(counts))
    if not any(kind in counts for kind in GOLD):
        progress.say(
            f"{config.task}: gold answers are missing ({len(problems):,} problems); for programs, "
            f"a row needs one known to be right in {', '.join(PROGRAMS[:3])} or code"
        )
    if config.output is not None:
        store.write_records(config.output, exceptions)
    refused = sum(counts[k]["not held"] + counts[k]["error"] for k in GOLD if k in counts)
    gold = sum(sum(counts[k].values()) for k in GOLD if k in counts)
    passed = sum(of["not held"] for kind, of in counts.items() if kind not in GOLD)
    untold = sum(of["error"] for kind, of in counts.items() if kind not in GOLD)
    if exceptions:
        listed = f"they are in {config.output}" if config.output else "list them with --output FILE"
        raise NotHeld(
            f"{config.task}: {refused:,} of {gold:,} gold answers are not accepted; of answers "
            f"made wrong, {passed:,} are and {untold:,} cannot be told; {listed}"
        )
    return counts


def check(
    problems: Sequence[Problem], how: How
) -> tuple[dict[str, dict[str, int]], list[dict[str, Any]]]:
    """Grade the probes of all problems; returns counts by kind, and the exceptions.

    Raises:
        UserError: as `grading.verdicts`.
    """
    made: dict[str, tuple[Problem, Probe]] = {}
    for number, problem in enumerate(problems):
        name = how.name_of(problem)
        for count, probe in enumerate(probes(problem, _other(problems, number), name)):
            made[f"{number}-{count}"] = problem, probe
    jobs = (_job(key, problem, probe, how) for key, (problem, probe) in made.items())
    names = {how.name_of(problem) for problem in problems}
    counts: dict[str, Counter[str]] = {}
    exceptions: list[dict[str, Any]] = []
    with progress.bar("check", len(made)) as bar:
        for verdict in grading.verdicts(jobs, len(made), names, how):
            problem, probe = made[verdict.id]
            said = _judge(probe, verdict)
            counts.setdefault(probe.kind, Counter())[said] += 1
            if said != "held":
                exceptions.append(_exception(problem, probe, verdict))
            bar.advance()
    order = dict.fromkeys(probe.kind for _, probe in made.values())
    names_of = ("held", "not held", "error")
    return {kind: {n: counts[kind][n] for n in names_of} for kind in order}, exceptions


def probes(problem: Problem, other: Problem | None, verifier: str) -> Iterator[Probe]:
    """Make the answers that a problem's verifier is asked about; `other` has another answer."""
    base = verifier.removesuffix("_strict").removesuffix("_lenient")
    yield Probe("empty", "")
    if base == "code":
        yield from _programs(problem, other)
    elif base == "choice":
        yield from _choices(problem)
    else:
        yield from _texts(problem, other, gym=base == "reasoning_gym")


def _texts(problem: Problem, other: Problem | None, *, gym: bool) -> Iterator[Probe]:
    """Make answers for what is compared as a text: numbers, formulas, puzzles."""
    gold = problem.answer
    if gym and (problem.extra.get("gym") or {}).get("answer") is None:
        yield Probe("nonsense", _said("17 blue", gym=gym))
        return
    yield Probe("gold", _said(gold, gym=gym))
    worked = problem.extra.get("solution")
    if isinstance(worked, str) and ("####" in worked or formats.last_boxed(worked)):
        yield Probe("worked solution", worked)
    yield Probe("cut off", _said(gold, gym=gym), "length")
    yield Probe("empty place", _said("", gym=gym))
    if other is not None:
        yield Probe("another answer", _said(other.answer, gym=gym))
    if digit := re.search(r"\d", gold):
        changed = str((int(digit[0]) + 1) % 10 or 1)
        yield Probe(
            "changed digit", _said(gold[: digit.start()] + changed + gold[digit.end() :], gym=gym)
        )
    if PLAIN_NUMBER.fullmatch(gold) and re.search(r"[1-9]", gold):
        flipped = gold[1:] if gold.startswith("-") else f"-{gold}"
        yield Probe("changed sign", _said(flipped, gym=gym))
    half = gold[: len(gold) // 2]
    if not gym and len(re.findall(r"\d", half)) < len(re.findall(r"\d", gold)):
        yield Probe("half written", f"{NOT_GOLD} $\\boxed{{{half}")


def _choices(problem: Problem) -> Iterator[Probe]:
    gold = problem.answer
    texts = problem.extra.get("choices") or []
    letters = [chr(ord("A") + i) for i in range(len(texts) or 4)]
    yield Probe("gold", _said(gold))
    yield Probe("cut off", _said(gold), "length")
    yield Probe("empty place", _said(""))
    if gold not in letters:
        return
    if texts and texts.count(texts[letters.index(gold)]) == 1:
        yield Probe("gold", f"The correct answer is ({gold}) {texts[letters.index(gold)]}.")
    for letter in letters:
        if letter != gold:
            same = texts and texts[letters.index(letter)] == texts[letters.index(gold)]
            if not same:
                yield Probe("another choice", _said(letter))
                yield Probe("two choices", f"The answer is {gold} or {letter}.")
    yield Probe("denied", f"The answer is not {gold}.")


def _programs(problem: Problem, other: Problem | None) -> Iterator[Probe]:
    gold = _known(problem)
    for program in gold:
        yield Probe("gold", _block(program))
    for program in problem.extra.get("incorrect_solutions") or ():
        yield Probe("wrong program", _block(program))
    for program in gold[:1]:
        yield Probe("cut off", _block(program), "length")
        yield Probe("half written", _block(program[: len(program) // 2]))
    for program in _known(other)[:1] if other is not None else ():
        yield Probe("another answer", _block(program))
    yield Probe("no program", _block("pass"))


def _known(problem: Problem) -> list[str]:
    """List the programs that a row says are right."""
    for name in PROGRAMS:
        found = problem.extra.get(name)
        if isinstance(found, str) and found.lstrip().startswith("["):
            try:
                found = msgspec.json.decode(found)
            except msgspec.DecodeError:
                continue
        if isinstance(found, str) and found.strip():
            return [problem.question + found if name == "canonical_solution" else found]
        if isinstance(found, list) and found and all(isinstance(part, str) for part in found):
            return found
    return []


def _said(answer: str, *, gym: bool = False) -> str:
    return f"{NOT_GOLD} <answer>{answer}</answer>" if gym else f"{NOT_GOLD} $\\boxed{{{answer}}}$."


def _block(program: str) -> str:
    return f"```python\n{program}\n```"


def _other(problems: Sequence[Problem], number: int) -> Problem | None:
    """Give the next problem whose answer is another, round and round."""
    mine = _signs(problems[number].answer)
    for step in range(1, len(problems)):
        found = problems[(number + step) % len(problems)]
        if _signs(found.answer) != mine:
            return found
    return None


def _signs(answer: str) -> str:
    """Write an answer without what mostly does not matter."""
    named = re.sub(r"^[a-z]\s*=", "", answer.casefold())
    flat = re.sub(r"\\(?:text|mathrm|mbox)\b|\\[a-z]?frac|[\s\\${},!()]|\.0+$", "", named)
    return flat.removesuffix("%").lstrip("0")


def _job(key: str, problem: Problem, probe: Probe, how: How) -> Job:
    trace = Trace(
        id=key,
        problem_id=problem.id,
        model="check",
        messages=(),
        thought="",
        answer=probe.text,
        finish=probe.finish,
    )
    return verifiers.job(problem, trace, how.name_of(problem), unsafe=how.unsafe)


def _judge(probe: Probe, verdict: Verdict) -> str:
    if verdict.outcome == "error":
        return "error"
    return "held" if (verdict.outcome == "correct") == (probe.kind in GOLD) else "not held"


def _exception(problem: Problem, probe: Probe, verdict: Verdict) -> dict[str, Any]:
    return {
        "id": problem.id,
        "kind": probe.kind,
        "reference": problem.answer,
        "answer": probe.text,
        "outcome": verdict.outcome,
        "extracted": verdict.extracted,
        "rule": verdict.rule,
        "detail": verdict.detail,
    }


def _table(counts: dict[str, dict[str, int]]) -> Table:
    table = Table()
    table.add_column("answers")
    table.add_column("should be")
    for name in ("n", "are", "are not", "cannot be told"):
        table.add_column(name, justify="right")
    for kind, of in sorted(counts.items(), key=lambda item: item[0] not in GOLD):
        numbers = (sum(of.values()), of["held"], of["not held"], of["error"])
        should = "correct" if kind in GOLD else "not correct"
        table.add_row(kind, should, *(f"{number:,}" for number in numbers))
    return table
