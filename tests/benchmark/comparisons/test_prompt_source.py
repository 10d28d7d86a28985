"""Prompts of a comparison: made up, out of a file, of a real collection of documents; and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.benchmark.comparisons.prompt_source import Prompts, carry_on, conversation_fits, fitting, gather
from app.benchmark.prompt_file import user
from app.benchmark.prompts import Prompt, PromptSource
from app.config import load_settings
from app.errors import BenchmarkError, CollectionError
from app.knowledge import open_knowledge
from app.knowledge.library import Knowledge
from app.schema import Progress
from tests.product import write_documents

WINDOW = 4096


def quietly(progress: Progress) -> None: ...


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knowledge]:
    opened = open_knowledge(load_settings(data_dir=tmp_path_factory.mktemp("state")))
    opened.ingest([write_documents(tmp_path_factory.mktemp("documents"))])
    opened.collection("empty", create=True)
    yield opened
    opened.close()


def test_made_ones_begin_differently_and_are_as_many_as_are_wanted() -> None:
    found = gather(PromptSource(tokens=30, seed=5), 40, WINDOW, None, quietly)

    assert len(found.items) == 40 and not found.own
    assert len({prompt.messages[0]["content"][:6] for prompt in found.items}) == 40
    assert found.items == gather(PromptSource(tokens=30, seed=5), 40, WINDOW, None, quietly).items
    assert found.told == "synthetic, about 30 tokens"


def test_a_file_is_asked_from_its_beginning_again() -> None:
    found = gather(PromptSource("prompts", text="One?\n二？\n", file="p.txt"), 99, WINDOW, None, quietly)

    assert [prompt.id for prompt in found.take(1, 4)] == ["2", "1", "2", "1"]
    with pytest.raises(BenchmarkError, match=r"There is no prompt in p\.txt"):
        gather(PromptSource("prompts", text="\n", file="p.txt"), 9, WINDOW, None, quietly)


def test_questions_are_asked_with_what_search_finds(knowledge: Knowledge) -> None:
    text = 'Who built the lighthouse of Skarvoy?\n{"question": "青屿灯塔是谁主持修建的？"}\nHello!\n'
    found = gather(PromptSource("questions", text=text, file="q.jsonl"), 9, WINDOW, knowledge, quietly)

    english, chinese = (prompt.messages for prompt in found.items)
    assert "Ingrid Halvorsen" in english[-1]["content"] and english[0]["role"] == "system"
    assert "林海生" in chinese[-1]["content"]
    assert found.own and found.told == "q.jsonl, 3 questions"
    assert any("1 questions were left out" in line for line in found.notes)


def test_questions_can_be_made_of_a_collection(knowledge: Knowledge) -> None:
    found = gather(PromptSource("collection"), 9, WINDOW, knowledge, quietly)

    assert found.items and found.told.endswith("questions made of default")
    assert all("<passage" in prompt.messages[-1]["content"] for prompt in found.items)


def test_what_nothing_can_be_asked_about_is_said(knowledge: Knowledge) -> None:
    with pytest.raises(BenchmarkError, match="'empty' holds no document"):
        gather(PromptSource("collection", collection="empty"), 9, WINDOW, knowledge, quietly)
    with pytest.raises(CollectionError):
        gather(PromptSource("collection", collection="nowhere"), 9, WINDOW, knowledge, quietly)
    with pytest.raises(BenchmarkError, match="Of 1 questions none is put to an engine"):
        gather(PromptSource("questions", text="Hello!"), 9, WINDOW, knowledge, quietly)
    with pytest.raises(BenchmarkError, match="no documents here"):
        gather(PromptSource("collection"), 9, WINDOW, None, quietly)


def test_what_leaves_no_room_for_an_answer_is_left_out() -> None:
    items = [Prompt("short", user("Why?")), Prompt("long", user("why " * 900))]
    kept = fitting(Prompts(items, "two"), 1000, "hf", 128)

    assert [prompt.id for prompt in kept.items] == ["short"]
    assert "1 prompts were left out" in kept.notes[0]
    assert fitting(Prompts(items, "two"), 2000, "hf", 128).items == items


def test_conversations_grow_unless_they_are_cut_as_the_product_cuts_them(tmp_path: Path) -> None:
    items = [Prompt("1", user("why " * 100))]

    assert conversation_fits(Prompts(items, ""), 5, 2000, 128)
    assert not conversation_fits(Prompts(items, ""), 5, 1000, 128)
    assert conversation_fits(Prompts(items, "", grows=False), 5, 1000, 128)


def test_a_conversation_has_all_that_was_said_and_the_instructions_once() -> None:
    first, second = (
        Prompt(name, ({"role": "system", "content": "Be brief."}, {"role": "user", "content": f"{name}?"}))
        for name in ("Who", "Why")
    )

    assert [message["content"] for message in carry_on([first, second], ["They."])] == [
        "Be brief.", "Who?", "They.", "Why?"
    ]  # fmt: skip
