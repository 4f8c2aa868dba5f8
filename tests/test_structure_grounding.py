"""Whether statements hold: golden tables, properties, hostile ones, hand labels of real ones."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import pytest

from skythought import backends, perturbations
from skythought.core import shapes
from skythought.core.records import Message, Request, Sampling, Trace
from skythought.structure import grounding
from skythought.structure.statements import Statement, find
from skythought.tasks import toll_roads

CASES = Path(__file__).parent / "cases" / "grounding.jsonl"
HOLDS = [
    # arithmetic, in words and signs
    *("5 trees × 6 lemons/tree = 30 lemons", "12 plus 9 is 21", "3/4 of 20 is 15"),
    *("20% of 50 = 10", "$\\frac{1}{2} \\cdot 8 = 4$", "square root of 49 is 7", "7 < 9"),
    *("5! = 120", "5 choose 2 = 10", "\\binom{6}{3} = 20", "gcd(12, 18) = 6", "lcm(4, 6) = 12"),
    *("17 mod 5 = 2", "17 % 5 = 2", "41 \\equiv 6 \\pmod{7}", "3^{-1} ≡ 5 mod 7", "2 ≠ 3"),
    *("|3 - 8| = 5", "floor(7/2) = 3", "max(3, 9, 4) = 9", "\\lceil\\sqrt{20}\\rceil = 5"),
    *(
        "14 litres / 21 jars = 2/3 litres",
        "2^10 = 1024",
        "2³ × 3² = 72",
        "27^(1/3) = 3",
        "√12 = 2√3",
    ),
    *("9 divided by 3/4 is 12", "2 1/2 * 2 = 5", "(-2)^3 = -8", "-6 - (-2) = -4"),
    *("1.5 million / 3 = 500,000", "3 dozen + 4 = 40", "\\sin 30° = 1/2", "ln 1 = 0"),
    # decimals are rounded or cut off
    *("10/3 = 3.33", "10/3 ≈ 3.3", "2/3 = 0.66", "2/3 = 0.67", "1/3 = 33.33%", "√2 ≈ 1.414"),
    *("1234 ≈ 1200", "3.14 * 2.5 ≈ 7.9", "ln(6.5) ≈ 1.8718", "22/7 ≈ 3.14", "3.33 = 10/3"),
    # percentages, read in any of their ways
    *("100 - 20% = 80", "50% + 20% = 70%", "0.2 = 20%", "25/100 * 100 = 25%", "100% - 30% = 70%"),
    # identities
    *("2x + 3x = 5x", "(x+1)^2 = x^2 + 2x + 1", "a = 2(b + 1) + b = 3b + 2", "(a-b)(a+b) = a²-b²"),
    # a division with its remainder
    *(
        "38/9 = 4 with remainder 2",
        "29 divided by 8 is 3 with a remainder of 5",
        "45/2 = 22, rem 1",
    ),
    "38 divided by 7 is 5 weeks and 3 days",
    *("- 3 * 4 = 12", "-3 * 4 = -12", "So 4 + 4 = 8!", "300 * 41 = 12, 300."),
]
FAILS = [
    *(
        "5 trees × 6 lemons/tree = 31 lemons",
        "12 plus 9 is 22",
        "3/4 of 20 is 16",
        "20% of 50 = 11",
    ),
    *("$\\frac{1}{2} \\cdot 8 = 5$", "square root of 49 is 8", "9 < 7", "2 ≠ 4/2", "5! = 121"),
    *("5 choose 2 = 11", "gcd(12, 18) = 5", "17 mod 5 = 3", "41 \\equiv 5 \\pmod{7}", "√12 = 3√2"),
    *("10/3 = 3.35", "10/3 ≈ 3.5", "√2 ≈ 1.6", "√2 > 1.5", "2/3 = 0.5"),
    *("38/9 = 5 with remainder 2", "a = 2(b + 1) + b = 3b + 1", "2x + 3x = 6x", "8 * 7 = 54"),
    *("100 - 20% = 85", "|3 - 8| = 4", "-70 + 91 = 20", "x = 2 * 3 = 7"),
    *("1234 ≈ 1500", "(√3 + 1)^2 = 5 + 2√3", "\\sin 30° = 1/3", "61 seats minus 8 seats equals 54"),
]
UNKNOWN = [
    # equations, which may hold or not
    *("x = 5", "2x + 3 = 7", "x + y = 10", "y = 2x + 3 = 3x + 2", "2(x + 3) = 5x", "a² + b² = c²"),
    # what has no one reading
    *("1 hour + 30 minutes = 90 minutes", "4 × 25 cents = $1", "12.75 = 12*100 + 75", "1/2x = 3"),
    # chains written as they are spoken, and steps of a longer computation
    *("4 + 8 = 12 + 1", "40 * (200 + 30 + 5) = 40 * 200", "50/8 = 6*8 + 2", "6 * 7 - 4 * 5 = 20"),
    *("33.33 * 3 = 100", "0.7314 / 0.0826 ≈ 8.84", "62 + 82 = 100", "2^10 = 10000000000"),
    # too large
    *("9^9^9 = 3", "9**9**9 = 3", "(9^9)^(9^9) = 3", "2^100000 = 4", "100000! = 7", "1/0 = 1"),
]


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        *((text, "holds") for text in HOLDS),
        *((text, "fails") for text in FAILS),
        *((text, "unknown") for text in UNKNOWN),
    ],
)
def test_check(text: str, truth: grounding.Truth) -> None:
    found = find(text)
    assert found, "nothing is stated"
    assert grounding.check(found[-1]) == truth


def test_a_congruence_may_be_written_as_an_equation() -> None:
    modulo = "We work mod 31. So 5³ = 32²."
    assert [grounding.check(s) for s in find(modulo)] == ["unknown"]
    assert [grounding.check(s) for s in find("So 5³ = 32².")] == ["fails"]


def test_audit_counts() -> None:
    text = "Let x = 3. Then 2 + 2 = 4 and 2 * 8 = 17.\n\nIs 3 = 4? So 9 - 4 = 5."
    found = grounding.audit(text)
    assert (found.found, found.checkable, found.holding) == (4, 3, 2)
    assert [text[s.start : s.end] for s in found.failed] == ["2 * 8 = 17"]
    assert found.share == Fraction(2, 3) or found.share == pytest.approx(2 / 3)
    assert grounding.audit("Nothing is stated here.").share is None


def test_the_slips_of_a_teacher_are_found_and_nothing_else() -> None:
    """The symbolic teacher gets additions wrong at a known rate, and writes each in one way."""
    teacher = backends.make("symbolic", "", {"slip": "0.1"})
    problems = islice(toll_roads.load("train", seed=1), 60)
    requests = [Request(id=p.id, messages=(Message("user", p.question),)) for p in problems]
    stated = wrong = 0
    for completion in teacher.complete(requests, Sampling(max_tokens=4096)):
        sums = re.findall(r"(\d+) plus (\d+) is (\d+)", completion.text)
        stated += len(sums)
        wrong += sum(int(a) + int(b) != int(c) for a, b, c in sums)
        found = grounding.audit(completion.text)
        assert found.checkable == len(sums)
        assert found.holding == sum(int(a) + int(b) == int(c) for a, b, c in sums)
    assert 0.05 * stated < wrong < 0.2 * stated


def equations(seed: int, count: int) -> Iterator[tuple[str, str, Fraction]]:
    """Make true statements: a left side, a relation, a value."""
    rng = random.Random(seed)
    for _ in range(count):
        a, b, c = (rng.randint(2, 99) for _ in range(3))
        yield from (
            (f"{a} + {b} - {c}", "=", Fraction(a + b - c)),
            (f"{a} × {b} trees", "is", Fraction(a * b)),
            (f"${a} * {b} + ${c}", "=", Fraction(a * b + c)),
            (f"{c} plus {a} times {b}", "equals", Fraction(c + a * b)),
            (f"\\frac{{{a * b}}}{{{b}}} + {c}", "=", Fraction(a + c)),
            (f"{a}% of {100 * b}", "=", Fraction(a * b)),
            (f"({a} - {b})^2", "=", Fraction((a - b) ** 2)),
        )


def test_true_equations_hold_and_with_another_digit_they_fail() -> None:
    rng = random.Random(5)
    for left, relation, value in equations(7, 60):
        text = f"So {left} {relation} {value}."
        assert [grounding.check(s) for s in find(text)] == ["holds"], text
        digits = [place for place, char in enumerate(text) if char.isdigit()]
        place = rng.choice([p for p in digits if p > text.rindex(relation)])
        other = rng.choice([d for d in "123456789" if d != text[place]])
        wrong = f"{text[:place]}{other}{text[place + 1 :]}"
        truths = [grounding.check(s) for s in find(wrong)]
        assert truths in (["fails"], ["unknown"]), wrong
    wrongs = Counter(
        grounding.check(s)
        for left, relation, value in equations(8, 60)
        for s in find(f"So {left} {relation} {value + 1}.")
    )
    assert wrongs["fails"] > 0.95 * wrongs.total()


def test_hostile_statements_are_judged() -> None:
    sides = (
        *("9^" * 30 + "9", "9!" * 30, "(" * 25 + "9" + ")" * 25, "(a+b+c+d+e+f)^60", "9^9^9"),
        *("1" * 60, "1/" * 90 + "3", "\\frac{" * 20 + "1", "gcd(" * 20 + "1" + ")" * 20, "%%%%"),
        *("¶" * 9, "§" * 9, "¤" * 9, "@" * 9, "¬" * 9, "|" * 31, "mod " * 9, "", " ", "\x00"),
        *("1.5 " * 60, "sqrt(" * 20 + "2", "\\sqrt{9}" * 30, "9" * 60 + "^" + "9" * 60, "2^0.5"),
    )
    for left in sides:
        for right in (*sides[:8], "1", "0", "1.5"):
            for relation in ("=", "≈", "<", "≡", "≠"):
                truth = grounding.check(Statement(0, 1, left, relation, right, "7"))
                assert truth in ("holds", "fails", "unknown")


def test_long_lines_are_not_read() -> None:
    assert grounding.audit("1 + 1 = 3 " * 200_000).found == 0
    assert grounding.audit("x\n" * 5 + "1 + 1 = 3 " * 20_000 + "\n2 + 2 = 5").checkable == 1


def labelled() -> list[dict[str, str | int]]:
    return [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]


def text_of(row: dict[str, str | int], shared: Path, traces: dict[str, Trace]) -> str:
    """Give the text that a label is about."""
    field = str(row["field"])
    if row["file"] == "traces/traces.jsonl":
        trace = traces[str(row["id"])]
        return trace.answer if field == "answer" or not trace.thought else trace.thought
    lines = (shared / str(row["file"])).read_text(encoding="utf-8").split("\n")
    text = json.loads(lines[int(row["id"]) - 1])[field]
    text = "\n".join(map(str, text)) if isinstance(text, list) else str(text)
    if str(row["file"]).startswith("prompts/"):
        text = re.sub(r"<<[^<>]*>>", "", text)  # GSM8K's notes for a calculator
    return text


def test_hand_labels_of_real_statements(shared: Path) -> None:
    """All that failed on real texts, and what a reader said of it."""
    traces = {t.id: t for t in shapes.read_traces(shared / "traces" / "traces.jsonl")}
    rows = labelled()
    truths: Counter[tuple[str, str]] = Counter()
    for row in rows:
        text = text_of(row, shared, traces)
        start, end = int(row["start"]), int(row["end"])
        assert hashlib.sha256(text[start:end].encode()).hexdigest()[:12] == row["hash"]
        found = [s for s in find(text) if (s.start, s.end) == (start, end)]
        truths[str(row["label"]), grounding.check(found[0]) if found else "lost"] += 1
    assert truths["error", "fails"] == sum(row["label"] == "error" for row in rows)
    assert truths["false alarm", "holds"] == 0


def test_real_traces_hold_and_corrupted_ones_do_not(shared: Path) -> None:
    traces = [t for t in shapes.read_traces(shared / "traces" / "traces.jsonl") if t.thought][::25]
    shares = []
    for fraction in (0, 0.2, 0.5, 1):
        change = perturbations.make("digits", fraction=fraction, seed=0)
        audits = [grounding.audit(change(trace).thought) for trace in traces]
        checkable = sum(a.checkable for a in audits)
        shares.append(sum(a.holding for a in audits) / checkable)
    assert shares[0] > 0.98
    assert shares[1] < 0.45
    assert shares[2] < 0.15
    assert shares[3] < 0.05
