"""What a route is asked: the question, and how to go on with an answer that broke off elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CHAT, COMPLETIONS = "chat/completions", "completions"
_ONE_PIECE = frozenset(
    {"response_format", "structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar",
     "logprobs", "top_logprobs", "prompt_logprobs", "tool_choice"}
)  # fmt: skip
"""What an answer that was put together out of two could not keep."""


@dataclass(frozen=True)
class Question:
    """``messages`` and ``options`` (temperature, max_tokens, stop and so on) in OpenAI's form.

    ``key`` names its conversation.
    """

    messages: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""

    @property
    def in_one_piece(self) -> bool:
        """Whether its answer cannot be continued elsewhere."""
        return bool(_ONE_PIECE & self.options.keys()) or self.options.get("n", 1) != 1

    @property
    def certain(self) -> bool:
        """Whether the same question has the same answer."""
        return float(self.options.get("temperature", 1.0)) == 0.0

    @property
    def max_tokens(self) -> int | None:
        """How long the answer may be."""
        return self.options.get("max_completion_tokens") or self.options.get("max_tokens")


SMALLEST = Question([{"role": "user", "content": "Hi"}], {"max_tokens": 1, "temperature": 0.0})
"""One token: what proves that a server answers."""


def asked(question: Question, model: str, *, ids: bool) -> dict[str, Any]:
    """The question itself; ``ids`` asks vLLM for the tokens too."""
    body = {"model": model, "messages": list(question.messages), **question.options, **_STREAM}
    return {**body, "return_token_ids": True} if ids else body


def from_text(question: Question, model: str, said: str, left: int | None, *, ids: bool) -> dict[str, Any]:
    """The answer that goes on after ``said``, written into the prompt as the beginning of the last message.

    Source: vLLM, entrypoints/openai/chat_completion/protocol.py (``continue_final_message``).
    """
    begun = {"role": "assistant", "content": said}
    body = asked(question, model, ids=ids) | {"continue_final_message": True, "add_generation_prompt": False}
    return _shorter({**body, "messages": [*question.messages, begun]}, left)


def from_tokens(question: Question, model: str, tokens: Sequence[int], left: int | None) -> dict[str, Any]:
    """The answer that goes on after ``tokens``, the prompt's and its own: nothing is put into tokens once more."""
    body = {"model": model, "prompt": list(tokens), **question.options, **_STREAM, "return_token_ids": True}
    return _shorter(body, left)


def _shorter(body: dict[str, Any], left: int | None) -> dict[str, Any]:
    if left is not None:
        body = {name: value for name, value in body.items() if name != "max_completion_tokens"}
    shorter = body if left is None else {**body, "max_tokens": left}
    if left is not None and "min_tokens" in body:
        shorter["min_tokens"] = min(body["min_tokens"], left)
    return shorter


_STREAM: Mapping[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
