"""Rows of datasets of the hub, in their own fields, to rows in ours.

    gpqa({"Question": "...", "Correct Answer": "4", "Incorrect Answer 1": "5", ...})
    -> {"problem": "...", "choices": ["5", "4", ...], "answer": 1, ...}

A row that has our fields already is given back as it is, so local copies may have either.
"""

from __future__ import annotations

import re
from typing import Any

from skythought.core import formats
from skythought.core.records import digest
from skythought.tasks.benchmarks import Row

HEAD = re.compile(r"^\s*(?:def|class)\s", re.MULTILINE)
READS = "The program reads its input from stdin and prints its answer to stdout."


def _new(row: Row, **fields: Any) -> Row:
    """Give a row with other fields; None takes one out."""
    return {k: v for k, v in {**row, **fields}.items() if v is not None}


def livecodebench(row: Row) -> Row:
    """Ask for a program that reads and prints, or for a method where the row begins one."""
    if "question_content" not in row:
        return row
    starter = str(row.get("starter_code") or "")
    form = f"Begin with this:\n\n```python\n{starter}\n```" if starter else READS
    return _new(
        row,
        id=row.get("question_id"),
        problem=f"{row['question_content']}\n\n{form}",
        question_content=None,
    )


def humaneval(row: Row) -> Row:
    """Ask for the whole function of which the row has the head."""
    if "prompt" not in row or "problem" in row:
        return row
    head = row["prompt"]
    asked = f"Complete this function. Give all of it:\n\n```python\n{head}\n```"
    return _new(row, id=row.get("task_id"), problem=asked, starter_code=head, prompt=None)


def mbpp(row: Row) -> Row:
    """Show the tests, which alone name the function."""
    if "test_list" not in row or "problem" in row:
        return row
    text, tests = row.get("text") or row.get("prompt"), "\n".join(row["test_list"])
    return _new(
        row,
        id=str(row.get("task_id")),
        problem=f"{text}\n\nYour program has to pass these tests:\n\n```python\n{tests}\n```",
        text=None,
        prompt=None,
    )


def contest(row: Row) -> Row:
    """Ask for a program as APPS and TACO do: one that reads and prints, or with a given head.

    Raises:
        ValueError: a function is to be filled in, and the tests do not say which (TACO's of
            GeeksforGeeks): nobody can run them.
    """
    if "input_output" not in row or "problem" in row:
        return row
    key = row.get("problem_id", row.get("id"))
    starter = str(row.get("starter_code") or "")
    if HEAD.search(starter) and "fn_name" not in row["input_output"]:
        raise ValueError("the program has to fill in a function, and the tests name none")
    form = f"Begin with this:\n\n```python\n{starter}\n```" if starter.strip() else READS
    return _new(
        row,
        id=None if key is None else str(key),
        problem=f"{row['question']}\n\n{form}",
        question=None,
    )


def olympiadbench(row: Row) -> Row:
    """Put the context of a question before it, where there is one."""
    if not row.get("context") or "question" not in row:
        return row
    return _new(row, question=f"{row['context']}\n\n{row['question']}", context=None)


def numina(row: Row) -> Row | None:
    """Leave out what has no boxed answer: proofs, and solutions that state none."""
    if "answer" not in row and formats.last_boxed(str(row.get("solution"))) is None:
        return None
    return _new(row, messages=None)


def mmlu_pro(row: Row) -> Row:
    """Call options choices, and the category a subject."""
    if "options" not in row:
        return row
    return _new(
        row,
        id=f"mmlu_pro-{row.get('question_id')}",
        choices=row["options"],
        subject=row.get("category"),
        options=None,
        cot_content=None,
    )


def gpqa(row: Row) -> Row:
    """Put the choices into an order that looks random and is always the same."""
    if "Correct Answer" not in row:
        return row
    names = ("Correct Answer", *(f"Incorrect Answer {n}" for n in (1, 2, 3)))
    key = str(row.get("Record ID") or digest(row["Question"]))
    order = sorted(names, key=lambda name: digest(key, row[name]))
    return {
        "id": key,
        "problem": str(row["Question"]).strip(),
        "choices": [str(row[name]).strip() for name in order],
        "answer": order.index("Correct Answer"),
        "subject": row.get("High-level domain") or "",
        "subdomain": row.get("Subdomain") or "",
    }


def ifeval(row: Row) -> Row:
    """Take the instructions for the reference: an answer is right if it follows them."""
    if "instruction_id_list" not in row:
        return row
    return _new(
        row,
        id=str(row.get("key")),
        problem=row.get("prompt") or row.get("problem"),
        answer=f"follows {', '.join(row['instruction_id_list'])}",
        prompt=None,
        key=None,
    )
