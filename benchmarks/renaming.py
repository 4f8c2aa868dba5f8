"""Make near-copies of problems: other numbers, names, units, letters and words, by a seed.

    rename("Tim has 3 trees and walks 2 miles.", random.Random(0), Strength(1, 1, 1))
    -> "Olga has 8 trees and walks 5 hours."

For `contamination.py` and `curate_scale.py`. A word that occurs twice is renamed alike. Names are
words with a capital that nowhere in the text are written small and do not begin a sentence, or are
followed by 's, or are among the names known; commands of LaTeX and drawings stay as they are.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple

NAMES = (
    *("Olga", "Kwame", "Priya", "Mateo", "Yuki", "Ingrid", "Tariq", "Zofia", "Dmitri", "Amara"),
    *("Lukas", "Noor", "Elif", "Bruno", "Hana", "Rafael", "Sigrid", "Omar", "Chloe", "Pavel"),
    *("Nadia", "Felix", "Imani", "Viktor", "Lena", "Arjun", "Marta", "Kenji", "Aisha", "Gustav"),
)
UNITS = (
    ("dollars", "euros", "pesos", "rupees"),
    ("miles", "kilometers", "meters", "yards", "feet", "inches"),
    ("hours", "minutes", "days", "weeks", "months", "years"),
    ("pounds", "kilograms", "ounces", "grams"),
    ("gallons", "liters", "quarts", "pints"),
)
FILLERS = ("also", "then", "simply", "exactly", "now", "such", "very", "overall", "just")
TOKEN = re.compile(r"\\[A-Za-z]+|[A-Za-z]+|\d+(?:,\d{3})*(?:\.\d+)?|.", re.DOTALL)
SENTENCE = re.compile(r"(?:^|[.?!:\n]\s*)$")


class Strength(NamedTuple):
    """How much is changed."""

    numbers: float = 0.0  # share of the different numbers that become others
    names: float = 0.0
    units: float = 0.0
    letters: float = 0.0  # of the single letters in formulas
    words: float = 0.0  # of the other words that are replaced by fillers or left out


STRENGTHS = {
    "none": Strength(),
    "half of the numbers": Strength(0.5),
    "numbers": Strength(1),
    "numbers, names": Strength(1, 1),
    "numbers, names, units": Strength(1, 1, 1),
    "numbers, names, units, letters": Strength(1, 1, 1, 1),
    "the same, 10 % of the words": Strength(1, 1, 1, 1, 0.1),
    "the same, 20 % of the words": Strength(1, 1, 1, 1, 0.2),
}


def names_in(text: str) -> set[str]:
    """Find the names of people and places in a text."""
    small = set(re.findall(r"\b[a-z]+\b", text))
    found = set(re.findall(r"\b[A-Z][a-z]+(?=['\u2019]s\b)", text))
    for match in re.finditer(r"\b[A-Z][a-z]{2,}\b", text):
        if match[0].lower() not in small and not SENTENCE.search(text[: match.start()][-8:]):
            found.add(match[0])
    return found


def number(old: str, rng: random.Random) -> str:
    """Draw another number of the same kind and about the same size."""
    if "." in old:
        whole, _, part = old.replace(",", "").rpartition(".")
        return f"{int(whole) + rng.randint(1, 9)}.{rng.randint(1, 10 ** min(len(part), 6) - 1)}"
    if len(old) > 15:
        return old[::-1].lstrip("0,") or "7"
    value = int(old.replace(",", ""))
    new = rng.randint(max(2, value // 2), value * 2 + 9)
    return f"{new + (new == value):,}" if "," in old else str(new + (new == value))


def rename(text: str, rng: random.Random, strength: Strength) -> str:
    """Make a near-copy of a text."""
    names = names_in(text) if strength.names else set()
    groups = {unit: group for group in UNITS for unit in group}
    groups |= {unit.removesuffix("s"): group for unit, group in groups.items()}
    done: dict[str, str] = {}
    free = rng.sample(NAMES, len(NAMES))
    parts: list[str] = []
    drawing = False
    for token in TOKEN.findall(text.replace("[asy]", "\0").replace("[/asy]", "\1")):
        drawing = token == "\0" or (drawing and token != "\1")
        if token in done:
            parts.append(done[token])
            continue
        new = token
        if drawing or token[0] == "\\":
            pass
        elif token[0].isdecimal():
            new = number(token, rng) if rng.random() < strength.numbers else token
        elif token in names:
            new = free.pop() if free and rng.random() < strength.names else token
        elif token.lower() in groups:
            group = groups[token.lower()]
            if rng.random() < strength.units:
                other = rng.choice([unit for unit in group if unit[:4] != token.lower()[:4]])
                new = other if token.endswith("s") else other.removesuffix("s")
        elif len(token) == 1 and token.isalpha() and token not in "aAIs":
            if rng.random() < strength.letters:
                base = "a" if token.islower() else "A"
                new = chr((ord(token) - ord(base) + 3) % 26 + ord(base))
        elif len(token) > 2 and token.isalpha():
            if rng.random() < strength.words:
                parts.append(rng.choice([*FILLERS, ""]))
            else:
                parts.append(token)
            continue
        if token[0].isalnum():
            done[token] = new
        parts.append(new)
    return "".join(parts).replace("\0", "[asy]").replace("\1", "[/asy]")
