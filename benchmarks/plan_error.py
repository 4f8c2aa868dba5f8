"""How far the predictions of `skythought plan` are off, against runs that were measured.

    python benchmarks/plan_error.py published
    python benchmarks/plan_error.py gpu
    python benchmarks/plan_error.py cpu [--tokens 512,2048] [--kinds qwen2,llama]

`published` holds the table of runs below; the fitted rows are those the constants of
`training/speed.py` and `reached` of `training/hardware.py` were fitted to, the others were not
looked at. `gpu` holds runs of train_speed.py on one H200. `cpu` trains small models with random
weights here, each run in a process of its own, and takes the peak of its memory above what a first
run of `mini` left.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from train_arms import RANDOM, random_sizes

from skythought.training import architecture, data, flops, hardware, lengths, memory, speed
from skythought.training.architecture import Architecture
from skythought.training.lengths import Shares, pack
from skythought.training.memory import Setup

MPT = {  # width and layers: github.com/mosaicml/llm-foundry, scripts/train/yamls
    **{"1b": (2048, 24), "3b": (2560, 32), "7b": (4096, 32)},
    **{"13b": (5120, 40), "30b": (7168, 48), "70b": (8192, 80)},
}
FOUNDRY = "llm-foundry, scripts/train/benchmarking/README.md"


class Run(NamedTuple):
    """Full training under FSDP, as published."""

    source: str
    fitted: bool
    model: str
    machine: str
    length: int  # of a sequence; full, so also of its context
    micro: int  # sequences of a pass
    checkpointing: bool
    rate: float  # tokens a second and card


def _mpt(card: str, fitted: bool, rows: str) -> list[Run]:
    found = []
    for row in rows.split(";"):
        model, length, n, micro, again, rate = row.split()
        nodes = f"{int(n) // 8}x8x{card}"
        run = (model, nodes, int(length), int(micro), again == "1", float(rate))
        found.append(Run(FOUNDRY, fitted, *run))
    return found


RUNS = [
    *_mpt(
        "H100",
        True,
        "70b 2048 64 8 1 1039;70b 2048 32 2 1 882;30b 8192 8 1 1 1384;30b 4096 8 1 1 1802;"
        "30b 2048 32 14 1 2308;30b 2048 16 10 1 2263;30b 2048 8 3 1 2002;13b 32768 8 1 1 1976;"
        "13b 16384 8 3 1 2985;13b 4096 8 10 1 4717;13b 2048 64 2 0 4800;13b 2048 16 2 0 4767;"
        "13b 2048 8 2 0 4792;13b 1024 8 40 1 5502;7b 65536 8 1 1 1956;7b 32768 8 2 1 3318;"
        "7b 8192 8 8 1 6935;7b 4096 8 16 1 8611;7b 2048 8 6 0 10643;3b 16384 8 1 0 11152;"
        "3b 8192 8 3 0 16578;3b 2048 16 10 0 24142;1b 4096 8 7 0 38535;1b 65536 8 1 1 5506",
    ),
    *_mpt(
        "A100-80GB",
        True,
        "70b 2048 64 8 1 410;70b 2048 32 2 1 373;30b 8192 8 1 1 574;30b 4096 8 1 1 814;"
        "30b 2048 8 3 1 916;13b 32768 8 1 1 1016;13b 16384 8 3 1 1431;13b 8192 8 5 1 1795;"
        "13b 4096 8 10 1 2060;13b 2048 8 2 0 2262;13b 1024 8 40 1 2330;7b 65536 8 1 1 1013;"
        "7b 32768 8 2 1 1672;7b 8192 8 8 1 3206;7b 4096 8 16 1 3684;7b 2048 8 6 0 4641;"
        "3b 65536 8 1 1 1767;3b 16384 8 1 0 5529;3b 8192 8 3 0 7695;3b 2048 8 10 0 10811;"
        "1b 4096 8 7 0 17807;1b 32768 8 1 0 6275",
    ),
    *_mpt(
        "A100-40GB",
        False,
        "70b 2048 128 4 1 376;70b 2048 64 2 1 276;30b 2048 128 6 1 865;30b 2048 32 4 1 857;"
        "13b 8192 8 1 1 1407;13b 4096 8 2 1 1603;13b 2048 128 16 1 1972;13b 2048 32 14 1 1998;"
        "13b 2048 8 4 1 1668;7b 16384 8 1 1 2249;7b 8192 8 3 1 2887;7b 4096 8 6 1 3366;"
        "7b 2048 128 18 1 3623;7b 2048 16 16 1 3645;7b 2048 8 12 1 3679;3b 32768 8 1 1 2955;"
        "3b 16384 8 2 1 4465;3b 8192 8 1 0 7149;3b 2048 128 6 0 9538;3b 2048 64 6 0 9736",
    ),
    # 500 W cards; selective checkpointing, which computes little again.
    Run("torchtitan, 2024-12, table 1", False, "llama-8b", "8xH100", 8192, 2, False, 5762),
    Run("torchtitan, 2024-12, table 3", False, "llama-8b", "16x8xH100", 8192, 2, False, 5605),
    Run("PyTorch blog, 2024-03, IBM", False, "llama-7b", "16x8xA100-80GB", 4096, 2, False, 3700),
]

MODELS = {
    "llama-7b": Architecture(
        n_layers=32, hidden=4096, inner=11008, q_dim=4096, kv_dim=4096, vocab=32000, small=8192
    ),
    "llama-13b": Architecture(
        n_layers=40, hidden=5120, inner=13824, q_dim=5120, kv_dim=5120, vocab=32000, small=10240
    ),
    "llama-8b": Architecture(
        n_layers=32, hidden=4096, inner=14336, q_dim=4096, kv_dim=1024, vocab=128256, small=8192
    ),
    "qwen-32b": Architecture(
        n_layers=64, hidden=5120, inner=27648, q_dim=5120, kv_dim=1024, vocab=152064, small=17408
    ),
    **{
        name: Architecture(
            n_layers=n, hidden=h, inner=4 * h, q_dim=h, kv_dim=h, vocab=50368, tied=True,
            gated=False, small=2 * h,
        )
        for name, (h, n) in MPT.items()
    },
}  # fmt: skip

# Llama 2 with LoRA of rank 8 on queries and values, sequences of 1,304 tokens, one A100:
# github.com/Lightning-AI/litgpt, tutorials/resource-tables.md, 2023-10. Gigabytes.
LITGPT: list[tuple[str, memory.Method, int, float]] = [
    ("llama-7b", "lora", 1, 21.30),
    ("llama-7b", "lora", 2, 29.07),
    ("llama-7b", "qlora", 1, 13.84),
    ("llama-13b", "lora", 1, 38.12),
    ("llama-13b", "qlora", 1, 22.55),
]


class Whole(NamedTuple):
    """A whole run of which the hours are known, and the mean length is not."""

    source: str
    machine: str
    method: memory.Method
    r: int
    samples: int
    epochs: int
    batch: int
    hours: float
    means: tuple[int, ...]  # tokens of a sample that may have been
    offload: bool = False


WHOLE = [
    Whole("the article, 6 x A100, 14 h", "6xA100-80GB", "lora", 128, 17000, 2, 96, 14,
          (4000, 6000)),
    Whole("Sky-T1, 8 x H100, 19 h (ZeRO-3 with offload)", "8xH100", "full", 0, 17000, 3, 96, 19,
          (3000, 4000, 6000), offload=True),
    Whole("s1, 16 x H100, 26 minutes", "2x8xH100", "full", 0, 1000, 5, 16, 26 / 60, (3600, 6000)),
]  # fmt: skip


def published() -> None:
    """Print the error of each published run."""
    groups: dict[str, list[float]] = {}
    for run in RUNS:
        machine, model = hardware.parse(run.machine), MODELS[run.model]
        n = machine.n_devices
        setup = Setup(
            model=model, method="full", checkpointing=run.checkpointing, shards=n, devices=n
        )
        tokens = run.length * run.micro
        context = flops.mean_context([run.length])
        step = speed.of_step(
            setup, machine, tokens=tokens * n, shares=Shares(1, 1), context=context
        )
        error = step.tokens_per_s / n / run.rate - 1
        name = machine.card.name if run.source == FOUNDRY else run.source
        groups.setdefault(f"{name}, {'' if run.fitted else 'not '}fitted", []).append(error)
        again = " ckpt" if run.checkpointing else ""
        what = f"{run.model} {run.machine} {run.micro} x {run.length}{again}"
        print(f"{what:42} {run.rate:8,.0f} tok/s/card  {error:+6.1%}  {run.source}")
    print()
    for name, errors in groups.items():
        mean = statistics.fmean(map(abs, errors))
        print(
            f"{name}: {len(errors)} runs, {min(errors):+.0%} to {max(errors):+.0%}, mean {mean:.0%}"
        )
    print()
    for name, method, micro, gigabytes in LITGPT:
        setup = Setup(model=MODELS[name], method=method, r=8, targets=("q_proj", "v_proj"))
        found = memory.of(setup, 1304 * micro)
        error = (found.total - found.runtime) / 1e9 / gigabytes - 1
        print(f"litgpt {name} {method} {micro} x 1304: {gigabytes} GB, {error:+.0%}")
    print()
    for whole in WHOLE:
        machine, model = hardware.parse(whole.machine), MODELS["qwen-32b"]
        n = machine.n_devices
        for mean in whole.means:
            setup = Setup(
                model=model, method=whole.method, r=whole.r, checkpointing=True, shards=n,
                devices=n, zero3=whole.offload, offload=whole.offload,
            )  # fmt: skip
            spread = [min(k, 16384) for k in lengths.spread(whole.samples, mean)]
            tokens = whole.batch * sum(spread) / len(spread)
            step = speed.of_step(
                setup, machine, tokens=tokens, context=flops.mean_context(spread),
                shares=lengths.share(spread, batch=whole.batch, tokens=8192, devices=n),
            )  # fmt: skip
            hours = whole.samples / whole.batch * whole.epochs * step.seconds / 3600
            print(
                f"{whole.source}: at {mean:,} tokens a sample {hours:.1f} h "
                f"({hours / whole.hours - 1:+.0%})"
            )


class Short(NamedTuple):
    """Steps of LoRA r=128 that train_speed.py measured on one H200, 2026-11-29."""

    model: str
    tokens: int  # of the longest sample and of a pass
    checkpointing: bool
    peak: float  # GiB that PyTorch allocated
    rate: float  # tokens a second


SHORT = [
    Short("qwen2.5-7b", 16384, True, 24.70, 9080),
    Short("qwen2.5-7b", 8192, True, 24.21, 9000),
    Short("qwen2.5-7b", 4096, True, 22.72, 8408),
    Short("qwen2.5-1.5b", 16384, True, 9.47, 23329),
    Short("qwen2.5-1.5b", 4096, False, 18.62, 15739),
]


NAMES = (
    *("hidden_size", "intermediate_size", "num_hidden_layers"),
    *("num_attention_heads", "num_key_value_heads", "vocab_size"),
)


def gpu() -> None:
    """Print the error of each run that was measured on a GPU."""
    batch, skipped = 8, 8  # samples of a step, and of the first, which was not timed
    for run in SHORT:
        sizes_of = dict(zip(NAMES, RANDOM[run.model], strict=True))
        tied = sizes_of["hidden_size"] < 3000  # as train_arms.py makes them
        model = architecture.of({"model_type": "qwen2", "tie_word_embeddings": tied, **sizes_of})
        sizes = random_sizes(3 * batch, run.tokens)
        steps = [sizes[at : at + batch] for at in range(0, len(sizes), batch)]
        passes = [
            [sum(step[i] for i in row) for row in pack(step, tokens=run.tokens)] for step in steps
        ]
        setup = Setup(model=model, method="lora", r=128, checkpointing=run.checkpointing)
        held = memory.of(setup, max(map(max, passes)))
        peak = (held.total - held.runtime) / 2**30
        timed = sizes[skipped:]
        step = speed.of_step(
            setup,
            hardware.parse("1xH200"),
            tokens=sum(timed) / (len(steps) - 1),
            context=flops.mean_context(timed),
            shares=Shares(passes=statistics.fmean(map(len, passes[1:])), waiting=1),
        )
        print(
            f"{run.model:13} {run.tokens:6,}{' ckpt' if run.checkpointing else '':5} "
            f"{run.peak:5.1f} GiB {peak / run.peak - 1:+.0%}  {run.rate:6,.0f} tok/s "
            f"{step.tokens_per_s / run.rate - 1:+.0%}"
        )


def cpu(tokens: list[int], kinds: list[str]) -> None:
    """Train small models here and print measured and predicted peaks and rates."""
    for kind in kinds:
        for n in tokens:
            for method in ("lora", "full"):
                for again in (False, True):
                    case = json.dumps([kind, n, method, again])
                    done = subprocess.run(
                        [sys.executable, __file__, "one", case],
                        capture_output=True, text=True, check=False,
                    )  # fmt: skip
                    if done.returncode:
                        sys.exit(done.stderr[-2000:])
                    print(done.stdout.splitlines()[-1], flush=True)


SMALL = {
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 16000,
    "tie_word_embeddings": False,
    "use_cache": False,
    "max_position_embeddings": 8192,
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2": ("qwen2", SMALL),
    "llama": ("llama", SMALL),
    "smollm2": (  # the sizes of SmolLM2-135M
        "llama",
        {
            **SMALL,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "vocab_size": 49152,
            "tie_word_embeddings": True,
        },
    ),
}


def one(case: str) -> None:
    """Measure one run in this process, which must be fresh."""
    import torch
    import transformers

    from skythought import train

    kind, n, method, again = json.loads(case)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = folder / "rows.jsonl"
        tokenizer = of_bytes()

        def write(chars: int) -> int:
            """Write three samples of about so many tokens, and give the tokens of one."""
            sample = {"problem": "What is 3 plus 4?", "response": "7" * chars}
            rows.write_text(3 * (json.dumps(sample) + "\n"))
            return len(data.tokenize(tokenizer, data.read(rows), 10**6).input_ids[0])

        common: dict[str, Any] = {
            "dataset": rows, "batch_size": 1, "save_every": 0, "show_mask": 0,
            "report_to": "none", "lora_r": 64 if method == "lora" else None,
            "full": method == "full",
        }  # fmt: skip
        one_char = write(1)
        train.run(train.Config(base_model="mini", output_dir=folder / "first", max_steps=1,
                               **common))  # fmt: skip
        before = _peak()
        name, sizes = KINDS[kind]
        ids = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id}
        config = transformers.AutoConfig.for_model(name, **sizes, **ids)
        base = folder / "base"
        torch.manual_seed(0)
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(base)
        tokenizer.save_pretrained(base)
        n = write(1 + n - one_char)
        train.run(train.Config(base_model=str(base), output_dir=folder / "out", max_steps=3,
                               gradient_checkpointing=again, **common))  # fmt: skip
        peak = _peak() - before
        log = [json.loads(line) for line in (folder / "out/log.jsonl").read_text().splitlines()]
    model = architecture.of(config.to_dict())
    setup = Setup(model=model, method=method, r=64, checkpointing=again, cpu=True)
    told = memory.of(setup, n).total
    machine = hardware.parse("cpu")
    step = speed.of_step(setup, machine, tokens=n, shares=Shares(1, 1), context=(n + 1) / 2)
    rate = 2 * n / (log[-1]["seconds"] - log[0]["seconds"])
    print(
        f"{kind} {method}{' ckpt' if again else '':5} {n:5,} tokens: {peak / 1e6:6,.0f} MB, "
        f"{told / peak - 1:+.0%}; {rate:6,.0f} tok/s, {step.tokens_per_s / rate - 1:+.0%}"
    )


def of_bytes() -> Any:
    """Make a tokenizer whose tokens are bytes, which every kind of model loads as it is."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({sign: i for i, sign in enumerate(alphabet)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    turn = "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
        chat_template="{% for m in messages %}" + turn + "{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    )


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("published", "gpu", "cpu", "one"))
    parser.add_argument("case", nargs="?")
    parser.add_argument("--tokens", default="512,2048")
    parser.add_argument("--kinds", default="qwen2,llama")
    given = parser.parse_args()
    if given.what == "published":
        published()
    elif given.what == "gpu":
        gpu()
    elif given.what == "cpu":
        cpu([int(n) for n in given.tokens.split(",")], given.kinds.split(","))
    else:
        one(given.case)
