"""skythought/curating/contamination.py: what answers a benchmark is found, with what shows it."""

from __future__ import annotations

import importlib
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from skythought import cli, curate
from skythought.core import jsonl, shapes, store
from skythought.core.errors import UserError
from skythought.core.records import Example, Message, Problem, Trace
from skythought.curating import question_of, response_of
from skythought.curating.contamination import Benchmarks, Found, Hit
from skythought.tasks import benchmarks

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))  # last: names in tests go first

QUESTIONS = {
    "bakery": "Clara's bakery sells 45 croissants every morning and 3 dozen baguettes in the "
    "afternoon. A croissant costs $2 and a baguette costs $3. If Clara keeps a fifth of the money "
    "for flour, how much is left for the week after 6 days?",
    "roots": r"Let $r$ and $s$ be the roots of $x^2 - 7x + 11 = 0.$ Compute $\frac{1}{r} + "
    r"\frac{1}{s}$ without finding either root, and express your answer as a common fraction.",
    "tower": "A lighthouse keeper climbs 144 spiral stairs, resting for 2 minutes on each landing. "
    "There is a landing after every 18 stairs, and he needs 3 seconds for a stair. How many "
    "minutes does the climb take him?",
    "sine": r"Compute $\sin 240^\circ$.",
    "tanks": "Two water tanks hold 500 liters and 320 liters. A pump moves 12 liters per minute "
    "from the larger tank into the smaller one. After how many minutes do both hold the same?",
    "count": "How many positive integers less than 1000 are divisible by neither 6 nor 15?",
}


def problem(key: str, question: str, **extra: Any) -> Problem:
    return Problem(id=key, task="file:own", question=question, answer="1", extra=extra)


@pytest.fixture(scope="module")
def index() -> Benchmarks:
    return Benchmarks([("own", problem(key, text)) for key, text in QUESTIONS.items()])


def key_of(hit: Hit | None) -> str | None:
    return hit.problem_id if hit else None


@pytest.mark.parametrize("key", QUESTIONS)
def test_a_question_word_for_word(key: str, index: Benchmarks) -> None:
    hit = index.hit(QUESTIONS[key])
    assert hit is not None
    assert (hit.benchmark, hit.problem_id, hit.rule, hit.where) == ("own", key, "copy", "question")
    assert hit.score == 1
    assert QUESTIONS[key].startswith(hit.row_text[:30])
    assert hit.benchmark_text == QUESTIONS[key][:400]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (
            "roots",
            QUESTIONS["roots"]
            .replace("$r$ and $s$", "r AND s")
            .replace("$x^2 - 7x + 11 = 0.$", "\\(x^{2}-7x+11=0\\).")
            .replace(r"$\frac{1}{r} + \frac{1}{s}$", "1/r+1/s"),
        ),
        ("bakery", QUESTIONS["bakery"].replace("$", "").replace(" ", "\n").upper()),
        ("tower", "Solve this problem.\n\n" + QUESTIONS["tower"] + "\n\nThink step by step."),
        ("tower", QUESTIONS["tower"].removesuffix("How many minutes does the climb take him?")),
        ("sine", "Please solve: Compute sin 240°."),
        ("sine", "Compute $\\sin 240^{\\circ}$\nPut the answer in a box."),
        ("count", "How many positive integers less than 1,000 are divisible by neither 6 nor 15"),
    ],
)
def test_other_marks_cases_and_surroundings(key: str, text: str, index: Benchmarks) -> None:
    hit = index.hit(text)
    assert hit is not None
    assert (hit.problem_id, hit.rule) == (key, "copy")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello!",
        "How many positive integers are there?",
        "Compute $\\sin 240^\\circ + \\cos 15^\\circ$.",
        "First compute $\\sin 240^\\circ$ and then the area of the triangle with this angle.",
        "Find all roots of $x^2 - 5x + 6 = 0$. Express your answer as a common fraction.",
        "Two trains leave at noon. After how many minutes do both hold their breath?",
        "Let $m$ and $n$ be relatively prime positive integers. Find $m + n$.",
        "Bob's bakery is closed. How much is left?",
    ],
)
def test_what_is_no_copy(text: str, index: Benchmarks) -> None:
    assert index.hit(text) is None
    assert index.hit("", text) is None


def test_phrases_of_the_trade_make_no_hit() -> None:
    end = "can be written as $\\frac{m}{n}$ where $m$ and $n$ are relatively prime positive "
    end += "integers. Find $m+n$."
    first = f"The probability that a frog reaches the pond {end}"
    index = Benchmarks([("own", problem("frog", first))])
    assert key_of(index.hit(first)) == "frog"
    assert index.hit(f"The area shared by three circles {end}") is None


RENAMED = {
    "bakery": "Hugo's bakery sells 70 croissants every morning and 5 dozen baguettes in the "
    "afternoon. A croissant costs $4 and a baguette costs $1. If Hugo keeps a fifth of the money "
    "for flour, how much is left for the month after 9 days?",
    "tower": "A lighthouse keeper climbs 90 spiral stairs, resting for 5 seconds on each landing. "
    "There is a landing after every 15 stairs, and he needs 2 seconds for a stair. How many "
    "seconds does the climb take him?",
    "tanks": "Two water tanks hold 80 gallons and 46 gallons. A pump moves 2 gallons per hour "
    "from the larger tank into the smaller one. After how many hours do both hold the same?",
}


@pytest.mark.parametrize("key", RENAMED)
def test_other_numbers_names_and_units(key: str, index: Benchmarks) -> None:
    hit = index.hit(RENAMED[key])
    assert hit is not None
    assert (hit.problem_id, hit.where) == (key, "question")
    assert hit.score > 0.6
    rows = [("own", problem(name, text)) for name, text in QUESTIONS.items()]
    found = Benchmarks(rows, near=None).hit(RENAMED[key])
    assert found is None or found.rule == "copy"


def test_another_story_with_the_same_numbers_is_none(index: Benchmarks) -> None:
    assert (
        index.hit(
            "A school orders 45 chairs and 3 dozen desks. A chair weighs 2 kilograms and a desk 3. "
            "How heavy is the truck after 6 trips?"
        )
        is None
    )


RESTATED = (
    "Okay, so the lighthouse keeper climbs 144 stairs, and they are spiral stairs. He's resting "
    "for 2 minutes on each landing, and there is a landing after every 18 stairs. That makes 8 "
    "landings. And he needs 3 seconds for a stair, so 432 seconds of climbing."
)


def test_a_response_that_says_the_problem_again(index: Benchmarks) -> None:
    hit = index.hit("", RESTATED)
    assert hit is not None
    assert (hit.problem_id, hit.rule, hit.where) == ("tower", "restated", "response")
    assert "landing after every 18 stairs" in hit.row_text
    assert index.hit("A riddle", "Hm. " * 20 + QUESTIONS["tanks"]) is not None
    deaf = Benchmarks([("own", problem("tower", QUESTIONS["tower"]))], restated=None)
    assert deaf.hit("", RESTATED) is None
    other = (
        "Okay, a keeper of bees needs 3 minutes for a hive and rests on each bench. So, 8 hives."
    )
    assert index.hit("", other) is None


def test_choices_are_no_part_of_a_question() -> None:
    question = "Which gas do plants take from the air while light falls on their leaves?"
    row = problem("leaf", f"{question}\n\nA. Oxygen\nB. Carbon dioxide", choices=["Oxygen", "CO2"])
    assert key_of(Benchmarks([("own", row)]).hit(question)) == "leaf"


def test_the_question_is_what_the_user_said() -> None:
    turns = (Message("system", "Be brief."), Message("user", "Why?"), Message("assistant", "Hm."))
    row = Trace(id="a", problem_id="a", model="m", messages=turns, thought="", answer="So.")
    assert (question_of(row), response_of(row)) == ("Why?", "So.")


def test_no_problems_no_hits() -> None:
    assert Benchmarks([]).hit("Compute something.", "I compute.") is None
    assert Benchmarks([("own", problem("e", "?"))]).hit("?", "?") is None


@pytest.mark.parametrize(
    "text", ["[asy]" * 20_000, "9" * 200_000, "x " * 100_000, "$\\frac" * 9999]
)
def test_hostile_rows(text: str, index: Benchmarks) -> None:
    assert index.hit(text, text) is None


def letters(texts: Sequence[str]) -> NDArray[np.float32]:
    """Encode texts by their letters."""
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    rows = [[text.lower().count(letter) for letter in alphabet] for text in texts]
    return np.array(rows, dtype=np.float32).reshape(len(texts), 26)


def test_an_encoder_finds_what_rules_do_not() -> None:
    rows = [("own", problem(key, text)) for key, text in QUESTIONS.items()]
    mixed = " ".join(sorted(QUESTIONS["bakery"].split()))
    assert Benchmarks(rows).hit(mixed) is None
    hit = Benchmarks(rows, encode=letters, cosine=0.99).hit(mixed)
    assert hit is not None
    assert (hit.problem_id, hit.rule, hit.score) == ("bakery", "embedding", 1.0)
    assert Benchmarks(rows, encode=letters, cosine=0.99).hit("zzz") is None


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_curate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "held-out").mkdir()
    own = [{"id": key, "problem": text} for key, text in QUESTIONS.items()]
    write(tmp_path / "held-out" / "own.jsonl", *own)
    rows = [
        {"id": "a", "problem": QUESTIONS["tanks"], "response": "15"},
        {"id": "b", "problem": "How many legs have two hens?", "response": "4"},
        {"id": "c", "problem": "Climbing", "response": RESTATED},
    ]
    source, out = write(tmp_path / "mine.jsonl", *rows), tmp_path / "out.jsonl"
    command = ["curate", str(source), "--out", str(out), "--outcome", "any"]
    command += ["--decontaminate", str(tmp_path / "held-out")]
    assert cli.main(command) == 0
    assert "kept 1; left out: 2 answers benchmark own" in capsys.readouterr().err
    assert [example.trace_id for example in store.read(out, Example)] == ["b"]
    evidence = store.read(tmp_path / "out.jsonl.contamination.jsonl", Found)
    assert [(found.trace_id, found.hit.rule) for found in evidence] == [
        ("a", "copy"),
        ("c", "restated"),
    ]
    dropped = [row for _, row in jsonl.read_rows(tmp_path / "out.jsonl.dropped.jsonl")]
    assert dropped[0] == {
        **{"trace_id": "a", "reason": "answers benchmark own/tanks"},
        **{"rule": "copy", "where": "question", "score": 1.0},
    }
    card = (tmp_path / "out.jsonl.card.md").read_text()
    assert "| answers benchmark own | 2 |" in card
    assert "| decontaminate | held-out |" in card
    assert cli.main(command) == 0
    assert "made already" in capsys.readouterr().err
    write(tmp_path / "held-out" / "own.jsonl", *own[1:])  # other problems, another result
    assert cli.main(command) == 2
    assert shapes.files(tmp_path) == [source, out]


def test_what_benchmarks_are(tmp_path: Path) -> None:
    row = {"id": "1", "problem": "1 + 1?"}
    one = write(tmp_path / "one.jsonl", row)
    write(tmp_path / "two.jsonl", row, {"problem": "2 + 2?", "answer": "4"})
    found = list(benchmarks.collect([str(one), str(tmp_path)]))
    assert [(name, p.question) for name, p in found] == [
        ("one", "1 + 1?"),
        ("one", "1 + 1?"),
        ("two", "1 + 1?"),
        ("two", "2 + 2?"),
    ]
    empty = tmp_path / "empty"
    empty.mkdir()
    for name, said in (
        (str(empty), "holds no problems"),
        (str(tmp_path / "none.jsonl"), "no such file"),
        ("math5", "did you mean 'math500'"),
        ("toll_roads", "without end; give a file"),
    ):
        with pytest.raises(UserError, match=said):
            list(benchmarks.collect([name]))


def test_an_encoder_needs_benchmarks(tmp_path: Path) -> None:
    config = curate.Config(
        runs=(tmp_path,), out=tmp_path / "o", decontaminate_encoder="http://127.0.0.1:1#m"
    )
    with pytest.raises(UserError, match="give --decontaminate PATH"):
        curate.run(config)


@pytest.fixture(scope="module")
def real(shared: Path) -> Benchmarks:
    return Benchmarks(benchmarks.collect([str(shared / "benchmarks")]))


def test_real_traces(real: Benchmarks, shared: Path) -> None:
    rows = [row for _, row in jsonl.read_rows(shared / "traces" / "traces.jsonl")]
    answers = [row for row in rows if row.get("benchmark_id")]
    assert len(answers) == 1363
    assert all(key_of(real.hit(row["problem"])) == row["benchmark_id"] for row in answers)
    hits = [real.hit("", response_of(shapes.trace(row))) for row in answers]
    assert sum(hit is not None for hit in hits) >= 0.95 * len(answers)
    pairs = [(hit, row) for hit, row in zip(hits, answers, strict=True) if hit]
    named = sum(hit.problem_id == row["benchmark_id"] for hit, row in pairs)
    assert named >= 0.99 * len(pairs)


def test_real_prompts(real: Benchmarks, shared: Path) -> None:
    rows = [row for _, row in jsonl.read_rows(shared / "prompts" / "train_prompts.jsonl")]
    hits = {row["id"]: real.hit(row["problem"]) for row in rows}
    for key in importlib.import_module("contamination").WORD_FOR_WORD:
        hit = hits[key]
        assert hit is not None
        assert (hit.benchmark, hit.rule) == ("math500", "copy")
        assert hit.score > 0.9
    assert sum(hit is not None for hit in hits.values()) <= 0.025 * len(rows)


def test_real_problems_renamed(real: Benchmarks, shared: Path) -> None:
    renaming = importlib.import_module("renaming")
    known = list(benchmarks.collect([str(shared / "benchmarks" / "gsm8k_test.jsonl")]))[::10]
    strength = renaming.STRENGTHS["numbers, names, units"]
    made = [
        (problem.id, renaming.rename(problem.question, random.Random(n), strength))
        for n, (_, problem) in enumerate(known)
    ]
    found = [key_of(real.hit(text)) == key for key, text in made]
    assert sum(found) >= 0.95 * len(made)
