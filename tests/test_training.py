"""skythought/training: what the trainer sees, and that its arithmetic is what we say it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skythought.core import formats, jsonl, shapes
from skythought.core.errors import UserError
from skythought.core.records import Example, Message
from skythought.training import adapter, data, memory

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")

ASK, SAID = "what is 3 plus 4?", formats.teach("3 plus 4 is 7.", "\\boxed{7}")


def example(ask: str = ASK, said: str = SAID) -> Example:
    return Example(id=ask, trace_id="", messages=(Message("user", ask),), completion=said)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(tiny_model)


def test_labels_are_the_completion_and_its_end(tokenizer: Any) -> None:
    rows = data.tokenize(tokenizer, [example("3 plus 4?", "7.")], 100)
    pieces = ["<|user|>", "3", " plus", " 4", "?", "<|assistant|>", "7", ".", "<|end|>"]
    ids = tokenizer.convert_tokens_to_ids(pieces)
    assert [*map(list, rows.input_ids)] == [ids]
    assert [*map(list, rows.labels)] == [[-100] * 6 + ids[6:]]
    assert (rows.truncated, rows.dropped, rows.n_tokens) == (0, 0, 9)


def test_earlier_turns_are_not_learned(tokenizer: Any) -> None:
    turns = tuple(
        Message(role, text)
        for role, text in (
            ("system", "check."),
            ("user", "3?"),
            ("assistant", "4."),
            ("user", "5?"),
        )
    )
    [labels] = data.tokenize(
        tokenizer, [Example(id="e", trace_id="", messages=turns, completion="6.")], 100
    ).labels
    learned = [label for label in labels if label != data.IGNORED]
    assert tokenizer.decode(learned) == "6.<|end|>"
    assert [*labels[-len(learned) :]] == learned


def test_every_whole_row_ends_with_the_end_token(tokenizer: Any) -> None:
    rows = data.tokenize(tokenizer, [example(), example("oak?", ""), example("elm", "7 \n\n")], 100)
    for ids, labels in zip(rows.input_ids, rows.labels, strict=True):
        assert ids[-1] == labels[-1] == tokenizer.eos_token_id
        assert labels.count(tokenizer.eos_token_id) == 1
        assert [i for i, label in zip(ids, labels, strict=True) if label != -100] == [
            label for label in labels if label != -100
        ]


def test_what_is_too_long_is_cut_and_counted(tokenizer: Any) -> None:
    short, long = example("3?", "4."), example("3?", "4 " * 30)
    endless = example("oak " * 30, "4.")
    rows = data.tokenize(tokenizer, [short, long, endless], 12)
    assert [len(ids) for ids in rows.input_ids] == [7, 12]
    assert (rows.truncated, rows.dropped) == (1, 1)
    assert rows.labels[1][-1] != tokenizer.eos_token_id  # a cut answer does not learn to end
    exact = data.tokenize(tokenizer, [short], 7)
    assert (exact.truncated, exact.labels[0][-1]) == (0, tokenizer.eos_token_id)


@pytest.mark.parametrize(
    ("examples", "told"),
    [
        ([], "the dataset is empty; nothing to train on"),
        ([example("3?", "4 " * 30)] * 2, "all 2 samples are longer than --max-length 12, so no"),
        ([example("oak " * 30, "4.")], "all 1 samples are longer than --max-length 12"),
        (
            [example("oak " * 30, "4."), example("3?", "4 " * 30)],
            "all 2 samples are longer than --max-length 12",
        ),
    ],
)
def test_data_nobody_can_learn_from_is_refused(
    examples: list[Example], told: str, tokenizer: Any
) -> None:
    with pytest.raises(UserError, match=told):
        data.tokenize(tokenizer, examples, 12)


def test_several_processes_tokenize_as_one(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows in the same order; what one refuses is refused."""
    some = [example(f"{i}?", "so " * (i % 40) + f"{i}.") for i in range(90)]
    some[70] = example("oak " * 99)  # leaves no room for an answer
    alone = data.tokenize(tokenizer, some, 40)
    assert alone.dropped == 1 < alone.truncated
    assert data.tokenize(tokenizer, some, 40, workers=2) == alone
    some[80] = msgspec.structs.replace(some[80], rejected="5.")
    with pytest.raises(UserError, match="the dataset holds preference pairs"):
        data.tokenize(tokenizer, some, 40, workers=2)
    monkeypatch.setattr("skythought.core.spread.cores", lambda: 24)
    assert [data.share_of_cores(n) for n in (1, data.MANY - 1, data.MANY)] == [1, 1, 8]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert data.share_of_cores(10**6) == 6
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "48")
    assert data.share_of_cores(10**6) == 1


def test_a_hub_dataset_of_any_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`load_dataset` takes a folder as it takes a name: the rest of the path is the same."""
    pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "owner" / "name"
    folder.mkdir(parents=True)
    rows = [
        {"messages": [{"role": "user", "content": ASK}, {"role": "assistant", "content": SAID}]},
        {"conversations": [{"from": "human", "value": ASK}, {"from": "gpt", "value": SAID}]},
        {"problem": ASK, "response": SAID},
    ]
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = data.from_hub(str(folder))
    assert [(e.messages, e.completion) for e in found] == [
        (e.messages, e.completion) for e in shapes.read_examples(path)
    ]
    path.write_text(path.read_text() + '{"text": "x"}\n')
    with pytest.raises(UserError, match=r"owner/name row:4: unknown row with fields text"):
        data.from_hub(str(folder))


def test_a_hub_that_cannot_be_asked_is_one_line() -> None:
    pytest.importorskip("datasets")
    with pytest.raises(UserError) as caught:
        data.read(Path("owner/no-such-data"))
    told = str(caught.value)
    assert told.startswith("--dataset owner/no-such-data: no such file here, and the hub says: ")
    assert told.endswith("; give a local JSONL file, or run this with a network")
    assert "\n" not in told


@pytest.mark.parametrize("name", ["none.jsonl", "data/none.jsonl", "a/b/c", "/a/b", "none", "./a"])
def test_what_looks_like_a_file_is_not_asked_of_the_hub(name: str) -> None:
    with pytest.raises(UserError, match=r"no such file$"):
        data.read(Path(name))


# --- the trainer -------------------------------------------------------------------------------


def settings(**values: Any) -> Any:
    from skythought.training import sft

    plain: dict[str, Any] = {
        "epochs": 1,
        "max_steps": 1,
        "batch_size": 4,
        "micro_tokens": 1000,
        "packed": True,
        "lr": 0.1,
        "warmup": 0.0,
        "schedule": "constant_with_warmup",
        "weight_decay": 0.0,
        "max_grad_norm": 1e9,
        "gradient_checkpointing": False,
        "seed": 0,
        "save_every": 0,
        "report_to": "none",
        "run_name": "",
    }
    return sft.Settings(**(plain | values))


EXAMPLES = [
    example("3?", "4."),
    example("what is the toll from oak to fir, and to elm?", "wait, let me check again. no, 7."),
    example("oak", "fir pine"),
    example("5?", "yes yes yes yes yes yes"),
]


def train(
    tiny_model: Path,
    folder: Path,
    lora_r: int | None = None,
    softcap: float | None = None,
    **values: Any,
) -> tuple[dict[str, Any], Any, Any]:
    """Train the tiny model on four examples; gives (result, weights before, model after)."""
    from skythought.training import attention, sft

    transformers.set_seed(0)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)
    model.config.final_logit_softcapping = softcap
    before = {k: v.clone() for k, v in model.state_dict().items()}
    rows = data.tokenize(tokenizer, EXAMPLES, 100)
    chosen = settings(**values)
    attention.use(model, attention.choose(model, packing=chosen.packed)[0])
    if lora_r:
        model = adapter.adapt(model, adapter.Lora(r=lora_r, alpha=8))
    return sft.fit(model, tokenizer, rows, chosen, folder), before, model


def by_hand(tiny_model: Path) -> tuple[dict[str, float], dict[str, Any], int]:
    """Mean loss over all completion tokens of the four examples, its gradient, and all tokens.

    The loss is also that of each kind of token.
    """
    from skythought.training import split

    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)
    losses, n_tokens = [], 0
    kinds: list[int] = []
    for one in EXAMPLES:
        prompt = formats.prompt_ids(tokenizer, one.messages)
        rendered = formats.render_completion(tokenizer, one.messages, one.completion)
        said = rendered.ids
        kinds += split.of_tokens(tokenizer, rendered) or []
        n_tokens += len(prompt) + len(said)
        logits = model(torch.tensor([prompt + said])).logits[0].float()
        logs = torch.log_softmax(logits, -1)
        losses += [-logs[len(prompt) + j - 1, token] for j, token in enumerate(said)]
    loss = torch.stack(losses).mean()
    loss.backward()
    values, found = [x.item() for x in losses], {"loss": loss.item()}
    of = {name: (i,) for i, name in enumerate(split.KINDS)} | split.GROUPS
    for name, members in of.items():
        if some := [x for x, kind in zip(values, kinds, strict=True) if kind in members]:
            found[f"loss_{name}"] = sum(some) / len(some)
    return found, {k: p.grad for k, p in model.named_parameters()}, n_tokens


def norm(gradients: dict[str, Any]) -> float:
    return float(torch.stack([g.norm() for g in gradients.values()]).norm())


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("samples", [4, 2, 1])
def test_the_loss_is_the_mean_over_the_completion_tokens_of_the_global_batch(
    samples: int, packed: bool, tiny_model: Path, tmp_path: Path
) -> None:
    """Whatever the micro batch; checked against a loss and gradient computed by hand."""
    losses, gradients, n_tokens = by_hand(tiny_model)
    result, _, _ = train(tiny_model, tmp_path, micro_samples=samples, packed=packed)
    assert result["loss"] == pytest.approx(losses["loss"], abs=2e-5)
    assert (result["steps"], result["tokens"]) == (1, n_tokens)
    [row] = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert row["grad_norm"] == pytest.approx(norm(gradients), rel=1e-4)
    assert {k: v for k, v in row.items() if "loss" in k} == pytest.approx(losses, abs=2e-5)
    assert {"loss_structural", "loss_content", "loss_opening", "loss_format"} < set(row)
    assert set(row) - set(losses) == {
        *("step", "lr", "grad_norm", "tokens", "tokens_per_s", "tokens_per_s_device", "mfu"),
        *("peak_memory_gib", "seconds", "eta_s"),
    }
    assert row["lr"] == 0.1


@pytest.mark.parametrize("samples", [4, 1])
def test_a_model_with_capped_logits_learns_with_the_head_of_trl(
    samples: int, tiny_model: Path, tmp_path: Path
) -> None:
    """Capped so high that nothing changes; losses by kind need our head."""
    losses, gradients, n_tokens = by_hand(tiny_model)
    train(tiny_model, tmp_path, micro_samples=samples, softcap=1e4, max_steps=2, lr=1e-9)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    for number, row in enumerate(rows, 1):
        assert row["loss"] == pytest.approx(losses["loss"], abs=2e-4)
        assert row["grad_norm"] == pytest.approx(norm(gradients), rel=1e-3)
        assert row["tokens"] == number * n_tokens
        assert "loss_structural" not in row


@pytest.mark.parametrize("lora_r", [None, 4])
def test_micro_batches_train_the_same_weights(
    lora_r: int | None, tiny_model: Path, tmp_path: Path
) -> None:
    def weights(name: str, **values: Any) -> dict[str, Any]:
        _, _, model = train(
            tiny_model, tmp_path / name, lora_r=lora_r, max_steps=5, lr=1e-3, **values
        )
        found: dict[str, Any] = model.state_dict()
        return found

    whole = weights("whole", packed=False)
    others = {
        "parts": weights("parts", micro_tokens=1),
        "packed": weights("packed", packed=True),
        "checkpointing": weights("checkpointing", gradient_checkpointing=True),
    }
    for name, other in others.items():
        for key, tensor in whole.items():
            assert torch.allclose(other[key], tensor, atol=2e-5), (name, key)


def test_lora_moves_the_adapter_only(tiny_model: Path, tmp_path: Path) -> None:
    _, before, model = train(tiny_model, tmp_path, lora_r=4, max_steps=3)
    after = {
        k.removeprefix("base_model.model.").replace(".base_layer", ""): v
        for k, v in model.state_dict().items()
    }
    assert all(torch.equal(after[k], v) for k, v in before.items())
    moved = [k for k, v in after.items() if "lora_B" in k and v.abs().sum() > 0]
    assert len(moved) == 14  # seven linear layers in each of two blocks; not the output layer


def test_the_log_has_a_row_per_step(tiny_model: Path, tmp_path: Path) -> None:
    result, _, _ = train(tiny_model, tmp_path, max_steps=3, lr=1e-3)
    rows = [row for _, row in jsonl.read_rows(tmp_path / "log.jsonl")]
    assert [row["step"] for row in rows] == [1, 2, 3]
    tokens = rows[0]["tokens"]
    assert [row["tokens"] for row in rows] == [tokens, 2 * tokens, 3 * tokens]
    assert rows[2]["loss"] < rows[0]["loss"]
    assert result["loss"] == rows[2]["loss"]
    assert all(row["tokens_per_s"] > 0 and row["seconds"] > 0 for row in rows)


def test_what_fits_into_memory_grows_with_it_and_shrinks_with_the_model(tiny_model: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    gib = 2**30

    def fits(n_gib: float, full: bool = False, checkpointing: bool = False) -> int:
        fit = memory.tokens_that_fit(
            model, full=full, checkpointing=checkpointing, memory=int(n_gib * gib), r=2
        )
        assert fit is not None
        return fit

    assert 1.8 < (fits(8) - fits(4)) / (fits(4) - fits(2)) < 2.2
    assert fits(4, full=True) < fits(4) < fits(4, checkpointing=True)
    assert fits(0) == 0
    assert gib < memory.device_memory() < 2**50
