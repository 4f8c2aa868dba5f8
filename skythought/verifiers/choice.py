r"""One of the choices of a question, as in MMLU and ARC: by its letter or by its text.

    choices ["oak", "fir"], reference "B":
    "... so the answer is (B)."      -> B, "answer is; letter"
    "\boxed{\text{fir}}"             -> B, "boxed; text"
    "It is not oak. **B**"           -> B, "emphasis; letter"
    "The answer is A or B."          -> incorrect, "answer is; more than one choice"

The first of these places that names a choice decides, at its last occurrence: a box, `<answer>`, a
sentence that says so ("the answer is", "option B is correct", "I choose B"; one that denies, "the
answer is not B", is passed over), the whole text, emphasis, how the last line begins, a text of one
choice alone in the last sentence, and, as a last resort with a name of its own, the last letter.
A text that is the whole of a choice comes before letters ("A and B" may be a choice), a letter
before any other text: where choice C reads "B", the answer "B" is choice B.

The choices are in `choices` of the problem, else read off the lines of its question; where there
are none, letters from A to J count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from skythought import formats
from skythought.records import Problem
from skythought.verifiers import Finding, Verifier

LETTERS = "ABCDEFGHIJ"
TAIL_CHARS = 20_000
SHOWN_CHARS = 200

LISTED = re.compile(r"^[ \t]*\(?([A-J])[.):][ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
TEXT = re.compile(r"\\(?:text|textbf|mathbf|mathrm|mathsf|textit|operatorname)\s*\{([^{}]*)\}")
NOISE = re.compile(r"\\[()\[\],;! ]|[$*_`\"“”]|\\(?:left|right|quad)(?![a-zA-Z])")
# A letter as it stands before the end, a bracket, a stop or a blank: "B", "(B)", "[B]", "B.", "B:".
LETTER = re.compile(r"[(\[]?([A-J])(?:[)\]]|(?![\w'’^=+/]))")
ALONE = re.compile(r"(?<![\w'’\\^_=+/-])[(\[]?([A-J])(?![\w'’^=+/-])")
ARTICLE = re.compile(  # "A bird": no letter; "A because", "A or B": a letter
    r"A (?!(?:is|and|or|because|since|as|which|that|with|for|from|due|given|in|on|at|by|but|if|so"
    r"|here|not|nor|rather|would|seems|matches|fits)\b)[a-z]"
)
ANOTHER = re.compile(r"[)\].:]*\s*(?:,|/|&|\bor\b|\band\b)\s*(?:\(?(?:option|choice)\s+)?")
JOINED = re.compile(
    r"(?<![\w'’])[(\[]?([A-J])[)\].:]*\s*(?:,|/|&|\bor\b|\band\b)\s*(?:(?:option|choice)\s+)?$"
)
LEAD = r"(?:(?:option|choice|letter|answer|the|most likely|likely|clearly|definitely|indeed|simply"
LEAD += r"|therefore|thus|probably|actually|both|either|statement)\s+)*"
STATES = re.compile(
    r"\b(?:answers?|options?|choices?|solution)(?:\s+(?:here|to (?:the|this) question))?"
    r"\s*(?:\b(?:is|are|was|would be|must be|should be|has to be|=)|:)\s*(?::\s*)?" + LEAD,
    re.IGNORECASE,
)
PICKS = re.compile(
    r"\b(?:choose|chose|select|selected|pick|picked|go(?:ing)? with|opt for|settle on"
    r"|corresponds? to|matches|match)\s*:?\s+" + LEAD,
    re.IGNORECASE,
)
IS_RIGHT = re.compile(
    r"(?<![\w'’])[(\[]?([A-J])[)\]]?(?:[.:)]\s*[^.\n]{0,80}?)?\s+(?:is|must be|has to be|would be)"
    r"\s+(?:therefore |thus |clearly |indeed |definitely )?(?:the |our )?(?:only |single )?"
    r"(?:correct|right|best|true|answer|final answer|most accurate|most appropriate)\b"
)
DENIES = re.compile(
    r"(?:\b(?:not|never|neither|cannot|hardly|wrong|incorrect|false|ruled? out|eliminated?"
    r"|excluded?|reject(?:ed)?|discard(?:ed)?|unlike|than|except|excluding)\b|n['’]t\b)[\s\w]{0,12}$",
    re.IGNORECASE,
)
DENIED = re.compile(
    r"^[)\].:]*\s*(?:[-–]\s*)?(?:(?:is|are|was|can be|seems?|looks?)\s+(?:\w+ly |also )?"
    r"(?:not\b|incorrect|wrong|false|ruled out|eliminated|excluded|out\b)|isn['’]t\b"
    r"|(?:incorrect|wrong|false|eliminated|ruled out)\b)",
    re.IGNORECASE,
)
BARE = re.compile(
    r"[(\[]?[A-Ja-j][)\].:]*(?:\s*(?:,|/|&|\bor\b|\band\b)\s*[(\[]?[A-J][)\].]*)*", re.ASCII
)
PREFIX = re.compile(r"^(?:option|choice|answer|letter)\s+", re.IGNORECASE)
NOTHING = re.compile(r"^(?:not\b|none of (?:these|the above|them)\b|neither\b)", re.IGNORECASE)


class Choice(NamedTuple):
    """What a passage names: the letters of choices, and whether by letter or by text."""

    letters: frozenset[str]
    how: str


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


def named(passage: str, choices: Sequence[str]) -> Choice | None:
    """Say which choice a passage begins with, by letter or by text; None where with none."""
    known = LETTERS[: len(choices)] or LETTERS
    text = _flat(passage)
    said = _words(text)
    if len(said) > 1:
        whole = [LETTERS[i] for i, choice in enumerate(choices) if said in _forms(choice)]
        if whole:
            return Choice(frozenset(whole[:1]), "text")
    found: set[str] = set()
    rest = text
    while (letter := LETTER.match(rest)) and letter[1] in known:
        if not found and ARTICLE.match(rest):
            break
        found.add(letter[1])
        another = ANOTHER.match(rest, letter.end())
        if another is None:
            break
        rest = rest[another.end() :]
    if found:
        return Choice(frozenset(found), "letter")
    if re.fullmatch(r"\(?[a-j][).]?", text) and text.strip("().").upper() in known:
        return Choice(frozenset(text.strip("().").upper()), "letter")
    texts = [(LETTERS[i], part) for i, choice in enumerate(choices) for part in _forms(choice)]
    fits = [(len(part), letter) for letter, part in texts if _begins(said, part)]
    if not fits:
        return None
    return Choice(frozenset({max(fits, key=lambda fit: fit[0])[1]}), "text")


def _passages(text: str, choices: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (name of the place, what stands there), the most telling place first."""
    boxed = formats.last_boxed(text)
    if boxed is not None:
        yield "boxed", boxed.strip()
    if "<answer>" in text:
        yield "answer tag", text.rpartition("<answer>")[2].partition("</answer>")[0].strip()
    flat = _flat(text)
    stated = [(m.end(), m.start()) for m in (*STATES.finditer(flat), *PICKS.finditer(flat))]
    stated += [(m.start(), m.start()) for m in IS_RIGHT.finditer(flat)]
    for begins, start in sorted(stated, reverse=True):
        passage = flat[begins:].partition("\n")[0].strip()
        if not passage:  # "Answer:" on a line of its own
            passage = flat[begins:].strip().partition("\n")[0].strip()
        denied = DENIES.search(flat[max(0, start - 30) : start].rpartition(".")[2])
        letter = LETTER.match(passage)
        if denied or (NOTHING.match(passage) and not _begins_choice(passage, choices)):
            continue
        if letter and _denied(letter[1], passage[letter.end() :], choices):
            continue
        yield "answer is", passage
    bare = PREFIX.sub("", flat)
    if _bare(bare, choices):
        yield "whole text", bare
    for strong in reversed(re.findall(r"\*\*([^*\n]+)\*\*", text)):
        bare = PREFIX.sub("", _flat(strong))
        if _bare(bare, choices):
            yield "emphasis", bare
    lines = [line for line in flat.splitlines() if line.strip()]
    if lines and re.match(r"\s*(?:\([A-J]\)|[A-J][.):])", lines[-1]):
        yield "last line", lines[-1].strip()
    if lines:
        sentence = _words(re.split(r"[.!?]\s", lines[-1].strip().rstrip(".!?"))[-1])
        held = [i for i, choice in enumerate(choices) if _holds(sentence, _words(choice))]
        if len(held) == 1 and not DENIES.search(_before(sentence, _words(choices[held[0]]))):
            yield "only choice in the last sentence", LETTERS[held[0]]
    if (last := _last_letter(flat, choices)) is not None:
        yield "last letter", last


def _last_letter(flat: str, choices: Sequence[str]) -> str | None:
    known = LETTERS[: len(choices)] or LETTERS
    for found in reversed(list(ALONE.finditer(flat))):
        after = flat[found.end() :]
        bracketed = found[0][0] in "(["
        if found[1] not in known or _denied(found[1], after, choices):
            continue
        if DENIES.search(flat[max(0, found.start() - 30) : found.start()].rpartition(".")[2]):
            continue
        if found[1] in "AI" and not bracketed and re.match(r"\s+[a-z]", after):
            continue  # "A bird", "I think"
        before = JOINED.search(flat[max(0, found.start() - 30) : found.start()])
        return f"{before[1]} or {found[1]}" if before else found[1]
    return None


def _bare(text: str, choices: Sequence[str]) -> bool:
    """Say whether a text is letters, a letter with its choice's text, or a choice's text alone."""
    if BARE.fullmatch(text) or any(_words(text) == _words(choice) for choice in choices):
        return bool(text)
    letter = LETTER.match(text)
    number = LETTERS.index(letter[1]) if letter else len(choices)
    own = _words(choices[number]) if number < len(choices) else ""
    return letter is not None and bool(own) and _words(text[letter.end() :]) == own


def _denied(letter: str, after: str, choices: Sequence[str]) -> bool:
    """Say whether what follows a letter denies it; the choice's own text does not: "B) Wrong"."""
    number = LETTERS.index(letter)
    own = number < len(choices) and _begins(_words(after), _words(choices[number]))
    return bool(DENIED.match(after)) and not own


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
    known = LETTERS[: len(choices)] or LETTERS
    letters = re.findall(r"[A-J]", answer)
    listed = re.fullmatch(r"\(?[A-Ja-j]\)?[.:]?(?:\s*(?:,|and|&)\s*\(?[A-J]\)?)*", answer.strip())
    if listed:
        return frozenset(letters or [answer.strip(" ().:").upper()]) & frozenset(known)
    words = _words(_flat(answer))
    same = [LETTERS[i] for i, choice in enumerate(choices) if _words(choice) == words]
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


def _begins_choice(passage: str, choices: Sequence[str]) -> bool:
    return any(_begins(_words(passage), _words(choice)) for choice in choices)


def _flat(text: str) -> str:
    """Take emphasis, quotes and LaTeX around words away."""
    previous = ""
    while text != previous:
        previous, text = text, TEXT.sub(r"\1", text)
    return re.sub(r"[ \t]+", " ", NOISE.sub("", text)).strip()


def _words(text: str) -> str:
    """Write a text so that only its letters, digits and signs that change a value remain."""
    text = _flat(text).casefold().replace("−", "-")
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"[^\w.%+\-*/^=<>°\\{}|']+", " ", text)
    return re.sub(r"\.(?!\d)", " ", text).strip()


def _forms(choice: str) -> tuple[str, ...]:
    """Give the words of a choice, as they are and without those that `LEAD` passes over."""
    words = _words(choice)
    short = re.sub(f"^{LEAD}", "", words)
    return (words, short) if len(short) > 1 else (words,)


def _begins(said: str, choice: str) -> bool:
    return bool(choice) and said.startswith(choice) and _edge(said, len(choice))


def _holds(said: str, choice: str) -> bool:
    return bool(choice) and any(
        _edge(said, m.end()) and (m.start() == 0 or said[m.start() - 1] == " ")
        for m in re.finditer(re.escape(choice), said)
    )


def _before(said: str, choice: str) -> str:
    return said[: said.rfind(choice)]


def _edge(said: str, at: int) -> bool:
    """Say whether a word ends there."""
    return at >= len(said) or said[at] == " "


CHOICE = Verifier(name="choice", version=1, check=check)
