"""What this machine needs to run a model of its own, as commands to copy. Looks, never changes anything."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

SMALL, MEDIUM = "qwen3:4b", "qwen3:8b"


@dataclass(frozen=True)
class Machine:
    """What matters of a machine; ``system`` as ``platform.system()`` says it."""

    system: str
    has_ollama: bool
    has_nvidia: bool

    @property
    def model(self) -> str:
        """A model that such a machine runs at a bearable speed."""
        return MEDIUM if self.has_nvidia or self.system == "Darwin" else SMALL


def this_machine() -> Machine:
    """The one that the server runs on."""
    return Machine(
        platform.system(),
        shutil.which("ollama") is not None,
        shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia").exists(),
    )


def ollama_commands(machine: Machine) -> list[str]:
    """From nothing to a model that answers, for a shell on ``machine``."""
    pull = f"ollama pull {machine.model}"
    if machine.has_ollama:
        return ["ollama serve", pull]
    if machine.system == "Darwin":
        return ["brew install ollama", "brew services start ollama", pull]
    if machine.system == "Windows":
        return ["winget install Ollama.Ollama", pull]
    return ["curl -fsSL https://ollama.com/install.sh | sh", pull]


def vllm_commands(machine: Machine) -> list[str]:
    """Hotswap started so that it asks a vLLM server."""
    if machine.system == "Windows":
        return ['$env:VLLM_BASE_URL = "http://127.0.0.1:8000/v1"', "python -m app serve"]
    return ["VLLM_BASE_URL=http://127.0.0.1:8000/v1 make run"]
