"""An answer in OpenAI's words: the completion, and the chunks of a stream.

Source: OpenAI API reference, "The chat completion object" and "The chat completion chunk object". Ours are
``citations`` (on the message, and on the last chunks of a stream) and ``hotswap``, which tells what an answer from
documents has beside its words.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict
from typing import Any

from app.api.chat_request import ChatRequest
from app.schema import Answer
from app.text import estimate_tokens

DONE = "data: [DONE]\n\n"


class ChatReply:
    """The objects that tell one answer; all carry the same id."""

    def __init__(self, asked: ChatRequest) -> None:
        self._asked = asked
        self._head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": asked.model}

    def completion(self, answer: Answer) -> dict[str, Any]:
        """The whole answer."""
        cited = [citation.as_dict() for citation in answer.citations]
        message = {"role": "assistant", "content": answer.answer, "refusal": None, "citations": cited}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": self._usage(answer),
            "hotswap": _told(answer),
        }

    def first(self) -> str:
        """The chunk that opens a stream."""
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def text(self, piece: str) -> str:
        """A chunk of text."""
        return self._chunk({"content": piece})

    def last(self, answer: Answer) -> str:
        """The chunks that end a stream, with the sources, and with the tokens where they were asked for."""
        cited = [citation.as_dict() for citation in answer.citations]
        more = {"citations": cited, "hotswap": _told(answer)}
        end = self._chunk({"citations": cited}, answer.finish_reason, **more)
        if not self._asked.tells_usage:
            return end
        usage = {"object": "chat.completion.chunk", "choices": [], "usage": self._usage(answer), **more}
        return end + event({**self._head, **usage})

    def _chunk(self, delta: dict[str, Any], reason: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        told = {"object": "chat.completion.chunk", "choices": [choice], **more}
        return event({**self._head, **told, **({"usage": None} if self._asked.tells_usage else {})})

    def _usage(self, answer: Answer) -> dict[str, int]:
        """The engine's own count; an estimate where no engine was asked, or it does not count."""
        read = answer.usage.prompt_tokens if answer.usage else estimate_tokens(self._asked.question)
        written = answer.usage.completion_tokens if answer.usage else estimate_tokens(answer.answer)
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def event(data: dict[str, Any]) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _told(answer: Answer) -> dict[str, Any]:
    return {
        "engine": answer.engine,
        "model": answer.model,
        "complete": answer.complete,
        "refused": answer.refused,
        "query": answer.query,
        "timings": asdict(answer.timings),
    }
