r"""Training speed: ours, TRL's defaults, and Sky-T1's settings in LLaMA-Factory; the same tokens.

    python benchmarks/train_speed.py --model SmolLM2-135M-Instruct --data r1.jsonl
    python benchmarks/train_speed.py --random qwen2.5-7b --max-length 16384 --checkpointing --bare

Each arm has a process of its own, and the same weights, samples, order, precision and optimizer,
`--samples` to a step. The first step is left out of the speed. Tokens are real ones, without
padding. `--random` needs no weights and no data: random weights of that architecture, and samples
as long as traces of R1 are. `--bare` needs PyTorch, transformers and peft only: a plain loop around
our packing, attention, loss and adapter, and around what the other two do. Sky-T1's settings of
LLaMA-Factory are given to TRL; to LLaMA-Factory itself with `--llama-factory venv/bin/python`, the
Python of an environment that has it.

Utilisation is what had to be multiplied / seconds / the rate of one large product on this device:
2 x weights of the linear layers x tokens forward and as much backward, for the inputs (frozen
weights have no gradient); 6 x adapter weights x tokens; the output layer for completion tokens
only; and attention, 12 x layers x width x pairs of tokens that see each other. With checkpointing
the forward part counts once more, as `recomputed`.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from train_arms import RANDOM, Clock, bare, llama_factory, random_sizes, with_trainer

ARMS = ("ours", "trl", "sky-t1")  # and ours-checkpointing
OTHER = "llama-factory"  # needs older packages than ours, so an environment of its own


def tokens(options: argparse.Namespace) -> dict[str, list[list[int]]]:
    """Give ids and labels of the samples of all steps, in their order."""
    n = options.samples * options.steps
    if options.random:
        draw, words = random.Random(1), RANDOM[options.random][-1]
        sizes = random_sizes(n, options.max_length)
        ids = [[draw.randrange(1, words) for _ in range(size)] for size in sizes]
        return {"ids": ids, "labels": [[-100] * 100 + row[100:] for row in ids]}
    import transformers

    from skythought.core import shapes
    from skythought.training import data

    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.jsonl"
        path.write_text("".join(options.data.read_text().splitlines(keepends=True)[:n]))
        rows = data.tokenize(tokenizer, list(shapes.read_examples(path)), options.max_length)
    order = list(range(n))
    random.Random("0 0").shuffle(order)  # so that each step has the samples that ours has
    ids, labels = ([[*column[i]] for i in order] for column in (rows.input_ids, rows.labels))
    return {"ids": ids, "labels": labels}


def product_rate(dtype: str) -> float:
    """Measure the rate of a large product on this device, in FLOP/s."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    n = 8192 if device == "cuda" else 2048
    a, b = (torch.randn(n, n, device=device, dtype=getattr(torch, dtype)) for _ in range(2))
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        c = a @ b
        c[0, 0].item()
        best = min(best, time.perf_counter() - start)
    return 2 * n**3 / best


def work(options: argparse.Namespace, rows: Any, skipped: int) -> tuple[float, float]:
    """Count the FLOPs of all steps but the first: of training, and of recomputing the forward."""
    if options.random:
        width, inner, layers, heads, keys, words = RANDOM[options.random]
    else:
        config = json.loads((Path(options.model) / "config.json").read_text())
        names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
        width, inner, layers, heads = (config[name] for name in names)
        keys, words = config.get("num_key_value_heads", heads), config["vocab_size"]
    side = width // heads * keys
    shapes = [(width, width)] * 2 + [(width, side)] * 2 + [(width, inner)] * 3
    linear = layers * sum(a * b for a, b in shapes)
    adapter = layers * options.lora_r * sum(a + b for a, b in shapes)
    sizes = [len(row) for row in rows["ids"][skipped:]]
    n, pairs = sum(sizes), sum(size * (size + 1) / 2 for size in sizes)
    labels = sum(label != -100 for row in rows["labels"][skipped:] for label in row)
    forward = 2 * (linear + adapter) * n + 2 * width * words * labels + 4 * layers * width * pairs
    backward = 2 * (linear + 2 * adapter) * n + 2 * width * words * labels
    return forward + backward + 8 * layers * width * pairs, forward


def measure(options: argparse.Namespace) -> None:
    """Run one arm and print what it took as JSON."""
    import torch

    rows = json.loads(options.rows.read_text())
    options.checkpointing |= options.arm == "ours-checkpointing"
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        if options.arm == OTHER:
            llama_factory(options, rows, clock, folder)
        elif options.bare:
            bare(options, rows, clock)
        else:
            with_trainer(options, rows, clock, folder)
    seconds = clock.ends[-1] - clock.ends[0]
    skipped = options.samples
    flops, again = work(options, rows, skipped)
    twice = options.checkpointing or not options.arm.startswith("ours")  # the others' defaults
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated()
    rate = product_rate(options.dtype)
    n = sum(len(row) for row in rows["ids"][skipped:])
    found = {
        "tokens_per_s": round(n / seconds, 1),
        "peak_gib": round(peak / 2**30, 2),
        "losses": [round(loss, 4) for loss in clock.losses],
        "utilisation": round(flops / seconds / rate, 3),
        "recomputed": round((flops + (again if twice else 0)) / seconds / rate, 3),
        "product_tflops": round(rate / 1e12, 3),
        "tokens": n,
        "seconds": round(seconds, 1),
    }
    print("RESULT " + json.dumps(found))


def main() -> None:
    """Run every arm in a process of its own and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", help="folder of weights")
    parser.add_argument("--data", type=Path, help="JSONL of demonstrations")
    parser.add_argument("--random", choices=RANDOM, help="random weights and made-up samples")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--samples", type=int, default=8, help="of a step")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=1, help="of all arms in turns, for medians")
    parser.add_argument("--max-length", type=int, default=1024)
    parser.add_argument("--micro-tokens", type=int, default=1024)
    parser.add_argument("--lora-r", type=int, default=128)
    parser.add_argument("--dtype", default="", choices=("", "float32", "bfloat16"))
    parser.add_argument("--checkpointing", action="store_true", help="for ours; the others have it")
    parser.add_argument("--llama-factory", type=Path, help="a Python that has it")
    parser.add_argument("--bare", action="store_true", help="without TRL and Accelerate")
    parser.add_argument("--profile", action="store_true", help="say where ours spends its time")
    parser.add_argument("--arm", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.dtype:
        import torch

        options.dtype = "bfloat16" if torch.cuda.is_available() else "float32"
    if options.arm:
        measure(options)
        return
    if not options.random and not (options.model and options.data):
        parser.error("give --model and --data, or --random")
    print("| arm | tokens/s | times TRL | peak GiB | last loss | utilisation | recomputed |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        path.write_text(json.dumps(tokens(options)))
        runs: list[tuple[str, dict[str, Any]]] = []
        arms = options.arms.split(",") + [OTHER] * bool(options.llama_factory)
        for arm in arms * options.repeats:
            words = [*sys.argv[1:], "--rows", str(path), "--dtype", options.dtype]
            python = str(options.llama_factory) if arm == OTHER else sys.executable
            command = [python, __file__, *words, "--arm", arm]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            lines = [x for x in done.stdout.splitlines() if x.startswith("RESULT ")]
            if options.profile:
                print(done.stdout)
            if not lines:
                print(f"| {arm} | failed: {(done.stderr or done.stdout).strip()[-600:]} |")
                continue
            found = json.loads(lines[-1].removeprefix("RESULT "))
            runs.append((arm, found))
            base = median(runs, "trl")
            ratio = f"{found['tokens_per_s'] / base:.2f}" if base else ""
            cells = (*(arm, found["tokens_per_s"], ratio, found["peak_gib"]), found["losses"][-1])
            cells += (found["utilisation"], found["recomputed"])
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
    if options.repeats > 1:
        for arm in arms:
            speeds = sorted(found["tokens_per_s"] for name, found in runs if name == arm)
            if speeds:
                print(f"{arm}: median {median(runs, arm):.1f} of {speeds} tokens/s")
    print(json.dumps(runs))


def median(runs: list[tuple[str, dict[str, Any]]], arm: str) -> float:
    """Give an arm's median tokens/s so far, 0 before its first run."""
    speeds = [found["tokens_per_s"] for name, found in runs if name == arm]
    return statistics.median(speeds) if speeds else 0.0


if __name__ == "__main__":
    main()
