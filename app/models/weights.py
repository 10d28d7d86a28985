"""The weights in a model's folder: which files they are, whether they are whole, what is in them."""

from __future__ import annotations

import fnmatch
import os
import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path

from app.errors import ModelDamaged
from app.models.folder import (
    checked_size,
    damaged,
    file_names,
    lacking,
    model_name,
    other_format,
    read_json,
    unreadable,
)
from app.models.safetensors import Tensor, read_header

# Files that look like weights and are none, or hold them a second time (Mistral's own format).
_NO_WEIGHTS = re.compile(r"(adapter_|training_args|optimizer|scheduler|rng_state)")
_TWICE = re.compile(r"consolidated")
_SHARD = re.compile(r"(.*-)(\d+)-of-(\d+)(\.\w+)")
_PACKED = ("int32", "uint8", "float4_e2m1fn")  # quantized weights, several to a number
_LISTED = 3  # missing files that a message names
_MOST = 10_000  # shards


@dataclass(frozen=True)
class Weights:
    """``tensors`` is empty for ``pickled`` weights (*.bin, *.pt), which cannot be looked into safely."""

    size: int  # bytes
    pickled: bool
    tensors: dict[str, Tensor]

    @property
    def dtype(self) -> str | None:
        """PyTorch's name of the type that most bytes have."""
        sizes: Counter[str] = Counter()
        for tensor in self.tensors.values():
            sizes[tensor.dtype] += tensor.size
        return sizes.most_common(1)[0][0] if sizes else None

    @property
    def parameters(self) -> int | None:
        """How many numbers the model has; None where they are pickled or packed."""
        if not self.tensors or self.dtype in _PACKED:
            return None
        return sum(prod(tensor.shape) for tensor in self.tensors.values())


def read_weights(folder: Path) -> Weights:
    """Looks at every weight file of a model; reads no more than the headers.

    Raises:
        ModelDamaged: there are none, one is missing, empty, cut off, a Git LFS pointer or something else.
    """
    paths = weight_files(folder)
    if paths[0].suffix != ".safetensors":
        return Weights(sum(_pickle_size(path) for path in paths), True, {})
    size = sum(checked_size(path) for path in paths)
    tensors = {name: tensor for path in paths for name, tensor in read_header(path).items()}
    if not tensors:
        raise damaged(paths[0], "holds no weights")
    return Weights(size, False, tensors)


def weight_files(folder: Path) -> list[Path]:
    """The files that an engine loads, safetensors before pickled ones; all of them are there.

    Raises:
        ModelDamaged: there are none, or one is missing.
    """
    try:
        names = file_names(folder)
    except OSError as error:
        raise unreadable(folder, error) from None
    for index, pattern in (("model.safetensors", "*.safetensors"), ("pytorch_model.bin", "*.bin"), ("", "*.pt*")):
        found = [name for name in fnmatch.filter(names, pattern) if not _NO_WEIGHTS.match(name)]
        found = [name for name in found if not _TWICE.match(name)] or found
        listed = f"{index}.index.json"
        wanted = listed_shards(folder / listed) if listed in names else numbered_shards(found)
        if wanted:
            _all_there(folder, wanted, names)
            return [folder / name for name in wanted]
    raise _none(folder, names)


def listed_shards(index: Path) -> list[str]:
    """The files that an index of weights names. Raises ModelDamaged."""
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not shards or not all(isinstance(name, str) for name in shards.values()):
        raise damaged(index, "names no weights")
    return sorted(set(shards.values()))


def numbered_shards(found: list[str]) -> list[str]:
    """``found`` with the shards that their numbers promise: ``model-00002-of-00005.safetensors``."""
    wanted = set(found)
    for match in filter(None, map(_SHARD.fullmatch, found)):
        stem, number, count, suffix = match.groups()
        names = [f"{stem}{i:0{len(number)}}-of-{count}{suffix}" for i in range(min(int(count), _MOST) + 1)]
        wanted.update(names[:-1] if names[0] in wanted else names[1:])  # some count from 0
    return sorted(wanted)


def _all_there(folder: Path, wanted: list[str], names: list[str]) -> None:
    there = set(names)
    gone = [name for name in wanted if name not in there and not os.path.isfile(folder / name)]
    if gone:
        listed = ", ".join(gone[:_LISTED]) + (", …" if len(gone) > _LISTED else "")
        raise lacking(folder, f"lacks {len(gone)} of its {len(wanted)} weight files: {listed}")


def _none(folder: Path, names: list[str]) -> ModelDamaged:
    there = other_format(names)
    if there:
        return ModelDamaged(f"{model_name(folder)} has {there[0]} and no safetensors.", there[1])
    return lacking(folder, "has no weights")


def _pickle_size(path: Path) -> int:
    """The bytes of a pickled file; PyTorch's are zip archives, and one that is cut off lost its directory."""
    size = checked_size(path)
    with open(path, "rb") as file:
        is_zip = file.read(2) == b"PK"
    if is_zip and not zipfile.is_zipfile(path):
        raise damaged(path, "is cut off")
    return size
