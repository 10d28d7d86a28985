"""The fingerprint of weights: the same for a copy, another one where a single place in a large file differs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.errors import ModelDamaged
from app.models import fingerprint

BLOCK, BLOCKS = 64 * 1024, 256


def test_a_copy_has_the_same_one_and_other_numbers_another(tmp_path: Path) -> None:
    first, copy, other = (tmp_path / name for name in ("first", "copy", "other"))
    for folder, numbers in ((first, b"\1" * 5000), (other, b"\1" * 4999 + b"\2")):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(numbers)
    shutil.copytree(first, copy)
    (copy / "README.md").write_text("The weights are what counts.")

    assert fingerprint(copy) == fingerprint(first)
    assert fingerprint(other) != fingerprint(first)


def test_of_a_large_file_places_all_over_it_are_looked_at(tmp_path: Path) -> None:
    """A change as long as two steps between the places cannot hide between them."""
    size, path = 40 * 1024 * 1024, tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.truncate(size)
    before, seen = fingerprint(tmp_path), set()
    for at in range(0, size, size // 10):
        with path.open("r+b") as file:
            file.seek(at)
            file.write(b"\7" * (2 * size // BLOCKS))
        seen.add(fingerprint(tmp_path))

    assert len(seen - {before}) == 10


def test_a_folder_without_weights_has_none(tmp_path: Path) -> None:
    with pytest.raises(ModelDamaged, match="no weights"):
        fingerprint(tmp_path)
