"""Hold what training sees against what inference sees and what the parser reads back.

    check(tokenizer, examples, rows, stops={2}, embeddings=49152).facts  ->
    lint: 192 samples, 104,763 tokens, 83% of them learned, the longest 640; 157 of 157 looked at
    read back as they were taught, ending with <|im_end|>

The prompt is rendered and tokenized once more by the tokenizer's own call, as servers do; the
learned tokens are cut at the first token that ends a turn and decoded, as an engine does, and taken
apart by `formats.parse`. No token may lie outside the model's embeddings: none are ever added.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from skythought.core import formats, progress
from skythought.core.errors import UserError
from skythought.core.records import Example, Message
from skythought.training.data import IGNORED, Rows, Tokens

MAX_UNKNOWN = 0.05  # of all tokens; a tokenizer of words lacks some, one of bytes none
LOOKED_AT = 200  # samples that are decoded; all are looked through for tokens
SPECIAL = re.compile(r"<[|｜][^<>|｜\s]+[|｜]>")  # <|im_start|>, <｜User｜>
SHOWN = 40  # characters of a difference


class Report(NamedTuple):
    """What was found."""

    failures: list[str]
    warnings: list[str]
    facts: str  # one line


def check(
    tokenizer: Any,
    examples: Sequence[Example],
    rows: Rows,
    *,
    stops: Collection[int],
    embeddings: int,
    asked_with: str | None = None,
) -> Report:
    """Look through the rows that will be trained on.

    Args:
        tokenizer: of the model, with its chat template.
        examples: what the rows were made of (`rows.sources`).
        rows: token ids and labels.
        stops: ids at which an engine ends a turn.
        embeddings: number of the model's token embeddings.
        asked_with: system prompt that the model will be evaluated with, "" for none; None where it
            will not be.
    """
    learned = [array("i", [t for t in labels if t != IGNORED]) for labels in rows.labels]
    failures = [*_tokens(tokenizer, rows, embeddings), *_ends(examples, rows, learned, stops)]
    whole = [i for i, tokens in enumerate(learned) if tokens and tokens[-1] in stops]
    if n_unknown := _unknown(tokenizer, rows):  # what they stood for cannot be read back
        whole = [i for i in whole if tokenizer.unk_token_id not in learned[i]]
    looked = whole[:: -(-len(whole) // LOOKED_AT) or 1]
    wrong_prompts, wrong_texts = [], []
    for i in looked:
        example, tokens = examples[rows.sources[i]], learned[i].tolist()
        prompt = [*rows.input_ids[i][: -len(tokens)]]
        if prompt != served_prompt(tokenizer, example.messages):
            wrong_prompts.append(example.id)
        end = next(at for at, token in enumerate(tokens) if token in stops)
        text = tokenizer.decode(tokens[:end], skip_special_tokens=False)
        if told := difference(example.completion, text):
            wrong_texts.append(f"{example.id}: {told}")
    for wrong, what in (
        (wrong_prompts, "have another prompt in training than in inference"),
        (wrong_texts, "do not read back as they were taught"),
    ):
        if wrong:
            failures.append(
                f"{len(wrong)} of {len(looked)} samples {what}; the first is {wrong[0]}"
            )
    n_learned = sum(map(len, learned))
    ends = sorted({learned[i][-1] for i in whole}) or [tokenizer.eos_token_id]
    ending = " or ".join(tokenizer.convert_ids_to_tokens(ends))
    facts = (
        f"lint: {len(rows.input_ids):,} samples, {rows.n_tokens:,} tokens, "
        f"{n_learned / rows.n_tokens:.0%} of them learned, the longest "
        f"{max(map(len, rows.input_ids)):,}; {len(looked) - len(wrong_texts)} of {len(looked)} "
        f"looked at read back as they were taught, ending with {ending}"
    )
    warnings = [*_template(tokenizer, examples), *_asked(examples, asked_with)]
    if n_unknown:
        warnings.append(
            f"{n_unknown:,} of {rows.n_tokens:,} tokens are words that the tokenizer does not know "
            f"({tokenizer.unk_token}); the model sees no difference between them"
        )
    return Report(failures, warnings, facts)


def tell(report: Report, dataset: Path, *, speaks: bool = True) -> None:
    """Say what was found, in the process that speaks.

    Raises:
        UserError: something that must not be trained on.
    """
    if report.failures:
        raise UserError(f"--dataset {dataset}: {'; '.join(report.failures)}")
    if speaks:
        for warning in report.warnings:
            progress.say(f"warning: {warning}")
        progress.say(report.facts)


def served_prompt(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Give the ids of a prompt as transformers and chat servers make them."""
    turns = [{"role": m.role, "content": m.content} for m in messages]
    ids: list[int] = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, tokenize=True, return_dict=False
    )
    return ids


def difference(taught: str, said: str) -> str:
    r"""Say where what is read back first differs from what was taught; "" where it does not.

    Spaces around thought and answer do not count.

    >>> difference(formats.teach("one", "2"), "<think>one\n</think>\n\n3")
    "the answer was '2' and is read as '3'"
    """
    for name, before, after in zip(
        ("thought", "answer"), formats.parse(taught)[:2], formats.parse(said)[:2], strict=True
    ):
        one, two = before.strip(), after.strip()
        if one != two:
            pairs = enumerate(zip(one, two, strict=False))
            at = next((i for i, (a, b) in pairs if a != b), min(len(one), len(two)))
            start = max(0, at - SHOWN // 2)
            shown = (repr(text[start : start + SHOWN]) for text in (one, two))
            return f"the {name} was {next(shown)} and is read as {next(shown)}"
    return ""


def _tokens(tokenizer: Any, rows: Rows, embeddings: int) -> Iterator[str]:
    """Find tokens the model has no embedding for, unknown ones, and a beginning written twice."""
    used = set().union(*rows.input_ids)
    if beyond := sorted(token for token in used if token >= embeddings):
        name = tokenizer.convert_ids_to_tokens(beyond[0])
        yield (
            f"token {name!r} (id {beyond[0]}) has no embedding, the model has {embeddings:,}; none "
            "are added: use the tokenizer the model was made with"
        )
    if (n := _unknown(tokenizer, rows)) > MAX_UNKNOWN * rows.n_tokens:
        yield f"{n:,} of {rows.n_tokens:,} tokens are unknown to the tokenizer"
    begin = tokenizer.bos_token_id
    if begin is not None and begin != tokenizer.eos_token_id:
        twice = sum([*ids[:2]] == [begin, begin] for ids in rows.input_ids)
        if twice:
            yield f"{twice} samples begin with {tokenizer.bos_token} twice"


def _unknown(tokenizer: Any, rows: Rows) -> int:
    """Count the tokens that stand for words the tokenizer does not have."""
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown == tokenizer.eos_token_id:
        return 0
    return sum(ids.count(unknown) for ids in rows.input_ids)


def _ends(
    examples: Sequence[Example], rows: Rows, learned: list[Tokens], stops: Collection[int]
) -> Iterator[str]:
    """Find samples that do not teach to stop, or teach it inside."""
    endless = [i for i, tokens in enumerate(learned) if not tokens or tokens[-1] not in stops]
    if len(endless) > rows.truncated:
        n = len(endless) - rows.truncated
        yield f"{n} samples that were not cut do not end with a token that ends a turn"
    inside = [i for i, tokens in enumerate(learned) if not {*tokens[:-1]}.isdisjoint(stops)]
    if inside:
        first = examples[rows.sources[inside[0]]].id
        yield (
            f"{len(inside)} samples hold a token that ends a turn inside, where inference stops; "
            f"the first is {first}"
        )


def _asked(examples: Sequence[Example], system_prompt: str | None) -> Iterator[str]:
    """Compare the system prompt of an evaluation with those that are trained on."""
    if system_prompt is None:
        return
    own = Counter(
        next((m.content for m in example.messages if m.role == "system"), "")
        for example in examples
    )
    same, n = own[system_prompt], len(examples)
    if 2 * same < n:
        [(usual, count)] = own.most_common(1)
        yield (
            f"--eval_task asks with {_shown(system_prompt)}, which {same:,} of {n:,} samples have; "
            f"{count:,} have {_shown(usual)}. Its scores may tell of that and not of what is "
            "learned: --eval_system_prompt sets another"
        )


def _shown(prompt: str) -> str:
    cut = prompt if len(prompt) <= SHOWN else f"{prompt[:SHOWN]}..."
    return f"the system prompt {cut!r}" if prompt else "no system prompt"


def _template(tokenizer: Any, examples: Sequence[Example]) -> Iterator[str]:
    """Look at what the template itself writes."""
    if "strftime_now" in str(tokenizer.chat_template):
        yield "the chat template writes the date of the day into every prompt"
    bare = tuple(Message(m.role, formats.MARK) for m in examples[0].messages)
    text = formats.prompt_text(tokenizer, bare) + formats.completion_text(tokenizer, bare, "")[0]
    for word in sorted(set(SPECIAL.findall(text))):
        n = len(tokenizer(word, add_special_tokens=False)["input_ids"])
        if n > 1:
            yield (
                f"the chat template writes {word}, which is no token of the vocabulary ({n} pieces)"
            )
