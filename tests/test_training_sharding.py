"""skythought/training/sharding.py: two processes train as one, whole models or in pieces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forked_runs import run_all
from test_train_resume import steps, weights

from skythought.core.errors import UserError

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
pytest.importorskip("trl", reason="needs skythought[train]")

METHODS: dict[str, dict[str, Any]] = {
    "lora": {"lora_r": 4, "lr": 1e-2},
    "full": {"full": True, "lr": 1e-3},
    "full, tied": {"full": True, "lr": 1e-3},
    "lora, checkpointing": {"lora_r": 4, "lr": 1e-2, "gradient_checkpointing": True},
    "full, checkpointing": {"full": True, "lr": 1e-3, "gradient_checkpointing": True},
    "simpo": {"objective": "simpo", "lora_r": 4, "lr": 1e-2},
    "simpo, full": {"objective": "simpo", "full": True, "lr": 1e-3},
    "dpo": {"objective": "dpo", "lora_r": 4, "lr": 1e-2},
    "dpo, full": {"objective": "dpo", "full": True, "lr": 1e-3},
}
METHODS["lora, gone on with"] = {"lr": 1e-2}
METHODS["full, from an adapter"] = METHODS["full"]
METHODS["dpo, gone on with"] = {"objective": "dpo", "lr": 1e-2}
METHODS["lora, bfloat16"] = {**METHODS["lora"], "dtype": "bfloat16"}
QUICK = ("lora", "full", "simpo")
SLOW = [pytest.param(m, marks=pytest.mark.slow) for m in METHODS if m not in QUICK]
KINDS = {"one": (1, ""), "ddp": (2, "ddp"), "fsdp": (2, "fsdp")}


@pytest.fixture(scope="module")
def tied_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the tiny model with one matrix for input and output."""
    import transformers

    folder = tmp_path_factory.mktemp("models") / "tied"
    config = transformers.AutoConfig.from_pretrained(tiny_model)
    config.tie_word_embeddings = True
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("method", [*QUICK, *SLOW])
def test_two_processes_train_as_one(
    method: str, tiny_model: Path, tied_model: Path, tmp_path: Path
) -> None:
    """The same losses, the same weights in the same files, whoever holds what."""
    dataset, demonstrations = tmp_path / "data.jsonl", tmp_path / "demonstrations.jsonl"
    rows = [
        {"problem": f"what is {i} plus {j}?", "response": f"wait, {i + j}."}
        for i in range(4)
        for j in range(6)
    ]
    demonstrations.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if METHODS[method].get("objective"):
        rows = [{**row, "chosen": row["response"][6:], "rejected": row["response"]} for row in rows]
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))

    base = tied_model if "tied" in method else tiny_model
    first = {"base_model": str(base), "dataset": demonstrations, "output_dir": tmp_path / "adapter"}
    first |= {"max_steps": 2, "batch_size": 8, "lr": 1e-2, "lora_r": 4, "micro_batch_size": 2}
    before = [{"values": first}] if "adapter" in method or "gone on" in method else []

    def job(name: str) -> dict[str, Any]:
        processes, sharding = KINDS[name]
        values = {
            "base_model": str(tmp_path / "adapter" if before else base),
            "dataset": dataset,
            "output_dir": tmp_path / name,
            "batch_size": 8,
            "micro_batch_size": 2,
            "max_steps": 3,
            "warmup": 0.0,
            "save_every": 2,
            "sharding": sharding,
            **METHODS[method],
        }
        # Sharded weights are read by the first process alone, but for the reference of a whole dpo.
        blind = {"blind": True} if sharding == "fsdp" and method != "dpo, full" else {}
        return {"values": values, "processes": processes, **blind}

    assert not any(run_all(before + [job(name) for name in KINDS]))
    expected, tensors = steps(tmp_path / "one"), weights(tmp_path / "one")
    assert len(expected) == 3
    near, close = (2e-2, 2e-2) if "bfloat16" in method else (1e-3, 1e-4)
    for name in ("ddp", "fsdp"):
        found = steps(tmp_path / name)
        assert [row["tokens"] for row in found] == [row["tokens"] for row in expected]
        for key in set(expected[0]) - {"tokens"}:
            numbers = [[row[key] for row in rows] for rows in (found, expected)]
            assert numbers[0] == pytest.approx(numbers[1], rel=near, abs=2e-5), (name, key)
        files = [sorted(p.name for p in (tmp_path / n).iterdir()) for n in (name, "one")]
        assert files[0] == files[1]
        after = weights(tmp_path / name)
        extra = after.keys() - tensors.keys()
        assert after.keys() >= tensors.keys()
        tied_in_pieces = name == "fsdp" and "tied" in method  # written under both its names
        assert extra <= ({"lm_head.weight"} if tied_in_pieces else set())
        for key, tensor in tensors.items():
            assert after[key].dtype == tensor.dtype
            assert torch.allclose(after[key], tensor, atol=close), (name, key)
        assert json.loads((tmp_path / name / "manifest.json").read_text())["done"] is True


def test_torchrun_makes_one_run_on_cpus(tiny_model: Path, tmp_path: Path) -> None:
    """Started as docs say, with nothing else said; each was a run of its own."""
    dataset, folder = tmp_path / "data.jsonl", tmp_path / "run"
    rows = [{"problem": f"what is {i}?", "response": f"{i}"} for i in range(8)]
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))
    hidden = ("ACCELERATE_USE_CPU", "RANK", "WORLD_SIZE")
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "torch.distributed.run",
                "--standalone",
                "--nproc_per_node",
                "2",
            ),
            *("-m", "skythought", "train", "--base_model", str(tiny_model), "--lora_r", "4"),
            *("--dataset", str(dataset), "--batch_size", "8", "--max_steps", "1"),
            *("--output_dir", str(folder)),
        ],
        env={k: v for k, v in os.environ.items() if k not in hidden} | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stderr.count("lint: 8 samples") == 1
    row = json.loads((folder / "log.jsonl").read_text())
    assert row["tokens_per_s_device"] == pytest.approx(row["tokens_per_s"] / 2, rel=0.02)


def test_processes_that_do_not_know_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from skythought.training import sft

    class Alone:
        n_gpu, world_size = 1, 1

        def __init__(self, **_: Any) -> None: ...

    monkeypatch.setattr(sft, "TrainingArguments", Alone)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="2 processes were started, and Accelerate finds 1"):
        sft.devices()


def test_what_cannot_be_shared_is_refused() -> None:
    from skythought.training import sharding

    assert [sharding.choose("", n) for n in (1, 2)] == ["none", "ddp"]
    assert sharding.choose("fsdp", 8) == "fsdp"
    for asked in ("ddp", "fsdp"):
        with pytest.raises(UserError, match=f"--sharding {asked} shares .* start it with torchrun"):
            sharding.choose(asked, 1)
    with pytest.raises(UserError, match="--sharding none is for one process, and these are 2"):
        sharding.choose("none", 2)


@pytest.mark.slow
@pytest.mark.parametrize("offload", [False, True])
@pytest.mark.parametrize("kind", ["untied", "tied", "bfloat16", "checkpointing"])
def test_zero3_trains_as_one_and_goes_on(
    kind: str, offload: bool, tiny_model: Path, tied_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("deepspeed", reason="needs skythought[deepspeed]")
    dataset = tmp_path / "data.jsonl"
    rows = [{"problem": f"what is {i} plus 3?", "response": f"wait, {i + 3}."} for i in range(24)]
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))
    values: dict[str, Any] = {"base_model": str(tied_model if kind == "tied" else tiny_model)}
    values |= {"gradient_checkpointing": kind == "checkpointing"}
    values |= {"dtype": "bfloat16"} if kind == "bfloat16" else {}
    values |= {
        "dataset": dataset,
        "full": True,
        "lr": 1e-3,
        "batch_size": 8,
        "micro_batch_size": 2,
        "warmup": 0.0,
    }
    values |= {"max_steps": 8, "save_every": 2}

    def job(name: str, **more: Any) -> dict[str, Any]:
        own: dict[str, Any] = {"output_dir": tmp_path / name}
        if name != "one":
            own |= {"sharding": "zero3", "offload": offload}
            more["blind"] = True  # weights are read by the first process alone
        return {"values": values | own, "processes": 1 if name == "one" else 2, **more}

    jobs = [job("one"), job("zero3"), job("killed", moment="after step 5"), job("killed")]
    assert run_all(jobs) == [0, 0, 1, 0]
    expected, tensors = steps(tmp_path / "one"), weights(tmp_path / "one")
    found, after = steps(tmp_path / "zero3"), weights(tmp_path / "zero3")
    assert [row["tokens"] for row in found] == [row["tokens"] for row in expected]
    rounded = kind == "bfloat16"  # where one process has no exact weights behind, so steps are lost
    n, near = (2, 5e-2) if rounded else (8, 1e-3)
    for key in set(expected[0]) - {"tokens"}:
        numbers = [[row[key] for row in rows[:n]] for rows in (found, expected)]
        assert numbers[0] == pytest.approx(numbers[1], rel=near, abs=2e-5), key
    files = [sorted(p.name for p in (tmp_path / n).iterdir()) for n in ("zero3", "one")]
    assert files[0] == files[1]
    for key, tensor in tensors.items():
        assert after[key].dtype == tensor.dtype
        assert rounded or torch.allclose(after[key], tensor, atol=1e-4), key
    assert steps(tmp_path / "killed") == found
    again = weights(tmp_path / "killed")
    assert all(torch.equal(again[key], tensor) for key, tensor in after.items())


def test_what_zero3_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from skythought import train
    from skythought.training import refusals, sharding

    def check(**values: Any) -> None:
        config = train.Config(base_model="x", dataset=Path("y"), **values)
        refusals.check(config, train.hyperparameters(config))

    check(full=True, sharding="zero3", offload=True)
    with pytest.raises(UserError, match="zero3 is for --full and demonstrations"):
        check(sharding="zero3")
    with pytest.raises(UserError, match="zero3 is for --full and demonstrations"):
        check(full=True, objective="simpo", sharding="zero3")
    with pytest.raises(UserError, match="--offload goes with --sharding zero3"):
        check(full=True, sharding="fsdp", offload=True)
    with pytest.raises(UserError, match="with --sharding zero3 none has all"):
        sharding.choose("zero3", 2, evaluates=True)
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    with pytest.raises(UserError, match=r"pip install 'skythought\[deepspeed\]'"):
        sharding.arguments("zero3", checkpointing=False)


@pytest.mark.parametrize("change", ["", "dtype", "shape", "name", "buffer"])
def test_weights_are_sent_only_where_all_would_have_the_same(
    change: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Router biases, say, are buffers, which are not sent; others keep some weights in float32."""
    import transformers

    from skythought.training import sharding, skeleton

    first = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    other = skeleton.build(str(tiny_model), "float32", room=True)
    norm = other.model.norm
    if change == "dtype":
        norm.to(torch.bfloat16)
    if change == "shape":
        norm.weight = torch.nn.Parameter(torch.empty(3))
    if change == "name":
        norm.register_parameter("bias", torch.nn.Parameter(torch.empty(3)))
    if change == "buffer":
        for model in (first, other):
            model.model.norm.register_buffer("scale", torch.ones(1))
    sent: list[Any] = []

    def gather(mine: list[Any]) -> list[Any]:
        sent.extend(mine)
        return sent

    monkeypatch.setattr(sharding, "gather_object", gather)
    assert sharding.alike(first, "zero3") is (change != "buffer")
    assert sharding.alike(other, "zero3") is (not change)
    if change == "buffer":
        with pytest.raises(UserError, match=r"does not spread model\.norm\.scale"):
            sharding.alike(other, "fsdp")


def test_training_tells_who_splits_the_model(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DeepSpeed first moves all of it to each card, so what fits hangs on it."""
    from skythought import train
    from skythought.training import memory, sft, sharding

    class Enough(Exception):
        """Nothing further is wanted."""

    def told(*_: Any, **values: Any) -> int:
        asked.update(values)
        raise Enough

    asked: dict[str, Any] = {}
    monkeypatch.setattr(sft, "devices", lambda **_: 2)
    monkeypatch.setattr(sharding, "alike", lambda *_: True)
    monkeypatch.setattr(memory, "tokens_that_fit", told)
    dataset = tmp_path / "data.jsonl"
    dataset.write_text(json.dumps({"problem": "3?", "response": "3"}) + "\n")
    for name, offload in (("zero3", True), ("zero3", False), ("fsdp", False), ("ddp", False)):
        values: dict[str, Any] = {"sharding": name, "offload": offload}
        values["output_dir"] = tmp_path / "run"
        with pytest.raises(Enough):
            train.run(
                train.Config(base_model=str(tiny_model), dataset=dataset, full=True, **values)
            )
        found = asked["shards"], asked["zero3"], asked["offload"]
        assert found == (1 if name == "ddp" else 2, name == "zero3", offload)


def test_machines_of_unlike_memory_cut_a_batch_alike(tiny_model: Path, tmp_path: Path) -> None:
    """The least that any can hold is what all take, or they would wait for each other for ever."""
    import transformers

    from skythought.training import memory

    dataset = tmp_path / "data.jsonl"
    rows = [{"problem": f"what is {i}?", "response": "wait, " * i + "7"} for i in range(1, 13)]
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)

    def fit(n_bytes: int) -> int:
        found = memory.tokens_that_fit(model, full=False, checkpointing=False, memory=n_bytes, r=4)
        assert found is not None
        return found

    much = 2**30
    little = next(n for n in range(2**18, much, 2**14) if fit(n) > 60)
    assert fit(much) > 1024 > fit(little)
    jobs = {"alike": [little] * 2, "unlike": [much, little], "much": [much] * 2}
    values = {"base_model": str(tiny_model), "dataset": dataset, "lora_r": 4, "batch_size": 12}
    assert not any(
        run_all(
            [
                {
                    "values": {**values, "output_dir": tmp_path / name, "max_steps": 2},
                    "processes": 2,
                    "memory": held,
                }
                for name, held in jobs.items()
            ]
        )
    )
    manifests = {n: json.loads((tmp_path / n / "manifest.json").read_text()) for n in jobs}
    taken = {name: found["counts"]["micro_batch_tokens"] for name, found in manifests.items()}
    assert taken == {"alike": fit(little), "unlike": fit(little), "much": 1024}
    exact = [[row["loss"] for row in steps(tmp_path / name)] for name in jobs]
    assert exact[0] == exact[1] == pytest.approx(exact[2], rel=1e-4)


def test_processes_wait_for_the_one_that_evaluates(tiny_model: Path, tmp_path: Path) -> None:
    dataset, task = tmp_path / "data.jsonl", tmp_path / "sums.jsonl"
    rows = [{"problem": f"what is {i}?", "response": f"{i}"} for i in range(4)]
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task.write_text(json.dumps({"problem": "what is 7?", "answer": "7"}) + "\n")
    values = {"base_model": str(tiny_model), "dataset": dataset, "lora_r": 4, "batch_size": 4}
    values |= {"output_dir": tmp_path / "run", "max_steps": 2, "save_every": 1}
    values |= {"eval_task": str(task), "eval_tokens": 4}
    assert run_all([{"values": values, "processes": 2, "patience": 2}]) == [0]
    assert len([row for row in steps(tmp_path / "run") if "eval_accuracy" in row]) == 2
