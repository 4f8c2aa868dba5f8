r"""One of the choices of a question, as in MMLU and ARC: by its letter or by its text.

    choices ["oak", "fir"], reference "B":
    "... so the answer is (B)."      -> B, "answer is; letter"
    "\boxed{\text{fir}}"             -> B, "boxed; text"
    "It is not oak. **B**"           -> B, "emphasis; letter"
    "The answer is B, or maybe A."   -> incorrect, "answer is; more than one choice"

The first of these places that names a choice decides, at its last occurrence: a box, `<answer>`, a
sentence that says so ("the answer is", "option B is correct", "I choose B", "故选B"; one that
denies, "the answer is not B", is passed over), the whole text, emphasis, a list that calls one
choice right, how the last line begins, a text of one choice alone in the last sentence, and, as a
last resort with a name of its own, the last letter. Another letter that is offered beside it ("or",
a second box) counts too, so that a hedge is no answer.
A text that is the whole of a choice comes before letters ("A and B" may be a choice), a letter
before any other text: where choice C reads "B", the answer "B" is choice B.

The choices are in `choices` of the problem, else read off the lines of its question; where there
are none, letters from A to J count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from skythought.core import formats
from skythought.core.records import Problem
from skythought.verifiers import Finding, Verifier, choice_list
from skythought.verifiers.choice_text import (
    ANOTHER,
    ARTICLE,
    LEAD,
    LETTER,
    LETTERS,
    begins_choice,
    denied,
    denies,
    flat,
    holds,
    joined,
    known_letters,
    named,
    words,
)

TAIL_CHARS = 20_000
SHOWN_CHARS = 200
BESIDE_CHARS = 200  # around an answer, where another may be offered
PASSAGE_CHARS = 500  # of a statement, besides as many as a choice has
STATEMENTS = 200  # that are looked at, from the last on

LISTED = re.compile(
    r"^[ \t]*\(?([A-J])(?:[.):][ \t]+|[．）：、][ \t]*)(\S.*?)[ \t]*$", re.MULTILINE
)
ALONE = re.compile(r"(?<![\w'’\\^_=+/-])[(\[]?([A-J])(?![\w'’^=+/-])")
STATES = re.compile(
    r"(?:\b(?:answers?|options?|choices?|solution)(?:\s+(?:here|to (?:the|this) question))?"
    r"\s*(?:\b(?:is|are|was|would be|must be|should be|has to be|=)|:)"
    r"|(?:答案|正[确確][选選]项|正[确確]的?(?:选项|選項))\s*(?:应该?|應該?)?\s*(?:[是为為选選:]))\s*(?::\s*)?"
    + LEAD,
    re.IGNORECASE,
)
PICKS = re.compile(
    r"(?:\b(?:choose|chose|select|selected|pick|picked|go(?:ing)? with|opt for|settle on"
    r"|corresponds? to|matches|match)\s*:?\s+|[选選][择擇]?\s*:?\s*(?=[(\[]?[A-J]))" + LEAD,
    re.IGNORECASE,
)
IS_RIGHT = re.compile(
    r"(?<![\w'’])[(\[]?([A-J])[)\]]?(?:[.:)]\s*[^.\n]{0,80}?|\s?\([^\n]{0,80}?\))?"
    r"\s+(?:is|must be|has to be|would be)\s+(?:therefore |thus |clearly |indeed |definitely )?"
    r"(?:the |our )?(?:only |single )?"
    r"(?:correct|right|best|true|answer|final answer|most accurate|most appropriate)\b"
    r"|(?<![A-Za-z0-9_])[(\[]?([A-J])[)\]]?\s?(?:[选選]?[项項])?\s?[是为為]?(?:正[确確]|[对對]的)"
)
BARE = re.compile(
    r"[(\[]?[A-Ja-j][)\].:]*(?:\s*(?:,|/|&|\bor\b|\band\b)\s*[(\[]?[A-J][)\].]*)*", re.ASCII
)
PREFIX = re.compile(r"^(?:option|choice|answer|letter)\s+", re.IGNORECASE)
NOTHING = re.compile(r"^(?:not\b|none of (?:these|the above|them)\b|neither\b)", re.IGNORECASE)
BOX = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
BETWEEN = re.compile(  # two boxes that are both offered
    r"[\s.,;&/(]*(?:(?:(?:and|or)\b|或者?|和|以及)[\s,]*)?(?:(?:maybe|perhaps|possibly)\b\s*)?",
    re.IGNORECASE,
)
OR_LINE = re.compile(r"(?:or\b|或)", re.IGNORECASE)


def check(problem: Problem, answer: str) -> Finding:
    """Compare the choice that an answer names with the reference."""
    choices = _choices(problem)
    wanted = _reference(problem.answer, choices)
    if not wanted:
        return Finding("error", rule="the reference is none of the choices")
    for place, passage in _passages(answer[-TAIL_CHARS:].strip(), choices):
        found = named(passage, choices)
        if found is None:
            if place in ("boxed", "answer tag"):  # binding, whatever else is in the text
                rule = f"{place}; " + ("none of the choices" if passage else "empty")
                outcome = "incorrect" if passage else "no_answer"
                return Finding(outcome, passage[:SHOWN_CHARS], rule)  # type: ignore[arg-type]
            continue
        said = ", ".join(sorted(found.letters))
        if len(found.letters) > len(wanted):
            return Finding("incorrect", said, f"{place}; more than one choice")
        same = found.letters == wanted or _same_text(found.letters, wanted, choices)
        return Finding("correct" if same else "incorrect", said, f"{place}; {found.how}")
    return Finding("no_answer", rule="no choice is named")


def _passages(text: str, choices: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (name of the place, what stands there), the most telling place first."""
    boxed = formats.last_boxed(text)
    if boxed is not None:
        yield "boxed", _boxes(text, boxed)
    if "<answer>" in text:
        before, _, rest = text.rpartition("<answer>")
        inner, _, after = rest.partition("</answer>")
        before = before[-BESIDE_CHARS:].replace("<answer>", " ").replace("</answer>", " ")
        yield "answer tag", _with_beside(before, inner.strip(), after)
    plain = flat(text)
    listed = choice_list.entries(plain, choices)
    markers = {entry.start for entry in listed}
    yield from (("answer is", said) for said in _stated(plain, choices, markers))
    bare = PREFIX.sub("", plain)
    if _bare(bare, choices):
        yield "whole text", bare
    yield from (("emphasis", said) for said in _emphasised(text, choices, listed=bool(listed)))
    right = choice_list.judged(listed, choices)
    if len(right) == 1:
        yield "list", next(iter(right))
    lines = [line for line in plain.splitlines() if line.strip()]
    in_list = bool(listed) and plain.rfind("\n") + 1 <= listed[-1].start
    if in_list and choice_list.goes_on(listed):
        pass
    elif lines and re.match(r"\s*(?:\([A-J]\)|[A-J][.):])", lines[-1]):
        yield "last line", lines[-1].strip()
    if lines and not in_list:
        sentence = words(re.split(r"[.!?]\s", lines[-1].strip().rstrip(".!?"))[-1])
        held = [i for i, choice in enumerate(choices) if holds(sentence, words(choice))]
        if len(held) == 1 and not denies(_before(sentence, words(choices[held[0]]))):
            yield "only choice in the last sentence", LETTERS[held[0]]
    if (last := _last_letter(plain, choices, listed)) is not None:
        yield "last letter", last


def _boxes(text: str, last: str) -> str:
    """Give what the last box holds, and what is offered beside it or in boxes just before it."""
    start = text.rfind("\\boxed{")
    window = max(0, start - BESIDE_CHARS)
    begins, held = start, [last.strip()]
    for box in reversed(list(BOX.finditer(text, window, start))):
        between = flat(text[box.end() : begins])
        if not BETWEEN.fullmatch(between):
            break
        begins = box.start()
        held.insert(0, box[1].strip())
    inner = " or ".join(dict.fromkeys(held))
    after = text[start + len("\\boxed{") + len(last) + 1 :]
    return _with_beside(text[window:begins], inner, after)


def _with_beside(before: str, inner: str, after: str) -> str:
    r"""Add to a marked answer the letters that the text offers as well: "A or \boxed{B}"."""
    before, after = flat(before[-BESIDE_CHARS:]), flat(after[:BESIDE_CHARS])
    if other := joined(f"{before} ", either=True):
        inner = f"{other} or {inner}"
    another = ANOTHER.match(after)
    if another and LETTER.match(after, another.end()):
        inner += f" {after}"
    return inner


def _stated(plain: str, choices: Sequence[str], markers: set[int]) -> Iterator[str]:
    """Yield what sentences call the answer, the last first; `markers` are where lists go on."""
    found = [(m.end(), m.start()) for m in (*STATES.finditer(plain), *PICKS.finditer(plain))]
    found += [(m.start(), m.start()) for m in IS_RIGHT.finditer(plain)]
    room = PASSAGE_CHARS + max(map(len, choices), default=0)
    for begins, start in sorted(found, reverse=True)[:STATEMENTS]:
        line = plain.rfind("\n", 0, begins) + 1
        if line in markers and (begins == start or start < line):
            continue  # "A) This is true" in a list; "Answer:" and then a list of all
        passage, _, more = plain[begins : begins + room].lstrip().partition("\n")
        if OR_LINE.match(more):
            passage += " " + more.partition("\n")[0]
        before = plain[max(0, start - BESIDE_CHARS) : start]
        letter = LETTER.match(passage)
        if denies(before) or (NOTHING.match(passage) and not begins_choice(passage, choices)):
            continue
        if letter and denied(letter[1], passage, letter.end(), choices):
            continue
        if other := joined(before, either=True):
            passage = f"{other} or {passage}"  # "A or B is correct"
        yield passage.strip()


def _emphasised(text: str, choices: Sequence[str], *, listed: bool) -> Iterator[str]:
    """Yield the choices in emphasis, the last first.

    Where a list begins its lines so, it counts only if it does with one.
    """
    found: list[tuple[bool, str]] = []
    for strong in re.finditer(r"\*\*([^*\n]+)\*\*", text):
        bare = PREFIX.sub("", flat(strong[1]))
        start, end = strong.span()
        before, after = text[max(0, start - BESIDE_CHARS) : start], text[end : end + BESIDE_CHARS]
        if not _bare(bare, choices) or denies(before.replace("*", "")):
            continue
        margin = text[max(0, start - 20) : start].rpartition("\n")
        begins = listed and bool(margin[1] or start <= 20) and not margin[2].strip(" -+•*\t")
        found.append((begins, bare if begins else _with_beside(before, bare, after)))
    firsts = {bare for begins, bare in found if begins}
    yield from (bare for begins, bare in reversed(found) if not begins or len(firsts) == 1)


def _last_letter(
    plain: str, choices: Sequence[str], listed: Sequence[choice_list.Entry]
) -> str | None:
    """Find the last letter that is neither denied, a word, nor how a line of a list begins."""
    known = known_letters(choices)
    markers = {entry.start for entry in listed}
    for found in reversed(list(ALONE.finditer(plain))):
        start, end = found.span()
        if found[1] not in known or denied(found[1], plain, end, choices):
            continue
        if markers and plain.rfind("\n", 0, start) + 1 in markers:
            continue
        before = plain[max(0, start - BESIDE_CHARS) : start]
        if denies(before):
            continue
        if found[0][0] not in "([" and ARTICLE.match(plain, start):
            continue  # "A bird", "I think"
        other = joined(before, either=False)
        return f"{other} or {found[1]}" if other else found[1]
    return None


def _bare(text: str, choices: Sequence[str]) -> bool:
    """Say whether a text is letters, a letter with its choice's text, or a choice's text alone."""
    if BARE.fullmatch(text) or any(words(text) == words(choice) for choice in choices):
        return bool(text)
    letter = LETTER.match(text)
    number = LETTERS.index(letter[1]) if letter else len(choices)
    own = words(choices[number]) if number < len(choices) else ""
    return letter is not None and bool(own) and words(text[letter.end() :]) == own


def _choices(problem: Problem) -> list[str]:
    """Give the texts of the choices, from the problem's own list or the lines of its question."""
    listed = problem.extra.get("choices")
    if isinstance(listed, list) and listed and all(isinstance(c, str) for c in listed):
        return listed[: len(LETTERS)]
    lines = LISTED.findall(problem.question)
    for start in range(len(lines) - 1, -1, -1):
        tail = lines[start:]
        if [letter for letter, _ in tail] == list(LETTERS[: len(tail)]) and len(tail) > 1:
            return [text for _, text in tail]
    return []


def _reference(answer: str, choices: Sequence[str]) -> frozenset[str]:
    """Give the letters that the reference names: "B", "(B)", "A, C", or the text of a choice."""
    known = known_letters(choices)
    letters = re.findall(r"[A-J]", answer)
    listed = re.fullmatch(r"\(?[A-Ja-j]\)?[.:]?(?:\s*(?:,|and|&)\s*\(?[A-J]\)?)*", answer.strip())
    if listed:
        return frozenset(letters or [answer.strip(" ().:").upper()]) & frozenset(known)
    said = words(answer)
    same = [LETTERS[i] for i, choice in enumerate(choices) if words(choice) == said]
    if same:
        return frozenset(same[:1])
    found = named(answer, choices)
    return found.letters if found and len(found.letters) == 1 else frozenset()


def _same_text(found: frozenset[str], wanted: frozenset[str], choices: Sequence[str]) -> bool:
    """Say whether two letters stand for the same text, as some data sets have it twice."""
    if not choices or len(found) != 1 or len(wanted) != 1:
        return False
    one, other = (choices[LETTERS.index(next(iter(letters)))] for letters in (found, wanted))
    return one.strip() == other.strip()


def _before(said: str, choice: str) -> str:
    return said[: said.rfind(choice)]


CHOICE = Verifier(name="choice", version=2, check=check)
