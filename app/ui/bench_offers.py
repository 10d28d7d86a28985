"""What can be measured here: the engines that are ready, and the other models of this machine that they could run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.benchmark.named_engine import QUOTES
from app.engines.registry import MAKE_ROOM
from app.service import Service
from app.ui.engine_states import Look
from app.ui.model_states import MODELS

_PATIENCE = 0.3  # seconds that the page may be late rather than offer too little


@dataclass(frozen=True)
class Offer:
    """``name`` as a request has it: an engine with the model that it has, or ``NAME=MODEL``."""

    name: str
    engine: str
    model: str

    @property
    def label(self) -> str:
        """``hf · tiny``."""
        return " · ".join(part for part in (self.engine, self.model) if part)


def engines(look: Look) -> list[Offer]:
    """Each with its own model. One that does not fit beside the one that answers counts: room is made for it."""
    return [
        Offer(status.name, status.name, status.model)
        for status in look.states
        if status.name != QUOTES and (status.ready or status.hint == MAKE_ROOM)
    ]


def others(service: Service, look: Look) -> list[Offer]:
    """Engines with another model of this machine."""
    taken = {(offer.engine, offer.model) for offer in engines(look)}
    return [Offer(f"{engine}={model}", engine, model) for engine, model, names in _models(service, look)
            if not any((engine, name) in taken for name in names)]  # fmt: skip


def drafts(service: Service) -> list[str]:
    """Models of this machine that could write drafts for another."""
    models = MODELS.known(service, _PATIENCE)
    return [model.name for model in models.models if model.kind == "chat" and model.complete] if models else []


def _models(service: Service, look: Look) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Engine, model, and the names by which the engine may call it."""
    for name in look.ollama_models:
        yield "ollama", name, (name,)
    models = MODELS.known(service, _PATIENCE)
    for model in models.models if models else ():
        for verdict in model.engines:
            if verdict.runs:
                yield verdict.engine, model.name, (model.name, model.path.name, str(model.path))
