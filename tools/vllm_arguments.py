"""Prints `app/vllm_arguments.json`: the engine arguments of the vLLM that is installed, and what each may hold.

    .venv/bin/python -m tools.vllm_arguments > app/vllm_arguments.json

The product reads the file and never has to import vLLM, which takes ten seconds and half a gigabyte, to know them.
Unlike its neighbours this script needs an installed environment.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import sys
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

KINDS = {bool: "bool", int: "int", float: "float", str: "str", list: "list", set: "list", dict: "dict"}
LIMITS = ("ge", "gt", "le", "lt")  # of annotated_types, which pydantic keeps beside a field's type


def alternatives(hint: Any) -> Iterator[Any]:
    """The types that a hint allows, one by one, without None."""
    if get_origin(hint) in (Union, types.UnionType):
        for part in get_args(hint):
            yield from alternatives(part)
    elif hint is not type(None):
        yield hint


def values(hint: Any) -> list[str | int]:
    """The words (or numbers) that a hint names; none where it names none."""
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    if isinstance(hint, type) and issubclass(hint, enum.IntEnum):
        return [member.value for member in hint]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return list(hint.__members__)  # vLLM takes the names
    return []


def kind(hint: Any) -> str | None:
    """What a hint is in JSON; None for what no file can hold (a class, a function)."""
    if dataclasses.is_dataclass(hint):
        return "dict"
    return KINDS.get(get_origin(hint) or hint)


def described(hints: list[Any], rules: list[Any]) -> dict[str, Any]:
    """One argument: its `values` (with `classes`, where a Python class will do too), or its `kinds` and limits."""
    found = [word for hint in hints for word in values(hint)]
    if found:
        classes = {"classes": True} if any(get_origin(hint) is type for hint in hints) else {}
        return {"values": list(dict.fromkeys(found)), **classes}
    kinds = sorted({name for hint in hints if (name := kind(hint))})
    limits = {name: getattr(rule, name) for rule in rules for name in LIMITS if hasattr(rule, name)}
    return {"kinds": kinds, **limits}


def sections() -> dict[str, tuple[Any, list[Any]]]:
    """The fields of vLLM's configuration by name: their hint, and the rules beside it."""
    from vllm.config import MultiModalConfig, PrefetchOffloadConfig, UVAOffloadConfig, VllmConfig

    # ModelConfig only passes on what MultiModalConfig holds, without its limits: the narrower part comes first.
    parts = [part for hint in get_type_hints(VllmConfig).values() for part in alternatives(hint)]
    found: dict[str, tuple[Any, list[Any]]] = {}
    for part in [MultiModalConfig, UVAOffloadConfig, PrefetchOffloadConfig, VllmConfig, *parts]:
        # A drafting model has a max_model_len and a quantization of its own, under speculative_config.
        if not hasattr(part, "__pydantic_fields__") or part.__name__ == "SpeculativeConfig":
            continue
        for name, field in part.__pydantic_fields__.items():
            found.setdefault(name, (field.annotation, field.metadata))
    return found


def arguments() -> dict[str, dict[str, Any]]:
    """vLLM's engine arguments by name."""
    from vllm.config.quantization import QuantizationConfigArgs
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.model_executor.layers.quantization import QuantizationMethods
    from vllm.model_executor.model_loader import LoadFormats

    # vLLM names these for its type checker alone.
    hints = get_type_hints(AsyncEngineArgs, localns={"QuantizationConfigArgs": QuantizationConfigArgs})
    hints |= {"quantization": QuantizationMethods, "load_format": LoadFormats}
    known = sections()
    found = {}
    for field in dataclasses.fields(AsyncEngineArgs):
        if field.name.startswith("_"):
            continue
        hint, rules = known.get(field.name, (str, []))
        named = list(alternatives(hints[field.name]))
        if named == [str]:  # the configuration may name the words where the argument says no more than text
            named += alternatives(hint)
        found[field.name] = described(named, rules)
    # vLLM's own check lets 0 pass, which no model can be built with; -1 is written auto.
    found["max_model_len"] = {"kinds": ["int"], "ge": 1, "auto": -1}
    return dict(sorted(found.items()))


def server_options() -> list[str]:
    """What `vllm serve` takes beside the engine's arguments."""
    from vllm.entrypoints.launchers.cli_args import FrontendArgs

    return sorted(field.name for field in dataclasses.fields(FrontendArgs) if not field.name.startswith("_"))


def printed() -> str:
    """The file's text: one line for each argument."""
    import vllm

    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(spec)}" for name, spec in arguments().items())
    return (
        f'{{\n  "vllm": {json.dumps(vllm.__version__.split("+")[0])},\n'
        f'  "arguments": {{\n{lines}\n  }},\n'
        f'  "server_options": {json.dumps(server_options())}\n}}\n'
    )


if __name__ == "__main__":
    os.environ["VLLM_LOGGING_STREAM"] = "ext://sys.stderr"  # vLLM logs to stdout otherwise
    sys.stdout.write(printed())
