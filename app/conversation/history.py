"""Conversations on disk, in one SQLite file. What is removed from it is gone from the disk as well.

Answers are kept without the documents' words: quotations and cited texts are pointers (document, version,
offsets) that are read back through the documents, so that a removed document is gone from old answers too.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.conversation.quotes import Quote, take_out
from app.errors import DataFolderError, UsageError, one_line
from app.schema import Answer, Citation, Message, RouteTry, Timings
from app.text import Language, language

ReadQuote = Callable[[int, str, int, int], str | None]
"""``quote(document_id, sha256, start, end)``: those words of that version; None when it has been removed."""

REMOVED: dict[Language, str] = {"en": "source removed", "zh": "来源已删除"}
_IN_TEXT: dict[Language, str] = {"en": "[source removed]", "zh": "「来源已删除」"}

_VERSION = 1
_SCHEMA = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    role TEXT NOT NULL, content TEXT NOT NULL, answer TEXT, created_at TEXT NOT NULL);
CREATE INDEX messages_of ON messages (conversation_id, id);
"""
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
    """A message as it was said; ``answer`` is set for the assistant's, its quotations read back."""

    role: str
    content: str
    created_at: str
    answer: Answer | None = None

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
        self._lock = threading.RLock()
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            with self._errors():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        for pragma in (
            "journal_mode = WAL",
            "secure_delete = ON",
            "foreign_keys = ON",
            "synchronous = NORMAL",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise DataFolderError(
                f"{self.path.name} was written by a newer version of Hotswap.",
                "Use that version, or move the file away.",
            )
        if version == 0:
            self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")

    def close(self) -> None:
        """Closes the file; nothing can be read or written afterwards. May be called more than once."""
        with self._lock:
            self._db.close()

    def create(self, title: str = "") -> str:
        """A new conversation's id, which nobody can guess. Its first question becomes a missing title."""
        identifier = secrets.token_urlsafe(16)
        now = _now()
        with self._writing() as db:
            db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?)", (identifier, _title(title), now, now))
        return identifier

    def list(self) -> tuple[Conversation, ...]:
        """All conversations, the one used last first."""
        query = "SELECT id, title, created_at, updated_at FROM conversations ORDER BY updated_at DESC, rowid DESC"
        with self._reading() as db:
            return tuple(Conversation(*row) for row in db.execute(query))

    def rename(self, conversation_id: str, title: str) -> None:
        """Raises UsageError when there is no such conversation."""
        with self._writing() as db:
            changed = db.execute("UPDATE conversations SET title = ? WHERE id = ?", (_title(title), conversation_id))
            _require(changed.rowcount > 0, conversation_id)

    def delete(self, conversation_id: str) -> None:
        """Removes a conversation for good: its bytes are overwritten. An unknown one is none to remove."""
        with self._writing() as db:
            db.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))
        with self._reading() as db:
            # secure_delete misses what moved between pages, and the log still holds pages as they were.
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def append(self, conversation_id: str, question: str | Message) -> None:
        """Adds what the user said. Raises UsageError when there is no such conversation."""
        text = question.content if isinstance(question, Message) else question
        with self._writing() as db:
            self._touch(db, conversation_id, text)
            self._insert(db, conversation_id, "user", text, None)

    def append_answer(self, conversation_id: str, answer: Answer) -> None:
        """Adds an answer, without its quotations. Raises UsageError when there is no such conversation."""
        pieces = [
            piece if isinstance(piece, str) else [piece.citation, piece.start, piece.end]
            for piece in take_out(answer.answer, answer.citations)
        ]
        kept = {
            **{key: getattr(answer, key) for key in ("engine", "model", "complete", "refused", "query")},
            "timings": asdict(answer.timings),
            "routes": [asdict(route) for route in answer.routes],
            # A heading is the document's text as well.
            "citations": [asdict(citation) | {"text": "", "heading": ""} for citation in answer.citations],
            "language": language(answer.answer),
        }
        with self._writing() as db:
            self._touch(db, conversation_id, "")
            self._insert(db, conversation_id, "assistant", json.dumps(pieces), json.dumps(kept))

    def messages(self, conversation_id: str, quote: ReadQuote) -> tuple[SavedMessage, ...]:
        """What was said, oldest first, the quotations read back through ``quote``.

        Of a removed document it says so in their place, and the citation is unchecked.

        Raises:
            UsageError: there is no such conversation.
        """
        query = "SELECT role, content, answer, created_at FROM messages WHERE conversation_id = ? ORDER BY id"
        with self._reading() as db:
            known = db.execute("SELECT 1 FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
            _require(known is not None, conversation_id)
            rows = db.execute(query, (conversation_id,)).fetchall()
        read = lru_cache(maxsize=None)(quote)  # many answers quote the same words
        return tuple(
            SavedMessage(role, content, at)
            if kept is None
            else _restore(json.loads(content), json.loads(kept), at, read)
            for role, content, kept, at in rows
        )

    def _touch(self, db: sqlite3.Connection, conversation_id: str, first_words: str) -> None:
        changed = db.execute(
            "UPDATE conversations SET updated_at = ?, title = CASE title WHEN '' THEN ? ELSE title END WHERE id = ?",
            (_now(), _title(first_words), conversation_id),
        )
        _require(changed.rowcount > 0, conversation_id)

    @staticmethod
    def _insert(db: sqlite3.Connection, conversation_id: str, role: str, content: str, answer: str | None) -> None:
        db.execute(
            "INSERT INTO messages (conversation_id, role, content, answer, created_at) VALUES (?, ?, ?, ?, ?)",
            (conversation_id, role, _writable(content), answer, _now()),
        )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._errors():
            yield self._db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise DataFolderError(
                f"The history {self.path.name} cannot be used: {error}.",
                "See that DATA_DIR is writable and its disk has room; a damaged file can be moved away.",
            ) from error


def _restore(pieces: list[Any], kept: dict[str, Any], at: str, quote: ReadQuote) -> SavedMessage:
    lang: Language = "zh" if kept.pop("language") == "zh" else "en"
    stored = [Citation(**fields) for fields in kept.pop("citations")]

    def words(citation: Citation, start: int, end: int) -> str | None:
        return quote(citation.document_id, citation.sha256, start, end)

    def said(piece: Any) -> str:
        if isinstance(piece, str):
            return piece
        source = Quote(*piece)
        text = words(stored[source.citation], source.start, source.end)
        return _IN_TEXT[lang] if text is None else one_line(text)

    def cited(citation: Citation) -> Citation:
        text = words(citation, citation.start, citation.end)
        return replace(citation, text=REMOVED[lang], supported=None) if text is None else replace(citation, text=text)

    content = "".join(map(said, pieces))
    timings = Timings(**kept.pop("timings"))
    routes = tuple(RouteTry(**route) for route in kept.pop("routes", ()))  # answers of earlier versions have none
    answer = Answer(answer=content, citations=tuple(map(cited, stored)), timings=timings, routes=routes, **kept)
    return SavedMessage("assistant", content, at, answer)


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
