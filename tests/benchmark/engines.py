"""Engines that answer as they are told: how fast, how much memory they want, what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from app.benchmark.monitor.memory import MemoryGauge, Taken
from app.config import Settings
from app.errors import EngineError, EngineUnavailable
from app.models import Fit, Memory, MemoryNeed
from app.schema import EngineStatus, OnProgress, Progress

GB = 10**9


@dataclass
class Machine:
    """What the engines share, and what they note: ``log`` in order, ``asked`` the messages by engine and model.

    ``takes`` are bytes by the engine's name, ``paces`` seconds a token, ``down`` those that are not ready. Engines in
    ``fails`` fail after as many answers. ``time`` passes only while they write: see :class:`MachineClock`.
    """

    size: int = 100 * GB
    takes: dict[str, int] = field(default_factory=lambda: {"hf": 2 * GB, "vllm": 4 * GB})
    paces: dict[str, float] = field(default_factory=dict)
    down: dict[str, str] = field(default_factory=dict)
    load_errors: dict[str, EngineError] = field(default_factory=dict)
    fails: dict[str, int] = field(default_factory=dict)
    window: int = 4096
    time: float = 0.0
    log: list[str] = field(default_factory=list)
    asked: dict[str, list[Sequence[BaseMessage]]] = field(default_factory=dict)
    loaded: dict[int, int] = field(default_factory=dict)
    made: list[PacedEngine] = field(default_factory=list)

    @property
    def free(self) -> int:
        return self.size - sum(self.loaded.values())

    def make(self, name: str, settings: Settings) -> PacedEngine:
        engine = PacedEngine(name, settings, self)
        self.made.append(engine)
        return engine


class PacedEngine:
    """One of them. Its model is what the settings name."""

    def __init__(self, name: str, settings: Settings, machine: Machine) -> None:
        self.name = name
        self.settings = settings
        self.in_process = name in ("hf", "vllm")
        self.takes_memory = self.in_process
        self.model = {
            "hf": settings.hf_model, "vllm": settings.vllm_model_path, "ollama": settings.model
        }.get(name, "") or "m"  # fmt: skip
        self.machine = machine
        self._built = False

    @property
    def loaded(self) -> bool:
        return self._built

    def check(self) -> EngineStatus:
        why = self.machine.down.get(self.name, "")
        return EngineStatus(self.name, not why, self.model, why or "ready", "Start it." if why else "")

    def memory(self) -> Fit | None:
        if self._built or not self.in_process:
            return None
        need, free = MemoryNeed(self.machine.takes[self.name], 0, 0), self.machine.free
        return Fit(need, Memory("cpu", "the test", free, self.machine.size), need.total <= free)

    def load(self, on_progress: OnProgress) -> None:
        if self._built:
            return
        on_progress(Progress("loading", item=self.name))
        if error := self.machine.load_errors.get(self.name):
            raise error
        if self.in_process:
            self.machine.loaded[id(self)] = self.machine.takes[self.name]
        self._built = True
        self.machine.log.append(f"load {self.name}")

    def chat_model(self) -> BaseChatModel:
        return PacedChat(engine=self)

    def context_window(self) -> int:
        return self.machine.window

    def number_format(self) -> str:
        return "bfloat16"

    def close(self) -> None:
        self.machine.loaded.pop(id(self), None)
        if self._built:
            self.machine.log.append(f"close {self.name}")
        self._built = False


class PacedChat(BaseChatModel):
    """As many tokens as are asked for, one each ``paces`` of its engine."""

    engine: Any

    @property
    def _llm_type(self) -> str:
        return "paced"

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        machine, name = self.engine.machine, self.engine.name
        machine.asked.setdefault(name, []).append(messages)
        if machine.log[-1:] != [f"ask {name}"]:
            machine.log.append(f"ask {name}")
        left = machine.fails.get(name)
        if left is not None:
            machine.fails[name] = left - 1
            if left <= 0:
                raise EngineUnavailable(f"{name} died.", "Look at its log.")
        count = kwargs["max_tokens"]
        for number in range(count):
            machine.time += machine.paces.get(name, 0.001)
            await asyncio.sleep(0)
            last = number == count - 1
            message = AIMessageChunk(
                f"w{number} ",
                response_metadata={"finish_reason": "length"} if last else {},
                usage_metadata={"input_tokens": 7, "output_tokens": count, "total_tokens": 7 + count} if last else None,
            )
            yield ChatGenerationChunk(message=message)

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError


class MachineClock:
    """The machine's own time, so that speeds are certain; for ``app.benchmark.comparisons.course.RealClock``."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def now(self) -> float:
        return self._machine.time

    async def sleep_until(self, when: float) -> None:
        raise NotImplementedError


class FakeGauge(MemoryGauge):
    """What the engines of ``machine`` say that they take."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def now(self) -> Taken:
        return Taken(GB + sum(self._machine.loaded.values()), None)
