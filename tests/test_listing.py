"""skythought/listing.py: what is listed is what the flags take."""

from __future__ import annotations

import json

import pytest

from skythought import backends, cli, listing, perturbations, tasks, verifiers

TABLES = {
    "tasks": [*tasks.TASKS, "reasoning_gym/NAME"],
    "verifiers": [*verifiers.VERIFIERS],
    "backends": [*backends.BACKENDS],
    "perturbations": [*perturbations.PERTURBATIONS],
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_name_is_listed_with_what_it_is(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["list", kind, "--json"]) == 0
    told = capsys.readouterr()
    rows = json.loads(told.out)
    assert [row["name"] for row in rows] == TABLES[kind]
    assert all(value for row in rows for value in row.values())
    for row in rows:
        assert row["name"][:12] in told.err


def test_sampling_and_recipes() -> None:
    families = [row["family"] for row in listing.list_sampling()]
    assert "QwQ" in families
    assert listing.list_recipes()[0]["name"] == "mini"


def test_of_another_package() -> None:
    assert listing._about("") == "of another package"
    assert listing._about("skythought.core.metrics:wilson").startswith("Give the 95 % interval")


def test_no_such_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "trees"]) == 2
    assert "kind trees: choose backends, perturbations" in capsys.readouterr().err
