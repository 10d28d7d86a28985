"""What a model on this disk is: its size, shape and kind, read from its files without loading it."""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.models.attention import KVLayers, language_part, number, read_attention
from app.models.folder import CONFIG, checked_size, damaged, file_names, lacking, model_name, read_json, unreadable
from app.models.weights import read_weights

_TOKENIZERS = ("tokenizer.json", "*.model", "tokenizer.model.*", "*.tiktoken", "tekken.json", "vocab.txt")
_PAIR = ("vocab.json", "merges.txt")  # a tokenizer in two files
_NO_LIMIT = 10**9  # tokens; tokenizers write 10^30 for none
_LENGTHS = (  # the names that config.json has for the context; vLLM takes the smallest, as we do
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
_PLAIN = {"half": "float16", "fp16": "float16", "bf16": "bfloat16", "float": "float32", "fp32": "float32"}


@dataclass(frozen=True)
class ModelFacts:
    """A model in ``folder``. Numbers are None where its files do not tell.

    ``name`` is ``org/name`` inside a hub cache, else the folder's name; ``dtype`` what most of the weights are
    stored in, by PyTorch's name; ``context_length`` in tokens; ``quantization`` the method's name; ``pickled``
    true where the weights come as *.bin or *.pt alone. ``kv`` says what the attention keeps of each token.
    """

    folder: Path
    name: str
    architecture: str
    model_type: str
    weight_bytes: int
    parameters: int | None
    dtype: str | None
    layers: int | None
    heads: int | None
    kv_heads: int | None
    head_dim: int | None
    context_length: int | None
    vocab_size: int | None
    quantization: str | None
    has_chat_template: bool
    pickled: bool
    kv: tuple[KVLayers, ...]


def inspect(folder: Path) -> ModelFacts:
    """The facts of the model in ``folder``, such as :func:`app.models.find` gives.

    Raises:
        ModelDamaged: a file is missing, cut off, a Git LFS pointer or not what its name says.
    """
    config = read_json(folder / CONFIG)
    weights = read_weights(folder)
    tokenizer = _read_tokenizer(folder)
    text = language_part(config)
    quantization = _quantization(config) or _quantization(text)
    attention = read_attention(text, {} if quantization else weights.tensors)  # packed weights have other shapes
    architectures = config.get("architectures")
    return ModelFacts(
        folder=folder,
        name=model_name(folder),
        architecture=str(architectures[0]) if isinstance(architectures, list) and architectures else "",
        model_type=str(config.get("model_type") or ""),
        weight_bytes=weights.size,
        parameters=weights.parameters,
        dtype=weights.dtype or plain_dtype(text.get("dtype") or text.get("torch_dtype")),
        layers=attention.layers,
        heads=attention.heads,
        kv_heads=attention.kv_heads,
        head_dim=attention.head_dim,
        context_length=_context_length(text, tokenizer),
        vocab_size=number(text, "vocab_size", "padded_vocab_size"),
        quantization=quantization,
        has_chat_template=_has_chat_template(folder, tokenizer),
        pickled=weights.pickled,
        kv=attention.kv,
    )


def plain_dtype(name: object) -> str | None:
    """PyTorch's name for a type: ``half`` is ``float16``; None for anything but text."""
    if not isinstance(name, str) or not name:
        return None
    short = name.removeprefix("torch.").lower()
    return _PLAIN.get(short, short)


def _read_tokenizer(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json, empty where there is none. Raises ModelDamaged where no tokenizer is."""
    try:
        names = file_names(folder)
    except OSError as error:
        raise unreadable(folder, error) from None
    config = read_json(folder / "tokenizer_config.json") if "tokenizer_config.json" in names else {}
    found = tokenizer_files(names)
    if not found and "auto_map" not in config:  # one that brings its own code has files of any name
        raise lacking(folder, "has no tokenizer")
    for name in found:
        checked_size(folder / name)
    if "tokenizer.json" in found:
        _check_braces(folder / "tokenizer.json")
    return config


def tokenizer_files(names: list[str]) -> list[str]:
    """Which of a folder's files hold the tokenizer; some models bring it in several formats."""
    found = [name for pattern in _TOKENIZERS for name in fnmatch.filter(names, pattern)]
    return [*found, *(_PAIR if set(_PAIR) <= set(names) else ())]


def _check_braces(path: Path) -> None:
    """A look at both ends of a file that may have 30 MB, and would take a while to read as JSON."""
    with open(path, "rb") as file:
        start = file.read(16).lstrip(b"\xef\xbb\xbf \r\n\t")[:1]
        file.seek(max(0, path.stat().st_size - 16))
        end = file.read().rstrip()[-1:]
    if start != b"{":
        raise damaged(path, "holds no JSON object")
    if end != b"}":
        raise damaged(path, "is cut off")


def _context_length(config: dict[str, Any], tokenizer: dict[str, Any]) -> int | None:
    trained = number(config, "model_max_length")  # Command R, whose other number is smaller
    found = [trained] if trained else [length for key in _LENGTHS if (length := number(config, key))]
    limit = number(tokenizer, "model_max_length")
    return min([*found, *([limit] if limit and limit < _NO_LIMIT else [])], default=None)


def _quantization(config: dict[str, Any]) -> str | None:
    for key in ("quantization_config", "compression_config"):
        settings = config.get(key)
        if isinstance(settings, dict) and isinstance(method := settings.get("quant_method"), str) and method:
            return method.lower()
    return None


def _has_chat_template(folder: Path, tokenizer: dict[str, Any]) -> bool:
    files = ("chat_template.jinja", "chat_template.json")
    return bool(tokenizer.get("chat_template")) or any(os.path.isfile(folder / name) for name in files)
