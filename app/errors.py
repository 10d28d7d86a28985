"""Every error that Hotswap raises on purpose.

    HotswapError
    ├── ConfigError                 a setting is unknown, misspelt or impossible
    ├── UsageError                  a command or a request was put together wrongly
    ├── QuestionError               the question is empty or far too long
    ├── EvaluationError             questions, or a setting to compare, that nothing can be measured with
    ├── BenchmarkError              a load, prompts or engines that nothing can be measured with
    ├── DataFolderError             DATA_DIR cannot be used (read-only, no space, newer format)
    │   └── DataFolderBusy          another process owns DATA_DIR
    ├── PortInUse                   the server's port is taken
    ├── ServerStopping              the server is about to end and begins nothing new
    ├── TooBusy                     as many are answered, or wait, as are allowed
    │   └── RateLimited             one key asks too often
    ├── KeyRefused                  a key is missing or wrong
    ├── DoorClosed                  asked from where nobody is let in
    ├── TooLarge                    a request or a file is larger than allowed
    ├── DocumentError               a file could not become a document
    │   ├── DocumentMissing         no such file or document
    │   ├── UnsupportedFormat       no reader for this kind of file
    │   ├── EmptyDocument           a file without any text
    │   ├── DamagedDocument         truncated, or not what its name says
    │   └── ProtectedDocument       a password or the file's permissions keep us out
    ├── CollectionError             a collection is missing
    │   ├── CollectionNameWrong     no collection can be called so
    │   ├── ModelUnknown            another program asks for a model that is no collection here
    │   └── EmbedderMismatch        the collection was built by another embedding model
    ├── VectorsUnavailable          the Chroma server that keeps the vectors does not answer, or is none
    ├── EmbedderUnavailable         the embedding model is missing or not the one expected
    ├── RerankerUnavailable         the model that sorts passages is missing or is no such model
    ├── Offline                     OFFLINE is set, and this would leave the machine
    ├── DownloadError               a model was not fetched; what came of it is kept
    │   ├── ModelNotOffered         the source has no such model, or no such revision of it
    │   ├── ModelGated              the source gives it to nobody without a token, or not to this one
    │   ├── SourceUnavailable       the source does not answer, breaks off or asks to wait
    │   ├── ModelUnusable           what the source has is nothing that an engine here could load
    │   ├── ChecksumMismatch        other bytes came than the source says it has
    │   └── DiskFull                there is not enough room, or no permission to write
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


class EvaluationError(HotswapError):
    """Questions, or a setting to compare, that nothing can be measured with."""


class BenchmarkError(HotswapError):
    """A load, prompts or engines that nothing can be measured with."""


class DataFolderError(HotswapError):
    """DATA_DIR cannot be used."""


class DataFolderBusy(DataFolderError):
    """Another process owns DATA_DIR."""


class PortInUse(HotswapError):
    """The server's port is taken."""


class ServerStopping(HotswapError):
    """The server is about to end and begins nothing new."""

    def __init__(self, message: str = "", hint: str = "") -> None:
        super().__init__(message or "The server is being stopped.", hint or "Ask again once it runs.")


class TooBusy(HotswapError):
    """As many are answered, or wait, as are allowed; ``retry_after`` in seconds."""

    retry_after = 1


class RateLimited(TooBusy):
    """One key asks too often."""


class KeyRefused(HotswapError):
    """A key is missing or wrong."""


class DoorClosed(HotswapError):
    """Asked from where nobody is let in."""


class TooLarge(HotswapError):
    """A request or a file is larger than allowed."""


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
    """A collection is missing."""


class CollectionNameWrong(CollectionError):
    """No collection can be called so."""


class ModelUnknown(CollectionError):
    """Another program asks for a model that is no collection here."""


class EmbedderMismatch(CollectionError):
    """The collection was built by another embedding model."""


class VectorsUnavailable(HotswapError):
    """The Chroma server that keeps the vectors does not answer, or is none."""


class EmbedderUnavailable(HotswapError):
    """The embedding model is missing or not the one expected."""


class RerankerUnavailable(HotswapError):
    """The model that sorts passages is missing or is no such model."""


class Offline(HotswapError, ConnectionError):
    """OFFLINE is set, and this would leave the machine. To a library it is a connection that failed."""


class DownloadError(HotswapError):
    """A model was not fetched; what came of it is kept."""


class ModelNotOffered(DownloadError):
    """The source has no such model, or no such revision of it."""


class ModelGated(DownloadError):
    """The source gives it to nobody without a token, or not to this one."""


class SourceUnavailable(DownloadError):
    """The source does not answer, breaks off or asks to wait."""


class ModelUnusable(DownloadError):
    """What the source has is nothing that an engine here could load."""


class ChecksumMismatch(DownloadError):
    """Other bytes came than the source says it has."""


class DiskFull(DownloadError):
    """There is not enough room, or no permission to write."""


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
