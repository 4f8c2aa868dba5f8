"""skythought/verifiers/choice.py: how models name a choice, and how they seem to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skythought import tasks, verifiers
from skythought.core.records import Problem
from skythought.tasks import benchmarks
from skythought.verifiers import choice, choice_text

TREES = ["oak", "fir", "silver fir", "none of these"]
CHECK = verifiers.get("choice").check


def problem(answer: str = "B", choices: list[str] | None = None, question: str = "?") -> Problem:
    extra: dict[str, Any] = {} if choices == [] else {"choices": choices or TREES}
    return Problem(id="p", task="t", question=question, answer=answer, extra=extra)


@pytest.mark.parametrize(
    ("answer", "outcome", "rule"),
    [
        ("\\boxed{B}", "correct", "boxed; letter"),
        ("\\boxed{\\text{B}}", "correct", "boxed; letter"),
        ("\\boxed{\\textbf{(B) } fir}", "correct", "boxed; letter"),
        ("\\boxed{\\text{fir}}", "correct", "boxed; text"),
        ("\\boxed{fir}", "correct", "boxed; text"),
        ("\\boxed{b}", "correct", "boxed; letter"),
        ("A first: \\boxed{A}. No: \\boxed{B}", "correct", "boxed; letter"),
        ("The answer is B. \\boxed{C}", "incorrect", "boxed; letter"),
        ("The answer is B. \\boxed{}", "no_answer", "boxed; empty"),
        ("The answer is B. \\boxed{42}", "incorrect", "boxed; none of the choices"),
        ("\\boxed{A, B}", "incorrect", "boxed; more than one choice"),
        ("<answer>B</answer>", "correct", "answer tag; letter"),
        ("<answer>(B) fir</answer>", "correct", "answer tag; letter"),
        ("The answer is (B).", "correct", "answer is; letter"),
        ("The answer is B", "correct", "answer is; letter"),
        ("The correct answer is **B. fir**.", "correct", "answer is; letter"),
        ("**Answer:** B", "correct", "answer is; letter"),
        ("**Answer: B**", "correct", "answer is; letter"),
        ("Answer:\n\nB", "correct", "answer is; letter"),
        ("### Final Answer\nThe correct option is $\\text{B}$", "correct", "answer is; letter"),
        ("The correct choice is option (B) fir.", "correct", "answer is; letter"),
        (
            "So the answer would be B: fir, since it keeps its needles.",
            "correct",
            "answer is; lett",
        ),
        ("The answer is fir.", "correct", "answer is; text"),
        ("The answer is silver fir.", "incorrect", "answer is; text"),
        ("The answer is the fir.", "correct", "answer is; text"),
        ("Answer: A because it is an oak.", "incorrect", "answer is; letter"),
        ("Option B is correct.", "correct", "answer is; letter"),
        ("(B) is the correct answer.", "correct", "answer is; letter"),
        ("B) fir is the best answer here.", "correct", "answer is; letter"),
        ("I would go with option B.", "correct", "answer is; letter"),
        ("So I choose (B).", "correct", "answer is; letter"),
        ("That corresponds to choice B.", "correct", "answer is; letter"),
        ("The answer is A. Wait. The answer is B.", "correct", "answer is; letter"),
        ("The answer is B, not A.", "correct", "answer is; letter"),
        ("The answer is B not A.", "correct", "answer is; letter"),
        ("The answer is not B.", "no_answer", "no choice is named"),
        ("The answer isn't B.", "no_answer", "no choice is named"),
        ("The answer cannot be B.", "no_answer", "no choice is named"),
        ("The answer is not A. The answer is B.", "correct", "answer is; letter"),
        ("The answer is B. It is not A.", "correct", "answer is; letter"),
        ("The answer is B. The answer is not A.", "correct", "answer is; letter"),
        ("A is wrong, C is wrong, D is wrong. That leaves B.", "correct", "last letter; letter"),
        ("We can rule out B.", "no_answer", "no choice is named"),
        ("Not B.", "no_answer", "no choice is named"),
        ("The answer is A or B.", "incorrect", "answer is; more than one choice"),
        ("The answer is either A or B.", "incorrect", "answer is; more than one choice"),
        ("The answer is (A) and (B).", "incorrect", "answer is; more than one choice"),
        ("It is A or B. On reflection the answer is B.", "correct", "answer is; letter"),
        ("B", "correct", "whole text; letter"),
        ("b", "correct", "whole text; letter"),
        ("(B)", "correct", "whole text; letter"),
        ("B.", "correct", "whole text; letter"),
        ("B) fir", "correct", "whole text; letter"),
        ("**B**", "correct", "whole text; letter"),
        ("Option B", "correct", "whole text; letter"),
        ("fir", "correct", "whole text; text"),
        ("Fir.", "correct", "whole text; text"),
        ("None of these", "incorrect", "whole text; text"),
        ("It keeps its needles.\n\n**B**\n\nThat is all.", "correct", "emphasis; letter"),
        ("It keeps its needles.\n\n**fir**\n\nThat is all.", "correct", "emphasis; text"),
        ("It keeps its needles.\n\nB. fir", "correct", "last line; letter"),
        ("It keeps its needles.\nIt has to be a fir.", "correct", "only choice in the last sen"),
        ("It keeps its needles.\nNo oak, so a fir.", "no_answer", "no choice is named"),
        ("Vitamin B and so on, that\nis C then", "incorrect", "last letter; letter"),
        ("A tree is a tree.\nI do not know at all.", "no_answer", "no choice is named"),
        ("The answer is E.", "no_answer", "no choice is named"),
        ("", "no_answer", "no choice is named"),
        ("\\boxed{" * 3_000, "no_answer", "no choice is named"),
        ("answer is " * 3_000, "no_answer", "no choice is named"),
        ("(" * 20_000, "no_answer", "no choice is named"),
        ("A or B or " * 2_000, "incorrect", "last letter; more than one"),
        ("We have to see to A or B\nin the end.", "incorrect", "last letter; more than one"),
        ("\udcff", "no_answer", "no choice is named"),
    ],
)
def test_answers(answer: str, outcome: str, rule: str) -> None:
    found = CHECK(problem(), answer)
    assert found.outcome == outcome, found
    assert found.rule.startswith(rule), found


@pytest.mark.parametrize(
    ("answer", "outcome", "rule"),
    [
        ("\\boxed{A} or \\boxed{B}", "incorrect", "boxed; more than one"),
        ("\\boxed{A} or maybe \\boxed{B}", "incorrect", "boxed; more than one"),
        ("$\\boxed{A}$ and $\\boxed{B}$", "incorrect", "boxed; more than one"),
        ("\\boxed{A}\n\n\\boxed{B}", "incorrect", "boxed; more than one"),
        ("\\boxed{B}\n\n\\boxed{B}", "correct", "boxed; letter"),
        ("\\boxed{B} or A", "incorrect", "boxed; more than one"),
        ("A or \\boxed{B}", "incorrect", "boxed; more than one"),
        ("not A but \\boxed{B}", "correct", "boxed; letter"),
        ("\\boxed{B}, not A", "correct", "boxed; letter"),
        ("\\boxed{B} and C is wrong", "correct", "boxed; letter"),
        ("\\boxed{A \\text{ or } B}", "incorrect", "boxed; more than one"),
        ("\\boxed{fir} or \\boxed{oak}", "incorrect", "boxed; more than one"),
        ("<answer>A</answer> or <answer>B</answer>", "incorrect", "answer tag; more than one"),
        ("<answer>B</answer> or C", "incorrect", "answer tag; more than one"),
        ("Answer: B or maybe C", "incorrect", "answer is; more than one"),
        ("Answer: B, possibly C", "incorrect", "answer is; more than one"),
        ("Answer: B (or C)", "incorrect", "answer is; more than one"),
        ("Answer: B/C", "incorrect", "answer is; more than one"),
        ("Answer: B. Or maybe C.", "incorrect", "answer is; more than one"),
        ("Answer: B\nor C", "incorrect", "answer is; more than one"),
        ("The answer is B. fir or C. silver fir", "incorrect", "answer is; more than one"),
        ("The answer is B, but it could be C.", "incorrect", "answer is; more than one"),
        ("The answer is B, but C is also possible.", "incorrect", "answer is; more than one"),
        ("The answer is B and C describes a tree.", "correct", "answer is; letter"),
        ("The answer is B, A is wrong.", "correct", "answer is; letter"),
        ("The answer is fir or oak.", "incorrect", "answer is; more than one"),
        ("Option A or option B is correct.", "incorrect", "answer is; more than one"),
        ("Not A, B is correct.", "correct", "answer is; letter"),
        ("We rule out A and C, and B is correct.", "correct", "answer is; letter"),
        ("Both A and B are correct", "incorrect", "last letter; more than one"),
        ("**A** or **B**", "incorrect", "whole text; more than one"),
        ("I think **B** or maybe **C**", "incorrect", "emphasis; more than one"),
        ("I think **B**, not **A**", "correct", "emphasis; letter"),
        ("A is wrong\nAnswer: B", "correct", "answer is; letter"),
    ],
)
def test_a_hedge_is_no_answer(answer: str, outcome: str, rule: str) -> None:
    found = CHECK(problem(), answer)
    assert found.outcome == outcome, found
    assert found.rule.startswith(rule), found


@pytest.mark.parametrize(
    ("answer", "outcome", "rule"),
    [
        ("A) false\nB) true\nC) false\nD) false", "correct", "list; letter"),
        ("A) false\nB) true\nC) true\nD) false", "no_answer", "no choice is named"),
        ("A) false\nB) false\nC) false\nD) false", "no_answer", "no choice is named"),
        ("A) oak: wrong\nB) fir: correct\nC) silver fir: wrong", "correct", "list; letter"),
        ("**A)** false\n**B)** true\n**C)** false", "correct", "list; letter"),
        ("- A: ✗\n- B: ✓\n- C: ✗", "correct", "list; letter"),
        ("A is false.\nB is true.\nC is false.", "correct", "list; letter"),
        ("A) This is true.\nB) This is true.\nC) No.", "no_answer", "no choice is named"),
        ("A) partially correct\nB) correct\nC) not true", "correct", "list; letter"),
        (
            "Option A: This is incorrect.\nOption B: It has needles, so it is correct.",
            "correct",
            "list; letter",
        ),
        ("Answer:\nA) false\nB) true\nC) false", "correct", "list; letter"),
        ("Answer:\nA) oak\nB) fir\nC) silver fir", "no_answer", "no choice is named"),
        ("A) oak\nB) fir\nC) silver fir\nD) none of these", "no_answer", "no choice is named"),
        ("A) oak\n**B) fir**\nC) silver fir\nD) none of these", "correct", "emphasis; letter"),
        ("**A) oak**\n**B) fir**\n**C) silver fir**", "no_answer", "no choice is named"),
        ("A. sheds\nB. keeps\nC. sheds\n\nB. fir", "correct", "last line; letter"),
        ("A. sheds\nB. keeps\nC. sheds\n\n**B**", "correct", "emphasis; letter"),
        ("The answer is B.\n\nA) true\nB) false\nC) true", "correct", "answer is; letter"),
        ("A) wrong\nB) keeps\nC) wrong\nSo it is a fir.", "correct", "only choice in the last"),
        ("A) wrong\nB) keeps\nC) wrong\nSo it has needles.", "no_answer", "no choice is named"),
    ],
)
def test_a_list_of_all_choices_states_none(answer: str, outcome: str, rule: str) -> None:
    """But where it calls exactly one right, that one."""
    found = CHECK(problem(), answer)
    assert found.outcome == outcome, found
    assert found.rule.startswith(rule), found


def test_a_choice_that_reads_true_is_no_judgement() -> None:
    statements = ["True, True", "False, False", "True, False", "False, True"]
    listed = "\n".join(f"{x}) {text}" for x, text in zip("ABCD", statements, strict=True))
    assert CHECK(problem("A", statements), listed).outcome == "no_answer"
    judged = listed.replace("False, True", "False, True: correct")
    assert CHECK(problem("D", statements), judged).rule == "list; letter"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        *((said, "correct") for said in ("答案是B", "答案：B", "答案为：B。", "答案选B", "选B")),
        *(
            (said, "correct")
            for said in ("故选 B", "故选Ｂ。", "应选择B项", "**答案：Ｂ**", "（Ｂ）")
        ),
        *((said, "correct") for said in ("答案是B因为它常绿", "正确答案是（B）。", "选项B正确。")),
        *((said, "correct") for said in ("不选A，选B。", "选B不选A", "A不正确，所以B是正确的。")),
        ("A. 错误\nB. 正确\nC. 错误\nD. 错误", "correct"),
        *((said, "incorrect") for said in ("答案是A或B", "答案：A、B", "选A还是选B", "答案是C")),
        *((said, "no_answer") for said in ("答案不是B", "选项B说冷杉。", "不选B", "选项B不正确")),
    ],
)
def test_chinese(answer: str, outcome: str) -> None:
    assert CHECK(problem(), answer).outcome == outcome, CHECK(problem(), answer)


def test_chinese_choices_are_read_off_the_question() -> None:
    asked = "哪种树常绿？\nA．橡树\nB．冷杉\nC、榆树"
    assert CHECK(problem(choices=[], question=asked), "答案是冷杉。").outcome == "correct"
    assert CHECK(problem(choices=[], question=asked), "答案是D。").outcome == "no_answer"


@pytest.mark.parametrize(
    "piece",
    [
        *("A or ", "A is not ", "(A) ", "not A ", "the answer is A is wrong ", "A, maybe ", "A或"),
        *("答案是", "A) false\nB) true\n", "\\boxed{A} or ", "**A** or ", "A.\n", "B ("),
    ],
)
def test_work_grows_with_the_text(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the text is about twice the characters that are looked at, not four times."""

    def work(text: str) -> int:
        seen = 0

        def counting(given: str) -> str:
            nonlocal seen
            seen += len(given)
            return flat(given)

        flat = choice_text.flat
        with monkeypatch.context() as patch:
            for module in (choice, choice_text):
                patch.setattr(module, "flat", counting)
            CHECK(problem(), text)
        return seen

    half = 9_000 // len(piece)
    assert work(piece * 2 * half) < 3 * work(piece * half)


def test_a_letter_comes_before_a_text() -> None:
    groups = ["AB", "A", "B", "O"]
    assert CHECK(problem("C", groups), "The answer is B.").outcome == "incorrect"
    assert CHECK(problem("C", groups), "The answer is C.").outcome == "correct"
    assert CHECK(problem("A", groups), "The answer is AB.").rule == "answer is; text"


def test_a_whole_text_comes_before_letters() -> None:
    listed = ["A only", "A and B", "A tree", "B. F. Skinner"]
    for letter, text in zip("ABCD", listed, strict=True):
        assert CHECK(problem(letter, listed), f"The answer is {text}.").outcome == "correct", text
    assert CHECK(problem("A", listed), "The answer is A.").outcome == "correct"
    assert CHECK(problem("B", listed), "The answer is A or B.").outcome == "incorrect"


def test_a_choice_that_denies_is_no_denial() -> None:
    scenarios = ["Wrong, Wrong", "Wrong, Not wrong", "Not wrong, Wrong", "Not wrong, Not wrong"]
    for said in ("The answer is (C) Not wrong, Wrong.", "The answer is Not wrong, Wrong."):
        assert CHECK(problem("C", scenarios), said).outcome == "correct"
    assert CHECK(problem("D", scenarios), "The answer is not D.").outcome == "no_answer"


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("The answer is 4.", "correct"),
        ("The answer is $4$ units.", "correct"),
        ("The answer is 4.5.", "incorrect"),
        ("The answer is 40.", "incorrect"),
        ("The answer is -4.", "incorrect"),
        ("\\boxed{4}", "correct"),
        ("\\boxed{4,000}", "incorrect"),
    ],
)
def test_numbers_are_whole(said: str, outcome: str) -> None:
    assert CHECK(problem("A", ["4", "4.5", "40", "4000"]), said).outcome in (
        ("correct",) if outcome == "correct" else ("incorrect", "no_answer")
    )


def test_references() -> None:
    assert CHECK(problem("fir"), "The answer is B.").outcome == "correct"
    assert CHECK(problem("(B)"), "The answer is B.").outcome == "correct"
    assert CHECK(problem("A, C"), "The answer is C and A.").outcome == "correct"
    assert CHECK(problem("A, C"), "The answer is A.").outcome == "incorrect"
    assert CHECK(problem("beech"), "The answer is B.").outcome == "error"
    assert CHECK(problem("F"), "The answer is B.").rule == "the reference is none of the choices"


def test_two_choices_of_the_same_text_are_the_same() -> None:
    assert CHECK(problem("A", ["oak", "fir", "oak"]), "The answer is C.").outcome == "correct"
    assert CHECK(problem("A", ["oak", "fir", "oak"]), "The answer is oak.").outcome != "error"


def test_choices_are_read_off_the_question() -> None:
    asked = "Which keeps its needles?\n\nA. oak\nB. fir\nC) elm"
    assert CHECK(problem(choices=[], question=asked), "The answer is fir.").outcome == "correct"
    assert CHECK(problem(choices=[], question=asked), "The answer is D.").outcome == "no_answer"
    assert CHECK(problem(choices=[], question="?"), "The answer is B.").outcome == "correct"


PHRASINGS = (
    *("{letter}", "({letter})", "{letter}.", "**{letter}**", "{letter}. {text}", "Option {letter}"),
    *("The answer is {letter}.", "The answer is ({letter}) {text}", "Answer: {letter}"),
    *("**Answer: {letter}**", "**Answer:** ({letter})", "The correct option is {letter}."),
    *("The correct answer is **{letter}. {text}**.", "So the answer is \\boxed{{{letter}}}."),
    *("\\boxed{{\\text{{{letter}}}}}", "Therefore, ({letter}) is the correct answer."),
    *("### Answer\n\n**{letter}**", "<answer>{letter}</answer>", "I would choose option {letter}."),
    *("Option {other} is wrong.\n\nThe answer is {letter}.", "Final answer: {letter}"),
    *("At first sight the answer is {other}. But the answer is {letter}.", "\n\n{letter}) {text}"),
    "The answer is not {other}. It must be {letter}.",
    "Let us see.\n{other}: no.\nThus the best choice is: {letter}",
    *("The answer is {letter}, {text}", "\\boxed{{{letter}}}, {text}", "**{letter}** - {text}"),
    "\\boxed{{{letter}}}\n\nAnd {other} fails because it does not fit.",
    "\\boxed{{{letter}}}. But {other} comes close.",
    "The correct choice is {letter} ({text}), and {other} is wrong.",
    "{other} is wrong, so it must be {letter}.",
    "I first thought {other} or {letter}. The answer is {letter}.",
    *("The answer is **{letter}**, not {other}.", "因此，选{letter}", "答案是{letter}。{text}"),
)


def test_many_phrasings_of_real_questions(shared: Path) -> None:
    """1,140 questions of MMLU in 36 phrasings each: right, and with a wrong letter."""
    path = shared / "benchmarks" / "mmlu_sample.jsonl"
    asked = [benchmarks.problem(json.loads(line), "mmlu") for line in path.open(encoding="utf-8")]
    assert {tasks.verifier_of(p) for p in asked} == {"choice"}
    misses = []
    for number, one in enumerate(asked):
        texts = one.extra["choices"]
        for letter in (one.answer, "ABCD"[("ABCD".index(one.answer) + 1 + number % 3) % 4]):
            wanted = texts["ABCD".index(letter)] == texts["ABCD".index(one.answer)]
            for phrasing in PHRASINGS:
                other = next(x for x in "ABCD" if x != letter)
                said = phrasing.format(letter=letter, other=other, text=texts["ABCD".index(letter)])
                found = CHECK(one, said)
                if (found.outcome == "correct") != wanted:
                    misses.append((one.id, said, found))
    assert not misses, (len(misses), misses[:5])


def test_texts_of_real_choices_are_told_apart(shared: Path) -> None:
    """The text of a choice alone, where no other choice reads the same."""
    path = shared / "benchmarks" / "mmlu_sample.jsonl"
    misses, n = [], 0
    for line in path.open(encoding="utf-8"):
        one = benchmarks.problem(json.loads(line), "mmlu")
        texts = one.extra["choices"]
        flat = [choice_text.words(text) for text in texts]
        for letter, text, words in zip("ABCD", texts, flat, strict=True):
            if flat.count(words) > 1 or not words or len(text.strip("().")) == 1:
                continue
            n += 1
            found = CHECK(one, f"Let us see. So the answer is {text}")
            if (found.outcome == "correct") != (letter == one.answer):
                misses.append((one.id, text, found))
    assert n > 4_300
    assert not misses, (len(misses), misses[:5])
