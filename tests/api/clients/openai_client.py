"""OpenAI's client: everything that a program may ask, and what comes of it, as one JSON object."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import sys
from collections.abc import Callable
from typing import Any

from openai import APIError, APIStatusError, AsyncOpenAI, OpenAI

ORDER = json.loads(sys.argv[1])
URL = f"{ORDER['url']}/v1"
client = OpenAI(base_url=URL, api_key=ORDER["key"], max_retries=0)
MANY: dict[str, Any] = {
    "user": "u", "metadata": {"a": "b"}, "store": False, "service_tier": "auto", "parallel_tool_calls": True,
    "extra_body": {"chat_id": "1", "top_k": 20, "repetition_penalty": 1.1, "unheard_of": {"deep": [1]}},
}  # fmt: skip


def said(*contents: str) -> list[dict[str, str]]:
    """A conversation: user and assistant by turns."""
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(contents)]


def ask(*contents: str, model: str = "hotswap", **how: Any) -> Any:
    return client.chat.completions.create(model=model, messages=said(*contents), **how)  # type: ignore[arg-type]


def told(reply: Any) -> dict[str, Any]:
    choice = reply.choices[0]
    return {
        "text": choice.message.content,
        "role": choice.message.role,
        "reason": choice.finish_reason,
        "citations": choice.message.citations,
        "usage": reply.usage.model_dump() if reply.usage else None,
        "hotswap": reply.hotswap,
        "object": reply.object,
        "model": reply.model,
    }


def told_of_chunks(chunks: list[Any]) -> dict[str, Any]:
    choices = [choice for chunk in chunks for choice in chunk.choices]
    last = next(chunk for chunk in reversed(chunks) if chunk.choices)
    return {
        "text": "".join(choice.delta.content or "" for choice in choices),
        "roles": [choice.delta.role for choice in choices if choice.delta.role],
        "reasons": [choice.finish_reason for choice in choices if choice.finish_reason],
        "citations": getattr(last, "citations", None),
        "delta_citations": getattr(last.choices[0].delta, "citations", None),
        "usage": [chunk.usage.model_dump() for chunk in chunks if chunk.usage],
        "ids": len({chunk.id for chunk in chunks}),
        "pieces": len(chunks),
    }


def refusal(work: Callable[[], Any]) -> dict[str, Any]:
    """The error that ``work`` ends with, as OpenAI's client raises it."""
    try:
        return {"error": "", "got": str(work())}
    except APIStatusError as error:
        body = error.body if isinstance(error.body, dict) else {}
        return {
            "error": type(error).__name__, "status": error.status_code, "param": error.param, "code": error.code,
            "message": body.get("message"), "hint": body.get("hint"), "type": error.type,
            "request_id": body.get("request_id"), "header_id": error.request_id,
            "retry_after": error.response.headers.get("Retry-After"),
        }  # fmt: skip
    except APIError as error:
        return {"error": type(error).__name__, "code": error.code, "message": error.message}


def streamed(question: str, **how: Any) -> dict[str, Any]:
    """A stream as far as it comes, and how it ends."""
    text = ""

    def read() -> str:
        nonlocal text
        for chunk in ask(question, stream=True, **how):
            text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        return text

    return {**refusal(read), "text": text}


async def both(question: str) -> dict[str, Any]:
    async with AsyncOpenAI(base_url=URL, api_key=ORDER["key"], max_retries=0) as other:
        messages: Any = said(question)
        whole, stream = await asyncio.gather(
            other.chat.completions.create(model="hotswap", messages=messages),
            other.chat.completions.create(model="hotswap", messages=messages, stream=True),
        )
        return {"whole": told(whole), "stream": told_of_chunks([chunk async for chunk in stream])}


def vectors(**how: Any) -> list[list[float]]:
    return [item.embedding for item in client.embeddings.create(model="hotswap", **how).data]


def decoded(text: Any) -> list[float]:
    data = base64.b64decode(text)  # whoever asks for base64 by name gets it from the client as it is
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def quoting(english: str, chinese: str, nowhere: str, collection: str) -> dict[str, Any]:
    """Against a server that quotes."""
    usage = {"include_usage": True}
    follow_up = (english, "Ingrid Halvorsen built it in 1871. [1]", "How far is its lamp seen?")
    messages: Any = [{"role": "system", "content": "Be short."}, {"role": "developer", "content": "x"}, *said(english)]
    parts: Any = [{"role": "user", "content": [{"type": "text", "text": english}]}]
    create = client.chat.completions.create
    image: Any = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    tool: Any = {"type": "function", "function": {"name": "f", "parameters": {}}}
    stranger = OpenAI(base_url=URL, api_key="another", max_retries=0)
    texts = ["The lamp burns oil.", "灯塔"]
    two = vectors(input=texts, encoding_format="float")
    return {
        "whole": told(ask(english)),
        "stream": told_of_chunks(list(ask(english, stream=True))),
        "usage": told_of_chunks(list(ask(english, stream=True, stream_options=usage))),
        "async": asyncio.run(both(english)),
        "chinese": told(ask(chinese)),
        "nowhere": told(ask(nowhere)),
        "follow_up": told(ask(*follow_up)),
        "system": told(create(model="hotswap", messages=messages)),
        "parts": told(create(model="hotswap", messages=parts)),
        "stop": told(ask(english, stop="1871")),
        "length": told(ask(english, max_tokens=5)),
        "collection": told(ask(chinese, model=f"hotswap/{collection}")),
        "other_collection": told(ask(english, model=f"hotswap/{collection}")),
        "many": told(ask(english, **MANY, n=1, tools=[], presence_penalty=0, logprobs=False)),
        "with_a_key_that_nobody_wants": told(
            stranger.chat.completions.create(model="hotswap", messages=said(english))  # type: ignore[arg-type]
        ),
        "models": [model.id for model in client.models.list()],
        "model": client.models.retrieve(f"hotswap/{collection}").id,
        "no_model": refusal(lambda: client.models.retrieve("gpt-4o")),
        "unknown": refusal(lambda: ask(english, model="gpt-4o")),
        "unknown_collection": refusal(lambda: ask(english, model="hotswap/nothing")),
        "hot": refusal(lambda: ask(english, temperature=7)),
        "n": refusal(lambda: ask(english, n=2)),
        "tools": refusal(lambda: ask(english, tools=[tool])),
        "json": refusal(lambda: ask(english, response_format={"type": "json_object"})),
        "image": refusal(lambda: create(model="hotswap", messages=image)),
        "empty": refusal(lambda: ask("  ")),
        "long": refusal(lambda: ask("a " * 15_000)),
        "nobody_asks": refusal(lambda: ask(english, "It was Ingrid.")),
        "no_messages": refusal(lambda: create(model="hotswap", messages=[])),
        "vectors": {
            "two": two,
            "by_default": vectors(input=texts),
            "base64": [decoded(one) for one in vectors(input=texts, encoding_format="base64")],
            "one": vectors(input="The lamp burns oil."),
            "same": vectors(input="The lamp burns oil.", dimensions=len(two[0])),
        },
        "vectors_usage": client.embeddings.create(model="hotswap", input="Oil.").usage.model_dump(),
        "dimensions": refusal(lambda: vectors(input="x", dimensions=7)),
        "tokens": refusal(lambda: client.embeddings.create(model="hotswap", input=[1, 2, 3])),
        "long_text": refusal(lambda: vectors(input=["short", "word " * 2000])),
        "no_text": refusal(lambda: vectors(input="")),
    }


def written(english: str) -> dict[str, Any]:
    """Against a server with keys and a model's server behind it."""
    wrong = OpenAI(base_url=URL, api_key="wrong", max_retries=0)
    stops: Any = {"stop": ["lamp"], "temperature": 0}
    whole = told(ask(english, temperature=0.3, max_tokens=2000, top_p=0.9))
    return {
        "whole": whole,
        "stream": told_of_chunks(list(ask(english, stream=True, stream_options={"include_usage": True}))),
        "short": told(ask(english, max_tokens=5)),
        "short_new": told_of_chunks(list(ask(english, max_completion_tokens=5, stream=True))),
        "stop": told(ask(english, **stops)),
        "wrong_key": refusal(
            lambda: wrong.chat.completions.create(model="hotswap", messages=said(english))  # type: ignore[arg-type]
        ),
        "wrong_key_models": refusal(lambda: list(wrong.models.list())),
        "dies": streamed(f"{english} mode:cut"),
        "dies_unstreamed": refusal(lambda: ask(f"{english} mode:cut")),
        "fails_before": told(ask(f"{english} mode:500")),
    }


def busy(english: str) -> dict[str, Any]:
    """Against a server where everybody at work and in line is somebody else."""
    return {"whole": refusal(lambda: ask(english)), "stream": streamed(english)}


def broken(english: str) -> dict[str, Any]:
    """Against a server that cannot search."""
    return {
        "whole": refusal(lambda: ask(english)),
        "stream": streamed(english),
        "vectors": refusal(lambda: vectors(input="x")),
    }


if __name__ == "__main__":
    work: dict[str, Callable[..., dict[str, Any]]] = {
        "quoting": quoting, "written": written, "busy": busy, "broken": broken,
    }  # fmt: skip
    print(json.dumps(work[ORDER["work"]](**ORDER["questions"])))
