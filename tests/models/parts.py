"""Builds model folders, byte by byte, and a hub cache."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from tests.models.known import LLAMA_3_8B

BITS = {"F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "I32": 32, "I8": 8, "U8": 8, "I64": 64}
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4976698672\n"


def safetensors(tensors: Mapping[str, tuple[str, Sequence[int]]], metadata: Mapping[str, str] | None = None) -> bytes:
    """A file of zeros with these tensors: name -> dtype, shape."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, (dtype, shape) in tensors.items():
        begin, end = end, end + prod(shape) * BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(end)


ONE = safetensors({"model.embed_tokens.weight": ("BF16", [6, 4])})


def model(folder: Path, config: Mapping[str, Any] = LLAMA_3_8B, files: Mapping[str, bytes | str | None] = {}) -> Path:
    """A whole model in ``folder``; ``files`` come instead of or beside its own, None takes one away."""
    folder.mkdir(parents=True, exist_ok=True)
    usual: dict[str, bytes | str] = {
        "config.json": json.dumps(config),
        "model.safetensors": ONE,
        "tokenizer.json": '{"version": "1.0"}\n',
        "tokenizer_config.json": '{"chat_template": "{{ messages }}"}',
    }
    for name, content in {**usual, **files}.items():
        if content is not None:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def shards(count: int, of: int | None = None) -> dict[str, bytes]:
    """The files of a model in ``count`` shards (of ``of``, where some are missing), with their index."""
    of = of or count
    names = [f"model-{number:05d}-of-{of:05d}.safetensors" for number in range(1, of + 1)]
    tensors = [f"model.layers.{number}.weight" for number in range(of)]
    index = json.dumps({"weight_map": dict(zip(tensors, names, strict=True))}).encode()
    parts = {
        name: safetensors({tensor: ("F16", [3, 2])}) for name, tensor in list(zip(names, tensors, strict=True))[:count]
    }
    return {**parts, "model.safetensors.index.json": index}


def cached(cache: Path, name: str, commit: str, *, main: bool = True, **parts: Any) -> Path:
    """A snapshot in a hub cache, as :func:`model` makes it; ``main`` lets refs/main name it."""
    repository = cache / f"models--{name.replace('/', '--')}"
    if main:
        (repository / "refs").mkdir(parents=True, exist_ok=True)
        (repository / "refs" / "main").write_text(commit)
    return model(repository / "snapshots" / commit, **parts)
