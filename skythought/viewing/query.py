"""What of the traces is listed, and in which order: the filters of the page as SQL.

    Filters.read({"verdict": "incorrect", "role": "backtrack", "q": '"hold on"'})

Every filter is one row of a table below. The list of matching traces is held as numbers, so a page
of it costs the same wherever it lies.
"""

from __future__ import annotations

import re
import threading
from array import array
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import urlencode

from skythought.viewing.index import Index

HELD = 32  # lists held
LONGEST = 200  # characters of a filter
MOST_TERMS = 16
TERM = re.compile(r'"([^"]*)"?|(\S+)')
WORD = re.compile(r"\w", re.UNICODE)
# Scripts without spaces between words: each sign is a word.
UNSPACED = re.compile("([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")

# filter -> column that must have the value
EQUAL = {"task": "task", "model": "model", "edit": "edit"}
# verdict -> what is shown
VERDICTS = {
    "correct": "correct",
    "incorrect": "incorrect",
    "no_answer": "no answer",
    "error": "could not be graded",
    "none": "not graded",
}
ENDS = {"stop": "ended", "length": "cut off", "error": "request failed"}
# structure -> (what is shown, SQL)
STRUCTURES = {
    "fails": ("states something false", "checkable > holding"),
    "ungrounded": ("good form, false statements", "flag = 'ungrounded'"),
    "unstructured": ("steps do not follow", "consistency < 0.5"),
    "loop": ("loops to the end", "loop = 1"),
    "unreached": ("never reaches its answer", "measured = 1 AND answer_step IS NULL"),
    "overthinks": ("goes on after its answer", "answer_step < 0.5 * steps"),
    "unthought": ("without steps", "measured = 1 AND coalesce(steps, 0) = 0"),
}
# filter of a number -> (SQL, whether it is the least or the most)
NUMBERS = {
    "tokens_from": ("tokens", ">="),
    "tokens_to": ("tokens", "<="),
    "grounding_from": ("100 * grounding", ">="),
    "grounding_to": ("100 * grounding", "<="),
}
# order -> SQL
ORDERS = {
    "": "t.n",
    "tokens": "tokens",
    "steps": "steps",
    "markers": "markers",
    "grounding": "grounding",
    "consistency": "consistency",
    "repetition": "repetition",
}
NEEDS_STRUCTURE = {"structure", "role", "grounding_from", "grounding_to"}


class Filters(NamedTuple):
    """What was asked for; "" where nothing was."""

    q: str = ""  # words, "phrases", begin*
    source: str = ""
    task: str = ""
    model: str = ""
    edit: str = ""
    verdict: str = ""
    end: str = ""
    structure: str = ""
    role: str = ""  # a role that a step has; with - before it, none has
    tokens_from: str = ""
    tokens_to: str = ""
    grounding_from: str = ""  # in percent
    grounding_to: str = ""
    sort: str = ""  # of `ORDERS`; with - before it, from the highest on

    @classmethod
    def read(cls, asked: Mapping[str, str]) -> Self:
        """Take the filters from the parameters of an address; what is none of them is left out."""
        return cls(**{name: asked.get(name, "")[:LONGEST].strip() for name in cls._fields})

    def write(self, **others: object) -> str:
        """Write them as parameters of an address, with others besides."""
        named = {**self._asdict(), **others}
        return urlencode({name: value for name, value in named.items() if value not in ("", None)})

    @property
    def on(self) -> dict[str, str]:
        """Give those that choose traces."""
        return {k: v for k, v in self._asdict().items() if v and k != "sort"}


def words(text: str) -> str:
    """Make a text ready to be searched, or to be searched for."""
    return UNSPACED.sub(r" \1 ", text.replace("\0", " "))


def terms(q: str) -> list[tuple[str, bool]]:
    """Take a search apart into its terms, and whether each may be the beginning of a word."""
    found = []
    for phrase, word in TERM.findall(q):
        text = phrase or word.rstrip('"')
        begins = not phrase and text.endswith("*")
        if WORD.search(text):
            found.append((text.rstrip("*") if begins else text, begins))
    return found[:MOST_TERMS]


def match(q: str) -> str:
    """Write a search for FTS5, in which nothing is an operator: all terms must be there."""
    return " ".join(
        '"' + words(text).replace('"', " ") + '"' + ("*" if begins else "")
        for text, begins in terms(q)
    )


def where(asked: Filters, letters: Mapping[str, str]) -> tuple[str, list[object]]:
    """Write filters as SQL and its values."""
    parts: list[str] = []
    values: list[object] = []

    def add(sql: str, *its: object) -> None:
        parts.append(sql)
        values.extend(its)

    if asked.q:
        wanted = match(asked.q)
        if wanted:
            add("t.n IN (SELECT rowid FROM words WHERE words MATCH ?)", wanted)
        else:
            add("0")
    if asked.source:
        add("file = (SELECT file FROM files WHERE label = ?)", asked.source)
    for name, column in EQUAL.items():
        if value := getattr(asked, name):
            add(f"{column} = ?", value)
    if asked.verdict:
        add("outcome = ?", "" if asked.verdict == "none" else asked.verdict)
    if asked.end:
        add("finish = ?", asked.end)
    if asked.structure in STRUCTURES:
        add(STRUCTURES[asked.structure][1])
    if letter := letters.get(asked.role.removeprefix("-")):
        add(
            f"measured = 1 AND instr(roles, ?) {'=' if asked.role.startswith('-') else '>'} 0",
            letter,
        )
    for name, (column, sign) in NUMBERS.items():
        try:
            number = float(getattr(asked, name) or "nan")
        except ValueError:
            continue
        if number == number:
            add(f"{column} {sign} ?", number)
    return " AND ".join(parts) or "1", values


def order(asked: Filters) -> str:
    """Write the order as SQL; traces without the value come last."""
    column = ORDERS.get(asked.sort.removeprefix("-"), "t.n")
    falls = " DESC" if asked.sort.startswith("-") else ""
    return f"{column} IS NULL, {column}{falls}, t.n"


class Lists:
    """The lists of traces that were asked for last."""

    def __init__(self, index: Index, letters: Mapping[str, str]) -> None:
        self._index, self._letters = index, letters
        self._held: OrderedDict[tuple[Filters, int], array[int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, asked: Filters, measured: int) -> array[int]:
        """Give the numbers of the traces that match, in order.

        Args:
            asked: the filters.
            measured: how many traces have their structure, which filters on it depend on.
        """
        sorts = asked.sort.removeprefix("-") not in ("", "tokens")
        key = asked, measured if sorts or NEEDS_STRUCTURE & asked.on.keys() else 0
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        condition, values = where(asked, self._letters)
        sql = f"SELECT t.n FROM traces t WHERE {condition} ORDER BY {order(asked)}"
        with self._index.reading() as db:
            found = array("q", (row[0] for row in db.execute(sql, values)))
        with self._lock:
            self._held[key] = found
            if len(self._held) > HELD:
                self._held.popitem(last=False)
        return found
