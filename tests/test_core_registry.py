"""skythought/core/registry.py: one way from names to things."""

from __future__ import annotations

from pathlib import Path

import pytest

from skythought import backends, perturbations, tasks, verifiers
from skythought.core import registry
from skythought.core.errors import UserError

TABLE = {"decoder": "json:JSONDecoder", "broken": "no_such_module:x"}
TABLES = {
    "backend": backends.BACKENDS,
    "perturbation": perturbations.PERTURBATIONS,
    "task": tasks.TASKS,
    "verifier": verifiers.VERIFIERS,
}


def test_a_row_of_the_table() -> None:
    import json

    assert registry.resolve("reader", "decoder", TABLE) is json.JSONDecoder


def test_any_module_and_attribute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_readers.py").write_text("LINES = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.resolve("reader", "my_readers:LINES", TABLE) == 3


def test_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_readers.py").write_text("LINES = 4\n")
    info = tmp_path / "their_readers-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-readers\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[skythought.readers]\ntheirs = their_readers:LINES\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.resolve("reader", "theirs", TABLE) == 4
    with pytest.raises(UserError, match="did you mean 'theirs'"):
        registry.resolve("reader", "their", TABLE)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("decodr", "unknown reader 'decodr': did you mean 'decoder'?"),
        ("no_such_package.a:b", "there is no module 'no_such_package'"),
        ("json.nothing:b", "there is no module 'json.nothing'"),
        ("json:Nothing", "json has no 'Nothing'"),
        (":x", "expected package.module:attribute"),
        ("json:", "expected package.module:attribute"),
        (".json:x", "expected package.module:attribute"),
    ],
)
def test_what_nobody_knows(name: str, told: str) -> None:
    with pytest.raises(UserError, match=r"reader '") as caught:
        registry.resolve("reader", name, TABLE)
    assert told in str(caught.value)


def test_our_own_mistakes_keep_their_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModuleNotFoundError):
        registry.resolve("reader", "broken", TABLE)
    (tmp_path / "needs_more.py").write_text("import no_such_dependency\n")
    (tmp_path / "fails.py").write_text("import json\njson.nothing\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        registry.resolve("reader", "needs_more:x", TABLE)
    with pytest.raises(AttributeError):
        registry.resolve("reader", "fails:x", TABLE)


@pytest.mark.parametrize("kind", TABLES)
def test_every_row_of_every_table_leads_somewhere(kind: str) -> None:
    if kind == "backend":
        pytest.importorskip("transformers", reason="needs skythought[train]")
    for name in TABLES[kind]:
        assert registry.resolve(kind, name, TABLES[kind]) is not None
