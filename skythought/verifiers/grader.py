"""What `score --ray` runs on the nodes of a cluster: jobs in, verdicts out.

A grader has a worker process (`pool`), so a row that kills it or hangs costs one verdict there too.
"""

from __future__ import annotations

from collections.abc import Sequence

from skythought.core.crew import Report, Turn
from skythought.core.errors import UserError
from skythought.core.records import Verdict
from skythought.verifiers import Job
from skythought.verifiers.pool import CHUNK, Pool

ROOM = 2 * CHUNK  # jobs at a grader at once


class Grader:
    """Grades on a node. Mistakes of the user are given back as text, not raised."""

    def __init__(self) -> None:
        self.pool = Pool(1)

    def start(self) -> Report:
        """Say that it is ready."""
        return Report(room=ROOM)

    def turn(self, jobs: Sequence[Job]) -> Turn:
        """Grade some jobs."""
        verdicts: list[Verdict] = []
        try:
            verdicts.extend(self.pool.grade(jobs))
        except UserError as error:
            return Turn(verdicts, str(error))
        return Turn(verdicts)
