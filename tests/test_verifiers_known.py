"""skythought/verifiers/known.py: a verifier that does not work is found before it is needed."""

from __future__ import annotations

import pytest

from skythought import verifiers
from skythought.core.errors import UserError
from skythought.core.records import Problem
from skythought.verifiers import Finding, Verifier, known

LIGHT = ("number", "math", "choice")


@pytest.fixture(autouse=True)
def _not_tested_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_tested", set())


@pytest.mark.parametrize("name", LIGHT)
def test_verifiers_work_here(name: str) -> None:
    known.self_test(name)
    assert (name, False) in known._tested


def test_the_sandbox_works_here(sandbox: str) -> None:
    known.self_test("code")


def test_programs_without_a_sandbox() -> None:
    known.self_test("code", unsafe=True)


def test_puzzles_work_here() -> None:
    pytest.importorskip("reasoning_gym", reason="needs skythought[gym]")
    known.self_test("reasoning_gym")


def test_every_verifier_has_cases_of_every_kind() -> None:
    """But the judge, which costs money."""
    bases = {n.removesuffix("_strict").removesuffix("_lenient") for n in verifiers.VERIFIERS}
    assert set(known.CASES) == bases - {"judge"}
    for cases in known.CASES.values():
        assert {case.outcome for case in cases} == {"correct", "incorrect", "no_answer"}


def broken(problem: Problem, answer: str) -> Finding:
    return Finding("incorrect", rule="boxed; math-verify")


BROKEN = Verifier(name="math", version=3, check=broken)


def test_a_broken_verifier_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As math-verify on a version of sympy that it cannot use: no error, and nothing is equal."""
    monkeypatch.setattr("skythought.verifiers.math.MATH", BROKEN)
    with pytest.raises(UserError) as caught:
        known.self_test("math")
    told = str(caught.value)
    assert told.startswith("verifier 'math' does not work here: of the answer 'So it is $")
    assert "it says incorrect (boxed; math-verify), not correct; here are math-verify " in told
    assert told.endswith("; install the versions that constraints.txt names")
    assert "\n" not in told


def test_it_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known.self_test("number")
    monkeypatch.setattr("skythought.verifiers.number.NUMBER", BROKEN)
    known.self_test("number")


def test_verifiers_without_cases_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    known.self_test("judge")
    known.self_test("test_verifiers_known:BROKEN")
    with pytest.raises(UserError, match="unknown verifier 'nothing'"):
        known.self_test("nothing")
