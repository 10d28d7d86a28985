"""What is written down of a fetched model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from app.models.folder import NOTES
from app.models.manifest import Manifest, read_manifest


def noted(folder: Path) -> Manifest:
    (folder / "config.json").write_text("{}")
    manifest = Manifest("org/模型@v1", "hub", "abc", "python download_model.py org/模型", leftover=["old"])
    manifest.note(folder, "config.json", "0")
    manifest.write(folder)
    return manifest


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert noted(tmp_path) == read_manifest(tmp_path)
    assert [path.name for path in (tmp_path / NOTES).iterdir()] == ["manifest.json"]


def test_a_file_is_unchanged_by_size_and_time(tmp_path: Path) -> None:
    manifest = noted(tmp_path)
    assert manifest.unchanged(tmp_path, "config.json")
    assert not manifest.unchanged(tmp_path, "other") and not manifest.unchanged(tmp_path / "gone", "config.json")
    os.utime(tmp_path / "config.json", ns=(0, 0))
    assert not manifest.unchanged(tmp_path, "config.json")


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "{}", "null", '{"files": []}', '{"files": {"a": 1}}', '{"files": {"a": {"size": 1}}}',
     '{"files": {}, "name": "x", "source": "", "commit": "", "command": "", "newer": 1}', "\ud800"],
)  # fmt: skip
def test_one_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / NOTES).mkdir()
    (tmp_path / NOTES / "manifest.json").write_text(text, errors="surrogatepass")
    assert read_manifest(tmp_path) is None


def test_one_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    noted(tmp_path)
    path = tmp_path / NOTES / "manifest.json"
    found = json.loads(path.read_text())
    del found["leftover"]
    path.write_text(json.dumps(found))
    assert (read := read_manifest(tmp_path)) and read.leftover == []
