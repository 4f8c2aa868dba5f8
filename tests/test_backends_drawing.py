"""skythought/backends/drawing.py: tokens are drawn as their probabilities say."""

from __future__ import annotations

from typing import Any

import pytest

from skythought.backends import drawing
from skythought.core.records import Sampling

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
pytest.importorskip("transformers", reason="needs skythought[train]")


def test_samples_follow_the_distribution() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    draws = [(i + 0.5) / 1000 for i in range(1000)]
    rows = logits.repeat(1000, 1)

    def counts(sampling: Sampling) -> list[int]:
        found: list[int] = torch.bincount(
            drawing.choose(rows, draws, sampling), minlength=4
        ).tolist()
        return found

    assert counts(Sampling(temperature=1.0)) == pytest.approx([500, 300, 150, 50], abs=1)
    assert counts(Sampling(temperature=1.0, top_p=0.8)) == pytest.approx([625, 375, 0, 0], abs=1)
    assert counts(Sampling(temperature=1.0, top_p=0.81)) == pytest.approx([526, 316, 158, 0], abs=1)
    assert counts(Sampling(temperature=1.0, top_p=0.1)) == [1000, 0, 0, 0]
    sharp = counts(Sampling(temperature=0.5))
    assert sharp == pytest.approx([685, 247, 62, 7], abs=2)
    assert counts(Sampling(temperature=0.0)) == [1000, 0, 0, 0]


def test_a_draw_that_rounds_to_one_is_a_likely_token() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    almost = [1 - 1e-12]
    assert drawing.choose(logits, almost, Sampling(temperature=1.0, top_p=0.6)).tolist() == [1]
    assert drawing.choose(logits, almost, Sampling(temperature=1.0)).tolist() == [3]


def test_top_k_and_min_p_leave_what_is_likely() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    draws = [(i + 0.5) / 1000 for i in range(1000)]

    def counts(**values: Any) -> list[int]:
        chosen = drawing.choose(logits.repeat(1000, 1), draws, Sampling(temperature=1.0, **values))
        found: list[int] = torch.bincount(chosen, minlength=4).tolist()
        return found

    assert counts(top_k=2) == pytest.approx([625, 375, 0, 0], abs=1)
    assert counts(top_k=9) == counts(min_p=0.0) == counts()
    assert counts(min_p=0.31) == pytest.approx([625, 375, 0, 0], abs=1)
    # top_p is a share of what the others left: 0.6 of 0.8 needs one token, not two
    assert counts(top_k=2, top_p=0.6) == [1000, 0, 0, 0]
    assert counts(top_p=0.6) == pytest.approx([625, 375, 0, 0], abs=1)


def test_penalties_are_those_of_transformers() -> None:
    from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

    logits = torch.tensor([[2.0, -1.0, 0.5, 3.0], [1.0, 1.0, -2.0, 0.0]])
    seen = drawing.Seen([[0, 1], [2]], 4, "cpu")
    seen.add(torch.tensor([3, 0]))
    whole = torch.tensor([[0, 1, 3], [2, 0, 0]])
    expected = RepetitionPenaltyLogitsProcessor(1.5)(whole, logits.clone())
    found = seen.penalize(logits, Sampling(repetition_penalty=1.5))
    assert torch.equal(found, expected)
    found = seen.penalize(logits, Sampling(presence_penalty=0.5))
    assert found.tolist() == [[2.0, -1.0, 0.5, 2.5], [0.5, 1.0, -2.0, 0.0]]
    seen.keep_rows(torch.tensor([1]))
    assert seen.said.tolist() == [[True, False, False, False]]
    assert not drawing.penalizes(Sampling(repetition_penalty=1.0, presence_penalty=0.0))
