"""``POST /v1/chat/completions``: OpenAI's chat API, answering from the documents."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse

from app.api.chat_reply import DONE, ChatReply, event
from app.api.chat_request import ChatRequest
from app.api.described import gives, may_fail
from app.api.leaving import unless_left
from app.api.models import collection_of
from app.api.replies import as_openai, failure
from app.conversation.response import Response as Answering
from app.errors import EngineError, HotswapError
from app.service import current

log = logging.getLogger(__name__)
router = APIRouter(tags=["OpenAI"])


@router.post(
    "/v1/chat/completions",
    response_model=None,
    responses={**may_fail(400, 404, 409, 503), **gives("text/event-stream")},
)
async def chat_completions(asked: ChatRequest, request: Request) -> Response:
    """Answer the last message from the documents, with the conversation before it."""
    service = current()
    collection = await run_in_threadpool(collection_of, asked.model, service)
    answering = service.ask(
        asked.question, history=asked.history(), collection=collection, wishes=asked.wishes()
    )
    reply = ChatReply(asked)
    if not asked.stream:
        return await _whole(request, answering, reply)
    pieces = aiter(answering)
    # The first word is waited for before anything is sent, so that what goes wrong until then has its status.
    first = await unless_left(request, anext(pieces, ""))
    return StreamingResponse(
        _events(first, pieces, answering, reply),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _whole(request: Request, answering: Answering, reply: ChatReply) -> Response:
    answer = await unless_left(request, answering.wait_async())
    if broken := _broken(answering):
        return failure(broken)
    return JSONResponse(reply.completion(answer))


async def _events(
    first: str, pieces: AsyncGenerator[str], answering: Answering, reply: ChatReply
) -> AsyncGenerator[str]:
    async with aclosing(pieces):
        yield reply.first() + (reply.text(first) if first else "")
        try:
            async for piece in pieces:
                yield reply.text(piece)
        except HotswapError as error:
            yield event(as_openai(error)) + DONE
            return
        except Exception as error:  # the stream has begun: it is told there, and the log has the rest
            log.exception("an answer failed")
            yield event(as_openai(error)) + DONE
            return
        if broken := _broken(answering):
            yield event(as_openai(broken)) + DONE
        else:
            yield reply.last(answering.answer) + DONE


def _broken(answering: Answering) -> EngineError | None:
    """Why the answer did not come to its end. To reach the length allowed is one: OpenAI's API has a word for it."""
    return answering.error if answering.answer.finish_reason == "stop" else None


