r"""Values of Python as JSON and back, with nothing alive in them.

    Encoder()((1, {2})) -> {"tuple": [1, {"set": [2]}]}
    same([1, 2], [1, 2]) -> True;  same([1, 2], {"tuple": [1, 2]}) -> True, as LiveCodeBench has it

What a program returns crosses the border of the sandbox like this, so no `__eq__` or `__class__` of
its making is ever asked outside. An object that is no plain data becomes a number that stands for
it. Standard library only: used on both sides of the border.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any

SAFE_INT = 1 << 53
DEPTH = 60
ITEMS = 1_000_000  # of one value, all levels together
SEQUENCES: tuple[tuple[type, str], ...] = (
    (tuple, "tuple"),
    (set, "set"),
    (frozenset, "frozenset"),
)


class Encoder:
    """Turn values into what JSON can hold; one encoder counts the items of all it is given."""

    def __init__(self, keep: Callable[[Any], int] | None = None) -> None:
        self.keep = keep
        self.left = ITEMS

    def __call__(self, value: Any, depth: int = 0) -> Any:
        """Encode one value.

        Raises:
            ValueError: it is nested too deeply, too large, or no plain data and not to be kept.
        """
        self.left -= 1
        if depth > DEPTH or self.left < 0:
            raise ValueError("the value is too large or too deeply nested")
        if value is None or value is True or value is False:
            return value
        if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
            value = value.tolist()
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            number = int.__index__(value)
            return number if -SAFE_INT < number < SAFE_INT else {"int": hex(number)}
        if isinstance(value, float):
            real = float.__float__(value)
            return real if math.isfinite(real) else {"float": float.__repr__(real)}
        if isinstance(value, list):
            return [self(part, depth + 1) for part in list.__iter__(value)]
        if isinstance(value, dict):
            pairs = [[self(k, depth + 1), self(v, depth + 1)] for k, v in dict.items(value)]
            return {"dict": pairs}
        for kind, name in SEQUENCES:
            if isinstance(value, kind):
                return {name: [self(part, depth + 1) for part in kind.__iter__(value)]}  # type: ignore[attr-defined]
        return self._rest(value, depth)

    def _rest(self, value: Any, depth: int) -> Any:
        if isinstance(value, complex):
            return {"complex": [self(value.real), self(value.imag)]}
        if isinstance(value, bytes | bytearray):
            return {type(value).__name__: bytes(value).hex()}
        if isinstance(value, Decimal | Fraction) and type(value) in (Decimal, Fraction):
            return {type(value).__name__: str(value)}
        if hasattr(type(value), "__next__") or isinstance(value, range):
            parts = list(islice(value, max(self.left, 0) + 1))
            name = "range" if isinstance(value, range) else "iterator"
            return {name: [self(part, depth + 1) for part in parts]}
        if self.keep is None:
            raise ValueError(f"{type(value).__name__} is no plain data")
        return {"object": self.keep(value)}


class Decoder:
    """Turn what an encoder made into values; `find` gives the object of a number."""

    def __init__(self, find: Callable[[int], Any] | None = None) -> None:
        self.find = find

    def __call__(self, value: Any) -> Any:
        """Decode one value.

        Raises:
            ValueError: no encoder wrote this.
        """
        if isinstance(value, list):
            return [self(part) for part in value]
        if not isinstance(value, dict):
            return value
        if len(value) != 1:
            raise ValueError("not an encoded value")
        ((kind, inner),) = value.items()
        match kind:
            case "int":
                return int(inner, 16)
            case "float":
                return float(inner)
            case "dict":
                return {self(k): self(v) for k, v in inner}
            case "tuple":
                return tuple(self(part) for part in inner)
            case "set":
                return {self(part) for part in inner}
            case "frozenset":
                return frozenset(self(part) for part in inner)
            case "complex":
                return complex(*map(self, inner))
            case "bytes":
                return bytes.fromhex(inner)
            case "bytearray":
                return bytearray.fromhex(inner)
            case "Decimal":
                return Decimal(inner)
            case "Fraction":
                return Fraction(inner)
            case "iterator":
                return iter([self(part) for part in inner])
            case "range":
                numbers = [self(part) for part in inner]
                step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
                return range(numbers[0], numbers[-1] + step, step) if numbers else range(0)
            case "object" if self.find is not None:
                return self.find(inner)
        raise ValueError(f"not an encoded value: {kind!r:.40}")


def same(expected: Any, found: Any) -> bool:
    """Compare JSON data with an encoded value: lists and tuples are alike, 1 and 1.0 and True too.

    The work is bounded by the size of what is expected, whatever was found.
    """
    if isinstance(found, dict):
        if len(found) != 1:
            return False
        ((kind, inner),) = found.items()
        if kind == "tuple" and isinstance(inner, list):
            return same(expected, inner)
        if kind == "dict":
            return isinstance(expected, dict) and _same_items(expected, inner)
        if kind == "int" and isinstance(expected, int) and isinstance(inner, str):
            return hex(expected) == inner
        return False
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(same(a, b) for a, b in zip(expected, found, strict=True))
        )
    if isinstance(found, list | dict) or isinstance(expected, dict):
        return False
    return bool(expected == found)


def _same_items(expected: dict[str, Any], found: Any) -> bool:
    """Compare objects; JSON has text keys only, so 1 and "1" are alike."""
    if not isinstance(found, list) or len(found) != len(expected):
        return False
    items: dict[str, Any] = {}
    for pair in found:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str | int):
            return False
        items[str(pair[0])] = pair[1]
    return items.keys() == expected.keys() and all(same(v, items[k]) for k, v in expected.items())


def show(value: Any, most: int = 60) -> str:
    """Write an encoded value for a reader, shortened; nothing in it is followed very deep."""
    short = reprlib.Repr()
    short.maxlevel, short.maxlist, short.maxstring, short.maxlong = 4, most // 4, most, most
    text = short.repr(value)
    if isinstance(value, dict) and len(value) == 1:
        ((kind, inner),) = value.items()
        text = f"{kind} {inner if isinstance(inner, str) else short.repr(inner)}"
    return text if len(text) <= most else f"{text[:most]}..."
