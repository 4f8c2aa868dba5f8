"""skythought/generating/budget.py: what is spent, held back, and overdrawn by a tenth at most."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.core.prices import Price
from skythought.core.records import Completion, Problem, Request, Sampling
from skythought.generating.budget import LEAST, OVER, Budget
from skythought.generating.found import Found
from skythought.generating.work import Asked, Queue, Work

ASKED = Asked(model="m", sampling=Sampling(max_tokens=100), n=3, system_prompt="Think.")
PRICE = Price(1.0, 10.0, "a list")


def problems(n: int = 4) -> list[Problem]:
    return [Problem(id=f"p{i}", task="t", question=f"q{i} é", answer="") for i in range(n)]


def answer(key: str, prompt_tokens: int, completion_tokens: int) -> Completion:
    return Completion(
        id=key,
        text="4",
        finish="stop",
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
    )


def test_money_is_held_for_what_is_out() -> None:
    """An answer costs at most a thousandth of a dollar, and a prompt a fifth of that."""
    left = Work(problems(), ASKED, set())
    _, first = left.request(0)
    money = Budget(PRICE, 0.0037, 100, Found())
    worst = money.worst(first)
    assert 0.0012 < worst < 0.00121
    queue = Queue(left, money)
    asked = list(queue)
    assert (len(asked), queue.short, left.next) == (3, True, 3)
    assert money.total_held == pytest.approx(3 * worst)
    money.pay(first, answer(first.id, 10, 20))
    assert money.spent == pytest.approx(0.00021)
    assert list(queue) == []  # a queue that has ended stays so
    assert len(list(Queue(left, money))) == 0  # 0.0002 spent and 0.0022 held
    money.pay(asked[1], answer(asked[1].id, 10, 0))
    money.pay(asked[2], answer(asked[2].id, 0, 0))  # not counted: by its length
    guessed = PRICE.of(-(-(3 * 64 + len("Think.q0 é".encode())) // 3), 1)
    assert money.spent == pytest.approx(0.00021 + 0.00001 + guessed)
    assert money.total_held == 0.0
    assert len(list(Queue(left, money))) == 2


def test_what_was_spent_before_counts() -> None:
    before = Found(prompt_tokens=1000, completion_tokens=100, uncounted=2, guessed=(50, 70))
    assert Budget(PRICE, 5, 100, before).spent == pytest.approx(0.00105 + 0.0017)
    assert Budget(None, None, 100, before).spent == 0


def play(money: Budget, at_once: int, tokens: Callable[[int], int]) -> tuple[list[int], float]:
    """Ask until no money is left, as a backend does; gives how many were out, and the cost."""
    work = Work(problems(1000), ASKED, set())
    queue, out = Queue(work, money), deque[Request]()
    counts, most, n = [], 0.0, 0
    while True:
        while len(out) < at_once and (request := next(queue, None)) is not None:
            out.append(request)
        counts.append(len(out))
        if not out:
            return counts, most
        gone = out.popleft()
        money.pay(gone, answer(gone.id, 10, tokens(n)))
        most, n = max(most, money.spent), n + 1
        queue.again()


LONGEST = 0.00121  # dollars of an answer of 100 tokens, its prompt included


def test_answers_of_one_length_use_all_of_a_budget_at_full_speed() -> None:
    """They are a tenth as long as they may be; held at their dearest, half went at full speed."""
    limit = 100 * LONGEST
    counts, most = play(Budget(PRICE, limit, 100, Found()), 50, lambda _: 10)
    assert limit - LONGEST < most <= limit
    assert len(counts) > 1000  # answers
    full = [i for i, n in enumerate(counts) if n == 50]
    assert len(full) > 0.6 * len(counts)


@given(
    limit=st.floats(1, 300),
    at_once=st.integers(1, 200),
    seed=st.integers(0, 2**20),
    calm=st.integers(0, 300),
    low=st.integers(0, 100),
)
def test_however_answers_grow_a_tenth_more_is_the_end(
    limit: float, at_once: int, seed: int, calm: int, low: int
) -> None:
    """Short at first, so that the mean deceives; then as long as they may be, or of any length."""
    rng = random.Random(seed)
    money = Budget(PRICE, limit * LONGEST, 100, Found())
    _, most = play(money, at_once, lambda n: 1 if n < calm else rng.randint(low, 100))
    assert most <= (1 + OVER) * limit * LONGEST + 1e-12


def test_before_a_mean_is_known_all_count_at_their_dearest() -> None:
    left = Work(problems(100), ASKED, set())
    fresh = Budget(PRICE, 10.5 * LONGEST, 100, Found())
    assert len(list(Queue(left, fresh))) == 10
    known = Found({str(i) for i in range(LEAST)}, prompt_tokens=0, completion_tokens=LEAST)
    told = Budget(PRICE, 10.5 * LONGEST, 100, known)
    assert len(list(Queue(Work(problems(100), ASKED, set()), told))) == 11  # a tenth more
    few = Found({str(i) for i in range(LEAST - 1)}, completion_tokens=LEAST)
    assert len(list(Queue(Work(problems(100), ASKED, set()), Budget(PRICE, 0.0127, 100, few)))) < 11
