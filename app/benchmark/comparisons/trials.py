"""The settings that ``bench tune`` tries: each engine's own ways to be faster, and what an engine lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.benchmark.comparisons.entrants import Entrant
from app.benchmark.notes import note
from app.config_method import NGRAM
from app.errors import BenchmarkError

if TYPE_CHECKING:
    from app.benchmark.comparisons.request import TuneRequest
    from app.config import Settings

TRIALS = {
    "prefix-caching": "prefix caching",
    "chunked-prefill": "chunked prefill",
    "ngram": "n-gram speculation",
    "draft": "speculation with a draft model",
    "max-num-seqs": "how many answers are written at once",
    "max-num-batched-tokens": "how many tokens a step reads",
    "kv-cache-dtype": "KV cache quantization",
}
"""What can be tried, by the words of ``--try``."""
_ON_A_SERVER = {
    "prefix-caching": "--enable-prefix-caching",
    "chunked-prefill": "--enable-chunked-prefill",
    "ngram": f"--speculative-config '{json.dumps(NGRAM)}'",
    "draft": '--speculative-config \'{"method": "draft_model", "model": …}\'',
    "max-num-seqs": "--max-num-seqs",
    "max-num-batched-tokens": "--max-num-batched-tokens",
    "kv-cache-dtype": "--kv-cache-dtype fp8",
}
"""Options of a vLLM server."""
_IN_OLLAMA = {
    "max-num-seqs": "OLLAMA_NUM_PARALLEL",
    "max-num-batched-tokens": "PARAMETER num_batch (Modelfile)",
    "kv-cache-dtype": "OLLAMA_KV_CACHE_TYPE (+ OLLAMA_FLASH_ATTENTION=1)",
}
"""Settings of an Ollama server; prefix caching it always does, chunked prefill and speculation never."""
_STEPS = (2048, 8192)
"""Tokens that a step of vLLM reads at most: its defaults for small and for large GPUs."""


def trials(base: Entrant, request: TuneRequest) -> list[Entrant]:
    """What to try of ``base``; with a ``problem`` what its engine lacks.

    Raises:
        BenchmarkError: ``request.tries`` names something else than those of TRIALS.
    """
    unknown = [name for name in request.tries if name not in TRIALS]
    if unknown:
        raise BenchmarkError(f"{unknown[0]!r} cannot be tried.", f"Choose of {', '.join(TRIALS)}.")
    of = {"vllm": _vllm, "hf": _hf}.get(base.name, _server)
    return [entrant for name in TRIALS if name in (request.tries or TRIALS) for entrant in of(name, base, request)]


def _vllm(name: str, base: Entrant, request: TuneRequest) -> Iterator[Entrant]:
    arguments = base.settings.vllm_arguments()
    if name in ("prefix-caching", "chunked-prefill"):
        option = f"enable_{name.replace('-', '_')}"
        yield _in_config(base, option, arguments.get(option) is False)  # vLLM's own default is on
    elif name == "ngram":
        yield _speculating(base, arguments, NGRAM, "ngram")
    elif name == "draft":
        if request.draft:
            draft = {"method": "draft_model", "model": request.draft, "num_speculative_tokens": 4}
            yield _speculating(base, arguments, draft, Path(request.draft).name)
        else:
            yield _lacking(base, name, note("wants_draft"))
    elif name == "max-num-seqs":
        for number in _around(max(request.readers), arguments.get("max_num_seqs")):
            yield _single(base, "VLLM_MAX_NUM_SEQS", number, "max_num_seqs")
    elif name == "max-num-batched-tokens":
        for number in _STEPS:
            if number != arguments.get("max_num_batched_tokens"):
                yield _in_config(base, "max_num_batched_tokens", number)
    elif name == "kv-cache-dtype":
        yield _in_config(base, "kv_cache_dtype", "auto" if "fp8" in str(arguments.get("kv_cache_dtype")) else "fp8")


def _hf(name: str, base: Entrant, request: TuneRequest) -> Iterator[Entrant]:
    if name == "draft" and base.settings.hf_draft_model_path:
        off = base.settings.model_copy(update={"hf_draft_model_path": "", "inference_method": ""})
        yield _entrant(base, "HF_DRAFT_MODEL_PATH=", off, {"HF_DRAFT_MODEL_PATH": "", "INFERENCE_METHOD": ""})
    elif name == "draft":
        yield (
            _single(base, "HF_DRAFT_MODEL_PATH", request.draft)
            if request.draft
            else _lacking(base, name, note("wants_draft"))
        )
    elif name == "max-num-seqs":
        for number in _around(max(request.readers), base.settings.hf_max_batch):
            yield _single(base, "HF_MAX_BATCH", number)
    elif name == "ngram":
        yield _lacking(base, name, note("lacks_ngram", engine=base.name))
    elif name in ("chunked-prefill", "max-num-batched-tokens"):
        yield _lacking(base, name, note("fixed", engine=base.name, what=TRIALS[name]))
    else:
        yield _lacking(base, name, note("lacks", engine=base.name, what=TRIALS[name]))


def _server(name: str, base: Entrant, request: TuneRequest) -> Iterator[Entrant]:
    setting = (_IN_OLLAMA if base.name == "ollama" else _ON_A_SERVER).get(name)
    key = "servers_setting" if setting else "servers_lack"
    yield _lacking(base, name, note(key, engine=base.name, what=TRIALS[name], setting=setting))


def _around(readers: int, now: Any) -> list[int]:
    """Half of the readers at once, and all of them."""
    return [number for number in sorted({max(1, readers // 2), readers}) if number != now]


def _speculating(base: Entrant, arguments: dict[str, Any], how: dict[str, Any], called: str) -> Entrant:
    """``how``, or none where that is how it is now."""
    if arguments.get("speculative_config") != how:
        return _in_config(base, "speculative_config", how, called)
    off = _with(base.settings, "speculative_config", None).model_copy(update={"inference_method": ""})
    line = {**_config_line(off), "INFERENCE_METHOD": ""}
    return _entrant(base, "speculative_config=none", off, line, {"speculative_config": "none"})


def _in_config(base: Entrant, option: str, value: Any, called: str = "") -> Entrant:
    """An entry of VLLM_CONFIG."""
    changed = _with(base.settings, option, value)
    shown = called or json.dumps(value).strip('"')
    return _entrant(base, f"{option}={shown}", changed, _config_line(changed), {option: shown})


def _single(base: Entrant, setting: str, value: int | str, called: str = "") -> Entrant:
    """A setting of its own."""
    changed = base.settings.model_copy(update={setting.lower(): value})
    shown = Path(value).name if isinstance(value, str) else str(value)
    return _entrant(base, f"{called or setting}={shown}", changed, {setting: str(value)}, {called or setting: shown})


def _with(settings: Settings, option: str, value: Any) -> Settings:
    return settings.model_copy(update={"vllm_config": {**settings.vllm_config, option: value}})


def _config_line(settings: Settings) -> dict[str, str]:
    return {"VLLM_CONFIG": json.dumps(settings.vllm_config, ensure_ascii=False)}


def _entrant(
    base: Entrant, label: str, settings: Settings, apply: dict[str, str], shown: dict[str, str] | None = None
) -> Entrant:
    return Entrant(label, base.name, settings, shown or apply, apply)


def _lacking(base: Entrant, name: str, problem: str) -> Entrant:
    return Entrant(name, base.name, base.settings, problem=problem)
