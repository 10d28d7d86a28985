"""The engine ``vllm``: a model that vLLM runs in this process. The light part; vLLM itself is imported to load."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from app.engines import vllm_plan
from app.engines.base import DEFAULT_CONTEXT_WINDOW
from app.engines.vllm_errors import again
from app.errors import EngineError, EngineUnavailable, HotswapError
from app.schema import EngineStatus, Progress

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from app.config import Settings
    from app.engines.vllm_runtime import VllmRuntime
    from app.models import Fit
    from app.schema import OnProgress

PROGRESS_SECONDS = 0.25


class VllmEngine:
    """Settings VLLM_MODEL_PATH, VLLM_CONFIG (and VLLM_PROFILE, VLLM_…), TRUST_REMOTE_CODE and ``llm.params``."""

    name = "vllm"
    in_process = takes_memory = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runtime: VllmRuntime | None = None
        self._chat: BaseChatModel | None = None
        self._failure: EngineError | None = None
        self._closings = 0
        self._lock = threading.Lock()  # held while the model is loaded or closed

    @property
    def loaded(self) -> bool:
        """Whether its processes run."""
        return self._runtime is not None

    def check(self) -> EngineStatus:
        """Ready when vLLM and its device are there and the model is whole; after a failure not before ``close``."""
        runtime = self._runtime
        try:
            failure = runtime.over if runtime else self._failure
            if failure is not None:
                return self._not_ready(failure)
            memory = vllm_plan.device() if runtime is None else None
            facts = vllm_plan.model_facts(self._settings)
        except HotswapError as error:
            return self._not_ready(error)
        where = "loaded" if runtime else f"on {memory.name}" if memory else "not loaded yet"
        return EngineStatus(self.name, True, facts.name, f"{facts.name}, {where}")

    def _not_ready(self, error: HotswapError) -> EngineStatus:
        return EngineStatus(self.name, False, self._settings.vllm_model_path, error.message, error.hint)

    def memory(self) -> Fit | None:
        """What vLLM would take; None once loaded, and where check() says why it cannot be."""
        if self.loaded:
            return None
        try:
            memory = vllm_plan.device()
            facts = vllm_plan.model_facts(self._settings)
        except HotswapError:
            return None
        return None if memory is None else vllm_plan.memory_fit(self._settings, facts, memory)

    def load(self, on_progress: OnProgress) -> None:
        """See Engine; progress comes a few times a second, with the step in ``detail``.

        Raises:
            EngineError: as the class says, by what is wrong; also where ``close`` comes meanwhile.
        """
        before = self._closings
        with self._lock:
            if self._closings != before:
                raise _closed(self.name)
            if self._runtime is not None:
                if self._runtime.over is None:
                    return
                self._unload()
            try:
                self._runtime, self._failure = self._load(on_progress, before), None
            except EngineError as error:
                if self._closings == before:
                    self._failure = again(error)
                raise

    def _load(self, on_progress: OnProgress, closings: int) -> VllmRuntime:
        from app.engines.workers import Workers

        facts = vllm_plan.model_facts(self._settings)
        arguments = vllm_plan.engine_arguments(self._settings, facts, vllm_plan.device())
        workers = Workers()

        def build() -> VllmRuntime:
            from app.engines.vllm_start import start

            return start(facts, arguments, workers, verbose=self._settings.log_level == "DEBUG")

        with ThreadPoolExecutor(1, "vllm-load") as pool:
            building = pool.submit(build)
            try:
                while not wait([building], PROGRESS_SECONDS).done:
                    on_progress(Progress("loading", item=facts.name, detail=workers.log.step))
                    if self._closings != closings:
                        raise _closed(self.name)
            except BaseException:  # on_progress may cancel, the user may press Ctrl-C
                workers.end()
                if building.exception() is None:
                    building.result().close()
                raise
        return building.result()

    def chat_model(self) -> BaseChatModel:
        """See Engine. After a failed load it raises that failure until :meth:`load` or :meth:`close` is called."""
        chat, runtime = self._chat, self._runtime
        if chat is not None and runtime is not None and runtime.over is None:
            return chat
        if self._failure is not None:
            raise again(self._failure)
        self.load(lambda progress: None)
        with self._lock:
            if self._runtime is None:
                raise _closed(self.name)
            if self._chat is None:
                self._chat = self._chat_model(self._runtime)
            return self._chat

    def _chat_model(self, runtime: VllmRuntime) -> BaseChatModel:
        from app.engines.local_chat import LocalChatModel

        params = self._settings.llm.params
        return LocalChatModel(
            model_name=runtime.name,
            begin=runtime.begin,
            temperature=params.temperature,
            top_p=params.top_p,
            max_tokens=params.max_tokens,
            patience=params.timeout,
        )

    def context_window(self) -> int:
        """What the loaded model has; before, what VLLM_MAX_MODEL_LEN or the model's files say."""
        runtime = self._runtime
        if runtime is not None:
            return runtime.window
        try:
            facts = vllm_plan.model_facts(self._settings)
            return vllm_plan.planned_length(self._settings, facts) or DEFAULT_CONTEXT_WINDOW
        except HotswapError:
            return DEFAULT_CONTEXT_WINDOW

    def number_format(self) -> str:
        """The weights' quantization, else what vLLM computes in; empty until it is loaded."""
        runtime = self._runtime
        return runtime.number_format if runtime else ""

    def close(self) -> None:
        """Breaks off answers and loading, ends the worker processes; the next chat_model() loads anew."""
        self._closings += 1
        runtime = self._runtime
        if runtime is not None:
            runtime.close()
        with self._lock:
            self._unload()
            self._failure = None

    def _unload(self) -> None:
        runtime, self._runtime, self._chat = self._runtime, None, None
        if runtime is not None:
            runtime.close()


def _closed(name: str) -> EngineUnavailable:
    return EngineUnavailable(f"{name} was closed while it was loaded.", "Ask again.")
