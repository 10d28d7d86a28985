"""Settings: environment variables over ``config.yaml`` over defaults.

``get_settings()`` reads them once. ``LLM_ENGINE``, ``MODEL``, ``VLLM_MODEL_PATH`` and ``VLLM_CONFIG`` (and every
other setting in capitals) can be imported from here; they are looked up on first use, so that a typo in a file is
one line of error and never breaks ``--help``.

``python -m app.config`` prints ``config.example.yaml``; ``python -m app.config table`` the table of the docs.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from app.config_errors import any_of, explain, shown_value, where_to_correct
from app.config_file import FileSource, expanded
from app.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
EngineName = Literal["auto", "vllm_openai", "ollama", "extractive"]
VLLM_DTYPES = ("auto", "half", "float16", "bfloat16", "float", "float32")


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


class Settings(BaseSettings):
    """Every setting of the product, checked. Field names are the setting's names in lower case."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        populate_by_name=True,
        str_strip_whitespace=True,
    )

    llm_engine: EngineName = Field(
        "auto",
        validation_alias=AliasChoices("llm_engine", "inference_engine"),
        description="which engine answers; auto takes the first that is ready of vllm_openai, ollama, extractive",
    )
    model: str = Field("", description="Ollama's model, such as qwen3:8b; empty: the first chat model that Ollama has")
    ollama_base_url: str = Field("http://127.0.0.1:11434", description="where the Ollama server listens")
    ollama_num_ctx: int = Field(
        8192, ge=512, description="Ollama's context window in tokens; a larger one takes more memory"
    )
    vllm_base_url: str = Field(
        "", description="address of a vLLM (OpenAI-compatible) server, such as http://127.0.0.1:8000/v1"
    )
    vllm_model: str = Field("", description="the model to ask that server for; empty: the one it serves")
    vllm_api_key: str = Field("", repr=False, description="the key of that server, where it wants one")
    vllm_model_path: str = Field("", description="hub id or folder of the model for vLLM in this process")
    vllm_config: dict[str, Any] = Field(
        default_factory=dict,
        description="vLLM's engine arguments, such as {max_model_len: 8192, dtype: auto}",
    )
    trust_remote_code: bool = Field(
        False, description="run Python code that comes with a model; only for models you trust"
    )
    embedding_model: str = Field(
        "all-MiniLM-L6-v2",
        description="embedding model: the packaged all-MiniLM-L6-v2, or any sentence-transformers name or folder",
    )
    strictness: float = Field(
        0.5,
        ge=0,
        le=1,
        description="how sure to be that the documents hold the answer before answering: 0 always answers, 1 rarely",
    )
    data_dir: Path = Field(ROOT / "data" / "state", description="the folder of everything the product writes")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="how much is logged to stderr")
    log_file: Path | None = Field(None, description="a file that gets the log as well")
    llm: LLMSection = Field(
        default_factory=LLMSection, description="the engine (provider) and how it is asked to write (params)"
    )

    @field_validator("vllm_config")
    @classmethod
    def _vllm_config_is_possible(cls, value: dict[str, Any]) -> dict[str, Any]:
        if "trust_remote_code" in value:
            raise ValueError("has trust_remote_code, which is a setting of its own; set TRUST_REMOTE_CODE instead")
        dtype = value.get("dtype", "auto")
        if dtype not in VLLM_DTYPES:
            raise ValueError(
                f"has dtype {shown_value('dtype', dtype)}, but must have {any_of(VLLM_DTYPES)};"
                " for 8-bit weights set quantization to fp8, awq or gptq"
            )
        if value.get("quantization") == "squeezellm":
            raise ValueError("has quantization 'squeezellm', which vLLM no longer knows; use awq, gptq or fp8")
        return value

    @field_validator("ollama_base_url", "vllm_base_url")
    @classmethod
    def _is_http_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError(f"is {shown_value('address', value)}, but must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("data_dir", "log_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return expanded(value).absolute() if value else None

    @model_validator(mode="before")
    @classmethod
    def _provider_is_second_to_engine(cls, data: dict[str, Any]) -> dict[str, Any]:
        llm = data.get("llm")
        provider = llm.get("provider") if isinstance(llm, dict) else None
        # A misspelt provider is left to its own field, so that it is reported once and by its name.
        if provider in get_args(EngineName) and not ({"llm_engine", "inference_engine"} & data.keys()):
            data["llm_engine"] = provider
        return data

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, FileSource(settings_cls, config_file())


def config_file() -> Path | None:
    """The settings file in use: ``CONFIG_FILE``, else ``config.yaml`` beside the product, if it is there."""
    named = os.environ.get("CONFIG_FILE")
    if named:
        path = Path(named).expanduser().absolute()
        if not path.is_file():
            raise ConfigError(f"CONFIG_FILE names {named}, which is no file.", "Correct the path or unset CONFIG_FILE.")
        return path
    path = ROOT / "config.yaml"
    return path if path.is_file() else None


def load_settings(**overrides: Any) -> Settings:
    """Settings read now; ``overrides`` win over everything.

    Raises:
        ConfigError: one line that names each wrong key, its value and what is allowed.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = " ".join(explain(dict(problem), Settings) for problem in error.errors())
        raise ConfigError(problems, where_to_correct(config_file())) from None
    except SettingsError as error:  # a variable that should hold JSON does not
        raise _no_json(error) from None


def _no_json(error: SettingsError) -> ConfigError:
    name = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "").upper()
    value = next((value for variable, value in os.environ.items() if variable.upper() == name), "")
    return ConfigError(
        f"{name} is {shown_value(name, value)}, but must be JSON: {error.__cause__}.",
        "Write it as in VLLM_CONFIG='{\"max_model_len\": 8192}'.",
    )


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read on first use. Raises ConfigError."""
    return load_settings()


def __getattr__(name: str) -> Any:
    if name.isupper() and name.lower() in Settings.model_fields:
        return getattr(get_settings(), name.lower())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _default(name: str) -> Any:
    value = Settings.model_fields[name].get_default(call_default_factory=True, validated_data={})
    if isinstance(value, Path):
        return value.relative_to(ROOT).as_posix()
    return value.model_dump(exclude_none=True) if isinstance(value, BaseModel) else value


def example_yaml() -> str:
    """The text of ``config.example.yaml``: every setting, its meaning and its default, all commented out."""
    lines = [
        "# Every setting with its default. Copy to config.yaml and uncomment what you change.",
        "# An environment variable of the same name wins.",
        "",
    ]
    for name, field in Settings.model_fields.items():
        if name == "llm":
            body = yaml.safe_dump({name: _default(name)}, sort_keys=False, default_flow_style=None)
        else:
            body = f"{name.upper()}: {yaml_inline(_default(name))}"
        lines += [f"# {field.description}", *(f"# {line}" for line in body.splitlines()), ""]
    return "\n".join(lines)


def yaml_inline(value: Any) -> str:
    """``value`` as one line of YAML."""
    return yaml.safe_dump(value, default_flow_style=True, width=200).removesuffix("...\n").strip()


def settings_table() -> str:
    """The settings as a Markdown table."""
    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        key = name if name == "llm" else name.upper()
        rows.append(f"| `{key}` | `{yaml_inline(_default(name))}` | {field.description} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(settings_table() if sys.argv[1:] == ["table"] else example_yaml())
