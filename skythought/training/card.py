"""The model card: what a checkpoint was made of, how, and what came of it.

Written as README.md of the checkpoint from what the run knows. Nothing is guessed: a licence is
named where the base's own card or the dataset's says it.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from skythought.core import jsonl, store
from skythought.core.errors import plain

LICENSE = re.compile(r"\A---\n(?:.*\n)*?license:[ \t]*[\"']?([\w.+-]+)")  # of a card's front matter
ORIGIN = re.compile(r"^## Where it came from\n+((?:\|.*\n)+)", re.MULTILINE)  # of a dataset card
LOSSES = 8  # rows of the table
LOSS_NAMES = {"loss": "loss", "loss_structural": "on structure", "loss_content": "on content"}
OF_RUN = {  # what is not always known
    "mfu": ("model FLOPs utilisation", "{:.1%}"),
    "peak_memory_gib": ("peak memory of a process, GiB", "{:.1f}"),
    "cost": ("cost, dollars", "{:.2f}"),
}


class Card(NamedTuple):
    """What a card is written from."""

    name: str
    base: str  # as it was given
    base_folder: Path | None  # where it lies, for one that is not on the hub
    dataset: Path
    command: str
    manifest: Mapping[str, Any]  # of the run: config, versions, revision
    result: Mapping[str, Any]
    log: Sequence[Mapping[str, Any]]  # rows of log.jsonl


def write_into(
    folder: Path, config: Any, base_folder: Path | None, result: Mapping[str, Any]
) -> None:
    """Write the card of a finished run into its folder.

    Args:
        folder: of the checkpoint, with log.jsonl and manifest.
        config: the run's `skythought.train.Config`.
        base_folder: where the base lies; None for one on the hub.
        result: what the run came to.

    Raises:
        UserError: the disk is full or the place may not be written.
    """
    text = write(
        Card(
            name=folder.resolve().name,
            base=config.base_model,
            base_folder=base_folder and base_folder.resolve(),
            dataset=config.dataset,
            command=command_line("train", config),
            manifest=store.manifest(folder),
            result=result,
            log=[row for _, row in jsonl.read_rows(folder / "log.jsonl")],
        )
    )
    store.write_whole(folder / "README.md", text)


def write(card: Card) -> str:
    """Write a card as Markdown with front matter, as model hubs read it."""
    config = card.manifest["config"]
    adapter = not config["full"]
    base = card.base if card.base_folder is None else card.base_folder.name
    licence = license_of(card.base_folder / "README.md") if card.base_folder else ""
    front = {
        "base_model": base,
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": "text-generation",
        "license": licence,
        "tags": ["reasoning", "skythought", *(["lora"] if adapter else [])],
    }
    what = "A LoRA adapter for" if adapter else "All weights trained, starting from"
    result, log = card.result, card.log
    facts = [
        ("steps", f"{result['steps']:,}"),
        ("samples", f"{result['samples']:,}"),
        ("cut at the longest length", f"{result['truncated']:,}"),
        ("left out", f"{result['dropped']:,}"),
        ("tokens, without padding", f"{result['tokens']:,}"),
        ("loss of the last step", f"{result['loss']:.3f}"),
        ("tokens per second", f"{result['tokens_per_s']:,.0f}"),
        ("seconds", f"{result['seconds']:,.0f}"),
        *(
            (name, write.format(result[key]))
            for key, (name, write) in OF_RUN.items()
            if key in result
        ),
    ]
    shown = [log[i * (len(log) - 1) // max(1, LOSSES - 1)] for i in range(LOSSES)] if log else []
    steps = {row["step"]: row for row in shown}.values()
    sections = [
        "---\n" + "".join(f"{k}: {json.dumps(v)}\n" for k, v in front.items() if v) + "---",
        f"# {_cell(card.name)}",
        f"{what} `{_cell(base)}` (`{_cell(str(config['base_model']))}`), trained with skythought.",
        f"```python\n{_usage(card.name, adapter)}```",
        f"```bash\n{card.command}\n```",
        "## Result\n\n" + _table(("", ""), facts),
        _table(
            ("step", *LOSS_NAMES.values(), "tokens"),
            [(str(r["step"]), *_losses(r), f"{r['tokens']:,}") for r in steps],
        ),
        "## Data\n\n" + _table(("", ""), lineage(card.dataset, config)),
        origin(card.dataset),
        "## Licences\n\nBase: "
        + (licence or "see the card of the base; none was found beside its weights")
        + ". Data: "
        + (license_of(_beside(card.dataset)) or "not stated beside the dataset")
        + ".",
        "## Settings\n\n"
        + _table(("", ""), [(k, _value(v)) for k, v in config.items() if v not in ("", None)]),
        "## Versions\n\n"
        + _table(
            ("", ""),
            [
                *((k, str(v)) for k, v in card.manifest["versions"].items()),
                *([("revision", r)] if (r := str(card.manifest.get("revision") or "")) else []),
            ],
        ),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _usage(name: str, adapter: bool) -> str:
    package, kind = "transformers", "AutoModelForCausalLM"
    if adapter:
        package, kind = "peft", "AutoPeftModelForCausalLM"
    return (
        f"from {package} import {kind}\nfrom transformers import AutoTokenizer\n\n"
        f'model = {kind}.from_pretrained("{_cell(name)}")\n'
        f'tokenizer = AutoTokenizer.from_pretrained("{_cell(name)}")\n'
    )


def of_merged(text: str) -> str:
    """Turn the card of an adapter into that of the model it was merged into."""
    for one, other in (
        ('library_name: "peft"', 'library_name: "transformers"'),
        ('"lora"', '"lora-merged"'),
        ("A LoRA adapter for", "A LoRA adapter merged into"),
        (
            "from peft import AutoPeftModelForCausalLM",
            "from transformers import AutoModelForCausalLM",
        ),
        ("AutoPeftModelForCausalLM", "AutoModelForCausalLM"),
    ):
        text = text.replace(one, other)
    return text


def lineage(dataset: Path, config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what a dataset is, from the manifests that lie beside it or in it."""
    found = [
        ("dataset", dataset.as_posix() if not dataset.exists() else dataset.name),
        ("hash of its prompts and completions", str(config["dataset"])),
        ("examples", f"{config['n_examples']:,}"),
    ]
    manifest = dataset / "manifest.json" if dataset.is_dir() else Path(f"{dataset}.manifest.json")
    try:
        made = json.loads(manifest.read_bytes())
        found.append(("made by", f"skythought {made['stage']}"))
        found += [(k, _value(v)) for k, v in made["config"].items() if v not in ("", None)]
        found += [(f"{k}, then", _value(v)) for k, v in made.get("counts", {}).items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        found.append(("made by", "not stated: no manifest of skythought beside it"))
    return found


def origin(dataset: Path) -> str:
    """Give the table of a dataset's card that says where its rows came from; "" without one."""
    found = ORIGIN.search(_read(_beside(dataset)))
    return f"Where it came from:\n\n{plain(found[1]).strip()}" if found else ""


def license_of(card: Path) -> str:
    """Give the licence that a card names in its front matter, "" where it names none."""
    found = LICENSE.match(_read(card))
    return found[1] if found else ""


def command_line(verb: str, config: Any) -> str:
    """Write the command that a config stands for: the flags that are not their defaults."""
    words = [f"skythought {verb}"]
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value == field.default:
            continue
        flag = f"--{field.name}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no_{field.name}")
        else:
            words.append(f"{flag} {shlex.quote(str(value))}")
    return " \\\n  ".join(words)


def _beside(dataset: Path) -> Path:
    """Name the card of a dataset: in its folder, or beside its file."""
    return dataset / "README.md" if dataset.is_dir() else Path(f"{dataset}.card.md")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _losses(row: Mapping[str, Any]) -> list[str]:
    """Write the losses of a step; a loss that is no number, or is not known, is a dash."""
    found = [row.get(key) for key in LOSS_NAMES]
    return ["–" if loss is None else f"{loss:.3f}" for loss in found]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines])


def _cell(text: str) -> str:
    """Write a text that a file or a user gave into one line that ends no cell."""
    return " ".join(plain(text).replace("|", "\\|").split())


def pin_generation(generation: Any, stops: Collection[int], folder: Path) -> None:
    """Write the base's generation config, which also stops where the template ends a turn."""
    pinned, ends = copy.deepcopy(generation), sorted(stops)
    pinned.eos_token_id = ends[0] if len(ends) == 1 else ends
    store.write_whole(folder / "generation_config.json", pinned.to_json_string())
