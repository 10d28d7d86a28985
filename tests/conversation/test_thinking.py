from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.thinking import ThinkFilter, without_thinking
from tests.conversation.parts import cuts


def filtered(pieces: list[str]) -> str:
    hidden = ThinkFilter()
    return "".join([*map(hidden.feed, pieces), hidden.finish()])


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("plain", "plain"),
        ("\n plain ", "plain "),
        ("<think>plan</think>\n\nAnswer", "Answer"),
        ("<Thinking>a < b</thinking> <think></think>Answer", "Answer"),
        ("<think>never ends", ""),
        ("<think>a</thin</think>b", "b"),
        ("<thin", "<thin"),
        ("<thinker> is a tag", "<thinker> is a tag"),
        ("Write <think> to think </think>", "Write <think> to think </think>"),
        ("", ""),
    ],
)
def test_thinking_at_the_head_is_hidden(text: str, visible: str) -> None:
    assert filtered([text]) == visible


pieces_of_text = st.lists(
    st.sampled_from(["<think>", "</think>", "<thinking>", "</thinking>", "<", "th", "\n", "a", "字", " "])
)


@given(pieces_of_text.map("".join), st.lists(st.integers(0, 5)))
def test_any_way_of_cutting_gives_the_same(text: str, sizes: list[int]) -> None:
    whole = filtered([text])
    assert filtered(cuts(text, sizes)) == whole
    assert filtered(list(text)) == whole
    assert text.endswith(whole)


@given(st.text(alphabet="ab<>/think \n"), st.text(alphabet="xyz 字", min_size=1).map(str.strip).filter(bool))
def test_the_answer_comes_through_whole(thought: str, answer: str) -> None:
    closed = thought.replace("</think>", "")
    assert filtered(["<think>", closed, "</think>", answer]) == answer


def test_a_block_that_the_template_opened_is_cut_from_whole_texts() -> None:
    assert without_thinking("let me see\n</think>\nWhat is Hotswap?\n") == "What is Hotswap?"
    assert without_thinking("<think>x</think> What? ") == "What?"
