r"""The role of a step: what it does in the thought, by the words it begins with and its place.

    Okay, so Tom buys a bedroom set for $3000. He ...         restate      R
    First, I need to find how much is left to pay.            plan         P
    3000 - 1000 = 2000, and 10 % of that is 200.              compute      C
    Let me check: 200 is 0.1 of 2000. Yes, that is right.     verify       V
    Wait, maybe the 10 % are of the old price.                backtrack    B
    Alternatively, as a fraction: 2000 / 10.                  alternative  A
    Therefore, the answer is \boxed{200}.                     conclude     F

`RULES` is all there is: the first row that holds gives the role, and where none does the step is
one of work (compute). The cues were derived from steps of all teachers; how often they agree with
a reader is measured in docs/analyze.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

Role = Literal["restate", "plan", "compute", "verify", "backtrack", "alternative", "conclude"]

LETTERS: dict[Role, str] = {
    "restate": "R",
    "plan": "P",
    "compute": "C",
    "verify": "V",
    "backtrack": "B",
    "alternative": "A",
    "conclude": "F",
}

HEAD = 160  # characters at the beginning of a step in which a cue counts as an opening
TAIL = 120  # at its end
SHORT = 320  # characters: a plan or a conclusion with more holds work too
RESTATED = 0.5  # share of a step's runs of words that are the question's, in any step
RESTATED_FIRST = 0.35  # share of the first steps' words that are the question's
RUN = 4  # words
FIRST = 2  # steps that may set out the problem in words of their own

WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?", re.ASCII)
# Words that open a step and say nothing of what it does.
FILLER = re.compile(
    r"(?:(?:okay|ok|alright|all right|right|well|so|and|hmm|hm|mmm|now|oh|yes|yeah|yep|also|then"
    r"|let's see|let me see(?: here)?|let me think)\b[\s,.!?…—-]*){0,4}"
)
WAIT = r"(?:(?:but|wait|hmm|hm|hold on|no|a second|a minute|actually|just)\b[\s,.!?…—-]*){0,5}"
CHECK = (
    r"(?:double[- ]?check|check|verify|verifying|confirm|re-?check|re-?verify|make sure|be sure"
    r"|test|sanity check|cross-check|validate|retrace|re-?examine|re-?calculate|go through)"
)
SURE = r"(?:absolutely |100 ?% |extra |completely |really )?(?:sure|certain|thorough|safe|careful)"
WAY = r"(?:way|approach|method|possibility|thought|idea|angle|perspective|interpretation|check)"
NUMBER = r"[-−]?\$?\\?\(?\$?\d"

CONCLUDE = re.compile(
    r"[*#\s]*final answer"
    r"|(?:so|therefore|thus|hence)?[\s,]*(?:i (?:think|believe|am confident|can conclude)"
    r"|i'm (?:confident|sure|certain)|i feel confident)[^.\n]{0,40}\banswer\b"
    r"|(?:so|therefore|thus|hence)[\s,:]*(?:the|my|our)? ?(?:final |correct )?answer\b"
)
ANSWER_IS = re.compile(
    r"\b(?:the|my|our) (?:final |correct )?answer(?: to [^.\n]{1,60})?"
    r" (?:is|should be|would be|must be|has to be|remains)\b|\\boxed\{"
    r"|\b(?:i'm|i am|i feel) (?:pretty |quite |now )?confident (?:now )?that\b"
    r"|\bfinal answer is\b",
)
THEREFORE = re.compile(r"(?:so|therefore|thus|hence|in conclusion|finally|overall)\b")
VERIFY = re.compile(
    rf"{WAIT}(?:(?:let me|let's|let us|i'll|i should|i want to|i need to|we can|we should|i can)"
    rf"(?: just| also| quickly| now| still| try to| simply)*|to|just to|but to|by|another|as a"
    rf"|just)\s+(?:(?:just|be|absolutely|quickly|also|re-?)\s+)*(?:{CHECK}|{SURE})\b"
    rf"|{WAIT}let me (?:just )?(?:think|look|read|go (?:over|through|back))[^.\n]{{0,30}}\bagain"
    rf"|{WAIT}(?:is (?:that|this|it)|does (?:that|this|it)) (?:correct|right|make sense|work)"
    rf"|{WAIT}(?:checking|verification|verifying|check|sanity check|testing)\b"
)
GOOD = (
    r"(?:right|correct|solid|consistent|straightforward|reasonable|fine|good|it|all|accurate|clear)"
)
SATISFIED = re.compile(
    rf"{WAIT}(?:i think )?(?:that|this|it|everything|all)(?:'s| is| does| all)?(?: also)?"
    rf" (?:(?:seems?|looks?)(?: (?:all|pretty|very|quite|to be))* {GOOD}|{GOOD}|makes? sense"
    rf"|checks? out|adds? up|matches|works)\b"
    rf"|{WAIT}(?:there'?s? (?:is |are )?no|i (?:don't|can't|do not) (?:see|think there))"
    rf"|{WAIT}same (?:result|answer|as)|(?:correct|exactly)[.,!]"
)
# A step that ends so has looked at a result it had.
CONFIRMED = re.compile(
    r"(?<!if that )(?<!if this )(?<!if it )\b(?:checks? out|makes sense|that works|works out"
    r"|(?:seems|is|are|looks|be|that's|it's|definitely|still) (?:all )?(?:correct|right|solid"
    r"|consistent)|same (?:result|answer|thing)|(?:which )?matches|adds up"
    r"|no (?:mistakes?|errors?))\b"
)
ALTERNATIVE = re.compile(
    rf"{WAIT}(?:alternatively|instead|on the other hand)\b"
    rf"|{WAIT}(?:maybe |perhaps |let me |let's |is there |think if there's |think of )*"
    rf"(?:(?:try|use|consider|there's|there is) )?(?:another|a different|some other) {WAY}\b"
    rf"|{WAIT}[^.\n]{{0,50}}\b(?:is there|if there's|there's) another {WAY}\b"
)
BACKTRACK = re.compile(
    r"(?:but )?(?:wait|hold on|no\b[,.]|oops|scratch that|actually\b|on second thought|hmm,? but)"
    r"|(?:that|this|it)(?:'s| is| does| can)?(?:n't| not)"
    r" (?:right|correct|make sense|work|possible)"
    r"|(?:i|we) (?:think i |must have |may have )?(?:made|have made) (?:a mistake|an error)"
    r"|this (?:is|seems|leads to) (?:wrong|incorrect|a contradiction|confusing|conflicting)"
)
READ = re.compile(
    rf"{WAIT}(?:the )?(?:original )?(?:problem|question|prompt|user)"
    r" (?:says|states|said|asks|asked|is asking|mentions|wants|here)\b"
    r"|(?:they|the user) (?:want|ask)|we (?:have|are given) (?:a|an|this|the) (?:problem|question)"
    r"|we need to (?:produce|implement|write|generate|create|output)"
    r"|(?:i have|i've got|there's|here's|we have|we're) (?:this|a) "
)
PLAN = re.compile(
    r"(?:first(?:ly)?|next|then|finally|second(?:ly)?|lastly|starting)?[\s,]*(?:(?:i|we) "
    r"(?:guess |think )?(?:will|need to|should|have to|can|could|must|want to|also need to)"
    r"|i'll|we'll|i'd|let me|let's|let us"
    r"|to [^.\n]{1,60}, (?:i|we) (?:need|will|can|have|should))\b"
    r"|so,? (?:for each|the key|the plan|to (?:find|get|solve|do))"
    r"|(?:the )?(?:plan|steps|approach)\b"
    r"|(?:add|provide|produce|return|write|make sure|ensure|output|implementation|use)\b"
)
# Says what is done next and ends there: "Now, solving for k:"
HEADING = re.compile(
    r"(?:now,? |next,? |then,? |first,? |so,? )*(?:let me |let's |we (?:can )?)?"
    r"(?:\w+ly )?(?:\w+ing|add|subtract|multiply|divide|compute|calculate|solve|simplify|plug|"
    r"substitute|expand|factor|combine|consider|square|set|take|use|find|bring|rearrange|convert)\b"
)
NEXT = re.compile(
    r"(?:^|[.!?,]\s|\n)(?:so,? |now,? )?(?:let me|let's|i'll|i need to)[^.:\n]{0,80}[.:]$"
)
# A result: then the step does what it says.
RESULT = re.compile(
    rf"=\s*{NUMBER}|\b(?:is|are|equals?|gives?(?: me| us)?|get|makes?|be|totals?|totaling"
    rf"|results? in|amounts? to|resulting in|which is)\s+"
    rf"(?:about |approximately |exactly |just )?{NUMBER}"
)


class View(NamedTuple):
    """What the rules look at."""

    head: str  # how the step begins, lower case, without fillers
    opening: str  # the same with them
    tail: str  # how it ends
    text: str  # all of it, lower case
    number: int  # of the step, from 0
    last: bool
    asked: float  # share of its runs of words that the question has
    words: float  # share of its words that the question has


class Rule(NamedTuple):
    """A role and when a step has it."""

    role: Role
    why: str
    holds: Callable[[View], bool]


def _short(view: View) -> bool:
    return len(view.text) <= SHORT


def _works(view: View) -> bool:
    """Say whether the step holds a result."""
    return RESULT.search(view.text[: 4 * SHORT]) is not None


RULES: tuple[Rule, ...] = (
    Rule("conclude", "opens with the answer", lambda v: bool(CONCLUDE.match(v.head))),
    Rule("conclude", "short and says the answer", lambda v: bool(
        _short(v) and ANSWER_IS.search(v.text) and not _reflects(v))),
    Rule("conclude", "the last step, drawn from the others", lambda v: bool(
        v.last and v.number and _short(v) and THEREFORE.match(v.opening))),
    Rule("conclude", "a result in the question's words", lambda v: bool(
        v.number and _short(v) and THEREFORE.match(v.opening) and v.words >= RESTATED
        and _works(v) and not PLAN.match(v.head) and "=" not in v.text)),
    Rule("verify", "opens as a check", lambda v: bool(VERIFY.match(v.head))),
    Rule("verify", "opens satisfied", lambda v: bool(SATISFIED.match(v.head))),
    Rule("restate", "quotes the question", lambda v: v.asked >= RESTATED),
    Rule("verify", "another way, to check", lambda v: bool(
        ALTERNATIVE.match(v.head) and re.search(rf"\b{CHECK}\b", v.head))),
    Rule("alternative", "opens as another way", lambda v: bool(ALTERNATIVE.match(v.head))),
    Rule("backtrack", "opens by taking back", lambda v: bool(BACKTRACK.match(v.head))),
    Rule("restate", "one of the first, in the question's words", lambda v: bool(
        v.number < FIRST and v.words >= RESTATED_FIRST and not v.head.startswith("first, i")
        and (v.number == 0 or not (_works(v) or PLAN.match(v.head))))),
    Rule("restate", "says what is asked", lambda v: bool(READ.match(v.head))),
    Rule("verify", "ends confirmed", lambda v: bool(CONFIRMED.search(v.tail))),
    Rule("plan", "says what to do, without a result", lambda v: bool(
        PLAN.match(v.head) and not _works(v))),
    Rule("plan", "ends with what is done next", lambda v: bool(
        v.text.endswith((":", ".")) and not _works(v) and NEXT.search(v.tail))),
    Rule("plan", "announces the next step", lambda v: bool(
        v.text.endswith(":") and HEADING.match(v.head) and not _works(v))),
)  # fmt: skip


def _reflects(view: View) -> bool:
    """Say whether the step opens as a check, another way or a doubt."""
    return any(cue.match(view.head) for cue in (VERIFY, ALTERNATIVE, BACKTRACK))


class Question:
    """The words of a question, to see how much of a step is taken from it."""

    def __init__(self, text: str) -> None:
        words = WORD.findall(text.lower())
        self._words = frozenset(words)
        self._runs = frozenset(zip(*(words[i:] for i in range(RUN)), strict=False))

    def shares(self, text: str) -> tuple[float, float]:
        """Give the shares of a text's runs of words and of its words that the question has."""
        words = WORD.findall(text)
        runs = zip(*(words[i:] for i in range(RUN)), strict=False)
        n_runs = len(words) - RUN + 1
        asked = sum(map(self._runs.__contains__, runs)) / n_runs if n_runs > 0 else 0.0
        return asked, sum(map(self._words.__contains__, words)) / max(1, len(words))


def name(text: str, question: Question, number: int, n_steps: int) -> Role:
    """Name the role of step `number` (from 0) of `n_steps`."""
    return explain(text, question, number, n_steps)[0]


def explain(text: str, question: Question, number: int, n_steps: int) -> tuple[Role, str]:
    """Name the role of a step and the rule that gave it."""
    lower = text.lower().replace("’", "'")
    start = FILLER.match(lower)
    at = start.end() if start else 0
    view = View(
        head=lower[at : at + HEAD],
        opening=lower[:HEAD],
        tail=lower[-TAIL:],
        text=lower,
        number=number,
        last=number + 1 == n_steps,
        **dict(zip(("asked", "words"), question.shares(lower), strict=True)),
    )
    return next(((r.role, r.why) for r in RULES if r.holds(view)), ("compute", "no rule holds"))


def letters(roles: Sequence[Role]) -> str:
    """Write roles as one letter each."""
    return "".join(LETTERS[role] for role in roles)
