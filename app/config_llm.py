"""The names of the engines, and the ``llm:`` section of ``config.yaml``."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from app.config_errors import did_you_mean, shown_value

EngineName = Literal["auto", "vllm_openai", "vllm", "ollama", "hf", "extractive"]
PolicyName = Literal["round_robin", "least_latency", "least_busy", "affinity"]
ENGINE_SPELLINGS = {"transformers": "hf"}


def engine_name(value: object) -> object:
    """``value``, or for another spelling of an engine its name."""
    return ENGINE_SPELLINGS.get(value, value) if isinstance(value, str) else value


def http_address(value: str) -> str:
    """``value`` without the slash at its end. Raises ValueError where it is no address."""
    if value and not value.startswith(("http://", "https://")):
        raise ValueError(f"is {shown_value('address', value)}, but must begin with http:// or https://")
    return value.rstrip("/")


class Section(BaseModel):
    """A part of the settings file: empty means unset, as everywhere in it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: given for name, given in value.items() if given is not None and given != ""}


def header_value(value: str) -> str:
    """``value``, a key. Raises ValueError where no server could have given it."""
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("has characters that no key has: it is letters, digits and signs, without spaces")
    return value


class GenerationParams(Section):
    """How an engine is asked to write. ``timeout`` in seconds: until the first token, and between two tokens."""

    temperature: float = Field(0.0, ge=0, le=2)
    max_tokens: int = Field(1024, ge=1)
    top_p: float = Field(1.0, gt=0, le=1)
    timeout: float = Field(60.0, gt=0)
    max_retries: int = Field(3, ge=0, le=10)


class RouteSettings(Section):
    """One OpenAI-compatible server. What is not set comes from ``params`` and from VLLM_MODEL and VLLM_API_KEY.

    A route of a higher ``tier`` is asked when no route of a lower one can be. ``timeout`` as in ``params``.
    """

    base_url: str
    model: str = ""
    timeout: float | None = Field(None, gt=0)
    api_key: str = Field("", repr=False)
    weight: float = Field(1.0, gt=0)
    tier: int = Field(0, ge=0)

    @field_validator("base_url")
    @classmethod
    def _is_http_address(cls, value: str) -> str:
        return http_address(value)

    @field_validator("api_key")
    @classmethod
    def _fits_a_header(cls, value: str) -> str:
        return header_value(value)


class Deadlines(Section):
    """Seconds. ``first_token`` and ``stall`` hold while another route could answer instead.

    A route that is known to be slow gets more, no route gets more than its ``timeout``. ``total`` ends every answer.
    """

    connect: float = Field(2.0, gt=0)
    first_token: float = Field(10.0, gt=0)
    stall: float = Field(5.0, gt=0)
    total: float | None = Field(None, gt=0)


class LLMSection(Section):
    """The ``llm:`` section of ``config.yaml``.

    ``probe`` is how often a route that nobody asks is tried, in seconds; 0 tries only those that are out.
    """

    provider: EngineName | None = Field(None, description="the same as LLM_ENGINE, which wins where both are set")
    routes: dict[str, RouteSettings] = Field(default_factory=dict)
    default_route: str = ""
    fallback_route: str = ""
    lb_policy: PolicyName | None = None
    hedge: bool = False
    probe: float = Field(10.0, ge=0)
    deadlines: Deadlines = Deadlines()
    params: GenerationParams = GenerationParams()

    @field_validator("provider", mode="before")
    @classmethod
    def _one_spelling(cls, value: object) -> object:
        return engine_name(value)

    @field_validator("routes", mode="before")
    @classmethod
    def _names_are_words(cls, value: Any) -> Any:
        for name in value if isinstance(value, dict) else ():
            if not re.fullmatch(r"[\w.-]{1,64}", str(name)):
                raise ValueError(f"has the name {str(name)[:80]!r}, but names are 1 to 64 letters, digits, _ . or -")
        return {str(name): route for name, route in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _routes_exist(self) -> LLMSection:
        for key in ("default_route", "fallback_route"):
            name = getattr(self, key)
            if name and name not in self.routes:
                raise ValueError(f"has {key}: {name}, which is no route{did_you_mean(name, self.routes)}")
        if self.fallback_route and self.fallback_route == self.default_route:
            raise ValueError(f"has {self.default_route} as default_route and fallback_route, but they must differ")
        return self
