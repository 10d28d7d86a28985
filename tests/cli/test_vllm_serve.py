"""``python -m app vllm-serve`` as its user runs it; a script stands in for vLLM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from app.config import ROOT, get_settings
from app.config_method import NGRAM
from app.engines import reaper
from tests.models.parts import model
from tests.product import free_port

FAKE = ROOT / "tests" / "engines" / "vllm_server_fake.py"
KEY = "sk-geheim-123"
SECONDS = 60.0

Run = Callable[..., "Command"]


class Command:
    """The command, running in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], port: int, record: Path) -> None:
        self.process = process
        self.port = port
        self._record = record

    def line(self) -> str:
        """The next line on stdout."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self, how: signal.Signals) -> tuple[int, str]:
        """Send a signal; the exit code and what is on stderr."""
        self.process.send_signal(how)
        _, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, err

    def record(self) -> dict[str, Any]:
        """What the script was started with."""
        data: dict[str, Any] = json.loads(self._record.read_text())
        return data

    def wait_until_gone(self) -> None:
        """Until neither the script nor its child runs."""
        end = time.monotonic() + SECONDS
        while {self.record()["pid"], self.record()["child"]} & reaper.running().keys():
            assert time.monotonic() < end, "a process of the server lives on"
            time.sleep(0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return model(tmp_path / "Small")


@pytest.fixture
def environment(tmp_path: Path, folder: Path) -> dict[str, str]:
    """A user's, with the script in the place of vLLM."""
    package = tmp_path / "packages" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    for above in (package, *list(package.parents)[:2]):
        (above / "__init__.py").touch()
    (package / "api_server.py").write_bytes(FAKE.read_bytes())
    return {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "packages"),
        "VLLM_MODEL_PATH": str(folder),
        "DATA_DIR": str(tmp_path / "state"),
    }


@pytest.fixture
def run(tmp_path: Path, environment: dict[str, str]) -> Iterator[Run]:
    begun: list[subprocess.Popen[str]] = []

    def start(*args: str, faults: dict[str, Any] | None = None, **extra: str) -> Command:
        port, record = free_port(), tmp_path / "record.json"
        given = json.dumps({"record": str(record), **(faults or {})})
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "vllm-serve", f"--port={port}", *args],
            cwd=ROOT,
            env={**environment, "FAKE_VLLM": given, **extra},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return Command(process, port, record)

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_says_how_to_use_the_server_and_ends_it_at_a_signal(run: Run, how: signal.Signals) -> None:
    command = run(VLLM_API_KEY=KEY, VLLM_PROFILE="latency")
    said = command.line() + command.line()
    code, err = command.end(how)

    assert f"VLLM_BASE_URL=http://127.0.0.1:{command.port}/v1 VLLM_API_KEY=… LLM_ENGINE=vllm_openai make run" in said
    assert code == 0
    assert "hotswap: Small needs about" in err
    assert "max_num_seqs=8" in err
    assert "VLLM_PROFILE=latency" in err
    assert err.endswith("stopped\n")
    assert KEY not in said + err
    command.wait_until_gone()


def test_json_is_one_line_and_the_options_go_before_the_settings(run: Run, tmp_path: Path) -> None:
    other = model(tmp_path / "Other")
    command = run("--json", "--model", str(other), "--api-key", KEY, VLLM_API_KEY="old")
    line = json.loads(command.line())
    told = command.record()
    code, err = command.end(signal.SIGTERM)

    assert set(line) == {"url", "model", "pid", "seconds"}
    assert (line["url"], line["model"]) == (f"http://127.0.0.1:{command.port}/v1", "Other")
    assert line["pid"] == told["pid"]
    assert 0 < line["seconds"] < SECONDS
    assert told["environment"]["VLLM_API_KEY"] == KEY
    assert KEY not in json.dumps(told["argv"])
    assert (code, KEY in err) == (0, False)


def test_a_server_speculates_from_the_same_settings(run: Run) -> None:
    command = run("--json", INFERENCE_METHOD="speculative", LLM_ENGINE="vllm")
    command.line()
    told = command.record()["argv"]
    code, err = command.end(signal.SIGTERM)

    given = next(word for word in told if word.startswith("--speculative-config="))
    assert json.loads(given.partition("=")[2]) == NGRAM
    assert code == 0
    assert "speculative_config=" in err, "what it gets is told"


def test_a_failed_start_shows_the_end_of_the_log_and_then_the_cause(run: Run) -> None:
    says = [f"line {number}" for number in range(50)] + [
        "(EngineCore pid=1) ERROR 11-21 03:57:43 [x.py:1] ValueError: no"
    ]
    command = run(faults={"says": says, "dies": 1})
    out, err = command.process.communicate(timeout=SECONDS)

    assert (command.process.returncode, out) == (1, "")
    assert "  line 31\n" in err
    assert "line 30\n" not in err
    assert err.splitlines()[-1].startswith("hotswap: vLLM could not load Small: ValueError: no")
    command.wait_until_gone()


def test_ctrl_c_while_it_loads_ends_it(run: Run, tmp_path: Path) -> None:
    command = run(faults={"slow": 1000})
    end = time.monotonic() + SECONDS
    while not (tmp_path / "record.json").exists():
        assert time.monotonic() < end
        time.sleep(0.05)

    code, err = command.end(signal.SIGINT)

    assert (code, err.splitlines()[-1]) == (0, "stopped")
    command.wait_until_gone()


def test_killing_the_command_leaves_no_process_of_the_server(run: Run) -> None:
    command = run("--json")
    command.line()

    command.end(signal.SIGKILL)

    command.wait_until_gone()


def test_log_level_debug_shows_the_servers_words(run: Run) -> None:
    command = run("--json", faults={"says": ["INFO Loading the weights"]}, LOG_LEVEL="DEBUG")
    command.line()

    assert "INFO Loading the weights" in command.end(signal.SIGTERM)[1]


@contextmanager
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield int(sock.getsockname()[1])


@pytest.fixture
def here(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str]]]:
    """Runs what is refused before anything starts in this process: its exit code and its last line."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()

    def command(*args: str) -> tuple[int, str]:
        code = main(["vllm-serve", *args])
        return code, capsys.readouterr().err.splitlines()[-1]

    yield command
    get_settings.cache_clear()


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--host", "0.0.0.0"], 2, "Listening on 0.0.0.0 would let other machines in, and there is no key"),
        (["--host", "192.168.1.5"], 2, "Set VLLM_API_KEY, or use 127.0.0.1."),
        (["--host", "example"], 2, "example is no address to listen on."),
        (["--port", "0"], 2, "--port 0 is no port."),
        (["--port", "65536"], 2, "--port 65536 is no port."),
        (["--model", "/nowhere/at/all"], 1, "There is no folder /nowhere"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    here: Callable[..., tuple[int, str]], tmp_path: Path, args: list[str], code: int, words: str
) -> None:
    ended, line = here(*args)

    assert ended == code
    assert line.startswith("hotswap: ")
    assert words in line
    assert not (tmp_path / "state").exists()


def test_a_port_in_use_is_said_before_anything_starts(here: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    with taken() as port:
        ended, line = here("--port", str(port))

    assert ended == 1
    assert f"Port {port} cannot be used" in line
    assert f"--port {port + 1}" in line
    assert not (tmp_path / "state").exists()


def test_any_address_is_served_where_there_is_a_key(run: Run) -> None:
    command = run("--json", "--host", "0.0.0.0", VLLM_API_KEY=KEY)
    line = json.loads(command.line())

    assert line["url"] == f"http://127.0.0.1:{command.port}/v1"
    assert "--host=0.0.0.0" in command.record()["argv"]
    assert command.end(signal.SIGTERM)[0] == 0
