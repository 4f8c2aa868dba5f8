"""Addresses in, pages out: what `skythought view` answers, without the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib import resources
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

from skythought.core import jsonl, shapes
from skythought.core.errors import plain
from skythought.core.records import Trace, Verdict
from skythought.viewing import beside, frame, listing, query, reading
from skythought.viewing.frame import Row
from skythought.viewing.index import Index
from skythought.viewing.marked import safe
from skythought.viewing.query import Filters, Lists
from skythought.viewing.reading import CUT, LONGEST, Opened, Place, Reading

RELATED = 50  # other answers that are listed
CHOICES = 300  # values of a filter that are listed, the most frequent
STATIC = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
ROW = (
    "SELECT t.*, s.id, s.problem, s.same, s.parent, s.title, s.lesson, f.label, f.path"
    " FROM traces t JOIN names s USING (n) JOIN files f ON f.file = t.file"
)


class Response(NamedTuple):
    """What is sent back."""

    status: int
    kind: str
    body: bytes


class Tools(NamedTuple):
    """What reads traces, of the other parts of skythought."""

    roles: Mapping[str, str]  # role by letter
    read: Callable[[Trace], Reading]
    rows: Callable[[str, str], Iterable[tuple[str, str, str]]]  # the steps of two thoughts, as HTML
    reference: Callable[[Mapping[str, object]], str]  # the reference answer of a row, "" without


class Site:
    """The pages of one index."""

    def __init__(self, index: Index, tools: Tools) -> None:
        self.index, self.tools = index, tools
        self._letters = {role: letter for letter, role in tools.roles.items()}
        self._lists = Lists(index, self._letters)
        self._choices = self._count()
        found = index.row("SELECT count(*), total(measured) FROM traces")
        self.every, self.measured = (int(found[0]), int(found[1])) if found else (0, 0)
        faults = index.row("SELECT count(*) FROM faults")
        self.faults = int(faults[0]) if faults else 0
        self._read = lru_cache(maxsize=64)(self._read_anew)

    def answer(self, path: str, asked: Mapping[str, str]) -> Response:
        """Answer an address.

        Args:
            path: of the address, still quoted, from the first slash on.
            asked: its parameters.
        """
        kind, *parts = [unquote(part) for part in path.split("/")[1:]]
        try:
            match kind, parts:
                case "", []:
                    return _html(self._list(asked))
                case "trace", [label, key]:
                    return _html(self._trace(label, key, asked))
                case "diff", [label, key]:
                    return _html(self._diff(label, key, asked))
                case "compare", [label, key, other, other_key]:
                    return _html(self._compare((label, key), (other, other_key), asked))
                case "raw", [label, key]:
                    row = self._row(label, key)
                    raw = self.index.raw(row["path"], row["at"], row["length"])
                    return Response(200, "text/plain; charset=utf-8", raw)
                case "faults", []:
                    return _html(self._faults())
                case "static", [name] if name in STATIC:
                    body = resources.files("skythought.viewing").joinpath(name).read_bytes()
                    return Response(200, STATIC[name], body)
        except LookupError as error:
            return _refused(404, str(error.args[0]) if error.args else "Not found")
        return _refused(404, "There is no such page.")

    def _count(self) -> dict[str, listing.Choices]:
        """Count the traces by the values of the filters."""

        def by(column: str) -> list[tuple[str, int]]:
            rows = self.index.rows(
                f"SELECT {column}, count(*) c FROM traces JOIN files USING (file)"
                f" GROUP BY 1 ORDER BY c DESC LIMIT {CHOICES}"
            )
            return [(row[0], row[1]) for row in rows]

        outcomes, ends = dict(by("outcome")), dict(by("finish"))
        outcomes["none"] = outcomes.pop("", 0)
        return {
            "verdict": _known(query.VERDICTS, outcomes),
            "end": _known(query.ENDS, ends),
            "structure": [(name, said, None) for name, (said, _) in query.STRUCTURES.items()],
            "role": [
                (sign + role, f"{word} {role}", None)
                for role in self._letters
                for sign, word in (("", "with"), ("-", "without"))
            ],
            "source": [(label, label, n) for label, n in by("label")],
            **{
                name: [(value, value, n) for value, n in by(column) if value]
                for name, column in query.EQUAL.items()
            },
        }

    def _list(self, asked: Mapping[str, str]) -> str:
        filters, measured = Filters.read(asked), self.measured  # which grows meanwhile
        found = self._lists.get(filters, measured)
        pages = max(1, -(-len(found) // listing.SIZE))
        text = asked.get("page", "1")
        page = min(pages, max(1, int(text) if text.isdecimal() and len(text) < 9 else 1))
        numbers = found[(page - 1) * listing.SIZE : page * listing.SIZE]
        rows = self._rows(numbers)
        snippets = {}
        if filters.q:
            snippets = {row["n"]: self._snippet(row, filters.q) for row in rows}
        return listing.page(
            listing.Listing(
                asked=filters,
                rows=rows,
                snippets=snippets,
                total=len(found),
                every=self.every,
                measured=measured,
                page=page,
                choices=self._choices,
                roles=self.tools.roles,
                faults=self.faults,
            )
        )

    def _rows(self, numbers: Iterable[int]) -> list[Row]:
        wanted = list(numbers)
        marks = ", ".join("?" * len(wanted))
        rows = {row["n"]: row for row in self.index.rows(f"{ROW} WHERE t.n IN ({marks})", wanted)}
        return [rows[n] for n in wanted if n in rows]

    def _snippet(self, row: Row, q: str) -> str:
        try:
            trace = self._load(row)[0]
        except LookupError:
            return ""
        texts = (m.content for m in trace.messages)
        whole = "\n".join((trace.thought[:LONGEST], trace.answer[:LONGEST], *texts))
        return listing.snippet(whole, q)

    def _row(self, label: str, key: str) -> Row:
        row = self.index.row(f"{ROW} WHERE f.label = ? AND s.id = ?", (label, key))
        if row is None:
            raise LookupError("There is no such trace in these files.")
        return row

    def _load(self, row: Row) -> tuple[Trace, Mapping[str, object]]:
        """Read a trace, and its row, from the user's file.

        Raises:
            LookupError: it is not there any more, or another one is.
        """
        try:
            raw = jsonl.decode_row(self.index.raw(row["path"], row["at"], row["length"]))
            trace = shapes.trace(raw)
        except ValueError as error:
            raise LookupError(_changed(row)) from error
        if shapes.lesson(trace) != row["lesson"]:
            raise LookupError(_changed(row))
        return trace, raw

    def _read_anew(self, n: int) -> tuple[Trace, str, Reading]:
        row = self.index.row(f"{ROW} WHERE t.n = ?", (n,))
        if row is None:
            raise LookupError("There is no such trace in these files.")
        trace, raw = self._load(row)
        told = self.index.row(
            "SELECT answer FROM problems WHERE file = ? AND id = ?", (row["file"], row["problem"])
        )
        reference = str(told["answer"]) if told else self.tools.reference(raw)
        short = msgspec.structs.replace(
            trace, thought=trace.thought[:LONGEST], answer=trace.answer[:LONGEST]
        )
        return trace, reference, self.tools.read(short)

    def _open(self, row: Row) -> Opened:
        trace, reference, read = self._read(row["n"])
        verdicts = self.index.rows(
            "SELECT verdict FROM verdicts WHERE file = ? AND id = ? ORDER BY rank",
            (row["file"], row["id"]),
        )

        def related(condition: str, *values: object) -> list[Row]:
            sql = f"{ROW} WHERE ({condition}) AND t.n <> ? ORDER BY t.n LIMIT {RELATED}"
            return list(self.index.rows(sql, (*values, row["n"])))

        return Opened(
            row=row,
            trace=trace,
            verdicts=[msgspec.json.decode(found["verdict"], type=Verdict) for found in verdicts],
            reference=reference,
            reading=read,
            others=related(
                "s.problem = ? OR (s.same = ? AND s.same <> '')", row["problem"], row["same"]
            ),
            parents=related("s.id = ?", row["parent"]) if row["parent"] else [],
            children=related("s.parent = ?", row["id"]),
        )

    def _place(self, row: Row, asked: Mapping[str, str]) -> Place:
        filters = Filters.read(asked)
        found = self._lists.get(filters, self.measured)
        try:
            at = found.index(row["n"])
        except ValueError:
            return Place(query=filters.write())
        near = {other["n"]: other for other in self._rows(found[max(0, at - 1) : at + 2])}
        return Place(
            query=filters.write(),
            number=at + 1,
            total=len(found),
            before=near.get(found[at - 1]) if at else None,
            after=near.get(found[at + 1]) if at + 1 < len(found) else None,
        )

    def _trace(self, label: str, key: str, asked: Mapping[str, str]) -> str:
        row = self._row(label, key)
        place, drawn = self._place(row, asked), asked.get("as") != "written"
        return reading.page(self._open(row), place, self.tools.roles, drawn=drawn)

    def _compare(
        self, left: tuple[str, str], right: tuple[str, str], asked: Mapping[str, str]
    ) -> str:
        one, other = self._open(self._row(*left)), self._open(self._row(*right))
        query, drawn = Filters.read(asked).write(), asked.get("as") != "written"
        return beside.compare(one, other, self.tools.roles, query, drawn=drawn)

    def _diff(self, label: str, key: str, asked: Mapping[str, str]) -> str:
        after = self._open(self._row(label, key))
        if not after.parents:
            raise LookupError(
                "What this trace was made from is in none of these files; name its file too."
            )
        before = self._open(after.parents[0])
        sides = before.trace, after.trace
        thoughts = self.tools.rows(*(plain(side.thought[:LONGEST]) for side in sides))
        answers = self.tools.rows(*(plain(side.answer[:CUT]) for side in sides))
        query = Filters.read(asked).write()
        return beside.diff(before, after, list(thoughts), list(answers), query)

    def _faults(self) -> str:
        rows = self.index.rows(
            "SELECT path, line, reason FROM faults JOIN files USING (file)"
            " ORDER BY file, line LIMIT 200"
        )
        items = "".join(
            f"<li>{safe(row['path'])}:{row['line']}: {safe(row['reason'])}</li>" for row in rows
        )
        body = f"<h1>Rows that are no traces</h1><p>{self.faults:,} in all.</p><ul>{items}</ul>"
        return frame.page("Rows that are no traces", body)


def _changed(row: Row) -> str:
    return f"{row['path']} has changed since it was indexed; start skythought view again."


def _known(names: Mapping[str, str], counts: Mapping[str, int]) -> listing.Choices:
    return [(name, said, counts[name]) for name, said in names.items() if counts.get(name)]


def _html(text: str) -> Response:
    return Response(200, "text/html; charset=utf-8", text.encode("utf-8", "replace"))


def _refused(status: int, why: str) -> Response:
    body = f'<h1>{status}</h1><p>{safe(why)}</p><p><a href="/">All traces</a></p>'
    return _html(frame.page(str(status), body))._replace(status=status)
