"""What a client of OpenAI's chat API asks for, checked. Source: OpenAI API reference, "Create chat completion".

What is unknown is ignored, as clients of all ages send what they like; what is known and would change the answer in a
way that cannot be had here is refused by its name, unless it stands at its neutral value.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationInfo, field_validator

from app.conversation.request import Wishes
from app.schema import Message

MOST_TOKENS = 1_000_000
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "presence_penalty": (0, 0.0),
    "frequency_penalty": (0, 0.0),
    "seed": (),
    "audio": (),
    "modalities": (["text"],),
    "prediction": (),
    "web_search_options": (),
}
"""What is not to be had here, and the values at which nobody misses it (besides null)."""


def _encodable(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a lone surrogate), which no text has") from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]
Number = Annotated[float, Strict()]  # true and "1" are none
WholeNumber = Annotated[int, Strict()]
YesOrNo = Annotated[bool, Strict()]


class TextPart(BaseModel):
    """A piece of a message. Only text can be read here."""

    type: Literal["text", "input_text"]
    text: Text


class ChatMessage(BaseModel):
    """One message of the conversation so far."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """Its words, parts joined by line breaks."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    """``include_usage``: a last chunk tells the tokens."""

    include_usage: YesOrNo | None = None


def _tell_neutral(schema: dict[str, Any]) -> None:
    schema["properties"] |= {name: {"enum": [None, *values]} for name, values in _NEUTRAL.items()}


class ChatRequest(BaseModel):
    """The body of ``POST /v1/chat/completions``. ``model``: ``hotswap`` or ``hotswap/COLLECTION``."""

    model_config = ConfigDict(json_schema_extra=_tell_neutral)

    model: Text = Field(examples=["hotswap"])
    messages: list[ChatMessage] = Field(min_length=1, examples=[[{"role": "user", "content": "What is this about?"}]])
    stream: YesOrNo | None = False
    stream_options: StreamOptions | None = None
    temperature: Number | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: Number | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    max_tokens: WholeNumber | None = Field(None, ge=1, le=MOST_TOKENS)
    max_completion_tokens: WholeNumber | None = Field(None, ge=1, le=MOST_TOKENS)
    stop: Text | Annotated[list[Text], Field(max_length=4)] | None = None
    n: Any = None
    tools: Any = None
    tool_choice: Any = None
    functions: Any = None
    function_call: Any = None
    response_format: Any = None
    logprobs: Any = None
    top_logprobs: Any = None
    logit_bias: Any = None
    presence_penalty: Any = None
    frequency_penalty: Any = None
    seed: Any = None
    audio: Any = None
    modalities: Any = None
    prediction: Any = None
    web_search_options: Any = None

    @field_validator(*_NEUTRAL, mode="before")
    @classmethod
    def _is_neutral(cls, value: Any, info: ValidationInfo) -> Any:
        same = (one for one in _NEUTRAL[str(info.field_name)] if one == value)
        # True equals 1 to Python, but to nobody else.
        if value is not None and not any(isinstance(one, bool) == isinstance(value, bool) for one in same):
            raise ValueError("is not supported here; leave it out")
        return None

    @field_validator("messages")
    @classmethod
    def _ends_with_a_question(cls, value: list[ChatMessage]) -> list[ChatMessage]:
        if value[-1].role != "user":
            raise ValueError("must end with a message of the user, the question")
        return value

    @property
    def question(self) -> str:
        """What is asked now."""
        return self.messages[-1].text

    def history(self) -> tuple[Message, ...]:
        """The turns before it; the user's instructions are none."""
        return tuple(
            Message("user" if message.role == "user" else "assistant", message.text)
            for message in self.messages[:-1]
            if message.role in ("user", "assistant")
        )

    def wishes(self) -> Wishes:
        """How the answer shall be written."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        told = (message.text for message in self.messages if message.role in ("system", "developer"))
        return Wishes(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_completion_tokens or self.max_tokens,
            stop=tuple(word for word in stop if word),
            instructions="\n\n".join(text for text in told if text.strip()),
        )

    @property
    def tells_usage(self) -> bool:
        """Whether a stream ends with the token counts."""
        return bool(self.stream_options and self.stream_options.include_usage)
