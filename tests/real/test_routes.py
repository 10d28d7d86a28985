"""Two real vLLM servers behind one model: cut off, frozen and killed in the midst of an answer.

With temperature 0 an answer that went on by its tokens is the one that was never interrupted. One that went on by its
text is put into tokens anew, so that it may go on otherwise; but it begins with what was there, and goes on with what
the second server wrote, nothing between them lost or twice.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.config import load_settings
from app.engines.vllm_openai import VllmOpenAIEngine
from tests.engines import tiny_model
from tests.engines.routing.cutting_proxy import CuttingProxy
from tests.engines.routing.parts import Told, ask, wait_until
from tests.product import free_port
from tests.real.conftest import START_SECONDS

QUESTION = "Who built the lighthouse? 谁修建了灯塔？"
TOKENS = 120
CUTS = range(1, 120, 14)
"""Characters; the answer has more of them than tokens."""
LONG = {"max_tokens": 1900}
"""An answer that is not over before the server is frozen or killed."""


@dataclass
class Vllm:
    """A server in a session of its own."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)


@contextmanager
def serving(model: Path, log: Path) -> Iterator[Vllm]:
    port = free_port()
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", f"--model={model}", "--served-model-name=tiny",
        f"--max-model-len={tiny_model.CONTEXT}", "--dtype=bfloat16", "--enforce-eager", "--host=127.0.0.1",
        f"--port={port}",
    ]  # fmt: skip
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    server = Vllm(process, port)
    try:
        yield server
    finally:
        with suppress(ProcessLookupError):
            server.signal(signal.SIGKILL)
        process.wait()


def started(server: Vllm, log: Path) -> None:
    def answers() -> bool:
        assert server.process.poll() is None, log.read_text()[-3000:]
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{server.port}/health", timeout=2) as reply:
            return bool(reply.status == 200)
        return False

    wait_until(answers, START_SECONDS / 2)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Vllm]]:
    folder = tmp_path_factory.mktemp("routes")
    model = tiny_model.make(folder / "tiny", tied=False)
    logs = [folder / "a.log", folder / "b.log"]
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(model, log)) for log in logs]
        for server, log in zip(servers, logs, strict=True):
            started(server, log)
        yield servers


def engine(*urls: str, **llm: object) -> VllmOpenAIEngine:
    """The first one answers, as long as it can."""
    routes = {name: {"base_url": url, "model": "tiny"} for name, url in zip("ab", urls, strict=False)}
    params = {"temperature": 0.0, "max_tokens": TOKENS, "timeout": 120}
    return VllmOpenAIEngine(load_settings(llm={"routes": routes, "default_route": "a", "params": params, **llm}))


@pytest.fixture(scope="module")
def whole(two: list[Vllm]) -> str:
    """The answer that nothing interrupts."""
    return uninterrupted(two)


@pytest.fixture(scope="module")
def long(two: list[Vllm]) -> str:
    """A longer one."""
    return uninterrupted(two, **LONG)


def uninterrupted(two: list[Vllm], **how: int) -> str:
    """The same from both."""
    told = [ask(engine(server.url).chat_model(), QUESTION, **how) for server in two]
    assert told[0].error is None and told[0].text == told[1].text
    assert len(set(told[0].text)) > 20, "a model that repeats itself proves little"
    return told[0].text


def cut(two: list[Vllm], at: int, *, by_text: bool) -> tuple[Told, list[str]]:
    """An answer whose first server's connection breaks after ``at`` characters, and the texts that both wrote."""
    with CuttingProxy(two[0].port) as first, CuttingProxy(two[1].port) as second:
        routed = engine(first.url, second.url, probe=0)
        if by_text:
            for live in routed.router().routes:
                live.takes_ids, live.resumes = False, "text"
        first.at = at
        return ask(routed.chat_model(), QUESTION), [*first.passed, *second.passed]


def test_by_its_tokens_the_answer_is_the_one_that_nothing_interrupts(two: list[Vllm], whole: str) -> None:
    for at in CUTS:
        told, _ = cut(two, at, by_text=False)
        assert told.error is None and told.names == ["a", "b"], (at, told)
        assert told.text == whole, at
        assert told.reason == "length" and told.usage is not None and told.usage[1] == TOKENS


def test_by_its_text_nothing_is_lost_or_comes_twice(two: list[Vllm], whole: str) -> None:
    for at in CUTS:
        told, (begun, rest) = cut(two, at, by_text=True)
        assert told.error is None and told.names == ["a", "b"], (at, told)
        assert whole.startswith(begun)
        assert told.text.startswith(begun)
        blank = begun[len(begun.rstrip()) :]
        assert told.text[len(begun) :] in (rest, rest.removeprefix(blank)), at


def test_a_fixed_length_is_kept_by_a_server_and_by_two_that_share_an_answer(two: list[Vllm]) -> None:
    alone = ask(engine(two[0].url).chat_model(), QUESTION, ignore_eos=True, max_tokens=64)
    with CuttingProxy(two[0].port) as first:
        first.at = 20
        shared = ask(engine(first.url, two[1].url).chat_model(), QUESTION, ignore_eos=True, max_tokens=64)
    for told in (alone, shared):
        assert (told.error, told.reason) == (None, "length")
        assert told.usage is not None and told.usage[1] == 64
    assert (shared.names, shared.text) == (["a", "b"], alone.text)


def test_vllm_is_found_to_go_on_with_a_text(two: list[Vllm]) -> None:
    routed = engine(*(server.url for server in two), probe=0.5)
    ask(routed.chat_model(), QUESTION)
    wait_until(lambda: [live.resumes for live in routed.router().routes] == ["text", "text"], 30)
    routed.close()


def test_a_server_that_freezes_is_left_and_comes_back(two: list[Vllm], long: str) -> None:
    limits = {"connect": 2, "first_token": 5, "stall": 1}
    routed = engine(*(server.url for server in two), deadlines=limits)
    chat = routed.chat_model()
    try:
        assert interrupted(routed, two[0], kill=False) == (long, ["a", "b"])
        assert ask(chat, QUESTION, **LONG).text == long  # before its first token too
        assert routed.routes()[0].state == "out"
    finally:
        two[0].signal(signal.SIGCONT)
    began = time.monotonic()
    wait_until(lambda: routed.routes()[0].state == "in", 30)
    assert time.monotonic() - began < 15
    routed.close()


def interrupted(routed: VllmOpenAIEngine, server: Vllm, *, kill: bool) -> tuple[str, list[str]]:
    """The answer in whose midst ``server`` is frozen, and perhaps killed, and who was asked for it.

    On a busy machine all of an answer may come at once, and is over by then: tried again.
    """
    for _ in range(10):
        text, names, frozen, over = "", [], False, False
        for chunk in routed.chat_model().stream(QUESTION, **LONG):
            text += chunk.text
            if text and not frozen:
                server.signal(signal.SIGSTOP)
                frozen = True
                time.sleep(0.3)
                over = routed.routes()[0].in_flight == 0
                if over:
                    server.signal(signal.SIGCONT)
                elif kill:
                    server.signal(signal.SIGKILL)
            names += [tried["route"] for tried in chunk.response_metadata.get("routes", ())]
        if not over:
            return text, names
    pytest.fail("every answer was over at once")


def test_a_server_that_is_killed_takes_no_answer_with_it(two: list[Vllm], long: str) -> None:
    """The last test of the file: it ends one of the servers."""
    routed = engine(*(server.url for server in two))
    chat = routed.chat_model()
    assert interrupted(routed, two[0], kill=True) == (long, ["a", "b"])
    for _ in range(2):
        assert ask(chat, QUESTION, **LONG).text == long
    assert routed.routes()[0].state == "out"
    assert "no server runs there" in routed.routes()[0].reason
    routed.close()
