from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.benchmark import prompt_file, synthetic
from app.benchmark.loading import trace_file
from app.errors import BenchmarkError
from app.text import estimate_tokens


def test_lines_of_text_and_of_json_are_prompts() -> None:
    text = (
        "\ufeffHow tall is the tower?\n\n  灯塔有多高？ \n"
        '{"prompt": "Why?", "max_tokens": 9, "id": "x", "expected": "So."}\n{"question": "Who?"}\n'
        '{"messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "When?"}]}\n'
    )
    found = prompt_file.parse(text, "p.jsonl")

    assert [prompt.messages[-1]["content"] for prompt in found] == [
        "How tall is the tower?", "灯塔有多高？", "Why?", "Who?", "When?",
    ]  # fmt: skip
    assert (found[2].id, found[2].max_tokens, found[2].expected) == ("x", 9, "So.")
    assert found[4].messages[0] == {"role": "system", "content": "Be short."}


def test_only_line_ends_of_files_part_the_lines() -> None:
    for parse, more in ((prompt_file.parse, ""), (trace_file.parse, '"at": 1, ')):
        found = parse(f'{{{more}"prompt": "one\u2028two\x85"}}\r\n{{{more}"prompt": "three"}}', "p.jsonl")
        assert [prompt.messages[0]["content"] for prompt in found] == ["one\u2028two\x85", "three"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"prompt": ', "none"),
        ('{"prompt": ' + "[" * 100_000, "none"),
        ('{"text": "Why?"}', "neither"),
        ('{"prompt": " "}', "neither"),
        ('{"prompt": 3}', "neither"),
        ('{"prompt": "Why?", "max_tokens": 0}', "max_tokens"),
        ('{"prompt": "Why?", "max_tokens": true}', "max_tokens"),
        ('{"prompt": "Why?", "expected": 4}', "expected"),
        ('{"messages": []}', "messages"),
        ('{"messages": [{"role": "tool", "content": "x"}]}', "messages"),
        ('{"messages": ["Why?"]}', "messages"),
    ],
)
def test_a_line_that_is_no_prompt_is_named(line: str, why: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        prompt_file.parse(f"What?\n\n{line}\n", "p.jsonl")

    assert "Line 3 of p.jsonl" in str(caught.value) and why in caught.value.message


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_prompts_is_said_to_be(text: str) -> None:
    for parse in (prompt_file.parse, trace_file.parse):
        with pytest.raises(BenchmarkError, match="no prompt"):
            parse(text, "p.txt")


@given(st.text(min_size=1).filter(lambda text: bool(text.strip()) and not text.strip().startswith("{")))
def test_any_text_is_kept_as_it_is(text: str) -> None:
    lines = [line.strip() for line in re.split("\r\n|\n|\r", text.removeprefix("\ufeff")) if line.strip()]
    if lines and not any(line.startswith("{") for line in lines):
        assert [prompt.messages[0]["content"] for prompt in prompt_file.parse(text, "p")] == lines


@given(st.integers(1, 3000), st.integers(0, 99))
def test_made_prompts_have_the_length_and_a_beginning_of_their_own(length: int, seed: int) -> None:
    found = synthetic.prompts(5, length, seed)
    texts = [prompt.messages[0]["content"] for prompt in found]

    assert len({text.split(" ")[0] for text in texts}) == 5
    assert texts == [prompt.messages[0]["content"] for prompt in synthetic.prompts(5, length, seed)]
    if length > 20:
        assert estimate_tokens(texts[0]) == pytest.approx(length, rel=0.25)


def test_a_length_that_is_none_is_said() -> None:
    with pytest.raises(BenchmarkError):
        synthetic.prompts(1, 0)


def test_our_own_recordings_have_seconds_and_words() -> None:
    lines = [{"at": 12.5, "prompt": "Second?", "max_tokens": 7}, {"at": 10, "prompt": "First?"}]
    found = trace_file.parse("\n".join(map(json.dumps, lines)), "t.jsonl")

    assert [(prompt.at, prompt.messages[0]["content"], prompt.max_tokens) for prompt in found] == [
        (0.0, "First?", None), (2.5, "Second?", 7),
    ]  # fmt: skip


def test_mooncakes_recordings_have_milliseconds_and_lengths() -> None:
    lines = [{"timestamp": 1000, "input_length": 300, "output_length": 52, "hash_ids": [1]}, {"timestamp": 4000}]
    found = trace_file.parse("\n".join(map(json.dumps, lines)), "t.jsonl")

    assert [prompt.at for prompt in found] == [0.0, 3.0]
    assert found[0].max_tokens == 52
    assert estimate_tokens(found[0].messages[0]["content"]) == pytest.approx(300, rel=0.2)


@pytest.mark.parametrize(
    "text",
    [
        "Timestamp,Model,Request tokens,Response tokens,Log Type\n5,ChatGPT,472,18,x\n50.5,G,100,9,x\n",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:17:03.9799600,472,18\n2023-11-16 18:17:49.4799600,100,9\n",
    ],
)
def test_published_tables_are_read(text: str) -> None:
    found = trace_file.parse(text, "t.csv")

    assert [prompt.at for prompt in found] == [0.0, pytest.approx(45.5)]
    assert [prompt.max_tokens for prompt in found] == [18, 9]
    assert estimate_tokens(found[0].messages[0]["content"]) == pytest.approx(472, rel=0.2)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"prompt": "x"}', 1),
        ('{"at": 1, "prompt": "x"}\n{"at": "soon", "prompt": "x"}', 2),
        ('{"at": 1, "prompt": "x"}\n{"at": 2,', 2),
        ('{"at": 1, "input_length": "long"}', 1),
        ("Timestamp,Request tokens\n1,5\nlater,5\n", 3),
        ("a,b\n1,2\n", 2),
        ("Timestamp,Request tokens\n1,5\nnan,5\n", 3),
        ('{"at": Infinity, "prompt": "x"}', 1),
    ],
)
def test_a_recorded_line_that_cannot_be_used_is_named(text: str, line: int) -> None:
    with pytest.raises(BenchmarkError, match=f"Line {line} of t"):
        trace_file.parse(text, "t")
