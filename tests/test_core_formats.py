"""skythought/core/formats.py: the golden parses, and the trip from a trace to tokens and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skythought.core import formats
from skythought.core.errors import UserError
from skythought.core.records import Message

GOLDEN = Path(__file__).parent / "cases" / "parses.jsonl"
CASES = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
ASK = (Message("user", "what is 3 plus 4?"),)

# Hostile texts: tags whole and in pieces, line breaks and blanks at the ends.
TEXT = st.lists(
    st.one_of(
        st.text(),
        st.sampled_from(["\n", "\n\n", " ", "\t", "\r", "\x85", "\u2028"]),
        st.sampled_from(["<think>", "</think>", "<answer>", "think\n", "\nanswer\n"]),
        st.sampled_from([*formats.TAGS, "\\boxed{4}", "Wait, ", "<|end|>", "<|", "|>"]),
        st.sampled_from([formats.OPEN_THOUGHT, formats.TURN, formats.CLOSE_SOLUTION]),
    ),
    max_size=6,
).map("".join)


@pytest.mark.parametrize("case", CASES, ids=[case["style"] for case in CASES])
def test_golden_parses(case: dict[str, Any]) -> None:
    found = formats.parse(case["text"])
    assert found == (case["thought"], case["answer"], case["closed"])


@given(thought=TEXT, answer=TEXT)
def test_parse_reads_what_teach_writes_or_teach_refuses(thought: str, answer: str) -> None:
    """To the last line break; what cannot be read back is what holds its own closing tag."""
    if formats.END_THOUGHT in thought or formats.END_SOLUTION in answer:
        with pytest.raises(
            ValueError, match=r"holds <\|end_of_\w+\|>, which would be read as its end"
        ):
            formats.teach(thought, answer)
    else:
        assert formats.parse(formats.teach(thought, answer)) == (thought, answer, True)


@pytest.mark.parametrize(
    ("thought", "answer"),
    [
        ("\nHm.", "4"),
        ("Hm.\n\n\n", "\n4\n"),
        ("\n", ""),
        ("", "\n\n"),
        ("I write <|begin_of_thought|> and <|begin_of_solution|>.", "<|begin_of_solution|> 4"),
        ("<|end_of_solution|>\n\n", "4 <|end_of_thought|>"),
        ("", "4 <|end_of_thought|>\n\n<|begin_of_solution|>"),
    ],
)
def test_line_breaks_and_other_tags_come_back(thought: str, answer: str) -> None:
    assert formats.parse(formats.teach(thought, answer)) == (thought, answer, True)


@given(TEXT)
def test_what_is_parsed_is_read_again_as_it_is(text: str) -> None:
    parts = formats.parse(text)
    if not formats.closing(parts.thought, parts.answer):
        again = formats.parse(formats.teach(parts.thought, parts.answer))
        assert again[:2] == parts[:2]


@given(st.text())
def test_parse_takes_any_text(text: str) -> None:
    parts = formats.parse(text)
    assert len(parts.thought) + len(parts.answer) <= len(text)


def test_parse_agrees_with_traces_that_were_stored_apart(shared: Path) -> None:
    """Some real rows hold thinking and answer in fields of their own, beside the response."""
    rows = (shared / "traces" / "traces.jsonl").read_text(encoding="utf-8").splitlines()
    apart = [row for row in map(json.loads, rows) if "thinking" in row]
    assert len(apart) == 35
    for row in apart:
        found = formats.parse(row["response"])
        assert found.thought == row["thinking"].strip(), row["id"]
        assert found.answer == row["answer_text"].strip(), row["id"]


def test_every_real_trace_is_taken_apart(shared: Path) -> None:
    """All have a thought but those without a delimiter, and one error message stored as a trace."""
    without = []
    for line in (shared / "traces" / "traces.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if not formats.parse(row["response"]).thought:
            without.append(row)
    plain = [row for row in without if row["format"].startswith("plain")]
    assert len(plain) == 25  # of 44; the others have a heading "Final Answer"
    assert [row["id"] for row in without if row not in plain] == ["mip-gsm8k-66-deepseekR1"]


@pytest.mark.parametrize(
    ("text", "boxed"),
    [
        ("no box", None),
        ("\\boxed{4}", "4"),
        ("\\boxed{\\frac{1}{2}} and more}", "\\frac{1}{2}"),
        ("\\boxed{3} no, \\boxed{4}", "4"),
        ("\\boxed{}", ""),
        ("\\boxed{4", None),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("\\boxed{\\left\\{x\\right.} }", "\\left\\{x\\right."),
        ("\\boxed{x \\} y} }", "x \\} y"),
        ("\\boxed{a \\\\{b}} }", "a \\\\{b}"),
        ("\\boxed{a \\\\}}", "a \\\\"),
        ("\\boxed{4\\}", None),
        ("\\boxed{4\\", None),
    ],
)
def test_last_boxed(text: str, boxed: str | None) -> None:
    assert formats.last_boxed(text) == boxed


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("none", None),
        ("3 and then 4", "4"),
        ("1,234,567 people", "1234567"),
        ("it costs 2.50.", "2.50"),
        ("the answer is 42.", "42"),
        ("-7", "-7"),
    ],
)
def test_final_number(text: str, number: str | None) -> None:
    assert formats.final_number(text) == number


@pytest.mark.parametrize(
    ("prefill", "text", "whole"),
    [
        ("", "<think>\nHm.\n</think>\n\n4", "<think>\nHm.\n</think>\n\n4"),
        ("Let me", " see. 4", "Let me see. 4"),
        ("<think>\nLet me", " see.\n</think>\n\n4", "<think>\nLet me see.\n</think>\n\n4"),
        # a server that keeps thoughts apart gives the rest of it as one of its own
        ("<think>\nLet me", "<think>\n see.\n</think>\n\n4", "<think>\nLet me see.\n</think>\n\n4"),
        ("Let me", "<think>\n see.\n</think>\n\n4", "<think>\nLet me see.\n</think>\n\n4"),
        ("<think>\n\n</think>\n\n", "4", "<think>\n\n</think>\n\n4"),
    ],
)
def test_a_begun_text_goes_on(prefill: str, text: str, whole: str) -> None:
    assert formats.continued(prefill, text) == whole


def test_a_conversation_for_people() -> None:
    assert formats.show(ASK) == "[user]\nwhat is 3 plus 4?"
    asked = (Message("system", "Think."), *ASK)
    assert formats.show(asked, "Okay") == (
        "[system]\nThink.\n[user]\nwhat is 3 plus 4?\n[assistant]\nOkay"
    )


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


def test_prompt_ends_where_the_assistant_begins(tokenizer: Any) -> None:
    messages = (Message("system", "check again."), *ASK)
    text = tokenizer.decode(formats.prompt_ids(tokenizer, messages))
    assert text == "<|system|>check again.<|user|>what is 3 plus 4?<|assistant|>"


def test_a_prefill_is_what_the_prompt_ends_with(tokenizer: Any) -> None:
    text = "let me check.\n\n"
    prompt = formats.prompt_text(tokenizer, ASK, text)
    assert prompt == "<|user|>what is 3 plus 4?<|assistant|>let me check.\n\n"
    assert tokenizer.decode(formats.prompt_ids(tokenizer, ASK, text)) == prompt


def test_a_template_that_strips_keeps_the_prefill(tokenizer: Any) -> None:
    strips = with_template(
        tokenizer,
        "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] | trim }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
    )
    assert formats.prompt_text(strips, ASK, "let me ").endswith("<|assistant|>let me ")


def test_a_template_that_changes_a_prefill_is_refused(tokenizer: Any) -> None:
    drops = with_template(tokenizer, "{% for m in messages %}<|{{ m['role'] }}|>{% endfor %}")
    with pytest.raises(UserError, match="--assistant-prefill 'let me': the model's chat template"):
        formats.prompt_text(drops, ASK, "let me")


@pytest.mark.parametrize("completion", ["7", formats.teach("3 plus 4 is 7.", "\\boxed{7}"), ""])
def test_completion_is_the_rest_up_to_its_end(tokenizer: Any, completion: str) -> None:
    ids = formats.completion_ids(tokenizer, ASK, completion)
    assert tokenizer.decode(ids) == completion + "<|end|>"
    assert ids.count(tokenizer.eos_token_id) == 1


def test_prompt_and_completion_are_the_whole_conversation(tokenizer: Any) -> None:
    ids = [*formats.prompt_ids(tokenizer, ASK), *formats.completion_ids(tokenizer, ASK, "7 .")]
    turns = [{"role": "user", "content": ASK[0].content}, {"role": "assistant", "content": "7 ."}]
    whole = tokenizer.apply_chat_template(turns, tokenize=False)
    assert ids == tokenizer(whole, add_special_tokens=False)["input_ids"]


def with_template(tokenizer: Any, template: str | None) -> Any:
    import copy

    other = copy.deepcopy(tokenizer)
    other.chat_template = template
    return other


def test_an_end_the_template_does_not_write_is_added(tokenizer: Any) -> None:
    bare = with_template(
        tokenizer,
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
    )
    ids = formats.completion_ids(bare, ASK, "7")
    assert ids[-1] == tokenizer.eos_token_id


def test_what_a_template_writes_after_the_end_is_not_learned(tokenizer: Any) -> None:
    chatml = with_template(tokenizer, tokenizer.chat_template.replace("<|end|>", "<|end|>\n"))
    assert tokenizer.decode(formats.completion_ids(chatml, ASK, "7")) == "7<|end|>"


THOUGHT, ANSWER = "3 and 4.\n\nSo 7.", "7 ."
TAUGHT = formats.teach(THOUGHT, ANSWER)


@pytest.mark.parametrize("opens", ["<think>\n", "<think>"])
def test_a_completion_goes_on_in_a_thought_that_the_prompt_opens(
    opens: str, tokenizer: Any
) -> None:
    """As with the templates of R1 and QwQ."""
    opening = with_template(
        tokenizer,
        tokenizer.chat_template.replace(
            "<|assistant|>{% endif %}", f"<|assistant|>{opens}{{% endif %}}"
        ),
    )
    text = formats.prompt_text(opening, ASK) + formats.completion_text(opening, ASK, TAUGHT)[0]
    assert text == (
        f"<|user|>what is 3 plus 4?<|assistant|><think>\n{THOUGHT}\n</think>\n\n{ANSWER}<|end|>"
    )
    assert formats.parse(text.partition("<|assistant|>")[2].removesuffix("<|end|>")) == (
        *(THOUGHT, ANSWER, True),
    )
    bare = formats.completion_text(opening, ASK, formats.teach("", "7"))[0]
    assert bare.strip() == "</think>\n\n7<|end|>"


def test_a_thought_that_closes_itself_is_refused(tokenizer: Any) -> None:
    with pytest.raises(UserError, match="a thought holds </think>, which would be read as its end"):
        formats.inside_thought(formats.teach("I write </think> now.", "7"))


@pytest.mark.parametrize("shown", ["<think>\n\n</think>\n\n", ""])
def test_an_empty_thought_of_the_template_is_not_learned(shown: str, tokenizer: Any) -> None:
    """Qwen3's puts one before an answer; in the prompt it stands only where thinking is off."""
    added = tokenizer.chat_template.replace(
        "<|{{ message['role'] }}|>",
        "<|{{ message['role'] }}|>{% if message['role'] == 'assistant' %}"
        "<think>\n\n</think>\n\n{% endif %}",
    ).replace("<|assistant|>{% endif %}", f"<|assistant|>{shown}{{% endif %}}")
    qwen = with_template(tokenizer, added)
    assert formats.completion_text(qwen, ASK, TAUGHT)[0] == TAUGHT + "<|end|>"
    assert formats.prompt_text(qwen, ASK).endswith("<|assistant|>" + shown)


def test_a_template_without_a_generation_prompt_is_refused(tokenizer: Any) -> None:
    silent = tokenizer.chat_template.replace("{% if add_generation_prompt %}", "{% if false %}")
    with pytest.raises(UserError, match=r"chat template .* give the model a chat_template\.jinja"):
        formats.completion_ids(with_template(tokenizer, silent), ASK, "7")


def test_no_chat_template(tokenizer: Any) -> None:
    formats.require_chat_template(tokenizer, "tiny")
    with pytest.raises(UserError, match=r"model 'tiny' has no chat template; put a chat_template"):
        formats.require_chat_template(with_template(tokenizer, None), "tiny")


LONG = "Let me see. 1 and 1 are 2.\n\nWait, is that so? Yes, it is.\n\nGood, I am sure of it now."


@pytest.mark.parametrize(
    "heading",
    [
        "**Final Answer**\n\\boxed{2}",
        "**Final Answer:** 2",
        "### Final Answer\n\nIt is 2.",
        "Final Answer: The final answer is $2$.",
        "__Final answer__\n2",
        "The final answer: 2",
        "final solution\n2",
    ],
)
def test_a_heading_ends_a_thought(heading: str) -> None:
    assert formats.parse(f"{LONG}\n\n{heading}") == (LONG, heading, True)


@pytest.mark.parametrize(
    "text",
    [
        "The final answer is 2, I think.\n\nBut let me check that once more, by counting again.",
        f"{LONG}\n\n**Final Answer**",  # nothing behind it
        "**Final Answer**\n2",  # nothing before it
        f"Short.\n\n**Final Answer**\n{LONG}",  # more behind it than before
        "Is that my final answer? No.\n\n4",
    ],
)
def test_what_is_no_heading_ends_nothing(text: str) -> None:
    assert formats.parse(text) == ("", text, True)


def test_the_last_heading_counts() -> None:
    text = f"{LONG}\n\n**Final Answer**\n3\n\nWait, no.\n\n**Final Answer**\n2"
    assert formats.parse(text).answer == "**Final Answer**\n2"
