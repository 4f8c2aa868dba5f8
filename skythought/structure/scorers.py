r"""What gives the log-probability of a text behind another: a model here, or a server.

    Local(net, tokenizer).logprobs([("Tom has 3 bags.\n\n", "So 3 * 12 = 36.")])    [-1.43]

Context and continuation are one text to the model, tokenized as it tokenizes any prompt. Judged are
the tokens behind the last line end of the context, so a model gives the same numbers here and on a
server. Line ends are counted, not characters: in the places that servers give, a sign that the
tokenizer puts before every prompt counts too, and half a character may be a whole one.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

from skythought.core.errors import UserError, first_line, plain

RETRIED = (408, 429, 500, 502, 503, 504)  # answers of a server that is busy
Pair = tuple[str, str]  # a context that ends with a line end, and a continuation


class Scorer(Protocol):
    """What gives log-probabilities."""

    def logprobs(self, pairs: Sequence[Pair]) -> list[float]:
        """Give the mean log-probability per token, in nats, of each (context, continuation)."""
        ...


def begin(line_ends: Iterable[int], context: str) -> int | None:
    """Give the number of the first token behind the last line end of a context.

    Args:
        line_ends: how many each token holds, of the context and what comes after it.
        context: the text.

    Returns:
        None where the tokens hold too few.
    """
    wanted, number, seen = context.count("\n"), -1, 0
    for number, here in enumerate(line_ends):
        if seen >= wanted:
            return number
        seen += here
    return number + 1 if seen >= wanted else None


class Local:
    """A causal model of transformers.

    Args:
        net: the model, on its device.
        tokenizer: its tokenizer.
        batch: pairs that go through the model at once; those of similar length share a batch.
    """

    def __init__(self, net: Any, tokenizer: Any, *, batch: int = 16) -> None:
        self.net, self.tokenizer, self.batch = net.eval(), tokenizer, batch
        self._line_ends = lru_cache(2**18)(lambda token: tokenizer.decode([token]).count("\n"))

    def logprobs(self, pairs: Sequence[Pair]) -> list[float]:
        """Give the mean log-probability per token, in nats; 0 for a continuation without tokens.

        Raises:
            UserError: the tokenizer drops line ends, or the model gives no numbers.
        """
        rows = [self._row(*pair) for pair in pairs]
        found = [0.0] * len(rows)
        order = sorted((i for i, (_, n) in enumerate(rows) if n), key=lambda i: len(rows[i][0]))
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            for i, value in zip(chosen, self._score([rows[i] for i in chosen]), strict=True):
                found[i] = value
        if not all(map(math.isfinite, found)):
            raise UserError("the model gives no numbers (nan); are its weights whole?")
        return found

    def _row(self, context: str, continuation: str) -> tuple[list[int], int]:
        """Give all tokens, and how many of them, at the end, are judged."""
        ids: list[int] = self.tokenizer(context + continuation)["input_ids"]
        at = begin(map(self._line_ends, ids), context)
        if at is None:
            raise UserError(
                "the model's tokenizer drops line ends, so that steps cannot be told apart; take "
                "another model"
            )
        return ids, len(ids) - max(1, at)  # the very first token is behind nothing

    def _score(self, rows: list[tuple[list[int], int]]) -> Iterator[float]:
        """Score rows that are padded on the left, so that all end at the right."""
        import torch

        width = max(len(ids) for ids, _ in rows)
        kept = max(n for _, n in rows) + 1  # the last of the context predicts the first
        batch = torch.zeros((len(rows), width), dtype=torch.long)
        mask = torch.zeros_like(batch)
        for i, (ids, _) in enumerate(rows):
            batch[i, width - len(ids) :] = torch.tensor(ids)
            mask[i, width - len(ids) :] = 1
        batch, mask = batch.to(self.net.device), mask.to(self.net.device)
        with torch.inference_mode():
            logits = self.net(
                input_ids=batch,
                attention_mask=mask,
                position_ids=(mask.cumsum(1) - 1).clamp(min=0),
                logits_to_keep=kept,
                use_cache=False,
            ).logits[:, -kept:]
            said = logits[:, :-1].float().log_softmax(-1)
            picked = said.gather(-1, batch[:, 1 - kept :, None])[..., 0]
        for row, (_, n) in zip(picked, rows, strict=True):
            yield float(row[kept - 1 - n :].mean())


class Server:
    """A server of the OpenAI completions API that gives log-probabilities of prompts, as vLLM does.

    Args:
        model: its name on the server.
        base_url: up to `/v1`.
        api_key_env: variable of the environment that holds a key; it goes into one header only.
        concurrency: requests at once.
        timeout: seconds for one of them.
        retries: how often a busy server is asked again.

    Raises:
        UserError: no model, no address, or the variable of the key is not set.
    """

    def __init__(
        self,
        model: str,
        base_url: str = "http://127.0.0.1:8000/v1",
        *,
        api_key_env: str = "",
        concurrency: int = 16,
        timeout: float = 120,
        retries: int = 4,
    ) -> None:
        place = urlsplit(base_url)
        if place.scheme not in ("http", "https") or not place.hostname or place.query:
            raise UserError("the server's address: give http://HOST:PORT/v1 or https://HOST/v1")
        if place.username or place.password:
            raise UserError(
                "the server's address holds a password; a key belongs into an environment "
                "variable, named with api_key_env=NAME"
            )
        if not model:
            raise UserError(f"{base_url}: which model? give its name on the server")
        self.model, self.url = model, f"{base_url.rstrip('/')}/completions"
        self.concurrency, self.timeout, self.retries = concurrency, timeout, retries
        self.headers = {"Content-Type": "application/json"}
        self._key = os.environ.get(api_key_env, "").strip() if api_key_env else ""
        if api_key_env and not re.fullmatch(r"[!-~]+", self._key):
            raise UserError(
                "api_key_env names no environment variable that holds a key; give the variable's "
                "name, not the key, and export the variable"
            )
        if self._key:
            self.headers["Authorization"] = f"Bearer {self._key}"
        self._open = urllib.request.build_opener(_NoDetour).open

    def logprobs(self, pairs: Sequence[Pair]) -> list[float]:
        """Give the mean log-probability per token, in nats; 0 for a continuation without tokens.

        Raises:
            UserError: the server cannot be reached, refuses, or gives no such numbers.
        """
        with ThreadPoolExecutor(self.concurrency) as threads:
            return list(threads.map(self._one, pairs))

    def _one(self, pair: Pair) -> float:
        prompt = "".join(pair)
        body = {"model": self.model, "prompt": prompt, "max_tokens": 1, "temperature": 0}
        answer = self._post(json.dumps(body | {"echo": True, "logprobs": 1}).encode())
        try:
            told = answer["choices"][0]["logprobs"]
            n = int(answer["usage"]["prompt_tokens"])  # behind them is what the model goes on with
            tokens, values = told["tokens"][:n], told["token_logprobs"][:n]
            at = begin([token.count("\n") for token in tokens], pair[0])
            if at is None or len(values) < n:
                raise ValueError("not those of the prompt")
            judged = [float(value) for value in values[max(1, at) :]]  # the first is behind nothing
            if not all(map(math.isfinite, judged)):
                raise ValueError("no numbers")
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"{self.url}: no log-probabilities of the prompt in its answer; ask a server that "
                "echoes prompts with them, such as vllm serve"
            ) from error
        return sum(judged) / len(judged) if judged else 0.0

    def _post(self, body: bytes) -> Any:
        for attempt in range(self.retries + 1):
            request = urllib.request.Request(self.url, body, self.headers)
            try:
                with self._open(request, timeout=self.timeout) as reply:
                    return json.load(reply)
            except urllib.error.HTTPError as error:
                said = error.read(300).decode("utf-8", "replace")
                told = f"{error.code} {' '.join(said.split())}"
                if error.code not in RETRIED:
                    break
            except (OSError, ValueError, http.client.HTTPException) as error:
                why = getattr(error, "reason", error)
                told = first_line(why if isinstance(why, Exception) else error)
            if attempt < self.retries:
                time.sleep(min(30.0, 0.5 * 2**attempt))
        told = plain(told.replace(self._key, "[key]") if self._key else told)
        raise UserError(f"{self.url}: {told}; is the server there, and the model's name right?")


class _NoDetour(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would carry the key to another server."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""
        return
