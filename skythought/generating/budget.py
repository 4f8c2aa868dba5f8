"""Money: what a run has spent, and whether its next request could still be paid."""

from __future__ import annotations

from skythought.core import progress
from skythought.core.errors import UserError
from skythought.core.prices import Price, dollars
from skythought.core.records import Completion, Request
from skythought.generating.found import BYTES_PER_TOKEN, Found, guess, prompt_bytes

OVER = (
    0.1  # share of a budget that it may be overdrawn by, should all answers be as long as they may
)
LIKELY = 2  # times the mean cost of an answer, which those on their way do not exceed together
LEAST = 20  # answers that a mean is believed of; no fewer than are on their way
GUESSED = f"their cost is guessed, a token for every {BYTES_PER_TOKEN} bytes"


class BudgetReached(UserError):
    """The money that the user gave is spent; nothing is wrong."""

    exit_code = 3


class Budget:
    """Counts dollars; without a price nothing costs anything.

    A request is sent if it could be paid at its dearest, with the others on their way at twice what
    answers have cost so far on average. At the dearest, all of them together stay below a tenth
    more than the limit: an average may deceive. Before so many answers are known as are on their
    way, these count at their dearest too.

    Args:
        price: of a million tokens.
        limit: dollars the whole run folder may cost; None for no limit.
        max_tokens: of one answer.
        found: what the folder holds, which was paid for before.

    The tokens of an answer that nobody counted are guessed from its length, and that is said.
    """

    def __init__(
        self, price: Price | None, limit: float | None, max_tokens: int, found: Found
    ) -> None:
        self.price, self.limit, self.max_tokens = price, limit, max_tokens
        read = found.prompt_tokens + found.wasted[0] + found.guessed[0]
        written = found.completion_tokens + found.wasted[1] + found.guessed[1]
        self.spent = price.of(read, written) if price is not None else 0.0
        self.guessing = found.uncounted > 0  # and it has been said
        self.held: dict[str, float] = {}  # dollars that requests on their way may cost at most
        self.total_held = 0.0
        self.answers = len(found.finished)  # that `spent` is the cost of
        self.lost: dict[str, float] = {}  # dollars of answers thrown away, while asked again

    def worst(self, request: Request) -> float:
        """Give what a request costs at most: a token has at least one byte."""
        if self.price is None:
            return 0.0
        return self.price.of(_bytes(request), self.max_tokens)

    def hold(self, request: Request) -> bool:
        """Hold the money of a request back; False where there is not enough."""
        if self.limit is None:
            return True
        worst = self.worst(request)
        if not self.fits(worst):
            return False
        self.held[request.id] = worst
        self.total_held += worst
        return True

    def fits(self, more: float = 0.0) -> bool:
        """Say whether so many dollars more may be spent beside what is on its way."""
        if self.limit is None:
            return True
        if self.spent + self.total_held + more > self.limit * (1 + OVER):
            return False
        out = self.total_held
        if self.answers >= max(LEAST, len(self.held)):
            out = min(out, LIKELY * self.spent / self.answers * len(self.held))
        return self.spent + out + more <= self.limit

    def affords(self, request: Request, prompt_tokens: int, completion_tokens: int) -> bool:
        """Count an answer that was thrown away; False where asking again cannot be paid."""
        if self.price is None:
            return True
        cost = self.price.of(prompt_tokens, completion_tokens)
        self.spent += cost
        self.lost[request.id] = self.lost.get(request.id, 0.0) + cost
        return self.fits()

    def pay(self, request: Request, completion: Completion) -> None:
        """Count what an answer cost; guessed, where its tokens were not counted."""
        worst = self.held.pop(request.id, 0.0)
        self.total_held = self.total_held - worst if self.held else 0.0
        if self.price is None:
            return
        self.answers += completion.finish != "error"
        self.spent += self.price.of(*completion.wasted) - self.lost.pop(request.id, 0.0)
        if completion.prompt_tokens or completion.completion_tokens:
            self.spent += self.price.of(completion.prompt_tokens, completion.completion_tokens)
        elif completion.finish != "error":
            size = _bytes(request), len(completion.text.encode())
            self.spent += self.price.of(*guess(*size, self.max_tokens))
            if not self.guessing:
                self.guessing = True
                progress.say(f"warning: the server does not say how many tokens it used; {GUESSED}")

    def reached(self, folder: object, left: int, worst: float) -> BudgetReached:
        """Say that the money is spent, and what to do."""
        return BudgetReached(
            f"{folder}: stopped at the budget: {dollars(self.spent)} of {dollars(self.limit or 0)} "
            f"are spent and the next request could cost {dollars(worst)}; {left:,} samples are "
            "left; to go on, run the same command again with a larger --budget"
        )


def _bytes(request: Request) -> int:
    """Count the bytes of a prompt, with what a template may add: no prompt has more tokens."""
    return prompt_bytes([*(m.content for m in request.messages), request.prefill])
