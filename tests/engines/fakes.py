"""Engines for the faults and the timing that real ones cannot be made to show on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from app.config import Settings
from app.errors import EngineError, EngineUnavailable, OutOfMemory
from app.models import Fit, Memory, MemoryNeed
from app.schema import EngineStatus, OnProgress, Progress

WORDS = 6


@dataclass
class World:
    """The machine that the engines share, and what is to go wrong with them. Sizes in bytes."""

    size: int = 100
    takes: dict[str, int] = field(default_factory=lambda: {"vllm": 60, "hf": 50})
    down: set[str] = field(default_factory=lambda: {"vllm_openai", "ollama"})
    fails: dict[str, EngineError] = field(default_factory=dict)
    fails_once: dict[str, EngineError] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    made: list[FakeEngine] = field(default_factory=list)
    loading: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    loaded: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.go_on.set()

    @property
    def free(self) -> int:
        return self.size - sum(self.loaded.values())

    def make(self, name: str, settings: Settings) -> FakeEngine:
        return FakeEngine(name, settings, self)


class FakeEngine:
    """Does what its world says, and notes it in the world's log."""

    def __init__(self, name: str, settings: Settings, world: World) -> None:
        self.name = name
        self.in_process = name in ("vllm", "hf")
        self.takes_memory = name in world.takes
        self._model = {"hf": settings.hf_model_path, "ollama": settings.model}.get(name, "")
        self._world = world
        self.closed = 0
        self._built = False
        world.made.append(self)

    @property
    def loaded(self) -> bool:
        return self._built

    def check(self) -> EngineStatus:
        ready = self.name not in self._world.down
        return EngineStatus(self.name, ready, self._model, "as the test says", "" if ready else "Start it.")

    def memory(self) -> Fit | None:
        if self._built or not self.in_process:
            return None
        free = self._world.free
        need = MemoryNeed(self._world.takes[self.name], 0, 0)
        return Fit(need, Memory("cpu", "the test", free, self._world.size), need.total <= free)

    def load(self, on_progress: OnProgress) -> None:
        if self._built:
            return
        on_progress(Progress("loading", item=self.name))
        self._world.loading.set()
        assert self._world.go_on.wait(20)
        if error := self._world.fails_once.pop(self.name, None):
            raise error
        if self.name in self._world.fails:
            raise self._world.fails[self.name]
        if self.takes_memory:
            if self._world.takes[self.name] > self._world.free:
                raise OutOfMemory(f"{self.name} ran out of memory.", "Make room.")
            self._world.loaded[id(self)] = self._world.takes[self.name]
        self._built = True
        self._world.log.append(f"{self.name} loaded")

    def chat_model(self) -> BaseChatModel:
        if self.name in self._world.down:
            raise EngineUnavailable(f"{self.name} is down.", "Start it.")
        self.load(lambda progress: None)
        return FakeChat(engine=self)

    def context_window(self) -> int:
        return 4096

    def close(self) -> None:
        self.closed += 1
        self._world.loaded.pop(id(self), None)
        if self._built:
            self._world.log.append(f"{self.name} closed")
        self._built = False


class FakeChat(BaseChatModel):
    """Says its engine's name six times; notices when its engine is closed in the middle."""

    engine: Any

    @property
    def _llm_type(self) -> str:
        return "fake"

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for number in range(WORDS):
            if not self.engine.loaded:
                raise EngineUnavailable(f"{self.engine.name} was closed under its reader.")
            last = number == WORDS - 1
            metadata = {"finish_reason": "stop"} if last else {}
            message = AIMessageChunk(f"{self.engine.name} ", response_metadata=metadata)
            yield ChatGenerationChunk(message=message)

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError
