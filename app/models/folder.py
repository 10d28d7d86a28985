"""A model's folder: what it is called, what lies in it, and the words for a file that is not what it should be."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from app.errors import ModelDamaged, ModelMissing

CONFIG = "config.json"
NOTES = ".hotswap"
"""The folder, inside a fetched model, of its manifest and of what has not come whole."""
MANIFEST = "manifest.json"
PARTS = "modules.json"
"""sentence-transformers' list of what a model is put together of."""
MARKS = (PARTS, NOTES)
"""What else than config.json tells a model's folder."""
_CACHED = re.compile(r"models--(.+)")  # a repository's folder in the hub cache: models--org--name
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_ABOUT = {  # what other engines' files are, by their suffix
    ".gguf": ("GGUF weights", "Use Ollama for GGUF, or take the model's safetensors edition."),
    ".onnx": ("ONNX weights", "Take the model's safetensors edition."),
    ".h5": ("TensorFlow weights", "Take the model's safetensors edition."),
    ".msgpack": ("Flax weights", "Take the model's safetensors edition."),
    ".npz": ("MLX weights", "Take the model's safetensors edition."),
    ".zip": ("an archive", "Unpack it first."),
    ".tar": ("an archive", "Unpack it first."),
    ".gz": ("an archive", "Unpack it first."),
    ".7z": ("an archive", "Unpack it first."),
}


def model_name(folder: Path) -> str:
    """``org/name`` for a fetched folder or one inside a hub cache, else the folder's own name."""
    if noted := _notes(folder).get("name"):
        return str(noted)
    for part in reversed(folder.parts):
        if match := _CACHED.fullmatch(part):
            return match[1].replace("--", "/", 1)
    return folder.name or str(folder)


def _notes(folder: Path) -> dict[str, Any]:
    """What the manifest of a fetched model says; empty for any other folder."""
    try:
        found = json.loads((folder / NOTES / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def unfinished(folder: Path) -> ModelMissing | None:
    """The error for a fetched model that never came whole; None for any other folder."""
    if not (folder / NOTES).is_dir() or _notes(folder).get("complete"):
        return None
    return ModelMissing(f"{model_name(folder)} was never fetched to its end.", f"Finish it with `{_command(folder)}`.")


def is_cached(folder: Path) -> bool:
    """Whether ``folder`` lies inside a hub cache."""
    return any(_CACHED.fullmatch(part) for part in folder.parts)


def file_names(folder: Path) -> list[str]:
    """The names of the files in ``folder``, sorted; a link that leads nowhere is none. Raises OSError."""
    return sorted(name for name in os.listdir(folder) if os.path.isfile(folder / name))


def other_format(names: list[str]) -> tuple[str, str] | None:
    """What the files are that neither vLLM nor transformers can load, and what to do about it."""
    if "adapter_config.json" in names:
        return "a LoRA adapter", "Name its base model instead, or merge the two first."
    if "model_index.json" in names:
        return "an image model", "Use a language model."
    return next((_ABOUT[suffix] for suffix in map(_suffix, names) if suffix in _ABOUT), None)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def checked_size(path: Path) -> int:
    """The bytes of a file that is there and is more than a stand-in. Raises ModelDamaged."""
    try:
        with open(path, "rb") as file:
            start = file.read(len(_LFS_POINTER))
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise unreadable(path, error) from None
    if not size:
        raise damaged(path, "is empty")
    if start == _LFS_POINTER:
        message = f"{path.name} of {model_name(path.parent)} is a Git LFS pointer, not the file itself."
        raise ModelDamaged(message, f"Run `git lfs pull` in {path.parent}.")
    return size


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ModelDamaged."""
    checked_size(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, RecursionError):
        raise damaged(path, "is no JSON") from None
    if not isinstance(found, dict):
        raise damaged(path, "holds no JSON object")
    return found


def damaged(path: Path, what: str) -> ModelDamaged:
    """The error for one file; ``what`` goes on after its name: ``is empty``."""
    folder = path.parent
    return ModelDamaged(f"{path.name} of {model_name(folder)} {what}.", _again(folder, "it"))


def lacking(folder: Path, what: str) -> ModelDamaged:
    """The error for files that are not there: ``has no tokenizer``."""
    return ModelDamaged(f"{model_name(folder)} {what}.", _again(folder, "the whole model"))


def fetch_command(name: str, revision: str = "") -> str:
    """The command that brings a model here."""
    return f"python download_model.py {name}{f' --revision {revision}' if revision else ''}"


def _command(folder: Path) -> str:
    return str(_notes(folder).get("command") or fetch_command(model_name(folder)))


def _again(folder: Path, what: str) -> str:
    if is_cached(folder) or (folder / NOTES).is_dir():
        return f"Fetch it again with `{_command(folder)}`."
    return f"Download or copy {what} to {folder} again."


def unreadable(path: Path, error: OSError) -> ModelDamaged:
    """The error for a file that the system does not let us read."""
    return ModelDamaged(
        f"{path.name} of {model_name(path.parent)} cannot be read: {error.strerror or error}.", f"See to {path}."
    )
