"""``GET /v1/models``: the collections of documents, as models that know them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api.described import may_fail
from app.api.replies import not_found
from app.errors import ModelUnknown
from app.knowledge.library import DEFAULT_COLLECTION
from app.service import Service, current

NAME = "hotswap"
router = APIRouter(tags=["OpenAI"])


def collection_of(model: str, service: Service) -> str | None:
    """The collection that ``hotswap`` (the default one) or ``hotswap/COLLECTION`` means.

    Raises:
        ModelUnknown: it is neither, or there is no such collection.
    """
    name, _, collection = model.partition("/")
    if model in (NAME, f"{NAME}/{DEFAULT_COLLECTION}"):
        return None
    if name == NAME and collection in service.collections():
        return collection
    raise ModelUnknown(f"There is no model {model[:100]!r}.", f"There is {', '.join(_names(service))}.")


def _names(service: Service) -> list[str]:
    others = sorted(set(service.collections()) - {DEFAULT_COLLECTION})
    return [NAME, f"{NAME}/{DEFAULT_COLLECTION}", *(f"{NAME}/{name}" for name in others)]


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": NAME}


@router.get("/v1/models", response_model=None, responses=may_fail())
async def models() -> dict[str, Any]:
    """``hotswap`` answers from the default collection, ``hotswap/COLLECTION`` from that one."""
    names = await run_in_threadpool(_names, current())
    return {"object": "list", "data": [_model(name) for name in names]}


@router.get("/v1/models/{model:path}", response_model=None, responses=may_fail(404))
async def model(model: str) -> dict[str, Any] | Response:
    """One of them."""
    if model in await run_in_threadpool(_names, current()):
        return _model(model)
    return not_found(f"There is no model {model[:100]!r}.", "model_not_found", "model")
