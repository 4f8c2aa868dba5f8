"""vLLM in this process: continuous batching on the GPUs of one machine, without a server.

    --backend vllm --model FOLDER --backend-args tensor_parallel_size=4,max_model_len=20000

Prompts, tokens that end a turn, and texts are those of the backend `hf`, because conversations
become token ids here and the engine gives token ids back. So the model has the same identity, and a
run begun with one goes on with the other. A sample has a seed made of its request, is given as soon
as it ends, and no more than twice `max_num_seqs` are inside the engine.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from skythought.backends import chat, hf
from skythought.core import formats, progress
from skythought.core.errors import UserError, first_line, plain, require, unknown
from skythought.core.records import Completion, Request, Sampling

# Set where the user has not: nothing is sent home, what is said goes to stderr and is no chatter,
# and the engine runs in this process: its errors arrive here, its schedule is the same every time,
# and killing the process frees the GPU.
ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}
OURS = ("model", "tokenizer", "runner", "skip_tokenizer_init", "enable_lora", "max_lora_rank")
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # of adapters, that vLLM has room for
MEMORY = re.compile(r"\bmemory\b|KV cache|cache blocks", re.IGNORECASE)
ELSEWHERE = re.compile(r"root cause|stack trace", re.IGNORECASE)  # said by a worker process
SHOWN = 400  # characters of what vLLM says
# Of the sampling, what vLLM has too, and calls the same.
SAME = ("top_k", "min_p", "presence_penalty", "repetition_penalty")


class VLLM:
    """Asks a vLLM engine, which is started with the first request.

    Args:
        model: folder, hub name, `mini` (the model in the package) or adapter folder.
        dtype: "auto" (as stored), "float32", "bfloat16" or "float16".
        tensor_parallel_size: GPUs that share each layer.
        pipeline_parallel_size: groups of such GPUs that share the layers.
        max_model_len: tokens of a prompt and its answer; 0 is what the model was made for.
        gpu_memory_utilization: share of a GPU's memory to use; 0 is vLLM's own default.
        max_num_seqs: samples decoded together at most; 0 is vLLM's own default.
        quantization: how the weights are quantized, where the model does not say.
        enforce_eager: "true" starts sooner and decodes slower.
        base: base model of an adapter, where it is not where the adapter says.
        engine_args: a JSON object of any other arguments of vLLM's `EngineArgs`.
    """

    continues = True
    lazy = True

    def __init__(
        self,
        model: str,
        dtype: str = "auto",
        tensor_parallel_size: int = 1,
        pipeline_parallel_size: int = 1,
        max_model_len: int = 0,
        gpu_memory_utilization: float = 0,
        max_num_seqs: int = 0,
        quantization: str = "",
        enforce_eager: str = "false",
        base: str = "",
        engine_args: str = "",
    ) -> None:
        if dtype not in hf.DTYPES:
            raise unknown("dtype", dtype, hf.DTYPES)
        for name, value, least in (
            ("tensor_parallel_size", tensor_parallel_size, 1),
            ("pipeline_parallel_size", pipeline_parallel_size, 1),
            ("max_model_len", max_model_len, 0),
            ("max_num_seqs", max_num_seqs, 0),
        ):
            if value < least:
                raise UserError(f"vllm backend: {name}={value}: give {least} or more")
        if not 0 <= gpu_memory_utilization <= 1:
            raise UserError(
                f"vllm backend: gpu_memory_utilization={gpu_memory_utilization:g}: give a share, "
                "from 0 to 1"
            )
        given = {
            "tensor_parallel_size": tensor_parallel_size,
            "pipeline_parallel_size": pipeline_parallel_size,
            "max_model_len": max_model_len or None,
            "gpu_memory_utilization": gpu_memory_utilization or None,
            "max_num_seqs": max_num_seqs or None,
            "quantization": quantization or None,
            "enforce_eager": _flag("enforce_eager", enforce_eager) or None,
        }
        for variable, setting in ENVIRONMENT.items():
            os.environ.setdefault(variable, setting)
        require("vllm", "vllm")
        self.found = hf.find(model, base)
        self.identity = self.found.identity
        self.tokenizer = hf.tokenizer_of(self.found.base, self.found.tokenizer)
        self.place = hf.locate(self.found.base)
        self.stops = sorted(hf.stop_ids(_generation_config(self.found.base), self.tokenizer))
        self.arguments = {
            "model": self.place,
            "dtype": _dtype(self.found.base) if dtype == "auto" else dtype,
            "use_tqdm_on_load": progress.console.is_terminal,
            **_rank(self.found.adapter),
            **{name: value for name, value in given.items() if value is not None},
        }
        self.arguments |= _read_engine_args(engine_args, self.arguments)
        self.runs_on = f"vllm, {self.arguments['dtype']}"
        self.inside: set[str] = set()  # requests in the engine
        self.engine: Any = None
        self.told = False  # that answers may be cut by the context

    def complete(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        """Yield completions as they end; a prompt that the context cannot hold is an error.

        Raises:
            UserError: a sampling that vLLM does not have; the engine cannot be started, or stops
                for want of memory.
        """
        todo, more = iter(requests), True
        try:
            while more or self.inside:
                while more and (self.engine is None or len(self.inside) < self.room):
                    request = next(todo, None)
                    if request is None:
                        more = False
                    elif refused := self.add(request, sampling):
                        yield refused
                yield from self.step()
        finally:
            if self.inside:
                self.engine.abort_request(sorted(self.inside))
                self.inside.clear()

    def render(self, request: Request) -> str:
        """Write the prompt of a request as the model reads it."""
        return formats.prompt_text(self.tokenizer, request.messages, request.prefill)

    def start(self) -> None:
        """Start the engine, where it does not run yet.

        Raises:
            UserError: it cannot be started; the message says what to change.
        """
        if self.engine is not None:
            return
        import vllm

        try:
            self.llm = vllm.LLM(**self.arguments)
        except (ValueError, RuntimeError, OSError, MemoryError) as error:
            raise UserError(self._refusal(error)) from error
        self.engine = self.llm.llm_engine
        config = self.engine.vllm_config
        self.context: int = config.model_config.max_model_len
        self.room: int = 2 * config.scheduler_config.max_num_seqs
        self.adapter = None
        if self.found.adapter is not None:
            from vllm.lora.request import LoRARequest

            self.adapter = LoRARequest("adapter", 1, str(self.found.adapter.resolve()))
            try:
                self.engine.add_lora(self.adapter)
            except (ValueError, RuntimeError, OSError) as error:
                raise UserError(
                    f"{self.found.adapter}: vLLM cannot use this adapter: {_said(error)}; merge it "
                    "into its base (peft: merge_and_unload), or use --backend hf"
                ) from error

    def add(self, request: Request, sampling: Sampling) -> Completion | None:
        """Put a request into the engine, or give the error that it comes to.

        Raises:
            UserError: a sampling that vLLM does not have, or the engine cannot be started.
        """
        from vllm.inputs import tokens_input

        params = self._params(request, sampling)
        self.start()
        ids = formats.prompt_ids(self.tokenizer, request.messages, request.prefill)
        if len(ids) >= self.context:
            return Completion(
                id=request.id,
                text="",
                finish="error",
                prompt_tokens=len(ids),
                error=f"the prompt has {len(ids):,} tokens, and the context, {self.context:,}, has "
                "no room for an answer",
            )
        if not self.told and len(ids) + sampling.max_tokens > self.context:
            self.told = True
            progress.say(
                f"vllm backend: a prompt and max_tokens={sampling.max_tokens} do not fit into the "
                f"context of {self.context:,} tokens (max_model_len); longer answers are cut there"
            )
        self.engine.add_request(request.id, tokens_input(ids), params, lora_request=self.adapter)
        self.inside.add(request.id)
        return None

    def step(self) -> Iterator[Completion]:
        """Let the engine make the next tokens; yields the samples that end with them.

        Raises:
            UserError: the engine stops for want of memory.
        """
        if not self.inside:
            return
        from torch import OutOfMemoryError
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            outputs = self.engine.step()
        except (OutOfMemoryError, EngineDeadError) as error:
            self.inside.clear()
            raise UserError(
                f"{self._refusal(error)}. What was finished is kept: the same command goes on"
            ) from error
        for output in outputs:
            if output.finished:
                self.inside.discard(output.request_id)
                yield self._completion(output)

    def _params(self, request: Request, sampling: Sampling) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        for name in ("reasoning_effort", "extra"):
            if getattr(sampling, name) is not UNSET:
                raise UserError(f"vllm backend: has no {name}; leave it out of --sampling-params")
        stop = [] if sampling.stop is UNSET else [*sampling.stop]
        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            seed=chat.seed_of(request),
            stop_token_ids=self.stops,
            stop=stop,
            detokenize=bool(stop),  # only vLLM's own text says where a stop text begins
            skip_special_tokens=False,
            spaces_between_special_tokens=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            **{k: v for k in SAME if (v := getattr(sampling, k)) is not UNSET},
        )

    def _completion(self, output: Any) -> Completion:
        [said] = output.outputs
        ids = list(said.token_ids)
        finish = said.finish_reason
        if finish not in ("stop", "length"):
            text, error = "", f"ended with finish_reason {finish!r}"
        elif isinstance(said.stop_reason, str):  # one of the sampling's own stop texts
            text, error = said.text, ""
        else:
            kept = ids[:-1] if finish == "stop" else ids
            text, error = self.tokenizer.decode(kept, skip_special_tokens=False), ""
        return Completion(
            id=output.request_id,
            text=text,
            finish="error" if error else finish,
            prompt_tokens=len(output.prompt_token_ids),
            completion_tokens=len(ids),
            error=error,
        )

    def _refusal(self, error: BaseException) -> str:
        """Say in one line why there is no engine, and what to change."""
        from vllm.platforms import current_platform

        told = _said(error)
        if current_platform.is_cpu():
            room = (
                "export VLLM_CPU_KVCACHE_SPACE=2 (GiB for the cache), or give a smaller "
                "max_model_len or gpu_memory_utilization"
            )
        else:
            room = (
                "give a smaller max_model_len, more tensor_parallel_size, or another "
                "gpu_memory_utilization (a share of each GPU)"
            )
        if "infer device type" in told:
            todo = "no GPU is visible here, and this vLLM is not the one for CPUs"
        elif MEMORY.search(told):
            todo = room
        elif ELSEWHERE.search(told):
            todo = f"the lines above say why; if it is memory: {room}"
        else:
            return f"vllm backend: model {self.found.base!r}: {told}"
        return f"vllm backend: model {self.found.base!r}: {told}; {todo}"


def _flag(name: str, text: object) -> bool:
    """Read true or false."""
    found = {"true": True, "1": True, "false": False, "0": False}.get(str(text).lower())
    if found is None:
        raise UserError(f"vllm backend: {name}={text}: give true or false")
    return found


def _said(error: BaseException) -> str:
    """Give what an error of vLLM says, on one line; of pydantic's, what is wrong."""
    text = str(error)
    errors = getattr(error, "errors", None)
    if callable(errors) and (found := errors()) and "msg" in found[0]:
        text = found[0]["msg"].removeprefix("Value error, ")
    line = plain(" ".join(text.split())) or type(error).__name__
    return (line if len(line) <= SHOWN else f"{line[:SHOWN]}...").rstrip(".")


def _generation_config(model: str) -> Any:
    """Load what a model says of decoding; where it says nothing, what its config does."""
    import transformers

    with hf.loading(model) as place:
        try:
            return transformers.GenerationConfig.from_pretrained(place)
        except OSError:
            config = transformers.AutoConfig.from_pretrained(place)
            return transformers.GenerationConfig.from_model_config(config)


def _dtype(model: str) -> str:
    """Keep weights as stored: of its own accord vLLM would halve those in float32."""
    import transformers

    with hf.loading(model) as place:
        stored = transformers.AutoConfig.from_pretrained(place).get_text_config().dtype
    return "float32" if str(stored) == "torch.float32" else "auto"


def _rank(adapter: Path | None) -> dict[str, Any]:
    """Make room for an adapter.

    Raises:
        UserError: its rank is more than vLLM takes.
    """
    if adapter is None:
        return {}
    config = msgspec.json.decode((adapter / "adapter_config.json").read_bytes())
    rank = max(config.get("r") or 1, *(config.get("rank_pattern") or {}).values(), 1)
    room = next((known for known in RANKS if known >= rank), None)
    if room is None:
        raise UserError(
            f"{adapter}: has rank {rank}, and vLLM takes {RANKS[-1]} at most; merge it into its "
            "base, or use --backend hf"
        )
    return {"enable_lora": True, "max_lora_rank": room}


def _read_engine_args(text: str, ours: dict[str, Any]) -> dict[str, Any]:
    """Read more arguments of the engine from a JSON object.

    Raises:
        UserError: not a JSON object, or a name that vLLM does not know or that is given elsewhere.
    """
    if not text:
        return {}
    from vllm import EngineArgs

    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise UserError(
            f"vllm backend: engine_args: not a JSON object ({first_line(error)}); expected for "
            'example engine_args={"kv_cache_dtype": "fp8"}'
        ) from error
    known = [field.name for field in dataclasses.fields(EngineArgs)]
    for name in found:
        if name not in known:
            raise unknown("argument of vLLM", name, known)
        if name in OURS or (name in ours and name != "use_tqdm_on_load"):
            raise UserError(
                f"vllm backend: engine_args: {name}: not here; it is given with --model or as an "
                "option of its own"
            )
    return found
