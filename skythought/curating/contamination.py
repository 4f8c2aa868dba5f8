r"""Find training rows that answer a problem of a benchmark, with the passages that show it.

    index = Benchmarks([("math500", problem), ...])
    index.hit("Let $F(z)=\dfrac{z+i}{z-i}$ for all ...", response)
    -> Hit(benchmark="math500", problem_id="test/...", rule="copy", where="question", score=0.84,
           benchmark_text="Let $F(z)=\frac{z+i}{z-i}$ for all ...", row_text="Let $F(z)=\dfrac...")

| rule | what is alike | score (0 to 1) |
|---|---|---|
| copy | runs of 8 words, or the whole of a shorter problem | part of it inside such runs |
| near-copy | the shape: other numbers, names, letters and units | F1 of the aligned words |
| restated | the beginning of the response says the problem | mean of pairs and rare words |
| embedding | the question's embedding, where an encoder is given | cosine |

Words are those of `words`; parts are parts of their weight (`overlap`), so phrases that many
problems share count little. What is compared are hashes; texts are read again for a hit only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from skythought.core.records import Problem, Trace
from skythought.curating import Reason, question_of, response_of
from skythought.curating.overlap import (
    Floats,
    Grams,
    Ints,
    Weights,
    aligned,
    among,
    among_sorted,
    covered,
    densest,
)
from skythought.curating.words import WORD, Hashes, Reader, Text, collapsed, cut, exact, grams

Rule = Literal["copy", "near-copy", "restated", "embedding"]
Encode = Callable[[Sequence[str]], NDArray[np.float32]]  # texts -> one row of numbers for each

RUN = 8  # words of a run that counts as copied
PART = 0.65  # of a problem that such runs must make up
LEAST_SHORT = 3  # words; a problem of fewer cannot be told from other texts
NEAR = 0.8
RESTATED = 0.5
LEAST_WEIGHT = 12.0  # natural log units that must be shared where no run of words is
PLENTY = 40.0  # where so much is shared, a near-copy counts from a score lower by SLACK
SLACK = 0.2
SHAPE_RUN = 3
LOOKED_AT = 3  # candidates of a rule
HEAD = 600  # words of a response in which a problem is restated
SHORT_HEAD = 100  # in which one of fewer than RUN words is
LEAST_PART = 0.02  # of a problem's runs of three words that its restatement says as they are
RARE = 4.5  # weight of a rare word: in about 1 of 90 problems
ENOUGH_RARE = 20.0  # weight of all rare words of a problem; with less they do not decide
SHOWN = 400  # characters of a passage

# How the questions of data sets begin and end, whatever they ask.
PHRASES = (
    "Express your answer as a common fraction.",
    "Express your answer in simplest radical form.",
    "Express your answer in interval notation.",
    "Express your answer as a decimal to the nearest tenth.",
    "Express your answer in simplest fractional form. Express your answer as an ordered pair",
    "Find all the real solutions to. Enter all the solutions, separated by commas.",
    "Find the real roots of. Enter all the integer roots, separated by commas.",
    "Enter your answer in the form. Enter your answer using interval notation.",
    'even, odd, or neither? Enter "odd", "even", or "neither".',
    "Simplify the following expression in $x$. Find all values of $x$ that satisfy the equation",
    "where $m$ and $n$ are relatively prime positive integers. Find $m + n$.",
    "can be written in the form $\\frac{m}{n}$",
    "Let $a,$ $b,$ and $c$ be positive real numbers such that $abc = 1.$ Find the minimum value of",
    "Find the number of ordered pairs $(a, b)$ of integers such that",
    "Find the minimum value of. Find the maximum value of. Find the area of. Find the sum of all",
    "How many different ways are there to. What is the smallest positive integer that",
    "What is the probability that the. What is the value of. What is the sum of the",
    "What is the remainder when 5 is divided by 3? is selected at random from",
    "How much money does Tim have left? How many hours does it take. How many more",
    "Please reason step by step, and put your final answer within \\boxed{}.",
    "Solve the following math problem. Write a program that reads from standard input",
)


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence that a row answers a problem of a benchmark."""

    benchmark: str
    problem_id: str
    rule: Rule
    where: Literal["question", "response"]
    score: float
    benchmark_text: str  # the passage of the problem
    row_text: str  # the passage of the row

    @property
    def reason(self) -> Reason:
        """Give it as a reason to leave a trace out."""
        text = f"answers benchmark {self.benchmark}/{self.problem_id}"
        fields = {"rule": self.rule, "where": self.where, "score": self.score}
        return Reason(f"answers benchmark {self.benchmark}", text, fields)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the file of evidence: which trace, and what shows it."""

    trace_id: str
    hit: Hit


class _Row(NamedTuple):
    """One text to look at: exact words and shape without what says nothing, and their places."""

    text: str
    exact: Hashes
    exact_at: Ints  # place of each word among the matches of WORD
    shape: Hashes
    shape_at: Ints


class Benchmarks:
    """The problems a model will be scored on, ready to be looked for.

    Args:
        problems: the name of the benchmark and the problem, in the order that decides.
        near: score from which a near-copy counts (0 to 1); None looks for no near-copies.
        restated: score from which a restatement counts; None leaves responses alone.
        encode: gives the embeddings of texts.
        cosine: from which an embedding counts.
    """

    def __init__(
        self,
        problems: Iterable[tuple[str, Problem]],
        *,
        near: float | None = NEAR,
        restated: float | None = RESTATED,
        encode: Encode | None = None,
        cosine: float = 0.9,
    ) -> None:
        self.near, self.restated, self.cosine = near, restated, cosine
        self.names: list[tuple[str, str]] = []
        self._texts: list[str] = []
        for name, problem in problems:
            self.names.append((name, problem.id))
            self._texts.append(_stem(problem))
        self._reader = Reader(_small_words(self._texts))
        self._phrases = [_row(text, self._reader.read(text)) for text in PHRASES]
        rows = [self._read(text) for text in self._texts]
        self._exact = [row.exact for row in rows]
        self._shape = [row.shape for row in rows]
        self._words = Weights(self._exact, [row.exact for row in self._phrases])
        self._forms = Weights(self._shape, [row.shape for row in self._phrases])
        self._exact_weights = [self._words.of(text) for text in self._exact]
        self._shape_weights = [self._forms.of(text) for text in self._shape]
        self._pairs = [grams(text, 2) for text in self._exact]
        alone = [self._words.alone(text) for text in self._exact]
        self._rare = [np.where(weights > RARE, weights, 0.0) for weights in alone]
        long = [text if len(text) >= RUN else text[:0] for text in self._exact]
        self._runs = Grams(long, RUN)
        self._shapes = Grams(self._shape, SHAPE_RUN)
        self._threes = Grams(self._exact, SHAPE_RUN)
        self._short: dict[tuple[int, int], int] = {}  # size and hash of a short problem
        begun: list[int] = []
        for number, text in enumerate(self._exact):
            if LEAST_SHORT <= len(text) < RUN:
                whole = int(grams(text, len(text))[0])
                self._short.setdefault((len(text), whole), number)
                begun.append(int(grams(text[:LEAST_SHORT], LEAST_SHORT)[0]))
        self._sizes = sorted({size for size, _ in self._short}, reverse=True)
        self._begun = np.array(sorted(set(begun)), dtype=np.uint64)
        self._encode = encode
        self._asked: dict[str, Floats] = {}
        if encode is not None:
            self._vectors = _unit(encode(self._texts))

    def __len__(self) -> int:
        return len(self.names)

    def judge(self, trace: Trace) -> Hit | None:
        """Look at the question of a trace, and at its response."""
        return self.hit(question_of(trace), response_of(trace))

    def hit(self, question: str, response: str = "") -> Hit | None:
        """Find the problem that a row answers; None where it answers none."""
        asked = self._read(question)
        found = self._copy(asked, "question")
        if found is None and self.near is not None:
            found = self._near(asked, self.near)
        if found is None and self._encode is not None:
            found = self._embedded(question)
        if found is None and response and self.restated is not None:
            said = self._read(response, shape=False)
            found = self._copy(said, "response") or self._restated(said, self.restated)
        return found

    def _read(self, text: str, *, shape: bool = True) -> _Row:
        return _row(text, self._reader.read(text), shape=shape)

    def _copy(self, row: _Row, where: Literal["question", "response"]) -> Hit | None:
        """Look for runs of words that a problem and a text share."""
        best: tuple[float, int, Ints] | None = None
        runs = grams(row.exact, RUN) if len(row.exact) >= RUN else row.exact[:0]
        for number, _ in self._runs.nearest(runs, LOOKED_AT):
            words = self._exact[number]
            own = grams(words, RUN)
            inside = covered(among(own, runs), RUN, len(words))
            weights = self._exact_weights[number]
            part = float(weights[inside].sum() / weights.sum())
            if part >= PART and (best is None or part > best[0]):
                best = (part, number, np.flatnonzero(among(runs, own)))
        if best is not None:
            part, number, at = best
            at = densest(at, 2 * len(self._exact[number]) + RUN)
            first, last = row.exact_at[at[0]], row.exact_at[at[-1] + RUN - 1]
            return self._evidence(number, "copy", where, part, row.text, (first, last))
        return self._whole(row, where)

    def _whole(self, row: _Row, where: Literal["question", "response"]) -> Hit | None:
        """Look for a short problem that is a sentence of the text."""
        words = row.exact if where == "question" else row.exact[:SHORT_HEAD]
        if len(words) < LEAST_SHORT:
            return None
        begun = np.flatnonzero(among_sorted(grams(words, LEAST_SHORT), self._begun))
        for size in self._sizes if len(begun) else []:
            for at in begun[begun <= len(words) - size]:
                number = self._short.get((size, int(grams(words[at : at + size], size)[0])))
                place = (row.exact_at[at], row.exact_at[at + size - 1])
                if number is not None and _is_sentence(row.text, *_span(row.text, *place)):
                    return self._evidence(number, "copy", where, 1.0, row.text, place)
        return None

    def _near(self, row: _Row, threshold: float) -> Hit | None:
        """Look for a problem with the same words where numbers, names and units are others."""
        made = grams(row.shape, SHAPE_RUN)
        best: tuple[float, int, Ints] | None = None
        for number, part in self._shapes.nearest(made, LOOKED_AT):
            if part < (threshold - SLACK) / 4:
                continue
            words = self._shape[number]
            at = np.flatnonzero(among(made, grams(words, SHAPE_RUN)))
            at = densest(at, len(words) + len(words) // 2 + 8)
            start, end = at[0], at[-1] + SHAPE_RUN
            lack = max(0, len(words) - int(end - start))  # what is near must not differ either
            window = row.shape[max(0, start - lack) : end + lack]
            weights = self._shape_weights[number]
            total = float(weights.sum()) + float(self._forms.of(window).sum())
            bound = float(weights[among(words, window)].sum())  # in whatever order
            if bound < LEAST_WEIGHT or 2 * bound < _needed(threshold, bound) * total:
                continue
            shared = aligned(words, weights, window)
            if shared < LEAST_WEIGHT:
                continue
            score = min(1.0, 2 * shared / total)
            if score >= _needed(threshold, shared) and (best is None or score > best[0]):
                best = (score, number, at)
        if best is None:
            return None
        score, number, at = best
        last = min(int(at[-1]) + SHAPE_RUN, len(row.shape)) - 1
        place = (row.shape_at[at[0]], row.shape_at[last])
        return self._evidence(number, "near-copy", "question", score, row.text, place)

    def _restated(self, row: _Row, threshold: float) -> Hit | None:
        """Look for a problem that the beginning of a response says again in other sentences."""
        words = row.exact[:HEAD]
        made, pairs = grams(words, SHAPE_RUN), grams(words, 2)
        ordered, in_order = np.sort(pairs), np.sort(words)
        best: tuple[float, int] | None = None
        for number, part in self._threes.nearest(made, 2 * LOOKED_AT):
            if part < LEAST_PART:
                break
            problem = self._exact[number]
            if len(problem) < RUN:  # what is so short is said as a step of other problems too
                continue
            weights = self._exact_weights[number]
            inside = covered(among_sorted(self._pairs[number], ordered), 2, len(problem))
            shared = float(weights[inside].sum())
            if shared < LEAST_WEIGHT:
                continue
            rare = self._rare[number]
            said = float(rare[among_sorted(problem, in_order)].sum() / max(rare.sum(), ENOUGH_RARE))
            score = (shared / float(weights.sum()) + said) / 2
            if score >= threshold and (best is None or score > best[0]):
                best = (score, number)
        if best is None:
            return None
        score, number = best
        problem = self._exact[number]
        at = densest(np.flatnonzero(among(pairs, grams(problem, 2))), 2 * len(problem) + RUN)
        place = (row.exact_at[at[0]], row.exact_at[min(at[-1] + 1, len(words) - 1)])
        return self._evidence(number, "restated", "response", score, row.text, place)

    def _embedded(self, question: str) -> Hit | None:
        """Look for the problem whose embedding is nearest."""
        assert self._encode is not None
        if not len(self) or not question.strip():
            return None
        if question not in self._asked:  # samples of one problem come one after another
            self._asked = {question: _unit(self._encode([question]))[0]}
        cosines = self._vectors @ self._asked[question]
        number = int(np.argmax(cosines))
        score = float(cosines[number])
        if score < self.cosine:
            return None
        return self._evidence(number, "embedding", "question", score, question, None)

    def _evidence(
        self,
        number: int,
        rule: Rule,
        where: Literal["question", "response"],
        score: float,
        text: str,
        place: tuple[Any, Any] | None,
    ) -> Hit:
        start, end = _span(text, int(place[0]), int(place[1])) if place else (0, SHOWN)
        name, key = self.names[number]
        return Hit(
            benchmark=name,
            problem_id=key,
            rule=rule,
            where=where,
            score=round(score, 3),
            benchmark_text=self._texts[number][:SHOWN],
            row_text=text[start : min(end, start + SHOWN)],
        )


def _needed(threshold: float, shared: float) -> float:
    """Give the score needed: the more two texts share, the less alike they must be."""
    plenty = (shared - LEAST_WEIGHT) / (PLENTY - LEAST_WEIGHT)
    return threshold - SLACK * min(1.0, max(0.0, plenty))


def _stem(problem: Problem) -> str:
    """Give the question without its choices, which others list otherwise, if it is long."""
    stem = problem.question.rpartition("\n\nA. ")[0] if problem.extra.get("choices") else ""
    return stem if len(WORD.findall(stem)) >= RUN else problem.question


def _small_words(texts: Iterable[str]) -> set[str]:
    """Collect the words that are written small somewhere: no names."""
    found = {token for text in texts for token in re.findall(r"\b[a-z]{2,}\b", cut(text))}
    return {exact(token) for token in found}


def _row(text: str, read: Text, *, shape: bool = True) -> _Row:
    exact_at = read.exact.nonzero()[0]
    shape_at = collapsed(read.shape).nonzero()[0] if shape else exact_at[:0]
    return _Row(text, read.exact[exact_at], exact_at, read.shape[shape_at], shape_at)


def _span(text: str, first: int, last: int) -> tuple[int, int]:
    """Give where the words of these numbers begin and end in a text."""
    start = end = 0
    for number, match in enumerate(WORD.finditer(cut(text))):
        if number == first:
            start = match.start()
        if number == last:
            return start, match.end()
    return start, end or len(text)


def _is_sentence(text: str, start: int, end: int) -> bool:
    """Say whether what lies between is a sentence of its own, or several."""
    before = re.search(r"(?:\A|[.?!:;\n])[^\w.?!:;]*\Z", text[max(0, start - 40) : start])
    after = re.match(r"[^\w.?!;\n]*(?:[.?!;\n]|\Z)", text[end : end + 40])
    return before is not None and after is not None


def _unit(vectors: NDArray[np.float32]) -> Floats:
    found = np.asarray(vectors, dtype=np.float64)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))
