"""Language mixing: how much of a text is written in another script than the question.

    foreign("答案是 12. So the answer is 12.", question="How many?")  -> 0.17

Counted are letters. Greek ones are left out, since they are symbols in every language. Languages
that share a script are not told apart.
"""

from __future__ import annotations

import re

SCRIPTS = {
    "Latin": "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff",
    "Cyrillic": "\u0400-\u052f",
    "Armenian": "\u0531-\u058f",
    "Hebrew": "\u0590-\u05ff",
    "Arabic": "\u0620-\u064a\u066e-\u06d3\u0750-\u077f",
    "Indic": "\u0900-\u0dff",
    "Thai": "\u0e00-\u0e7f",
    "Hangul": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "Han": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff",
    "Kana": "\u3040-\u30ff",
}
PLAIN = bytes(set(range(128)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
ASCII = re.compile(r"[\x00-\x7f]+")
RUNS = {name: re.compile(f"[{letters}]+") for name, letters in SCRIPTS.items()}
# Japanese is written in both.
TOGETHER = {"Kana": ("Han",)}


def letters(text: str) -> dict[str, int]:
    """Count the letters of each script that a text has."""
    rest = "" if text.isascii() else ASCII.sub("", text)
    counts = {name: sum(map(len, runs.findall(rest))) for name, runs in RUNS.items()}
    counts["Latin"] += len(text.encode("ascii", "ignore").translate(None, PLAIN))
    return {name: n for name, n in counts.items() if n}


def foreign(text: str, question: str) -> float:
    """Give the share of letters in scripts that the question has none of, 0 to 1.

    Where the question has no letters, the script that most of the text is in is taken for its own.
    """
    counts = letters(text)
    if not counts:
        return 0.0
    home = {*letters(question)} or {max(counts, key=lambda name: counts[name])}
    home |= {other for name in home for other in TOGETHER.get(name, ())}
    return sum(n for name, n in counts.items() if name not in home) / sum(counts.values())
