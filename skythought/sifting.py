"""The parts of curate that run on all cores: lines in, facts out; chosen lines in, examples out.

reader(...)((numbers, lines))  -> [Facts, Unusable, ...]
writer(...)([Pick, ...])       -> [(row as JSON, Entry for the card) or the reason for none, ...]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from skythought import structure
from skythought.core import formats, jsonl, shapes, steps
from skythought.core.errors import UserError, first_line, require
from skythought.core.records import Example, Trace, digest
from skythought.curating import card, exports, pairs, screening, topics
from skythought.curating.facts import Facts, Place, Unusable, packed
from skythought.curating.filters import Filters, structure_score
from skythought.curating.inputs import said

Read = tuple[list[int], list[shapes.Line]]  # lines, each with the number of its file
Made = tuple[bytes, card.Entry] | str


class Pick(NamedTuple):
    """What is to be written: one trace, or the chosen and the rejected of a pair."""

    kind: str  # example, shortest, first_solution
    places: tuple[Place, ...]
    given: int = 0  # number of the input that holds the first


def reader(
    filters: Filters,
    tokenizer: str = "",
    fields: tuple[str, ...] = (),
    scored: bool = False,
    sketched: bool = False,
    paired: bool = False,
    search: screening.Search | None = None,
) -> Callable[[Read], list[Facts | Unusable]]:
    """Make what reads lines.

    Args:
        filters: what is asked of each trace.
        tokenizer: what counts tokens, see `counter`.
        fields: fields of a row whose values are wanted.
        scored: whether the structure score is wanted.
        sketched: whether the sketch of the question is wanted.
        paired: whether the hash of the prompt is wanted.
        search: what else is looked for: duplicates, and problems of benchmarks.

    Raises:
        UserError: no such tokenizer, filter or encoder, or rensa is missing.
    """
    search = search or screening.Search()
    sketches, index = search.sketches(), search.index()
    count = counter(tokenizer)
    own = filters.functions()
    measuring = scored or filters.measures

    def facts(file: int, line: shapes.Line) -> Facts:
        row = jsonl.decode_row(line.raw)
        trace = shapes.trace(row)
        asked = structure.question_of(trace)
        taught = packed(shapes.lesson(trace))
        found = Facts(
            file=file,
            offset=line.offset,
            size=len(line.raw),
            id=trace.id,
            problem=trace.problem_id if row.get("problem_id") else digest(asked.split()),
            prompt=packed(digest(trace.messages)) if paired else b"",
            lesson=taught,
            lessons=b"".join(
                taught if name == "example" else packed(screening.lesson(trace, name))
                for name in search.fields
            ),
            finish=trace.finish,
            labels=tuple(said(row, name) for name in fields),
            topic=topics.sketch(asked) if sketched else b"",
        )
        if trace.error:
            found.early = "error"
        elif trace.finish == "length":
            found.early = "truncated"
        if found.early:
            return found
        found.tokens = count(trace)
        n_steps = len(steps.split(trace.thought))
        measures = structure.measure(trace) if measuring else None
        if measures is not None and scored:
            found.score = structure_score(measures)
        found.late = "tag inside" if formats.closing(trace.thought, trace.answer) else ""
        found.late = found.late or filters.reason(
            trace, tokens=found.tokens, steps=n_steps, measures=measures, own=own
        )
        if not found.late and index is not None:
            found.hit = index.judge(trace)
        if not found.late and found.hit is None:
            found.keys = screening.keys(sketches, trace)
        return found

    def read(item: Read) -> list[Facts | Unusable]:
        results: list[Facts | Unusable] = []
        for file, line in zip(*item, strict=True):
            try:
                results.append(facts(file, line))
            except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
                results.append(Unusable(line.place, str(error)))
        return results

    return read


def writer(
    shape: exports.Shape, tokenizer: str, share: float
) -> Callable[[Sequence[Pick]], list[Made]]:
    """Make what reads chosen lines again and writes them as examples.

    Args:
        shape: of the rows.
        tokenizer: as for `reader`.
        share: of the examples that are measured for the card, chosen by hash.

    Raises:
        UserError: no such tokenizer, or a line that is not there any more.
    """
    count = counter(tokenizer)

    def make(pick: Pick) -> Made:
        rows = [jsonl.decode_row(place.read()) for place in pick.places]
        traces = [
            msgspec.structs.replace(shapes.trace(row), id=place.id)
            for row, place in zip(rows, pick.places, strict=True)
        ]
        taught, outcome = traces[0], pick.places[0].outcome
        example = shapes.example(taught, tags=(outcome or "not graded",))
        if pick.kind != "example":
            better = taught
            if pick.kind == "first_solution":
                shorter = pairs.first_solution(
                    taught,
                    structure.arrivals(taught),
                    lambda step: bool(structure.arrivals(taught, [step])),
                )
                if shorter is None:
                    return "no shorter solution"
                better = shorter
            example = pair(pick.kind, better, traces[-1], outcome)
            taught = better
        return exports.encode(example, shape), entry(taught, rows[0], pick.places[0])

    def entry(trace: Trace, row: dict[str, Any], place: Place) -> card.Entry:
        made = card.Entry(
            model=trace.model,
            problem=place.problem,
            tokens=count(trace),
            counted=bool(tokenizer or trace.completion_tokens),
            steps=len(steps.split(trace.thought)),
            words=len(trace.thought.split()),
            keywords=steps.count_keywords(trace.thought),
            outcome=place.outcome,
            origin=said(row, "dataset"),
            licence=said(row, "licence") or said(row, "license"),
        )
        if int(digest(trace.id, "card"), 16) < share * 2**64:
            measures = structure.measure(trace)
            made.measured, made.roles = True, measures.roles
            made.consistency = measures.consistency
            made.checkable, made.holding = measures.checkable, measures.holding
        return made

    return lambda picks: [make(pick) for pick in picks]


def pair(kind: str, chosen: Trace, rejected: Trace, outcome: str) -> Example:
    """Make the example that prefers one trace to another."""
    completion = formats.teach(chosen.thought, chosen.answer)
    other = formats.teach(rejected.thought, rejected.answer)
    return Example(
        id=digest(chosen.id, completion, other),
        trace_id=chosen.id,
        messages=chosen.messages,
        completion=completion,
        rejected=other,
        tags=(outcome or "not graded", f"pair {kind}", f"rejected {rejected.id}"),
    )


def counter(tokenizer: str) -> Callable[[Trace], int]:
    """Make what counts the tokens of a completion.

    With a tokenizer, by it; else the number the teacher's server gave, or words, digits and signs
    (`structure.count_signs`).

    Raises:
        UserError: no such tokenizer, or `transformers` is not installed.
    """
    if not tokenizer:
        return lambda trace: (
            trace.completion_tokens or structure.count_signs(f"{trace.thought}\n\n{trace.answer}")
        )
    require("transformers", "train")
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(tokenizer)
    except (OSError, ValueError) as error:
        raise UserError(f"--tokenizer {tokenizer}: {first_line(error)}") from error
    return lambda trace: len(
        loaded(formats.teach(trace.thought, trace.answer), add_special_tokens=False)["input_ids"]
    )
