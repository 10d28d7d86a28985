"""Why a vLLM server ended, or would not start: its last words in errors of ours."""

from __future__ import annotations

import re
import signal

from app.engines.routing.served import SEE_LOG
from app.engines.vllm_errors import death, start_error
from app.errors import ConfigError, EngineUnavailable, HotswapError, OutOfMemory, PortInUse

_PORT = re.compile(r"address already in use|Errno 98|Errno 48", re.IGNORECASE)
_FITTING = re.compile(r"estimated maximum model length is (\d+)")
_MODELS_OWN = re.compile(r"max_model_len \(\d+\) is greater than the derived max_model_len \(\w+=(\d+)")
_OPTION = re.compile(r"unrecognized arguments|^argument -|expected (?:one|at least one) argument")
_KILLED = re.compile(r"Failed core proc\(s\): \{.*-9|EngineDeadError")
_LONGEST = 300  # characters of vLLM's words that a reader is shown


def not_started(name: str, code: int, said: str, port: int) -> HotswapError:
    """The server ended while it loaded ``name``, with the exit status ``code``; ``said`` is its failure's words."""
    short = said[:_LONGEST]
    if _PORT.search(said):
        return port_in_use(port, "another program listens there")
    if match := _MODELS_OWN.search(said):
        return ConfigError(
            f"{name} takes {match[1]} tokens at most, fewer than max_model_len asks for.",
            f"Set VLLM_MAX_MODEL_LEN to {match[1]} or less.",
        )
    if match := _FITTING.search(said):
        return OutOfMemory(
            f"The context of {name} does not fit into memory: {short}",
            f"Set VLLM_MAX_MODEL_LEN to {match[1]} or less, or raise VLLM_GPU_MEMORY_UTILIZATION.",
        )
    if _OPTION.search(said):
        return ConfigError(f"vLLM does not take one of its arguments: {short}", "Correct VLLM_CONFIG.")
    if code == -signal.SIGKILL or _KILLED.search(said):
        return OutOfMemory(
            f"The server was killed by the system while it loaded {name}: most likely memory ran out.",
            "Choose a smaller model or a shorter context (VLLM_MAX_MODEL_LEN), or close other programs.",
        )
    if not said:
        return EngineUnavailable(
            f"The server ended while it loaded {name} ({ending(code)}) and did not say why.", SEE_LOG
        )
    return start_error(name, RuntimeError(said), said)


def died(name: str, code: int, said: str) -> str:
    """Why a server that had answered ended, in one sentence."""
    if code < 0 or not said:
        return f"The server of {name} ended ({ending(code)})."
    if _KILLED.search(said):
        return f"The engine of the server of {name} ended without a word: most likely the system killed it."
    return death(name, said).message


def port_in_use(port: int, reason: str) -> PortInUse:
    """No server can listen there."""
    return PortInUse(
        f"Port {port} cannot be used: {reason}.", f"Choose another one, such as `--port {port % 65535 + 1}`."
    )


def ending(code: int) -> str:
    """An exit status in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
