"""Transformers on this machine: batched decoding with a preallocated cache.

The model is a folder or hub name, or a PEFT adapter folder (its base is loaded and the adapter
merged in memory). Rows that are finished leave the batch, so a batch costs what its rows need and
not rows times the longest. Greedy output equals `model.generate` (tested); sampled output depends
on the request and the seed only, not on which rows share a batch.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skythought import formats
from skythought.errors import UserError, require
from skythought.records import Completion, Finish, Request, Sampling

if TYPE_CHECKING:
    import torch

CACHE_BYTES = 768 * 2**20  # what the keys and values of one batch may take


def weights_hash(folder: Path) -> str:
    """Hash the weight files of a local checkpoint (12 hex digits)."""
    sha = hashlib.sha256()
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*model*.bin")]):
        with file.open("rb") as data:
            sha.update(file.name.encode())
            while block := data.read(2**20):
                sha.update(block)
    return sha.hexdigest()[:12]


def identity(model: str) -> str:
    """Name a model for records: a local folder with a hash of its weights, a hub name as it is."""
    folder = Path(model)
    return f"{folder.resolve().name}@{weights_hash(folder)}" if folder.is_dir() else model


def load(model: str, dtype: str = "auto") -> tuple[Any, Any, str]:
    """Load (model, tokenizer, identity); an adapter folder is merged into its base.

    Raises:
        UserError: nothing loadable under this name, or no chat template.
    """
    if not model:
        raise UserError("which model? give --model FOLDER, or the name of one on the hub")
    transformers = require("transformers", "train")
    folder = Path(model)
    adapter = folder / "adapter_config.json"
    base = model
    if adapter.exists():
        base = json.loads(adapter.read_text())["base_model_name_or_path"]
    try:
        net = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
        source = model if (folder / "tokenizer_config.json").exists() else base
        tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(f"model {base!r} cannot be loaded: {first}") from error
    name = identity(model)
    if adapter.exists():
        peft = require("peft", "train")
        net = peft.PeftModel.from_pretrained(net, model).merge_and_unload()
        name += f"+{identity(base)}"
    formats.require_chat_template(tokenizer, model)
    return net, tokenizer, name


class HuggingFace:
    """Decodes with a transformers causal language model.

    Args:
        model: folder, hub name or adapter folder.
        dtype: "auto" (as stored), "float32" or "bfloat16".
        device: "auto", "cpu" or "cuda".
        max_batch: rows decoded together at most; fewer where the cache would not fit.
    """

    def __init__(
        self, model: str, dtype: str = "auto", device: str = "auto", max_batch: int = 512
    ) -> None:
        torch = require("torch", "train")
        self.model, self.tokenizer, self.identity = load(model, dtype)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = device
        self.model.to(device).eval()
        self.max_batch = int(max_batch)

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        """Yield completions batch by batch; prompts of similar length share a batch."""
        prompts = [formats.prompt_ids(self.tokenizer, r.messages) for r in requests]
        order = sorted(range(len(requests)), key=lambda i: len(prompts[i]))
        size = self._batch_size(max(map(len, prompts), default=0) + sampling.max_tokens)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            yield from self._batch(
                [requests[i] for i in rows], [prompts[i] for i in rows], sampling
            )

    def _batch_size(self, tokens: int) -> int:
        config = self.model.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = (
            getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        )
        per_row: int = (
            2 * config.num_hidden_layers * heads * width * tokens * self.model.dtype.itemsize
        )
        return max(1, min(self.max_batch, CACHE_BYTES // max(1, per_row)))

    def _batch(
        self, requests: Sequence[Request], prompts: list[list[int]], sampling: Sampling
    ) -> Iterator[Completion]:
        tokens, finishes = self._decode(requests, prompts, sampling)
        for request, prompt, ids, finish in zip(requests, prompts, tokens, finishes, strict=True):
            kept = ids[:-1] if finish == "stop" else ids
            yield Completion(
                id=request.id,
                text=self.tokenizer.decode(kept, skip_special_tokens=False),
                finish=finish,
                prompt_tokens=len(prompt),
                completion_tokens=len(ids),
            )

    def _decode(
        self, requests: Sequence[Request], prompts: list[list[int]], sampling: Sampling
    ) -> tuple[list[list[int]], list[Finish]]:
        """Decode one batch. B rows, P longest prompt (padded left), T tokens so far."""
        import torch

        from skythought.backends.cache import PreallocatedCache

        stops = _stop_ids(self.model, self.tokenizer)
        rows, longest = len(prompts), max(map(len, prompts))
        ids = torch.zeros((rows, longest), dtype=torch.long)
        mask = torch.zeros((rows, longest + sampling.max_tokens), dtype=torch.long)
        for i, prompt in enumerate(prompts):
            ids[i, longest - len(prompt) :] = torch.tensor(prompt)
            mask[i, longest - len(prompt) :] = 1
        ids, mask = ids.to(self.device), mask.to(self.device)
        padded = bool((mask[:, :longest] == 0).any())
        position = (mask[:, :longest].cumsum(-1) - 1).clamp(min=0)
        luck = [_uniforms(r, sampling) for r in requests] if sampling.temperature > 0 else []
        cache = PreallocatedCache(self.model.config, longest + sampling.max_tokens)
        batch = list(range(rows))  # which request each row of the batch belongs to
        out: list[list[int]] = [[] for _ in prompts]
        finishes: list[Finish] = ["length"] * rows
        with torch.inference_mode():
            for step in range(sampling.max_tokens):
                logits = self.model(
                    input_ids=ids,
                    attention_mask=mask[:, : longest + step] if padded else None,
                    position_ids=position,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                ).logits[:, -1]
                draws = [luck[i][step] for i in batch] if luck else []
                chosen = _choose(logits.float(), draws, sampling)
                going = []
                for j, (i, token) in enumerate(zip(batch, chosen.tolist(), strict=True)):
                    if finishes[i] == "stop":
                        continue
                    out[i].append(token)
                    if token in stops:
                        finishes[i] = "stop"
                    else:
                        going.append(j)
                if not going:
                    break
                position = position[:, -1:] + 1
                ids = chosen[:, None]
                if len(going) <= 0.85 * len(batch):  # dropping rows copies the cache: not each time
                    keep = torch.tensor(going, device=self.device)
                    ids, position, mask = ids[keep], position[keep], mask[keep]
                    cache.keep_rows(keep)
                    batch = [batch[j] for j in going]
        return out, finishes


def _stop_ids(model: Any, tokenizer: Any) -> set[int]:
    """Collect the tokens that end a turn, from the generation config and the tokenizer."""
    found = {tokenizer.eos_token_id}
    listed = model.generation_config.eos_token_id
    found |= set(listed) if isinstance(listed, list) else {listed}
    return {token for token in found if token is not None}


def _uniforms(request: Request, sampling: Sampling) -> np.ndarray:
    """Draw the random numbers of one request: (max_tokens,) in [0, 1)."""
    key = zlib.crc32(f"{request.id} {request.sample} {sampling.seed}".encode())
    return np.random.default_rng(key).random(sampling.max_tokens)


def _choose(logits: torch.Tensor, draws: list[float], sampling: Sampling) -> torch.Tensor:
    """Pick the next token of every row: logits (B, V), draws (B,) -> (B,)."""
    import torch

    if sampling.temperature <= 0:
        return logits.argmax(-1)
    probs = torch.softmax(logits / sampling.temperature, -1)
    ranked, index = probs.sort(dim=-1, descending=True, stable=True)
    total = ranked.cumsum(-1)
    if sampling.top_p < 1:
        ranked = ranked.masked_fill(total - ranked >= sampling.top_p, 0.0)
        total = ranked.cumsum(-1)
    draw = torch.tensor(draws, device=logits.device, dtype=total.dtype)[:, None] * total[:, -1:]
    place = torch.searchsorted(total, draw, right=True).clamp(max=logits.shape[-1] - 1)
    return index.gather(-1, place)[:, 0]
