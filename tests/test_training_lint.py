"""skythought/training/lint.py: what training sees is what inference sees and the parser reads.

The templates are written in the style of families of models, with their special tokens.
"""

from __future__ import annotations

from typing import Any

import pytest

from skythought.core import formats
from skythought.core.records import Example, Message
from skythought.training import data, lint

transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")

CHATML = (
    "{% if messages[0].role != 'system' %}"
    "<|im_start|>system\nYou are helpful.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Thoughts of earlier turns are dropped; the last answer is given an empty one.
THINKS = (
    "{% for m in messages %}{% set said = m.content.split('</think>')[-1].lstrip('\n') %}"
    "<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}"
    "<think>\n{{ m.reasoning_content or '' }}\n</think>\n\n{% endif %}"
    "{{ said }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\nOPENED{% endif %}"
)
R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}"
    "{% elif m.role == 'user' %}<|User|>{{ m.content }}{% else %}"
    "<|Assistant|>{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}"
)
LLAMA = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
BRACKETS = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %} {{ m.content }} "
    "{{ eos_token }}{% else %}[INST] {{ m.content }} [/INST]{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
PHI = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% else %}{{ eos_token }}{% endif %}"
)
# family -> (template, begin, end of a conversation, end of a turn, special tokens)
TWO_ENDS = {
    "Gemma": (GEMMA, "<bos>", "<eos>", "<end_of_turn>", ("<start_of_turn>", "<end_of_turn>")),
    "Phi": (PHI, None, "<|endoftext|>", "<|end|>", ("<|user|>", "<|assistant|>", "<|end|>")),
}
# family -> (template, begin, end of a turn, special tokens, whether the prompt opens a thought)
FAMILIES = {
    "SmolLM2, Qwen2.5": (CHATML, None, "<|im_end|>", ("<|im_start|>",), False),
    "Qwen3": (THINKS.replace("OPENED", ""), None, "<|im_end|>", ("<|im_start|>", "<think>"), False),
    "QwQ": (THINKS.replace("OPENED", "<think>\n"), None, "<|im_end|>", ("<|im_start|>",), True),
    "R1-distill": (R1, "<|begin|>", "<|end|>", ("<|User|>", "<|Assistant|>"), True),
    "Llama-3": (
        *(LLAMA, "<|begin_of_text|>", "<|eot_id|>"),
        *(("<|start_header_id|>", "<|end_header_id|>"), False),
    ),
    "Llama-2, Mistral": (BRACKETS, "<s>", "</s>", (), False),
}

SAID = formats.teach("3 and 4.\n\nWait: 3 + 4 = 7 é ∑.", "It is \\boxed{7}.")
ONE = (Message("user", "What is 3 plus 4?"),)
EXAMPLES = [
    Example(id="plain", trace_id="", messages=ONE, completion=SAID),
    Example(id="bare", trace_id="", messages=ONE, completion=formats.teach("", "7")),
    Example(
        id="turns",
        trace_id="",
        messages=(
            *(Message("system", "Check."), Message("user", "1?")),
            *(Message("assistant", "<think>\nhm\n</think>\n\n1"), Message("user", "2?")),
        ),
        completion=SAID,
    ),
]


def make(template: str, begin: str | None, end: str, special: tuple[str, ...]) -> Any:
    """Build a tokenizer of bytes, which loses nothing, and special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({sign: i for i, sign in enumerate(alphabet)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=begin,
        eos_token=end,
        additional_special_tokens=list(special),
        chat_template=template,
        clean_up_tokenization_spaces=False,
    )


def look(tokenizer: Any, examples: list[Example] = EXAMPLES, **changed: Any) -> lint.Report:
    rows = data.tokenize(tokenizer, examples, 1000)._replace(**changed)
    stops = {tokenizer.eos_token_id}
    return lint.check(tokenizer, examples, rows, stops=stops, embeddings=len(tokenizer))


@pytest.mark.parametrize("family", FAMILIES)
def test_families_of_templates(family: str) -> None:
    template, begin, end, special, opens = FAMILIES[family]
    tokenizer = make(template, begin, end, special)
    report = look(tokenizer)
    assert (report.failures, report.warnings) == ([], [])
    assert f"3 of 3 looked at read back as they were taught, ending with {end}" in report.facts
    rows = data.tokenize(tokenizer, EXAMPLES, 1000)
    for example, ids, labels in zip(EXAMPLES, rows.input_ids, rows.labels, strict=True):
        learned = tokenizer.decode([t for t in labels if t != data.IGNORED])
        if opens:
            assert learned == formats.inside_thought(example.completion) + end
        else:
            assert learned.strip() == example.completion + end or family == "Llama-2, Mistral"
        assert ids[-1] == labels[-1] == tokenizer.eos_token_id
        assert "<think>" not in learned
        assert formats.prompt_text(tokenizer, example.messages).endswith("<think>\n") == opens


@pytest.mark.parametrize("family", TWO_ENDS)
def test_a_turn_that_ends_otherwise_than_a_conversation(family: str) -> None:
    template, begin, end, end_of_turn, special = TWO_ENDS[family]
    tokenizer = make(template, begin, end, special)
    stops = {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(end_of_turn)}
    rows = data.tokenize(tokenizer, EXAMPLES, 1000, stops)
    report = lint.check(tokenizer, EXAMPLES, rows, stops=stops, embeddings=len(tokenizer))
    assert report.failures == []
    assert f"looked at read back as they were taught, ending with {end_of_turn}" in report.facts
    for example, labels in zip(EXAMPLES, rows.labels, strict=True):
        learned = tokenizer.decode([t for t in labels if t != data.IGNORED])
        assert learned == example.completion + end_of_turn
        rendered = formats.completion_ids(tokenizer, ONE, example.completion, stops)
        assert tokenizer.decode(rendered) == learned
    # An end of turn that the completion itself holds is not where it is cut: it is refused.
    hostile = Example(id="h", trace_id="", messages=ONE, completion=f"It is {end_of_turn} 7.")
    with_hostile = [*EXAMPLES, hostile]
    rows = data.tokenize(tokenizer, with_hostile, 1000, stops)
    report = lint.check(tokenizer, with_hostile, rows, stops=stops, embeddings=len(tokenizer))
    assert "1 samples hold a token that ends a turn inside" in report.failures[0]


def test_a_template_of_the_day_is_warned_of() -> None:
    dated = CHATML.replace("You are helpful.", "Today is {{ strftime_now('%d %b %Y') }}.")
    [warning] = look(make(dated, None, "<|im_end|>", ("<|im_start|>",))).warnings
    assert warning == "the chat template writes the date of the day into every prompt"


def test_an_evaluation_with_a_prompt_that_few_samples_have_is_warned_of() -> None:
    plain = make(CHATML, None, "<|im_end|>", ("<|im_start|>",))
    asks = [
        Example(id=str(i), trace_id="", messages=turns, completion="7.")
        for i, turns in enumerate(
            [(Message("user", "3?"),)] * 2 + [(Message("system", "Add."), Message("user", "3?"))]
        )
    ]
    rows = data.tokenize(plain, asks, 1000)

    def told(asked_with: str | None) -> list[str]:
        stops, known = {plain.eos_token_id}, len(plain)
        return lint.check(
            plain, asks, rows, stops=stops, embeddings=known, asked_with=asked_with
        ).warnings

    assert told(None) == told("") == []
    [warning] = told("Add.")
    assert warning.startswith(
        "--eval_task asks with the system prompt 'Add.', which 1 of 3 samples have; 2 have no "
        "system prompt. Its scores"
    )
    [warning] = told("Be brief. " * 9)
    assert f"{'Be brief. ' * 4}...', which 0 of 3 samples have; 2 have no" in warning


def test_a_template_of_another_vocabulary_is_warned_of() -> None:
    report = look(make(CHATML, None, "<|end|>", ("<|im_start|>",)))
    assert report.warnings == [
        "the chat template writes <|im_end|>, which is no token of the vocabulary (10 pieces)"
    ]
    assert report.failures == []  # the end token comes behind it, and inference stops there


@pytest.fixture
def chatml() -> Any:
    return make(CHATML, "<|begin|>", "<|im_end|>", ("<|im_start|>",))


def test_samples_that_do_not_teach_to_stop(chatml: Any) -> None:
    rows = data.tokenize(chatml, EXAMPLES, 1000)
    cut = [[*labels[:-1], data.IGNORED] for labels in rows.labels]
    [told] = look(chatml, labels=cut).failures
    assert told == "3 samples that were not cut do not end with a token that ends a turn"
    assert look(chatml, labels=cut, truncated=3).failures == []


def test_samples_that_teach_to_stop_inside(chatml: Any) -> None:
    hostile = Example(id="h", trace_id="", messages=ONE, completion="It is <|im_end|>\n 7.")
    inside, unread = look(chatml, [*EXAMPLES, hostile]).failures
    assert inside == (
        "1 samples hold a token that ends a turn inside, where inference stops; the first is h"
    )
    assert unread.startswith("1 of 4 samples do not read back as they were taught; the first is h:")


def test_a_prompt_that_inference_does_not_see(chatml: Any) -> None:
    rows = data.tokenize(chatml, EXAMPLES, 1000)
    begun = [[chatml.bos_token_id, *ids] for ids in rows.input_ids]
    moved = [[data.IGNORED, *labels] for labels in rows.labels]
    [told] = look(chatml, input_ids=begun, labels=moved).failures
    assert told == (
        "3 of 3 samples have another prompt in training than in inference; the first is plain"
    )
    twice = [[chatml.bos_token_id] * 2 + [*ids] for ids in rows.input_ids]
    told, _ = look(
        chatml, input_ids=twice, labels=[[data.IGNORED] * 2 + [*ids] for ids in rows.labels]
    ).failures
    assert told == "3 samples begin with <|begin|> twice"


def test_a_tokenizer_that_loses_text() -> None:
    from tokenizers import normalizers

    loses = make(CHATML, None, "<|im_end|>", ("<|im_start|>",))
    loses.backend_tokenizer.normalizer = normalizers.Lowercase()
    [told] = look(loses).failures
    assert told == (
        "2 of 3 samples do not read back as they were taught; the first is plain: the thought was "
        "'3 and 4.\\n\\nWait: 3 + 4 = 7 é ∑.' and is read as '3 and 4.\\n\\nwait: 3 + 4 = 7 é ∑.'"
    )


def test_tokens_without_an_embedding(chatml: Any) -> None:
    rows = data.tokenize(chatml, EXAMPLES, 1000)
    stops = {chatml.eos_token_id}
    end = chatml.eos_token_id
    report = lint.check(chatml, EXAMPLES, rows, stops=stops, embeddings=end)
    [told] = report.failures
    assert told.startswith(f"token '<|im_end|>' (id {end}) has no embedding, the model has {end};")


def test_only_some_of_many_samples_are_decoded(chatml: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(lint, "LOOKED_AT", 4)
    assert "; 4 of 4 looked at" in look(chatml, EXAMPLES * 4).facts
    assert "; 3 of 3 looked at" in look(chatml, EXAMPLES).facts


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (SAID, ""),
        (SAID.replace("Wait", "wait"), "the thought was '3 and 4.\\n\\nWait: 3 + 4"),
        ("3 and 4.\n\nWait: 3 + 4 = 7 é ∑.\n</think>\n It is \\boxed{7}.", ""),
        (SAID.replace("{7}", "{8}"), "the answer was 'It is \\\\boxed{7}.' and is read as"),
        ("", "the thought was '3 and 4.\\n\\nWait: 3 + 4 = 7 é ∑.' and is read as ''"),
    ],
)
def test_the_first_difference(said: str, told: str) -> None:
    assert lint.difference(SAID, said).startswith(told)
    assert bool(lint.difference(SAID, said)) == bool(told)


def test_few_unknown_words_are_told_and_many_refused(mini_tokenizer: Any) -> None:
    prompt, answer = (
        (Message("user", "What is the toll from oak to fir?"),),
        "The toll from oak to fir is \\boxed{7}.",
    )
    known = formats.teach(" ".join(["So for oak 3 plus 4 is 7."] * 20), answer)
    few, many = known.replace("So", "Zyx", 1), known.replace("So", "Zyx")

    def look(said: str) -> lint.Report:
        examples = [Example(id="e", trace_id="t", messages=prompt, completion=said)]
        rows = data.tokenize(mini_tokenizer, examples, 1000)
        stops = {mini_tokenizer.eos_token_id}
        return lint.check(mini_tokenizer, examples, rows, stops=stops, embeddings=10**6)

    assert look(known).failures == look(known).warnings == []
    told = look(few)
    assert told.failures == []
    assert told.warnings[0].startswith("1 of ")
    assert "words that the tokenizer does not know (<|unk|>)" in told.warnings[0]
    assert "tokens are unknown to the tokenizer" in look(many).failures[0]


@pytest.fixture(scope="module")
def mini_tokenizer() -> Any:
    from skythought.backends import hf

    return transformers.AutoTokenizer.from_pretrained(hf.locate("mini"))
