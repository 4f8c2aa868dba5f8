"""Work over a stream in other processes, in order, with bounded memory, and what goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from skythought.core import spread
from skythought.core.errors import UserError

HERE = __name__


def adding(n: int) -> Callable[[int], tuple[int, int]]:
    """Make a function that adds n and says where it ran."""
    return lambda item: (item + n, os.getpid())


def refusing(at: int) -> Callable[[int], int]:
    def work(item: int) -> int:
        if item == at:
            raise UserError(f"row {item}: not this one")
        return item

    return work


def dying(at: int) -> Callable[[int], int]:
    def work(item: int) -> int:
        if item == at:
            os.kill(os.getpid(), 9)
        return item

    return work


def failing() -> Callable[[int], int]:
    def work(item: int) -> int:
        raise RuntimeError("a mistake of ours")

    return work


def printing() -> Callable[[int], int]:
    def work(item: int) -> int:
        print("noise")  # noqa: T201
        return item

    return work


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order(workers: int) -> None:
    with spread.Spread(f"{HERE}:adding", {"n": 5}, workers) as cores:
        results = list(cores.over(range(200)))
    assert [value for value, _ in results] == list(range(5, 205))
    where = {pid for _, pid in results}
    assert (where == {os.getpid()}) == (workers == 1)
    assert len(where) <= workers


def test_the_stream_is_read_as_it_is_worked_on() -> None:
    """Of a long stream only some items are held."""
    read = 0

    def stream() -> Iterator[int]:
        nonlocal read
        while read < 10_000:
            read += 1
            yield read

    with spread.Spread(f"{HERE}:adding", {"n": 0}, 2) as cores:
        for done, _ in enumerate(cores.over(stream())):
            assert read - done <= spread.AHEAD * 2
            if done > 50:
                break


def test_what_a_worker_refuses_is_refused_here() -> None:
    with (
        spread.Spread(f"{HERE}:refusing", {"at": 7}, 2) as cores,
        pytest.raises(UserError, match="row 7: not this one"),
    ):
        list(cores.over(range(20)))


def test_a_worker_that_is_killed_is_told() -> None:
    with (
        spread.Spread(f"{HERE}:dying", {"at": 7}, 2) as cores,
        pytest.raises(UserError, match=r"a worker was killed by signal 9.*fewer --workers"),
    ):
        list(cores.over(range(20)))


def test_a_worker_that_fails_says_why() -> None:
    with (
        spread.Spread(f"{HERE}:failing", {}, 2) as cores,
        pytest.raises(UserError, match="a mistake of ours"),
    ):
        list(cores.over(range(20)))


def test_what_is_printed_is_no_result() -> None:
    with spread.Spread(f"{HERE}:printing", {}, 2) as cores:
        assert list(cores.over(range(5))) == list(range(5))


def test_a_script_without_a_guard_may_use_it() -> None:
    code = (
        "from skythought.core.spread import Spread\n"
        f"with Spread('{HERE}:adding', {{'n': 1}}, 2) as cores:\n"
        "    print([value for value, _ in cores.over(range(3))])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == "[1, 2, 3]\n"
