"""What the tests of the router share: settings over fault servers, and answers that tell whether they are whole."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import BaseChatModel

from app.config import Settings, load_settings
from app.engines.vllm_openai import VllmOpenAIEngine
from app.errors import EngineError
from tests.engines.routing.fault_server import MODEL, FaultServer, answer_of
from tests.engines.servers import json_reply

CHAT, MODELS = "POST /v1/chat/completions", "GET /v1/models"
SERVED = json_reply(200, {"data": [{"id": "mock"}]})

QUICK = {"connect": 2.0, "first_token": 1.5, "stall": 1.0}
"""Short enough for tests, long enough for a busy machine."""
PARAMS = {"timeout": 20, "max_tokens": 4000}


def settings(servers: Sequence[FaultServer], policy: str | None = "round_robin", **llm: Any) -> Settings:
    """A route for each of ``servers``, called a, b, c; impatient."""
    routes: dict[str, Any] = {
        name: {"base_url": server.url, "model": MODEL} for name, server in zip("abcdefgh", servers, strict=False)
    }
    for name, more in llm.pop("more", {}).items():
        routes[name] |= more
    llm = {"lb_policy": policy, "deadlines": QUICK, "probe": 0, "params": PARAMS, **llm}
    return load_settings(llm={"routes": routes, **llm})


def engine(servers: Sequence[FaultServer], policy: str | None = "round_robin", **llm: Any) -> VllmOpenAIEngine:
    return VllmOpenAIEngine(settings(servers, policy, **llm))


@dataclass
class Told:
    """An answer: its text, its end, and what went wrong."""

    text: str = ""
    reason: str | None = None
    routes: list[dict[str, Any]] = field(default_factory=list)
    usage: tuple[int, int] | None = None
    error: EngineError | None = None
    ttft: float = 0.0

    def is_whole(self, question: str, length: int = 40) -> bool:
        return self.error is None and self.reason == "stop" and self.text == answer_of(question, length)

    @property
    def names(self) -> list[str]:
        return [tried["route"] for tried in self.routes]


def ask(
    chat: BaseChatModel, question: str, on_text: Callable[[], None] | None = None, **how: Any
) -> Told:
    """One question, read to its end; ``on_text`` is called once, in the midst of the answer."""
    told, began = Told(), time.monotonic()
    try:
        for chunk in chat.stream(question, **how):
            told.ttft = told.ttft or (time.monotonic() - began if chunk.text else 0.0)
            told.text += chunk.text
            if told.text and on_text is not None:
                on_text()
                on_text = None
            told.reason = chunk.response_metadata.get("finish_reason", told.reason)
            told.routes = chunk.response_metadata.get("routes", told.routes)
            if chunk.usage_metadata:
                told.usage = (chunk.usage_metadata["input_tokens"], chunk.usage_metadata["output_tokens"])
    except EngineError as error:
        told.error = error
    return told


def wait_until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} seconds"
        time.sleep(0.02)


def asked(three: list[FaultServer]) -> list[int]:
    return [len(server.questions()) for server in three]


def readers(chat: Any, count: int, each: int = 1, prefix: str = "q") -> dict[str, Told]:
    """``count`` readers at a time, who ask ``each`` questions one after the other."""

    def read(number: int) -> dict[str, Told]:
        return {name: ask(chat, name) for name in (f"{prefix} {number} {turn}" for turn in range(each))}

    with ThreadPoolExecutor(count) as pool:
        return {name: told for found in pool.map(read, range(count)) for name, told in found.items()}


def event(text: str = "", reason: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice]})}\n\n"
