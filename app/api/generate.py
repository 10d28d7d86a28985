"""``POST /api/vllm/generate``: plain text for a prompt, without documents, as older programs ask for it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from app.api.chat_request import MOST_TOKENS, Number, Text, WholeNumber
from app.api.described import NoText, may_fail
from app.api.leaving import unless_left
from app.api.replies import status_of
from app.conversation.request import Wishes
from app.errors import HotswapError, TooBusy
from app.service import current

router = APIRouter(prefix="/api/vllm", tags=["engine"])


class GenerateRequest(BaseModel):
    """The body; what is left out is as the settings say."""

    prompt: Text = Field(examples=["Write one sentence about the sea."])
    temperature: Number | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: Number | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    max_tokens: WholeNumber | None = Field(None, ge=1, le=MOST_TOKENS)


@router.post("/generate", response_model=None, responses=may_fail(400, 503, shape=NoText))
async def generate(asked: GenerateRequest, request: Request) -> Response:
    """Text by the engine that answers now, whichever that is."""
    wishes = Wishes(asked.temperature, asked.top_p, asked.max_tokens)
    try:
        answering = current().ask(asked.prompt, documents=False, wishes=wishes)
        answer = await unless_left(request, answering.wait_async())
        if answering.error and answer.finish_reason == "stop":
            raise answering.error
    except HotswapError as error:
        headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooBusy) else {}
        return JSONResponse(refusal(str(error)), status_of(error), headers)
    return JSONResponse({"success": True, "text": answer.answer})


def refusal(message: str) -> dict[str, Any]:
    """The body that says why there is no text."""
    return {"success": False, "error": message}
