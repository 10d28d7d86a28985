"""What a vLLM server is started with: its command line, its environment, the memory it takes. Starts nothing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.engines import vllm_plan
from app.errors import ConfigError, OutOfMemory

if TYPE_CHECKING:
    from app.config import Settings
    from app.models import Fit

# Not `vllm serve`: that is a script which need not be on the PATH.
PROGRAM = (sys.executable, "-m", "vllm.entrypoints.openai.api_server")
ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses that stand for all of this machine's, and where it reaches itself then."""

# Engine arguments whose flags are unlike the others'; a test asks vLLM's own parser.
ONLY_ON = {"aggregate_engine_logging", "data_parallel_multi_port_external_lb", "disable_log_stats"}
WITH_COMMAS = {"device_ids"}
WITHOUT_FLAG = {"enable_mm_processor_stats", "mamba_config", "model_weights"}

_PRIVATE = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
_USUAL = {
    "VLLM_HOST_IP": "127.0.0.1",  # else vLLM asks the network for this machine's address
    "VLLM_LOGGING_COLOR": "0",
    "PYTHONUNBUFFERED": "1",  # what it says last, when it is killed, shall be in the log
    "PYTHONWARNINGS": "ignore::DeprecationWarning",  # vLLM's, of its own program
}


@dataclass(frozen=True)
class ServerPlan:
    """One server: ``url`` is its API's address for clients on this machine, ``key`` what they have to bring.

    ``values`` are the engine arguments that the settings give; ``fit`` is None for a device that cannot be asked.
    """

    name: str
    url: str
    key: str = field(repr=False)
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    values: Mapping[str, Any]
    fit: Fit | None
    converses: bool
    log_file: Path


def plan(settings: Settings, host: str, port: int) -> ServerPlan:
    """The server for VLLM_MODEL_PATH, under the name VLLM_MODEL or the model's own.

    Raises:
        EngineUnavailable: vLLM or its device is not there, or the weights may run code.
        ModelMissing, ModelDamaged: the model is not on this disk, or not whole.
        OutOfMemory: this machine could not run it if it did nothing else.
        ConfigError: an engine argument that a server does not take.
    """
    memory = vllm_plan.device()
    facts = vllm_plan.model_facts(settings)
    values = settings.vllm_arguments()
    fit = None if memory is None else vllm_plan.memory_fit(settings, facts, memory)
    if fit is not None:
        _check_memory(facts.name, values, fit)
    name = settings.vllm_model or facts.name
    arguments = {**vllm_plan.engine_arguments(settings, facts, memory), "served_model_name": name}
    if "disable_log_stats" not in values:  # a server's statistics have readers: its log and its /metrics
        arguments.pop("disable_log_stats", None)
    if settings.offline:  # pictures that a request names by their addresses are fetched past Python's sockets
        arguments["allowed_media_domains"] = ["localhost", "127.0.0.1"]
    return ServerPlan(
        name=name,
        url=f"{address(ANY_HOST.get(host, host), port)}/v1",
        key=settings.vllm_api_key,
        command=(*PROGRAM, f"--host={host}", f"--port={port}", *flags(arguments)),
        environment=environment(settings, os.environ),
        values=values,
        fit=fit,
        converses=facts.has_chat_template,
        log_file=settings.data_dir / "logs" / f"vllm-server-{port}.log",
    )


def address(host: str, port: int) -> str:
    """Both as a URL; an IPv6 host goes into brackets."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def flags(arguments: Mapping[str, Any]) -> list[str]:
    """Engine arguments as vLLM's command line takes them.

    Raises:
        ConfigError: one of them has no flag.
    """
    found: list[str] = []
    for name, value in arguments.items():
        words = name.replace("_", "-")
        if name in WITHOUT_FLAG:
            raise ConfigError(
                f"VLLM_CONFIG has {name}, which a vLLM server does not take.", "Take it out; LLM_ENGINE=vllm takes it."
            )
        if isinstance(value, bool):
            if value or name not in ONLY_ON:
                found.append(f"--{words}" if value else f"--no-{words}")
        elif isinstance(value, dict):
            found.append(f"--{words}={json.dumps(value)}")
        elif not isinstance(value, list):
            found.append(f"--{words}={value}")
        elif name in WITH_COMMAS:
            found.append(f"--{words}={','.join(map(str, value))}")
        elif value:
            found += [f"--{words}", *map(str, value)]
    return found


def environment(settings: Settings, ours: Mapping[str, str]) -> dict[str, str]:
    """Our own environment for a server: without our settings, which vLLM takes for misspelt ones of its own."""
    fields = type(settings).model_fields
    own = {name.upper() for name in fields if name.startswith("vllm_")}
    kept = {name: value for name, value in ours.items() if name.upper().split("__")[0] not in own}
    key = {"VLLM_API_KEY": settings.vllm_api_key} if settings.vllm_api_key else {}
    return {**_USUAL, **kept, **_PRIVATE, **key}


def _check_memory(name: str, values: Mapping[str, Any], fit: Fit) -> None:
    """Refuse what is larger than all of the memory. vLLM shortens a context of no given length by itself."""
    if any("offload" in argument for argument in values):  # a part of the weights lies elsewhere
        return
    least = fit.need.weights + (fit.need.kv_cache if "max_model_len" in values else 0)
    if least > fit.memory.total:
        raise OutOfMemory(
            f"{name} can never run here: it {fit.sentence()}.",
            "Choose a smaller or a quantized model, a shorter VLLM_MAX_MODEL_LEN, or share it between GPUs with"
            " VLLM_TENSOR_PARALLEL_SIZE.",
        )
