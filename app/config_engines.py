"""The settings that are about language models; ``config.py`` has the others and reads them all."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import AliasChoices, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app import config_method, config_vllm, config_vllm_profiles
from app.config_errors import shown_value
from app.config_llm import EngineName, engine_name, header_value, http_address

VLLM_OVERRIDES = (  # engine arguments of vLLM that have a setting of their own, vllm_ before the name
    "tensor_parallel_size",
    "gpu_memory_utilization",
    "max_model_len",
    "max_num_seqs",
    "dtype",
    "disable_log_stats",
)


class EngineSettings(BaseSettings):
    """What engines there are, and where their models are. Field names are the setting's names in lower case."""

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
    inference_method: str = Field(
        "",
        description="speculative: several tokens at a time; vllm (speculative_config in VLLM_CONFIG, else n-grams) and"
        " hf (with HF_DRAFT_MODEL_PATH) can, and no other engine answers then; empty: each engine's ordinary way",
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

    @property
    def hf_model(self) -> str:
        """Hub id or folder of the model for transformers; empty where none is set."""
        return self.hf_model_path or self.vllm_model_path

    def vllm_arguments(self) -> dict[str, Any]:
        """vLLM's engine arguments: the profile's, over them VLLM_CONFIG, over them the settings of single ones.

        What is set to None is left to vLLM, but for speculation where INFERENCE_METHOD asks for it. The model, its name
        and TRUST_REMOTE_CODE are not among them.
        """
        single = {name: getattr(self, f"vllm_{name}") for name in VLLM_OVERRIDES}
        values = {
            **config_vllm_profiles.profile_arguments(self.vllm_profile),
            **self.vllm_config,
            **{name: value for name, value in single.items() if value is not None},
        }
        values = {name: value for name, value in values.items() if value is not None}
        return config_method.speculating(values) if self.inference_method else values

    @field_validator("llm_engine", mode="before")
    @classmethod
    def _one_spelling(cls, value: object) -> object:
        return engine_name(value)

    @field_validator("inference_method")
    @classmethod
    def _method_is_possible(cls, value: str, info: ValidationInfo) -> str:
        return config_method.checked(value, info.data.get("llm_engine", ""))

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

    @field_validator("ollama_base_url")
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
