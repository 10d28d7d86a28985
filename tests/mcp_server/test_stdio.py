"""``python -m app mcp`` as a process: what it writes where, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.product import ROOT, command, environment

HELLO = {
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


class Process:
    """The command, and the lines of JSON that go in and out."""

    def __init__(self, data: Path, *args: str, **variables: str) -> None:
        self.raw = subprocess.Popen(
            [sys.executable, "-m", "app", "mcp", *args], cwd=ROOT, env=environment(data, **variables), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=1, encoding="utf-8",
        )  # fmt: skip
        self._asked = 0

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request."""
        assert self.raw.stdin and self.raw.stdout
        self._asked += 1
        self.raw.stdin.write(json.dumps({"jsonrpc": "2.0", "id": self._asked, **request}) + "\n")
        answer = json.loads(self.raw.stdout.readline())
        assert answer["id"] == self._asked
        return dict(answer)

    def call(self, tool: str, **args: Any) -> dict[str, Any]:
        """The result of a tool."""
        result = self.ask(method="tools/call", params={"name": tool, "arguments": args})["result"]
        return dict(result)

    def end(self) -> tuple[int, str, str]:
        """Its exit code, and what was left in stdout and stderr."""
        out, err = self.raw.communicate(timeout=30)
        return self.raw.returncode, out, err


@contextmanager
def process(data: Path, *args: str, **variables: str) -> Iterator[Process]:
    running = Process(data, *args, **variables)
    try:
        yield running
    finally:
        running.raw.kill()
        running.raw.communicate()


def test_stdout_is_the_protocols_and_the_log_goes_to_stderr(tmp_path: Path) -> None:
    with process(tmp_path / "state", "--collection", "papers", LOG_LEVEL="DEBUG") as running:
        assert running.ask(**HELLO)["result"]["serverInfo"]["name"] == "hotswap"
        result = running.call("list_documents")
        assert result["isError"] and result["content"][0]["text"].startswith("There is no collection 'papers'.")
        assert "There is no collection 'default'." in str(running.call("list_documents", collection="default"))
        assert running.raw.stdin
        running.raw.stdin.write("no JSON\n")
        assert running.ask(method="ping")["result"] == {}
        running.raw.stdin.close()
        running.raw.stdin = None
        assert running.end()[:2] == (0, "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_though_stdin_stays_open(tmp_path: Path, how: signal.Signals) -> None:
    with process(tmp_path / "state") as running:
        running.ask(**HELLO)
        running.call("list_documents")
        running.raw.send_signal(how)
        assert running.raw.wait(20) == 0
        assert running.end() == (0, "", "\nstopped\n")


def test_a_client_that_breaks_off_leaves_no_traceback(tmp_path: Path) -> None:
    with process(tmp_path / "state") as running:
        running.ask(**HELLO)
        assert running.raw.stdin and running.raw.stdout
        running.raw.stdout.close()
        running.raw.stdin.write('{"jsonrpc": "2.0", "id": 2, "method": "tools/list"}\n')
        assert running.raw.wait(20) == 0
        assert running.raw.stderr and running.raw.stderr.read() == ""


def test_wrong_settings_and_wrong_usage(tmp_path: Path) -> None:
    wrong = command(tmp_path / "state", "mcp", LLM_ENGINE="vlm")
    assert (wrong.code, wrong.out, wrong.err.count("\n")) == (1, "", 1)
    assert "LLM_ENGINE" in wrong.err
    assert command(tmp_path / "state", "mcp", "--port", "1").code == 2
    assert "--collection" in command(tmp_path / "state", "mcp", "--help").out
