"""Which files of a model are worth fetching, and whether they would make a model that an engine here can load."""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from app.errors import ModelDamaged, ModelUnusable, UsageError
from app.models.facts import tokenizer_files
from app.models.folder import CONFIG, NOTES, PARTS, other_format
from app.models.sources.base import Listing, RemoteFile
from app.models.weights import listed_shards, numbered_shards

_NOT_OURS = (  # what no engine here reads
    ".git*", "*.gguf", "*.ggml", "*.onnx", "*.onnx_data", "*.h5", "*.msgpack", "*.ot", "*.tflite", "*.npz", "*.mlmodel",
    "*.mlpackage/*", "onnx/*", "openvino/*", "coreml/*", "original/*", "metal/*", "*.png", "*.jpg", "*.jpeg", "*.gif",
    "*.webp", "*.svg", "*.mp4", "*.pdf", "training_args.bin", "optimizer*", "scheduler.pt", "rng_state*", "events.out*",
)  # fmt: skip
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_TWICE = "consolidated*"  # Mistral's own format beside the usual one
_LISTED = 3  # names in a message
_SMALL = 4_000_000  # bytes


def select(listing: Listing, include: Sequence[str], exclude: Sequence[str]) -> list[RemoteFile]:
    """The files to fetch: what matches ``include``, else what an engine needs; less what matches ``exclude``.

    Patterns are a shell's, on the whole path; a folder's name takes all that is in it.

    Raises:
        UsageError: nothing is left.
    """
    offered = [file for file in listing.files if PurePosixPath(file.path).parts[0].lower() != NOTES]  # not ours
    files = [file for file in offered if _matches(file.path, include)] if include else _needed(offered)
    left = [file for file in files if not _matches(file.path, exclude)]
    if not left:
        there = ", ".join(file.path for file in listing.files[:_LISTED])
        raise UsageError(
            f"Nothing of {listing.name} is left to fetch.", f"Correct --include and --exclude; it has {there}, …"
        )
    return left


def check_names(
    name: str, files: Sequence[RemoteFile], everything: Sequence[RemoteFile], *, allow_pickle: bool
) -> None:
    """What the files' names tell before one of them is fetched.

    Raises:
        ModelUnusable: no engine here could load the model.
    """
    paths = [file.path for file in files]
    names = [PurePosixPath(path).name for path in paths]
    weights = fnmatch.filter(names, "*.safetensors")
    pickles = [item for pattern in _PICKLES for item in fnmatch.filter(names, pattern)]
    whole = [PurePosixPath(file.path).name for file in everything]
    if not weights and not pickles:
        there = other_format(whole) or ("no weights", "Take another model, or correct the name.")
        raise ModelUnusable(f"{name} has {there[0]} and no safetensors.", there[1])
    if "adapter_config.json" in whole and CONFIG not in paths:
        raise ModelUnusable(f"{name} is a LoRA adapter.", "Fetch its base model instead, or merge the two first.")
    if CONFIG not in paths and PARTS not in paths:
        raise ModelUnusable(f"{name} has no {CONFIG}.", "Take another model, or another edition of this one.")
    if not weights and not allow_pickle:
        raise ModelUnusable(
            f"The weights of {name} are pickled ({pickles[0]}), and loading such files can run code.",
            "Take a model with safetensors, or set ALLOW_PICKLE=true if you trust where it comes from.",
        )
    if not tokenizer_files(names) and not fnmatch.filter(names, "tokenization_*.py"):
        raise ModelUnusable(f"{name} has no tokenizer.", "Take the model that it was made from, or another edition.")
    missing = sorted(set(numbered_shards(weights or pickles)) - set(names))
    if missing:
        raise _lacks(name, missing)


def check_index(name: str, files: Sequence[RemoteFile], place: Callable[[str], Path]) -> None:
    """Whether every file of weights that an index names will come; the index itself is at its ``place``.

    Raises:
        ModelUnusable: one is missing at the source.
    """
    paths = {file.path for file in files}
    for index in fnmatch.filter(paths, "*.safetensors.index.json"):
        try:
            wanted = {(PurePosixPath(index).parent / shard).as_posix() for shard in listed_shards(place(index))}
        except ModelDamaged as error:
            raise ModelUnusable(error.message, "Take another --source.") from None
        if missing := sorted(wanted - paths):
            raise _lacks(name, missing)


def is_small(file: RemoteFile) -> bool:
    """Whether it comes first: configuration, by which the rest is judged, and no weights."""
    weights = any(fnmatch.fnmatch(file.path, pattern) for pattern in ("*.safetensors", *_PICKLES))
    return not weights and (file.size or 0) <= _SMALL


def _needed(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    kept = [file for file in files if not _matches(file.path, _NOT_OURS)]
    inside: dict[str, list[RemoteFile]] = defaultdict(list)
    for file in kept:
        inside[PurePosixPath(file.path).parent.as_posix()].append(file)
    dropped: set[str] = set()
    for group in inside.values():
        safe = [file.path for file in group if file.path.endswith(".safetensors")]
        twice = [path for path in safe if fnmatch.fnmatch(PurePosixPath(path).name, _TWICE)]
        if safe:
            dropped.update(file.path for file in group if _matches(file.path, _PICKLES))
            dropped.update(file.path for file in group if file.path.endswith(".bin.index.json"))
        if len(twice) < len(safe):
            dropped.update(file.path for file in group if fnmatch.fnmatch(PurePosixPath(file.path).name, _TWICE))
    return [file for file in kept if file.path not in dropped]


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern + "*" * pattern.endswith("/")) for pattern in patterns)


def _lacks(name: str, missing: list[str]) -> ModelUnusable:
    shown = ", ".join(missing[:_LISTED]) + (", …" if len(missing) > _LISTED else "")
    return ModelUnusable(
        f"{name} lacks {len(missing)} of its weight files at the source: {shown}.",
        "Take another --source or --revision; nothing large was fetched.",
    )
