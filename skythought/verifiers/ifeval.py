"""Instructions that a program can check (IFEval, Zhou et al. 2023), by the library if-verifiable.

    {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}   in `Problem.extra`

An answer is correct if it follows all of its instructions, strictly (prompt-level strict accuracy);
the detail names those it does not follow. The thought is never looked at.
"""

from __future__ import annotations

from skythought.core.errors import require
from skythought.core.records import Problem
from skythought.verifiers import Finding, Verifier

PUNKT = "it needs nltk's data; run: python -m nltk.downloader punkt punkt_tab"


def check(problem: Problem, answer: str) -> Finding:
    """Check the instructions of a problem.

    Raises:
        UserError: the library is not installed.
    """
    if not answer.strip():
        return Finding("no_answer", rule="empty")
    library = require("if_verifiable", "ifeval")
    require("langdetect", "ifeval").DetectorFactory.seed = 0  # it would draw at random
    asked = problem.extra.get("instruction_id_list")
    given = problem.extra.get("kwargs")
    if not isinstance(asked, list) or not isinstance(given, list) or len(asked) != len(given):
        return Finding("error", rule="the row has no instructions that go with their settings")
    settings = [{k: v for k, v in (one or {}).items() if v is not None} for one in given]
    sample = library.IFEvalSample(
        key=0, prompt=problem.question, instruction_id_list=asked, kwargs=settings
    )
    try:
        results, _ = library.evaluate_output_for_sample("ifeval", sample, answer)
    except LookupError:
        return Finding("error", rule="instructions cannot be checked", detail=PUNKT)
    if len(results) < len(asked):  # the library passes over what it does not know
        lost = next(name for name in asked if name not in {r.instruction_id for r in results})
        told = f"unknown instruction {lost}"
        return Finding("error", rule="instructions cannot be checked", detail=told)
    failed = [result.instruction_id for result in results if not result.strict_pass]
    detail = f"not followed: {', '.join(failed)}" if failed else f"{len(results)} followed"
    return Finding("incorrect" if failed else "correct", rule="strict", detail=detail)


IFEVAL = Verifier(name="ifeval", version=1, check=check)
