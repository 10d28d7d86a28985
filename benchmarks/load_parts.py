"""What benchmarks/load_clients.py runs: the load generators, GuideLLM's environment, a real vLLM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.load_commands import GENERATORS, Figures, Load, Pace, Server
from tests.engines.tiny_model import CONTEXT
from tests.product import free_port
from tools.environment import make_venv, run_pip, torch_requirement, torch_source, venv_python

ROOT = Path(__file__).resolve().parent.parent
RUNNER = Path(__file__).with_name("load_runner.py")
GUIDELLM = "guidellm[perf]==0.8.1"
"""With its extra for speed."""
START_SECONDS = 300.0
_COUNTED = tuple(
    f"vllm:{name}_seconds_{part}"
    for name in ("time_to_first_token", "inter_token_latency") for part in ("count", "sum")
)  # fmt: skip
"""The fields of Counted in what vLLM 0.32 tells (vllm/v1/metrics/loggers.py)."""


class Client:
    """A load generator in a process of its own, on one core."""

    def __init__(self, name: str, python: str | Path, core: int, folder: Path) -> None:
        # Settings of whoever runs this are not what is measured.
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("VLLM_", "GUIDELLM_", "LLM_"))}
        own = {
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(folder / "hf"),  # GuideLLM's copies of the prompts
            "DATA_DIR": str(folder / "state"),
            # By default it starts as many as ten, which on one core are in each other's way.
            "GUIDELLM__MAX_WORKER_PROCESSES": "1",
        }
        self.name = name
        self._folder = folder
        self._log = (folder / f"{name}.log").open("w")
        self._process = subprocess.Popen(
            [str(python), str(RUNNER), name, str(core)],
            env={**kept, **own}, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            start_new_session=True,
        )  # fmt: skip
        self.pid = self._process.pid

    def ready(self) -> None:
        """Returns when it has imported what it needs."""
        self._told()

    def run(self, load: Load, server: Server) -> Figures:
        """Puts ``load`` on ``server``."""
        generator = GENERATORS[self.name]
        report = self._folder / f"{self.name}-{load.name}-{time.monotonic_ns()}.json"
        order = [generator.arguments(load, server, report), str(report if generator.prints else os.devnull)]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        if problem := self._told():
            raise SystemExit(f"{self.name} failed: {problem}; its log is {self._log.name}")
        return generator.read(json.loads(report.read_text()), load)

    def _told(self) -> str | None:
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            problem: str | None = json.loads(line)
            return problem
        raise SystemExit(f"{self.name} stopped; its log is {self._log.name}")

    def close(self) -> None:
        """Ends it, with the processes that it started."""
        _end(self._process)
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            if pipe is not None:
                pipe.close()


def install_guidellm(folder: Path, torch_index: str) -> Path:
    """A Python in ``folder`` that has GuideLLM; one that is there already is taken. Raises SetupError.

    Its torch is the product's version. ``torch_index``: where that comes from; "" is where the product's came from.
    """
    venv, mark = folder / "guidellm", folder / "guidellm" / GUIDELLM
    if not mark.exists():
        make_venv(venv)
        torch = torch_requirement((ROOT / "requirements.txt").read_text(encoding="utf-8"))
        if index := torch_index or torch_source(ROOT / ".venv"):
            run_pip(venv, f"installing torch from {index}", ["--no-deps", "--index-url", index, torch])
        run_pip(venv, f"installing {GUIDELLM}", [GUIDELLM, torch])
        mark.touch()
    return venv_python(venv)


class Counted(NamedTuple):
    """By vLLM since its start: first tokens and the seconds to them, further tokens and the seconds to those."""

    firsts: float
    first_seconds: float
    further: float
    further_seconds: float

    @classmethod
    def of(cls, metrics: str) -> Counted:
        """Out of what a server with the one model "tiny" tells at /metrics."""
        lines = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
        return cls(*(float(lines[f'{name}{{engine="0",model_name="tiny"}}']) for name in _COUNTED))

    def since(self, before: Counted) -> Pace:
        """The pace between the two."""
        firsts, first, further, each = (now - then for now, then in zip(self, before, strict=True))
        return Pace(first / firsts * 1000, each / further * 1000)


class VllmServer:
    """A real vLLM with ``model`` and without a prefix cache, on ``cores`` alone.

    Its engine waits for its worker in a loop that never sleeps: on a client's core, it would be slower the more that
    client does.
    """

    def __init__(self, folder: Path, model: Path, cores: Collection[int]) -> None:
        port = free_port()
        command = [
            sys.executable, "-m", "vllm.entrypoints.openai.api_server", f"--model={model}", "--served-model-name=tiny",
            f"--max-model-len={CONTEXT}", "--dtype=bfloat16", "--enforce-eager",
            "--no-enable-prefix-caching", "--disable-uvicorn-access-log", "--host=127.0.0.1", f"--port={port}",
        ]  # fmt: skip
        own = {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores)),
            "HF_HUB_OFFLINE": "1",
        }
        self.address = Server(f"http://127.0.0.1:{port}", "tiny", model)
        self._log = folder / "vllm.log"
        with self._log.open("w") as out:
            self._process = subprocess.Popen(
                command, env={**os.environ, **own}, stdout=out, stderr=out, start_new_session=True
            )
        self.pid = self._process.pid
        os.sched_setaffinity(self.pid, cores)  # before it starts any thread or process

    def ready(self) -> None:
        """Returns when it answers."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"{self.address.url}/health", timeout=2) as reply:
                if reply.status == 200:
                    return
            time.sleep(0.2)
        raise SystemExit(f"vLLM did not start: {self._log.read_text()[-1000:]}")

    def counted(self) -> Counted:
        """What it has counted so far."""
        with urllib.request.urlopen(f"{self.address.url}/metrics", timeout=30) as reply:
            return Counted.of(reply.read().decode())

    def close(self) -> None:
        """Ends it, with its engine's process."""
        _end(self._process)


def _end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """With all of its session: an engine's own processes, too."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
