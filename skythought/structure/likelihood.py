"""The language-model estimator of structural consistency: is a step likelier after its own?

For step t of a thought, the mean log-probability of its tokens after its predecessor is compared
with that after `others` other steps of the same thought:

    follows(t) = mean over others o of sigmoid((log p(step_t | step_{t-1}) - log p(step_t | o))/T)

in nats per token; with T = 0 it is the share of the others that the predecessor beats. The
consistency is the mean over its steps, one half where order tells the model nothing. The first step
is judged after the question where that is given, else not at all; so is the last. What gives
log-probabilities is a `Scorer`: a model on this machine (`Local`) or a server (`Server`). Which
steps are compared is drawn from the seed, the number of steps and t alone, so that a thought and
its corrupted copy are asked the same.
"""

from __future__ import annotations

import json
import math
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from skythought.core.errors import UserError, first_line, plain, require

OTHERS = 3  # steps each step is tried after, beside its own predecessor
TEMPERATURE = 0.0  # T, in nats per token; 0 was the best of those tried (benchmarks/structure.md)
BETWEEN = "\n\n"
RETRIED = (408, 429, 500, 502, 503, 504)  # answers of a server that is busy


class Scorer(Protocol):
    """What gives log-probabilities."""

    def logprobs(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Give the mean log-probability per token, in nats, of each (context, continuation)."""
        ...


class Judged(NamedTuple):
    """What a model says of one step."""

    own: float  # nats per token after its predecessor
    others: tuple[float, ...]  # after other steps of the thought

    def follows(self, temperature: float = TEMPERATURE) -> float:
        """Give the share of the others that the predecessor beats, 0-1, softly where T > 0."""
        return sum(_beats(self.own - o, temperature) for o in self.others) / len(self.others)

    @property
    def best(self) -> bool:
        """Say whether no other step makes it likelier than its predecessor does."""
        return self.own >= max(self.others)


def judge(
    parts: Sequence[str],
    scorer: Scorer,
    *,
    question: str = "",
    others: int = OTHERS,
    seed: int = 0,
) -> list[Judged]:
    """Judge the steps of a thought, in order; none where there are fewer than three to compare.

    Args:
        parts: the steps.
        scorer: what gives log-probabilities.
        question: what the first step follows.
        others: how many other steps each is tried after, at most.
        seed: of the choice of those.
    """
    before = ([question] if question.strip() else []) + list(parts)
    asked = [
        [before[t - 1], *(before[o] for o in _drawn(len(before), t, others, seed))]
        for t in range(1, len(before))
    ]
    if len(before) < 3:
        return []
    pairs = [
        (context + BETWEEN, step)
        for contexts, step in zip(asked, before[1:], strict=True)
        for context in contexts
    ]
    found = iter(scorer.logprobs(pairs))
    return [Judged(next(found), tuple(next(found) for _ in contexts[1:])) for contexts in asked]


def consistency(judged: Sequence[Judged], temperature: float = TEMPERATURE) -> float | None:
    """Give the fraction of steps that follow, 0-1; None where nothing was judged."""
    if not judged:
        return None
    return sum(step.follows(temperature) for step in judged) / len(judged)


class Local:
    """A causal model of transformers on this machine.

    Args:
        model: folder or hub name.
        context: tokens of the context that are kept, its last ones.
        continuation: tokens of the step that are judged, its first ones.
        batch: pairs that go through the model at once.
        device: where it runs.

    Raises:
        UserError: transformers is not installed, or nothing loadable under this name.
    """

    def __init__(
        self,
        model: str,
        *,
        context: int = 128,
        continuation: int = 48,
        batch: int = 16,
        device: str = "cpu",
    ) -> None:
        transformers = require("transformers", "train")
        try:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(model)
            self.model = transformers.AutoModelForCausalLM.from_pretrained(model)
        except (OSError, ValueError) as error:
            raise UserError(
                f"model {model!r}: {first_line(error)}; give a folder of one"
            ) from error
        self.model.eval().to(device)
        self.context, self.continuation, self.batch = context, continuation, batch
        self.device = device

    def logprobs(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Give the mean log-probability per token, in nats; 0 for a continuation without tokens."""
        rows = [self._ids(context, step) for context, step in pairs]
        found = [0.0] * len(rows)
        order = sorted(
            (i for i, (_, step) in enumerate(rows) if step), key=lambda i: _size(rows[i])
        )
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            for i, value in zip(chosen, self._score([rows[i] for i in chosen]), strict=True):
                found[i] = value
        return found

    def _ids(self, context: str, step: str) -> tuple[list[int], list[int]]:
        # A token has at least one character, but for rare ones: what is cut is never looked at.
        before = self._encode(context[-16 * self.context :])[-self.context :]
        after = self._encode(step[: 16 * self.continuation])[: self.continuation]
        return before or [self.tokenizer.eos_token_id], after

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _score(self, rows: list[tuple[list[int], list[int]]]) -> Iterator[float]:
        """Score rows that are padded on the left, so that all steps end at the right."""
        import torch

        width = max(map(_size, rows))
        kept = max(len(step) for _, step in rows) + 1  # the last of the context predicts the first
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, (before, step) in enumerate(rows):
            ids[i, width - len(before) - len(step) :] = torch.tensor([*before, *step])
            mask[i, width - len(before) - len(step) :] = 1
        ids, mask = ids.to(self.device), mask.to(self.device)
        with torch.inference_mode():
            logits = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=(mask.cumsum(1) - 1).clamp(min=0),
                logits_to_keep=kept,
                use_cache=False,
            ).logits[:, -kept:]
            said = logits[:, :-1].float().log_softmax(-1)
            picked = said.gather(-1, ids[:, 1 - kept :, None])[..., 0]
        for row, (_, step) in zip(picked, rows, strict=True):
            yield float(row[kept - 1 - len(step) :].mean())


class Server:
    """A server of the OpenAI completions API that gives log-probabilities of prompts, as vLLM does.

    Args:
        model: its name on the server.
        base_url: up to `/v1`.
        api_key_env: variable of the environment that holds a key; it goes into one header only.
        context: characters of the context that are sent, its last ones.
        continuation: characters of the step that are judged, its first ones.
        concurrency: requests at once.
        timeout_s: seconds for one of them.
        retries: how often a busy server is asked again.

    Raises:
        UserError: the variable of the key is not set.
    """

    def __init__(
        self,
        model: str,
        base_url: str = "http://127.0.0.1:8000/v1",
        *,
        api_key_env: str = "",
        context: int = 600,
        continuation: int = 240,
        concurrency: int = 16,
        timeout_s: float = 120,
        retries: int = 4,
    ) -> None:
        self.model, self.url = model, f"{base_url.rstrip('/')}/completions"
        self.context, self.continuation = context, continuation
        self.concurrency, self.timeout_s, self.retries = concurrency, timeout_s, retries
        self.headers = {"Content-Type": "application/json"}
        if not base_url.startswith(("http://", "https://")):
            raise UserError(f"base_url {base_url!r}: it begins with http:// or https://")
        if api_key_env:
            key = os.environ.get(api_key_env, "")
            if not key:
                raise UserError(f"the variable {api_key_env} is not set; export it first")
            self.headers["Authorization"] = f"Bearer {key}"

    def logprobs(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Give the mean log-probability per token, in nats.

        Raises:
            UserError: the server cannot be reached, refuses, or gives no such numbers.
        """
        with ThreadPoolExecutor(self.concurrency) as threads:
            return list(threads.map(self._one, pairs))

    def _one(self, pair: tuple[str, str]) -> float:
        before, step = pair[0][-self.context :], pair[1][: self.continuation]
        body = {"model": self.model, "prompt": before + step, "max_tokens": 1, "temperature": 0}
        answer = self._post(json.dumps(body | {"echo": True, "logprobs": 1}).encode())
        try:
            told = answer["choices"][0]["logprobs"]
            values = [
                float(value)
                for at, value in zip(told["text_offset"], told["token_logprobs"], strict=True)
                if len(before) <= at < len(before) + len(step) and value is not None
            ]
        except (LookupError, TypeError, ValueError) as error:
            raise UserError(
                f"{self.url}: no log-probabilities of the prompt in its answer; ask a server that "
                "echoes prompts with them, such as vllm serve"
            ) from error
        return sum(values) / len(values) if values else 0.0

    def _post(self, body: bytes) -> Any:
        for attempt in range(self.retries + 1):
            request = urllib.request.Request(self.url, body, self.headers)
            try:
                with urllib.request.urlopen(request, timeout=self.timeout_s) as reply:
                    return json.load(reply)
            except urllib.error.HTTPError as error:
                said = plain(error.read(300).decode("utf-8", "replace"))
                told = f"{error.code} {' '.join(said.split())}"
                if error.code not in RETRIED:
                    break
            except (OSError, ValueError) as error:
                told = plain(first_line(error))
            if attempt < self.retries:
                time.sleep(min(30.0, 0.5 * 2**attempt))
        raise UserError(f"{self.url}: {told}; is the server there, and the model's name right?")


def _drawn(n: int, t: int, others: int, seed: int) -> list[int]:
    """Draw other steps than t and its predecessor; the question is none of them."""
    rng = random.Random(f"{seed} {n} {t}")
    left = [i for i in range(n) if i not in (t - 1, t)]
    return rng.sample(left, min(others, len(left)))


def _size(row: tuple[list[int], list[int]]) -> int:
    return len(row[0]) + len(row[1])


def _beats(difference: float, temperature: float) -> float:
    if temperature <= 0:
        return 0.5 + 0.5 * ((difference > 0) - (difference < 0))
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, difference / temperature))))
