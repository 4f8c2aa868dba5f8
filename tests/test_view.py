"""`skythought view` from the outside: files of every shape, asked over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from view_site import THOUGHT, Opened, run_folder, trace, write

from skythought import score, view
from skythought.core.errors import UserError

Open = Callable[..., Opened]


def test_a_run_folder(opened: Open, tmp_path: Path) -> None:
    site = opened(run_folder(tmp_path / "teacher"), measured=True)
    assert site.ids() == ["a", "b"]
    body = site.get("/").body
    assert "2 traces" in body
    assert "correct (1)" in body  # of two verdicts the last holds
    assert "no answer (1)" in body
    page = site.get("/trace/teacher/a").body
    assert "boxed; number" in page
    assert "math@6" in page
    assert "<math><mrow><mn>4</mn><mo>·</mo><mn>3</mn></mrow></math>" in page
    assert re.findall(r'<span class="role">(\w+)</span>', page) == [
        *("restate", "compute", "verify", "conclude")
    ]
    assert re.search(r'said fails" title="✗ 36-6 = 31 fails">36 - 6 = 31<', page)
    assert re.search(r'said holds" title="✓ 3\*12 = 36 holds">3 \* 12 = 36<', page)
    assert "<mark>Wait</mark>" in page
    assert "1 other answer" in page


def test_every_shape_of_trace(opened: Open, tmp_path: Path) -> None:
    said = f"<think>\n{THOUGHT}\n</think>\n\nIt is \\boxed{{30}}."
    turns = [{"role": "user", "content": "q one"}, {"role": "assistant", "content": said}]
    shares = [{"from": "human", "value": "q two"}, {"from": "gpt", "value": said}]
    path = write(
        tmp_path / "mixed.jsonl",
        {"messages": turns},
        {"conversations": shares},
        {"problem": "q three", "response": said, "answer": "30"},
        {"prompt": "q four", "completion": said},
        {"id": "e", "trace_id": "gone", "messages": turns[:1], "completion": said, "tags": []},
        trace("own"),
    )
    site = opened(path)
    assert len(site.ids()) == 6
    for key in site.ids():
        page = site.get(f"/trace/mixed/{key}")
        assert page.status == 200
        assert "<mark>Wait</mark>" in page.body
    assert "gone, which is in none of these files" in site.get("/trace/mixed/e").body


def test_rows_of_the_same_id_all_count_in_a_file_and_have_their_verdicts(
    opened: Open, tmp_path: Path
) -> None:
    row = {"id": "x", "problem": "What is 1+1?", "answer": "2"}
    path = write(
        tmp_path / "many.jsonl",
        {**row, "response": "\\boxed{2}"},
        {**row, "response": "\\boxed{3}"},
        {**row, "response": "\\boxed{3}"},
    )
    assert score.run(score.Config(input=path, workers=1)) == {"correct": 1, "incorrect": 2}
    site = opened(path)
    assert len(set(site.ids())) == 3
    assert len(site.ids("verdict=incorrect")) == 2
    assert site.ids("verdict=correct") == ["x"]


def test_a_row_replaces_an_earlier_one_in_a_run_folder(opened: Open, tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "teacher")
    failed = trace("a", finish="error", error="timed out", thought="", answer="")
    write(folder / "traces.jsonl", failed, trace("a"))
    site = opened(folder)
    assert site.ids() == ["a"]
    assert site.ids("end=error") == []


def test_what_is_no_trace_is_listed(opened: Open, tmp_path: Path) -> None:
    path = write(tmp_path / "some.jsonl", {"problem": "q", "response": "a"}, {"foo": 1})
    path.write_text(path.read_text() + "not json <b>\n" + json.dumps(trace("z")) + "\n")
    site = opened(path)
    assert len(site.ids()) == 2
    page = site.get("/faults").body
    assert "some.jsonl:2: unknown row with fields foo" in page
    assert "some.jsonl:3: not valid JSON" in page


def test_nothing_to_show(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(UserError, match="no such file"):
        view.index([tmp_path / "gone.jsonl"], cache)
    with pytest.raises(UserError, match=r"no traces to show; .*bad\.jsonl:1: unknown row"):
        view.index([write(tmp_path / "bad.jsonl", {"foo": 1})], cache)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no run folder and no \.jsonl file"):
        view.index([tmp_path / "empty"], cache)


def test_a_folder_of_run_folders(opened: Open, tmp_path: Path) -> None:
    run_folder(tmp_path / "study" / "one" / "greedy")
    run_folder(tmp_path / "study" / "two" / "greedy")
    site = opened(tmp_path / "study")
    assert len(site.ids()) == 4
    assert site.ids("source=one%2Fgreedy") == ["a", "b"]
    assert site.get("/trace/two%2Fgreedy/a").status == 200


def test_original_and_perturbed(opened: Open, tmp_path: Path) -> None:
    path = write(tmp_path / "clean.jsonl", trace("a"))
    steps = THOUGHT.replace("36. And", "39. And").split("\n\n")
    made = trace("a2", parent="a", edits=["shuffle fraction=1 seed=0"])
    made["thought"] = "\n\n".join([steps[0], steps[3], steps[2], steps[1]])
    made["answer"] = "The answer is \\boxed{31}."
    perturbed = write(tmp_path / "shuffled.jsonl", made)
    site = opened(path, perturbed)
    page = site.get("/diff/shuffled/a2")
    assert page.status == 200
    assert "moved to row" in page.body
    assert "and digits changed" in page.body
    assert re.search(r"<del>30</del>.*<ins>31</ins>", page.body, re.DOTALL)
    assert site.get("/diff/clean/a").status == 404  # was made from nothing
    assert "What the perturbation did" in site.get("/trace/shuffled/a2").body
    assert "shuffle fraction=1 seed=0" in site.get("/trace/clean/a").body


def test_side_by_side(opened: Open, tmp_path: Path) -> None:
    site = opened(run_folder(tmp_path / "teacher"))
    page = site.get("/compare/teacher/a/teacher/b")
    assert page.status == 200
    assert page.body.count('<ol class="steps">') == 2
    assert "different problems" not in page.body
    assert site.get("/compare/teacher/a/teacher/zzz").status == 404


def test_the_trace_before_and_after_are_those_of_the_list(opened: Open, tmp_path: Path) -> None:
    rows = [trace(f"t{i}", model="even" if i % 2 == 0 else "odd") for i in range(6)]
    site = opened(write(tmp_path / "six.jsonl", *rows))
    page = site.get("/trace/six/t2?model=even&sort=-tokens").body
    assert "2 of 3" in page
    assert re.findall(r'href="([^"]+)" rel="(\w+)"', page) == [
        ("/trace/six/t0?model=even&amp;sort=-tokens", "prev"),
        ("/trace/six/t4?model=even&amp;sort=-tokens", "next"),
    ]
    assert "/?model=even&amp;sort=-tokens" in page


def test_formulas_as_they_are_written(opened: Open, tmp_path: Path) -> None:
    site = opened(write(tmp_path / "one.jsonl", trace("a")))
    assert "<math" in site.get("/trace/one/a").body
    page = site.get("/trace/one/a?as=written").body
    assert "<math" not in page
    assert "$4 \\cdot 3$" in page


def test_the_command_serves_measures_and_ends(tmp_path: Path) -> None:
    """As a user does it: start, read the address, look, Ctrl-C."""
    folder = run_folder(tmp_path / "teacher")
    command = [sys.executable, "-m", "skythought", "view", str(folder), "--port", "0"]
    with subprocess.Popen(
        [*command, "--cache", str(tmp_path / "cache")],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(view.__file__).parents[1])},
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.fullmatch(r"2 traces: http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends\)\n", line)
            assert found, line
            until = time.monotonic() + 60
            while True:
                wire = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
                wire.request("GET", "/?role=verify")
                body = wire.getresponse().read().decode()
                wire.close()
                if "so far" not in body:
                    break
                assert time.monotonic() < until, "structure is never measured"
                time.sleep(0.1)
            assert "1 of 2 traces" in body
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
            assert process.stderr.read() == "ended\n"
        finally:
            process.kill()
