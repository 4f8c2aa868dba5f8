r"""The steps of a thought, and the words that mark reflection.

A step is a paragraph: the text between blank lines, as in the paper. What blank lines do not end:

| kept whole | from | to |
|---|---|---|
| code | a line of three or more \` or ~ | the next line of as many and nothing else |
| display maths | `\[`, `$$`, `\begin{x}` | `\]`, `$$`, `\end{x}`, not far away (`LONGEST_MATHS`) |
| a list | an item, `1.`, `2)`, `-`, `*` | its last item; items are one blank line apart at most |

A list goes on with a number written alike, the same bullet, or an indented paragraph; which number
it is does not matter, so corrupted digits leave the steps as they are. What is opened and never
closed keeps nothing together, and no block goes over three blank lines. So `join` can keep apart
any steps in any order: `split(join(steps)) == steps` for steps that `split` gave, of one thought or
of many. The keyword list is ours; the paper names no list.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

KEYWORDS = (
    "wait",
    "hmm",
    "but",
    "alternatively",
    "however",
    "actually",
    "maybe",
    "perhaps",
    "again",
    "hold on",
    "let me check",
    "let me double-check",
    "let me double check",
    "let me verify",
    "let me see",
    "let me think",
    "let me try",
    "let me reconsider",
    "on second thought",
    "going back",
    "go back",
    "another approach",
    "another way",
    "make sure",
)

# Words that connect one thought with the next. Those with another common use are left out: "first",
# "next", "right", "well".
CONNECTIVES = (
    *("okay", "ok", "alright", "all right", "yes", "yeah", "yep"),
    *("so", "thus", "hence", "therefore", "because", "since", "in conclusion"),
    *("then", "now", "also", "firstly", "secondly", "finally"),
    *("instead", "similarly", "likewise", "on the other hand"),
    *("let me", "let's", "let us"),
)


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    """Match whole words, the longest where several begin."""
    longest = sorted(words, key=len, reverse=True)
    return re.compile(
        rf"(?=[{''.join(sorted({word[0] for word in words}))}])"  # most places begin none
        r"\b(?:" + "|".join(map(re.escape, longest)) + r")\b",
        re.IGNORECASE,
    )


KEYWORD = _any_of(KEYWORDS)
DISCOURSE = _any_of((*KEYWORDS, *CONNECTIVES))


GAP = re.compile(r"\n[^\S\n]*\n\s*")
APART = "\n\n"  # between two steps
FAR_APART = "\n\n\n\n"  # where one blank line would make one step of two
LONGEST_MATHS = 4000  # characters of a formula that goes over a blank line
OPENER = re.compile(
    r"^[^\S\n]*(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$"
    r"|(?:^[^\S\n]*)?\$\$[^$\n]+\$\$"  # a formula within a line
    r"|(?P<dollars>^[^\S\n]*\$\$|\$\$[ \t]*$)"
    r"|(?<!\\)\\(?P<bracket>[\[\]])"
    r"|\\(?P<side>begin|end)\{(?P<name>[A-Za-z]{1,20}\*?)\}",
    re.MULTILINE,
)
ITEM = re.compile(
    r"^[^\S\n]*(?:\*\*)?(?:[0-9]{1,3}(?P<dot>[.)])|(?P<bullet>[-*+•]))"
    r"(?:\*\*)?[ \t]+(?=\S)",
    re.MULTILINE,
)
INDENTED = re.compile(r"\n[^\S\n]*\n(?: {2,}|[ \t]*\t[ \t]*)\Z")  # one blank line, then an indent

Span = tuple[int, int]


class _Token(NamedTuple):
    """What may begin or end a block."""

    start: int
    end: int
    begins: str  # what ends it; "" where it begins nothing
    ends: str  # "" where it ends nothing


class _Found(NamedTuple):
    """What a reading of a text found."""

    spans: list[Span]
    unclosed: bool  # something opens a block that is never closed
    items: frozenset[str]  # marks of those that would go on with a list at the end


def split(thought: str) -> list[str]:
    """Cut a thought into its steps; empty paragraphs vanish."""
    return [thought[start:end] for start, end in spans(thought)]


def spans(thought: str) -> list[Span]:
    """Find where the steps of a thought begin and end; between them is white space only."""
    return _read(thought).spans


def join(steps: list[str]) -> str:
    """Write steps as a thought that `split` cuts into them again.

    One blank line stands between two steps; three where one would make one step of them: after
    what opens a block and does not close it, and before an item that would go on with a list.
    """
    written = steps[:1]
    for step, following in pairwise(steps):
        found = _read(step)
        merged = found.unclosed or _is_next(following, 0, len(following), found.items)
        written += [FAR_APART if merged else APART, following]
    return "".join(written)


def _read(thought: str) -> _Found:
    start = len(thought) - len(thought.lstrip())
    end = _end(thought)
    if start >= end:
        return _Found([], False, frozenset())
    gaps = [found.span() for found in GAP.finditer(thought, start, end)]
    walls = [a for a, b in gaps if thought.count("\n", a, b) >= FAR_APART.count("\n")]
    blocks, unclosed = _blocks(list(_tokens(thought, end)), walls)
    begins = [begin for begin, _ in blocks]

    def within(at: int) -> bool:
        """Say whether a place lies in a block."""
        i = bisect_right(begins, at) - 1
        return i >= 0 and at < blocks[i][1]

    found: list[Span] = []
    items: frozenset[str] = frozenset()
    listed = [*ITEM.finditer(thought, 0, end)][::-1]
    for gap in (*gaps, (end, end)):
        if within(gap[0]):
            continue
        own = set()
        while listed and listed[-1].start() < gap[0]:
            item = listed.pop()
            if not within(item.start()):
                own.add(_mark(item))
        items = frozenset(own) or items
        if gap[0] < end:
            line = thought.rfind("\n", *gap) + 1
            close = thought.count("\n", *gap) == APART.count("\n")
            indented = bool(items) and INDENTED.match(thought, *gap)
            if close and (indented or _is_next(thought, line, end, items)):
                continue
            found.append((start, gap[0]))
            start, items = gap[1], frozenset()
    found.append((start, end))
    return _Found(found, unclosed, items)


def _end(thought: str) -> int:
    """Find the end without the lines at the end that hold only blanks."""
    line = thought.find("\n", len(thought.rstrip()))
    return line if line >= 0 else len(thought)


def _tokens(thought: str, end: int) -> Iterator[_Token]:
    for found in OPENER.finditer(thought, 0, end):
        begins = ends = ""
        if fence := found["fence"]:
            begins, ends = fence, "" if found["info"].strip() else fence
        elif found["dollars"]:
            begins = ends = "$$"
        elif bracket := found["bracket"]:
            begins, ends = ("[", "") if bracket == "[" else ("", "[")
        elif name := found["name"]:
            begins, ends = (name, "") if found["side"] == "begin" else ("", name)
        if begins or ends:
            yield _Token(found.start(), found.end(), begins, ends)


def _blocks(tokens: Sequence[_Token], walls: Sequence[int]) -> tuple[list[Span], bool]:
    """Find the blocks, each up to the next token that ends it, and whether one is never closed."""
    closers: dict[str, list[int]] = {}
    for i, token in enumerate(tokens):
        closers.setdefault(token.ends, []).append(i)
    blocks: list[Span] = []
    unclosed = False
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if not token.begins:
            continue
        those = closers.get(token.begins, [])
        i = bisect_left(those, at)
        wall = bisect_left(walls, token.start)
        limit = walls[wall] if wall < len(walls) else math.inf
        if token.begins[0] not in "`~":
            limit = min(limit, token.start + LONGEST_MATHS)
        if i < len(those) and tokens[those[i]].end <= limit:
            blocks.append((token.start, tokens[those[i]].end))
            at = those[i] + 1
        else:
            unclosed = True
    return blocks, unclosed


def _mark(item: re.Match[str]) -> str:
    """Give what the items of one list have in common; numbers may be wrong or corrupted."""
    mark: str = item["bullet"] or item["dot"]
    return mark


def _is_next(text: str, start: int, end: int, items: frozenset[str]) -> bool:
    """Say whether a paragraph that begins here begins with one of these items."""
    item = ITEM.match(text, start, end) if items else None
    return item is not None and _mark(item) in items


def count_keywords(text: str) -> int:
    """Count reflection keywords."""
    return len(KEYWORD.findall(text))
