"""What the faults of an Ollama server mean, in one place."""

from __future__ import annotations

import re
from collections.abc import Sequence

import httpx

from app.engines.http import shown
from app.engines.retry import TryAgain
from app.errors import ContextTooLong, EngineTimeout, EngineUnavailable, ModelMissing, OutOfMemory, UsageError

START_HINT = (
    "Start it with `ollama serve`, or set OLLAMA_BASE_URL to where it listens"
    " (inside a container: http://host.docker.internal:11434)."
)
SEE_LOG = "See Ollama's log."
HUNG_UP = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
"""The server closed the connection before it had answered."""


def unreachable(url: str, error: Exception) -> EngineUnavailable:
    """No connection, none that lasted, or no answer in time."""
    if isinstance(error, httpx.TimeoutException):
        return EngineUnavailable(f"Ollama at {shown(url)} does not answer.", START_HINT)
    if isinstance(error, HUNG_UP):
        return EngineUnavailable(f"Ollama at {shown(url)} closed the connection.", SEE_LOG)
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


def in_the_cloud(name: str) -> ModelMissing:
    """OFFLINE is set, and the server would ask another one for the answer."""
    return ModelMissing(
        f"OFFLINE is set, and {name} runs in a cloud.", "Set MODEL to a model that Ollama has on this machine."
    )


def still_loading(name: str, seconds: float) -> EngineTimeout:
    """The time for loading the model has run out."""
    return EngineTimeout(
        f"Ollama was still loading {name} after {seconds:g} seconds.",
        "Use a smaller model, or raise timeout in llm.params.",
    )


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
    hint = f"{SEE_LOG} If its file is damaged, fetch it again with `ollama pull {name}`, or set MODEL to another."
    return EngineUnavailable(f"Ollama could not run {name}: {text}", hint)


def no_model_name(name: str) -> UsageError:
    """No model can have this name."""
    hint = "Names look like qwen3:8b or hf.co/user/model:Q4_K_M; ollama.com/library lists models."
    return UsageError(f"{name!r} is no name of a model." if name else "No model was named.", hint)


def pull_broke_off(name: str) -> EngineUnavailable:
    """The stream of a pull ended without a word of success."""
    return EngineUnavailable(f"Fetching {name} broke off.", "Run it again: it goes on where it stopped.")


_SIGNATURE = re.compile(r"\?[^\s\"']+")
_PULL_FAULTS = (
    (
        r"no space left|not enough (disk )?space|insufficient (disk )?space|disk quota|disk (is )?full",
        "The Ollama server's disk has no room for {name}",
        "Free some where it keeps its models (OLLAMA_MODELS) and run it again: it goes on where it stopped.",
    ),
    (
        r"permission denied|read-only file system|access is denied",
        "Ollama may not write {name} to its disk",
        "Let the user that runs `ollama serve` write where it keeps its models (OLLAMA_MODELS).",
    ),
    (r"manifest: 412|newer version of ollama", "{name} needs a newer Ollama", "Update Ollama and run it again."),
    (
        r"no such host|server misbehaving|dial tcp|connection (refused|reset)|unreachable|time-?out|deadline exceeded"
        r"|proxyconnect|x509|tls|max retries|\beof\b",
        "The Ollama server does not get through to where {name} lies",
        "Give its machine a way there (HTTPS_PROXY of `ollama serve`) and run it again: it goes on where it stopped.",
    ),
)


def pull_error(name: str, text: str) -> ModelMissing | EngineUnavailable:
    """Why the server could not fetch the model ``name``."""
    text = _SIGNATURE.sub("", text)  # the query of a storage address is as good as a password
    low = text.lower()
    if re.search(r"manifest: (file does not exist|40[0134])|not found|unauthorized", low):
        hint = "Correct the name (ollama.com/library lists models); a private one needs `ollama signin`."
        return ModelMissing(f"Ollama finds no model {name} to fetch: {text}", hint)
    for pattern, what, hint in _PULL_FAULTS:
        if re.search(pattern, low):
            return EngineUnavailable(f"{what.format(name=name)}: {text}", hint)
    return EngineUnavailable(f"Ollama could not fetch {name}: {text or 'no reason given'}", f"Run it again. {SEE_LOG}")
