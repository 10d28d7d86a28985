"""What benchmarks/routing.py runs: mock servers and clients, each in a process of its own."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.engines.routing.fault_server import Asked, FaultServer

CLIENTS = Path(__file__).with_name("routing_clients.py")
WORDS = 25
"""Of an answer: 30 to 50 tokens."""


class TimedServer(FaultServer):
    """Notes when each question came; probes apart."""

    def __init__(self, **how: Any) -> None:
        self.came: list[float] = []
        super().__init__(**how)

    async def _reply(self, asked: Asked, writer: Any) -> None:
        hello = asked.body.get("messages", [{}])[0].get("content") == "Hi"  # our probes, of whatever length
        if asked.path.endswith("completions") and not hello:
            self.came.append(time.monotonic())
        self.asked.clear()  # nobody reads it, and a run has many thousands
        await super()._reply(asked, writer)


def serve(orders: Any, first: float, gap: float) -> None:
    """A mock server; each order is its new mode, and it replies with the times of the questions so far."""
    server = TimedServer(length=WORDS)
    with server:
        server.first, server.gap = first, gap
        orders.send(server.url)
        while (mode := orders.recv()) is not None:
            if mode == "refuse":
                server.down()
            elif server.mode == "refuse":
                server.up()
            server.mode = mode
            orders.send(list(server.came))


class Server:
    """A mock server from here."""

    def __init__(self, first: float = 0.0, gap: float = 0.0) -> None:
        context = multiprocessing.get_context("spawn")  # not a fork of a process that has threads
        self._orders, there = context.Pipe()
        self._process = context.Process(target=serve, args=(there, first, gap), daemon=True)
        self._process.start()
        self.url: str = self._orders.recv()

    def turn(self, mode: str) -> list[float]:
        """Puts it into ``mode``; the times at which questions came until then."""
        self._orders.send(mode)
        times: list[float] = self._orders.recv()
        return times

    def close(self) -> None:
        self._process.kill()  # it may be in the midst of a fault
        self._process.join()


@contextmanager
def servers(count: int, first: float = 0.0, gap: float = 0.0) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            found.append(Server(first, gap))
            stack.callback(found[-1].close)
        yield found


class Client:
    """One of the clients, in a process of its own that is told when to ask."""

    def __init__(self, name: str, python: str) -> None:
        # Settings of whoever runs this are not what is measured; LiteLLM would fetch its price list from elsewhere.
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("LLM_", "VLLM_"))}
        environment = {**kept, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        self.name = name
        self._process = subprocess.Popen(
            [python, str(CLIENTS), name],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def begin(self, urls: Sequence[str], readers: int, first: float, stall: float) -> None:
        """Returns when the readers ask; what the client imports takes seconds."""
        self._tell(json.dumps({"urls": list(urls), "readers": readers, "first": first, "stall": stall}))
        self._told()

    def end(self) -> dict[str, Any]:
        """Every answer and the CPU seconds since :meth:`begin`."""
        self._tell("end")
        reply: dict[str, Any] = json.loads(self._told())
        return reply

    def _told(self) -> str:
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return line
        raise SystemExit(f"{self.name} stopped; give {CLIENTS.name} the same order by hand to see why.")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
