"""skythought/training/preference.py: the losses of the papers, on our own tokens."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from test_training import norm, settings

from skythought import train
from skythought.core import formats, jsonl
from skythought.core.errors import UserError
from skythought.core.records import Example, Message

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")
pytest.importorskip("trl", reason="needs skythought[train]")

BETA, GAMMA = {"simpo": 2.0, "dpo": 0.1}, {"simpo": 0.3, "dpo": 0.0}


def pair(ask: str, chosen: str, rejected: str) -> Example:
    turns = (Message("user", ask),)
    return Example(id=ask, trace_id="", messages=turns, completion=chosen, rejected=rejected)


PAIRS = [
    pair("3?", "4.", "wait, let me check again. 4."),
    pair("what is the toll from oak to fir?", "7.", "hmm, 7. wait, 7."),
    pair("oak, elm", "no, fir pine", "yes"),
]


def loaded(tiny_model: Path) -> tuple[Any, Any]:
    transformers.set_seed(0)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    return model, transformers.AutoTokenizer.from_pretrained(tiny_model)


def fit(tiny_model: Path, folder: Path, kind: str, **values: Any) -> tuple[list[Any], Any]:
    """Train on the pairs; gives (rows of the log, model)."""
    from skythought.training import preference

    model, tokenizer = loaded(tiny_model)
    chosen = settings(**values)
    pairs = preference.tokenize(tokenizer, PAIRS, 100)
    objective = preference.Objective(kind, BETA[kind], GAMMA[kind])
    preference.fit(model, tokenizer, pairs, objective, chosen, folder)
    return [row for _, row in jsonl.read_rows(folder / "log.jsonl")], model


def by_hand(kind: str, model: Any, reference: Any, tokenizer: Any) -> dict[str, Any]:
    """Loss over all pairs by the formulas of the papers, one answer at a time, and rewards."""

    def logp(net: Any, prompt: list[int], said: list[int]) -> Any:
        logs = torch.log_softmax(net(torch.tensor([prompt + said])).logits[0].float(), -1)
        return torch.stack([logs[len(prompt) + j - 1, t] for j, t in enumerate(said)]).sum()

    def reward(prompt: list[int], said: list[int]) -> Any:
        if kind == "simpo":
            return BETA[kind] / len(said) * logp(model, prompt, said)
        with torch.no_grad():
            before = logp(reference, prompt, said)
        return BETA[kind] * (logp(model, prompt, said) - before)

    rewards = []
    for one in PAIRS:
        prompt = formats.prompt_ids(tokenizer, one.messages)
        answers = (
            formats.completion_ids(tokenizer, one.messages, said)
            for said in (one.completion, one.rejected)
        )
        rewards.append(torch.stack([reward(prompt, said) for said in answers]))
    margins = torch.stack([chosen - rejected for chosen, rejected in rewards])
    loss = -torch.log(torch.sigmoid(margins - GAMMA[kind])).mean()
    return {
        "loss": loss,
        "chosen_reward": sum(r[0].item() for r in rewards) / len(PAIRS),
        "rejected_reward": sum(r[1].item() for r in rewards) / len(PAIRS),
        "margin": margins.mean().item(),
        "accuracy": (margins > 0).float().mean().item(),
    }


@pytest.mark.parametrize(("batch", "micro"), [(3, 3), (3, 1), (4, 2)])
@pytest.mark.parametrize("kind", ["simpo", "dpo"])
def test_the_loss_is_the_formula_averaged_over_the_pairs_of_a_step(
    kind: str, batch: int, micro: int, tiny_model: Path, tmp_path: Path
) -> None:
    """At the second step, when a reference differs; cut in two, three pairs are 2 and 1."""
    asked = {"batch_size": batch, "micro_samples": micro, "lr": 1e-3}
    _, moved = fit(tiny_model, tmp_path / "one", kind, **asked)
    moved.eval()
    rows, _ = fit(tiny_model, tmp_path / "two", kind, max_steps=2, epochs=2, **asked)
    base, tokenizer = loaded(tiny_model)
    expected = by_hand(kind, moved, base, tokenizer)
    expected["loss"].backward()
    assert rows[1]["loss"] == pytest.approx(expected.pop("loss").item(), abs=2e-5)
    assert rows[1]["loss"] != pytest.approx(rows[0]["loss"], abs=1e-3)
    gradients = {k: p.grad for k, p in moved.named_parameters()}
    assert rows[1]["grad_norm"] == pytest.approx(norm(gradients), rel=1e-4)
    if micro != 2:  # of the micro-batches, these are means of means
        for name, value in expected.items():
            assert rows[1][name] == pytest.approx(value, abs=2e-5), name
    if kind == "dpo":
        assert rows[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)


def test_pairs_are_tokenized_as_demonstrations(tiny_model: Path) -> None:
    from skythought.training import data, preference

    _, tokenizer = loaded(tiny_model)
    pairs = preference.tokenize(tokenizer, PAIRS, 100)
    for field, answers in (("completion", pairs.chosen_ids), ("rejected", pairs.rejected_ids)):
        alone = [pair(e.messages[0].content, getattr(e, field), "") for e in PAIRS]
        rows = data.tokenize(tokenizer, alone, 100)
        assert [p + a for p, a in zip(pairs.prompt_ids, answers, strict=True)] == [
            *map(list, rows.input_ids)
        ]
        assert [[t for t in row if t != data.IGNORED] for row in rows.labels] == answers
    assert (pairs.n_rows, pairs.truncated, pairs.dropped) == (3, 0, 0)
    assert pairs.longest == 2 * max(map(len, rows.input_ids))


def test_what_is_too_long_or_the_same_is_cut_or_left_out(tiny_model: Path) -> None:
    from skythought.training import preference

    _, tokenizer = loaded(tiny_model)
    long, same = pair("3?", "4.", "4 " * 30), pair("3?", "4 " * 20, "4 " * 30)
    endless = pair("oak " * 30, "4.", "5.")
    pairs = preference.tokenize(tokenizer, [PAIRS[2], long, same, endless], 16)
    assert (pairs.n_rows, pairs.truncated, pairs.dropped) == (2, 1, 2)
    assert pairs.rejected_ids[1][-1] != tokenizer.eos_token_id
    with pytest.raises(UserError, match="nothing to train on in 2 pairs: 1 prompts are longer tha"):
        preference.tokenize(tokenizer, [same, endless], 16)
    with pytest.raises(UserError, match="example 2 of the dataset is no pair; simpo and dpo need"):
        preference.tokenize(tokenizer, [PAIRS[0], pair("3?", "4.", "")], 16)
    with pytest.raises(UserError, match="nothing to train on in 0 pairs"):
        preference.tokenize(tokenizer, [], 16)


def test_passes_are_as_large_as_memory_lets() -> None:
    from skythought.training import preference

    def shares(n_devices: int = 1, **values: Any) -> tuple[int, int]:
        return preference.shares(settings(**values), 100, n_devices)

    assert shares(batch_size=8, micro_tokens=500) == (8, 4)
    assert shares(batch_size=8, micro_tokens=500, n_devices=4) == (2, 2)
    assert shares(batch_size=6, micro_tokens=99) == (6, 1)
    assert shares(batch_size=6, micro_tokens=99, micro_samples=3) == (6, 3)
    with pytest.raises(UserError, match="--batch_size 8 cannot be shared by 3 processes"):
        shares(batch_size=8, n_devices=3)
    with pytest.raises(UserError, match="--micro_batch_size 3 does not divide the 4 pairs of a pr"):
        shares(batch_size=8, n_devices=2, micro_samples=3)


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def config(tiny_model: Path, tmp_path: Path) -> Any:
    rows = [
        {
            "prompt": [{"role": "user", "content": f"what is {i}?"}],
            "chosen": [{"role": "assistant", "content": f"{i}."}],
            "rejected": [{"role": "assistant", "content": f"wait, let me check. hmm, {i}."}],
        }
        for i in range(8)
    ]
    dataset = tmp_path / "pairs.jsonl"
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def make(objective: str, name: str = "out", **values: Any) -> train.Config:
        plain: dict[str, Any] = {
            "base_model": str(tiny_model),
            "dataset": dataset,
            "objective": objective,
            "output_dir": tmp_path / name,
            "batch_size": 8,
            "lora_r": 4,
            "lr": 1e-2,
            "max_steps": 8,
        }
        return train.Config(**(plain | values))

    return make


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in jsonl.read_rows(folder / "log.jsonl")]


@pytest.mark.parametrize("method", [{}, {"full": True}], ids=["lora", "full"])
@pytest.mark.parametrize("objective", ["simpo", "dpo"])
def test_the_chosen_answer_becomes_the_likelier(
    objective: str, method: dict[str, Any], config: Any, tmp_path: Path
) -> None:
    result = train.run(config(objective, **method))
    rows = rows_of(tmp_path / "out")
    assert (result["steps"], result["samples"]) == (8, 8)
    assert rows[-1]["margin"] > rows[0]["margin"] + 0.1
    assert rows[-1]["accuracy"] == 1
    assert rows[-1]["chosen_reward"] > rows[-1]["rejected_reward"]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[1]["tokens"] == 2 * rows[0]["tokens"] > 0
    names = {p.name for p in (tmp_path / "out").iterdir()}
    weights = "model.safetensors" if method else "adapter_model.safetensors"
    assert weights in names
    assert not {"ref", "checkpoints", "training_args.bin"} & names


@pytest.mark.parametrize("objective", ["sft", "simpo", "dpo"])
def test_an_adapter_is_trained_on(
    objective: str,
    config: Any,
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As in Sky-T1-Flash, which begins where the fine-tuning ended."""
    import peft

    asked = tmp_path / "sft.jsonl"
    asked.write_text(
        "".join(json.dumps({"problem": f"{i}?", "response": f"{i}."}) + "\n" for i in range(8))
    )
    train.run(config("sft", "student", dataset=asked, lr=3e-2))
    capsys.readouterr()
    more: dict[str, Any] = {"dataset": asked} if objective == "sft" else {}
    more["base_model"] = str(tmp_path / "student")
    with pytest.raises(
        UserError, match=r"is an adapter, and training goes on with it.*--lora_r, or"
    ):
        train.run(config(objective, **more))
    train.run(config(objective, lora_r=None, **more))
    told = "student: goes on with this adapter (rank 4, alpha 8)"
    assert told in " ".join(capsys.readouterr().err.split())
    first = rows_of(tmp_path / "out")[0]
    if objective == "sft":  # begins at the loss the student ended with, not at that of the base
        assert first["loss"] < 0.5 * rows_of(tmp_path / "student")[0]["loss"]
    if objective == "dpo":  # compared with the student, not with the base
        assert (first["loss"], first["margin"]) == pytest.approx((math.log(2), 0), abs=1e-5)
    kind = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert (kind["r"], kind["base_model_name_or_path"]) == (4, str(tiny_model.resolve()))
    ids = torch.tensor([[4, 20, 21, 5]])
    student, tuned = (
        peft.AutoPeftModelForCausalLM.from_pretrained(tmp_path / name).eval()(ids).logits
        for name in ("student", "out")
    )
    assert not torch.allclose(student, tuned, atol=1e-3)


def test_full_training_merges_an_adapter_first(config: Any, tmp_path: Path) -> None:
    train.run(config("simpo", "student", lr=3e-2))
    train.run(
        config(
            "simpo",
            base_model=str(tmp_path / "student"),
            full=True,
            lora_r=None,
            lr=1e-9,
            max_steps=1,
        )
    )
    last, first = rows_of(tmp_path / "student")[-1], rows_of(tmp_path / "out")[0]
    assert first["margin"] > last["margin"] > rows_of(tmp_path / "student")[0]["margin"]
    assert not (tmp_path / "out" / "adapter_config.json").exists()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"objective": "sft"},
            "the dataset holds preference pairs; train on them with --objective",
        ),
        ({"packing": True}, "--packing: pairs are padded, not packed; leave it out"),
        ({"beta": 0.0}, "--beta 0: give more than 0"),
        ({"gamma": -1.0}, "--gamma -1: give 0 or more"),
        ({"objective": "dpo", "gamma": 0.3}, "--gamma is of --objective simpo, not of dpo"),
        ({"objective": "sft", "beta": 0.3}, "--beta is of --objective simpo or dpo, not of sft"),
        ({"preset": "sky-t1-lora"}, "--objective simpo: preset sky-t1-lora is of sft; leave one o"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    values: dict[str, Any], told: str, config: Any, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=told):
        train.run(config(**({"objective": "simpo"} | values)))
    assert not (tmp_path / "out").exists()


def test_another_objective_is_another_run(config: Any) -> None:
    train.run(config("simpo", max_steps=1))
    with pytest.raises(UserError, match="objective"):
        train.run(config("dpo", max_steps=1))
    with pytest.raises(UserError, match="beta"):
        train.run(config("simpo", max_steps=1, beta=1.0))


def test_values_where_none_are_given(tiny_model: Path) -> None:
    def values(objective: str, full: bool) -> tuple[float, float, float, str]:
        kind: Any = objective
        config = train.Config(base_model="x/base", dataset=tiny_model, objective=kind, full=full)
        chosen = train.hyperparameters(config)
        return chosen.lr, chosen.beta, chosen.gamma, train.output_folder(config).name

    assert values("simpo", True) == (5e-7, 2.0, 0.3, "base-simpo-full")
    assert values("simpo", False) == (5e-6, 2.0, 0.3, "base-simpo-lora-r64")
    assert values("dpo", False) == (5e-6, 0.1, 0, "base-dpo-lora-r64")
    assert values("sft", False)[0] == 1e-4
