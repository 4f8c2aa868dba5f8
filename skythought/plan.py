r"""A model, data and a machine in; memory, time and money of training out, before any is spent.

    skythought plan --base_model Qwen/Qwen2.5-32B-Instruct --dataset r1-17k.jsonl --hardware 4xH100
    skythought plan --base_model folder --lengths 17000x6000 --hardware 2x8xH100 --method lora

Reads config.json and, where it is there, the tokenizer; no weights. Shows LoRA, QLoRA and full
training, sharded or not, with activations kept or computed again, and names the cheapest that fits.
docs/plan.md states how far predictions were off.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from skythought.backends import hf
from skythought.core import formats, progress, store
from skythought.core.errors import UserError, first_line, require
from skythought.core.prices import dollars
from skythought.core.records import Example
from skythought.training import architecture, data, hardware, memory, ways
from skythought.training.architecture import Architecture
from skythought.training.hardware import GIB, Hardware
from skythought.training.lengths import Lengths, spread
from skythought.training.ways import Row

COUNTED = 500  # samples that are tokenized; of more, the rest is estimated from their characters
CHARS_PER_TOKEN = 3.0  # 1,423 traces of R1, QwQ and others with the tokenizer of SmolLM2
TEMPLATE = 30  # tokens of a chat template, about
WIDTH = 112  # columns of the table


@dataclass(frozen=True, kw_only=True)
class Config:
    """Predict memory, time and cost of training."""

    base_model: str
    """Folder with a config.json, hub name, or mini."""
    dataset: Path | None = None
    """Training data, as train reads it; its lengths are counted."""
    lengths: str = ""
    """In place of a dataset: SAMPLESxTOKENS, as 17000x6000 for a mean of 6,000 tokens."""
    hardware: str = "1xH100"
    """Machine: 4xH100, 2x8xH100 (two nodes of eight), 1xA100-80GB, cpu, ..."""
    method: Literal["all", "lora", "qlora", "full"] = "all"
    """What to train; all compares the three."""
    lora_r: int = 64
    """Rank of the LoRA adapter."""
    lora_target: str = "all-linear"
    """Modules the adapter is put on: all-linear, or names such as q_proj,v_proj."""
    epochs: float = 3
    """Passes over the data."""
    batch_size: int = 96
    """Global batch in samples."""
    max_length: int = 16384
    """Longest sample in tokens; longer ones are cut."""
    price: float | None = None
    """Dollars of a card and hour; that of the table of cards where not given."""


class Plan(NamedTuple):
    """Everything that is shown."""

    config: Config
    machine: Hardware
    model: Architecture
    lengths: Lengths
    rows: list[Row]  # those that fit first, the cheapest of them before all


def run(config: Config) -> dict[str, Any]:
    """Predict and print; returns the plan in bytes, seconds and dollars.

    Raises:
        UserError: no config.json or data, an unknown card, or numbers that nothing can be made of.
    """
    plan = make(config)
    _show(plan)
    return plain(plan)


def make(config: Config) -> Plan:
    """Predict every way to train.

    Raises:
        UserError: as `run`.
    """
    check(config)
    machine = hardware.parse(config.hardware)
    if config.price is not None:
        machine = machine._replace(card=machine.card.at(config.price))
    model = architecture.of(read_config(config.base_model))
    lengths = read_lengths(config)
    return Plan(config, machine, model, lengths, ways.predict(config, model, machine, lengths))


def check(config: Config) -> None:
    """Refuse numbers that nothing can be planned with.

    Raises:
        UserError: one of them; the flag is named.
    """
    if (config.dataset is None) == (not config.lengths):
        raise UserError("what to train on? give --dataset FILE or --lengths 17000x6000")
    for name in ("lora_r", "batch_size", "max_length"):
        if getattr(config, name) < 1:
            raise UserError(f"--{name} {getattr(config, name)}: give 1 or more")
    for name in ("epochs", "price"):
        value = getattr(config, name)
        if value is not None and not 0 < value < math.inf:
            raise UserError(f"--{name} {value:g}: give more than 0")


def read_config(name: str) -> dict[str, Any]:
    """Read the config.json of a folder, of `mini`, or of a model on the hub; no weights.

    Raises:
        UserError: there is none, it is no JSON object, or the folder is an adapter.
    """
    place = hf.locate(name)
    folder = Path(place)
    if folder.is_dir():
        path = folder / "config.json"
        if not path.is_file():
            if (folder / "adapter_config.json").exists():
                raise UserError(f"--base_model {name}: is an adapter; give the model below it")
            raise UserError(f"--base_model {name}: no config.json here")
    else:
        if not store.may_be_on_hub(place):
            raise UserError(f"--base_model {name}: no such folder")
        hub = require("huggingface_hub", "train")
        try:
            path = Path(hub.hf_hub_download(place, "config.json"))
        except (OSError, ValueError) as error:  # every error of the hub is one of these
            raise UserError(
                f"--base_model {name}: no config.json here, and the hub says: {first_line(error)}; "
                "download it (it is small) and give its folder, or run this with a network"
            ) from error
    try:
        config = msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        raise UserError(f"{path}: is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise UserError(f"{path}: is no JSON object")
    return config


def read_lengths(config: Config) -> Lengths:
    """Count the tokens of the samples, or spread a mean as the lengths of real traces are spread.

    Raises:
        UserError: --lengths is none, or the data cannot be read or is empty.
    """
    if config.dataset is None:
        n, _, mean = config.lengths.replace(",", "").lower().partition("x")
        if not (n.isdigit() and mean.isdigit() and int(n) and int(mean)):
            raise UserError(f"--lengths {config.lengths}: give SAMPLESxTOKENS, as 17000x6000")
        whole = list(spread(int(n), int(mean)))
        how = "spread as those of 1,423 reasoning traces"
    else:
        examples = data.read(config.dataset)
        if not examples:
            raise UserError(f"--dataset {config.dataset}: is empty")
        whole, how = count(config.base_model, examples)
    tokens = [min(n, config.max_length) for n in whole]
    return Lengths(tokens, sum(n > config.max_length for n in whole), how)


def count(model: str, examples: Sequence[Example]) -> tuple[list[int], str]:
    """Count the tokens of examples; of many, of some, and the others by their characters."""
    chars = [sum(len(m.content) for m in e.messages) + len(e.completion) for e in examples]
    try:
        tokenizer = hf.tokenizer_of(model)
    except UserError:
        how = f"estimated at {CHARS_PER_TOKEN:g} characters a token, as there is no tokenizer"
        return [TEMPLATE + round(n / CHARS_PER_TOKEN) for n in chars], how
    every = max(1, math.ceil(len(examples) / COUNTED))
    known = {
        k: len(formats.prompt_ids(tokenizer, examples[k].messages))
        + len(formats.completion_ids(tokenizer, examples[k].messages, examples[k].completion))
        for k in range(0, len(examples), every)
    }
    ratio = sum(known.values()) / max(1, sum(chars[k] for k in known))
    lengths = [known.get(k) or max(1, round(n * ratio)) for k, n in enumerate(chars)]
    if every == 1:
        return lengths, "counted"
    return lengths, f"counted in {len(known):,} samples, the others' estimated from them"


def remedies(plan: Plan) -> str:
    """Say what would fit where nothing does: shorter samples on this machine, or other machines."""
    config, machine, model, lengths, _ = plan
    told = []
    setups = ways.setups(config, model, machine)
    most = max(memory.fit_tokens(setup, machine.card.memory) for setup in setups)
    if most >= 512:
        told.append(f"--max_length {most // 256 * 256} on this machine")
    others = []
    for card in hardware.CARDS.values():
        for n in (1, 2, 4, 8, 16):
            other = Hardware(card, min(n, 8), max(1, n // 8))
            rows = ways.predict(config, model, other, lengths)
            if rows[0].fits:
                rate = n * card.price if card.price is not None else math.inf
                way = rows[0].name
                if rows[0].host:
                    way += f", {rows[0].host / other.n_nodes / GIB:,.0f} GiB of a machine's memory"
                others.append((rate, str(other), way))
                break
    told += [f"{name} ({way})" for _, name, way in sorted(others)[:2]]
    return " or ".join(told) or "no machine of 16 cards known here"


def plain(plan: Plan) -> dict[str, Any]:
    """Give everything in plain values: bytes, seconds, dollars."""
    config, machine, model, lengths, rows = plan
    best = rows[0] if rows[0].fits else None
    return {
        "base_model": config.base_model,
        "parameters": model.n_params,
        "hardware": str(machine),
        "device_memory": machine.card.memory,
        "price_per_device_hour": machine.card.price,
        "price_source": machine.card.source,
        "samples": len(lengths.tokens),
        "tokens": sum(lengths.tokens),
        "longest": max(lengths.tokens),
        "cut": lengths.cut,
        "lengths": lengths.how,
        "best": best.name if best else None,
        "would_fit": None if best else remedies(plan),
        "ways": [
            {
                "name": row.name,
                "method": row.setup.method,
                "fsdp": row.setup.shards > 1 and not row.setup.zero3,
                "zero3_offload": row.setup.offload,
                "machine_memory": row.host / machine.n_nodes,
                "checkpointing": row.setup.checkpointing,
                "trained_parameters": row.setup.trained,
                "fits": row.fits,
                "memory": {**row.memory._asdict(), "total": row.memory.total},
                "tokens_that_fit": row.fit,
                "pass_tokens": row.pass_tokens,
                "tokens_per_s": row.step.tokens_per_s,
                "flops_per_token": row.step.counted,
                "hours": row.hours,
                "dollars": row.cost,
            }
            for row in rows
        ],
    }


def _show(plan: Plan) -> None:
    config, machine, model, lengths, rows = plan
    card, size, best = machine.card, model.n_params, rows[0]
    counted = "" if model.exact else " (counted as a Llama of its sizes)"
    written = f"{size / 1e9:.2f} billion" if size >= 1e9 else f"{size / 1e6:.1f} million"
    progress.say(f"{config.base_model}: {written} parameters{counted}")
    progress.say(f"{machine}: {card.memory / GIB:.1f} GiB each{_price(machine)}")
    progress.say(_lengths(lengths))
    progress.say(_drawn(_table(rows)))
    progress.say(
        "GiB of a device at the peak; FSDP: --sharding fsdp, ckpt: --gradient_checkpointing"
    )
    if any(row.setup.offload for row in rows):
        host = max(row.host for row in rows) / machine.n_nodes
        progress.say(
            f"ZeRO-3: --sharding zero3 --offload, which takes {host / GIB:,.0f} GiB of the memory "
            "of a machine"
        )
    if best.fits:
        first = "fastest" if best.cost is None else "cheapest"
        cost = "" if best.cost is None else f", {dollars(best.cost)}"
        time = progress.duration(best.hours * 3600)
        progress.say(f"{first} that fits: {best.name}, {time}{cost}")
    else:
        least = min(rows, key=lambda row: row.needs)
        progress.say(
            f"nothing fits: {least.name} comes nearest with {least.needs / GIB:.1f} GiB, of "
            f"{memory.SHARE * card.memory / GIB:.1f} that can be used; what would fit: "
            f"{remedies(plan)}"
        )


def _price(machine: Hardware) -> str:
    card = machine.card
    if card.price is None:
        return "; no price known, give --price"
    return f", ${card.price:.2f} a card and hour ({card.source or 'as given'})"


def _lengths(lengths: Lengths) -> str:
    ordered, n = sorted(lengths.tokens), len(lengths.tokens)
    middle, most = ordered[n // 2], ordered[min(n - 1, n * 9 // 10)]
    cut = f", {100 * lengths.cut / n:.1f} % cut" if lengths.cut else ""
    return (
        f"{n:,} samples, {sum(ordered):,} tokens ({lengths.how}): median {middle:,}, 90 % within "
        f"{most:,}, longest {ordered[-1]:,}{cut}"
    )


def _drawn(table: Table) -> str:
    """Draw a table as wide as it is, so that a narrow terminal or a file loses no number."""
    console = Console(width=WIDTH, file=io.StringIO())
    console.print(table)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in lines)


def _table(rows: Iterable[Row]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("GiB per device", no_wrap=True)
    parts = ("weights", "grads", "AdamW", "activ.", "logits", "CUDA", "all")
    for name in (*parts, "tokens", "tok/s", "time", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        cost = "–" if row.cost is None else dollars(row.cost)
        after = (
            (f"{row.step.tokens_per_s:,.0f}", progress.duration(row.hours * 3600), cost)
            if row.fits
            else ("", "too large", "")
        )
        cells = [f"{part / GIB:,.1f}" for part in (*row.memory, row.memory.total)]
        table.add_row(row.name, *cells, f"{row.pass_tokens:,}", *after)
    return table
