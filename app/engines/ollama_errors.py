"""What the faults of an Ollama server mean, in one place."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from app.engines.http import shown
from app.engines.retry import TryAgain
from app.errors import ContextTooLong, EngineUnavailable, ModelMissing, OutOfMemory

START_HINT = (
    "Start it with `ollama serve`, or set OLLAMA_BASE_URL to where it listens"
    " (inside a container: http://host.docker.internal:11434)."
)
SEE_LOG = "See Ollama's log."


def unreachable(url: str, error: Exception) -> EngineUnavailable:
    """No connection, or no answer in time."""
    if isinstance(error, httpx.TimeoutException):
        return EngineUnavailable(f"Ollama at {shown(url)} does not answer.", START_HINT)
    return EngineUnavailable(f"Ollama is not running at {shown(url)}.", START_HINT)


def no_ollama(url: str) -> EngineUnavailable:
    """Something else answers at this address."""
    return EngineUnavailable(f"What answers at {shown(url)} is no Ollama server.", START_HINT)


def refused(url: str, status: int, text: str) -> EngineUnavailable:
    """The server answered with an HTTP error that no model is to blame for."""
    if status == 403:
        return EngineUnavailable(
            f"Ollama at {shown(url)} refuses requests under this name (403).",
            "Reach it as localhost, or start Ollama with OLLAMA_HOST=0.0.0.0 on a network that you trust.",
        )
    if status == 401:
        return EngineUnavailable(
            f"What answers at {shown(url)} wants a user name and password (401).",
            "Write them into OLLAMA_BASE_URL, as in http://name:password@host:11434.",
        )
    if status in (404, 405):
        return no_ollama(url)
    text = text or "no reason given"
    return EngineUnavailable(f"Ollama at {shown(url)} failed ({status}): {text}", SEE_LOG)


def missing(wanted: str, names: Sequence[str]) -> ModelMissing:
    """The server has no such model; ``names`` are the chat models that it has."""
    instead = f", or set MODEL to one of {', '.join(names)}" if names else ""
    return ModelMissing(f"Ollama has no model {wanted}.", f"Fetch it with `ollama pull {wanted}`{instead}.")


def embeds_only(name: str) -> ModelMissing:
    """The model is there but was made for something else."""
    return ModelMissing(f"{name} makes embeddings and cannot chat.", "Set MODEL to a chat model (`ollama list`).")


def refusal(url: str, name: str, status: int, text: str) -> Exception:
    """Why the server did not answer with the model ``name``: TryAgain around what may pass by itself."""
    if status in (429, 502, 503, 504):
        return TryAgain(
            EngineUnavailable(f"Ollama is busy ({status}): {text or 'no reason given'}", "Wait a moment and ask again.")
        )
    if status == 400 and "context" in text and "exceed" in text:
        return ContextTooLong(
            f"The question and its passages do not fit {name}: {text}",
            "Raise OLLAMA_NUM_CTX, or ask a shorter question in a new conversation.",
        )
    if status == 400 and "does not support chat" in text:
        return embeds_only(name)
    if status == 500:
        return runner_error(name, text)
    return refused(url, status, text)


def runner_error(name: str, text: str) -> Exception:
    """Why the process that runs the model failed."""
    low = text.lower()
    if "memory" in low or "signal: killed" in low:
        hint = "Set MODEL to a smaller model, or lower OLLAMA_NUM_CTX."
        return OutOfMemory(f"{name} does not fit this machine: {text}", hint)
    if "unexpected eof" in low or "terminated" in low or "connection reset" in low:
        hint = "Ask again; if it happens again, memory may be short: use a smaller model."
        return TryAgain(EngineUnavailable(f"Ollama's runner of {name} stopped: {text}", hint))
    hint = f"Fetch it again with `ollama pull {name}`, or set MODEL to another."
    return EngineUnavailable(f"Ollama could not run {name}: {text}", hint)
