"""skythought/backends/vllm.py: the answers of the backend hf, from another engine.

Those marked `engines` start vLLM: `make engines`. Here it may be the one for CPUs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skythought import backends, tasks
from skythought.backends import hf
from skythought.backends import vllm as ours
from skythought.core import formats, store
from skythought.core.errors import UserError
from skythought.core.records import Completion, Message, Request, Sampling, Trace

WHY = "needs vllm, in an environment of its own: make engines"
SMALL = {"enforce_eager": "true", "max_num_seqs": "4"}
GREEDY = Sampling(max_tokens=120)


QUESTIONS = (  # what mini says to them takes from 2 tokens to more than it may
    "hmm, no.",
    "oak oak oak oak",
    "From pine: oak 3, fir 7, and elm 12.",
    "From oak: pine 3, ash 2. From ash: fir 5. What is the toll from oak to fir? Think.",
)


def requests(n: int = 12) -> list[Request]:
    drawn = [p.question for p in tasks.draw("toll_roads", "test", 0, 0, 8)]
    return [Request(id=q, messages=(Message("user", q),)) for q in [*QUESTIONS, *drawn][:n]]


def by_id(answers: Iterator[Completion]) -> dict[str, Completion]:
    found = list(answers)
    assert len({c.id for c in found}) == len(found)
    return {c.id: c for c in found}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"dtype": "float8"}, "unknown dtype 'float8': did you mean 'float"),
        ({"tensor_parallel_size": "0"}, "tensor_parallel_size=0: give 1 or more"),
        ({"tensor_parallel_size": "two"}, "tensor_parallel_size=two: give a whole number"),
        ({"max_model_len": "-1"}, "max_model_len=-1: give 0 or more"),
        ({"gpu_memory_utilization": "90"}, "gpu_memory_utilization=90: give a share"),
        ({"gpu_memory_utilization": "nan"}, "gpu_memory_utilization=nan: give a share"),
        ({"enforce_eager": "maybe"}, "enforce_eager=maybe: give true or false"),
        ({"tp": "4"}, "unknown option of vllm 'tp': "),
    ],
)
def test_a_wrong_option_is_one_line(options: dict[str, str], told: str) -> None:
    with pytest.raises(UserError) as caught:
        backends.make("vllm", "mini", options)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match=r"run: pip install 'skythought\[vllm\]'"):
        backends.make("vllm", "mini", {})


class Invalid(ValueError):
    """An error that says what is wrong as pydantic does: a title first, then the reason."""

    def errors(self) -> list[dict[str, str]]:
        return [{"msg": "Value error, max_model_len (9)\nis too long. "}]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Invalid("1 validation error for ModelConfig\n  more"), "max_model_len (9) is too long"),
        (ValueError("No memory.\nTry this."), "No memory. Try this"),
        (ValueError(""), "ValueError"),
        (RuntimeError("x" * 1000), "x" * ours.SHOWN),
    ],
)
def test_what_vllm_says_is_one_line(error: Exception, said: str) -> None:
    assert ours._said(error) == said


@pytest.mark.parametrize(
    ("config", "room"),
    [({"r": 8}, 8), ({"r": 100}, 128), ({"r": 4, "rank_pattern": {"q": 64}}, 64), ({"r": 1}, 1)],
)
def test_there_is_room_for_an_adapter(config: dict[str, Any], room: int, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    assert ours._rank(tmp_path) == {"enable_lora": True, "max_lora_rank": room}
    assert ours._rank(None) == {}


def test_an_adapter_of_too_high_a_rank(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 1024}')
    with pytest.raises(UserError, match=r"has rank 1024, and vLLM takes 512 at most; merge it"):
        ours._rank(tmp_path)


@pytest.fixture(scope="module")
def mini() -> Any:
    pytest.importorskip("vllm", reason=WHY)
    os.environ |= {"VLLM_HOST_IP": "127.0.0.1"}  # keep to the loopback interface
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    return backends.make("vllm", "mini", SMALL)


@pytest.fixture(scope="module")
def expected() -> dict[str, Completion]:
    """Give what the backend hf says."""
    pytest.importorskip("vllm", reason=WHY)
    return by_id(backends.make("hf", "mini").complete(requests(), GREEDY))


@pytest.mark.engines
def test_greedy_answers_are_those_of_hf(mini: Any, expected: dict[str, Completion]) -> None:
    """Id, text, finish, and both token counts; more requests than the engine takes at once."""
    assert mini.identity == hf.identity("mini")
    inside = []
    found = {}
    for completion in mini.complete(requests(), GREEDY):
        inside.append(len(mini.inside))
        found[completion.id] = completion
    assert found == expected
    assert max(inside) <= mini.room == 8
    assert {c.finish for c in found.values()} == {"stop", "length"}


@pytest.mark.engines
def test_the_prompt_is_the_one_of_hf(mini: Any) -> None:
    """Token for token, as the engine reports it."""
    other = hf.HuggingFace("mini")
    turns = (Message("user", "oak?"), Message("assistant", "fir"), Message("user", "  and\n\n7? "))
    asked = [*requests(3), Request(id="turns", messages=turns)]
    for request in asked:
        mini.add(request, Sampling(max_tokens=1))
    seen: dict[str, list[int]] = {}
    while mini.engine.has_unfinished_requests():
        seen |= {o.request_id: list(o.prompt_token_ids) for o in mini.engine.step() if o.finished}
    mini.inside.clear()
    assert seen == {r.id: formats.prompt_ids(other.tokenizer, r.messages) for r in asked}


@pytest.mark.engines
def test_a_sampled_answer_depends_on_its_request_only(mini: Any) -> None:
    warm = Sampling(temperature=1.5, top_p=0.95, max_tokens=40)
    question = requests()[-1].messages
    asked = [Request(id=f"s{i}", messages=question, sample=i) for i in range(6)]
    together = by_id(mini.complete(asked, warm))
    alone = {r.id: next(iter(mini.complete([r], warm))) for r in reversed(asked)}
    assert alone == together
    assert len({c.text for c in together.values()}) > 1


@pytest.mark.engines
def test_an_answer_is_given_as_soon_as_it_ends(mini: Any) -> None:
    lengths = [c.completion_tokens for c in mini.complete(requests(4), GREEDY)]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) > 1


@pytest.mark.engines
def test_what_is_given_up_leaves_the_engine(mini: Any, expected: dict[str, Completion]) -> None:
    answers = mini.complete(requests(), GREEDY)
    next(answers)
    answers.close()
    assert not mini.inside
    assert not mini.engine.has_unfinished_requests()
    assert by_id(mini.complete(requests(2), GREEDY)) == {r.id: expected[r.id] for r in requests(2)}


@pytest.mark.engines
def test_a_prompt_without_room_is_an_error(mini: Any, capsys: pytest.CaptureFixture[str]) -> None:
    long = Request(id="long", messages=(Message("user", "oak to fir " * 600),))
    short = requests()[-1]
    found = by_id(mini.complete([long, short], Sampling(max_tokens=2000)))
    assert found["long"].finish == "error"
    assert "tokens, and the context, 1,024, has no room" in found["long"].error
    assert found["long"].prompt_tokens > 1024
    assert found[short.id].finish == "stop"
    told = " ".join(capsys.readouterr().err.split())
    assert "max_tokens=2000 do not fit into the context of 1,024 tokens" in told


@pytest.mark.engines
def test_it_goes_on_after_a_begun_answer(mini: Any) -> None:
    other = hf.HuggingFace("mini")
    begun = "The toll from oak to"
    asked = [msgspec.structs.replace(r, prefill=begun) for r in requests()[-3:]]
    assert by_id(mini.complete(asked, GREEDY)) == by_id(other.complete(asked, GREEDY))
    assert mini.render(asked[0]) == other.render(asked[0])
    assert mini.render(asked[0]).endswith(begun)


@pytest.mark.engines
def test_penalties_and_cuts_are_those_of_hf(mini: Any) -> None:
    """Greedy, where both are exact: with penalties, and where all but one token is cut off."""
    other = hf.HuggingFace("mini")
    for sampling in (
        Sampling(max_tokens=30, repetition_penalty=1.3),
        Sampling(max_tokens=30, presence_penalty=1.5),
        Sampling(max_tokens=30, temperature=1.0, top_k=1),
        Sampling(max_tokens=30, temperature=1.0, min_p=1.0),
    ):
        asked = requests(6)
        assert by_id(mini.complete(asked, sampling)) == by_id(other.complete(asked, sampling))


@pytest.mark.engines
def test_a_stop_text_ends_an_answer(mini: Any) -> None:
    asked = requests()[-2:]
    found = by_id(mini.complete(asked, Sampling(max_tokens=60, stop=("is \\boxed{",))))
    for completion in found.values():
        assert completion.finish == "stop"
        assert completion.text.startswith("<|begin_of_solution|>")
        assert " to " in completion.text
        assert "boxed" not in completion.text
    with pytest.raises(UserError, match="vllm backend: has no reasoning_effort; leave it out"):
        list(mini.complete(asked, Sampling(reasoning_effort="low")))


# From here on other engines are started, whose end is also that of the first in this process.


@pytest.mark.engines
@pytest.mark.parametrize(
    ("options", "space", "told"),
    [
        ({"max_model_len": "99999"}, "1", "max_model_len"),
        ({}, "99999", "export VLLM_CPU_KVCACHE_SPACE=2"),
    ],
)
def test_an_engine_that_cannot_start_is_one_line(
    options: dict[str, str], space: str, told: str, mini: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        pytest.skip("the memory of a CPU is what these ask too much of")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", space)
    with pytest.raises(UserError) as caught:
        list(backends.make("vllm", "mini", SMALL | options).complete(requests(1), GREEDY))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.engines
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"max_num_sqs": 4}', r"unknown argument of vLLM 'max_num_sqs': did you mean 'max_num_s"),
        ('{"model": "x"}', "model: not here; it is given with --model or as an option of its own"),
        ('{"dtype": "half"}', "dtype: not here"),
        ("[1]", "not a JSON object"),
        ("{", "not a JSON object"),
        ("args.json", "not a JSON object"),
    ],
)
def test_wrong_engine_args_are_one_line(text: str, told: str, mini: Any) -> None:
    with pytest.raises(UserError, match=told):
        backends.make("vllm", "mini", SMALL | {"engine_args": text})


@pytest.mark.engines
def test_more_engine_args(mini: Any, expected: dict[str, Completion]) -> None:
    given = {"engine_args": '{"max_num_batched_tokens": 2048, "enable_prefix_caching": false}'}
    backend: Any = backends.make("vllm", "mini", SMALL | given)
    found = by_id(backend.complete(requests(3), GREEDY))
    assert found == {r.id: expected[r.id] for r in requests(3)}
    assert backend.engine.vllm_config.scheduler_config.max_num_batched_tokens == 2048


@pytest.fixture
def adapter(mini: Any, tmp_path: Path) -> Path:
    """Give the folder of an adapter of mini that changes what it says."""
    peft: Any = pytest.importorskip("peft", reason="needs skythought[train]")
    import torch
    import transformers

    base = hf.locate("mini")
    torch.manual_seed(2)
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(transformers.AutoModelForCausalLM.from_pretrained(base), config)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.05)
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


@pytest.mark.engines
def test_an_adapter_answers_as_if_merged(adapter: Path, expected: dict[str, Completion]) -> None:
    merged: Any = backends.make("hf", str(adapter))
    ours: Any = backends.make("vllm", str(adapter), SMALL)
    assert ours.identity == merged.identity
    assert ours.identity.endswith(f"+{hf.identity('mini')}")
    found = by_id(ours.complete(requests(6), GREEDY))
    assert found == by_id(merged.complete(requests(6), GREEDY))
    assert found != {key: expected[key] for key in found}


@pytest.mark.engines
def test_an_adapter_that_vllm_cannot_use(adapter: Path) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"use_dora": True}))
    backend = backends.make("vllm", str(adapter), SMALL)
    with pytest.raises(UserError, match=r"vLLM cannot use this adapter: .*DoRA.*; merge it into"):
        list(backend.complete(requests(1), GREEDY))


@pytest.mark.engines
def test_a_killed_run_goes_on(mini: Any, tmp_path: Path) -> None:
    """Killed in the middle, then the same command: each answer once, none asked twice."""
    folder = tmp_path / "run"
    traces = folder / "traces.jsonl"
    words = (
        f"-m skythought generate --task toll_roads --limit 60 --backend vllm --model mini "
        f"--backend-args enforce_eager=true,max_num_seqs=2 --sampling-params max_tokens=120 "
        f"--result-dir {folder}"
    )
    command = [sys.executable, *words.split()]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not (traces.exists() and traces.stat().st_size):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, process.stderr and process.stderr.read()
    before = traces.read_bytes()
    kept = before[: before.rfind(b"\n") + 1]
    assert 0 < kept.count(b"\n") < 60
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{folder}: 60 traces" in done.stderr
    assert traces.read_bytes().startswith(kept)
    ids = [t.id for t in store.read(traces, Trace)]
    assert len(ids) == len(set(ids)) == 60
