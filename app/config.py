"""Settings: environment variables over ``config.yaml`` over defaults.

``get_settings()`` reads them once. ``LLM_ENGINE``, ``MODEL``, ``VLLM_MODEL_PATH`` and ``VLLM_CONFIG`` (and every
other setting in capitals) can be imported from here; they are looked up on first use, so that a typo in a file is
one line of error and never breaks ``--help``.

``python -m app.config`` prints ``config.example.yaml``; ``python -m app.config table`` the table of the docs.
"""

from __future__ import annotations

import difflib
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

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
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

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
            raise ValueError("trust_remote_code does not belong here; set TRUST_REMOTE_CODE instead")
        dtype = value.get("dtype", "auto")
        if dtype not in VLLM_DTYPES:
            raise ValueError(
                f"dtype {dtype!r} is none of {', '.join(VLLM_DTYPES)}; for 8-bit weights set quantization (fp8, awq or gptq)"
            )
        if value.get("quantization") == "squeezellm":
            raise ValueError("quantization 'squeezellm' was removed from vLLM; use awq, gptq or fp8")
        return value

    @field_validator("ollama_base_url", "vllm_base_url")
    @classmethod
    def _is_http_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("data_dir", "log_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @model_validator(mode="before")
    @classmethod
    def _provider_is_second_to_engine(cls, data: dict[str, Any]) -> dict[str, Any]:
        llm = data.get("llm")
        provider = llm.get("provider") if isinstance(llm, dict) else None
        if provider and not ({"llm_engine", "inference_engine"} & data.keys()):
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
        return init_settings, env_settings, _FileSource(settings_cls)


class _FileSource(PydanticBaseSettingsSource):
    """``config.yaml``, or the file that ``CONFIG_FILE`` names."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # pydantic-settings asks for it; __call__ answers for all fields at once

    def __call__(self) -> dict[str, Any]:
        path = config_file()
        if path is None:
            return {}
        values = {str(key).lower(): value for key, value in _load(path).items() if value is not None}
        known = set(Settings.model_fields) | {"inference_engine"}
        for key in values:
            if key not in known:
                raise ConfigError(f"{path.name}: {key.upper()} is no setting.", _did_you_mean(key, known))
        for key in ("data_dir", "log_file"):  # a relative path in a file is relative to that file
            if isinstance(values.get(key), str):
                values[key] = str(path.parent / Path(values[key]).expanduser())
        return values


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


def _load(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise ConfigError(
            f"{path.name} is not valid YAML{where}: {problem}.", "Compare with config.example.yaml."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} cannot be read: {error}.", "Make it a readable UTF-8 file.") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"{path.name} holds no settings.", "Write lines like LLM_ENGINE: ollama; see config.example.yaml."
        )
    return data


def _did_you_mean(key: str, known: set[str]) -> str:
    near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0].upper()}?"
    return f"Settings are {', '.join(sorted(name.upper() for name in known))}."


def load_settings(**overrides: Any) -> Settings:
    """Settings read now; ``overrides`` win over everything.

    Raises:
        ConfigError: one line that names each wrong key, its value and what is allowed.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(_explain(dict(item)) for item in error.errors())
        raise ConfigError(problems, f"Correct it in {_origin()}; config.example.yaml lists every setting.") from None
    except ConfigError:
        raise
    except Exception as error:  # pydantic-settings wraps broken JSON of a variable in an error of its own
        cause = error.__cause__ or error
        raise ConfigError(
            f"{error}: {cause}.", "Complex settings take JSON, as in VLLM_CONFIG='{\"max_model_len\": 8192}'."
        ) from None


def _origin() -> str:
    path = config_file()
    return f"{path.name} or the environment" if path else "the environment"


def _explain(item: dict[str, Any]) -> str:
    where = [str(part) for part in item["loc"]]
    key = where[0].upper() if len(where) == 1 else ".".join([where[0].lower(), *where[1:]])
    kind, allowed = item["type"], item["msg"].removeprefix("Value error, ")
    value = "…" if "key" in key.lower() else repr(item["input"])
    if kind == "extra_forbidden":
        return f"{key} is no setting. {_nested_hint(where)}"
    if kind == "literal_error":
        expected = item["ctx"]["expected"]
        near = difflib.get_close_matches(
            str(item["input"]), [name.strip("'") for name in expected.replace(" or ", ", ").split(", ")], n=1
        )
        return f"{key} is {value}, but must be {expected}{f' (did you mean {near[0]!r}?)' if near else ''}"
    return f"{key} is {value}: {allowed[:1].lower()}{allowed[1:]}"


def _nested_hint(where: list[str]) -> str:
    model = GenerationParams if "params" in where[:-1] else LLMSection if len(where) > 1 else Settings
    return _did_you_mean(where[-1], set(model.model_fields))


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
        key = name if name == "llm" else name.upper()
        block = yaml.safe_dump(
            {key: _default(name)},
            sort_keys=False,
            default_flow_style=None if name == "llm" else True,
            width=200,
        )
        body = block if name == "llm" else f"{key}: {yaml_inline(_default(name))}\n"
        lines += [f"# {field.description}", *(f"# {line}" for line in body.rstrip().splitlines()), ""]
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
