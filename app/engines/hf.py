"""transformers in this process: what it would load, and loading, asking and closing it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.engines.base import DEFAULT_CONTEXT_WINDOW
from app.engines.hf_place import check_loadable, find_kind, installed, reckon, window
from app.errors import EngineError, EngineUnavailable
from app.imports import IMPORTING
from app.models import Fit, ModelFacts, find, inspect
from app.schema import EngineStatus, Progress

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from app.config import Settings
    from app.engines.feed import Feed
    from app.engines.hf_running import Running
    from app.engines.local_chat import Piece, Sampling, Turns
    from app.schema import OnProgress

INSTALL = "Install them with `pip install -r requirements.txt`."
NO_DRAFT = "INFERENCE_METHOD is speculative, and no draft is set: transformers speculates with a smaller model."
DRAFT_HINT = "Set HF_DRAFT_MODEL_PATH to a smaller model of the same family, or leave INFERENCE_METHOD empty."


class HfEngine:
    """The engine ``hf``: settings HF_* (HF_MODEL_PATH, else VLLM_MODEL_PATH), ALLOW_PICKLE, TRUST_REMOTE_CODE.

    Readers share the model: their answers are written together, at most HF_MAX_BATCH at a time. With
    HF_DRAFT_MODEL_PATH, which INFERENCE_METHOD=speculative wants, and for models that keep another memory than
    attention's (Mamba), they come one by one.
    """

    name = "hf"
    in_process = takes_memory = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: Running | None = None
        self._chat: BaseChatModel | None = None
        self._failed: EngineError | None = None
        self._closing = threading.Event()
        self._lock = threading.Lock()  # held while a model is loaded or closed

    @property
    def loaded(self) -> bool:
        """Whether a model is in memory."""
        return self._running is not None

    def check(self) -> EngineStatus:
        """Ready when the model is on this disk and transformers can load it on the device; or is loaded."""
        running, failed = self._running, self._failed
        if running:
            return EngineStatus(self.name, True, running.name, f"{running.name} on {running.place}")
        if failed:
            return self._not_ready(failed)
        try:
            facts, *_ = self._look()
        except EngineError as error:
            return self._not_ready(error)
        return EngineStatus(self.name, True, facts.name, f"{facts.name}, to be loaded on first use")

    def memory(self) -> Fit | None:
        """For HF_MAX_BATCH readers with a usual context each; None also where the model cannot be read."""
        if self.loaded:
            return None
        try:
            return reckon(self._look(), find_kind(self._settings.hf_device), self._settings)
        except EngineError:
            return None

    def load(self, on_progress: OnProgress) -> None:
        """Loads the model and has it write a first token."""
        self._load(on_progress)

    def chat_model(self) -> BaseChatModel:
        """The model; what is kept of it beyond a ``close`` answers no more."""
        return self._chat or self._load(lambda progress: None)

    def context_window(self) -> int:
        """What the model was trained for, at most what this device reads in sensible time and memory."""
        running = self._running
        if running:
            return running.window
        try:
            facts, *_ = self._look()
            return window(facts, find_kind(self._settings.hf_device))
        except EngineError:
            return DEFAULT_CONTEXT_WINDOW

    def number_format(self) -> str:
        """The weights' quantization, else what transformers was told to compute in; empty until it is loaded."""
        running = self._running
        return running.number_format if running else ""

    def close(self) -> None:
        """Breaks off every answer, and the loading too; gives the memory back."""
        self._closing.set()
        with self._lock:
            self._closing.clear()
            running, self._running, self._chat, self._failed = self._running, None, None, None
            if running:
                from app.engines.hf_running import release_memory

                running.close()
                del running
                release_memory()

    def _load(self, on_progress: OnProgress) -> BaseChatModel:
        def step(what: str) -> None:
            if self._closing.is_set():
                raise EngineUnavailable("It was closed while it was loading.", "Ask again.")
            on_progress(Progress("loading", item=self.name, detail=what))

        with self._lock:
            if self._chat is None:
                self._failed = None
                try:
                    self._chat = self._build(step)
                except EngineError as error:
                    self._failed = type(error)(error.message, error.hint)  # without what its traceback holds
                    raise
            return self._chat

    def _build(self, step: Callable[[str], None]) -> BaseChatModel:
        model, *draft = self._look()
        step("transformers")
        with IMPORTING:
            from app.engines.hf_running import start
        from app.engines.local_chat import LocalChatModel

        self._running = start(model, draft[0] if draft else None, self._settings, step)
        params = self._settings.llm.params
        return LocalChatModel(
            model_name=model.name,
            begin=self._begin,
            temperature=params.temperature,
            top_p=params.top_p,
            max_tokens=params.max_tokens,
            patience=params.timeout,
        )

    def _not_ready(self, error: EngineError) -> EngineStatus:
        return EngineStatus(self.name, False, self._settings.hf_model, error.message, error.hint)

    def _begin(self, turns: Turns, sampling: Sampling) -> Feed[Piece]:
        running = self._running
        if running is None:
            raise EngineUnavailable("The model was closed.", "Ask again.")
        return running.begin(turns, sampling)

    def _look(self) -> list[ModelFacts]:
        """The model, and its draft where one is set. Raises EngineError where they cannot be loaded."""
        if not (installed("torch") and installed("transformers")):
            raise EngineUnavailable("PyTorch and transformers are not installed.", INSTALL)
        settings, shelf = self._settings, self._settings.models_folder
        if settings.inference_method and not settings.hf_draft_model_path:
            raise EngineUnavailable(NO_DRAFT, DRAFT_HINT)
        found = [inspect(find(settings.hf_model, setting="HF_MODEL_PATH", shelf=shelf))]
        if settings.hf_draft_model_path:
            found.append(inspect(find(settings.hf_draft_model_path, setting="HF_DRAFT_MODEL_PATH", shelf=shelf)))
        kind = find_kind(settings.hf_device)
        for facts in found:
            check_loadable(facts, kind, allow_pickle=settings.allow_pickle)
        return found
