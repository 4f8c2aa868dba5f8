"""Says whether a text claims a formula, or asks, supposes, denies or refutes it.

    stated("If 3*4 = 13, then", 3, 11)            -> False
    stated("That gives 2 = 3, a contradiction.", 11, 16) -> False
    stated("If he eats two, 5 - 2 = 3 are left.", 16, 25) -> True: said of a case, and true or not

What is refuted in a later sentence was claimed first.
"""

from __future__ import annotations

import re

REACH = 120  # characters before and behind that are looked at
CLAUSE = re.compile(r"[.!?](?=\s|$)|[,;:。\n(]|\bthen\b")
ENDED = re.compile(r"[.!?,;:](?=\s|$|\W)|\n")
# In the clause before: what follows is not claimed.
SUPPOSED = re.compile(
    r"\b(?:if|suppose|supposing|assum(?:e|es|ing)|unless|whether|imagine|hypothetically"
    r"|would (?:mean|imply|give)|not|never|isn't|doesn't|wouldn't|instead of"
    r"|rather than|misread\w*|mistak\w+|thought|claim\w*|should (?:be|equal)|trying"
    r"|solve|testing?|verify that|inequality|condition|or if|equality|to be equal)\b[^\n]{0,70}$"
    r"|\b(?:maybe|perhaps|possibly|recogni[sz]e that)\b.{0,12}$",
    re.IGNORECASE,
)
# Right behind: it is taken back.
REFUTED = re.compile(
    r"[\s$)\\\]*]*(?:(?:[.,;:—-]|and|but|wait|→|=>|\\\)|\\\])\s*){0,4}"
    r"(?:(?:which|that|this|it)(?: \w+)? ?)?"
    r"(?:(?:is|are|'s|’s|was|would be) )?(?:a |clearly |obviously |again )?"
    r"(?:not (?:true|correct|valid|possible|right|zero)|contradict\w*|impossible"
    r"|false\b|incorrect|wrong\b|invalid|doesn't (?:hold|work|match)|does not (?:hold|work|match)"
    r"|isn't (?:true|right|correct|possible)|cannot be|can't be|✗|✘|❌)",
    re.IGNORECASE,
)
REFUTED_LATER = re.compile(
    r"[^.!?\n]{0,80}\b(?:which|that|this) (?:is|can't be|cannot be|isn't) (?:clearly |obviously )?"
    r"(?:not (?:true|possible|correct|valid)|impossible|false|wrong|incorrect|a contradiction)",
    re.IGNORECASE,
)
# Behind the chain that it is in.
REFUTED_CHAIN = re.compile(
    r"(?:\s*[=≈][^.!?\n]{1,40})?(?:\.\d+)?[\s$)]*[.,;:]\s*"
    r"(?:impossible|contradiction|not possible|not equal|no\.|which is (?:false|impossible))",
    re.IGNORECASE,
)
# In the line above: what follows is an equation that is being solved.
SOLVING = re.compile(
    r"both sides|equal|\b(?:need|equat|would\b|require|if\b|set\b|substitut|plug)"
    r"|\b(?:multiply|divide) by",
    re.IGNORECASE,
)
# A line that announces the next one.
ABOVE = re.compile(r"([^\n.!?]{0,100}):\s*\n\s*(?:\\[(\[]|\$\$?)?\s*$")


def stated(text: str, start: int, end: int) -> bool:
    """Say whether what stands at a place of a text is claimed there."""
    behind = text[end : end + REACH]
    if asked(behind) or any(r.match(behind) for r in (REFUTED, REFUTED_LATER, REFUTED_CHAIN)):
        return False
    before = text[max(0, start - REACH) : start]
    clause = CLAUSE.split(before)[-1]
    if not clause.strip(" $\\([") and (above := ABOVE.search(before)):
        clause = CLAUSE.split(above[1])[-1]
        if SOLVING.search(above[1]):
            return False
    return not SUPPOSED.search(clause)


def asked(behind: str) -> bool:
    """Say whether a question mark ends what stands before."""
    ended = ENDED.search(behind)
    return ended is not None and ended[0] == "?"


def tested(behind: str) -> bool:
    """Say whether a comparison is only written to be tested: 1 + 2 > 3: no."""
    return bool(re.match(r"[\s$)\\]*(?::|→|=>)", behind))
