"""skythought/training/split.py: what each token is for, and the loss on each kind."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.core import formats, steps
from skythought.core.records import Example, Message
from skythought.structure import consistency, roles
from skythought.training import data

pytest.importorskip("torch", reason="needs skythought[train]")

from skythought.training import split

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")

ASK = (Message("user", "what is 3 plus 4?"),)


def shown(text: str) -> list[tuple[str, str]]:
    """Give the runs of one kind in a text, as (kind, run)."""
    runs: list[tuple[str, str]] = []
    for character, kind in zip(text, split.of_text(text), strict=True):
        name = split.KINDS[kind]
        if runs and runs[-1][0] == name:
            runs[-1] = (name, runs[-1][1] + character)
        else:
            runs.append((name, character))
    return runs


def test_a_thought_that_the_template_opens() -> None:
    text = formats.inside_thought(formats.teach("No\n\nbut", "So 7"))
    assert [run for run in shown(text) if run[0] != "rest"] == [
        *(("opening", "No"), ("break", "\n\n"), ("opening", "but")),
        *(("format", "\n</think>\n\n"), ("opening", "So"), ("maths", "7")),
    ]


def picked(text: str, kind: str) -> list[str]:
    """Give what a thought holds of one kind."""
    return [run for name, run in shown(formats.teach(text, "")) if name == kind]


def test_the_kinds_of_a_completion() -> None:
    text = formats.teach("Okay, 3 plus 4\n\n\nis 7. So, wait. Now x.", "The answer is 7.")
    assert shown(text) == [
        ("format", formats.OPEN_THOUGHT),
        ("opening", "Okay"),
        ("rest", ", "),
        ("maths", "3"),
        ("rest", " plus "),
        ("maths", "4"),
        ("break", "\n\n\n"),
        ("opening", "is"),
        ("rest", " "),
        ("maths", "7"),
        ("rest", ". "),
        ("word", "So"),
        ("rest", ", "),
        ("word", "wait"),
        ("rest", ". "),
        ("word", "Now"),
        ("rest", " "),
        ("maths", "x"),
        ("rest", "."),
        ("format", formats.TURN),
        ("opening", "The"),
        ("rest", " answer is "),
        ("maths", "7"),
        ("rest", "."),
        ("format", formats.CLOSE_SOLUTION),
    ]


@pytest.mark.parametrize(
    ("thought", "openings"),
    [
        ("Wait, no.\n\nLet's see.\n\nDon’t.", ["Wait", "Let's", "Don’t"]),
        ("**Step 2**: add.\n\n### Check\n\n(so)", ["**Step", "###", "(so"]),
        ("12 is 3 * 4\n\n3. Add\n\n- Then", ["Add", "Then"]),  # digits never; marks of items not
        ("\\[\nx = 1\n\nand\n\\]\n\n$x$ is", ["\\[", "$x"]),  # a formula is one step
        ("```\nx = 1\n\ny = 2\n```", ["```"]),
        ("", []),
    ],
)
def test_openings_of_steps(thought: str, openings: list[str]) -> None:
    assert picked(thought, "opening") == openings


@pytest.mark.parametrize(
    ("thought", "maths"),
    [
        ("it is $5 and $7.50 more", ["$5", "$7.50"]),
        ("it is $x^2 + y$ and", ["$x^2 + y$"]),
        ("it is \\(x_{1}\\), \\[\\text{so } 2\\] or $$a\nb$$!", None),
        ("a road, I don't, A or b - 1", ["b", "-", "1"]),
        ("well-known **bold** 2*3 at 10:30", ["2*3", "10:30"]),
        ("x = \\frac{1}{2}", ["=", "\\frac{1}{2}"]),
    ],
)
def test_maths(thought: str, maths: list[str] | None) -> None:
    found = picked(thought, "maths")
    if maths is None:
        maths = ["\\(x_{1}\\)", "\\[\\text{so } 2\\]", "$$a\nb$$"]
    assert found == maths


def test_words_are_those_that_perturb_and_structure_know() -> None:
    assert picked("it is so, hmm, let me check: THEREFORE, because soap", "word") == [
        *("so", "hmm", "let me check", "THEREFORE", "because")
    ]
    for word in steps.KEYWORDS:
        assert steps.DISCOURSE.fullmatch(word)
    known = (roles.FILLER, roles.THEREFORE, roles.ALTERNATIVE, roles.PLAN)
    for word in steps.CONNECTIVES:
        first = word.replace("'", "").split()[0]
        assert first in consistency.OPENINGS or any(p.fullmatch(word) for p in known), word


def test_hostile_texts_end() -> None:
    """What is quadratic in one of them takes minutes here, and a step of training waits for it."""
    began = time.process_time()
    for piece in (
        *("\\[", "\\[ x \n", "\n", " ", "$a", "\\(x ", "$$", "a\n\n", "9.", "(", "\\"),
        *("let ", formats.TAGS[0]),
    ):
        split.of_text(piece * (300_000 // len(piece)))
    assert time.process_time() - began < 60


def cut(text: str, ends: Sequence[int]) -> formats.Rendered:
    """Cut a text into tokens."""
    places = sorted({0, len(text), *(end % (len(text) + 1) for end in ends)})
    offsets = list(pairwise(places))
    return formats.Rendered([7] * len(offsets), text, offsets)


class _Bare:
    all_special_ids = (0,)
    unk_token_id = None


@given(st.text("a1\n ,$", max_size=40), st.lists(st.integers(0, 200), max_size=30))
def test_a_token_has_the_last_kind_of_its_characters(thought: str, ends: list[int]) -> None:
    text = formats.teach(thought, "7")
    rendered = cut(text, ends)
    assert rendered.offsets is not None
    kinds = split.of_text(text)
    assert split.of_tokens(_Bare(), rendered) == [max(kinds[a:b]) for a, b in rendered.offsets]
    assert split.NONE not in kinds


def test_tokens_that_overlap_or_hold_nothing() -> None:
    """As a character of several bytes is cut by a byte-level vocabulary."""
    rendered = formats.Rendered([7, 8, 9, 0, 7], "4 é", [(0, 1), (2, 3), (2, 3), (3, 3), (3, 3)])
    assert split.of_tokens(_Bare(), rendered) == [
        *(split.MATHS, split.REST, split.REST, split.FORMAT, split.NONE)
    ]
    assert split.of_tokens(_Bare(), formats.Rendered([], "", [])) == []
    assert split.of_tokens(_Bare(), formats.Rendered([7], "4", None)) is None


def test_word_level_tokens(tiny_model: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)
    said = formats.teach("wait, 3 plus 4 is 7.\n\nso yes", "\\boxed{7}")
    rows = data.tokenize(
        tokenizer, [Example(id="e", trace_id="", messages=ASK, completion=said)], 100
    )
    [ids], [labels], [kinds] = rows.input_ids, rows.labels, rows.kinds
    assert len(ids) == len(labels) == len(kinds)
    assert [k == split.NONE for k in kinds] == [label == data.IGNORED for label in labels]
    learned = [(tokenizer.decode([i]), k) for i, k in zip(ids, kinds, strict=True) if k]
    assert [(text, split.KINDS[k]) for text, k in learned if k != split.FORMAT] == [
        *(("wait", "opening"), (",", "rest"), (" 3", "maths"), (" plus", "rest"), (" 4", "maths")),
        *((" is", "rest"), (" 7", "maths"), (".", "rest"), ("\n\n", "break"), ("so", "opening")),
        *((" yes", "word"), ("\\boxed{", "opening"), ("7", "maths"), ("}", "maths")),
    ]
    formatted = "".join(text for text, k in learned if k == split.FORMAT)
    assert formatted == formats.teach("?", "").replace("?", "") + "<|end|>"


def test_tokens_of_bytes() -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {letter: i for i, letter in enumerate([*alphabet, ".ĊĊ", "Ġs", "Ġso", "ĊĊ"])}
    merges = [("Ġ", "s"), ("Ġs", "o"), ("Ċ", "Ċ"), (".", "ĊĊ")]
    core = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=core)
    text = "é so 4.\n\nno"
    read = tokenizer(text, return_offsets_mapping=True)
    rendered = formats.Rendered(read["input_ids"], text, read["offset_mapping"])
    kinds = split.of_tokens(tokenizer, rendered)
    assert kinds is not None
    assert list(
        zip(tokenizer.convert_ids_to_tokens(rendered.ids), map(split.KINDS.__getitem__, kinds))  # noqa: B905
    ) == [
        *(("Ã", "opening"), ("©", "opening"), ("Ġso", "word"), ("Ġ", "rest"), ("4", "maths")),
        *((".ĊĊ", "break"), ("n", "opening"), ("o", "opening")),
    ]


def test_sums_are_means_over_the_tokens_of_each_kind() -> None:
    sums = split.Sums()
    assert sums.take(lambda tensor: tensor) == {}
    sums.add(torch.tensor([[-1.0, -3.0], [-9.0, -5.0]]), torch.tensor([[1, 1], [0, 3]]))
    sums.add(torch.tensor([[-2.0, -4.0]], dtype=torch.bfloat16), torch.tensor([[2, 6]]))
    two = sums.take(lambda tensor: 2 * tensor)  # as if another process had seen the same
    assert two == {
        "loss_rest": 2.0,
        "loss_maths": 2.0,
        "loss_word": 5.0,
        "loss_format": 4.0,
        "loss_structural": 5.0,
        "loss_content": 2.0,
    }
    assert sums.take(lambda tensor: tensor) == {}
