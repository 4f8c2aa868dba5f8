"""Transformers on this machine: batched decoding with a preallocated cache.

The model is a folder or hub name, or a PEFT adapter folder (its base is loaded and the adapter
merged in memory). Rows that are finished leave the batch, so a batch costs what its rows need and
not rows times the longest. Greedy output equals `model.generate` (tested); sampled output depends
on the request and the seed only, not on which rows share a batch.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import UNSET

from skythought.core import formats, progress, store
from skythought.core.errors import UserError, first_line, nearest, require, unknown
from skythought.core.records import Completion, Finish, Request, Sampling

MINI = "mini"  # names the model that is shipped in the package
SCALE = ("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern")  # of an adapter
DTYPES = ("auto", "float32", "bfloat16", "float16")
CACHE_BYTES = 768 * 2**20  # what the keys and values of one batch may take


def locate(model: str) -> str:
    """Give the folder of the model in the package for `mini`; any other name stays as it is.

    Raises:
        UserError: the package holds no model.
    """
    if model != MINI or Path(model).is_dir():
        return model
    folder = files("skythought") / "models" / MINI
    if not folder.is_dir():
        raise UserError(f"{folder}: the package holds no model; make one with: make base-model")
    return str(folder)


def weights_hash(folder: Path) -> str:
    """Hash the weight files of a local checkpoint, and the scale of an adapter (12 hex digits)."""
    sha = hashlib.sha256()
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*model*.bin")]):
        with file.open("rb") as data:
            sha.update(file.name.encode())
            while block := data.read(2**20):
                sha.update(block)
    if adapter := _adapter(folder):
        sha.update(json.dumps([adapter.get(key) for key in SCALE], sort_keys=True).encode())
    return sha.hexdigest()[:12]


def identity(model: str) -> str:
    """Name a model for records: a local folder with a hash of its weights, a hub name as it is."""
    folder = Path(locate(model))
    return f"{folder.resolve().name}@{weights_hash(folder)}" if folder.is_dir() else model


class Found(NamedTuple):
    """What the name of a model stands for."""

    base: str  # folder or name of the weights, or of those an adapter sits on
    adapter: Path | None  # folder of the adapter
    tokenizer: str  # folder of the tokenizer where the adapter has its own, else ""
    identity: str


def find(model: str, base: str = "") -> Found:
    """Find a model, or an adapter and its base; loads nothing.

    Args:
        model: folder, hub name, `mini`, or the folder of an adapter.
        base: base of an adapter, in place of the one it names.

    Raises:
        UserError: no name, an adapter whose base is not named or not there, or a base for none.
    """
    if not model:
        raise UserError("which model? give --model FOLDER, or the name of one on the hub")
    folder = Path(locate(model))
    adapter = _adapter(folder)
    if adapter is None:
        if base:
            raise UserError(f"model {model!r} is no adapter, so it has no base {base!r}")
        return Found(model, None, "", identity(model))
    base = base or adapter.get("base_model_name_or_path") or ""
    if not base:
        raise UserError(
            f"{folder}: the adapter's config names no base model (base_model_name_or_path); name "
            "it there, or say which: --backend-args base=FOLDER"
        )
    if Path(base).is_absolute() and not Path(base).is_dir():
        raise UserError(
            f"{folder}: the adapter's base model is not at {base} any more; say where it is "
            "in its adapter_config.json, or with --backend-args base=FOLDER"
        )
    own = (folder / "tokenizer_config.json").exists()
    name = f"{identity(str(folder))}+{identity(base)}"
    return Found(base, folder, str(folder) if own else "", name)


def load(
    model: str, dtype: str = "auto", base: str = "", *, chat: bool = True
) -> tuple[Any, Any, str]:
    """Load (model, tokenizer, identity); an adapter folder is merged into its base.

    Args:
        model: folder, hub name, `mini`, or the folder of an adapter.
        dtype: type of the weights; "auto" is the one they are stored in.
        base: base of an adapter, in place of the one it names.
        chat: refuse a model without a chat template.

    Raises:
        UserError: nothing loadable under this name, or no chat template.
    """
    found = find(model, base)
    net, tokenizer = pretrained(found.base, dtype, found.tokenizer, chat=chat)
    if found.adapter is not None:
        net = with_adapter(net, found).merge_and_unload()
    return net, tokenizer, found.identity


def with_adapter(net: Any, found: Found, *, trainable: bool = False) -> Any:
    """Put an adapter on its base, as a PeftModel; one that does not fit is a UserError."""
    peft, place = require("peft", "train"), str(found.adapter)
    try:
        with warnings.catch_warnings():  # what the libraries will rename is not the user's concern
            warnings.simplefilter("ignore", FutureWarning)
            return peft.PeftModel.from_pretrained(net, place, is_trainable=trainable)
    except (RuntimeError, OSError, ValueError) as error:
        told = f"the adapter does not fit its base {found.base!r}: {first_line(error)}"
        raise UserError(f"{place}: {told}") from error


def pretrained(
    name: str, dtype: str, tokenizer: str = "", *, chat: bool = True, **how: Any
) -> tuple[Any, Any]:
    """Load (model, tokenizer) of a folder, a hub name or `mini`.

    `how` goes to transformers' `from_pretrained`.

    Raises:
        UserError: nothing loadable under this name, weights that are not whole, or no chat
            template.
    """
    transformers = require("transformers", "train")
    if not progress.console.is_terminal:
        transformers.utils.logging.disable_progress_bar()
    with loading(name) as place:
        net, report = transformers.AutoModelForCausalLM.from_pretrained(
            place, dtype=dtype, output_loading_info=True, **how
        )
    if lacking := sorted(report["missing_keys"]):
        raise UserError(
            f"model {name!r} cannot be loaded: its files lack {len(lacking)} of the weights, the "
            f"first is {lacking[0]}"
        )
    return net, tokenizer_of(name, tokenizer, chat=chat)


def tokenizer_of(name: str, own: str = "", *, chat: bool = True) -> Any:
    """Load the tokenizer of a model, or that of an adapter which has its own.

    Raises:
        UserError: nothing loadable under this name, or no chat template.
    """
    transformers = require("transformers", "train")
    with loading(name) as place:
        words = transformers.AutoTokenizer.from_pretrained(own or place)
    if chat:
        formats.require_chat_template(words, own or place)
    return words


@contextmanager
def loading(name: str) -> Iterator[str]:
    """Give where a model is while something of it is loaded.

    Raises:
        UserError: nothing under this name, or it cannot be loaded.
    """
    safetensors = require("safetensors", "train")
    place = locate(name)
    if not Path(place).is_dir() and not store.may_be_on_hub(place):
        raise UserError(f"model {name!r}: {_meant(name)}no such folder; the hub has owner/name")
    try:
        yield place
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        missing = f"{_meant(name)}there is no such folder, and the hub says: "
        told = first_line(error) if Path(place).is_dir() else f"{missing}{first_line(error)}"
        raise UserError(f"model {name!r} cannot be loaded: {told}") from error


def _meant(name: str) -> str:
    """Ask whether `mini` was meant, or a folder that lies where this one was looked for."""
    wanted = Path(name)
    try:
        beside = [folder for folder in wanted.parent.iterdir() if folder.is_dir()]
    except OSError:  # the folder above is not there either, or may not be read
        beside = []
    known = {folder.name: str(folder) for folder in beside}
    if wanted.parent == Path():
        known.setdefault(MINI, MINI)
    near = nearest(wanted.name, known, cutoff=0.6)
    return f"did you mean {known[near]!r}? " if near else ""


def _adapter(folder: Path) -> dict[str, Any] | None:
    """Read the config of an adapter folder; None where it is none."""
    path = folder / "adapter_config.json"
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(found).__name__}")
    return found


class HuggingFace:
    """Decodes with a transformers causal language model; takes no `stop` texts and no effort.

    Args:
        model: folder, hub name, `mini` (the model in the package) or adapter folder.
        dtype: "auto" (as stored), "float32", "bfloat16" or "float16".
        device: "auto", "cpu", "cuda" or "cuda:1".
        max_batch: rows decoded together at most; fewer where the cache would not fit.
        base: base model of an adapter, where it is not where the adapter says.
    """

    continues = True

    def __init__(
        self,
        model: str,
        dtype: str = "auto",
        device: str = "auto",
        max_batch: int = 512,
        base: str = "",
    ) -> None:
        torch = require("torch", "train")
        if dtype not in DTYPES:
            raise unknown("dtype", dtype, DTYPES)
        self.device = device_of(torch, device)
        self.max_batch = int(max_batch)
        if self.max_batch < 1:
            raise UserError(f"max_batch={max_batch}: give 1 or more")
        self.model, self.tokenizer, self.identity = load(model, dtype, base)
        self.model.to(self.device).eval()
        self.runs_on = f"hf, {str(self.model.dtype).removeprefix('torch.')}, {self.device}"

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        """Yield completions as they end; prompts of similar length share a batch.

        Raises:
            UserError: a sampling that this backend does not have, or a prefill that the chat
                template does not leave as it is.
        """
        for name in ("stop", "reasoning_effort", "extra"):
            if getattr(sampling, name) is not UNSET:
                raise UserError(f"hf backend: has no {name}; leave it out of --sampling-params")
        prompts = [formats.prompt_ids(self.tokenizer, r.messages, r.prefill) for r in requests]
        order = sorted(range(len(requests)), key=lambda i: len(prompts[i]))
        size = self._batch_size(max(map(len, prompts), default=0) + sampling.max_tokens)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            yield from self._batch(
                [requests[i] for i in rows], [prompts[i] for i in rows], sampling
            )

    def render(self, request: Request) -> str:
        """Write the prompt of a request as the model reads it."""
        return formats.prompt_text(self.tokenizer, request.messages, request.prefill)

    def _batch_size(self, tokens: int) -> int:
        config = self.model.config.get_text_config()
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
        for i, ids, finish in self._decode(requests, prompts, sampling):
            kept = ids[:-1] if finish == "stop" else ids
            yield Completion(
                id=requests[i].id,
                text=self.tokenizer.decode(kept, skip_special_tokens=False),
                finish=finish,
                prompt_tokens=len(prompts[i]),
                completion_tokens=len(ids),
            )

    def _decode(
        self, requests: Sequence[Request], prompts: list[list[int]], sampling: Sampling
    ) -> Iterator[tuple[int, list[int], Finish]]:
        """Decode one batch; yield (row, tokens, finish) as rows end.

        Shapes: B rows, P longest prompt (padded left).
        """
        import torch

        from skythought.backends.cache import PreallocatedCache
        from skythought.backends.drawing import Seen, choose, penalizes, uniforms

        stops = stop_ids(self.model.generation_config, self.tokenizer)
        longest = max(map(len, prompts))
        ids = torch.zeros((len(prompts), longest), dtype=torch.long)
        mask = torch.zeros((len(prompts), longest + sampling.max_tokens), dtype=torch.long)
        for i, prompt in enumerate(prompts):
            ids[i, longest - len(prompt) :] = torch.tensor(prompt)
            mask[i, longest - len(prompt) :] = 1
        ids, mask = ids.to(self.device), mask.to(self.device)
        padded = bool((mask[:, :longest] == 0).any())
        position = (mask[:, :longest].cumsum(-1) - 1).clamp(min=0)
        luck = [uniforms(r, sampling) for r in requests] if sampling.temperature > 0 else []
        seen = Seen(prompts, _width(self.model), self.device) if penalizes(sampling) else None
        cache = PreallocatedCache(self.model.config, longest + sampling.max_tokens)
        batch = list(range(len(prompts)))  # which request each row of the batch belongs to
        out: list[list[int]] = [[] for _ in prompts]
        ended: set[int] = set()
        for step in range(sampling.max_tokens):
            with torch.inference_mode():  # not around a yield: it would hold for the caller too
                logits = self.model(
                    input_ids=ids,
                    attention_mask=mask[:, : longest + step] if padded else None,
                    position_ids=position,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                ).logits[:, -1]
                draws = [luck[i][step] for i in batch] if luck else []
                scores = logits.float()
                chosen = choose(
                    scores if seen is None else seen.penalize(scores, sampling), draws, sampling
                )
                if seen is not None:
                    seen.add(chosen)
                position = position[:, -1:] + 1
                ids = chosen[:, None]
            for i, token in zip(batch, chosen.tolist(), strict=True):
                if i in ended:
                    continue
                out[i].append(token)
                if token in stops or len(out[i]) == sampling.max_tokens:
                    ended.add(i)
                    yield i, out[i], "stop" if token in stops else "length"
            going = [j for j, i in enumerate(batch) if i not in ended]
            if not going:
                break
            if len(going) <= 0.85 * len(batch):  # dropping rows copies the cache: not each time
                keep = torch.tensor(going, device=self.device)
                with torch.inference_mode():
                    ids, position, mask = ids[keep], position[keep], mask[keep]
                    cache.keep_rows(keep)
                    if seen is not None:
                        seen.keep_rows(keep)
                batch = [batch[j] for j in going]


def device_of(torch: Any, name: str) -> str:
    """Choose a device, or refuse one that is not there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(name).type
    except RuntimeError as error:
        raise UserError(f"device={name}: give auto, cpu or cuda") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device={name}: no GPU is visible here; give device=cpu")
    return name


def stop_ids(generation: Any, tokenizer: Any) -> set[int]:
    """Collect the tokens that end a turn, from the generation config and the tokenizer."""
    found = {tokenizer.eos_token_id}
    listed = generation.eos_token_id
    found |= set(listed) if isinstance(listed, list) else {listed}
    return {token for token in found if token is not None}


def _width(model: Any) -> int:
    """Give the number of logits of a model, which may be more than its tokens."""
    width: int = model.get_output_embeddings().weight.shape[0]
    return width
