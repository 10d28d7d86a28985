"""Conversations on disk, in one SQLite file. What is removed from it is gone from the disk as well.

Answers are kept without the documents' words: see :mod:`app.conversation.keeping`.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.conversation.duel import Duel, Problem, Side, Vote
from app.conversation.keeping import ReadQuote, pack, unpack
from app.database import Database
from app.errors import UsageError, one_line
from app.schema import Answer, Message

_TABLES = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    role TEXT NOT NULL, content TEXT NOT NULL, answer TEXT, created_at TEXT NOT NULL);
CREATE INDEX messages_of ON messages (conversation_id, id);
"""
_DUELS = "ALTER TABLE messages ADD COLUMN duel TEXT;"
_TITLE = 80


@dataclass(frozen=True)
class Conversation:
    """A conversation as lists show it. Times are ISO 8601, UTC."""

    id: str
    title: str
    created_at: str
    updated_at: str


@dataclass(frozen=True)
class SavedMessage:
    """A message as it was said; ``answer`` is set for the assistant's, its quotations read back.

    ``duel`` is set where two engines answered; ``answer`` and ``content`` are then those that the conversation goes on
    with.
    """

    role: str
    content: str
    created_at: str
    answer: Answer | None = None
    duel: Duel | None = None
    id: int = 0

    def turn(self) -> Message:
        """The message as the history of a new question wants it."""
        return Message("assistant" if self.role == "assistant" else "user", self.content)


class History:
    """All conversations. Safe to use from several threads.

    Every method raises DataFolderError when the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        """Opens ``path``, which is made when it is missing.

        Raises:
            DataFolderError: it is no history, or one of a newer version.
        """
        self.path = path
        self._file = Database(path, "The history", (_TABLES, _DUELS))

    def close(self) -> None:
        """Closes the file; nothing can be read or written afterwards. May be called more than once."""
        self._file.close()

    def create(self, title: str = "") -> str:
        """A new conversation's id, which nobody can guess. Its first question becomes a missing title."""
        identifier = secrets.token_urlsafe(16)
        now = _now()
        with self._file.writing() as db:
            db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?)", (identifier, _title(title), now, now))
        return identifier

    def list(self) -> tuple[Conversation, ...]:
        """All conversations, the one used last first."""
        query = "SELECT id, title, created_at, updated_at FROM conversations ORDER BY updated_at DESC, rowid DESC"
        with self._file.reading() as db:
            return tuple(Conversation(*row) for row in db.execute(query))

    def rename(self, conversation_id: str, title: str) -> None:
        """Raises UsageError when there is no such conversation."""
        with self._file.writing() as db:
            changed = db.execute("UPDATE conversations SET title = ? WHERE id = ?", (_title(title), conversation_id))
            _require(changed.rowcount > 0, conversation_id)

    def delete(self, conversation_id: str) -> None:
        """Removes a conversation for good: its bytes are overwritten. An unknown one is none to remove."""
        with self._file.writing() as db:
            db.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))
        self._file.give_back()

    def append(self, conversation_id: str, question: str | Message) -> None:
        """Adds what the user said. Raises UsageError when there is no such conversation."""
        text = question.content if isinstance(question, Message) else question
        with self._file.writing() as db:
            self._touch(db, conversation_id, text)
            self._insert(db, conversation_id, "user", text, None)

    def append_answer(self, conversation_id: str, answer: Answer) -> None:
        """Adds an answer, without its quotations. Raises UsageError when there is no such conversation."""
        pieces, kept = pack(answer)
        with self._file.writing() as db:
            self._touch(db, conversation_id, "")
            self._insert(db, conversation_id, "assistant", json.dumps(pieces), json.dumps(kept))

    def append_duel(self, conversation_id: str, duel: Duel) -> None:
        """Adds two answers to one question, as :meth:`append_answer` adds one."""
        kept = json.dumps({"blind": duel.blind, "vote": duel.vote, "sides": [_packed(side) for side in duel.sides]})
        with self._file.writing() as db:
            self._touch(db, conversation_id, "")
            self._insert(db, conversation_id, "assistant", "", None, kept)

    def vote(self, message_id: int, vote: Vote) -> bool:
        """Keeps which answer of a duel is better; whether it was the first vote on it, for only that one counts."""
        sql = (
            "UPDATE messages SET duel = json_set(duel, '$.vote', ?) WHERE id = ? AND json_extract(duel, '$.vote') = ''"
        )
        with self._file.writing() as db:
            return db.execute(sql, (vote, message_id)).rowcount > 0

    def messages(self, conversation_id: str, quote: ReadQuote) -> tuple[SavedMessage, ...]:
        """What was said, oldest first, the quotations read back through ``quote``.

        Of a removed document it says so in their place, and the citation is unchecked.

        Raises:
            UsageError: there is no such conversation.
        """
        query = "SELECT role, content, answer, created_at, duel, id FROM messages WHERE conversation_id = ? ORDER BY id"
        with self._file.reading() as db:
            known = db.execute("SELECT 1 FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
            _require(known is not None, conversation_id)
            rows = db.execute(query, (conversation_id,)).fetchall()
        read = lru_cache(maxsize=None)(quote)  # many answers quote the same words
        return tuple(_restored(row, read) for row in rows)

    def _touch(self, db: sqlite3.Connection, conversation_id: str, first_words: str) -> None:
        changed = db.execute(
            "UPDATE conversations SET updated_at = ?, title = CASE title WHEN '' THEN ? ELSE title END WHERE id = ?",
            (_now(), _title(first_words), conversation_id),
        )
        _require(changed.rowcount > 0, conversation_id)

    @staticmethod
    def _insert(
        db: sqlite3.Connection,
        conversation_id: str,
        role: str,
        content: str,
        answer: str | None,
        duel: str | None = None,
    ) -> None:
        db.execute(
            "INSERT INTO messages (conversation_id, role, content, answer, created_at, duel) VALUES (?, ?, ?, ?, ?, ?)",
            (conversation_id, role, _writable(content), answer, _now(), duel),
        )


def _packed(side: Side) -> dict[str, Any]:
    pieces, kept = pack(side.answer)
    problem = asdict(side.problem) if side.problem else None
    return {"engine": side.engine, "pieces": pieces, "answer": kept, "problem": problem}


def _unpacked(side: dict[str, Any], read: ReadQuote) -> Side:
    problem = Problem(**side["problem"]) if side["problem"] else None
    return Side(side["engine"], unpack(side["pieces"], side["answer"], read), problem)


def _restored(row: tuple[Any, ...], read: ReadQuote) -> SavedMessage:
    role, content, kept, at, duel, number = row
    if duel is not None:
        stored = json.loads(duel)
        one, other = (_unpacked(side, read) for side in stored["sides"])
        restored = Duel((one, other), stored["blind"], stored["vote"])
        answer = restored.chosen.answer
        return SavedMessage(role, answer.answer, at, answer, restored, number)
    if kept is not None:
        answer = unpack(json.loads(content), json.loads(kept), read)
        return SavedMessage(role, answer.answer, at, answer, id=number)
    return SavedMessage(role, content, at, id=number)


def _require(known: bool, conversation_id: str) -> None:
    if not known:
        raise UsageError(
            f"There is no conversation {conversation_id[:40]!r}.",
            "It may have been deleted; start a new one.",
        )


def _title(text: str) -> str:
    return _writable(one_line(text)[:_TITLE])


def _writable(text: str) -> str:
    """``text`` without the lone surrogates that some terminals and models give, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
