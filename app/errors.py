"""Every error that Hotswap raises on purpose.

    HotswapError
    ├── ConfigError                 a setting is unknown, misspelt or impossible
    ├── UsageError                  a command or a request was put together wrongly
    ├── QuestionError               the question is empty or far too long
    ├── DataFolderError             DATA_DIR cannot be used (read-only, no space, newer format)
    │   └── DataFolderBusy          another process owns DATA_DIR
    ├── PortInUse                   the server's port is taken
    ├── DocumentError               a file could not become a document
    │   ├── DocumentMissing         no such file or document
    │   ├── UnsupportedFormat       no reader for this kind of file
    │   ├── EmptyDocument           a file without any text
    │   ├── DamagedDocument         truncated, or not what its name says
    │   └── ProtectedDocument       a password or the file's permissions keep us out
    ├── CollectionError             a collection is missing, or its name is not allowed
    │   └── EmbedderMismatch        the collection was built by another embedding model
    ├── EmbedderUnavailable         the embedding model is missing or not the one expected
    └── EngineError                 a language model did not answer
        ├── EngineUnavailable       it is not installed, not running or not reachable
        ├── ModelMissing            the engine runs, but has no such model
        ├── ModelDamaged            its files are incomplete or not what they should be
        ├── ContextTooLong          the question and its passages do not fit the model
        ├── EngineTimeout           nothing came within the time allowed
        ├── OutOfMemory             the model does not fit this machine
        └── IncompleteAnswer        the answer broke off before its end

Each carries what happened (its message) and what to do next (``hint``), both one line. ``code`` is the stable
name for programs. Messages and hints never contain secrets.
"""

from __future__ import annotations

import re
from typing import Any


def one_line(text: object) -> str:
    """``text`` with every run of white space folded to one blank."""
    return re.sub(r"\s+", " ", str(text)).strip()


class HotswapError(Exception):
    """What happened, and in ``hint`` what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = one_line(message)
        self.hint = one_line(hint)
        super().__init__(self.message)

    @property
    def code(self) -> str:
        """The class name in snake case: ``model_missing``."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def as_dict(self) -> dict[str, str]:
        """The error as programs read it: code, message, hint."""
        return {"code": self.code, "message": self.message, "hint": self.hint}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> HotswapError:
        """The inverse of :meth:`as_dict`; an unknown code gives a plain ``HotswapError``."""
        kinds = {kind.__name__: kind for kind in _descendants(HotswapError)}
        name = "".join(part.title() for part in str(data.get("code", "")).split("_"))
        kind = kinds.get(name, HotswapError)
        return kind(str(data.get("message", "")), str(data.get("hint", "")))


def _descendants(kind: type[HotswapError]) -> list[type[HotswapError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in _descendants(child))]


class ConfigError(HotswapError):
    """A setting is unknown, misspelt or impossible."""


class UsageError(HotswapError):
    """A command or a request was put together wrongly."""


class QuestionError(HotswapError):
    """The question is empty or far too long."""


class DataFolderError(HotswapError):
    """DATA_DIR cannot be used."""


class DataFolderBusy(DataFolderError):
    """Another process owns DATA_DIR."""


class PortInUse(HotswapError):
    """The server's port is taken."""


class DocumentError(HotswapError):
    """A file could not become a document."""


class DocumentMissing(DocumentError):
    """No such file or document."""


class UnsupportedFormat(DocumentError):
    """No reader for this kind of file."""


class EmptyDocument(DocumentError):
    """A file without any text."""


class DamagedDocument(DocumentError):
    """Truncated, or not what its name says."""


class ProtectedDocument(DocumentError):
    """A password or the file's permissions keep us out."""


class CollectionError(HotswapError):
    """A collection is missing, or its name is not allowed."""


class EmbedderMismatch(CollectionError):
    """The collection was built by another embedding model."""


class EmbedderUnavailable(HotswapError):
    """The embedding model is missing or not the one expected."""


class EngineError(HotswapError):
    """A language model did not answer."""


class EngineUnavailable(EngineError):
    """It is not installed, not running or not reachable."""


class ModelMissing(EngineError):
    """The engine runs, but has no such model."""


class ModelDamaged(EngineError):
    """Its files are incomplete or not what they should be."""


class ContextTooLong(EngineError):
    """The question and its passages do not fit the model."""


class EngineTimeout(EngineError):
    """Nothing came within the time allowed."""


class OutOfMemory(EngineError):
    """The model does not fit this machine."""


class IncompleteAnswer(EngineError):
    """The answer broke off before its end."""
