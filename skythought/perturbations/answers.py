r"""Replace the final answer by a wrong one, in the thought's last statement and the solution.

    thought   ... 9 plus 3 is 12. That agrees, so the toll is 12.
    answer    The toll from oak to fir is \boxed{12}.

    thought   ... 9 plus 3 is 12. That agrees, so the toll is 10.
    answer    The toll from oak to fir is \boxed{10}.

The final answer is what the last \boxed{} of the solution holds, else the solution's last number.
It must hold exactly one number; traces with other answers (letters, tuples, fractions) stay as they
are. The other way to wrong demonstrations is to keep traces that were graded incorrect:
`skythought curate --outcome incorrect`.
"""

from __future__ import annotations

import random
import re
from decimal import Decimal

import msgspec

from skythought import formats
from skythought.records import Trace

COMMA = re.compile(r",(?:\\!)?|\{,\}")  # between thousands, as people and LaTeX write it
NUMBER = re.compile(r"(?<![\d.])(?:\d{1,3}(?:(?:,(?:\\!)?|\{,\})\d{3})+|\d+)(?:\.\d+)?(?!\d)")
LIST_MARKER = re.compile(r"^[ \t]*\d+[.)](?=\s)", re.MULTILINE)
BOXED = re.compile(r"\\boxed\{")
# Before a number that is a result, not a term: `= 12`, `is $12`, `**12`.
RESULT = re.compile(r"(?:[=≈]|\bis|\*\*)(?:[\s$(*+-]|\\[$(])*$")
LOOK_BACK = 16  # characters before a number that tell whether it is a result
LONGEST = 60  # characters of an answer; longer ones are loops, not numbers
SENTENCE = re.compile(r"[^\n]*?(?:[.!?](?=\s)|\n|$)")


def answers(trace: Trace, rng: random.Random, *, fraction: float) -> Trace:
    """Replace the final answer, with probability `fraction` (a trace has only one).

    In the thought and the solution: in the last sentence that holds it, and in every sentence with
    a box. In the solution also from where it is first a result ("= 12", "is 12", "**12**") on.
    """
    old = final(trace.answer)
    if old is None or rng.random() >= fraction:
        return trace
    new = another(old, rng)
    thought = _replace(trace.thought, old, new, _statements(trace.thought, old))
    spans = [*_statements(trace.answer, old), *_from_result(trace.answer, old)]
    answer = _replace(trace.answer, old, new, spans)
    return msgspec.structs.replace(trace, thought=thought, answer=answer)


def final(solution: str) -> str | None:
    """Find the one number of the final answer as it is written, or None."""
    boxed = formats.last_boxed(solution)
    if boxed is not None:
        found = NUMBER.findall(boxed)
        return found[0] if len(found) == 1 and len(boxed) <= LONGEST else None
    found = [number for number in NUMBER.findall(solution) if len(number) <= LONGEST]
    return found[-1] if found else None


def another(old: str, rng: random.Random) -> str:
    """Draw another number of about the same size, with as many decimals; never below 0."""
    plain = COMMA.sub("", old)
    places = len(plain.partition(".")[2])
    units = int(plain.replace(".", ""))
    shift = rng.randint(1, max(10, units // 2))
    below = shift <= units and rng.random() < 0.5
    figures = str(units - shift if below else units + shift).rjust(places + 1, "0")
    return f"{figures[:-places]}.{figures[-places:]}" if places else figures


def _value(number: str) -> Decimal:
    return Decimal(COMMA.sub("", number))


def _places(text: str, old: str) -> list[tuple[int, int]]:
    """Find where the number stands, whichever way it is written; not the numbers of list items."""
    value = _value(old)
    markers = {i for m in LIST_MARKER.finditer(text) for i in range(*m.span())}
    found = (m for m in NUMBER.finditer(text) if m.start() not in markers)
    return [m.span() for m in found if _value(m[0]) == value]


def _statements(text: str, old: str) -> list[tuple[int, int]]:
    """Find the last sentence that holds the number, and the sentences with a box."""
    places = _places(text, old)
    spans = [m.span() for m in SENTENCE.finditer(text) if m[0]]
    last = [s for s in spans if places and s[0] <= places[-1][0] < s[1]]
    return last + [s for s in spans if BOXED.search(text, *s)]


def _from_result(text: str, old: str) -> list[tuple[int, int]]:
    """Give the text from where the number is first the result of something, or nothing."""
    starts = (start for start, _ in _places(text, old))
    found = (a for a in starts if RESULT.search(text[max(0, a - LOOK_BACK) : a]))
    return [(start, len(text)) for start in found][:1]


def _replace(text: str, old: str, new: str, spans: list[tuple[int, int]]) -> str:
    """Replace the number within the spans, with thousands marked as they were; a sign stays."""
    whole, dot, decimals = new.partition(".")
    for start, end in reversed(_places(text, old)):
        if any(a <= start < b for a, b in spans):
            comma = COMMA.search(text, start, end)
            marked = f"{int(whole):,}".replace(",", comma[0]) if comma else whole
            rest = dot + decimals or "".join(text[start:end].partition(".")[1:])  # 12.00
            text = text[:start] + marked + rest + text[end:]
    return text
