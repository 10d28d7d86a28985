"""The header of a safetensors file: 8 bytes with its length (little endian), then JSON; then the tensors' bytes.

Source: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import NamedTuple

from app.models.folder import checked_size, damaged, unreadable

_LONGEST = 100_000_000  # bytes of a header, the format's own limit
DTYPES = {  # the format's name -> PyTorch's name, bits
    "F64": ("float64", 64),
    "F32": ("float32", 32),
    "F16": ("float16", 16),
    "BF16": ("bfloat16", 16),
    "F8_E4M3": ("float8_e4m3fn", 8),
    "F8_E5M2": ("float8_e5m2", 8),
    "F8_E8M0": ("float8_e8m0fnu", 8),
    "F4": ("float4_e2m1fn", 4),
    "I64": ("int64", 64),
    "I32": ("int32", 32),
    "I16": ("int16", 16),
    "I8": ("int8", 8),
    "U64": ("uint64", 64),
    "U32": ("uint32", 32),
    "U16": ("uint16", 16),
    "U8": ("uint8", 8),
    "BOOL": ("bool", 8),
}


class Tensor(NamedTuple):
    """``dtype`` is PyTorch's name, ``size`` the bytes in the file."""

    dtype: str
    shape: tuple[int, ...]
    size: int


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; only its header is read.

    Raises:
        ModelDamaged: it is truncated, or no safetensors file.
    """
    size = checked_size(path)
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _LONGEST:
                raise damaged(path, "is no safetensors file")
            text = file.read(length)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(text) < length:
        raise damaged(path, f"is cut off within its header ({size:,} bytes)")
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        tensors = {name: _tensor(item["dtype"], item["shape"], *item["data_offsets"]) for name, item in header.items()}
        end = max((item["data_offsets"][1] for item in header.values()), default=0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise damaged(path, "has a garbled header") from None
    wanted = 8 + length + end
    if size < wanted:
        raise damaged(path, f"is cut off: it has {size:,} of {wanted:,} bytes")
    if size > wanted or sum(tensor.size for tensor in tensors.values()) != end:
        raise damaged(path, "holds other bytes than its header says")
    return tensors


def _tensor(dtype: str, shape: list[int], begin: int, end: int) -> Tensor:
    name, bits = DTYPES.get(dtype, (dtype.lower(), None))
    if {type(number) for number in (*shape, begin, end)} != {int} or not 0 <= begin <= end < 2**63:
        raise ValueError
    if bits and math.prod(shape) * bits != 8 * (end - begin):
        raise ValueError
    return Tensor(name, tuple(shape), end - begin)
