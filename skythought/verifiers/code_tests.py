"""The tests of a problem, read from the fields in which data sets keep them.

    {"public_test_cases": [{"input": "5 7", "output": "12", "testtype": "stdin"}]}   LiveCodeBench
    {"input_output": {"inputs": ["5 7"], "outputs": ["12"]}}                         APPS, TACO
    {"test_list": ["assert add(5, 7) == 12"]}                                        MBPP
    {"test": "def check(candidate): ...", "entry_point": "add"}                      HumanEval

They lie in `Problem.extra` as they came; the first of these that is not empty counts.
`Problem.answer` holds only a digest of them, so a verdict stays short and is asked again when the
tests change.
"""

from __future__ import annotations

import ast
import base64
import builtins
import io
import json
import pickle
import zlib
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from skythought.core.records import Problem

Kind = Literal["stdin", "call", "assert"]
PACKED_BYTES = 1 << 28  # of LiveCodeBench's packed tests, unpacked


class Case(NamedTuple):
    """One test: what goes in, and the values that may come out."""

    given: Any  # text for stdin, a list of arguments for a call
    expected: tuple[Any, ...]


class Tests(NamedTuple):
    """All tests of a problem."""

    kind: Kind
    name: str  # the function under test; "" for stdin and where assertions name it themselves
    cases: tuple[Case, ...] = ()  # for stdin and calls
    source: str = ""  # assertions
    starter: str = ""  # what the problem gives to begin with


def read(problem: Problem) -> Tests:
    """Read the tests of a problem.

    Raises:
        ValueError: there are none, or they cannot be read.
    """
    extra = problem.extra
    name = _name(extra)
    starter = str(extra.get("starter_code") or "")
    cases = [*_cases(extra.get("public_test_cases")), *_cases(extra.get("private_test_cases"))]
    listed = extra.get("tests")
    if not cases and isinstance(listed, list) and listed and isinstance(listed[0], dict):
        cases = list(_cases(listed))
    if cases:
        if name and cases[0].get("testtype") != "stdin":
            return Tests("call", name, tuple(map(_call, cases)), starter=starter)
        return Tests("stdin", "", tuple(map(_stdin, cases)))
    if extra.get("input_output"):
        return _input_output(extra["input_output"], name)
    source = _assertions(extra)
    if not source.strip():
        raise ValueError("the row has none")
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"the assertions are no Python ({error})") from error
    defined = any(isinstance(part, ast.FunctionDef) and part.name == "check" for part in body)
    calls = [
        part for part in body if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call)
    ]
    if defined and name and not calls:
        source += f"\n\ncheck({name})\n"  # HumanEval leaves the call to whoever runs it
    return Tests("assert", name, source=source, starter=starter or _prompt(problem))


def names(tests: Tests) -> list[str]:
    """List what a program has to define for these tests; [] where they run it as a whole.

    Where no function is named, that is what assertions use and nobody else defines: `add` of
    "assert add(5, 7) == 12".
    """
    if tests.kind != "assert" or tests.name:
        return [tests.name] if tests.name else []
    used: dict[str, None] = {}
    known = set(dir(builtins))
    for source in (tests.source, tests.starter):
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):  # of a starter: a header without a body
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name, ctx=ast.Load()):
                    used[name] = None
                case ast.Name(id=name) | ast.arg(arg=name):
                    known.add(name)
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    known.add(name)
                case ast.alias(name=name, asname=other):
                    known.add(other or name.partition(".")[0])
    return [name for name in used if name not in known]


def _name(extra: dict[str, Any]) -> str:
    metadata = extra.get("metadata") or {}
    if isinstance(metadata, str):
        metadata = json.loads(metadata)
    places = (extra, metadata if isinstance(metadata, dict) else {})
    keys = ("func_name", "fn_name", "entry_point")
    return next((str(p[k]) for p in places for k in keys if p.get(k)), "")


def _prompt(problem: Problem) -> str:
    """Give HumanEval's question, which is Python: it may define what its tests use."""
    return problem.question if "entry_point" in problem.extra else ""


def _cases(given: Any) -> Iterator[dict[str, Any]]:
    """Yield the tests of a list, of its JSON, or of LiveCodeBench's packed form."""
    if isinstance(given, str) and given:
        given = json.loads(given) if given.lstrip()[0] in "[{" else _unpack(given)
    for case in given or ():
        if not isinstance(case, dict) or not {"input", "output"} <= set(case):
            raise ValueError('a test is no {"input": ..., "output": ...}')
        yield case


class _TextOnly(pickle.Unpickler):
    """Reads a pickled text; a pickle that asks for anything else is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"packed tests ask for {module}.{name}")


def _unpack(text: str) -> Any:
    try:
        raw = zlib.decompressobj().decompress(base64.b64decode(text), PACKED_BYTES)
        return json.loads(_TextOnly(io.BytesIO(raw)).load())
    except (zlib.error, pickle.UnpicklingError, TypeError, EOFError) as error:
        raise ValueError(f"packed tests cannot be read ({error})") from error


def _stdin(case: dict[str, Any]) -> Case:
    return Case(_text(case["input"]), (_text(case["output"]),))


def _text(value: Any) -> str:
    """Give text as it is; APPS has some as a list of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _call(case: dict[str, Any]) -> Case:
    given, output = case["input"], case["output"]
    if not isinstance(given, str | list):
        given = [given]
    args = (
        [literal(line) for line in given.split("\n") if line] if isinstance(given, str) else given
    )
    return Case(args, (literal(output) if isinstance(output, str) else output,))


def _input_output(given: Any, name: str) -> Tests:
    if isinstance(given, str):
        given = json.loads(given)
    if not isinstance(given, dict) or not {"inputs", "outputs"} <= set(given):
        raise ValueError("input_output holds no inputs and outputs")
    pairs = list(zip(given["inputs"], given["outputs"], strict=True))
    if not pairs:
        raise ValueError("input_output is empty")
    name = str(given.get("fn_name") or name)
    if not name:
        return Tests("stdin", "", tuple(Case(_text(i), (_text(o),)) for i, o in pairs))
    cases = []
    for inputs, output in pairs:
        args = [literal(line) for line in inputs.split("\n")] if isinstance(inputs, str) else inputs
        inner = (output[0],) if isinstance(output, list) and len(output) == 1 else ()
        cases.append(Case(args, (output, *inner)))  # the data sets wrap some values in a list
    return Tests("call", name, tuple(cases))


def literal(text: str) -> Any:
    """Read a value as JSON, or else as Python writes it.

    Raises:
        ValueError: it is neither.
    """
    try:
        return json.loads(text)
    except ValueError:
        try:
            return ast.literal_eval(text.strip())
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"a test holds no value: {text!r:.60}") from error


def _assertions(extra: dict[str, Any]) -> str:
    tests = next(
        (extra[k] for k in ("test_list", "tests", "test", "original_tests") if extra.get(k)), ""
    )
    imports = extra.get("test_imports") or []
    setup = [extra.get("test_setup_code"), *([imports] if isinstance(imports, str) else imports)]
    listed = tests if isinstance(tests, list) else [tests]
    return "\n".join(str(part) for part in (*setup, *listed) if part)
