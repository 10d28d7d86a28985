"""The names of the engines, and the ``llm:`` section of ``config.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

EngineName = Literal["auto", "vllm_openai", "vllm", "ollama", "hf", "extractive"]
ENGINE_SPELLINGS = {"transformers": "hf"}


def engine_name(value: object) -> object:
    """``value``, or for another spelling of an engine its name."""
    return ENGINE_SPELLINGS.get(value, value) if isinstance(value, str) else value


class GenerationParams(BaseModel):
    """How an engine is asked to write. ``timeout`` in seconds: until the first token, and between two tokens."""

    model_config = ConfigDict(extra="forbid")

    temperature: float = Field(0.0, ge=0, le=2)
    max_tokens: int = Field(1024, ge=1)
    top_p: float = Field(1.0, gt=0, le=1)
    timeout: float = Field(60.0, gt=0)
    max_retries: int = Field(3, ge=0, le=10)


class LLMSection(BaseModel):
    """The ``llm:`` section of ``config.yaml``."""

    model_config = ConfigDict(extra="forbid")

    provider: EngineName | None = Field(None, description="the same as LLM_ENGINE, which wins where both are set")
    params: GenerationParams = GenerationParams()

    @field_validator("provider", mode="before")
    @classmethod
    def _one_spelling(cls, value: object) -> object:
        return engine_name(value)
