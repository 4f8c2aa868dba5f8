"""The lexical estimator of structural consistency: which steps follow from what came before.

    follows(question, ["Okay, so ...", "First, ...", "So the total is ..."], answer)
    -> [0.83, 0.61, 0.64, 0.72]

One probability for each step, and one for the answer after the last. `consistency` is their mean:
the expected fraction of steps that follow, sum of 1[step_t follows step_{t-1}] over the number of
steps. No model: a logistic regression on some signals with fixed weights (`weights.py`), fitted to
tell the pairs of neighbours of real thoughts from pairs in shuffled, shortened and mixed ones. Fair
odds are assumed: a half means that a pair is as likely one as the other.

| signal | what it compares |
|---|---|
| cohesion | pairs of words or symbols shared with the step before, beyond chance; rare count more |
| novelty | words that were never said before, in the question or since; that never come again |
| distance | how long ago the words were last said |
| flow | share of the question early, of the answer late; the marked answer at the end |
| shape | what kind of paragraph stands after what: a formula after a colon, an item after an item |
| opening | the first word (okay, first, next, so ...), where in the thought, and after what |

Digits are all read as 0 and reflection keywords (`steps.KEYWORDS`) not at all, so that corrupt
digits change nothing (but where `steps.split` cuts lists) and removed keywords next to nothing.
Chance is what two texts of this thought, drawn at random, share. Time is in proportion to the
length.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from skythought.core import steps
from skythought.structure.weights import WEIGHTS

Numbers = defaultdict[tuple[str, str], int]  # of the pairs of words or symbols of a thought

KEYWORD = re.compile(rf"(?:{steps.KEYWORD.pattern})[,.:;!]*[ ]*")  # of a text in small letters
# Words, commands of LaTeX, numbers, single signs; one sign of a script without spaces.
TOKEN = re.compile(
    r"[a-z]++(?![^\W\d_])|[぀-ヿ一-鿿가-힣]|\\?[^\W\d_]+|\d+|[=+\-*/^<>%$()\[\]{}|×·≤≥,.:;!?]"
)
ZEROS = str.maketrans("123456789", "000000000")
ITEM = re.compile(r"[-*•#]|\d{1,4}[.)]")
MARKED = re.compile(r"\\boxed|final answer")
ENDS = {".": ".", ":": ":", ",": ",", "?": "?", "$": "m", "]": "m", ")": "m", "}": "m", "0": "m"}
COMMONEST = """
the a an of to in is are was were be been it its that this these those there then so and or
for on at by as with from if we i you he she they his her their my our your can could would
should will do does did have has had not no just let me s t re ve ll d m now okay ok right
well which what when how than also each per all any one two yes here because since while
where who out up get about into over after before need think know same more most only both
other some such very
"""
STOP = frozenset(COMMONEST.split())
OPENINGS = {
    word: kind
    for kind, words in {
        "begin": "okay alright ok",
        "first": "first firstly start starting",
        "next": "next now then second secondly third after moving",
        "so": "so thus hence",
        "therefore": "therefore",
        "since": "since because given as",
        "let": "let lets suppose assume consider define denote",
        "if": "if when for case",
        "this": "this that which it these those where here",
        "yes": "yes yeah yep right correct no",
        "check": "check verify just double plugging looking",
        "also": "similarly likewise another also similar",
        "finally": "finally answer conclusion",
        "we": "i we my",
        "the": "the",
        "do": (
            "total adding add multiply multiplying subtract subtracting divide dividing simplify "
            "compute computing calculate calculating calculation solve solving factor combine "
            "expand"
        ),
        "item": "* - • #",
        "math": "( [ $ = + \\[ \\(",
    }.items()
    for word in words.split()
}
BEGUN = {"first": "begin"}  # teachers begin with "Okay, so" or with "First": one as well as other


def consistency(question: str, parts: Sequence[str], answer: str = "") -> float | None:
    """Give the expected fraction of steps that follow, 0-1; None where there is no step."""
    found = follows(question, parts, answer)
    return sum(found) / len(found) if found else None


def follows(question: str, parts: Sequence[str], answer: str = "") -> list[float]:
    """Give the probability that each step follows from what came before it, then the answer's.

    Args:
        question: what the first step follows.
        parts: the steps of the thought.
        answer: the text after the thought; "" where there is none.
    """
    return [
        1 / (1 + math.exp(-sum(WEIGHTS.get(name, 0.0) * value for name, value in signals)))
        for signals in read(question, parts, answer)
    ]


class _Text:
    """What is seen of the question, a step or the answer."""

    __slots__ = ("end", "item", "kind", "length", "marked", "opening", "pairs", "start", "words")

    def __init__(self, text: str, stems: dict[str, str], numbers: Numbers) -> None:
        plain = KEYWORD.sub("", text.translate(ZEROS).lower()).strip()
        tokens = TOKEN.findall(plain)
        self.length = len(tokens)
        self.pairs = set(map(numbers.__getitem__, pairwise(tokens)))
        words = set()
        for token in set(tokens):
            stem = stems.get(token)
            if stem is None:
                stem = stems[token] = _stem(token)
            if stem:
                words.add(stem)
        self.words = words
        self.start = tokens[:2]
        self.opening = _opening(tokens)
        self.end = ENDS.get(plain[-1:], "o")
        self.marked = bool(MARKED.search(plain))
        first = text.lstrip()[:2]
        if ITEM.match(plain):
            self.kind = "item"
        elif first[:1] in "$[(" or first in ("\\[", "\\("):
            self.kind = "math"
        else:
            self.kind = "low" if first[:1].islower() else "cap"


def read(
    question: str, parts: Sequence[str], answer: str = ""
) -> Iterator[list[tuple[str, float]]]:
    """Yield the signals of each step and of the answer, as (name, value)."""
    stems: dict[str, str] = {}
    numbers: Numbers = defaultdict(itertools.count().__next__)
    texts = [_Text(text, stems, numbers) for text in (question, *parts)]
    if parts and answer.strip():
        texts.append(_Text(answer, stems, numbers))
    n, n_steps = len(texts), len(parts)
    spread = Counter(word for text in texts for word in text.words)
    left = spread.copy()  # in how many texts from here on a word is
    for word in texts[0].words:
        left[word] -= 1
    chance = _Chance(texts)
    asked, told = texts[0].words, texts[-1].words if n > n_steps + 1 else set()
    last = dict.fromkeys(asked, 0)  # where each word was last said
    logs = [0.0, *map(math.log, range(1, n + 1))]
    said = set(texts[0].pairs)
    for t in range(1, n):
        this, before = texts[t], texts[t - 1]
        words, size = this.words, max(1, len(this.words))
        never = 0
        old = []
        for word in words:
            left[word] -= 1
            if word in last:
                old.append(last[word])
            elif not left[word]:
                never += 1
        fresh = len(words) - len(old)
        cohesion, shared = chance.cohesion(this.pairs, before.pairs)
        far = math.fsum(logs[t - at] for at in old)
        gap = far / len(old) / logs[t + 1] if old else 0.5
        place = (t - 1) / max(1, n - 2)
        signals = [
            ("bias", 1.0),
            ("cohesion", cohesion),
            ("shared", shared),
            ("gap", gap),
            ("fresh", fresh / size),
            ("fresh late", fresh / size * place),
            ("never again", never / size),
            ("introduced", math.log1p(fresh - never)),
            ("alone", math.log1p(never)),
            ("no words", 0.0 if words else 1.0),
            (f"end {before.end}", 1.0),
            (f"{this.kind} after {before.kind}", 1.0),
            (f"{this.kind} after {'colon' if before.end == ':' else 'no colon'}", 1.0),
            ("opens alike", float(this.start[:1] == before.start[:1])),
            ("opens quite alike", float(this.start == before.start)),
        ]
        if t > n_steps:
            signals += (
                ("answer", 1.0),
                ("answer's pairs said", len(this.pairs & said) / max(1, len(this.pairs))),
                ("answer's words said", len(old) / size),
                ("answer after marked", float(before.marked)),
                (f"answer after {before.opening}", 1.0),
            )
        elif t == 1:
            signals += (
                ("first step", 1.0),
                (f"first {BEGUN.get(this.opening, this.opening)}", 1.0),
                ("question's words", len(words & asked) / max(1, len(asked))),
            )
        else:
            of_question = len(words & asked) / size
            of_answer = len(words & told) / size
            signals += (
                (f"{this.opening}", 1.0),
                (f"{this.opening} late", place),
                (f"after {before.opening}", 1.0),
                ("of question", of_question),
                ("of question late", of_question * place),
                ("of answer", of_answer),
                ("of answer late", of_answer * place),
                ("marked", float(this.marked)),
                ("marked late", this.marked * place),
            )
        yield signals
        last.update(dict.fromkeys(words, t))
        said |= this.pairs


class _Chance:
    """What steps of this thought share by chance."""

    def __init__(self, texts: Sequence[_Text]) -> None:
        n = len(texts)
        spread = Counter(pair for text in texts for pair in text.pairs)
        self.weight, self.expected, self.variance = {}, {}, {}
        self.alone = math.log(1 + n)  # weight in `shared` of what one text alone says
        self.share = {}
        for pair, count in spread.items():
            if count < 2:
                continue
            self.share[pair] = math.log(1 + n / count)
            rare = math.log(n / count) + 0.1
            p = (count - 1) / (n - 1)  # that another text, drawn at random, says it too
            self.weight[pair] = rare
            self.expected[pair] = rare * p
            self.variance[pair] = rare * rare * p * (1 - p)

    def cohesion(self, this: set[int], before: set[int]) -> tuple[float, float]:
        """Give what two texts share: standard deviations beyond chance, and the share of `this`."""
        common = [pair for pair in this if pair in self.weight]
        both = this & before
        variance = math.fsum(map(self.variance.__getitem__, common))
        more = math.fsum(map(self.weight.__getitem__, both))
        more -= math.fsum(map(self.expected.__getitem__, common))
        total = math.fsum(map(self.share.__getitem__, common))
        total += self.alone * (len(this) - len(common))
        shared = math.fsum(map(self.share.__getitem__, both)) / total if total else 0.5
        if variance <= 1e-9:
            return 0.0, shared
        return max(-3.0, min(5.0, more / math.sqrt(variance))), shared


def _stem(token: str) -> str:
    """Cut endings off a word; "" for what is no word or one of the commonest."""
    if token in STOP or not (token[0].isalpha() or token[0] == "\\"):
        return ""
    if len(token) > 3 and token.endswith("s") and not token.endswith("ss"):
        token = token[:-1]
    if len(token) > 5 and token.endswith("ing"):
        return token[:-3]
    return token[:-2] if len(token) > 4 and token.endswith("ed") else token


def _opening(tokens: Sequence[str]) -> str:
    """Name the kind of a step's first word."""
    if not tokens:
        return "nothing"
    first = tokens[0]
    if kind := OPENINGS.get(first):
        return kind
    if first[0].isalpha():
        return "word" if len(first) > 1 else "letter"
    return "number" if first[0].isdigit() else "math"
