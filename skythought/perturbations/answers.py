r"""Replace the final answer by a wrong one, in the thought's last statement and the solution.

    thought   ... 9 plus 3 is 12. That agrees, so the toll is 12.
    answer    The toll from oak to fir is \boxed{12}.

    thought   ... 9 plus 3 is 12. That agrees, so the toll is 10.
    answer    The toll from oak to fir is \boxed{10}.

The final answer is what the last \boxed{} of the solution holds, else the last number of the
solution's last paragraph. A number becomes another one of about its size. Of an expression
(\frac{3}{4}, 6 - 5i, (1, 2)) one number does, wherever the expression stands, as 3/4 too. A letter
from A to E, as choices have, becomes another. Other answers (words, x) stay as they are, and so
does a thought that nowhere says the answer as the solution does. The other way to wrong
demonstrations is to keep traces that were graded incorrect: `skythought curate --outcome
incorrect`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec

from skythought.core import formats
from skythought.core.records import Trace

COMMA = re.compile(r",(?:\\!)?|\{,\}")  # between thousands, as people and LaTeX write it
NUMBER = re.compile(r"(?<![\d.])(?:\d{1,3}(?:(?:,(?:\\!)?|\{,\})\d{3})+|\d+)(?:\.\d+)?(?!\d)")
LIST_MARKER = re.compile(r"^[ \t]*\d+[.)](?=\s)", re.MULTILINE)
BOXED = re.compile(r"\\boxed\{")
FRACTION = re.compile(r"\\[dt]?frac\{(\w+)\}\{(\w+)\}")
ROOT = re.compile(r"\\sqrt\{(\w+)\}")
LETTER = re.compile(r"\(?([A-E])\)?|\\text\w*\{\s*\(?([A-E])\)?\s*\}")
# Before a number that is a result, not a term: `= 12`, `is $12`, `**12`.
RESULT = re.compile(r"(?:[=≈]|\bis|\*\*)(?:[\s$(*+-]|\\[$(])*$")
LOOK_BACK = 16  # characters before a number that tell whether it is a result
LONGEST = 60  # characters of an answer; longer ones are loops, not numbers
SENTENCE = re.compile(r"[^\n]*?(?:[.!?](?=\s)|\n|$)")

Place = tuple[int, int, str]  # where an answer begins and ends, and what comes there
Finder = Callable[[str], list[Place]]


def answers(trace: Trace, rng: random.Random, *, fraction: float) -> Trace:
    """Replace the final answer, with probability `fraction` (a trace has only one).

    In the thought and the solution: in the last sentence that holds it, and in every sentence with
    a box. In the solution also from where it is first a result ("= 12", "is 12", "**12**") on.
    """
    old = final(trace.answer)
    if old is None or rng.random() >= fraction:
        return trace
    find = _finder(old, rng)
    places = find(trace.thought)
    thought = _replace(trace.thought, places, _statements(trace.thought, places))
    places = find(trace.answer)
    spans = [*_statements(trace.answer, places), *_from_result(trace.answer, places)]
    answer = _replace(trace.answer, places, spans)
    return msgspec.structs.replace(trace, thought=thought, answer=answer)


def final(solution: str) -> str | None:
    """Find the final answer as it is written: a number, an expression with numbers or a letter.

    None where there is no such answer.
    """
    boxed = formats.last_boxed(solution)
    if boxed is not None:
        boxed = boxed.strip()
        if not 0 < len(boxed) <= LONGEST:
            return None
        found = NUMBER.findall(boxed)
        if len(found) == 1:
            return str(found[0])
        return boxed if found or LETTER.fullmatch(boxed) else None
    last = solution.rstrip().rpartition("\n\n")[2]
    found = [number for number in NUMBER.findall(last) if len(number) <= LONGEST]
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


def _finder(old: str, rng: random.Random) -> Finder:
    """Draw a wrong answer; gives what finds the right one in a text, with what comes there."""
    if NUMBER.fullmatch(old):
        return _number_finder(old, another(old, rng))
    if letter := LETTER.fullmatch(old):
        right = letter[1] or letter[2]
        wrong = rng.choice([other for other in "ABCDE" if other != right])
        # No letter of a word, and not the article of a sentence.
        alone = re.compile(rf"(?<![A-Za-z\\]){right}(?![A-Za-z'’]| [a-z])")
        return lambda text: [(*m.span(), wrong) for m in alone.finditer(text)]
    changed = rng.choice(list(NUMBER.finditer(old)))
    new = old[: changed.start()] + another(changed[0], rng) + old[changed.end() :]
    ways = dict(zip(_ways(old), _ways(new), strict=True))
    any_way = re.compile(
        "|".join(rf"(?<![\w.]){_spaced(way)}(?![\w])" for way in sorted(ways, key=len)[::-1])
    )
    tight = {_tight(way): wrong for way, wrong in ways.items()}
    return lambda text: [(*m.span(), tight[_tight(m[0])]) for m in any_way.finditer(text)]


def _ways(expression: str) -> Iterator[str]:
    """Yield the ways an expression is written: as it is, and its fractions and roots otherwise."""
    yield expression
    for fraction in (r"\\frac{\1}{\2}", r"\\dfrac{\1}{\2}", r"\\tfrac{\1}{\2}", r"\1/\2"):
        for root in (r"\\sqrt{\1}", r"√\1", r"√(\1)", r"sqrt(\1)", r"*sqrt(\1)"):
            yield ROOT.sub(root, FRACTION.sub(fraction, expression))


def _tight(text: str) -> str:
    return "".join(text.split())


def _spaced(text: str) -> str:
    """Match a text whatever white space stands in it."""
    return r"\s*".join(re.escape(sign) for sign in _tight(text))


def _value(number: str) -> Decimal:
    return Decimal(COMMA.sub("", number))


def _number_finder(old: str, new: str) -> Finder:
    """Find a number whichever way it is written, but not as the number of a list item."""
    value = _value(old)
    whole, dot, decimals = new.partition(".")

    def written(number: str) -> str:
        """Write the new number as the old one is: thousands, and decimals where it had none."""
        comma = COMMA.search(number)
        marked = f"{int(whole):,}".replace(",", comma[0]) if comma else whole
        return marked + (dot + decimals or "".join(number.partition(".")[1:]))  # 12.00

    def find(text: str) -> list[Place]:
        markers = {i for m in LIST_MARKER.finditer(text) for i in range(*m.span())}
        found = (m for m in NUMBER.finditer(text) if m.start() not in markers)
        return [(*m.span(), written(m[0])) for m in found if _value(m[0]) == value]

    return find


def _statements(text: str, places: list[Place]) -> list[tuple[int, int]]:
    """Find the last sentence that holds the answer, and the sentences with a box."""
    spans = [m.span() for m in SENTENCE.finditer(text) if m[0]]
    last = [s for s in spans if places and s[0] <= places[-1][0] < s[1]]
    return last + [s for s in spans if BOXED.search(text, *s)]


def _from_result(text: str, places: list[Place]) -> list[tuple[int, int]]:
    """Give the text from where the answer is first the result of something, or nothing."""
    starts = (start for start, _, _ in places)
    found = (a for a in starts if RESULT.search(text[max(0, a - LOOK_BACK) : a]))
    return [(start, len(text)) for start in found][:1]


def _replace(text: str, places: list[Place], spans: list[tuple[int, int]]) -> str:
    """Write the new answer wherever the old one stands within the spans; a sign stays."""
    done: list[str] = []
    begun, ahead = 0, sorted(spans, reverse=True)
    reach = 0  # the furthest end of the spans that began
    for start, end, new in places:
        while ahead and ahead[-1][0] <= start:
            reach = max(reach, ahead.pop()[1])
        if start < reach:
            done += [text[begun:start], new]
            begun = end
    return "".join([*done, text[begun:]])
