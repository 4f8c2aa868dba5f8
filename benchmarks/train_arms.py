"""The arms of train_speed.py: what each trains with, one to a process."""

from __future__ import annotations

import argparse
import random
import time
from typing import Any

RANDOM = {  # width, inner width, layers, heads, heads of keys, vocabulary
    "tiny": (64, 128, 2, 4, 2, 512),
    "smollm2-135m": (576, 1536, 30, 9, 3, 49152),
    "qwen2.5-1.5b": (1536, 8960, 28, 12, 2, 151936),
    "qwen2.5-7b": (3584, 18944, 28, 28, 4, 152064),
}
PAD = 0


def random_sizes(n: int, most: int) -> list[int]:
    """Draw tokens of n samples, a prompt of 100 and a trace, cut at `most`.

    As those of 1,423 traces of R1 and QwQ: log-normal, median 1,500, a tenth over 4,400.
    """
    draw = random.Random(0)
    return [min(most, 100 + int(draw.lognormvariate(7.31, 0.82))) for _ in range(n)]


def build(options: argparse.Namespace) -> tuple[Any, Any]:
    """Give the model and its tokenizer."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models

    transformers.set_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = getattr(torch, options.dtype)
    if not options.random:
        tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
        model = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype)
        return model.to(device), tokenizer
    width, inner, layers, heads, keys, words = RANDOM[options.random]
    config = transformers.Qwen2Config(
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=keys,
        vocab_size=words,
        tie_word_embeddings=width < 3000,
        pad_token_id=PAD,
    )
    with torch.device(device):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"<pad>": PAD}, unk_token="<pad>")),
        pad_token="<pad>",
        eos_token="<pad>",
    )
    return model, tokenizer


class Clock:
    """Notes when each step ended, and its loss."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.losses: list[float] = []

    def callback(self) -> Any:
        """Give what a trainer calls."""
        import transformers

        clock = self

        class Callback(transformers.TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, *_: Any, **__: Any) -> None:
                clock.tick()

            def on_log(self, *_: Any, logs: dict[str, Any], **__: Any) -> None:
                if "loss" in logs:
                    clock.losses.append(float(logs["loss"]))

        return Callback()

    def tick(self) -> None:
        """End a step."""
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())


def common(options: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Give the arguments that every trainer gets."""
    import torch

    return {
        "output_dir": folder,
        "max_steps": options.steps,
        "learning_rate": 1e-4,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "bf16": options.dtype == "bfloat16",
        "use_cpu": not torch.cuda.is_available(),
        "seed": 0,
    }


def with_trainer(options: argparse.Namespace, rows: Any, clock: Clock, folder: str) -> None:
    """Train with our trainer or TRL's."""
    import datasets
    import peft
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = build(options)
    columns = {"input_ids": rows["ids"], "labels": rows["labels"]}
    values = common(options, folder) | {"dataset_kwargs": {"skip_prepare_dataset": True}}
    given = {"train_dataset": datasets.Dataset.from_dict(columns), "processing_class": tokenizer}
    lora = {"r": options.lora_r, "lora_alpha": 2 * options.lora_r, "target_modules": "all-linear"}
    if options.arm.startswith("ours"):
        from skythought.training import adapter, attention
        from skythought.training.trainer import Trainer

        backend, packed = attention.choose(model)
        attention.use(model, backend)
        model = adapter.adapt(model, adapter.Lora(r=options.lora_r, alpha=2 * options.lora_r))
        values["activation_checkpointing"] = options.checkpointing
        trainer: Any = Trainer(
            model=model,
            args=SFTConfig(**values, per_device_train_batch_size=options.samples),
            columns=columns,
            batch_size=options.samples,
            micro_tokens=options.micro_tokens,
            packed=packed,
            **given,
        )
        trainer.batches.order = lambda: list(range(len(rows["ids"])))  # shuffled already
    else:
        values["train_sampling_strategy"] = "sequential"
        if options.arm == "sky-t1":
            values |= {
                "per_device_train_batch_size": 1,
                "gradient_accumulation_steps": options.samples,
                "activation_checkpointing": True,
            }
        else:  # TRL's defaults: 8 samples, checkpointing
            values["per_device_train_batch_size"] = min(8, options.samples)
            values["gradient_accumulation_steps"] = max(1, options.samples // 8)
        config = peft.LoraConfig(task_type="CAUSAL_LM", **lora)
        trainer = SFTTrainer(model=model, args=SFTConfig(**values), peft_config=config, **given)
    trainer.add_callback(clock.callback())
    if options.profile:
        from torch.profiler import profile

        with profile() as found:
            trainer.train()
        print(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=40))
    else:
        trainer.train()


def llama_factory(options: argparse.Namespace, rows: Any, clock: Clock, folder: str) -> None:
    """Train with LLaMA-Factory and the settings Sky-T1 gave it, on rows that are tokenized."""
    import datasets
    from llamafactory.train.tuner import run_exp

    masks = [[1] * len(ids) for ids in rows["ids"]]
    columns = {"input_ids": rows["ids"], "attention_mask": masks, "labels": rows["labels"]}
    made = datasets.DatasetDict(train=datasets.Dataset.from_dict(columns))
    made.save_to_disk(f"{folder}/rows")
    model, tokenizer = build(options)
    for part in (model, tokenizer):  # it takes the type of the weights that it finds
        part.save_pretrained(f"{folder}/base")
    del model
    values = common(options, f"{folder}/out") | {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": f"{folder}/base",
        "template": "empty",  # of rows that are tokenized it changes nothing
        "dataset": "tokenized",  # has to have a name
        "tokenized_path": f"{folder}/rows",
        "cutoff_len": options.max_length,
        "disable_shuffling": True,
        "finetuning_type": "lora",
        "lora_rank": options.lora_r,
        "lora_alpha": 2 * options.lora_r,
        "lora_target": "all",
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": options.samples,
    }
    run_exp(values, callbacks=[clock.callback()])


def bare(options: argparse.Namespace, rows: Any, clock: Clock) -> None:
    """Train in a plain loop: ours, or what the other two do, without their packages."""
    import peft
    import torch

    from skythought.training import attention, lora, loss, packing

    ours = options.arm.startswith("ours")
    model, _ = build(options)
    model.config.use_cache = False
    if ours:
        attention.use(model, attention.choose(model)[0])
        loss.add_head(model)
    backend = model.config._attn_implementation
    if options.checkpointing or not ours:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    config = {"r": options.lora_r, "lora_alpha": 2 * options.lora_r, "target_modules": "all-linear"}
    model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **config))
    if ours:
        lora.merge_products(model, "half" if options.dtype == "bfloat16" else "whole")
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    device = trained[0].device
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0, fused=True)
    lora.follow(model, optimizer)
    columns = {"input_ids": rows["ids"], "labels": rows["labels"]}
    sizes = [len(row) for row in rows["ids"]]
    plan = packing.Batches(sizes, batch_size=options.samples, tokens=0, packed=ours)
    passes = packing.Passes(columns, plan, PAD)
    size = 1 if options.arm == "sky-t1" else min(8, options.samples)
    for start in range(0, len(sizes), options.samples):
        step = list(range(start, start + options.samples))
        if ours:
            cut = packing.pack([sizes[i] for i in step], tokens=options.micro_tokens)
            dealt = [[step[i] for i in row] for row in cut]
        else:
            dealt = [step[i : i + size] for i in range(0, len(step), size)]
        n_labels = sum(sum(label != -100 for label in rows["labels"][i]) for i in step)
        total = 0.0
        for chosen in dealt:
            one = {k: v.to(device) if hasattr(v, "to") else v for k, v in passes[chosen].items()}
            one.pop("n_tokens")
            segments = one.pop("segments", None)
            with torch.autocast(device.type, torch.bfloat16, enabled=options.dtype == "bfloat16"):
                if ours:
                    one |= attention.arguments(segments, backend, device)
                    found = model(**one, fused_lm_head=True, num_items_in_batch=n_labels).loss
                else:
                    found = model(**one, num_items_in_batch=n_labels).loss
            found.backward()
            total += float(found.detach())
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        clock.losses.append(total)
        clock.tick()
