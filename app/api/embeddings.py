"""``POST /v1/embeddings``: vectors by a collection's embedding model.

Source: OpenAI API reference, "Create embeddings".
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from app.api.chat_request import Text, WholeNumber
from app.api.described import may_fail
from app.api.leaving import unless_left
from app.api.models import collection_of
from app.api.replies import wrong
from app.knowledge.library import DEFAULT_COLLECTION
from app.service import Service, current
from app.text import estimate_tokens

_AT_ONCE = 32  # texts between two looks at whether somebody still waits
Piece = Annotated[Text, Field(min_length=1, max_length=100_000)]
router = APIRouter(tags=["OpenAI"])


class EmbeddingsRequest(BaseModel):
    """The body. ``model`` as for chat; ``input``: texts, no token numbers."""

    model: Text = Field(examples=["hotswap"])
    input: Piece | Annotated[list[Piece], Field(min_length=1, max_length=2048)] = Field(examples=["A sentence."])
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: WholeNumber | None = Field(None, ge=1, description="the embedding model's own number of them")


@router.post("/v1/embeddings", response_model=None, responses=may_fail(400, 404, 409, 503))
async def embeddings(asked: EmbeddingsRequest, request: Request) -> Response:
    """Unit vectors of texts; one that is longer than the model's window is refused."""
    service = current()
    await run_in_threadpool(_check, asked.model, service)
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    dimension = (await run_in_threadpool(lambda: service.knowledge.embedder.fingerprint)).dimension
    if asked.dimensions not in (None, dimension):
        return wrong(f"dimensions must be {dimension}, which is what this embedding model has", "dimensions")
    fits = await run_in_threadpool(service.knowledge.embedder.fits, texts)
    if not all(fits):
        number = fits.index(False)
        message = f"input[{number}] is longer than the embedding model reads; cut it into pieces"
        return wrong(message, "input", "context_length_exceeded")
    vectors = await unless_left(request, _embedded(service, texts))
    as_text = asked.encoding_format == "base64"
    written = [base64.b64encode(one).decode() if as_text else one.tolist() for one in vectors]
    data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(written)]
    tokens = sum(map(estimate_tokens, texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return JSONResponse({"object": "list", "data": data, "model": asked.model, "usage": usage})


def _check(model: str, service: Service) -> None:
    """Raises EmbedderMismatch where the vectors would be none of that collection's, ModelUnknown without one."""
    name = collection_of(model, service)
    if (name or DEFAULT_COLLECTION) in service.collections():
        service.knowledge.collection(name).check_embedder()


async def _embedded(service: Service, texts: list[str]) -> list[Any]:
    """In its turn among the answers: a machine can do only so much at once."""
    turn = service.answering.admission.enter()
    try:
        await turn.wait_async()
        found: list[Any] = []
        for start in range(0, len(texts), _AT_ONCE):
            found += list(await run_in_threadpool(service.knowledge.embedder.embed, texts[start : start + _AT_ONCE]))
        return found
    finally:
        turn.leave()
