"""OpenAI-compatible servers, such as vLLM's: what they serve, whether any can answer, and one model over them all."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from app.engines.base import DEFAULT_CONTEXT_WINDOW
from app.engines.http import shown
from app.engines.routing.routes import routes_of
from app.engines.routing.survey import Look, look
from app.errors import EngineError, EngineUnavailable
from app.schema import EngineStatus, OnProgress, Progress, RouteStatus

if TYPE_CHECKING:
    from app.config import Settings
    from app.engines.routing.chat import RoutedChatModel
    from app.engines.routing.router import Router

log = logging.getLogger(__name__)

NOT_CONFIGURED = "No vLLM server is set."
START_HINT = "Start one with `python -m app vllm-serve` and set VLLM_BASE_URL to it, such as http://127.0.0.1:8000/v1."


class VllmOpenAIEngine:
    """The engine ``vllm_openai``: settings VLLM_BASE_URL, VLLM_MODEL, VLLM_API_KEY and the section ``llm``."""

    name = "vllm_openai"
    in_process = takes_memory = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._routes = routes_of(settings)
        self._looks: tuple[Look, ...] = ()
        self._router: Router | None = None
        self._chat: RoutedChatModel | None = None
        self._lock, self._loading = threading.Lock(), threading.Lock()

    def check(self) -> EngineStatus:
        """Ready when one of the servers answers and serves its model."""
        try:
            found = self._look(patient=False)
        except EngineError as error:
            return EngineStatus(self.name, False, self._settings.vllm_model, error.message, error.hint)
        model = found[0].served.name if found[0].served else ""
        if len(self._routes) == 1:
            return EngineStatus(self.name, True, model, f"{model} at {shown(self._routes[0].url)}")
        names = ", ".join(each.route.name for each in found)
        detail = f"{model}: {len(found)} of {len(self._routes)} routes can answer ({names})"
        return EngineStatus(self.name, True, model, detail)

    @property
    def loaded(self) -> bool:
        """Whether a client was built; the models themselves are the servers'."""
        return self._chat is not None

    def memory(self) -> None:
        """The servers' own affair."""

    def load(self, on_progress: OnProgress) -> None:
        """One token: a server lists its models also while it cannot answer. What is odd about a route is logged.

        Raises:
            EngineError: none answers.
        """
        with self._loading:
            if self.loaded:
                return
            where = ", ".join(shown(route.url) for route in self._routes)
            on_progress(Progress("loading", item=self.name, detail=where))
            self._look()
            for each in self._looks:
                if odd := each.problem or (each.error.message if each.error else ""):
                    log.warning("route %s (%s): %s", each.route.name, shown(each.route.url), odd)
            self.chat_model().invoke("Hi", max_tokens=1)

    def chat_model(self) -> RoutedChatModel:
        """The model over all routes.

        Raises:
            EngineUnavailable, ModelMissing: no server is set, or no model is named and none can be found.
        """
        router = self.router()
        if not any(live.model and not live.route.refusal for live in router.routes):
            self._look()
        if self._chat is None:
            from app.engines.routing.chat import RoutedChatModel

            params = self._settings.llm.params
            options = {"temperature": params.temperature, "top_p": params.top_p, "max_tokens": params.max_tokens}
            self._chat = RoutedChatModel(router=router, options=options)
        return self._chat

    def context_window(self) -> int:
        """The smallest ``max_model_len`` of those that share the work, where they tell."""
        try:
            found = [each for each in self._looks if each.served] or self._look()
        except EngineError:
            return DEFAULT_CONTEXT_WINDOW
        sharing = [each for each in found if not each.route.rank[0]] or found
        windows = [each.served.window for each in sharing if each.served and each.served.window]
        return min(windows, default=DEFAULT_CONTEXT_WINDOW)

    def routes(self) -> tuple[RouteStatus, ...]:
        """Every server as it is now; empty where none is set."""
        return self.router().statuses() if self._routes else ()

    def router(self) -> Router:
        """What the routes share, built on first use. Raises EngineUnavailable where no server is set."""
        if not self._routes:
            raise EngineUnavailable(NOT_CONFIGURED, START_HINT)
        with self._lock:
            if self._router is None:
                from app.engines.routing.router import Router

                self._router = Router(self._routes, self._settings.llm)
                self._learn(self._router)
            return self._router

    def number_format(self) -> str:
        """Empty: no server tells."""
        return ""

    def close(self) -> None:
        """Ends the work in the background; the models' memory is the servers' own affair."""
        router, self._router, self._chat = self._router, None, None
        if router is not None:
            router.close()

    def _look(self, *, patient: bool = True) -> list[Look]:
        """The looks at servers that can answer, those that are asked first before the others.

        Raises EngineError where none can.
        """
        if not self._routes:
            raise EngineUnavailable(NOT_CONFIGURED, START_HINT)
        self._looks = look(self._routes, patient=patient)
        if self._router is not None:
            self._learn(self._router)
        if found := [each for each in self._looks if each.served]:
            return sorted(found, key=lambda each: each.route.rank)
        errors = {each.route.name: each.error for each in self._looks if each.error}
        first = next(iter(errors.values()))
        if len(errors) == 1:
            raise first
        reasons = "; ".join(f"{name}: {error.message.rstrip('.')}" for name, error in errors.items())
        raise type(first)(f"No route can answer: {reasons}.", "See `python -m app health`.")

    def _learn(self, router: Router) -> None:
        for each, live in zip(self._looks, router.routes, strict=False):  # there may be no looks yet
            live.problem = each.problem or (each.error.message if each.error else "")
            if each.served is not None:
                live.model, live.window = each.served.name, each.served.window
