"""What is said before the first request: the prompt as the model reads it, how much, how dear."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from skythought.core import formats, presets, progress
from skythought.core.errors import plain
from skythought.core.prices import dollars
from skythought.generating.budget import Budget
from skythought.generating.found import Found
from skythought.generating.work import Asked, Work

BYTES_PER_TOKEN = 4  # of English text, where no row on disk says better
NO_PRICE = "not known; give --price-in and --price-out, in dollars for a million tokens"


class Plan(NamedTuple):
    """What a run is about to ask."""

    folder: str
    asked: Asked
    why: str  # where the sampling is from
    todo: int
    wanted: int
    prompt: str  # one, as the model reads it
    prompt_bytes: int  # of all prompts that are left
    charged: bool  # a provider is asked, who may want money


def say(folder: Path, work: Work, found: Found, budget: Budget, backend: Any, why: str) -> None:
    """Say what is about to be asked; `why` says where the sampling is from."""
    prompt = ""
    if work.missing:
        _, first = work.request(0)
        render = getattr(backend, "render", None)
        prompt = render(first) if render else formats.show(first.messages, first.prefill)
    plan = Plan(
        folder=str(folder),
        asked=work.asked,
        why=why,
        todo=len(work.missing),
        wanted=len(work.problems) * work.asked.n,
        prompt=prompt,
        prompt_bytes=work.bytes(),
        charged=bool(getattr(backend, "host", "")),
    )
    for line in lines(plan, found, budget):
        progress.say(line)


def tokens(plan: Plan, found: Found) -> tuple[float, float, bool]:
    """Estimate the tokens of prompts and answers that are left; True where by those on disk.

    Without finished samples an answer is taken to be as long as it may be.
    """
    counted = len(found.finished) - found.uncounted
    if counted > 0 and found.completion_tokens:
        used = (
            found.prompt_tokens or plan.prompt_bytes / BYTES_PER_TOKEN / max(1, plan.todo) * counted
        )
        return plan.todo * used / counted, plan.todo * found.completion_tokens / counted, True
    longest = plan.todo * plan.asked.sampling.max_tokens
    return plan.prompt_bytes / BYTES_PER_TOKEN, float(longest), False


def lines(plan: Plan, found: Found, budget: Budget) -> list[str]:
    """Write the plan."""
    asked, done = plan.asked, plan.wanted - plan.todo
    on_disk = f", {done:,} of {plan.wanted:,} are on disk" if done else ""
    requests = "1 request" if plan.todo == 1 else f"{plan.todo:,} requests"
    said = [f"{plan.folder}: {requests} to {asked.model}{on_disk}"]
    if not plan.todo:
        return said
    why = f" ({plan.why})" if plan.why else ""
    said.append(f"sampling: {presets.describe(asked.sampling, asked.model)}{why}")
    said += ["the first prompt:", *(f"  {row}" for row in plain(plan.prompt).split("\n"))]
    read, written, known = tokens(plan, found)
    if known:
        rest = f"{written:,.0f} out, as those on disk"
    else:
        rest = f"at most {written:,.0f} out (max_tokens each; most are shorter)"
    said.append(f"tokens: about {read:,.0f} in, {rest}")
    if (price := budget.price) is not None:
        most = "about" if known else "at most about"
        said.append(
            f"cost: {most} {dollars(price.of(read, written))}, at {dollars(price.input)} in and "
            f"{dollars(price.output)} out for a million tokens ({price.source})"
        )
        if budget.limit is not None or budget.spent:
            limit = f"{dollars(budget.limit)}, " if budget.limit is not None else "no limit, "
            guessed = f" ({found.uncounted:,} answers by guess)" if found.uncounted else ""
            told = f"{dollars(budget.spent)} spent in this folder already{guessed}"
            said.append(f"budget: {limit}{told}")
    elif plan.charged:
        said.append(f"cost: {NO_PRICE}")
    return said
