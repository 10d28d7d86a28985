"""Processes that end, or fork, while answers are being written."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.config import ROOT
from tests.engines.routing.fault_server import FaultServer, servers
from tests.engines.routing.parts import engine

SCRIPT = """
import os, sys, threading
from app.config import load_settings
from app.engines.vllm_openai import VllmOpenAIEngine
chat = VllmOpenAIEngine(load_settings(vllm_base_url=sys.argv[1], llm={"probe": 0.2})).chat_model()
"""
ENDS = {
    "in the midst of an answer": "stream = chat.stream('hello'); print(next(stream).text != '')",
    "another thread still reads": (
        "threading.Thread(target=lambda: list(chat.stream('hello')), daemon=True).start()\n"
        "import time; time.sleep(0.5); print(True)"
    ),
    "a process that was forked off asks too": (
        "print(chat.invoke('hello').text != '', flush=True)\n"
        "child = os.fork()\n"
        "if not child:\n    os._exit(0 if chat.invoke('again').text else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0"
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_python_ends_without_a_word(end: str) -> None:
    with servers(2) as two:
        for server in two:
            server.gap = 0.01
        command = [sys.executable, "-c", SCRIPT + ENDS[end], ",".join(server.url for server in two)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_counting_tokens_asks_nobody() -> None:
    with FaultServer() as server:
        chat = engine([server]).chat_model()
        assert 0 < chat.get_num_tokens("hello, how are you?") < 20
        assert server.asked == []
