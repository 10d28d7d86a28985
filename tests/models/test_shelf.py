"""The product's own models, and the folders that it was told of."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DiskFull
from app.models.shelf import fetched, forget, kept, place, register, registered, shelf_name
from tests.models import parts


def test_each_revision_has_a_folder_of_its_own(tmp_path: Path) -> None:
    assert place(tmp_path, "org/model") == tmp_path / "org" / "model"
    assert place(tmp_path, "org/model", "refs/pr/1") == tmp_path / "org" / "model@refs--pr--1"
    assert place(tmp_path, "gpt2", "v1") == tmp_path / "gpt2@v1"


@pytest.mark.parametrize("name", ["..", "../x", "a/../b", "/etc", "", "a//b", "a\0b", ".", "./a", "a b"])
def test_no_name_leads_off_the_shelf(tmp_path: Path, name: str) -> None:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "x").mkdir()
    assert kept(tmp_path / "shelf", name) is None


def test_models_with_and_without_an_owner_are_found_others_are_not(tmp_path: Path) -> None:
    parts.model(tmp_path / "gpt2")
    parts.model(tmp_path / "org" / "model")
    (tmp_path / "org" / "notes").mkdir()
    (tmp_path / "org" / "half" / ".hotswap").mkdir(parents=True)
    found = [shelf_name(tmp_path, folder) for folder in fetched(tmp_path)]
    assert found == ["gpt2", "org/half", "org/model"]
    assert list(fetched(tmp_path / "none")) == []


def test_a_folder_is_remembered_once_and_two_of_a_name_stay_apart(tmp_path: Path) -> None:
    one, two = (parts.model(tmp_path / owner / "qwen") for owner in ("a", "b"))
    shelf = tmp_path / "shelf"
    assert [register(shelf, folder) for folder in (one, two, one)] == ["qwen", str(two), "qwen"]
    assert registered(shelf) == {"qwen": one, str(two): two}
    assert kept(shelf, "qwen") == one
    assert forget(shelf, "qwen") and not forget(shelf, "qwen")
    assert kept(shelf, "qwen") is None


@given(st.text())
def test_a_damaged_list_is_empty(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    shelf = tmp_path_factory.getbasetemp()
    (shelf / "registered.json").write_bytes(text.encode(errors="surrogatepass"))
    assert isinstance(registered(shelf), dict)


def test_a_list_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskFull, match="cannot be written"):
        register(tmp_path / "file", parts.model(tmp_path / "qwen"))
