"""Pretrain the base model of the miniature study and write it into the package (`make base-model`).

    python recipes/mini/base_model.py --out skythought/models/mini

A Llama of 0.9 million parameters with a word-level tokenizer reads `corpus.py` for a fixed number
of steps. Seeded; the same machine and thread count give the same weights. Muon trains the matrices,
AdamW the rest.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from corpus import MOVES, WARM_MOVES, Turn, documents
from model_card import write as write_card
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from skythought.core.formats import TAGS
from skythought.tasks.toll_roads import PLACES

PAD, USER, ASSISTANT, END = "<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIAL = [PAD, USER, ASSISTANT, END]
PIECE = r"<\|\w+\|>|\\boxed\{| ?[A-Za-z]+| ?\d|\n\n|\n| ?[^\sA-Za-z\d]|\s"
ROPE_THETA = 1e6
# How the induction heads start: radians per token below which content is compared, and gains.
SLOW, COPY, LOOK, MATCH = 0.004, 0.7, 8.0, 1.6
TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}<|user|>"
    "{{ message['content'] }}{% elif message['role'] == 'assistant' %}<|assistant|>"
    "{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Pretraining settings."""

    out: Path = Path("skythought/models/mini")
    warm_steps: int = 400  # on short documents, in small batches
    steps: int = 1000  # on long documents
    late_steps: int = 350  # on long documents, many with typos
    warm_rows: int = 24  # documents per step
    rows: int = 16
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    head_dim: int = 32
    embedding_std: float = 0.15  # see `make_model`
    lr_muon: float = 0.02
    lr_adam: float = 1.5e-3
    late_lr_muon: float = 0.012
    late_lr_adam: float = 1e-3
    typos: float = 0.2  # share of documents whose numbers are partly wrong
    late_typos: float = 0.5
    seed: int = 0
    threads: int = 2


def make_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """Build a lossless word-level tokenizer over the words of the corpus; digits stand alone."""
    pattern = Regex(PIECE)
    split = pre_tokenizers.Split(pattern, behavior="isolated")
    words: set[str] = {f"{space}{d}" for space in ("", " ") for d in range(10)}
    words |= {f"{space}{p}" for space in ("", " ") for p in PLACES}
    words |= {"\n", "\n\n", " ", "{", "}", ".", ",", "?", "!", ":", "-", "'", '"', "(", ")"}
    stream = documents(seed)
    for _ in range(3000):
        for ask, said in next(stream):
            for text in (ask, said):
                words |= {w for w, _ in split.pre_tokenize_str(text)}
    for word in [w for w in words if w.strip().isalpha()]:
        bare = word.strip()
        words |= {bare, " " + bare}
    vocab = {w: i for i, w in enumerate([*SPECIAL, "<|unk|>", *TAGS, *sorted(words - set(TAGS))])}
    core = Tokenizer(models.WordLevel(vocab, unk_token="<|unk|>"))
    core.pre_tokenizer = split
    core.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        eos_token=END,
        unk_token="<|unk|>",
        additional_special_tokens=[USER, ASSISTANT],
        chat_template=TEMPLATE,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )


def make_model(config: Config, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Build the model, with heads that start out as induction heads; the rest is random.

    A small model is slow to find out how to copy what followed the same words before (Olsson et al.
    2022, arXiv 2209.11895); here it starts with that. The residual stream is cut into four random
    orthogonal subspaces S, P1, P2, P3 of width `head_dim`. In the first layer, head k looks k
    tokens back (by its biases, under the rotary embedding) and copies what stands in S there to Pk.
    In the second layer, head 1 looks for places whose predecessor (P1) is the current token (S),
    head 2 for those whose last but one (P2) is the previous token (P1), head 3 likewise one
    further; each copies the token found there to the output. Embeddings are tied and start larger
    than usual, as from a small start names become alike before they are told apart.
    """
    width, hidden = config.head_dim, config.hidden
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=-(-len(tokenizer) // 8) * 8,
            hidden_size=hidden,
            intermediate_size=3 * hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            head_dim=width,
            max_position_embeddings=1024,
            rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
            tie_word_embeddings=True,
            attention_bias=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    torch.nn.init.normal_(model.model.embed_tokens.weight, std=config.embedding_std)
    spaces = torch.linalg.qr(torch.randn(hidden, hidden)).Q.split(width, dim=1)
    first, second = (layer.self_attn for layer in model.model.layers[:2])
    turn = ROPE_THETA ** (-torch.arange(width // 2) * 2 / width)  # radians per token
    fast, slow = torch.arange(4), torch.arange(width // 2)[turn < SLOW]
    content = torch.cat((slow, slow + width // 2))  # coordinates that distance hardly turns
    for head in range(3):
        span = slice(head * width, (head + 1) * width)
        first.v_proj.weight.data[span] += COPY * spaces[0].T
        first.o_proj.weight.data[:, span] += COPY * spaces[head + 1]
        angle, at = -turn[fast] * (head + 1), head * width + fast
        first.k_proj.bias.data[at] = LOOK
        first.q_proj.bias.data[at] = LOOK * torch.cos(angle)
        first.q_proj.bias.data[at + width // 2] = LOOK * torch.sin(angle)
        gain = MATCH if head else 2 * MATCH  # the current token is the smallest part of the stream
        second.q_proj.weight.data[head * width + content] += gain * spaces[head].T[content]
        second.k_proj.weight.data[head * width + content] += gain * spaces[head + 1].T[content]
        second.v_proj.weight.data[span] += COPY * spaces[0].T
        second.o_proj.weight.data[:, span] += COPY * spaces[0]
    return model


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised by Newton-Schulz (Jordan et al. 2024), in float32.

    `torch.optim.Muon` computes in bfloat16, which takes 0.7 s a step on a CPU without it.
    """

    def __init__(self, params: list[torch.nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Update every matrix, (out, in)."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                m.lerp_(p.grad, 1 - group["momentum"])
                x = p.grad.lerp(m, group["momentum"])
                wide = x.shape[0] <= x.shape[1]
                x = x if wide else x.T
                x = x / (x.norm() + 1e-7)
                for _ in range(5):
                    a = x @ x.T
                    x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
                scale = max(1.0, p.shape[0] / p.shape[1]) ** 0.5
                p.add_(x if wide else x.T, alpha=-group["lr"] * scale)


Rows = tuple[np.ndarray, np.ndarray]


def early_rows(config: Config, tokenizer: Any) -> Iterator[Rows]:
    """Yield the rows of the warm and the long steps.

    Copying a name from far away is learned suddenly, after some hundred steps of any size; so
    pretraining begins with many small steps on short documents.
    """
    rng = random.Random(f"typos {config.seed}")
    stream = documents(config.seed + 1, (1, 1), WARM_MOVES)
    for _ in range(config.warm_steps):
        yield _rows(tokenizer, rng, config.typos, stream, config.warm_rows)
    stream = documents(config.seed + 2)
    for _ in range(config.steps):
        yield _rows(tokenizer, rng, config.typos, stream, config.rows)


def late_rows(config: Config, tokenizer: Any) -> Iterator[Rows]:
    """Yield the rows of the late steps.

    Sums are learned first, on few typos, and then what text with many looks like: with many from
    the start, sums were not learned well.
    """
    rng, stream = random.Random(f"typos {config.seed + 7}"), documents(config.seed + 3)
    for _ in range(config.late_steps):
        yield _rows(tokenizer, rng, config.late_typos, stream, config.rows)


def _rows(
    tokenizer: Any, rng: random.Random, typos: float, stream: Iterator[list[Turn]], n_rows: int
) -> Rows:
    """Make one batch of (tokens, labels), each (rows, longest document).

    One document per row, as a prompt stands alone when the model is used. Labels are -100 on
    instructions.
    """
    batch = [_encode(tokenizer, _typos(rng, typos, next(stream))) for _ in range(n_rows)]
    longest = max(len(ids) for ids, _ in batch)
    tokens = np.full((n_rows, longest), tokenizer.pad_token_id)
    labels = np.full((n_rows, longest), -100)
    for i, (ids, learn) in enumerate(batch):
        tokens[i, : len(ids)] = ids
        labels[i, : len(ids)] = learn
    return tokens, labels


def _typos(rng: random.Random, share: float, turns: list[Turn]) -> list[Turn]:
    """Make some digits of a document wrong, in a share of the documents."""
    if rng.random() >= share:
        return turns
    level = rng.random()

    def blur(text: str) -> str:
        return "".join(
            str(rng.randint(0, 9)) if c.isdigit() and rng.random() < level else c for c in text
        )

    return [(ask, blur(said)) for ask, said in turns]


def _encode(tokenizer: Any, turns: list[Turn]) -> tuple[list[int], list[int]]:
    texts = [t for ask, said in turns for t in (f"{USER}{ask}{ASSISTANT}", f"{said}{END}")]
    tokens: list[int] = []
    labels: list[int] = []
    for i, ids in enumerate(tokenizer(texts, add_special_tokens=False)["input_ids"]):
        tokens += ids
        labels += ids if i % 2 else [-100] * len(ids)
    return tokens, labels


def main(config: Config) -> None:
    """Pretrain and write model, tokenizer, generation config and model card."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    torch.use_deterministic_algorithms(True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = make_tokenizer(config.seed)
    model = make_model(config, tokenizer).to(device)
    print(sum(p.numel() for p in model.parameters()), "parameters", len(tokenizer), "tokens")
    log: list[dict[str, float]] = []
    early, late = early_rows(config, tokenizer), late_rows(config, tokenizer)
    rates = config.lr_muon, config.lr_adam
    n_early = config.warm_steps + config.steps
    fit(model, tokenizer, early, n_early, rates, (50, config.steps // 2), log)
    save(config, model, tokenizer, log)
    rates = config.late_lr_muon, config.late_lr_adam
    fit(model, tokenizer, late, config.late_steps, rates, (30, config.late_steps // 2), log)
    save(config, model, tokenizer, log)
    write_card(config.out)


def fit(
    model: Any,
    tokenizer: Any,
    batches: Iterator[Rows],
    n_steps: int,
    rates: tuple[float, float],
    ramps: tuple[int, int],
    log: list[dict[str, float]],
) -> None:
    """Train at two rates, Muon's and AdamW's.

    They rise over the first and fall over the last steps; `ramps` says over how many.

    Appends a row to `log` now and then: step, loss, tokens read so far.
    """
    inner = {n for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n}
    matrices = [p for n, p in model.named_parameters() if n in inner]
    others = [p for n, p in model.named_parameters() if n not in inner]
    muon = Muon(matrices, lr=rates[0])
    adam = torch.optim.AdamW(others, lr=rates[1], betas=(0.9, 0.95), weight_decay=0.0)
    began, seen = time.time(), 0
    first, before = (log[-1]["step"] + 1, log[-1]["tokens"]) if log else (0, 0)
    for step, (tokens, labels) in enumerate(batches):
        left = n_steps - step
        frac = min(1.0, (step + 1) / ramps[0]) * min(1.0, left / ramps[1])
        muon.param_groups[0]["lr"] = rates[0] * frac
        adam.param_groups[0]["lr"] = rates[1] * frac
        ids = torch.from_numpy(tokens).to(model.device)
        hidden = model.model(input_ids=ids).last_hidden_state
        target = torch.from_numpy(labels).to(model.device)[:, 1:]
        keep = target != -100
        logits = model.lm_head(hidden[:, :-1][keep])
        loss = torch.nn.functional.cross_entropy(logits, target[keep])
        loss.backward()
        muon.step()
        adam.step()
        model.zero_grad(set_to_none=True)
        seen += int((tokens != tokenizer.pad_token_id).sum())
        if step % 50 == 0 or left == 1:
            at = {"step": first + step, "loss": round(loss.item(), 4), "tokens": before + seen}
            log.append(at)
            rate = seen / (time.time() - began)
            print(f"step {at['step']} loss {loss.item():.4f} {rate:.0f} tok/s", flush=True)


def save(config: Config, model: Any, tokenizer: Any, log: list[Any]) -> None:
    """Write everything that `AutoModelForCausalLM` and a reader of the folder need."""
    config.out.mkdir(parents=True, exist_ok=True)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(config.out)
    tokenizer.save_pretrained(config.out)
    facts = {
        "tokens": log[-1]["tokens"],
        "parameters": sum(p.numel() for p in model.parameters()),
        "moves": MOVES,
        "settings": {k: v for k, v in vars(config).items() if k != "out"},
        "log": log,
    }
    (config.out / "pretraining.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Config))
