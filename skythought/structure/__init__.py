r"""The structure of a thought: its steps, what each does, and measures of the whole.

    thought     Okay, Tom has 3 bags of 12 ... \n\n 3 * 12 = 36. \n\n So the answer is 36.
    read        [Step(role="restate"), Step(role="compute", ...), Step(role="conclude")]
    measure     Measures(steps=3, roles="RCF", answer_step=1, ...)

Nothing here needs a model. All of it takes time in proportion to the length of a trace, whatever
the trace holds. What a trace is read in, is its thought; where it has none, its answer.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Sequence

import msgspec

from skythought.core import steps
from skythought.core.records import Trace
from skythought.structure import consistency, language, loops, reached, roles, statements
from skythought.structure.grounding import Truth, check
from skythought.structure.roles import Role
from skythought.structure.statements import Statement
from skythought.structure.symbols import mentioned

# What counts as a token where nothing better is known: a word, a digit, any other sign.
TOKEN = re.compile(r"[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff]+|\S")

HIGH_FORM = 0.55  # consistency from which a trace counts as well structured: 98 % of real ones
LOW_GROUNDING = 0.8  # grounding below which its statements do not support it
LEAST_CHECKABLE = 5  # statements without which grounding says little of a trace
UNGROUNDED = "ungrounded"

TokenCount = Callable[[str], int]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a thought: `text` is `thought[start:end]`."""

    text: str
    start: int
    end: int
    role: Role
    markers: tuple[str, ...] = ()  # reflection keywords, lower case, in order
    introduces: tuple[str, ...] = ()  # numbers and symbols that neither question nor step had
    uses: tuple[str, ...] = ()  # those that the question or a step before had
    statements: tuple[Statement, ...] = ()  # what it states; their places are in the thought
    truths: tuple[Truth, ...] = ()  # of each statement


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured of a trace, one flat row."""

    id: str
    problem_id: str
    model: str
    steps: int
    tokens: int  # of thought and answer: see `counted_by`
    counted_by: str  # model: the trace says it; tokenizer: one that was given; signs: `TOKEN`
    markers: int  # reflection keywords, those of `steps.KEYWORDS`
    markers_per_1k: float  # per 1,000 tokens
    roles: str  # one letter per step: `roles.LETTERS`
    answer: str  # the final answer that is looked for, "" where there is none
    answer_step: int | None  # first step, from 0, that reaches the final answer
    tokens_after_answer: int | None  # in the steps after that one
    repetition: float  # share of runs of eight words that came before
    loop: bool  # the same block again and again, up to the end
    foreign: float  # share of letters in scripts that the question has none of
    truncated: bool  # cut off by a limit of tokens
    consistency: float | None  # expected share of steps that follow, 0 to 1; null without steps
    likelihood: float | None = None  # the same of a language model, where one is asked
    checkable: int  # statements of which the truth is known
    holding: int  # those of them that hold
    grounding: float | None  # share that holds, 0 to 1; null where nothing is checkable
    flag: str  # ungrounded: high structure with low grounding; "" where there is nothing to say


def text_of(trace: Trace) -> str:
    """Give what of a trace is read: its thought, or its answer where it has none."""
    return trace.thought if trace.thought.strip() else trace.answer


def question_of(trace: Trace) -> str:
    """Give what the user said."""
    return "\n\n".join(turn.content for turn in trace.messages if turn.role == "user")


def count_signs(text: str) -> int:
    """Count words, digits and other signs: near a tokenizer's count for English and formulas."""
    return len(TOKEN.findall(text))


def read(trace: Trace) -> list[Step]:
    """Take a trace apart into its steps."""
    text, question = text_of(trace), question_of(trace)
    spans = steps.spans(text)
    asked = roles.Question(question)
    known = set(mentioned(question))
    stated = deque(statements.find(text))
    found = []
    for number, (start, end) in enumerate(spans):
        step = text[start:end]
        named = dict.fromkeys(mentioned(step))
        own: list[Statement] = []
        while stated and stated[0].start < end:
            own.append(stated.popleft())
        found.append(
            Step(
                text=step,
                start=start,
                end=end,
                role=roles.name(step, asked, number, len(spans)),
                markers=tuple(m[0].lower() for m in steps.KEYWORD.finditer(step)),
                introduces=tuple(name for name in named if name not in known),
                uses=tuple(name for name in named if name in known),
                statements=tuple(own),
                truths=tuple(map(check, own)),
            )
        )
        known.update(named)
    return found


def arrivals(trace: Trace, parts: Sequence[str] | None = None) -> list[int]:
    """Give the steps (from 0) of a trace, or of its `parts`, that reach its final answer."""
    parts = steps.split(text_of(trace)) if parts is None else parts
    return list(reached.arrivals(parts, reached.final(trace.answer), question_of(trace)))


def measure(
    trace: Trace, parts: Sequence[Step] | None = None, count: TokenCount | None = None
) -> Measures:
    """Measure a trace.

    Args:
        trace: what to measure.
        parts: its steps, where they were read already.
        count: counts the tokens of a text; where not given, what the trace says of its tokens
            holds, and where it says nothing, words, digits and signs are counted.
    """
    parts = read(trace) if parts is None else parts
    text, question = text_of(trace), question_of(trace)
    own = count or count_signs
    sizes = [own(part.text) for part in parts]
    # Between steps is white space only, of which no sign is one.
    whole = own(text) if count else sum(sizes)
    counted = whole + own(trace.answer if text is trace.thought else trace.thought)
    known = 0 if count else trace.completion_tokens
    tokens = known or counted
    scale = tokens / counted if counted else 1.0
    markers = sum(len(part.markers) for part in parts)
    truths = Counter(truth for part in parts for truth in part.truths)
    checkable = truths["holds"] + truths["fails"]
    grounding = truths["holds"] / checkable if checkable else None
    after = trace.answer if text is trace.thought else ""
    form = consistency.consistency(question, [part.text for part in parts], after)
    answer = reached.final(trace.answer)
    at = reached.first([part.text for part in parts], answer, question)
    return Measures(
        id=trace.id,
        problem_id=trace.problem_id,
        model=trace.model,
        steps=len(parts),
        tokens=tokens,
        counted_by="model" if known else "tokenizer" if count else "signs",
        markers=markers,
        markers_per_1k=1000 * markers / tokens if tokens else 0.0,
        roles=roles.letters([part.role for part in parts]),
        answer=answer,
        answer_step=at,
        tokens_after_answer=None if at is None else round(scale * sum(sizes[at + 1 :])),
        repetition=loops.repetition(text),
        loop=bool(loops.loop(text)),
        foreign=language.foreign(text, question),
        truncated=trace.finish == "length",
        consistency=form,
        checkable=checkable,
        holding=truths["holds"],
        grounding=grounding,
        flag=flag(form, grounding, checkable),
    )


def flag(form: float | None, grounding: float | None, checkable: int) -> str:
    """Name what is suspicious of a trace: plausible nonsense has form and no ground."""
    if form is None or grounding is None or checkable < LEAST_CHECKABLE:
        return ""
    return UNGROUNDED if form >= HIGH_FORM and grounding < LOW_GROUNDING else ""
