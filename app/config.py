"""Settings: environment variables over ``config.yaml`` over defaults.

``get_settings()`` reads them once. ``LLM_ENGINE``, ``MODEL``, ``VLLM_MODEL_PATH`` and ``VLLM_CONFIG`` (and every
other setting in capitals) can be imported from here; they are looked up on first use, so that a typo in a file is
one line of error and never breaks ``--help``.

``python -m app.config`` prints ``config.example.yaml``; with ``table`` it prints the table of ``docs/settings.md``,
with ``profiles`` ``docs/vllm-profiles.md``.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError

from app import config_print
from app.config_engines import EngineSettings
from app.config_errors import explain, shown_value, where_to_correct
from app.config_file import FileSource, expanded
from app.config_llm import EngineName, LLMSection, engine_name, header_value, http_address
from app.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent


class Settings(EngineSettings):
    """Every setting of the product, checked. Field names are the setting's names in lower case."""

    embedding_model: str = Field(
        "all-MiniLM-L6-v2",
        description="embedding model: the packaged all-MiniLM-L6-v2, or any sentence-transformers name or folder",
    )
    reranker_model: str = Field(
        "", description="a cross-encoder that sorts the passages found once more: hub id or folder; empty: none"
    )
    strictness: float = Field(
        0.5,
        ge=0,
        le=1,
        description="how sure to be that the documents hold the answer before answering: 0 always answers, 1 rarely",
    )
    hf_endpoint: str = Field(
        "", description="the model hub or a mirror of it, such as https://hf-mirror.com; empty: https://huggingface.co"
    )
    max_concurrent_tasks: int = Field(
        8, ge=1, le=1024, description="how many answers are written at once, for the page and other programs together"
    )
    max_queued_tasks: int = Field(
        32,
        ge=0,
        le=10_000,
        description="how many more may wait for their turn; who comes after them is sent away (429)",
    )
    api_keys: str = Field(
        "",
        repr=False,
        description="keys for other programs, and for the page from other machines; several with commas between them;"
        " empty: only this machine may connect",
    )
    rate_limit: int = Field(600, ge=0, description="requests a minute that each key may make; 0: no limit")
    max_upload_mb: int = Field(100, ge=1, description="the largest upload, in millions of bytes")
    offline: bool = Field(False, description="let nothing leave this machine: no download, no server elsewhere")
    data_dir: Path = Field(ROOT / "data" / "state", description="the folder of everything the product writes")
    chroma_url: str = Field(
        "",
        description="address of a Chroma server that keeps the vectors, such as http://127.0.0.1:8000; empty: Chroma"
        " runs in this process and keeps them in DATA_DIR",
    )
    chroma_token: str = Field(
        "", repr=False, description="a bearer token for that server, where what stands before it wants one"
    )
    models_dir: Path | None = Field(None, description="where fetched models are kept; empty: models in DATA_DIR")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="how much is logged to stderr")
    log_file: Path | None = Field(None, description="a file that gets the log as well")
    log_format: Literal["text", "json"] = Field("text", description="lines for people, or JSON for programs")
    llm: LLMSection = Field(
        default_factory=LLMSection,
        description="the engine (provider), vLLM servers and how they share the work (routes and more; see"
        " docs/routes.md), and how an engine is asked to write (params)",
    )

    @property
    def models_folder(self) -> Path:
        """Where fetched models are kept."""
        return self.models_dir or self.data_dir / "models"

    @property
    def keys(self) -> tuple[str, ...]:
        """API_KEYS, each on its own."""
        return tuple(self.api_keys.split(",")) if self.api_keys else ()

    @field_validator("hf_endpoint", "chroma_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        return http_address(value)

    @field_validator("chroma_token")
    @classmethod
    def _token_fits_a_header(cls, value: str) -> str:
        return header_value(value)

    @field_validator("api_keys", mode="before")
    @classmethod
    def _list_or_commas(cls, value: object) -> object:
        return ",".join(map(str, value)) if isinstance(value, list) else value

    @field_validator("api_keys")
    @classmethod
    def _keys_fit_a_header(cls, value: str) -> str:
        return ",".join(header_value(key) for part in value.split(",") if (key := part.strip()))

    @field_validator("log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("data_dir", "models_dir", "log_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return expanded(value).absolute() if value else None

    @model_validator(mode="before")
    @classmethod
    def _provider_is_second_to_engine(cls, data: dict[str, Any]) -> dict[str, Any]:
        llm = data.get("llm")
        provider = llm.get("provider") if isinstance(llm, dict) else None
        # A misspelt provider is left to its own field, so that it is reported once and by its name.
        if engine_name(provider) in get_args(EngineName) and not ({"llm_engine", "inference_engine"} & data.keys()):
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


def example_yaml() -> str:
    """The text of ``config.example.yaml``."""
    return config_print.example_yaml(Settings, ROOT)


def settings_table() -> str:
    """The settings as a Markdown table."""
    return config_print.settings_table(Settings, ROOT)


if __name__ == "__main__":
    pages = {"table": settings_table, "profiles": config_print.profiles_page}
    sys.stdout.write(pages.get(" ".join(sys.argv[1:]), example_yaml)())
