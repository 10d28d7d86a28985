"""Settings: environment variables over ``config.yaml`` over defaults.

``get_settings()`` reads them once. ``LLM_ENGINE``, ``MODEL``, ``VLLM_MODEL_PATH`` and ``VLLM_CONFIG`` (and every
other setting in capitals) can be imported from here; they are looked up on first use, so that a typo in a file is
one line of error and never breaks ``--help``.

``python -m app.config`` prints ``config.example.yaml``; with ``table`` it prints the table of ``docs/settings.md``,
with ``profiles`` ``docs/vllm-profiles.md``.
"""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import (
    AliasChoices,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from app import config_print, config_vllm, config_vllm_profiles
from app.config_errors import explain, shown_value, where_to_correct
from app.config_file import FileSource, expanded
from app.config_llm import EngineName, LLMSection, engine_name, header_value, http_address
from app.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
VLLM_OVERRIDES = (  # engine arguments of vLLM that have a setting of their own, vllm_ before the name
    "tensor_parallel_size",
    "gpu_memory_utilization",
    "max_model_len",
    "max_num_seqs",
    "dtype",
    "disable_log_stats",
)


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
        description="which engine answers: vllm_openai, vllm, ollama, hf (or transformers), extractive;"
        " auto takes the first that is ready, in this order",
    )
    model: str = Field("", description="Ollama's model, such as qwen3:8b; empty: the first chat model that Ollama has")
    ollama_base_url: str = Field("http://127.0.0.1:11434", description="where the Ollama server listens")
    ollama_num_ctx: int = Field(
        8192, ge=512, description="Ollama's context window in tokens; a larger one takes more memory"
    )
    vllm_base_url: str = Field(
        "",
        description="address of a vLLM (OpenAI-compatible) server, such as http://127.0.0.1:8000/v1; several, with"
        " commas between them, share the work",
    )
    vllm_model: str = Field("", description="the model to ask for there; empty: the one that is served")
    vllm_api_key: str = Field("", repr=False, description="the key of that server, where it wants one")
    vllm_model_path: str = Field("", description="hub id or folder of the model for vLLM in this process")
    vllm_config: dict[str, Any] = Field(
        default_factory=dict,
        description="vLLM's engine arguments, such as {max_model_len: 8192, dtype: auto}",
    )
    vllm_profile: str = Field(
        "", description="a ready set of those arguments, such as 24gb or 24gb+throughput; see docs/vllm-profiles.md"
    )
    vllm_tensor_parallel_size: int | None = Field(None, ge=1, description="how many GPUs share the model")
    vllm_gpu_memory_utilization: float | None = Field(
        None, gt=0, le=1, description="how much of the GPU's memory vLLM takes, 0.9 for 90 %"
    )
    vllm_max_model_len: int | None = Field(
        None, ge=1, description="vLLM's context window in tokens; a larger one takes more memory"
    )
    vllm_max_num_seqs: int | None = Field(None, ge=1, description="how many answers vLLM writes at once")
    vllm_dtype: Literal["auto", "half", "float16", "bfloat16", "float", "float32"] | None = Field(
        None, description="the number format that vLLM computes in"
    )
    vllm_disable_log_stats: bool | None = Field(None, description="whether vLLM keeps its statistics out of the log")
    hf_model_path: str = Field(
        "", description="hub id or folder of the model for transformers in this process; empty: VLLM_MODEL_PATH"
    )
    hf_draft_model_path: str = Field(
        "", description="a smaller model of the same family that drafts for it, which makes single answers faster"
    )
    hf_device: str = Field("auto", description="where transformers computes: auto, cpu, cuda, cuda:0, cuda:1, …, mps")
    hf_dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "auto", description="the number format that transformers computes in"
    )
    hf_max_batch: int = Field(8, ge=1, le=256, description="how many answers transformers writes at once")
    trust_remote_code: bool = Field(
        False, description="run Python code that comes with a model; only for models you trust"
    )
    allow_pickle: bool = Field(
        False, description="load weights that are no safetensors; such a file can run code, only for models you trust"
    )
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
    offline: bool = Field(False, description="let nothing leave this machine: no download, no server elsewhere")
    data_dir: Path = Field(ROOT / "data" / "state", description="the folder of everything the product writes")
    models_dir: Path | None = Field(None, description="where fetched models are kept; empty: models in DATA_DIR")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="how much is logged to stderr")
    log_file: Path | None = Field(None, description="a file that gets the log as well")
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
    def hf_model(self) -> str:
        """Hub id or folder of the model for transformers; empty where none is set."""
        return self.hf_model_path or self.vllm_model_path

    def vllm_arguments(self) -> dict[str, Any]:
        """vLLM's engine arguments: the profile's, over them VLLM_CONFIG, over them the settings of single ones.

        What is set to None is left to vLLM. The model, its name and TRUST_REMOTE_CODE are not among them.
        """
        single = {name: getattr(self, f"vllm_{name}") for name in VLLM_OVERRIDES}
        values = {
            **config_vllm_profiles.profile_arguments(self.vllm_profile),
            **self.vllm_config,
            **{name: value for name, value in single.items() if value is not None},
        }
        return {name: value for name, value in values.items() if value is not None}

    @field_validator("llm_engine", mode="before")
    @classmethod
    def _one_spelling(cls, value: object) -> object:
        return engine_name(value)

    @field_validator("vllm_config")
    @classmethod
    def _vllm_config_is_possible(cls, value: dict[str, Any]) -> dict[str, Any]:
        return config_vllm.checked(value)

    @field_validator("vllm_profile")
    @classmethod
    def _profile_is_known(cls, value: str) -> str:
        return "+".join(profile.name for profile in config_vllm_profiles.chosen(value))

    @field_validator("hf_device")
    @classmethod
    def _is_device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", value.lower()):
            raise ValueError(f"is {shown_value('device', value)}, but must be auto, cpu, cuda, cuda:NUMBER or mps")
        return value.lower()

    @field_validator("ollama_base_url", "hf_endpoint")
    @classmethod
    def _is_http_address(cls, value: str) -> str:
        return http_address(value)

    @field_validator("vllm_api_key")
    @classmethod
    def _fits_a_header(cls, value: str) -> str:
        return header_value(value)

    @field_validator("vllm_base_url")
    @classmethod
    def _are_http_addresses(cls, value: str) -> str:
        return ",".join(http_address(url) for part in value.split(",") if (url := part.strip()))

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
