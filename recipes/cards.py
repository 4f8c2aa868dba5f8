"""Write the recipes, one shell command each, and the table of their cards in recipes/README.md.

    python recipes/cards.py

A recipe is a model, a method and a machine. What `skythought plan` finds decides the rest: whether
the devices split the model and whether activations are computed twice. Nothing here was measured.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import NamedTuple

from skythought import plan
from skythought.core.prices import dollars
from skythought.core.progress import duration
from skythought.training.hardware import GIB
from skythought.training.memory import Method
from skythought.training.ways import NAMES, Row

ROOT = Path(__file__).parent
MODELS = ("Qwen2.5-7B-Instruct", "Qwen2.5-14B-Instruct", "Qwen2.5-32B-Instruct")
MACHINES = {"1x80gb": "1xA100-80GB", "4xh100": "4xH100", "8xh100": "8xH100", "2x8xh100": "2x8xH100"}
LENGTHS = "17000x6000"
PRESETS: dict[Method, str] = {
    "lora": "--preset article-lora",
    "qlora": "--preset article-lora --qlora",
    "full": "--preset sky-t1-full",
}
EPOCHS = {"lora": 2.0, "qlora": 2.0, "full": 3.0}  # of the presets, and below their rank
RANK = 128


class Recipe(NamedTuple):
    """One command and what it should take."""

    model: str
    method: Method
    machine: str  # a key of MACHINES
    row: Row

    @property
    def path(self) -> Path:
        """Name the file."""
        size = self.model.removesuffix("-Instruct").lower()
        return ROOT / size / f"{self.method}-{self.machine}.sh"

    @property
    def flags(self) -> str:
        """Give what the plan adds to the preset."""
        setup = self.row.setup
        sharding = " --sharding fsdp" if setup.shards > 1 else ""
        sharding = " --sharding zero3 --offload" if setup.offload else sharding
        return sharding + (" --gradient_checkpointing" if setup.checkpointing else "")


def recipes() -> list[Recipe]:
    """List what fits, each in its cheapest way; QLoRA where one card has to do."""
    found = []
    for model in MODELS:
        for machine, hardware in MACHINES.items():
            for method in PRESETS:
                if method == "qlora" and machine != "1x80gb":
                    continue
                rows = plan.make(
                    plan.Config(
                        base_model=str(ROOT / "models" / model),
                        lengths=LENGTHS,
                        hardware=hardware,
                        method=method,
                        lora_r=RANK,
                        epochs=EPOCHS[method],
                    )
                ).rows
                if fitting := [r for r in rows if r.fits]:
                    found.append(Recipe(model, method, machine, fitting[0]))
    return found


def script(recipe: Recipe) -> str:
    """Write the command of a recipe."""
    *nodes, cards, _ = MACHINES[recipe.machine].split("x")
    name = NAMES[recipe.method]
    path = recipe.path.relative_to(ROOT.parent)
    first, launch = "", "python"
    if int(cards) > 1:
        launch = f"torchrun --nproc_per_node {cards}"
    if nodes:
        launch = (
            f"torchrun --nnodes {nodes[0]} --nproc_per_node {cards} "
            "--node_rank ${NODE_RANK:?0 or 1} --rdzv_id sky --rdzv_backend c10d "
            "--rdzv_endpoint ${HEAD:?host of the first node}:29500"
        )
        first = (
            "# On both nodes, with NODE_RANK=0 HEAD=<host of the first node> and NODE_RANK=1; they "
            "need one folder\n# for --output_dir that both see.\n"
        )
    if recipe.row.setup.offload:
        first += (
            f"# Takes {recipe.row.host / GIB:,.0f} GiB of the machine's memory, and DeepSpeed: "
            'pip install ".[train,deepspeed]"\n'
        )
    return textwrap.dedent(
        """\
        #!/usr/bin/env bash
        # {model}, {name}, on {machine}: {time}, {cost}, {peak:.0f} GiB a device (predicted)
        # bash {path} r1-17k.jsonl [more flags of train]
        {first}set -euo pipefail
        ${{LAUNCH:-{launch}}} -m skythought train \\
          --base_model "${{BASE_MODEL:-Qwen/{model}}}" --dataset "${{1:?the training data}}" \\
          {preset}{flags} "${{@:2}}"
        """
    ).format(
        model=recipe.model,
        name=name,
        machine=MACHINES[recipe.machine],
        time=duration(recipe.row.hours * 3600),
        cost=dollars(recipe.row.cost or 0),
        peak=recipe.row.memory.total / GIB,
        path=path,
        first=first,
        launch=launch,
        preset=PRESETS[recipe.method],
        flags=recipe.flags,
    )


def table(found: list[Recipe]) -> str:
    """Write the cards as a table."""
    rows = [
        "| recipe | trains | on | GiB a device | tok/s | time | cost | measured |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for recipe in found:
        link = recipe.path.relative_to(ROOT).as_posix()
        row = recipe.row
        spread = ", ZeRO-3" if row.setup.zero3 else ", FSDP" if row.setup.shards > 1 else ""
        rows.append(
            f"| [{link.removesuffix('.sh')}]({link}) | {row.setup.trained / 1e9:.2f} billion | "
            f"{MACHINES[recipe.machine]}{spread} | "
            f"{row.memory.total / GIB:.1f} | {row.step.tokens_per_s:,.0f} | "
            f"{duration(row.hours * 3600)} | {dollars(row.cost or 0)} | no |"
        )
    return "\n".join(rows)


OPEN, CLOSE = "<!-- cards -->", "<!-- /cards -->"


def page(text: str, found: list[Recipe]) -> str:
    """Put the table between its two marks."""
    before, rest = text.split(OPEN)
    return f"{before}{OPEN}\n{table(found)}\n{CLOSE}{rest.split(CLOSE)[1]}"


def main() -> None:
    """Write all files."""
    found = recipes()
    for recipe in found:
        recipe.path.parent.mkdir(exist_ok=True)
        recipe.path.write_text(script(recipe))
        recipe.path.chmod(0o755)
    readme = ROOT / "README.md"
    readme.write_text(page(readme.read_text(), found))


if __name__ == "__main__":
    main()
