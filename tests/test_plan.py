"""What a plan says: which ways to train fit, what they cost, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skythought import cli, plan
from skythought.core.errors import UserError
from skythought.plan import Config
from skythought.training import architecture, hardware, lengths, speed, ways
from skythought.training.hardware import GIB
from skythought.training.memory import Setup

QWEN_7B = {
    "model_type": "qwen2",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
}
QWEN_32B = {
    **QWEN_7B,
    "hidden_size": 5120,
    "intermediate_size": 27648,
    "num_hidden_layers": 64,
    "num_attention_heads": 40,
    "num_key_value_heads": 8,
}


def folder(path: Path, config: Any = QWEN_7B) -> str:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(config))
    return str(path)


def planned(path: Path, config: Any = QWEN_7B, **options: Any) -> list[ways.Row]:
    given = {"lengths": "17000x6000", "hardware": "4xH100", **options}
    return plan.make(Config(base_model=folder(path / "model", config), **given)).rows


def shown(path: Path, capsys: Any, *words: str, config: Any = QWEN_7B) -> tuple[str, str]:
    """Give what the command prints, for people and for programs."""
    where = ["--base_model", folder(path / "model", config), "--lengths", "17000x6000"]
    assert cli.main(["plan", *where, *words]) == 0
    told = capsys.readouterr()
    return told.err, told.out


def named(rows: list[ways.Row]) -> dict[str, ways.Row]:
    return {row.name: row for row in rows}


def test_every_way_is_shown_and_the_cheapest_is_first(tmp_path: Path, capsys: Any) -> None:
    rows = planned(tmp_path, QWEN_32B)
    assert set(named(rows)) == {
        *("LoRA", "LoRA + ckpt", "LoRA + FSDP", "LoRA + FSDP + ckpt"),
        *("QLoRA", "QLoRA + ckpt"),
        *("full", "full + ckpt", "full + FSDP", "full + FSDP + ckpt"),
        *("full + ZeRO-3", "full + ZeRO-3 + ckpt"),
    }
    fitting = [row for row in rows if row.fits]
    assert rows[: len(fitting)] == fitting
    assert fitting[0].cost == min(row.cost or 0 for row in fitting)
    told, _ = shown(tmp_path, capsys, "--hardware", "4xH100", config=QWEN_32B)
    assert "32.76 billion parameters" in told
    assert f"cheapest that fits: {fitting[0].name}" in told
    assert "$3.78 a card and hour (Lambda's list, read 2026-05-07" in told


def test_weights_of_32_billion_parameters_need_sharding(tmp_path: Path) -> None:
    """65.5 GB of bfloat16 weights leave too little of an 80 GB card; a fourth of them does not."""
    rows = named(planned(tmp_path, QWEN_32B, method="lora"))
    assert not rows["LoRA + ckpt"].fits
    assert rows["LoRA + FSDP + ckpt"].fits
    assert 60 < rows["LoRA"].memory.weights / GIB < 65
    assert rows["LoRA + FSDP"].memory.weights < rows["LoRA"].memory.weights / 2


def test_full_training_takes_16_bytes_a_parameter_and_sharding_divides_them(tmp_path: Path) -> None:
    rows = named(planned(tmp_path, method="full", hardware="8xH100"))
    whole, split = rows["full"].memory, rows["full + FSDP"].memory
    n = 7_615_616_512
    assert whole.gradients + whole.optimizer == 12 * n
    assert split.optimizer == 8 * n / 8
    assert not rows["full"].fits
    assert rows["full + FSDP + ckpt"].fits


def test_all_weights_of_32_billion_fit_on_eight_cards_beside_an_offloaded_optimizer(
    tmp_path: Path, capsys: Any
) -> None:
    """As Sky-T1 did; the machine's cores step it behind each pass, and its link feeds the cards."""
    asked: dict[str, Any] = {"method": "full", "hardware": "8xH100"}
    rows = named(planned(tmp_path, QWEN_32B, **asked))
    split, kept = rows["full + FSDP + ckpt"], rows["full + ZeRO-3 + ckpt"]
    assert (split.fits, kept.fits) == (False, True)
    assert kept.memory.optimizer == 0 < split.memory.optimizer
    stepped = 42 * 32_763_876_352 / 100e9
    assert kept.step.seconds == pytest.approx(split.step.seconds + stepped)  # the link is not full
    told, out = shown(
        tmp_path, capsys, "--method", "full", "--hardware", "8xH100", "--json", config=QWEN_32B
    )
    assert "ZeRO-3: --sharding zero3 --offload, which takes 671 GiB of the memory of a mach" in told
    [way] = [w for w in json.loads(out)["ways"] if w["name"] == "full + ZeRO-3 + ckpt"]
    assert (way["fsdp"], way["zero3_offload"], way["machine_memory"]) == (
        *(False, True),
        22 * 32_763_876_352,
    )
    two = named(planned(tmp_path, QWEN_32B, method="full", hardware="2x8xH100"))
    halves = two["full + ZeRO-3 + ckpt"].step.seconds - two["full + FSDP + ckpt"].step.seconds
    assert halves == pytest.approx(stepped / 2)  # each machine's cores step a half
    told, _ = shown(tmp_path, capsys, "--method", "lora", "--hardware", "8xH100")
    assert "ZeRO-3" not in told


def test_short_steps_wait_for_what_passes_the_link_to_the_cards() -> None:
    setup = Setup(
        model=architecture.of(QWEN_32B), method="full", checkpointing=True,
        shards=8, devices=8, zero3=True, offload=True,
    )  # fmt: skip
    machine, n = hardware.parse("8xH100"), 32_763_876_352
    shares = lengths.Shares(waiting=1, passes=3)
    step = speed.of_step(setup, machine, tokens=1000, shares=shares, context=100)
    passes = 3 * (2 * 3 + 4) * n / 8 / 25e9  # weights up three times, gradients down
    assert step.seconds == pytest.approx(passes + 42 * n / 100e9)


def test_money_is_price_times_cards_times_hours(tmp_path: Path) -> None:
    row = planned(tmp_path, price=2.0, hardware="2x8xH100", method="lora", epochs=1)[0]
    assert row.cost is not None
    assert row.cost == pytest.approx(row.hours * 2.0 * 16)
    steps = 17000 / 96  # the last one is smaller
    assert row.hours == pytest.approx(steps * row.step.seconds / 3600)
    twice = planned(tmp_path, price=2.0, hardware="2x8xH100", method="lora", epochs=2)[0]
    assert twice.cost == pytest.approx(2 * row.cost)


def test_one_line_says_what_would_fit_where_nothing_does(tmp_path: Path, capsys: Any) -> None:
    told, _ = shown(tmp_path, capsys, "--hardware", "1xRTX-4090", config=QWEN_32B)
    line = next(line for line in told.splitlines() if line.startswith("nothing fits"))
    assert "QLoRA + ckpt comes nearest with" in line
    assert "what would fit: 1xA100-80GB (QLoRA + ckpt)" in line


def test_weights_that_do_not_fit_before_they_are_split_come_near_by_what_they_take(
    tmp_path: Path, capsys: Any
) -> None:
    """DeepSpeed first moves all weights to each card, 61 GiB; later 34 would be held."""
    words = ("--hardware", "4xL40S", "--method", "full")
    told, _ = shown(tmp_path, capsys, *words, config=QWEN_32B)
    line = next(line for line in told.splitlines() if line.startswith("nothing fits"))
    assert "full + ZeRO-3 + ckpt comes nearest with 61.0 GiB, of 40.8 that can be used" in line
    assert "2xA100-80GB (full + ZeRO-3 + ckpt, 671 GiB of a machine's memory)" in line


def test_shorter_samples_are_offered_where_they_fit(tmp_path: Path, capsys: Any) -> None:
    told, _ = shown(tmp_path, capsys, "--hardware", "1xRTX-4090", "--method", "lora")
    offered = int(told.split("what would fit: --max_length ")[1].split()[0])
    assert 512 <= offered < 16384
    rows = planned(tmp_path, hardware="1xRTX-4090", method="lora", max_length=offered)
    assert rows[0].fits


def test_json_holds_the_same_numbers(tmp_path: Path, capsys: Any) -> None:
    rows = planned(tmp_path)
    told = json.loads(shown(tmp_path, capsys, "--hardware", "4xH100", "--json")[1])
    assert told["best"] == rows[0].name == told["ways"][0]["name"]
    assert told["parameters"] == 7_615_616_512
    assert told["samples"] == 17000
    assert told["ways"][0]["dollars"] == pytest.approx(rows[0].cost)
    parts = told["ways"][0]["memory"]
    assert parts.pop("total") == pytest.approx(sum(parts.values()))


def test_a_mean_is_spread_as_traces_are() -> None:
    values = list(lengths.spread(17000, 6000))
    assert len(values) == 17000
    assert sum(values) / 17000 == pytest.approx(6000, rel=1e-3)
    assert values == sorted(values)
    assert values[8500] < 0.75 * 6000  # the median of a long tail lies below the mean
    assert list(lengths.spread(1, 100)) == [100]


def test_long_samples_are_cut_and_counted(tmp_path: Path, capsys: Any) -> None:
    assert planned(tmp_path, max_length=4096)[0].pass_tokens >= 4096
    told, _ = shown(tmp_path, capsys, "--max_length", "4096")
    assert "longest 4,096" in told
    assert "% cut" in told


def dataset(path: Path, n: int, words: int) -> Path:
    row = {"problem": "Add.", "response": "seven " * words}
    path.write_text("".join(json.dumps({**row, "id": str(k)}) + "\n" for k in range(n)))
    return path


def test_lengths_of_data_are_estimated_without_a_tokenizer(tmp_path: Path) -> None:
    data = dataset(tmp_path / "d.jsonl", 4, 100)
    config = Config(base_model=folder(tmp_path / "model"), dataset=data)
    found = plan.read_lengths(config)
    assert "estimated at 3 characters a token" in found.how
    assert all(600 / 3 < n < 900 / 3 + 60 for n in found.tokens)


def test_devices_wait_for_the_fullest() -> None:
    def waiting(values: list[int], batch: int, devices: int) -> float:
        return lengths.share(values, batch=batch, tokens=200, devices=devices).waiting

    assert waiting([50] * 100, 96, 8) == 1
    assert waiting([10, 200], 7, 1) == 1
    few, many = (waiting([10, 200] * 50, batch, 8) for batch in (8, 800))
    assert few > 1.5 > many > 1
    assert lengths.share([50], batch=96, tokens=200, devices=8).passes == 3


def test_a_small_model_in_short_passes_waits_for_its_kernels() -> None:
    """A step takes at least what the starts of all its passes take, so more tokens are free."""
    small = architecture.of(
        {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "vocab_size": 100}
        | {"num_hidden_layers": 10, "num_attention_heads": 2}
    )

    def seconds(tokens: float, passes: float, again: bool = False, card: str = "1xH100") -> float:
        setup = Setup(model=small, method="lora", checkpointing=again)
        machine, shares = hardware.parse(card), lengths.Shares(passes, 1.0)
        return speed.of_step(setup, machine, tokens=tokens, shares=shares, context=100).seconds

    assert seconds(100, 1) == seconds(200, 1) == pytest.approx(10 * speed.STARTS)
    assert seconds(200, 2) == seconds(100, 1, again=True) == pytest.approx(20 * speed.STARTS)
    assert seconds(1e8, 1) > 1.9 * seconds(5e7, 1) > 20 * speed.STARTS


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"lengths": ""}, "give --dataset FILE or --lengths"),
        ({"dataset": Path("x.jsonl")}, "give --dataset FILE or --lengths"),
        ({"lengths": "many"}, "--lengths many: give SAMPLESxTOKENS"),
        ({"lengths": "0x5"}, "give SAMPLESxTOKENS"),
        ({"hardware": "4xH1000"}, "unknown card"),
        ({"hardware": "0xH100"}, "give 1 to 4096 cards"),
        ({"lora_r": 0}, "--lora_r 0: give 1 or more"),
        ({"price": -1.0}, "--price -1: give more than 0"),
        ({"lora_target": "q_prj"}, "no matrix 'q_prj'"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        planned(tmp_path, **options)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ([1], "is no JSON object"),
        ({"model_type": "bert"}, "num_hidden_layers is missing"),
        ({**QWEN_7B, "num_experts": 64}, "a mixture of experts"),
    ],
)
def test_a_config_that_is_none_is_refused(tmp_path: Path, config: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        planned(tmp_path, config)


def test_folders_without_a_config_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        plan.read_config(str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"no config\.json here"):
        plan.read_config(str(tmp_path))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="is an adapter"):
        plan.read_config(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="is no JSON"):
        plan.read_config(str(tmp_path))


def test_a_model_on_the_hub_says_what_to_do_without_a_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"no config\.json here, and the hub says: .*give its"):
        plan.read_config("Qwen/Qwen2.5-32B-Instruct")


def test_a_config_inside_a_model_with_images_is_read(tmp_path: Path) -> None:
    rows = planned(tmp_path, {"model_type": "qwen2_vl", "text_config": QWEN_7B}, method="lora")
    assert rows[0].setup.model.n_params == 7_615_616_512


@pytest.mark.parametrize(
    ("words", "name", "nodes", "each"),
    [
        ("H100", "H100", 1, 1),
        ("4xh100", "H100", 1, 4),
        ("2x8xH100", "H100", 2, 8),
        ("1x80GB", "A100-80GB", 1, 1),
        ("6xA100", "A100-80GB", 1, 6),
        ("a100-40gb", "A100-40GB", 1, 1),
        ("rtx 4090", "RTX-4090", 1, 1),
        ("NVIDIA GeForce RTX 3090", "RTX-3090", 1, 1),
        ("NVIDIA H100 80GB HBM3", "H100", 1, 1),
        ("NVIDIA A100-SXM4-40GB", "A100-40GB", 1, 1),
        ("NVIDIA A100 80GB PCIe", "A100-80GB", 1, 1),
        ("NVIDIA H200", "H200", 1, 1),
        ("NVIDIA L40S", "L40S", 1, 1),
        ("NVIDIA L4", "L4", 1, 1),
        ("NVIDIA A10G", "A10G", 1, 1),
    ],
)
def test_machines_are_read(words: str, name: str, nodes: int, each: int) -> None:
    machine = hardware.parse(words)
    assert (machine.card.name, machine.n_nodes, machine.per_node) == (name, nodes, each)
    assert hardware.parse(str(machine)) == machine


@pytest.mark.parametrize("name", ["NVIDIA H100 PCIe", "NVIDIA H100 NVL", "NVIDIA A100 MIG 1g.5gb"])
def test_slower_cards_of_a_known_name_are_measured(name: str) -> None:
    with pytest.raises(UserError, match="unknown card"):
        hardware.of_card(name)


def test_prices_have_a_source() -> None:
    for card in hardware.CARDS.values():
        assert (card.price is None) == (card.source == "")


def test_lengths_of_data_are_counted_with_a_tokenizer(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    data = dataset(tmp_path / "d.jsonl", 4, 100)
    found = plan.read_lengths(Config(base_model="mini", dataset=data))
    assert found.how == "counted"
    assert len(set(found.tokens)) == 1
    assert 100 < found.tokens[0] < 300  # a word is a token of mini


def test_of_many_samples_some_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    rows = [{"problem": "Add.", "response": "seven " * n} for n in range(1, 101)]
    data = tmp_path / "d.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = Config(base_model="mini", dataset=data)
    whole = plan.read_lengths(config)
    monkeypatch.setattr(plan, "COUNTED", 10)
    some = plan.read_lengths(config)
    assert "counted in 10 samples" in some.how
    assert sum(some.tokens) == pytest.approx(sum(whole.tokens), rel=0.15)
