"""Checks ``VLLM_CONFIG`` against the engine arguments of vLLM, without importing vLLM.

What vLLM knows is in ``vllm_arguments.json``, printed from it by ``tools/vllm_arguments.py``. Values are brought to
their type on the way, so that ``"8192"`` in a variable and ``8192`` in a file are the same.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.config_errors import bounds, did_you_mean, shown_value
from app.errors import one_line

SETTINGS_OF_THEIR_OWN = {
    "trust_remote_code": "TRUST_REMOTE_CODE",
    "model": "VLLM_MODEL_PATH",
    "api_key": "VLLM_API_KEY",
}
HF_TOKEN = "has hf_token, which is a secret; set HF_TOKEN in the environment instead"
SERVER_NAMES = {"served_model_name"}  # an engine argument that only a server's clients ever see
ADVICE = {  # values of old guides and other programs: what to write instead
    ("dtype", "int8"): "; for 8-bit weights set quantization to fp8, awq or gptq",
    ("dtype", "fp8"): "; for 8-bit weights set quantization to fp8, awq or gptq",
    ("quantization", "squeezellm"): "; use awq, gptq or fp8",
    ("quantization", "bitsandbytes"): "; use awq, gptq or fp8",
    ("quantization", "gguf"): "; Ollama runs GGUF files",
    ("load_format", "gguf"): "; Ollama runs GGUF files",
}
KINDS = {
    "bool": "true or false",
    "dict": "names with values, as in {name: value}",
    "float": "a number",
    "int": "a whole number",
    "list": "a list, as in [one, two]",
    "str": "text (in quotes, where it looks like a number)",
}
# vLLM's own suffixes: 8k is 8,000 and 8K is 8,192 (vllm.utils.argparse_utils.human_readable_int).
MULTIPLES = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_LONGEST_NAME = 60  # characters of an unknown name that are repeated
WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@lru_cache(maxsize=1)
def known() -> dict[str, Any]:
    """What is known of vLLM: its version under ``vllm``, its ``arguments`` by name, its ``server_options``."""
    path = Path(__file__).with_name("vllm_arguments.json")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def checked(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with every name and value as vLLM takes them; None, which stands for vLLM's own default, is kept.

    Raises:
        ValueError: every wrong name and value, what is allowed, and the nearest right one; "VLLM_CONFIG" goes before.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for written, value in config.items():
        name = written.strip().lstrip("-").replace("-", "_").lower()
        if wrong := wrong_name(name):
            problems.append(wrong)
            continue
        try:
            values[name] = parsed(name, value)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("; and ".join(problems))
    return values


def wrong_name(name: str) -> str:
    """What is wrong with a name; empty where nothing is."""
    if name in SETTINGS_OF_THEIR_OWN:
        return f"has {name}, which is a setting of its own; set {SETTINGS_OF_THEIR_OWN[name]} instead"
    if name == "hf_token":
        return HF_TOKEN
    if name in SERVER_NAMES or (name in known()["server_options"] and name not in known()["arguments"]):
        return f"has {name}, which is an option of a vLLM server and not of its engine; give it to that server"
    if name not in known()["arguments"]:
        near = did_you_mean(name, known()["arguments"], otherwise=False)
        return f"has {one_line(name)[:_LONGEST_NAME]}, which is no engine argument of vLLM {known()['vllm']}{near}"
    return ""


def parsed(name: str, value: Any) -> Any:
    """The value of an argument as vLLM takes it. Raises ValueError: what is wrong, and what is allowed."""
    argument = known()["arguments"][name]
    if value is None:
        return None
    if "values" in argument:
        return _one_of(name, value, argument)
    if "auto" in argument and str(value).strip().lower() in ("auto", str(argument["auto"])):
        return argument["auto"]
    for kind in argument["kinds"]:  # in alphabetical order, so that text comes last
        found = _PARSERS[kind](value)
        if found is not None and _within(found, argument):
            return found
    allowed = " or ".join(KINDS[kind] + bounds(argument) for kind in argument["kinds"])
    auto = " (or auto)" if "auto" in argument else ""
    raise ValueError(f"has {name} {shown_value(name, value)}, but must have {allowed}{auto}")


def _one_of(name: str, value: Any, argument: Mapping[str, Any]) -> Any:
    words = {str(word).casefold(): word for word in argument["values"]}
    word = str(value).strip()
    if word.casefold() in words:
        return words[word.casefold()]
    if argument.get("classes") and "." in word:  # a Python class, as in package.module.Class
        return word
    advice = ADVICE.get((name, word.casefold()))
    near = did_you_mean(word, map(str, argument["values"])) if advice is None else advice
    raise ValueError(f"has {name} {shown_value(name, value)}, which vLLM {known()['vllm']} does not know{near}")


def _within(value: Any, limits: Mapping[str, Any]) -> bool:
    return not (
        ("ge" in limits and value < limits["ge"])
        or ("gt" in limits and value <= limits["gt"])
        or ("le" in limits and value > limits["le"])
        or ("lt" in limits and value >= limits["lt"])
    )


def _bool(value: Any) -> bool | None:
    return WORDS.get(str(value).strip().lower()) if isinstance(value, bool | int | str) else None


def _int(value: Any) -> int | None:
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)([kKmMgGtT])\s*", value)):
        value = float(match[1]) * MULTIPLES[match[2]]
    number = _float(value)
    return int(number) if number is not None and number.is_integer() else None


def _float(value: Any) -> float | None:
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _dict(value: Any) -> dict[str, Any] | None:
    found = _json(value)
    return found if isinstance(found, dict) else None


def _list(value: Any) -> list[Any] | None:
    found = _json(value)
    return found if isinstance(found, list) else None


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


_PARSERS = {"bool": _bool, "dict": _dict, "float": _float, "int": _int, "list": _list, "str": _str}
