r"""How choices and what names them are written: letters, plain text, words.

flat("**故选Ｂ**")               -> "故选B"
words("The $x$, and 1,000 y.")   -> "the x and 1000 y"
named("B, or maybe C", TREES)    -> Choice(frozenset("BC"), "letter")

Part of `choice`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

LETTERS = "ABCDEFGHIJ"
NESTED = 8  # levels of \text{\text{...}} that are taken off

TEXT = re.compile(
    r"\\(?:boxed|text|textbf|mathbf|mathrm|mathsf|textit|operatorname)\s*\{([^{}]*)\}"
)
NOISE = re.compile(r"\\[()\[\],;! ]|[$*_`\"“”]|\\(?:left|right|quad)(?![a-zA-Z])")
BLANKS = re.compile(r"[^\S\n]+")
LINES = re.compile(r"(?: ?\n)+ ?")
# Letters and signs as wide as a Chinese one.
WIDE = {ord("Ａ") + i: chr(ord("A") + i) for i in range(26)}
WIDE |= dict(zip(map(ord, "（）［］：．，／"), "()[]:.,/", strict=True))

# What goes on with a word or a formula is no letter of a choice; Chinese needs no blank behind it.
GOES_ON = r"(?:[^\W\u3400-\u9fff]|['’^=+/])"
# A letter as it stands before the end, a bracket, a stop or a blank: "B", "(B)", "[B]", "B.", "B:".
LETTER = re.compile(rf"[(\[]?([A-J])(?:[)\]]|(?!{GOES_ON})|(?=/\s?[A-J]\b))")
ARTICLE = re.compile(  # "A bird": no letter; "A because", "A or B": a letter
    r"A (?!(?:is|and|or|because|since|as|which|that|with|for|from|due|given|in|on|at|by|but|if|so"
    r"|here|not|nor|rather|would|seems|matches|fits|maybe|perhaps|possibly)\b)[a-z]|I [a-z]"
)
UNSURE = r"maybe|perhaps|possibly|alternatively|potentially|可能|也许"
LEADING = (  # what may stand between "or" and the other letter
    rf"(?:(?:(?i:{UNSURE}|probably|even|else|also|it|this|could|might|may|be|is|the|option|choice"
    r"|letter|answer|statement)\b|选项|選項|选|選|是)[\s,:]*)*"
)
# What joins two letters that are both offered: "A or B", "A/B", "A (or maybe B)", "A. Perhaps B".
ANOTHER = re.compile(
    r"[)\].:]*\s*[(,;.–—-]?\s*"
    rf"(?:(?P<or>/|(?i:and/or|or)\b|或者?|还是|還是)|,|&|(?i:and|but)\b|、|和|与|與|及"
    rf"|(?=(?i:{UNSURE})))[\s,(]*{LEADING}"
)
# The same before a letter.
JOINED = re.compile(
    r"(?<![A-Za-z0-9_'’])[(\[]?([A-J])[)\].:]*\s*[(,;-]?\s*"
    rf"(?:(?P<or>/|(?i:and/or|or)\b|或者?|还是|還是)|,|&|(?i:and)\b|、|和|与|與|及)"
    rf"[\s,(]*{LEADING}[(\[]?$"
)
SENTENCE = re.compile(r"[.!?;\n。！？；]")
# "B, and C is about oaks" says something of C and does not offer it; "and C is possible" does.
CLAUSE = re.compile(
    r"\s+(?!(?:or|and|too|both|as well)\b)(?!(?:(?:is|are|was|were|could|might|may|can|be|seems?"
    r"|looks?|also|both|equally|the)\s+)*(?:correct|right|true|possible|plausible|valid"
    r"|acceptable|likely|answers?|works?|fits?)\b)[a-z]"
)
DENIES = re.compile(
    r"(?:(?:\b(?:not|never|neither|cannot|hardly|wrong|incorrect|false|ruled? out|eliminated?"
    r"|excluded?|reject(?:ed)?|discard(?:ed)?|unlike|than|except|excluding)\b|n['’]t\b)[\s\w]{0,12}"
    r"|(?:不|排除|未|别|別)[应應该該能可会會]{0,2})$",
    re.IGNORECASE,
)
DENIED = re.compile(
    r"[)\].:]*\s*(?:[-–]\s*)?(?:(?:is|are|was|can be|seems?|looks?)\s+(?:\w+ly |also )?"
    r"(?:not\b|incorrect|wrong|false|ruled out|eliminated|excluded|out\b)|isn['’]t\b"
    r"|(?:incorrect|wrong|false|eliminated|ruled out)\b)"
    r"|[)\].:]*\s*(?:项|項|选项|選項)?(?:是|为|為)?(?:不(?:正[确確]|[对對是]|符合|成立)|错|錯|排除)",
    re.IGNORECASE,
)
OR_TEXT = re.compile(rf"\s*(?:or|and/or)\s+(?:(?:{UNSURE}|the|a|even|also)\s+)*")
LEAD = r"(?:(?:option|choice|letter|answer|the|most likely|likely|clearly|definitely|indeed|simply"
LEAD += r"|therefore|thus|probably|actually|both|either|statement)\s+|(?:选项|選項|选|選)\s*)*"


class Choice(NamedTuple):
    """What a passage names: the letters of choices, and whether by letter or by text."""

    letters: frozenset[str]
    how: str


def known_letters(choices: Sequence[str]) -> str:
    """Give the letters of these choices; all, where there are none to count."""
    return LETTERS[: len(choices)] or LETTERS


def named(passage: str, choices: Sequence[str]) -> Choice | None:
    """Say which choice a passage begins with, by letter or by text; None where with none."""
    known = known_letters(choices)
    text = flat(passage)
    said = words(text)
    if len(said) > 1:
        for letter, choice in zip(LETTERS, choices, strict=False):
            if any(said in (form, f"{form} {letter.lower()}") for form in forms(choice)):
                return Choice(frozenset(letter), "text")  # also "B and C (D)"
    found = offered(text, choices)
    if found:
        return Choice(found, "letter")
    if re.fullmatch(r"\(?[a-j][).]?", text) and text.strip("().").upper() in known:
        return Choice(frozenset(text.strip("().").upper()), "letter")
    texts = _begun(said, choices)
    return Choice(texts, "text") if texts else None


def offered(text: str, choices: Sequence[str]) -> frozenset[str]:
    """List the letters that a flat text begins with: of "A or maybe B" both."""
    known = known_letters(choices)
    found: set[str] = set()
    at, either = 0, False
    while (letter := LETTER.match(text, at)) and letter[1] in known:
        if ARTICLE.match(text, at):
            break
        end = _past_own(letter[1], text, letter.end(), choices)
        clause = not either and end == letter.end() and CLAUSE.match(text, end)
        if found and (clause or denied(letter[1], text, letter.end(), choices)):
            break
        found.add(letter[1])
        another = ANOTHER.match(text, end)
        if another is None:
            break
        at, either = another.end(), another["or"] is not None
    return frozenset(found)


def _past_own(letter: str, text: str, at: int, choices: Sequence[str]) -> int:
    """Give the place behind the choice's own text where that follows its letter: "B. fir or C"."""
    number = LETTERS.index(letter)
    own = flat(choices[number]) if number < len(choices) else ""
    start = at + len(text[at : at + 4]) - len(text[at : at + 4].lstrip(" ).:([,-–—"))
    follows = bool(own) and text[start : start + len(own)].casefold() == own.casefold()
    return start + len(own) if follows else at


def joined(before: str, *, either: bool) -> str:
    """Give the letter that is offered right before the end of a text, as "A or "; "" for none.

    With `either`, "or" alone joins: "not A, B is right" and "A and then B" offer one.
    """
    found = JOINED.search(before)
    if not found or (either and not found["or"]) or denies(before[: found.start()]):
        return ""
    return found[1]


def denies(before: str) -> bool:
    """Say whether the sentence that a text ends in denies what follows: "it is not "."""
    return DENIES.search(SENTENCE.split(before[-30:])[-1]) is not None


def denied(letter: str, text: str, at: int, choices: Sequence[str]) -> bool:
    """Say whether what follows a letter denies it; the choice's own text does not: "B) Wrong"."""
    if not DENIED.match(text, at):
        return False
    number = LETTERS.index(letter)
    own = words(choices[number]) if number < len(choices) else ""
    return not begins(words(text[at : at + len(own) + 200]), own)


def _begun(said: str, choices: Sequence[str]) -> frozenset[str]:
    """Give the letter whose text words begin with, the longest; two where "or" joins texts."""
    texts = [(part, LETTERS[i]) for i, choice in enumerate(choices) for part in forms(choice)]
    fits = [(len(part), letter) for part, letter in texts if begins(said, part)]
    if not fits:
        return frozenset()
    size, letter = max(fits, key=lambda fit: fit[0])
    other = OR_TEXT.match(said, size)
    rest = said[other.end() :] if other else ""
    more = [(len(part), letter) for part, letter in texts if begins(rest, part)]
    return frozenset({letter, *(max(more)[1:] if more else ())})


def flat(text: str) -> str:
    """Take emphasis, quotes and LaTeX around words away, and width from letters and signs."""
    text = text.translate(WIDE)
    for _ in range(NESTED):
        previous, text = text, TEXT.sub(r"\1", text)
        if text == previous:
            break
    return LINES.sub("\n", BLANKS.sub(" ", NOISE.sub("", text))).strip()


def words(text: str) -> str:
    """Write a text so that only its letters, digits and signs that change a value remain."""
    text = flat(text).casefold().replace("−", "-")
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"[^\w.%+\-*/^=<>°\\{}|']+", " ", text)
    return re.sub(r"\.(?!\d)", " ", text).strip()


def forms(choice: str) -> tuple[str, ...]:
    """Give the words of a choice, as they are and without those that `LEAD` passes over."""
    whole = words(choice)
    short = re.sub(f"^{LEAD}", "", whole)
    return (whole, short) if len(short) > 1 else (whole,)


def begins(said: str, choice: str) -> bool:
    """Say whether words begin with those of a choice."""
    return bool(choice) and said.startswith(choice) and _edge(said, len(choice))


def begins_choice(passage: str, choices: Sequence[str]) -> bool:
    """Say whether a passage begins with the text of a choice."""
    said = words(passage)
    return any(begins(said, words(choice)) for choice in choices)


def holds(said: str, choice: str) -> bool:
    """Say whether those of a choice are among the words."""
    return bool(choice) and any(
        _edge(said, m.end()) and (m.start() == 0 or said[m.start() - 1] == " ")
        for m in re.finditer(re.escape(choice), said)
    )


def _edge(said: str, at: int) -> bool:
    """Say whether a word ends there."""
    return at >= len(said) or said[at] == " "
