"""The headers of safetensors files: what they tell, and that no file gets past as something it is not."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.torch import save_file

from app.errors import ModelDamaged
from app.models.safetensors import Tensor, read_header
from tests.models.parts import POINTER, safetensors

SAMPLE = safetensors({"a": ("BF16", [6, 4]), "b": ("F32", [3]), "c": ("U8", [])}, {"format": "pt"})


def read(data: bytes) -> dict[str, Tensor]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        path.write_bytes(data)
        return read_header(path)


def complaint(data: bytes) -> str:
    with pytest.raises(ModelDamaged) as caught:
        read(data)
    assert caught.value.hint
    return caught.value.message


def framed(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_a_header_tells_type_shape_and_size_of_each_tensor() -> None:
    assert read(SAMPLE) == {
        "a": Tensor("bfloat16", (6, 4), 48),
        "b": Tensor("float32", (3,), 12),
        "c": Tensor("uint8", (), 1),
    }


def test_a_file_that_the_library_wrote_is_read_as_it_was_meant(tmp_path: Path) -> None:
    dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]
    dtypes += [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool, torch.uint16, torch.uint32]
    tensors = {str(dtype): torch.zeros(2, 3).to(dtype) for dtype in dtypes}
    save_file(tensors, tmp_path / "x.safetensors", {"format": "pt"})

    found = read_header(tmp_path / "x.safetensors")

    assert {f"torch.{tensor.dtype}" for tensor in found.values()} == set(tensors)
    assert all(f"torch.{tensor.dtype}" == name and tensor.shape == (2, 3) for name, tensor in found.items())
    assert sum(tensor.size for tensor in found.values()) == sum(each.nbytes for each in tensors.values())


def test_a_type_of_the_future_is_taken_as_it_is() -> None:
    header = {"a": {"dtype": "F2_NEW", "shape": [8], "data_offsets": [0, 2]}}

    assert read(framed(header, b"\0\0")) == {"a": Tensor("f2_new", (8,), 2)}


@given(st.integers(0, len(SAMPLE) - 1))
def test_every_truncation_is_noticed(length: int) -> None:
    assert "model.safetensors of " in complaint(SAMPLE[:length])


@given(st.binary(max_size=300))
@example(b"<!DOCTYPE html><html><body>404 Not Found</body></html>")
@example(framed(b"[" * 100_000))
@example(framed(b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, ' + b"9" * 4300 + b"]}}"))
@example(framed({"a": {"dtype": "NEW", "shape": [10**9, "ab"], "data_offsets": [0, 0]}}))
@example(framed({"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}, bytes(4)))
def test_garbage_is_never_read(data: bytes) -> None:
    complaint(data)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "BF16", "X1"]) | VALUES,
        "shape": st.lists(st.integers(-2, 3), max_size=2) | VALUES,
        "data_offsets": st.lists(st.integers(-1, 9), min_size=1, max_size=3) | VALUES,
    },
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]), ITEMS | VALUES, max_size=3) | VALUES, st.integers(0, 9)
)
def test_whatever_a_header_says_it_is_read_or_refused(header: Any, size: int) -> None:
    try:
        found = read(framed(header, bytes(size)))
    except ModelDamaged as error:
        assert error.hint
    else:
        assert sum(tensor.size for tensor in found.values()) == size


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (POINTER, "is a Git LFS pointer, not the file itself"),
        (b"\0" * 1000, "is no safetensors file"),
        (b"\xff" * 1000, "is no safetensors file"),
        (SAMPLE[:100], "is cut off within its header (100 bytes)"),
        (SAMPLE[:-1], f"is cut off: it has {len(SAMPLE) - 1} of {len(SAMPLE)} bytes"),
        (SAMPLE + b"\0", "holds other bytes than its header says"),
        (framed({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, bytes(8)), "holds other bytes"),
        (framed({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, bytes(4)), "has a garbled header"),
        (framed(b"not json"), "has a garbled header"),
        (framed([1]), "has a garbled header"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_said(data: bytes, words: str) -> None:
    assert words in complaint(data)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ModelDamaged, match=r"model\.safetensors of .* cannot be read: No such file"):
        read_header(tmp_path / "model.safetensors")
