from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest

from app.conversation.citations import cite
from app.conversation.duel import Duel, Problem, Side, Vote
from app.conversation.history import History
from app.errors import DataFolderError, UsageError
from app.schema import Answer, Message, Timings
from tests.conversation.parts import passage

SECRET = "The vault opens with the number 4711."
SOURCE = passage(f"Introduction.\n{SECRET} More text.", start=20)
TEXT = "x" * 20 + SOURCE.text
FIRST_VERSION = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
INSERT INTO conversations VALUES (
    'old', 'Vault', '2026-01-02T03:04:05.000000+00:00', '2026-01-02T03:04:06.000000+00:00');
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    role TEXT NOT NULL, content TEXT NOT NULL, answer TEXT, created_at TEXT NOT NULL);
INSERT INTO messages VALUES (1, 'old', 'user', 'How?', NULL, '2026-01-02T03:04:05.000000+00:00');
INSERT INTO messages VALUES (2, 'old', 'assistant', '[[0, 34, 71], " [1]"]',
    '{"engine": "extractive", "model": "m", "complete": true, "refused": false, "query": "How?", "timings":
    {"retrieval_ms": 1.5, "ttft_ms": 2.5, "total_ms": 3.5}, "citations": [{"n": 1, "doc": "a.md", "page": null,
    "start": 34, "end": 71, "text": "", "supported": true, "heading": "", "document_id": 1, "sha256": "aa"}],
    "language": "en"}', '2026-01-02T03:04:06.000000+00:00');
CREATE INDEX messages_of ON messages (conversation_id, id);
PRAGMA user_version = 1;
"""
"""A history as it was before there were duels."""


def read(document_id: int, sha256: str, start: int, end: int) -> str | None:
    return TEXT[start:end] if (document_id, sha256) == (1, "aa") else None


def removed(document_id: int, sha256: str, start: int, end: int) -> None:
    return None


def answer(text: str = f"{SECRET} [1]", query: str = "How?") -> Answer:
    return Answer(text, "extractive", "m", True, False, query, cite(text, [SOURCE]), Timings(1.5, 2.5, 3.5))


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "new" / "history.sqlite3")
    yield history
    history.close()


def disk(history: History) -> bytes:
    return b"".join(path.read_bytes() for path in history.path.parent.iterdir())


def test_an_answer_comes_back_as_it_was(history: History) -> None:
    conversation = history.create("Vault")
    history.append(conversation, "How?")
    history.append_answer(conversation, answer())
    question, reply = history.messages(conversation, read)
    assert (question.role, question.content, question.answer) == ("user", "How?", None)
    assert reply.answer == answer() and reply.content == answer().answer
    assert [message.turn() for message in (question, reply)] == [
        Message("user", "How?"), Message("assistant", f"{SECRET} [1]"),
    ]  # fmt: skip


def test_no_text_of_a_document_is_on_the_disk(history: History) -> None:
    conversation = history.create()
    history.append_answer(conversation, answer(f"{SECRET} [1]\nThat is all [1]."))
    history.append_answer(conversation, answer("The vault opens with the num"))  # broke off before its marker
    assert b"vault" not in disk(history) and b"4711" not in disk(history)
    assert b"That is all" in disk(history)


def test_of_a_removed_document_the_reader_is_told(history: History) -> None:
    conversation = history.create()
    history.append_answer(conversation, answer())
    history.append_answer(conversation, answer(f"请看下面这句话，原文引用如下所示，此处为中文说明文字：\n{SECRET} [1]"))
    english, chinese = history.messages(conversation, removed)
    assert english.content == "[source removed] [1]"
    assert english.answer and [(c.text, c.supported) for c in english.answer.citations] == [("source removed", None)]
    assert chinese.content.endswith("「来源已删除」 [1]")
    assert chinese.answer and chinese.answer.citations[0].text == "来源已删除"


@pytest.mark.parametrize(
    "forged", ["[0, 20, 40]", '["a", [0, 20, 40]]', '{"citation": 0}', "[source removed]", "\x00[[0]]"]
)
def test_nothing_that_is_written_becomes_a_pointer(history: History, forged: str) -> None:
    conversation = history.create()
    history.append(conversation, forged)
    history.append_answer(conversation, answer(f"{forged}\n{SECRET} [1]"))
    question, reply = history.messages(conversation, read)
    assert question.content == forged
    assert reply.content == f"{forged}\n{SECRET} [1]"


def test_the_conversation_used_last_is_the_first(history: History) -> None:
    one, two, three = history.create("one"), history.create("two"), history.create()
    history.append(one, Message("user", "again"))
    history.append(three, "  What is\nHotswap? " + "x" * 200)
    assert [conversation.id for conversation in history.list()] == [three, one, two]
    assert history.list()[0].title == ("What is Hotswap? " + "x" * 200)[:80]
    history.rename(three, "New\nname")
    history.append(three, "more")
    assert [conversation.title for conversation in history.list()] == ["New name", "one", "two"]
    assert len(one) >= 20 and len({one, two, three}) == 3


def test_what_is_deleted_is_gone_from_the_disk(history: History) -> None:
    conversation, other = history.create("Topsecret title"), history.create("kept")
    for index in range(200):
        history.append(conversation, f"Topsecret question {index} " + "words " * 50)
        history.append(other, "kept question")
    assert b"Topsecret" in disk(history)
    history.delete(conversation)
    assert b"Topsecret" not in disk(history) and b"kept question" in disk(history)
    assert [entry.id for entry in history.list()] == [other]
    with pytest.raises(UsageError, match="no conversation"):
        history.messages(conversation, read)
    history.delete(conversation)


def test_an_unknown_conversation_is_said(history: History) -> None:
    for call in (
        lambda: history.append("nope", "x"),
        lambda: history.append_answer("nope", answer()),
        lambda: history.rename("nope", "x"),
    ):
        with pytest.raises(UsageError, match="'nope'"):
            call()
    assert history.list() == ()


def test_it_survives_reopening(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    first = History(path)
    conversation = first.create("kept")
    first.append(conversation, "Lone surrogates \ud800 and 字 are no problem")
    first.close()
    first.close()
    second = History(path)
    assert second.messages(conversation, read)[0].content == "Lone surrogates ? and 字 are no problem"
    second.close()
    with pytest.raises(DataFolderError):
        second.list()


def test_threads_share_it(history: History) -> None:
    conversation = history.create()

    def work(number: int) -> None:
        for index in range(25):
            history.append(conversation, f"{number}.{index}")
            history.messages(conversation, read)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = [message.content for message in history.messages(conversation, read)]
    assert sorted(said) == sorted(f"{number}.{index}" for number in range(4) for index in range(25))


def test_thousands_of_messages_are_quick(history: History) -> None:
    conversation = history.create()
    began = perf_counter()
    for _ in range(1000):
        history.append(conversation, "question " * 10)
        history.append_answer(conversation, answer())
    written = perf_counter()
    assert len(history.messages(conversation, read)) == 2000
    assert written - began < 10 and perf_counter() - written < 2


def test_a_file_that_is_no_history_is_said_in_one_line(tmp_path: Path) -> None:
    damaged = tmp_path / "history.sqlite3"
    damaged.write_bytes(b"no database at all, but text " * 100)
    with pytest.raises(DataFolderError, match=r"history\.sqlite3 cannot be used"):
        History(damaged)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataFolderError):
        History(tmp_path / "file" / "history.sqlite3")


def test_a_newer_versions_history_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(DataFolderError, match="newer version"):
        History(path)


def duel(vote: Vote = "", blind: bool = True) -> Duel:
    broken = Answer("Half an", "hf", "m", False, False, "How?")
    sides = Side("extractive", answer()), Side("hf", broken, Problem("out_of_memory", "Full.", "Close."))
    return Duel(sides, blind, vote)


def test_two_answers_come_back_as_they_were_with_no_text_of_a_document_on_the_disk(history: History) -> None:
    conversation = history.create()
    history.append(conversation, "How?")
    history.append_duel(conversation, duel())
    _, reply = history.messages(conversation, read)
    assert reply.duel == duel() and reply.answer == answer() and reply.role == "assistant"
    assert reply.turn() == Message("assistant", f"{SECRET} [1]"), "of one that failed the conversation knows nothing"
    assert b"vault" not in disk(history)
    (gone,) = history.messages(conversation, removed)[1:]
    assert gone.duel is not None and gone.duel.sides[0].answer.answer == "[source removed] [1]"


def test_the_first_vote_counts_and_the_conversation_goes_on_with_the_better_answer(history: History) -> None:
    conversation = history.create()
    one, other = (Answer(text, "hf", "m", True, False, "q") for text in ("One \ud800.", "Other."))
    history.append_duel(conversation, Duel((Side("hf", one), Side("ollama", other)), False))
    history.append(conversation, "And?")
    reply, question = history.messages(conversation, read)
    assert reply.content.startswith("One")
    assert history.vote(reply.id, "b")
    assert not history.vote(reply.id, "a") and not history.vote(question.id, "a") and not history.vote(999, "a")
    (reply, _) = history.messages(conversation, read)
    assert reply.duel is not None and (reply.duel.vote, reply.content) == ("b", "Other.")


def test_two_answers_go_with_their_conversation(history: History) -> None:
    conversation = history.create()
    kept = Answer("Topsecret", "hf", "m", True, False, "q")
    history.append_duel(conversation, Duel((Side("hf", kept), Side("ollama", kept)), False))
    assert b"Topsecret" in disk(history)
    history.delete(conversation)
    assert b"Topsecret" not in disk(history)
    with pytest.raises(UsageError, match="no conversation"):
        history.append_duel(conversation, duel())


def test_a_history_of_an_earlier_version_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    db = sqlite3.connect(path)
    db.executescript(FIRST_VERSION)
    db.close()
    history = History(path)
    question, reply = history.messages("old", read)
    assert (question.content, reply.content) == ("How?", f"{SECRET} [1]")
    assert reply.answer is not None and reply.answer.timings == Timings(1.5, 2.5, 3.5) and reply.answer.usage is None
    history.append_duel("old", duel("b"))
    assert history.messages("old", read)[2].duel == duel("b")
    history.close()
    again = History(path)
    assert len(again.messages("old", read)) == 3
    again.close()
