"""Prints for people what the code knows: the example file, the settings' table, the page of the profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from app.config_vllm_profiles import PROFILES, Profile


def example_yaml(settings: type[BaseModel], root: Path) -> str:
    """The text of ``config.example.yaml``: every setting, its meaning and its default, all commented out."""
    lines = [
        "# Every setting with its default. Copy to config.yaml and uncomment what you change.",
        "# An environment variable of the same name wins.",
        "",
    ]
    for name, field in settings.model_fields.items():
        value = _default(settings, name, root)
        if name == "llm":
            body = yaml.safe_dump({name: value}, sort_keys=False, default_flow_style=None)
        else:
            body = f"{name.upper()}: {_inline(value)}"
        lines += [f"# {field.description}", *(f"# {line}" for line in body.splitlines()), ""]
    return "\n".join(lines)


def settings_table(settings: type[BaseModel], root: Path) -> str:
    """The settings as a Markdown table."""
    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for name, field in settings.model_fields.items():
        key = name if name == "llm" else name.upper()
        rows.append(f"| `{key}` | `{_inline(_default(settings, name, root))}` | {field.description} |")
    return "\n".join(rows) + "\n"


def profiles_page() -> str:
    """The text of ``docs/vllm-profiles.md``."""
    head = """\
# Profiles for vLLM

<!-- printed by `python -m app.config profiles` -->

`VLLM_PROFILE` sets several of vLLM's engine arguments at once: one card, one goal, or one of each joined by a plus, \
as in `VLLM_PROFILE=24gb+throughput`. Where both name an argument, the goal's value counts. A name in `VLLM_CONFIG` \
wins over the profile, and a setting of its own such as `VLLM_MAX_MODEL_LEN` over both; \
`VLLM_CONFIG: {kv_cache_dtype: null}` takes a value of the profile away. Without a profile vLLM's own defaults hold.

The numbers are for models of 7 to 8 billion parameters: 15 to 16 GB of weights in 16 bits, about 5.5 GB in 4 bits, \
and 56 KiB (Qwen2.5 7B) to 128 KiB (Llama 3 8B) for a token of context. The quantization is the model's own affair: \
vLLM reads it from the model's files. vLLM takes its whole share of the card's memory at once, whether it needs it or \
not: on a card that other programs use too, set `VLLM_GPU_MEMORY_UTILIZATION` to what they leave.
"""
    return "\n".join([head, *(_section(profile) for profile in PROFILES.values())])


def _section(profile: Profile) -> str:
    rows = [f"| `{item.name}` | `{_inline(item.value)}` | {item.reason} |" for item in profile.arguments]
    table = "\n".join(["| argument | value | why |", "| --- | --- | --- |", *rows])
    return f"## {profile.kind.capitalize()}: `{profile.name}`\n\nFor {profile.meant_for}.\n\n{table}\n"


def _default(settings: type[BaseModel], name: str, root: Path) -> Any:
    value = settings.model_fields[name].get_default(call_default_factory=True, validated_data={})
    if isinstance(value, Path):
        return value.relative_to(root).as_posix()
    return value.model_dump(exclude_none=True) if isinstance(value, BaseModel) else value


def _inline(value: Any) -> str:
    """``value`` as one line of YAML."""
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
