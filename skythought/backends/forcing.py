r"""Budget forcing, as s1 does it (Muennighoff et al. 2025, arXiv 2501.19393).

    Forced(backend, wait=2)             takes the end of a thought away twice and says "Wait" there
    Forced(backend, thinking=4000)      ends a thought after 4,000 tokens and asks for the answer

The wrapped backend is asked again with what it said so far as the beginning of its answer, so it
has to be one that continues. A text without a thought's end is left as it is. What is thrown away
counts as wasted tokens; how many of a completion's tokens that are is estimated by characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from skythought.core import formats, options
from skythought.core.errors import UserError, unknown
from skythought.core.records import Completion, Finish, Request, Sampling

CHUNK = 256  # requests whose rounds are done before the next are begun
PARTS = 16  # of a thinking budget; what is left of one is rounded down to these
WORD = "Wait"
THINK_END = "</think>"
ASK = "Final Answer:"
NAMES = ("wait", "thinking")


@dataclass
class Draft:
    """What was said so far to one request."""

    request: Request
    text: str = ""
    waits: int = 0
    answering: bool = False  # the thought is over
    prompt_tokens: int = 0
    tokens: int = 0  # of the text
    wasted: tuple[int, int] = (0, 0)
    rounds: int = 0

    def asking(self) -> Request:
        """Make the request that goes on from here."""
        return msgspec.structs.replace(self.request, prefill=self.request.prefill + self.text)

    def end(self) -> int:
        """Find the tag that closes the thought; -1 where there is none."""
        places = [self.text.find(tag) for tag in (formats.END_THOUGHT, THINK_END)]
        return min((place for place in places if place >= 0), default=-1)

    def take(self, made: Completion) -> None:
        """Take what was said in one round."""
        self.text += made.text
        self.tokens += made.completion_tokens
        again = made.prompt_tokens if self.rounds else 0  # read once more, and paid
        self.prompt_tokens = self.prompt_tokens or made.prompt_tokens
        self.rounds += 1
        self.wasted = self.wasted[0] + made.wasted[0] + again, self.wasted[1] + made.wasted[1]

    def reopen(self, at: int) -> None:
        """Take the end of the thought away and make the model go on."""
        lost = round(self.tokens * (len(self.text) - at) / max(1, len(self.text)))
        self.tokens -= lost
        self.wasted = self.wasted[0], self.wasted[1] + lost
        self.text = f"{self.text[:at].rstrip()}\n\n{WORD}"
        self.waits += 1

    def close(self) -> None:
        """End the thought and ask for the answer."""
        begun = self.request.prefill + self.text
        turn = formats.TURN if formats.BEGIN_THOUGHT in begun else f"\n{THINK_END}\n\n"
        self.text = f"{self.text.rstrip()}{turn}{ASK}"
        self.answering = True


class Forced:
    """A backend whose thoughts are made longer or are cut.

    Args:
        inner: a backend that can go on with a begun answer.
        wait: how often the end of a thought is taken away.
        thinking: tokens of a thought; what is left of `max_tokens` is for the answer.

    Raises:
        UserError: a number that is none, or a backend that cannot go on with a begun answer.
    """

    def __init__(self, inner: Any, *, wait: int = 0, thinking: int = 0) -> None:
        if wait < 0 or thinking < 0 or not (wait or thinking):
            raise UserError(f"--budget-forcing wait={wait},thinking={thinking}: give 1 or more")
        if not getattr(inner, "continues", False):
            raise UserError(f"--budget-forcing: {inner.identity} cannot go on with a begun answer")
        self.inner, self.wait, self.thinking = inner, wait, thinking
        said = [f"{WORD} x{wait}"] * bool(wait) + [f"thinking {thinking}"] * bool(thinking)
        self.identity = f"{inner.identity} {', '.join(said)}"
        self.continues = True

    def __getattr__(self, name: str) -> Any:
        """Give what the wrapped backend has: its host, concurrency, engine."""
        if name in ("inner", "lazy"):  # requests are taken in chunks
            raise AttributeError(name)
        return getattr(self.inner, name)

    def complete(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        """Yield completions, a chunk of requests at a time.

        Raises:
            UserError: the thinking budget leaves no tokens for an answer; as the wrapped backend.
        """
        if self.thinking >= sampling.max_tokens:
            raise UserError(
                f"--budget-forcing thinking={self.thinking}: leaves no tokens for an answer; give "
                f"more than that as max_tokens, which is {sampling.max_tokens}"
            )
        waiting = iter(requests)
        while drafts := {r.id: Draft(r) for r in islice(waiting, CHUNK)}:
            while drafts:
                for limit in sorted({self._limit(d, sampling) for d in drafts.values()}):
                    of_it = [d for d in drafts.values() if self._limit(d, sampling) == limit]
                    asked = [draft.asking() for draft in of_it]
                    drawn = msgspec.structs.replace(sampling, max_tokens=limit)
                    for made in self.inner.complete(asked, drawn):
                        finish = self._next(drafts[made.id], made, sampling)
                        if finish:
                            yield _completion(drafts.pop(made.id), made, finish)

    def _limit(self, draft: Draft, sampling: Sampling) -> int:
        """Say how many tokens the next round may take."""
        if draft.answering or not self.thinking:
            return max(1, sampling.max_tokens - draft.tokens)
        part = max(1, self.thinking // PARTS)
        left = self.thinking - draft.tokens
        return max(part, left // part * part)

    def _next(self, draft: Draft, made: Completion, sampling: Sampling) -> Finish | None:
        """Take what came; gives how the answer ends, None where it goes on."""
        if made.finish == "error":
            return "error"
        draft.take(made)
        at = draft.end()
        spent = self.thinking and draft.tokens >= self.thinking
        if draft.answering:
            return made.finish
        if at >= 0 and draft.waits < self.wait and not spent:
            draft.reopen(at)
            return None
        if at >= 0:
            left = made.finish == "length" and draft.tokens < sampling.max_tokens
            draft.answering = True
            return None if left else made.finish
        if made.finish == "length" and self.thinking:
            draft.close()
            return None
        return made.finish


def _completion(draft: Draft, made: Completion, finish: Finish) -> Completion:
    if finish == "error":
        lost = draft.prompt_tokens + draft.wasted[0], draft.tokens + draft.wasted[1]
        wasted = lost[0] + made.wasted[0], lost[1] + made.wasted[1]
        return msgspec.structs.replace(made, wasted=wasted)
    return msgspec.structs.replace(
        made,
        text=draft.text,
        finish=finish,
        prompt_tokens=draft.prompt_tokens,
        completion_tokens=draft.tokens,
        wasted=draft.wasted,
    )


def wrap(backend: Any, text: str) -> Any:
    """Wrap a backend by what `--budget-forcing` says, `wait=2,thinking=4000`; "" leaves it alone.

    Raises:
        UserError: an unknown name, no whole number, or as `Forced`.
    """
    if not text:
        return backend
    given = options.read(text)
    for name, value in given.items():
        if name not in NAMES:
            raise unknown("budget forcing", name, NAMES)
        if not value.isdigit():
            raise UserError(f"--budget-forcing {name}={value}: give a whole number")
    return Forced(backend, **{name: int(value) for name, value in given.items()})
