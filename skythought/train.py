r"""Examples in, a checkpoint out: fine-tune a model on demonstrations.

    skythought.train --base_model Qwen/Qwen2.5-32B-Instruct --dataset r1-17k.jsonl \
        --lora_r 128 --lora_alpha 256 --epochs 2 --batch_size 96 --lr 1e-4 \
        --wandb_run "sky-t1-replica"

Writes a PEFT adapter (or full weights with `--full`), the tokenizer, log.jsonl and a manifest into
the output folder. The same command run again goes on from the last checkpoint.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from skythought.backends import hf
from skythought.core import progress, store
from skythought.core.errors import require
from skythought.core.records import Example, digest
from skythought.training import (
    adapter,
    card,
    data,
    lint,
    mask,
    presets,
    quiet,
    refusals,
    reporters,
    skeleton,
)
from skythought.training.presets import Hyperparameters
from skythought.training.ways import MICRO_TOKENS

PLACE_ONLY = (
    *("output_dir", "save_every", "wandb_run", "report_to", "resume"),
    *("show_mask", "eval_task", "eval_limit", "eval_tokens", "micro_batch_size"),
    *("micro_batch_tokens", "packing", "attention", "price", "dry_run", "look"),
    *("sharding", "offload", "eval_system_prompt"),
)
NAMES_ONLY = ("preset",)  # written down; what it stands for decides


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fine-tune a model on demonstrations, with LoRA or in full."""

    base_model: str
    """Folder or hub name of the model to start from; mini is the one in the package."""
    dataset: Path
    """JSONL file, run folder, or owner/name on the hub, in any shape: messages, ShareGPT, ..."""
    objective: Literal["sft", "simpo", "dpo"] | None = None
    """sft, where not given, learns demonstrations; simpo and dpo prefer one answer to another."""
    beta: float | None = None
    """Weight of a pair's difference in likelihood; 2 for simpo and 0.1 for dpo where not given."""
    gamma: float | None = None
    """Margin by which simpo wants the chosen answer's reward to be larger; 0.3 where not given."""
    output_dir: Path | None = None
    """Where the checkpoint goes; runs/<wandb_run> or runs/<base>-<method> where not given."""
    preset: Literal["", "sky-t1-full", "sky-t1-lora", "article-lora", "flash-simpo"] = ""
    """Published settings to start from; a flag that is given wins."""
    full: bool = False
    """Train all weights instead of a LoRA adapter."""
    lora_r: int | None = None
    """Rank of the LoRA adapter; 64 where neither this nor a preset says."""
    lora_alpha: int | None = None
    """LoRA scale; twice the rank where not given."""
    lora_dropout: float | None = None
    """Dropout inside the adapter; 0 where not given."""
    lora_target: str = "all-linear"
    """Modules the adapter is put on: all-linear, or names such as q_proj,v_proj."""
    lora_layers: str = ""
    """Layers the adapter is put on, counted from 0: 0-15,28; all where not given."""
    dora: bool = False
    """Learn the length of each weight column apart from its direction (DoRA)."""
    rslora: bool = False
    """Divide the LoRA scale by the root of the rank, not the rank (rank-stabilised LoRA)."""
    qlora: bool = False
    """Hold the base in 4 bits (NF4) under the adapter; needs a GPU and bitsandbytes."""
    epochs: float | None = None
    """Passes over the data; 3 where not given."""
    max_steps: int = -1
    """Stop after this many optimizer steps, whatever the epochs say."""
    batch_size: int | None = None
    """Samples per step over all devices, cut into passes as memory needs; 96 where not given."""
    micro_batch_tokens: int | None = None
    """Tokens per forward pass of a device; what fits into memory where not given."""
    micro_batch_size: int | None = None
    """Samples per forward pass at most."""
    packing: bool | None = None
    """Lay samples end to end, kept apart by the attention; where possible if not given."""
    attention: str = "auto"
    """Attention backend: auto, segments, sdpa, eager, flex_attention or flash_attention_2."""
    lr: float | None = None
    """Peak learning rate; 1e-4 for LoRA, 1e-5 for --full, a twentieth for pairs if not given."""
    warmup: float | None = None
    """Share of the steps over which the rate rises; 0.1 where not given."""
    schedule: Literal["cosine", "linear", "constant_with_warmup"] | None = None
    """How the rate falls afterwards; cosine where not given."""
    weight_decay: float = 0.0
    """Decoupled weight decay."""
    max_grad_norm: float = 1.0
    """Gradients longer than this are scaled down."""
    max_length: int | None = None
    """Longest sample in tokens, 16384 where not given; longer ones are cut and counted."""
    gradient_checkpointing: bool = False
    """Save memory by computing activations twice."""
    sharding: Literal["", "none", "ddp", "fsdp", "zero3"] = ""
    """How processes share the model: each holds all (ddp, if not given) or a part (fsdp, zero3)."""
    offload: bool = False
    """With zero3: keep weights and optimizer in the machine's memory."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the weights; auto is bfloat16 for an adapter on a GPU, else float32. A CPU multiplies
    in bfloat16 too if that is given, which is faster on those that can."""
    save_every: int | None = None
    """Write a checkpoint every so many steps; ten in all where not given, 0 writes none."""
    resume: bool = True
    """Go on from the last checkpoint of a stopped run; --no-resume begins again."""
    wandb_run: str = ""
    """Name of the run; logged to Weights & Biases where you are logged in."""
    report_to: Literal["", "wandb", "tensorboard", "trackio", "none"] = ""
    """Where else to log; wandb if --wandb-run is given, a login exists and wandb is installed."""
    eval_task: str = ""
    """Task or file of problems to evaluate the model on at every checkpoint and at the end."""
    eval_limit: int = 50
    """Problems of it."""
    eval_tokens: int = 1024
    """Longest answer in tokens."""
    eval_system_prompt: str | None = None
    """System prompt it is asked with; the task's own where not given."""
    show_mask: int = 2
    """Samples to show before the first step, with what is learned of them in colour."""
    price: float | None = None
    """Dollars for an hour of one device, for the cost so far; a known card has a list price."""
    dry_run: str = ""
    """Resolve every setting for a machine, as 8xH100, without weights or data, and stop."""
    look: bool = False
    """Check the data and show samples as a run would, without weights; write nothing, and stop."""
    seed: int = 0
    """Seed of the data order and of new weights."""


def run(config: Config) -> dict[str, Any]:
    """Train; returns steps, loss, tokens, seconds, tokens_per_s and the output folder.

    Raises:
        UserError: a missing extra, model or dataset, data that cannot be trained on, an output
            folder of another run, or a full disk.
    """
    chosen = hyperparameters(config)
    refusals.check(config, chosen)
    require("torch", "train")
    require("trl", "train")
    if config.dry_run:
        return _rehearse(config, chosen)
    folder = output_folder(config)
    examples = data.read(config.dataset)
    identity = claim_values(config, examples)
    owned = store.owns(folder, "train", identity, NAMES_ONLY)
    if owned and config.resume and store.is_done(folder):
        progress.say(f"{folder}: already trained with these settings")
        return {"output_dir": str(folder), **store.manifest(folder)["counts"]}
    with quiet.libraries(), quiet.full_disk(folder):
        result = _train(config, chosen, examples, folder, identity)
    if config.look:
        return {}
    if is_main():
        store.finish(folder, **result)
        place = Path(hf.locate(config.base_model))
        card.write_into(folder, config, place if place.is_dir() else None, result)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        progress.say(
            f"{folder}: {result['steps']} steps, loss {result['loss']:.3f}, "
            f"{result['tokens']:,} tokens at {result['tokens_per_s']:,.0f} tok/s"
        )
    return {"output_dir": str(folder), **result}


def _train(
    config: Config,
    chosen: Hyperparameters,
    examples: list[Example],
    folder: Path,
    identity: dict[str, Any],
) -> dict[str, Any]:
    """Load, claim the folder, train; a mistake in model or data is found before the claim."""
    import torch
    import transformers

    from skythought import evaluate
    from skythought.training import attention, memory, preference, sft, sharding

    transformers.set_seed(config.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    wait = bool(config.eval_task) or config.sharding in sharding.PARTS
    n_processes = sft.devices(wait=wait)
    shared = sharding.choose(config.sharding, n_processes, evaluates=bool(config.eval_task))
    dtype = config.dtype
    if dtype == "auto":  # steps of a whole model are too small for bfloat16 to hold; zero3 copies
        exact = chosen.full and shared != "zero3"
        dtype = "bfloat16" if device == "cuda" and not exact else "float32"
    # Parts are sent, but not of 4 bits, nor of the reference that dpo has beside a whole model.
    own = config.qlora or (chosen.full and chosen.objective == "dpo")
    sent = shared in sharding.PARTS and not own and not is_main()
    model, tokenizer = _load(config, dtype, merged=chosen.full, sent=sent)
    if shared in sharding.PARTS and not sharding.alike(model, shared) and sent:
        model, tokenizer = _load(config, dtype, merged=chosen.full, sent=False)
    stops = hf.stop_ids(model.generation_config, tokenizer)
    rows: data.Rows | preference.Pairs
    if chosen.objective == "sft":
        rows = data.tokenize(tokenizer, examples, chosen.max_length, stops)
    else:
        rows = preference.tokenize(tokenizer, examples, chosen.max_length, stops)
    fit = memory.tokens_that_fit(
        model,
        full=chosen.full,
        checkpointing=config.gradient_checkpointing,
        memory=memory.device_memory(),
        r=chosen.lora_r,
        shards=n_processes if shared in sharding.PARTS else 1,
        zero3=shared == "zero3",
        offload=config.offload,
    )
    fit = None if fit is None else sft.agreed(fit)
    packing = config.packing if chosen.objective == "sft" else False
    if fit is not None and (longest := rows.longest) > fit and is_main():
        progress.say(
            f"warning: the longest sample has {longest:,} tokens, and {fit:,} are thought to fit "
            "into a pass; should memory run out, lower --max_length or give "
            "--gradient_checkpointing"
        )
    asked_with = evaluate.asked_with(config.eval_task, config.eval_system_prompt)
    backend, packed = attention.choose(model, config.attention, packing)
    attention.use(model, backend)
    settings = sft.Settings(
        epochs=chosen.epochs,
        max_steps=config.max_steps,
        batch_size=chosen.batch_size,
        micro_tokens=config.micro_batch_tokens or min(fit or 1, MICRO_TOKENS[device]),
        micro_samples=config.micro_batch_size,
        packed=packed,
        lr=chosen.lr,
        warmup=chosen.warmup,
        schedule=chosen.schedule,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        gradient_checkpointing=config.gradient_checkpointing,
        seed=config.seed,
        save_every=config.save_every,
        report_to=reporters.choose(config.report_to, config.wandb_run),
        run_name=config.wandb_run,
        autocast=torch.cuda.is_bf16_supported() if device == "cuda" else dtype == "bfloat16",
        price=config.price,
        sharding=shared,
        offload=config.offload,
        resume=config.resume,
        score=evaluate.scorer(
            config.eval_task, config.eval_limit, config.eval_tokens, asked_with, tokenizer, folder
        ),
    )
    if not chosen.full:
        model = adapter.adapt(model, adapter.asked(config, chosen))
    if isinstance(rows, data.Rows):
        known = model.get_input_embeddings().weight.shape[0]
        report = lint.check(
            tokenizer, examples, rows, stops=stops, embeddings=known, asked_with=asked_with
        )
        lint.tell(report, config.dataset, speaks=is_main())
        if is_main():
            mask.show_some(tokenizer, rows, config.show_mask)
    if config.look:
        n_steps = skeleton.steps(rows.n_rows, chosen, config.max_steps)
        told = skeleton.describe(model, n_steps, chosen.batch_size, settings.micro_tokens, folder)
        progress.say(told)
        return {}
    if is_main():
        store.claim(folder, "train", identity, NAMES_ONLY)
        if not config.resume:
            store.finish(folder, done=False)
            for made in ("checkpoints", "evaluations"):
                shutil.rmtree(folder / made, ignore_errors=True)
    if is_main() and (rows.truncated or rows.dropped):
        progress.say(
            f"{rows.truncated} of {len(examples)} samples cut at {chosen.max_length} tokens, "
            f"{rows.dropped} left out because {rows.why_dropped}"
        )
    with reporters.places(settings.report_to, folder), quiet.full_device(settings.micro_tokens):
        if isinstance(rows, data.Rows):
            result = sft.fit(model, tokenizer, rows, settings, folder)
        else:
            objective = preference.Objective(chosen.objective, chosen.beta, chosen.gamma)
            result = preference.fit(model, tokenizer, rows, objective, settings, folder)
    if is_main():
        card.pin_generation(model.generation_config, stops, folder)
    return {
        **result,
        "samples": rows.n_rows,
        "truncated": rows.truncated,
        "dropped": rows.dropped,
        "micro_batch_tokens": settings.micro_tokens,
        "packed": packed,
        "attention": backend,
    }


def _rehearse(config: Config, chosen: Hyperparameters) -> dict[str, Any]:
    import transformers

    from skythought.training import rehearsal

    with hf.loading(config.base_model) as place:
        sizes = transformers.AutoConfig.from_pretrained(place)
    with quiet.libraries():
        return rehearsal.rehearse(
            sizes, config, chosen, adapter.asked(config, chosen), MICRO_TOKENS
        )


def _load(config: Config, dtype: str, *, merged: bool, sent: bool) -> tuple[Any, Any]:
    """Load the base; an adapter is put on its base to go on from, or merged into it.

    With `sent`, weights are not read: this process is sent its part by the first.
    """
    name = config.base_model
    place = Path(hf.locate(name))
    found = hf.find(str(place.resolve()) if place.is_dir() else name)
    if found.adapter is not None and not merged:
        adapter.check_own(name, config)
    how = adapter.quantization() if config.qlora else {}
    # The adapter will name its base: by a path that holds from anywhere.
    if config.look or sent:
        with hf.loading(found.base) as where:
            model = skeleton.build(where, dtype, room=sent)
        tokenizer = hf.tokenizer_of(found.base, found.tokenizer)
    else:
        model, tokenizer = hf.pretrained(found.base, dtype, found.tokenizer, **how)
    if found.adapter is not None:
        model = hf.with_adapter(model, found, trainable=True)
        kind = model.peft_config["default"]
        told = f"goes on with this adapter (rank {kind.r}, alpha {kind.lora_alpha})"
        if merged:
            # Who is sent the weights has none to merge into.
            model = model.unload() if sent else model.merge_and_unload()
            told = "an adapter, merged into its base"
            model.requires_grad_(True)
        if is_main():
            progress.say(f"{name}: {told}")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def is_main() -> bool:
    """Say whether this process, of those torchrun or accelerate started, writes the files."""
    return os.environ.get("RANK", "0") == "0"


def output_folder(config: Config) -> Path:
    """Name the folder the checkpoint goes to."""
    if config.output_dir is not None:
        return config.output_dir
    chosen = hyperparameters(config)
    method = "full" if chosen.full else f"lora-r{chosen.lora_r}"
    if chosen.objective != "sft":
        method = f"{chosen.objective}-{method}"
    return Path("runs") / (config.wandb_run or f"{Path(config.base_model).name}-{method}")


def hyperparameters(config: Config) -> Hyperparameters:
    """Give what a run learns with: flags, then the preset, then the defaults.

    Raises:
        UserError: no such preset, or flags that contradict it.
    """
    given = {f.name: getattr(config, f.name) for f in dataclasses.fields(Hyperparameters)}
    return presets.choose(config.preset, given | {"full": config.full or None})


def claim_values(config: Config, examples: list[Example]) -> dict[str, Any]:
    """Say what decides the weights: the settings, the base and the data, not where they lie."""
    values = {k: v for k, v in store.settings(config).items() if k not in PLACE_ONLY}
    values |= dataclasses.asdict(hyperparameters(config))
    values["base_model"] = hf.find(config.base_model).identity
    taught = [(e.messages, e.completion, *filter(None, [e.rejected])) for e in examples]
    values["dataset"] = digest(taught)
    values["n_examples"] = len(examples)
    return values
