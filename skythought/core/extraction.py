r"""Where in an answer text the answer stands, and the name of the rule that found it.

    "... so each pays \boxed{\frac{14}{3}}."   -> "\frac{14}{3}", "boxed"
    "x is \boxed{1} or \boxed{2}."             -> "1, 2", "boxes"
    "<answer>42</answer>"                      -> "42", "answer tag"
    "The answer is $x=5$, as wanted."          -> "x=5", "answer is"
    "16 - 3 - 4 = 9 ... #### 18"               -> "18", "####"
    "p - q"                                    -> "p - q", "whole text"
    "so she makes 18 dollars a day."           -> "18", "last number"
    "So the radius is sqrt(5) meters."         -> "sqrt(5)", "last number"

The first rule of this list that finds something wins, at its last place in the text; a place that
is empty or holds "answer" or "..." is passed over where another has something. In a marked
sentence, what it emphasises comes before its last number ("**Answer:** He pays **$75** in 30
days"), and a number behind "than" is not the answer but what it is compared with. Only the end of
a long text is read. Does not look inside a thought; that is not part of the answer text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from skythought.core import formats

TAIL_CHARS = 20_000
LAST_NUMBER = "last number"  # the rule of last resort
MAX_BOXES = 12
MAX_BETWEEN = 40  # characters between two boxes of one answer
BOX_START = "\\boxed{"
MAX_BARE_CHARS = 200
MAX_BARE_WORDS = 4

ANSWER_IS = re.compile(
    r"(?:\banswer(?: (?:(?P<not>(?:is|was|are)n['’]t|can(?:not|'t|’t) be)|is|are|was|would be"
    r"|must be|should be)\b|(?:\*\*)?\s?[:=]|\*\*[ \t]*\n)"
    r"|^#{1,6} [^\n]{0,40}\banswer[ \t]*\n|答案(?:是|为|:|：))"
    r"(?:\s|[*:])*(?:(?:therefore|thus|then|hence|simply|just|indeed)\b,?\s*)?",
    re.IGNORECASE | re.MULTILINE,
)
# What may stand between the boxes of one answer: "\\boxed{1} and \\boxed{2}", "x = ..., y = ...".
BETWEEN = re.compile(
    r"[\s$.]*(?:\\[\])])?[\s$]*(?:,?\s*(?:\\text\{\s*)?(?:and|or)\b\s*\}?|,|;|\\q?quad)[\s$]*"
    r"(?:\\[\[(])?[\s$]*(?:[a-zA-Z](?:_\d)?\s*=\s*)?"
)
CHINESE = re.compile(r"[\u3400-\u9fff]")
SEPARATOR = re.compile(r"\s*(?:,?\s*(?:and|or)\b|,|;)\s*")
# What is no word in a formula: commands, environments, text with the power of a unit.
FORMAL = re.compile(
    r"\\(?:text|mbox|mathrm|textbf)\s*\{[^{}]*\}(?:\^\{?\d\}?)?"
    r"|\\(?:begin|end)\{[a-zA-Z]*\}|\\[a-zA-Z]+"
)
EMPHASISED = re.compile(r"\*\*([^*\n]+)\*\*")
COMPARED_WITH = re.compile(r"\bthan\b", re.IGNORECASE)
EARLIER = re.compile(
    r"\b(?:first|initial|previous|earlier|former|old|original|wrong|incorrect)\W*$", re.IGNORECASE
)
DENIED = re.compile(r"not\b|neither\b|never\b", re.IGNORECASE)
BUT = re.compile(r"[,;]?\s*\b(?:but|it is|it's|rather)\s+(?:rather\s+)?", re.IGNORECASE)
HEDGED = re.compile(
    r"(?:(?:strictly|somewhat|a little|slightly|much|no|any number|some number)\s+)*"
    r"(?:(?:less|more|greater|fewer|smaller|larger|lower|higher|bigger) than|between"
    r"|at (?:least|most)|above|below|under|over)\b|no number\b",
    re.IGNORECASE,
)
# What begins an aside behind an answer: "12 of the 20", "12, since 3 pay 4 each", "12 (3 each)".
ASIDE = re.compile(
    r"(?:,|;|\s)\s*(?:and\s+|but\s+)?(?:not|since|because|as|which|where|rather than|given|assuming"
    r"|when|if|out of the|of the|of which|so)\b"
    r"|\s\((?=[^()]*[^\W\d_]{3})|\s[\N{EM DASH}\N{EN DASH}]\s",
    re.IGNORECASE,
)
LAST_FRACTION = re.compile(r"(?<![\d/.])-?\d+/\d+(?![\d/]|\.\d)(?=\D*$)")
# A root with its factor and denominator: 2*sqrt(5)/3, \\sqrt{5}, 3√2.
LAST_ROOT = re.compile(
    r"(?<![\w.,)}/+-])(?<![\d)] [+-] )-?(?:\d+ ?(?:[*·] ?)?)?"
    r"(?:\\?(?<![a-zA-Z])sqrt ?(?:\(\d+\)|\{\d+\})|√(?:\d+|\(\d+\)))(?:/\d+)?(?=\D*$)"
)
MAX_SENTENCE_CHARS = 2_000
MINUS = re.compile("\N{MINUS SIGN}|(?<![\\w)}] )(?<![\\w)}])\N{EN DASH}(?=[\\d.])")
EMPHASIS = re.compile(r"(?<![\w)}])\*\*|\*\*(?![\w({-])")  # ** in x**2 is a power
NUMBER = re.compile(r"(?<![\d\w)}])-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)|\d[\d,]*(?:\.\d+)?")
# $...$, \(...\) and \[...\]; "$5 and $3" are prices.
FORMULA = re.compile(
    r"(?<!\\)\$\$([^$]+)\$\$|(?<![\\$])\$((?! )[^$\n]+?)(?<![ \\])\$(?!\d)"
    r"|(?<![\\$])\$( [^$\n]*[\\=^][^$\n]* )\$|\\\(([^\n]+?)\\\)|\\\[(.+?)\\\]",
    re.DOTALL,
)
STATES = re.compile(r"(?:\b(?:is|are|be|equals|gives|get)|[=:])\s*$")
TUPLE = re.compile(r"\((?: ?-?\d+(?:\.\d+)?(?:/\d+)? ?,)+ ?-?\d+(?:\.\d+)?(?:/\d+)? ?\)")
TOKEN = r"(?:\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|[^\s{}$])+"
CHUNK = re.compile(rf"{TOKEN}(?: (?:[-+*/=^<>·×≠≤≥]|\\[a-zA-Z]+) {TOKEN})*")
FORMAL_PIECE = re.compile(
    r"\\[a-zA-Z]|\^|√|sqrt|(?<![a-zA-Z'])[a-zA-Z](?= ?[-+*/=^≠≤≥<>] ?\S)"
    r"|(?<=[-+*/^]) ?[a-zA-Z](?![a-zA-Z])"
)
SCALE = re.compile(r" (?:hundred|thousand|million|billion|trillion)\b")
BOXED_WITHOUT_BRACES = re.compile(r"\\(?:boxed|fbox)\s+([^\s$]+)")
# \fbox, a lost backslash, and "\b" that a JSON writer took for a backspace.
BOX = re.compile(r"(?:\\fbox|(?<![\\a-zA-Z])boxed|\x08oxed)\{")
# Opening delimiters of mathematics, with what closes them.
DELIMITERS = {"$$": "$$", "$": "$", "\\(": "\\)", "\\[": "\\]"}
# What stands where an answer would, in a text that speaks of its form: "", "...", "your answer".
BLANK = re.compile(
    r"\\(?:boxed|fbox|text(?:bf|it|rm)?|math(?:rm|bf|it)|mbox|[lcv]?dots[bcimo]?|c?dot|q?quad|square)"
    r"(?![a-zA-Z])|\\[_ ,;:!]|\*\*|(?<!\\)[{}]|[\s$._?…~]"
)
PLACEHOLDER = re.compile(
    r"(?:[\[(<]*(?:insert|put|write|type)?(?:your|the|my)?(?:final|correct)?(?:answer|result)"
    r"(?:goes)?(?:here)?[\])>]*)?",
    re.IGNORECASE,
)
MAX_PLACEHOLDER_CHARS = 60
MAX_STATEMENTS = 5  # that are looked at for one that states something
# Words that belong to a formula written without LaTeX.
FORMULA_WORDS = frozenset(
    {
        "sqrt",
        "pi",
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "log",
        "ln",
        "exp",
        "or",
        "and",
        "infinity",
        "inf",
    }
)

# Words after a number that make a sentence of what would be a number with its unit.
SENTENCE_WORDS = frozenset(
    {"is", "are", "was", "were", "will", "have", "has", "the", "that", "so", "because"}
)


class Extracted(NamedTuple):
    """An answer and the rule that found it."""

    text: str
    rule: str


def extract(text: str) -> Extracted | None:
    """Find the answer in an answer text; None where there is neither a marker nor a number."""
    tail = text[-TAIL_CHARS:].strip()
    empty: Extracted | None = None
    if ("oxed" in tail or "box{" in tail) and (several := boxes(tail)):
        found = Extracted(", ".join(several), "boxed" if len(several) == 1 else "boxes")
        if not is_placeholder(found.text):
            return found
        empty = found
    if loose := BOXED_WITHOUT_BRACES.findall(tail):
        return Extracted(loose[-1].rstrip(".,"), "boxed")
    if "<answer>" in tail:
        inside = _tagged(tail)
        found = _within(_stated(inside) or inside, "answer tag")
        if not is_placeholder(inside):
            return found
        empty = empty or found
    stated = _stated(tail)
    if stated:
        return _within(stated, "answer is")
    if "####" in tail:
        parts = [_first_line(part) for part in tail.rsplit("####", MAX_STATEMENTS)[1:]]
        whole = [part for part in parts if not is_placeholder(part)]
        if whole or not empty:
            return _within((whole or parts)[-1], "####")
    if empty:
        return empty
    bare = _strip(tail)
    if is_bare(bare) and "\\boxed{" not in bare:  # such a box was never closed
        return Extracted(bare, "whole text")
    last = last_number(tail)
    return None if last is None else Extracted(last, LAST_NUMBER)


def is_placeholder(text: str) -> bool:
    """Say whether a text is empty, or stands where an answer would: "...", "your answer"."""
    if len(text) > MAX_PLACEHOLDER_CHARS:
        return False
    return PLACEHOLDER.fullmatch(BLANK.sub("", text)) is not None


def last_number(text: str) -> str | None:
    r"""Return the last number of a text, or the formula it is a piece of: `\frac{1}{2}`, `2\pi`.

    The dash of "10-7" is no sign. A formula without a digit counts where the text says "is".
    """
    whole = MINUS.sub("-", text).replace("\N{EN DASH}", " - ")
    text = EMPHASIS.sub("", whole[-MAX_SENTENCE_CHARS:])
    numbers = list(NUMBER.finditer(text))
    formulas = [m for m in FORMULA.finditer(text) if _is_formula(m)]
    last = formulas[-1] if formulas else None
    if last and (not numbers or numbers[-1].start() < last.end()):
        inside = next(part for part in last.groups() if part is not None).strip()
        if numbers and last.start() < numbers[-1].start():
            return _value(inside)
        if STATES.search(text[: last.start()]):
            return inside
    if not numbers:
        return formats.final_number(whole)
    found = numbers[-1]
    piece = text[max(found.start() - MAX_BARE_CHARS, 0) :]
    offset = len(text) - len(piece)
    for match in TUPLE.finditer(piece):
        if match.start() <= found.start() - offset < match.end():
            return match[0]
    for match in CHUNK.finditer(piece):
        if match.start() <= found.start() - offset < match.end() and FORMAL_PIECE.search(match[0]):
            return _trimmed(match[0].rpartition("=")[2])
    text = re.sub(r"(?<=[\w)}])-(?=\d)", " - ", text)
    end = text[-MAX_BARE_CHARS:]
    if written := LAST_ROOT.search(end) or LAST_FRACTION.search(end):
        return written[0]
    found = list(NUMBER.finditer(text))[-1]
    scale = SCALE.match(text[found.end() :])
    return found[0].replace(",", "") + (scale[0] if scale else "")


def _is_formula(found: re.Match[str]) -> bool:
    """Say whether what stands between two signs is a formula and not a sentence with prices."""
    inside = next(part for part in found.groups() if part is not None)
    words = re.findall(r"[^\W\d_]{3,}", FORMAL.sub(" ", inside))
    return len(inside) <= MAX_BARE_CHARS and FORMULA_WORDS.issuperset(words)


def _value(formula: str) -> str:
    """Give the right side of an equation between numbers, the whole of any other formula."""
    left, _, right = formula.rpartition("=")
    if re.search(r"(?<![a-zA-Z])[a-zA-Z](?![a-zA-Z])", FORMAL.sub(" ", left)) or "\\{" in left:
        return formula
    return right.strip() or formula


def _trimmed(text: str) -> str:
    """Take away the punctuation of the sentence and brackets that do not close."""
    text = text.strip().rstrip(".,;:!?*")
    for opening, closing in ("()", "[]"):
        if text.count(closing) > text.count(opening):
            text = text.removesuffix(closing)
        elif text.count(opening) > text.count(closing):
            text = text.removeprefix(opening)
    return text.strip()


def is_bare(text: str) -> bool:
    """Say whether a text is an answer by itself, not a sentence that holds one."""
    if not text or "\n" in text or len(text) > MAX_BARE_CHARS:
        return False
    if CHINESE.search(text) and any(c.isdigit() for c in text):
        return False  # no spaces part the words
    plain = FORMAL.sub(" ", text)
    if not any(c.isdigit() for c in plain):
        return len(re.findall(r"[^\W\d_]{2,}", plain)) <= MAX_BARE_WORDS
    last_digit = max(i for i, c in enumerate(plain) if c.isdigit())
    parts = plain[:last_digit].lower(), plain[last_digit:].lower()
    before, after = (re.findall(r"[^\W\d_]{2,}", part) for part in parts)
    unit = len(after) <= MAX_BARE_WORDS and SENTENCE_WORDS.isdisjoint(after)
    return unit and FORMULA_WORDS.issuperset(before)


def boxes(text: str) -> list[str]:
    """List the last box that holds something, and those before it that belong to the same answer.

    Where none does, it is the last one; [] where there is none.
    """
    text = BOX.sub(r"\\boxed{", text[-TAIL_CHARS:])
    found: list[str] = []
    empty: list[str] = []
    end = len(text)
    while len(found) < MAX_BOXES:
        start = text.rfind(BOX_START, 0, end)
        inside = formats.last_boxed(text[start:end]) if start >= 0 else None
        if inside is None:
            break
        between = text[start + len(BOX_START) + len(inside) + 1 : end]
        if found and (len(between) > MAX_BETWEEN or not BETWEEN.fullmatch(between)):
            break
        if is_placeholder(inside):
            empty = empty or [inside.strip()]
        elif inside.strip() not in found:
            found.insert(0, inside.strip())
        end = start
    return found or empty


def _tagged(text: str) -> str:
    """Give what stands in the last `<answer>` that holds something, else in the last."""
    parts = text.rsplit("<answer>", MAX_STATEMENTS)[1:]
    inside = [part.partition("</answer>")[0].strip() for part in parts]
    return next((part for part in reversed(inside) if not is_placeholder(part)), inside[-1])


def _stated(text: str) -> str:
    """Give what follows the last "answer is" that states something, "" where nothing does.

    What follows "my first answer was" is passed over where there is another.
    """
    found = list(ANSWER_IS.finditer(text))
    own = [m for m in found if not EARLIER.search(text[max(m.start() - 20, 0) : m.start()])]
    for last in reversed((own or found)[-MAX_STATEMENTS:]):
        stated = _first_line(text[last.end() :])
        if not is_placeholder(stated):
            return f"not {stated}" if last["not"] else stated
    return ""


def _within(text: str, rule: str) -> Extracted:
    """Take a marked passage as it is, or what a marked sentence emphasises, or a number of it."""
    whole = text if text.count("**") % 2 == 0 else f"**{text}"  # it began within the emphasis
    text = _strip(text)
    if is_bare(text):
        return Extracted(text, rule)
    if denied := DENIED.match(text):
        meant = list(BUT.finditer(text, denied.end()))  # the last, so that this ends
        return _within(text[meant[-1].end() :], rule) if meant else Extracted(text, rule)
    strong = [part for part in map(_strip, EMPHASISED.findall(whole)) if is_bare(part)]
    if strong and any(c.isdigit() for c in strong[-1]):
        return Extracted(strong[-1], f"{rule}, emphasis")
    if HEDGED.match(text):
        return Extracted(text, rule)  # bounds are no value
    begun = ASIDE.search(text)
    first = _strip(text[: begun.start()]) if begun else ""
    if first and any(c.isdigit() for c in first) and is_bare(first):
        return Extracted(first, f"{rule}, beginning")
    last = last_number(COMPARED_WITH.split(text)[0]) or last_number(text)
    return Extracted(text, rule) if last is None else Extracted(last, f"{rule}, last number")


def _first_line(text: str) -> str:
    """Cut off what follows a formula, a line or a sentence."""
    text = text.strip()
    formulas: list[str] = []
    rest = text
    while len(formulas) < MAX_BOXES and (found := _formula(rest)):
        formulas.append(found[0])
        between = SEPARATOR.match(found[1])
        rest = found[1][between.end() :] if between else ""
    if formulas:
        return ", ".join(formulas)
    line = text.partition("\n")[0]
    return re.split(r"\.(?:\s|$)|。", line, maxsplit=1)[0].strip()


def _formula(text: str) -> tuple[str, str] | None:
    """Split a text that begins with a formula into it and the rest."""
    for opening, closing in DELIMITERS.items():
        if text.startswith(opening) and closing in text[len(opening) :]:
            formula, _, rest = text[len(opening) :].partition(closing)
            if opening != "$" or not rest[:1].isdigit():  # "$5 and $3" are prices
                return formula.strip(), rest
    return None


def _strip(text: str) -> str:
    """Take away emphasis, delimiters of mathematics and a final full stop."""
    text = text.strip().strip("*").strip()
    text = text.removesuffix(".").strip()
    for opening, closing in DELIMITERS.items():
        inner = text[len(opening) : -len(closing)]
        if text.startswith(opening) and text.endswith(closing) and closing not in inner:
            return inner.strip()
    return text
