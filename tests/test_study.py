"""skythought/study.py: arms and what is common to them."""

from __future__ import annotations

import pytest

from skythought import study
from skythought.core.errors import UserError


def names(text: str, *, fast: bool = False) -> list[str]:
    return [arm.name for arm in study.choose(text, fast)]


def test_the_paper_has_nineteen_rows_and_all_are_there() -> None:
    paper = [a for a in study.ARMS.values() if a.name not in ("correct_full", "short_answers")]
    assert len(paper) == 19
    levels = {(a.kind, a.fraction) for a in paper if a.kind}
    assert levels == {
        *(("digits", f) for f in (0.2, 0.5, 0.7, 1.0)),
        *(("keywords", f) for f in (0.2, 0.5, 1.0)),
        *((kind, f) for kind in ("shuffle", "delete", "insert") for f in (0.33, 0.67, 1.0)),
    }


def test_the_default_has_the_rows_of_the_article_and_two_more() -> None:
    wanted = {"wrong_answers", "digits_50", "keywords_100", "shuffled_67", "deleted_100"}
    assert {*wanted, "inserted_67", "deleted_67", "base", "correct", "correct_full"} <= {
        *names("default")
    }
    assert names("") == names("default")


def test_base_and_clean_are_always_there_and_the_order_is_the_tables() -> None:
    assert names("shuffled_67,digits_50") == ["base", "correct", "digits_50", "shuffled_67"]
    assert names("digits_50, digits_50,") == names("default,digits_50")
    assert names("paper") == [*study.ARMS]
    assert names("default", fast=True) == [*study.FAST]


def test_an_unknown_arm_names_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown arm 'shuffled_66': did you mean 'shuffled_67'"):
        study.choose("shuffled_66", fast=False)


def test_arms_differ_in_their_data_only() -> None:
    """Settings are one object for all; an arm has no field that could tune its training."""
    fields = set(study.Arm.__dataclass_fields__)
    assert fields == {"name", "title", "group", "method", "source", "kind", "fraction"}
