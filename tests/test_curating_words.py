"""skythought/curating/words.py and overlap.py: what counts as a word, and what texts share."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest

from skythought.curating import overlap, words


def said(text: str, known: frozenset[str] = words.COMMON) -> tuple[str, str]:
    """Give the exact words of a text, and its shape."""
    tokens = words.WORD.findall(words.cut(text))
    pairs = [(token, words.exact(token)) for token in tokens]
    shape = [words.shaped(token, word, known) for token, word in pairs if word]
    return " ".join(word for _, word in pairs if word), " ".join(shape)


@pytest.mark.parametrize(
    ("text", "exact", "shape"),
    [
        ("Tim has $1,000 and 3 trees.", "tim has 1000 and 3 tree", "N has # and # tree"),
        ("Tim's trees", "tim tree", "N tree"),
        ("Janet’s ducks", "janet duck", "N duck"),
        ("three miles, 5 km", "3 mile 5 km", "# U # U"),
        (r"\dfrac{1}{2}", "1 2", "# #"),
        (r"$10{,}000 \le x^2$", "10000 <= x 2", "# <= V #"),
        (r"\left( 2\pi \right)", "2 pi", "# pi"),
        ("50% at 60°", "50 percent at 60 degree", "# U at # U"),
        ("Let ABC be a triangle", "let abc be a triangle", "let V be a triangle"),
        ("I saw A and B", "i saw a and b", "i saw a and V"),
        ("数学 café", "数 学 caf é", "数 学 caf é"),
        ("a [asy]draw((0,0));[/asy] b", "a b", "a V"),
        ("[asy] never closed", "asy never closed", "asy never closed"),
        ("x² ≤ 4", "x 2 <= 4", "V # <= #"),
        ("", "", ""),
        ("?!", "", ""),
    ],
)
def test_words(text: str, exact: str, shape: str) -> None:
    assert said(text) == (exact, shape)


def test_a_reader_gives_what_the_words_are() -> None:
    text = "Tim has 3 trees and Ann has 1,000."
    read = words.Reader().read(text)
    tokens = words.WORD.findall(text)
    assert read.exact.tolist() == [words.hashed(words.exact(token)) for token in tokens]
    assert len(read.shape) == len(tokens)
    assert words.Reader(["tim"]).read(text).shape[0] == words.hashed("tim")  # a word known small


def test_a_table_begun_anew_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"word{i} and {i} trees of Ann{i}" for i in range(50)]
    whole = [words.Reader().read(text).exact.tolist() for text in texts]
    monkeypatch.setattr(words, "TABLE_SIZE", 20)
    reader = words.Reader()
    assert [reader.read(text).exact.tolist() for text in texts] == whole


def test_hashes_are_those_of_every_process() -> None:
    code = "from skythought.curating.words import *; r = Reader().read('Tim has 3 trees')\n"
    code += "print(grams(r.exact, 2).tolist())"
    here = words.grams(words.Reader().read("Tim has 3 trees").exact, 2).tolist()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(here)


def test_a_run_of_a_class_counts_once() -> None:
    def shape(text: str) -> list[int]:
        read = words.Reader().read(text)
        found: list[int] = read.shape[words.collapsed(read.shape)].tolist()
        return found

    assert shape("it costs 3/4") == shape("it costs 0.75") == shape("it costs 1 2 3")
    assert shape("then Mary Ann Lee ran") == shape("then Bob ran")
    assert shape("that that") != shape("that")  # words may be said twice


def test_grams() -> None:
    text = np.arange(1, 8, dtype=np.uint64)
    runs = words.grams(text, 3)
    assert len(runs) == 5
    assert len(set(runs.tolist())) == 5
    assert words.grams(text[2:5], 3).tolist() == [runs[2]]
    assert len(words.grams(text[:2], 3)) == 1  # a short text is one run
    assert len(words.grams(text[:0], 3)) == 0
    assert words.grams(text[::-1].copy(), 3)[-1] != runs[0]  # the order counts


@pytest.mark.parametrize(
    "text",
    [
        "[asy]" * 100_000,
        "9" * 300_000,
        "1,000" * 100_000,
        "1," * 200_000,
        "a" * 300_000,
        "\\" * 300_000,
        "\\frac" * 60_000,
        "{,}" * 100_000,
        "’" * 300_000,
        "\ud800 lone",
        "\x00\x01",
    ],
    ids=lambda text: repr(text[:8]),
)
def test_hostile_texts_are_read(text: str) -> None:
    reader = words.Reader()
    read = reader.read(text)
    assert len(read.exact) == len(read.shape)
    assert max(map(len, reader._codes), default=0) < 300  # no word in the table is long


def test_distinct_and_among_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    for size in (0, 1, 7, 300):
        values = rng.integers(0, 50, size, dtype=np.uint64)
        pool = rng.integers(0, 50, size // 2, dtype=np.uint64)
        assert overlap.distinct(values).tolist() == np.unique(values).tolist()
        assert overlap.among(values, pool).tolist() == np.isin(values, pool).tolist()


def heaviest(first: list[int], weights: list[float], second: list[int]) -> float:
    """Give the weight of the heaviest common subsequence, by the definition."""
    if not first or not second:
        return 0.0
    skip = heaviest(first[1:], weights[1:], second)
    if first[0] in second:
        rest = second[second.index(first[0]) + 1 :]
        return max(skip, weights[0] + heaviest(first[1:], weights[1:], rest))
    return skip


def test_alignment_is_the_heaviest_common_subsequence() -> None:
    rng = random.Random(0)
    for _ in range(60):
        first = [rng.randrange(5) for _ in range(rng.randrange(9))]
        second = [rng.randrange(5) for _ in range(rng.randrange(9))]
        weights = [rng.random() for _ in first]
        found = overlap.aligned(
            np.array(first, dtype=np.uint64), np.array(weights), np.array(second, dtype=np.uint64)
        )
        assert found == pytest.approx(heaviest(first, weights, second))


def test_the_nearest_texts() -> None:
    rng = np.random.default_rng(0)
    texts = [rng.integers(1, 1000, 40, dtype=np.uint64) for _ in range(300)]
    table = overlap.Grams(texts, 3)
    [(first, part), *_] = table.nearest(words.grams(texts[7], 3), 3)
    assert first == 7
    assert part == pytest.approx(1)
    half = words.grams(texts[9][:21], 3)
    [(first, part)] = table.nearest(half, 1)
    assert first == 9
    assert part == pytest.approx(0.5, abs=0.1)
    assert table.nearest(rng.integers(2**60, 2**61, 9, dtype=np.uint64), 3) == []
    assert overlap.Grams([], 3).nearest(half, 3) == []


def test_equals_come_in_order() -> None:
    text = np.arange(1, 9, dtype=np.uint64)
    table = overlap.Grams([text[:0], text, text, text], 3)
    assert [number for number, _ in table.nearest(words.grams(text, 3), 2)] == [1, 2]


def test_rare_words_weigh_more_and_phrases_of_the_trade_less() -> None:
    reader = words.Reader()

    def read(text: str) -> words.Hashes:
        return words.plain(reader.read(text).exact)

    texts = [f"find {name} express your answer as a fraction" for name in ("x", "y", "z", "zebra")]
    weights = overlap.Weights([read(text) for text in texts] + [read("a dog")])
    _, zebra, express, *_ = weights.of(read(texts[3]))
    assert zebra > 4 * express
    assert express == pytest.approx(weights.alone(read("express"))[0] / 4)
    assert weights.of(read("express the dog"))[0] == weights.alone(read("express"))[0]
    assert weights.alone(read("unseen"))[0] == weights.rare


def test_the_densest_window() -> None:
    places = np.array([0, 50, 51, 53, 90, 91])
    assert overlap.densest(places, 5).tolist() == [50, 51, 53]
    assert overlap.densest(places, 1).tolist() == [0]
