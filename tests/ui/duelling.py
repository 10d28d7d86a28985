"""The real service with two engines that say what a test tells them to, when it tells them to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from streamlit.testing.v1 import AppTest

from app.config import Settings, load_settings
from app.errors import EngineError, EngineUnavailable
from app.models import Fit, Memory, MemoryNeed
from app.schema import EngineStatus, OnProgress, Progress
from app.service import Service
from tests.engines.servers import unused_url

FREE = 100  # bytes of memory that the engines share
TAKES = {"vllm": 60, "hf": 50}


class FakeEngine:
    """Ready unless ``down``; ``go_on`` is waited for in the midst of an answer, ``loads`` while it is loaded."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.in_process = self.takes_memory = name in TAKES
        self.loaded = False
        self.down = name not in ("ollama", "vllm_openai", "hf", "vllm")
        self.pieces = [f"The {name[:2]}-th ", "answer."]
        self.error: EngineError | None = None
        self.fails_to_load: EngineError | None = None
        self.finish_reason = "stop"
        self.go_on, self.loads = threading.Event(), threading.Event()
        self.go_on.set()
        self.loads.set()
        self.asked: list[list[BaseMessage]] = []
        self.writing = 0
        self.most_writing = 0

    def check(self) -> EngineStatus:
        return EngineStatus(self.name, not self.down, f"{self.name}-model", "It is away.", "Start it.")

    def memory(self) -> Fit | None:
        if self.loaded or self.name not in TAKES:
            return None
        return Fit(MemoryNeed(TAKES[self.name], 0, 0), Memory("cpu", "the test", FREE, FREE), True)

    def load(self, on_progress: OnProgress) -> None:
        on_progress(Progress("loading", item=self.name, detail="weights 1/2"))
        assert self.loads.wait(20)
        if self.fails_to_load:
            raise self.fails_to_load
        self.loaded = True

    def chat_model(self) -> BaseChatModel:
        if self.down:
            raise EngineUnavailable(f"{self.name} is away.", "Start it.")
        return FakeChat(engine=self)

    def number_format(self) -> str:
        return ""

    def context_window(self) -> int:
        return 4096

    def close(self) -> None:
        self.loaded = False


class FakeChat(BaseChatModel):
    """Says its engine's pieces and waits before the second one."""

    engine: Any

    @property
    def _llm_type(self) -> str:
        return "fake"

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        engine: FakeEngine = self.engine
        engine.asked.append(messages)
        if engine.error is not None and not engine.pieces:
            raise engine.error
        for number, piece in enumerate(engine.pieces):
            if number == 1:
                assert engine.go_on.wait(20)
                if engine.error is not None:
                    raise engine.error
            yield ChatGenerationChunk(message=AIMessageChunk(piece))
        tokens = len(engine.pieces)
        usage = {"input_tokens": 9, "output_tokens": tokens, "total_tokens": 9 + tokens}
        told = {"finish_reason": engine.finish_reason}
        yield ChatGenerationChunk(
            message=AIMessageChunk("", response_metadata=told, usage_metadata=usage)  # type: ignore[arg-type]
        )

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError


def opened_service(folder: Path, **settings: Any) -> Service:
    """A service whose engines are fake; ``engine(service, name)`` gives each."""
    running = Service.open(load_settings(data_dir=folder / "state", ollama_base_url=unused_url(), **settings))
    switch = running.switch
    switch._make = FakeEngine  # type: ignore[assignment]
    switch._engines = {name: FakeEngine(name, running.settings) for name in switch.engines}  # type: ignore[misc]
    return running


def engine(service: Service, name: str) -> FakeEngine:
    """The fake called ``name``."""
    found = service.switch.engines[name]
    assert isinstance(found, FakeEngine)
    return found


def said(page: AppTest) -> str:
    """Everything in the page's main part, labels of buttons included."""
    kinds = (page.main.markdown, page.main.caption, page.main.error, page.main.info, page.main.warning)
    texts = [str(element.value) for kind in kinds for element in kind]
    return "\n".join([*texts, *(button.label for button in page.main.button)]).replace("\\", "")
