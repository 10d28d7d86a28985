"""An Ollama server: which models it has, whether it can answer, and giving its memory back."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import httpx

from app.engines.http import check_offline, fetch, on_this_machine, shown
from app.engines.ollama_errors import embeds_only, in_the_cloud, missing
from app.engines.ollama_models import OllamaModel, full_name, list_models, trained_for
from app.errors import EngineError, ModelMissing
from app.schema import EngineStatus

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from app.config import Settings
    from app.schema import OnProgress


class OllamaEngine:
    """The engine ``ollama``: settings MODEL, OLLAMA_BASE_URL, OLLAMA_NUM_CTX and ``llm.params``."""

    name = "ollama"
    in_process = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = settings.ollama_base_url
        self._found: OllamaModel | None = None  # by the last look at the server
        self._built: tuple[str, int, BaseChatModel] | None = None

    @property
    def takes_memory(self) -> bool:
        """Whether the server is on this machine."""
        return on_this_machine(self._url)

    @property
    def loaded(self) -> bool:
        """Whether a model is used from here, which the server then holds in its memory."""
        return self._built is not None

    def check(self) -> EngineStatus:
        """Ready when the server answers and has the model."""
        try:
            model = self._look()
        except EngineError as error:
            return EngineStatus(self.name, False, self._settings.model, error.message, error.hint)
        return EngineStatus(self.name, True, model.name, f"{model.name} at {shown(self._url)}")

    def memory(self) -> None:
        """None: it is the server's affair, which measures it when it loads a model."""

    def load(self, on_progress: OnProgress) -> None:
        """Has the server read the model into its memory. One that it has there already stays.

        Raises:
            EngineError: it cannot be loaded, or not within ten minutes.
        """
        from app.engines.ollama_load import load

        name, num_ctx, _ = self._build()
        try:
            load(self._url, name, num_ctx, on_progress)
        except BaseException:
            self._built = None  # nothing to unload
            raise

    def chat_model(self) -> BaseChatModel:
        """The model that MODEL names, else the first chat model that the server has.

        Raises:
            EngineUnavailable, ModelMissing: MODEL is empty and no model can be found.
        """
        return self._build()[2]

    def context_window(self) -> int:
        """OLLAMA_NUM_CTX, or what the model was trained for where that is less: the server would cut it down too."""
        window = self._settings.ollama_num_ctx
        with contextlib.suppress(EngineError):
            model = self._found or self._look()
            return min(window, model.context_length or trained_for(self._url, model.name) or window)
        return window

    def number_format(self) -> str:
        """The quantization, such as Q4_K_M."""
        with contextlib.suppress(EngineError):
            return (self._found or self._look()).quantization
        return ""

    def close(self) -> None:
        """Asks the server to unload the model, if it was used from here."""
        built, self._built = self._built, None
        if built is None:
            return
        body = {"model": built[0], "messages": [], "keep_alive": 0}
        with contextlib.suppress(httpx.HTTPError, EngineError):
            fetch("POST", f"{self._url}/api/chat", body=body)

    def _build(self) -> tuple[str, int, BaseChatModel]:
        """The name, the context window and the model itself, built anew when the server has another one."""
        if self._settings.offline:
            self._look()  # whether the model is on this machine, only the server knows
        name, num_ctx = self._settings.model or (self._found or self._look()).name, self.context_window()
        built = self._built
        if built is None or built[:2] != (name, num_ctx):
            from app.engines.ollama_chat import build

            built = self._built = (name, num_ctx, build(name, num_ctx, self._settings))
        return built

    def _look(self) -> OllamaModel:
        check_offline(self._settings, self._settings.ollama_base_url, "OLLAMA_BASE_URL")
        self._found = self._pick(list_models(self._url))
        return self._found

    def _pick(self, models: list[OllamaModel]) -> OllamaModel:
        wanted = self._settings.model
        if not wanted:
            usable = [model for model in models if model.chats and not model.remote]
            if not usable:
                raise ModelMissing("Ollama has no chat model yet.", "Fetch one, such as `ollama pull qwen3:8b`.")
            return usable[0]
        match = next((model for model in models if model.name == full_name(wanted)), None)
        if match is None:
            raise missing(wanted, [model.name for model in models if model.chats])
        if not match.chats:
            raise embeds_only(wanted)
        if match.remote and self._settings.offline:
            raise in_the_cloud(wanted)
        return match
