"""Logs that Inspect (inspect_ai) reads and shows: its JSON format, version 2, written as data.

The format is that of `inspect_ai.log.EvalLog`; no part of inspect_ai is needed to write it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from skythought.core.records import Problem, Trace, Verdict

VALUES = {"correct": "C", "incorrect": "I", "no_answer": "N"}  # of Inspect's scores


class Graded(NamedTuple):
    """An answer with its problem and its verdict."""

    problem: Problem
    trace: Trace
    verdict: Verdict


def log(
    rows: Sequence[Graded], *, task: str, model: str, created: str, manifest: Mapping[str, Any]
) -> dict[str, Any]:
    """Give the log of a run.

    Args:
        rows: its graded answers; those that failed become samples with an error.
        task: name of the task.
        model: name of the model.
        created: time, as ISO 8601 with an offset.
        manifest: what was run, kept as metadata.
    """
    right = [row.verdict.outcome == "correct" for row in rows if row.verdict.outcome != "error"]
    epochs = 1 + max((row.trace.sample for row in rows), default=0)
    verifier = rows[0].verdict.verifier.partition("@")[0] if rows else "none"
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "created": created,
            "task": task,
            "dataset": {"name": task, "samples": len({row.problem.id for row in rows})},
            "model": model,
            "config": {"epochs": epochs},
            "metadata": dict(manifest),
        },
        "plan": {"name": "skythought", "steps": []},
        "results": {
            "total_samples": len(rows),
            "completed_samples": len(right),
            "scores": [
                {
                    "name": verifier,
                    "scorer": verifier,
                    "metrics": {
                        "accuracy": {
                            "name": "accuracy",
                            "value": sum(right) / len(right) if right else 0.0,
                        }
                    },
                }
            ],
        },
        "samples": [_sample(row, model, verifier) for row in rows],
    }


def _sample(row: Graded, model: str, verifier: str) -> dict[str, Any]:
    problem, trace, verdict = row
    said = {"role": "assistant", "content": _content(trace), "source": "generate", "model": model}
    usage = {
        "input_tokens": trace.prompt_tokens,
        "output_tokens": trace.completion_tokens,
        "total_tokens": trace.prompt_tokens + trace.completion_tokens,
    }
    stop = "max_tokens" if trace.finish == "length" else "stop"
    made: dict[str, Any] = {
        "id": problem.id,
        "epoch": trace.sample + 1,
        "input": problem.question,
        "target": problem.answer,
        "messages": [*_turns(trace), said],
        "output": {
            "model": model,
            "choices": [{"message": said, "stop_reason": stop}],
            "usage": usage,
        },
        "metadata": {"trace_id": trace.id, "task": problem.task},
    }
    if verdict.outcome == "error":
        message = trace.error or verdict.reason
        made["error"] = {"message": message, "traceback": "", "traceback_ansi": ""}
    else:
        made["scores"] = {
            verifier: {
                "value": VALUES[verdict.outcome],
                "answer": verdict.extracted,
                "explanation": verdict.reason,
            }
        }
    return made


def _turns(trace: Trace) -> Iterable[dict[str, Any]]:
    for turn in trace.messages:
        yield {"role": turn.role, "content": turn.content}


def _content(trace: Trace) -> str | list[dict[str, Any]]:
    if not trace.thought:
        return trace.answer
    return [
        {"type": "reasoning", "reasoning": trace.thought},
        {"type": "text", "text": trace.answer},
    ]
