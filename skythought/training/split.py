r"""The loss by what a token is for: how a thought is built, apart from what it says.

    <|begin_of_thought|>        format    neither of the two
    \n\n
    Okay                        opening   structural
    , the sum is                rest      content
    3 plus 4                    maths     content
    \n\n                        break     structural
    Wait                        opening   structural
    , that is
    so                          word      structural
    ...

An opening is the first word of a step, or the signs it begins with; a break is what stands between
two steps; a word is one of `steps.KEYWORDS` or `steps.CONNECTIVES`. Digits, formulas, operators and
single letters are maths. Format is the tags, what stands beside them, and the model's own special
tokens, such as the one that ends its turn. Digits are never structural. A token that holds
several kinds, as ".\n\n" does in many vocabularies, has the one that comes last in `KINDS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from skythought.core import formats, steps

if TYPE_CHECKING:
    import torch

KINDS = ("none", "rest", "maths", "word", "opening", "break", "format")  # none: without loss
NONE, REST, MATHS, WORD, OPENING, BREAK, FORMAT = range(len(KINDS))
GROUPS = {"structural": (WORD, OPENING, BREAK), "content": (REST, MATHS)}

TAG = re.compile("|".join(map(re.escape, (*formats.TAGS, "<think>", "</think>"))))
FIRST = re.compile(r"[^\w\s]*(?:[^\W\d_]+(?:['’][^\W\d_]+)?)?")
FORMULA = re.compile(
    r"\$\$[^$]{1,4000}\$\$|\\\[(?:[^\\]|\\[^\[\]]){1,4000}+\\\]"
    r"|\$(?!\s)[^$\n]{1,300}(?<!\s)\$(?!\d)|\\\((?:[^\\]|\\[^()]){1,300}+\\\)"
    r"|\\[A-Za-z]+|\d+(?:[.,:]\d+)*"
    r"|(?<!\*)\*(?!\*)|[=+/^<>|{}\\−×÷·≤≥≠≈±√∞π°%$]|(?<=[\d ()])-(?=[\d (])"
    r"|(?<![\w'’])[b-hj-zB-HJ-Z](?![\w'’])"  # x, but not the a of "a road" nor the t of "don't"
)


def of_text(text: str) -> bytearray:
    """Give the kind of every character of a completion as it is rendered."""
    kinds = bytearray([FORMAT]) * len(text)
    start = 0
    for tag in (*TAG.finditer(text), None):
        end = tag.start() if tag else len(text)
        _section(text, start, end, kinds)
        start = tag.end() if tag else end
    return kinds


def _section(text: str, start: int, end: int, kinds: bytearray) -> None:
    """Tell the kinds of a thought or an answer."""
    found = [(start + a, start + b) for a, b in steps.spans(text[start:end])]
    if not found:
        return
    kinds[found[0][0] : found[-1][1]] = bytes([BREAK]) * (found[-1][1] - found[0][0])
    for a, b in found:
        kinds[a:b] = bytes([REST]) * (b - a)
        for pattern, kind in ((steps.DISCOURSE, WORD), (FORMULA, MATHS)):
            for match in pattern.finditer(text, a, b):
                kinds[match.start() : match.end()] = bytes([kind]) * len(match[0])
        item = steps.ITEM.match(text, a, b)
        if first := FIRST.match(text, item.end() if item else a, b):
            kinds[first.start() : first.end()] = bytes([OPENING]) * len(first[0])


def of_tokens(tokenizer: Any, rendered: formats.Rendered) -> list[int] | None:
    """Give the kind of every token of a completion; None where nobody says where tokens lie."""
    if rendered.offsets is None:
        return None
    if not rendered.ids:
        return []
    characters = np.frombuffer(bytes(of_text(rendered.text)) + b"\0", dtype=np.uint8)
    spans = np.asarray(rendered.offsets)
    spans[:, 1] = np.maximum(spans[:, 1], spans[:, 0] + 1)  # a token of no character
    kinds = np.maximum.reduceat(characters, spans.clip(max=len(characters) - 1).ravel())[::2]
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    kinds[[token in special for token in rendered.ids]] = FORMAT
    return [int(kind) for kind in kinds]


class Sums:
    """Adds up losses by kind where the model computes, and is read once a step."""

    def __init__(self, device: Any = "cpu") -> None:
        import torch  # processes that only tokenize need none

        self.sums = torch.zeros(2, len(KINDS), device=device)  # log-probabilities, tokens

    def add(self, log_probs: torch.Tensor, kinds: torch.Tensor) -> None:
        """Add a forward pass; nothing waits for the device.

        Args:
            log_probs: of the tokens that were to be said, of any shape; any value without loss.
            kinds: of the same tokens, integers of the same shape; `NONE` where there is no loss.
        """
        where = kinds.flatten().long()
        said = log_probs.detach().flatten().float()
        self.sums[0].index_add_(0, where, said)
        self.sums[1].index_add_(0, where, said.new_ones(said.shape))

    def take(self, reduce: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, float]:
        """Give the mean loss of every kind and group since the last call, and begin anew.

        Args:
            reduce: adds a tensor up over all processes; all of them call this.

        Returns:
            `loss_<kind>` and `loss_<group>`, in nats per token; those without tokens are left out.
        """
        said, n = reduce(self.sums).tolist()
        self.sums = self.sums.new_zeros(self.sums.shape)
        of = {name: (kind,) for kind, name in enumerate(KINDS) if kind != NONE}
        return {
            f"loss_{name}": -sum(said[kind] for kind in kinds) / total
            for name, kinds in (GROUPS | of).items()
            if (total := sum(n[kind] for kind in kinds))
        }
