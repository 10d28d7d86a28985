"""The clients that benchmarks/routing.py compares, each run as a process of its own that reads orders from a pipe.

    PYTHON benchmarks/routing_clients.py {ours|openai|raw|litellm|litellm_tuned}

An order is a line of JSON: the servers' addresses, how many readers, and the deadlines. Once the client is built the
reply is an empty line, and the readers ask one question after the other until the next line comes; then the reply is
a line with every answer and the CPU seconds.
Nothing outside the client's own library is imported, so that LiteLLM can come from another Python.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MODEL = "mock"
QUESTION = "Reader {reader} asks question {number}."
LIMITS = {"temperature": 0.0, "max_tokens": 1024}
LONGEST = 20.0
"""Seconds after the end for the answers under way; what takes longer has failed."""
PAUSE = 0.1
"""Seconds before a reader whose question failed asks the next one."""
SPREAD = 0.5
"""Seconds over which the readers begin: in step, they would all wait for each other."""
Order = dict[str, Any]
Ask = Callable[[str], AsyncIterator[str]]
"""Asks a question; yields new text as it comes, and raises where the client tells of a failure."""


@contextmanager
def ours(order: Order) -> Iterator[Ask]:
    sys.path.insert(0, str(ROOT))
    from app.config import load_settings
    from app.engines.vllm_openai import VllmOpenAIEngine

    routes = {f"route_{number}": {"base_url": url, "model": MODEL} for number, url in enumerate(order["urls"])}
    deadlines = {"first_token": order["first"], "stall": order["stall"]}
    llm = {"routes": routes, "lb_policy": "least_latency", "deadlines": deadlines, "params": LIMITS}
    engine = VllmOpenAIEngine(load_settings(llm=llm, log_level="ERROR"))
    chat = engine.chat_model()

    async def ask(question: str) -> AsyncIterator[str]:
        async for chunk in chat.astream(question):
            yield chunk.text

    yield ask
    engine.close()


@contextmanager
def openai(order: Order) -> Iterator[Ask]:
    """A client for each server, in turn. Its one limit between two pieces is also that for the first."""
    from openai import AsyncOpenAI, Timeout

    limits: Any = {"timeout": Timeout(order["first"]), "max_retries": 2, "api_key": "EMPTY"}
    clients = itertools.cycle([AsyncOpenAI(base_url=url, **limits) for url in order["urls"]])

    async def ask(question: str) -> AsyncIterator[str]:
        messages: Any = [{"role": "user", "content": question}]
        create: Any = next(clients).chat.completions.create
        async for part in await create(model=MODEL, messages=messages, stream=True, **LIMITS):
            yield _said(part)

    yield ask


@contextmanager
def litellm(order: Order, **more: Any) -> Iterator[Ask]:
    from litellm import Router  # type: ignore[import-not-found]

    limits = {"timeout": order["first"], "stream_timeout": order["first"]}
    servers = [{"model": f"openai/{MODEL}", "api_base": url, "api_key": "EMPTY", **limits} for url in order["urls"]]
    models = [{"model_name": MODEL, "litellm_params": server} for server in servers]
    router = Router(model_list=models, num_retries=2, **limits, **more)

    async def ask(question: str) -> AsyncIterator[str]:
        messages = [{"role": "user", "content": question}]
        async for part in await router.acompletion(MODEL, messages=messages, stream=True, **LIMITS):
            yield _said(part)

    yield ask


def litellm_tuned(order: Order) -> Any:
    """Out at the first failure, for a second; others of the group are tried, and broken answers continued."""
    more = {"enable_weighted_failover": True, "enable_mid_stream_fallback_continuation": True}
    return litellm(order, allowed_fails=0, cooldown_time=1, **more)


@contextmanager
def raw(order: Order) -> Iterator[Ask]:
    """The least that reads such a stream; it notices no fault."""
    import aiohttp

    urls = itertools.cycle(order["urls"])
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), read_bufsize=2**18)

    async def ask(question: str) -> AsyncIterator[str]:
        body = {"model": MODEL, "messages": [{"role": "user", "content": question}], "stream": True, **LIMITS}
        async with session.post(f"{next(urls)}/chat/completions", json=body) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    choices = json.loads(line[6:])["choices"]
                    yield (choices[0]["delta"].get("content") or "") if choices else ""

    yield ask
    asyncio.get_running_loop().create_task(session.close())


def _said(part: Any) -> str:
    return (part.choices[0].delta.content or "") if part.choices else ""


async def reader(ask: Ask, number: int, later: float, end: asyncio.Event, answers: list[dict[str, Any]]) -> None:
    """Asks until the end; times are those of the clock that all processes share."""
    await asyncio.sleep(later)
    for count in itertools.count():
        if end.is_set():
            return
        question, text, error = QUESTION.format(reader=number, number=count), "", None
        asked, first = time.monotonic(), None
        try:
            async for new in ask(question):
                if new and first is None:
                    first = time.monotonic()
                text += new
        except (Exception, asyncio.CancelledError) as problem:
            error = f"{type(problem).__name__}: {problem}"[:300]
        ended = time.monotonic()
        answers.append(
            {"question": question, "text": text, "error": error, "asked": asked, "first": first, "ended": ended}
        )
        if error is not None and not end.is_set():
            await asyncio.sleep(PAUSE)


async def carry_out(client: Callable[[Order], Any], order: Order, reply: Callable[[str], None]) -> None:
    answers: list[dict[str, Any]] = []
    end = asyncio.Event()
    with ExitStack() as stack:
        ask = stack.enter_context(client(order))
        reply("")
        cpu = time.process_time()
        count = order["readers"]
        readers = [
            asyncio.create_task(reader(ask, number, SPREAD * number / count, end, answers)) for number in range(count)
        ]
        await asyncio.to_thread(sys.stdin.readline)
        end.set()
        _, late = await asyncio.wait(readers, timeout=LONGEST)
        for task in late:
            task.cancel()
        await asyncio.gather(*readers)
        cpu = time.process_time() - cpu
    reply(json.dumps({"answers": answers, "cpu": cpu}))


async def main() -> None:
    clients = {"ours": ours, "openai": openai, "raw": raw, "litellm": litellm, "litellm_tuned": litellm_tuned}
    client = clients[sys.argv[1]]
    replies, sys.stdout = sys.stdout, sys.stderr  # libraries print what they like

    def reply(line: str) -> None:
        print(line, file=replies, flush=True)

    while line := await asyncio.to_thread(sys.stdin.readline):
        await carry_out(client, json.loads(line), reply)


if __name__ == "__main__":
    asyncio.run(main())
