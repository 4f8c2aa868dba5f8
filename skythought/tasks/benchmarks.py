"""Rows to problems: any local JSONL or Parquet file is a benchmark.

    {"problem": "Janet's ducks lay 16 eggs ...", "answer": "... #### 18"}
    -> Problem(id="9f0c...", task="file:mine", question="Janet's ducks ...", answer="18")

A row needs a question (`problem`, `question`, `instruction` or `prompt`) and a reference in one of
`ANSWERS`: bare, `$...$`, "The answer is 18.", or a worked solution that ends in `#### 18` or in a
box. Where these have none, it is the end of a `solution`, or the tests of a program
(`TEST_FIELDS`). `choices` become part of the question.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from skythought.core import extraction, formats, jsonl, progress, shapes
from skythought.core.errors import UserError, require, unknown
from skythought.core.records import Problem, digest
from skythought.tasks import (
    CHOICE_VERIFIER,
    FILE,
    FILE_SUFFIXES,
    FILE_VERIFIER,
    INSTRUCTION_VERIFIER,
    PROGRAM_VERIFIER,
    TASKS,
    TESTS,
    Task,
    get,
    verifier_of,
)

ANSWERS = (
    *("answer", "reference_answer", "final_answer", "expected_answer", "ground_truth"),
    "answerKey",  # ARC's
)
SOLUTION = "solution"  # a reference only where it ends in its answer
IDS = ("id", "unique_id")
# Where data sets keep the tests of programs, and what else belongs to them.
TESTS_IN = (
    *("tests", "public_test_cases", "private_test_cases", "input_output", "test_list", "test"),
    "original_tests",
)
TEST_FIELDS = (
    *TESTS_IN,
    *("test_setup_code", "test_imports", "entry_point", "func_name", "fn_name", "metadata"),
    "starter_code",
)
SYSTEM_PROMPT = "Please reason step by step, and put your final answer within \\boxed{}."
CHOICE_PROMPT = "Please reason step by step, and put the letter of your choice within \\boxed{}."
PROGRAM_PROMPT = (
    "Please reason step by step, and give your whole program last, in one block marked ```python."
)
PROMPTS = {
    CHOICE_VERIFIER: CHOICE_PROMPT,
    PROGRAM_VERIFIER: PROGRAM_PROMPT,
    INSTRUCTION_VERIFIER: "",  # nothing that is no instruction of the problem
}
MARKER = "####"
STATED = frozenset(  # rules of extraction that do more than take a last number
    {"answer tag", "answer is", "answer is, emphasis", "answer is, beginning"}
)
LETTERS = "ABCDEFGHIJ"


def reduce_answer(text: str) -> str:
    r"""Reduce a reference to its bare answer: "... #### 1,000" to "1,000", "$x$" to "x".

    Boxes count in texts that are more than them, such as a worked solution: "so $x=\boxed{1}$ or
    $x=\boxed{2}$" is "1, 2". "The answer is $12$.", "Answer: 12" and `<answer>12</answer>` are 12.
    A sentence from which no more than a last number could be taken stays as it is.
    """
    text = text.strip()
    if MARKER in text:
        return text.rpartition(MARKER)[2].strip()
    if "\\boxed{" in text and (boxes := extraction.boxes(text)):
        return ", ".join(boxes)
    if "answer" in text.lower():
        found = extraction.extract(text)
        if found and found.rule in STATED and extraction.is_bare(found.text):
            return found.text
    formula = re.fullmatch(r"\$([^$]+)\$\.?", text)
    return formula[1].strip() if formula else text


def reference_field(row: Mapping[str, Any]) -> str | None:
    """Name the field that holds the reference answer of a row, None where no field does."""
    for name in ANSWERS:
        value = row.get(name)
        if value not in (None, []) and not (isinstance(value, str) and not value.strip()):
            return name
    worked = row.get(SOLUTION)
    ends = isinstance(worked, str) and (MARKER in worked or formats.last_boxed(worked) is not None)
    return SOLUTION if ends else None


def tests_of(row: Mapping[str, Any]) -> str | None:
    """Digest the tests of a row, which stands for them as its reference; None where it has none.

    The tests themselves stay in `Problem.extra`, where the verifier `code` reads them.
    """
    if not any(row.get(k) and isinstance(row[k], str | list | dict) for k in TESTS_IN):
        return None
    return TESTS + digest({name: row.get(name) for name in TEST_FIELDS})


def problem(row: Mapping[str, Any], task: str, *, answers: bool = True) -> Problem:
    """Turn one row into a Problem; one of our own records is taken as it is.

    Raises:
        ValueError: the row has no question, or no reference answer where `answers` are needed.
    """
    if set(row) <= set(Problem.__struct_fields__) and {"id", "task"} <= set(row):
        return msgspec.convert(row, Problem)
    asked = next((k for k in shapes.QUESTIONS if _said(row.get(k))), None)
    if asked is None:
        raise ValueError(f"no question: expected one of the texts {', '.join(shapes.QUESTIONS)}")
    name = reference_field(row)
    tests = tests_of(row) if name is None else None
    if tests is not None:
        row, name = {**row, "answer": tests}, "answer"
    if name is None and not answers:
        return msgspec.structs.replace(problem({**row, "answer": "?"}, task), answer="")
    if name is None:
        raise ValueError(f"no reference answer: expected one of {', '.join(ANSWERS)}")
    choices, names = _choices(row)
    numbered = bool(choices) and type(row[name]) is int and 0 <= row[name] < len(choices)
    answer = LETTERS[row[name]] if numbered else _text(row[name])
    if answer in names:  # ARC names some choices with numbers
        answer = LETTERS[names.index(answer)]
    listed = "".join(f"\n{letter}. {text}" for letter, text in zip(LETTERS, choices, strict=False))
    key = next((k for k in IDS if row.get(k) not in (None, "")), None)
    reduced = reduce_answer(answer)
    if not reduced:
        raise ValueError("the reference answer is empty")
    known = {asked, name, key}
    return Problem(
        id=str(row[key]) if key else digest(row[asked] + listed, answer),
        task=task,
        question=f"{row[asked]}\n{listed}" if listed else row[asked],
        answer=reduced,
        extra={k: v for k, v in row.items() if k not in known}
        | ({"choices": choices} if choices else {}),
    )


def _said(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _choices(row: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Give the texts of a row's choices, and their names where the row has names for them."""
    choices: Any = row.get("choices")
    names: Any = []
    if isinstance(choices, Mapping):  # ARC: {"text": [...], "label": ["A", ...]}
        choices, names = choices.get("text"), choices.get("label")
    found = choices if isinstance(choices, list) and len(choices) <= len(LETTERS) else []
    if not all(isinstance(choice, str) for choice in found):
        return [], []
    named = isinstance(names, list) and len(names) == len(found)
    return found, [str(name) for name in names] if named else []


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(reduce_answer(_text(part)) for part in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    real = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    if isinstance(value, bool) or not real:
        raise ValueError(f"the reference answer must be a text or a number, found {value!r:.60}")
    return str(value)


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line or row number from 1, row) of a JSONL or Parquet file.

    Raises:
        UserError: the file is missing or cannot be read as what it claims to be.
    """
    if path.suffix != ".parquet":
        yield from jsonl.read_rows(path)
        return
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    parquet = require("pyarrow.parquet", "train")
    try:
        table = parquet.ParquetFile(path)
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise UserError(f"{path}: not a Parquet file ({error})") from error
    number = 0
    for batch in table.iter_batches(batch_size=1024):
        for row in batch.to_pylist():
            number += 1
            yield number, row


Row = dict[str, Any]


def load_file(
    split: str,
    seed: int = 0,
    *,
    path: Path | str,
    task: str,
    answers: bool = True,
    reshape: Callable[[Row], Row | None] | None = None,
) -> Iterator[Problem]:
    """Yield the problems of a local file in their order; every split is the whole file.

    Without `answers` a row needs none. `reshape` turns a row of a dataset's own fields into one of
    ours, or into None where it is to be left out; one that it cannot use is left out and told.

    Raises:
        UserError: no such file, a row without question or answer, or an id twice (as file:line).
    """
    path = Path(path)
    first: dict[str, int] = {}
    left_out: list[str] = []
    for number, row in read_rows(path):
        try:
            shaped = reshape(row) if reshape else row
        except ValueError as error:
            left_out.append(f"line {number}: {error}")
            continue
        if shaped is None:
            continue
        try:
            found = problem(shaped, task, answers=answers)
        except (ValueError, msgspec.ValidationError) as error:
            raise UserError(f"{path}:{number}: {error}") from error
        if found.id in first:
            where = first[found.id]
            raise UserError(
                f"{path}:{number}: id {found.id!r} is already that of line {where}; give each "
                "row an id of its own, or delete the row"
            )
        first[found.id] = number
        yield found
    if left_out:
        progress.say(f"{path}: {len(left_out):,} rows are left out; {left_out[0]}")


def collect(names: Iterable[str]) -> Iterator[tuple[str, Problem]]:
    """Yield (benchmark, problem) of files, of all files of folders, and of tasks by their names.

    A file's benchmark is named after the file. Answers are not needed.

    Raises:
        UserError: nothing there or no problem in it, a task without end, or as `load_file`.
    """
    for name in names:
        path = Path(name)
        if path.is_dir():
            kinds = [found for suffix in FILE_SUFFIXES for found in path.glob(f"*{suffix}")]
            files = sorted(file for file in kinds if not shapes.NOT_TRACES.fullmatch(file.name))
        else:
            files = [path] if path.is_file() or path.suffix in FILE_SUFFIXES else []
        count = 0
        for file in files:
            for found in load_file("test", path=file, task=FILE + file.stem, answers=False):
                count += 1
                yield file.stem, found
        if not files and not path.is_dir():
            if name not in TASKS and ":" not in name:
                raise unknown("file, folder or benchmark", name, TASKS)
            task = get(name)
            if task.endless:
                raise UserError(f"benchmark {name!r} makes its problems without end; give a file")
            for found in task.load("test"):
                count += 1
                yield name, found
        if not count:
            raise UserError(f"{name}: holds no problems; give a JSONL file of a benchmark")


def local(path: Path) -> Task:
    """Make a task of a local file; what its first row asks for decides the prompt.

    Raises:
        UserError: there is no such file.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    name = FILE + path.stem
    try:
        first = next(load_file("test", path=path, task=name, answers=False), None)
    except UserError:  # told where the file is loaded
        first = None
    kind = FILE_VERIFIER if first is None else verifier_of(first)
    return Task(
        name=name,
        source=str(path),
        revision="",
        licence="not stated",
        verifier=kind,
        chance=0.0,
        system_prompt=PROMPTS.get(kind, SYSTEM_PROMPT),
        load=partial(load_file, path=path, task=name),
    )
