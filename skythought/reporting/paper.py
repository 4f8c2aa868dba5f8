"""The published ablation table, as data: what a study is compared with. Nothing here was measured.

    change("deleted_67")  -> -12.8     change in points against correct traces, as published
    agreement(-12.8, low=-40.1, high=-31.0)  -> "reproduced", by `RULE`
    judgeable(lift_low=40.2, max_steps=-1)  -> True, by `RULE` too

Source: Li et al. 2025, arXiv 2502.07374. The student is Qwen2.5-32B-Instruct, the demonstrations
about 4,600 correct traces of QwQ-32B-Preview; values are accuracies in percent. `average` is over
MATH-500 (500 problems), AIME24 (30), AMC23 (40) and OlympiadBench, one answer per problem.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

SOURCE = "Li et al. 2025, arXiv 2502.07374"
URL = "https://arxiv.org/abs/2502.07374"
LABEL = "published, not measured here"

Agreement = Literal["reproduced", "not reproduced", "undecided"]


class Row(NamedTuple):
    """One row of the published table, accuracies in percent."""

    math500: float
    aime24: float
    amc23: float
    olympiad: float
    average: float
    change: float | None  # of the average, against correct traces; None where none is published


# The published average of the untrained model (56.7) is not the mean of its four columns (54.2);
# that of every other row is. So no change is given for it, and none is computed.
ROWS = {
    "base": Row(84.8, 16.7, 67.5, 47.6, 56.7, None),
    "correct": Row(89.2, 40.0, 77.5, 58.5, 66.3, 0.0),
    "wrong_answers": Row(88.6, 30.0, 77.5, 56.1, 63.1, -3.2),
    "digits_20": Row(88.4, 30.0, 82.5, 57.2, 64.5, -1.8),
    "digits_50": Row(87.6, 36.7, 77.5, 55.0, 64.2, -2.1),
    "digits_70": Row(85.6, 30.0, 77.5, 54.8, 62.0, -4.3),
    "digits_100": Row(5.4, 0.0, 2.5, 2.8, 2.7, -63.6),
    "keywords_20": Row(87.2, 33.3, 72.5, 56.1, 62.3, -4.0),
    "keywords_50": Row(87.6, 36.7, 82.5, 56.7, 65.9, -0.4),
    "keywords_100": Row(86.6, 33.3, 77.5, 54.4, 63.0, -3.3),
    "shuffled_33": Row(85.6, 33.3, 75.0, 55.3, 62.3, -4.0),
    "shuffled_67": Row(82.0, 26.7, 72.5, 47.6, 57.2, -9.1),
    "shuffled_100": Row(81.8, 23.3, 70.0, 49.1, 56.1, -10.2),
    "deleted_33": Row(88.2, 23.3, 80.0, 57.7, 62.3, -4.0),
    "deleted_67": Row(84.2, 26.7, 55.0, 48.1, 53.5, -12.8),
    "deleted_100": Row(79.2, 13.3, 60.0, 45.4, 49.5, -16.8),
    "inserted_33": Row(86.6, 33.3, 77.5, 57.2, 63.7, -2.6),
    "inserted_67": Row(81.8, 20.0, 60.0, 46.0, 52.0, -14.3),
    "inserted_100": Row(77.0, 10.0, 50.0, 41.1, 44.5, -21.8),
}

# Published losses fall into two groups, 0.4 to 4.3 points and 9.1 to 63.6; one boundary between
# them, the same for every row, decides whether a measured loss belongs to the published group.
BOUNDARY = 7.0

# What training on correct traces must lift for certain, in points, before what perturbing them
# costs can be judged: about the paper's own lift, and more than the boundary. A student that has
# learnt nothing loses nothing, whatever it is trained on.
MIN_LIFT = 10.0

RULE = (
    f"Published losses fall into two groups: 0.4 to 4.3 points, and 9.1 points or more. The "
    f"boundary between them is set at {BOUNDARY:g} points, the same for every row. A row is "
    "reproduced if the whole 95 % interval of its measured change lies on the side of the boundary "
    "where the published change lies, not reproduced if the whole interval lies on the other side, "
    "and undecided if the interval holds the boundary. No row has a verdict unless the study "
    "trained to its end and the 95 % interval of what training on correct traces (LoRA) lifted "
    f"lies above {MIN_LIFT:g} points: a student that has learnt nothing has nothing to lose."
)

CAVEAT = (
    f"Published values ({SOURCE}; {LABEL}) are averages over four benchmarks of a model of 32 "
    "billion parameters, which solved more than half of the problems before training. The student "
    "here is far smaller and starts from less, so compare directions and the order of rows, not "
    "sizes."
)


def change(arm: str) -> float | None:
    """Give the published change of an arm against correct traces, in points; None without one."""
    row = ROWS.get(arm)
    return None if row is None or arm == "correct" else row.change


def judgeable(lift_low: float | None, max_steps: object) -> bool:
    """Say whether a study can have verdicts.

    Args:
        lift_low: lower end of the interval of what training on correct traces lifted, in points;
            None where it was not measured.
        max_steps: the study's setting; above 0 where training was stopped early.
    """
    stopped = isinstance(max_steps, int) and max_steps > 0
    return not stopped and lift_low is not None and lift_low > MIN_LIFT


def agreement(published: float, low: float, high: float) -> Agreement:
    """Apply `RULE` to a published change and the interval of the measured one, all in points."""
    if low > -BOUNDARY:
        side = "small"
    elif high < -BOUNDARY:
        side = "large"
    else:
        return "undecided"
    return (
        "reproduced"
        if side == ("large" if published < -BOUNDARY else "small")
        else ("not reproduced")
    )
