"""The routes as one LangChain chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, convert_to_openai_messages
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict

from app.engines.conversations import ConversationChatModel, conversation_in
from app.engines.routing.answering import End
from app.engines.routing.exchange import Part
from app.engines.routing.requests import Question
from app.engines.routing.router import Piece, Router

FOREVER = 1e7
"""Seconds. The router has deadlines of its own, and always ends."""


class RoutedChatModel(ConversationChatModel):
    """One model behind several servers. Keywords of a call go into the request, as in OpenAI's API.

    The last chunk's ``response_metadata`` has ``finish_reason``, ``model_name`` and ``routes``: every server that was
    asked, what came of it, and the milliseconds until then. An answer that broke off ends with such a chunk, without
    a ``finish_reason``, and then with IncompleteAnswer.
    """

    router: Router
    options: dict[str, Any]
    model_config = ConfigDict(arbitrary_types_allowed=True)

    @property
    def model_name(self) -> str:
        """The default route's model."""
        return self.router.routes[0].model

    @property
    def _llm_type(self) -> str:
        return "hotswap-routed"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model_name, **self.options}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """A model that may call ``tools``; ``tool_choice``: ``auto``, ``none``, ``any`` or True, or a tool's name."""
        choice: Any = "required" if tool_choice is True or tool_choice == "any" else tool_choice
        if isinstance(choice, str) and choice not in ("auto", "none", "required"):
            choice = {"type": "function", "function": {"name": choice}}
        given = {"tool_choice": choice} if choice else {}
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **given, **kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        feed = self.router.begin(self._question(messages, stop, run_manager, kwargs))
        try:
            while (piece := feed.next(FOREVER)) is not None:
                chunk = _chunk(piece)
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        finally:
            feed.close()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        feed = self.router.begin(self._question(messages, stop, run_manager, kwargs))
        try:
            while (piece := await feed.anext(FOREVER)) is not None:
                chunk = _chunk(piece)
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        finally:
            feed.close()

    def _question(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
        kwargs: Mapping[str, Any],
    ) -> Question:
        given = {**self.options, **kwargs, **(kwargs.get("extra_body") or {})}
        given = {name: value for name, value in given.items() if value is not None and name not in _NOT_SENT}
        if stop:
            given["stop"] = stop
        named = kwargs.get("conversation") or conversation_in(run_manager.metadata if run_manager else None)
        return Question(convert_to_openai_messages(messages), given, named or _beginning(messages))


_NOT_SENT = frozenset(
    {"conversation", "extra_body", "stream", "stream_options", "stream_usage", "model", "return_token_ids"}
)
"""These are the router's."""


def _beginning(messages: list[BaseMessage]) -> str:
    """What stays the same in a conversation: its first question, before passages were put into it."""
    first = next((message for message in messages if isinstance(message, HumanMessage)), None)
    return str(first.additional_kwargs.get("question") or first.text) if first else ""


def _chunk(piece: Piece) -> ChatGenerationChunk:
    if isinstance(piece, str):
        return ChatGenerationChunk(message=AIMessageChunk(content=piece))
    if isinstance(piece, Part):
        return ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=_calls(piece)))
    return _end(piece)


def _calls(part: Part) -> list[Any]:
    found = []
    for call in part.calls:
        function = call.get("function") or {}
        found.append(
            tool_call_chunk(
                name=function.get("name"),
                args=function.get("arguments"),
                id=call.get("id"),
                index=call.get("index"),
            )
        )
    return found


def _end(end: End) -> ChatGenerationChunk:
    metadata: dict[str, Any] = {"model_name": end.model, "routes": [asdict(tried) for tried in end.routes]}
    if end.reason is None:
        return ChatGenerationChunk(message=AIMessageChunk(content="", response_metadata=metadata))
    metadata["finish_reason"] = end.reason
    usage = None
    if end.usage is not None:
        prompt, answer = end.usage
        usage = UsageMetadata(input_tokens=prompt, output_tokens=answer, total_tokens=prompt + answer)
    message = AIMessageChunk(content="", response_metadata=metadata, usage_metadata=usage, chunk_position="last")
    return ChatGenerationChunk(message=message, generation_info={"finish_reason": end.reason})
