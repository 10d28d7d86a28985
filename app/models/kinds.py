"""What a model is for: to chat, to make vectors of text, to sort passages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from app.errors import ModelDamaged, ModelUnusable
from app.models.facts import ModelFacts, inspect
from app.models.folder import CONFIG, PARTS, model_name, read_json
from app.models.weights import read_weights

Kind = Literal["chat", "embedding", "reranker"]
SETTINGS: dict[Kind, str] = {
    "chat": "VLLM_MODEL_PATH",
    "embedding": "EMBEDDING_MODEL",
    "reranker": "RERANKER_MODEL",
}
"""The setting that names a model of each kind; the engines ``vllm`` and ``hf`` both read the first."""
_WRITES = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel", "ForImageTextToText")


def kind_of(folder: Path) -> Kind:
    """What a model is for, by its files; one that tells nothing is for chat. Raises ModelDamaged."""
    if (folder / PARTS).is_file():
        of = folder / "config_sentence_transformers.json"
        return "reranker" if of.is_file() and read_json(of).get("model_type") == "CrossEncoder" else "embedding"
    config = read_json(folder / CONFIG)
    found = config.get("architectures")
    names = [str(name) for name in found] if isinstance(found, list) else []
    brought = config.get("auto_map")  # by the model's own code
    names += [name.removeprefix("Auto") for name in brought] if isinstance(brought, dict) else []
    if any(name.endswith("ForSequenceClassification") for name in names):
        return "reranker"
    if names and not any(name.endswith(_WRITES) for name in names) and all(name.endswith("Model") for name in names):
        return "embedding"
    return "chat"


def check(folder: Path, kind: Kind) -> ModelFacts | None:
    """Whether the model is whole and of its kind; its facts, None for one without a transformer.

    Raises:
        ModelDamaged: a file is missing, cut off or not what its name says.
        ModelUnusable: the model is for something else.
    """
    check_kind(folder, kind)
    if (folder / PARTS).is_file():
        inner = [folder / path for path, _ in _parts(folder)]
        whole = next((path for path in inner if (path / CONFIG).is_file() and _has_weights(path)), None)
        for path in inner:
            if path != whole and _has_weights(path):
                read_weights(path)
        if whole is None and not any(map(_has_weights, inner)):
            read_weights(folder)  # raises: there are none
        return inspect(whole) if whole is not None else None
    return inspect(folder)


def check_kind(folder: Path, kind: Kind) -> None:
    """Whether the model is of this kind, by what its configuration says. Raises ModelUnusable, ModelDamaged."""
    real = kind_of(folder)
    if kind == "reranker" and real != "reranker":
        what = "makes vectors" if real == "embedding" else "writes text"
        raise ModelUnusable(
            f"{model_name(folder)} is no reranker: it {what}.", "Take a cross-encoder, such as BAAI/bge-reranker-v2-m3."
        )
    if kind == "chat" and real != "chat":
        what = "an embedding model" if real == "embedding" else "a reranker"
        hint = f"It is one for {SETTINGS[real]}: leave the kind out, and it is found out."
        raise ModelUnusable(f"{model_name(folder)} is {what} and writes no text.", hint)
    if kind == "embedding" and real == "reranker":
        hint = f"It is one for {SETTINGS[real]}: leave the kind out, and it is found out."
        raise ModelUnusable(f"{model_name(folder)} is a reranker and makes no vectors.", hint)


def _parts(folder: Path) -> list[tuple[str, str]]:
    """Path and class of each part that sentence-transformers puts together."""
    try:
        found = json.loads((folder / PARTS).read_text(encoding="utf-8"))
        if found:
            return [(str(part.get("path") or ""), str(part.get("type") or "")) for part in found]
    except (OSError, ValueError, AttributeError, TypeError):
        pass
    raise ModelDamaged(f"{PARTS} of {model_name(folder)} cannot be read.", f"Fetch or copy it to {folder} again.")


def _has_weights(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in ("*.safetensors", "*.bin", "*.pt"))
