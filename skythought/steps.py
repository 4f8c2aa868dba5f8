"""The steps of a thought, and the words that mark reflection.

A step is a paragraph: the text between blank lines, as in the paper. The keyword list is ours; the
paper names no list.
"""

from __future__ import annotations

import re

KEYWORDS = (
    "wait",
    "hmm",
    "but",
    "alternatively",
    "however",
    "actually",
    "maybe",
    "perhaps",
    "again",
    "hold on",
    "let me check",
    "let me double-check",
    "let me double check",
    "let me verify",
    "let me see",
    "let me think",
    "let me try",
    "let me reconsider",
    "on second thought",
    "going back",
    "go back",
    "another approach",
    "another way",
    "make sure",
)

KEYWORD = re.compile(
    r"\b(?:" + "|".join(re.escape(k) for k in sorted(KEYWORDS, key=len, reverse=True)) + r")\b",
    re.IGNORECASE,
)


def split(thought: str) -> list[str]:
    """Cut a thought into its steps; empty paragraphs vanish."""
    return [step for step in re.split(r"\n[ \t]*\n\s*", thought.strip("\n")) if step.strip()]


def join(steps: list[str]) -> str:
    """Write steps as a thought."""
    return "\n\n".join(steps)


def count_keywords(text: str) -> int:
    """Count reflection keywords."""
    return len(KEYWORD.findall(text))
