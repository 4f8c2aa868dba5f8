"""skythought/verifiers/math.py: no text takes long before math-verify is asked."""

from __future__ import annotations

import subprocess
import sys

ADVERSARIAL = """
import itertools, resource, sys
from skythought.core.records import Problem
from skythought.verifiers import math, rules

class Nobody:
    def compare(self, expected, said, places):
        return "asked"

def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime

math.PROCESSES = Nobody()
references = ["x+\\\\sqrt{2}", "(a+b)^{9}, (a-b)^{9}", "(0,1)\\\\cup[2,3)"]
done = 0
for unit, other in itertools.product(sys.argv[1].split("\x1f"), ["", "1"]):
    for length in (490, 1990):
        text = (unit + other) * (length // len(unit + other))
        for answer in (f"\\\\boxed{{{text}}}", f"The answer is {text}"):
            for reference in references:
                asked = Problem(id="p", task="t", question=text, answer=reference)
                before = used()
                found = math.check(asked, answer, rules.LENIENT)
                if used() - before > 2:
                    sys.exit(f"{used() - before:.1f} s of processor time: {answer[:60]!r} {found}")
                done += 1
print(done)
"""
UNITS = (
    *("1", "x", "(", ")", "{", "}", "\\frac{1}{", "\\sqrt{", "\\sqrt[3]{", "^", "^{2}", "_", "="),
    *("<", "1<x<", "\\le ", "\\pm", "1\\pm ", "(1,2)\\cup", "\\{", "\\}", "\\text{", "x=1,"),
    *(" and ", "  ", "\\ ", "$", "%", "**", "* ", ".", "1.", "-", "/", "!", "n!", "2^{n}"),
    *("(a+b+c)", "(x+y)(x-y)", "(x+1)^{9}", "(a+b+c)^{9}+1,", "\\sqrt{x^2+1}+", "\\\\", "&"),
    *("\\sqrt{2+\\sqrt{3}},", "\\begin{pmatrix}", "\\begin{pmatrix}1\\end{pmatrix}", "A", "(A)"),
    *("12:00 ", "5 pm ", "May 5, ", "°", "²", "½", "√", "√2", "sqrt(", "\\sin ", "a b ", "cm "),
    *("per ", "the answer is ", "**Answer:** ", "#### 1 ", "<answer>", "\\boxed{1},", "\\boxed{"),
    *("\\boxed{1} and ", "than 1 ", "\n", "\u200b", "\uff11", "−", "答案是", "x_1", "\\left("),
    *("|", "\\lfloor", "\\mathbf{1 2}", "1 000 ", "1000003*", "3^{99}*", "\\text{ and }"),
    *(
        "A or ",
        "(A), ",
        "A not ",
        "5 m/s",
        "5 m/",
        " per s",
        "cm^2 ",
        "5 °C ",
        "|x|<1,",
        "|",
        "]0,1[",
    ),
    *(
        "]1;2[\\cup",
        "0.(3)",
        "60th ",
        "^{th}",
        "twenty ",
        "hundredand",
        "–",
        "5万",
        "个",
        "[[1,2],",
    ),
    *("x=1,y=2,", "x_1=2,", "\\boxed{answer} ", "\\boxed{}", "<answer></answer>", "answer: ...\n"),
)


def test_no_text_takes_long_to_be_refused() -> None:
    """The rules before math-verify, on repetitions of everything they look for."""
    done = subprocess.run(
        [sys.executable, "-c", ADVERSARIAL, "\x1f".join(UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) == len(UNITS) * 2 * 2 * 2 * 3
