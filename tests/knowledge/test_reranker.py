"""Rerankers: a real cross-encoder that was taught an order, and models that are none."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.config import ROOT, load_settings
from app.errors import EmbedderMismatch, RerankerUnavailable
from app.knowledge.library import Knowledge
from app.knowledge.reranker import Reranker
from app.knowledge.sentence_models import Allowed
from tests.engines import tiny_model
from tests.knowledge import models
from tests.knowledge.test_retriever import CORPUS, fill

TITLED = {doc: f"{text.partition(chr(10))[0].lstrip('# ')}\n{text}" for doc, text in CORPUS.items()}
TAUGHT = {  # where words and vectors alone put another document first
    "Does the coffee machine have an engine?": "en/engines.md",
    "Are tomatoes watered during holidays?": "en/leave.md",
    "咖啡机有引擎吗？": "zh/引擎.md",
    "显存不足和镜像地址有什么关系？": "zh/镜像.md",
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of fetched models: a reranker and two embedding models, one of them good."""
    folder = tmp_path_factory.mktemp("models")
    answers = {question: TITLED[doc] for question, doc in TAUGHT.items()}
    models.cross_encoder(folder / "acme" / "sorter", answers, TITLED.values())
    models.word_embedder(folder / "acme" / "words", TITLED.values())
    models.packaged_copy(folder / "acme" / "mini")
    return folder


@pytest.fixture(scope="module")
def reranker(shelf: Path) -> Reranker:
    return Reranker("acme/sorter", Allowed(shelf=shelf))


@pytest.mark.parametrize(("question", "doc"), TAUGHT.items())
def test_the_passage_that_answers_has_the_highest_score(reranker: Reranker, question: str, doc: str) -> None:
    scores = dict(zip(TITLED, reranker.score(question, list(TITLED.values())), strict=True))

    assert max(scores, key=scores.__getitem__) == doc


def test_a_score_does_not_depend_on_the_company(reranker: Reranker) -> None:
    question, passages = next(iter(TAUGHT)), list(TITLED.values())

    together = reranker.score(question, passages)

    assert [reranker.score(question, [passage])[0] for passage in passages] == pytest.approx(together, abs=1e-4)
    assert reranker.score(question, []) == []


def test_what_is_longer_than_the_model_reads_is_cut_off(reranker: Reranker) -> None:
    scores = reranker.score("引擎 engine " * 5000, ["espresso " * 5000, "", "显存" * 5000])

    assert len(scores) == 3
    assert all(map(math.isfinite, scores))


def test_several_threads_may_ask_a_model_that_is_not_loaded_yet(reranker: Reranker, shelf: Path) -> None:
    fresh, passages = Reranker(str(shelf / "acme" / "sorter")), list(TITLED.values())

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda question: fresh.score(question, passages), [*TAUGHT] * 3))

    for question, scores in zip([*TAUGHT] * 3, found, strict=True):
        assert scores == pytest.approx(reranker.score(question, passages), abs=1e-5)


def test_one_in_the_library_s_own_format_is_known_as_well(reranker: Reranker, tmp_path: Path) -> None:
    """With modules.json, as sentence-transformers writes them today."""
    reranker.score("?", ["!"])
    reranker._model.save_pretrained(str(tmp_path / "saved"), create_model_card=False)

    question, passages = next(iter(TAUGHT)), list(TITLED.values())
    assert Reranker(str(tmp_path / "saved")).score(question, passages) == reranker.score(question, passages)


# in the library


@pytest.mark.parametrize("by", ["name", "folder"])
def test_models_of_the_shelf_find_and_sort_passages(by: str, shelf: Path, tmp_path: Path) -> None:
    embedding = "acme/mini" if by == "name" else str(shelf / "acme" / "mini")
    documents = tmp_path / "documents"
    documents.mkdir()
    settings = load_settings(data_dir=tmp_path / "state", models_dir=shelf, embedding_model=embedding)
    knowledge = Knowledge(settings)
    fill(knowledge, documents)
    fused = {question: knowledge.retriever().search(question, 30) for question in TAUGHT}
    knowledge.close()

    sorted_ = Knowledge(load_settings(**settings.model_dump() | {"reranker_model": "acme/sorter"}))

    for question, doc in TAUGHT.items():
        found = sorted_.retriever().search(question, 30)
        scores = [passage.score for passage in found.passages]
        assert fused[question].passages[0].doc != doc
        assert found.passages[0].doc == doc
        assert sorted_.retriever().search(question, 1).passages == found.passages[:1]
        assert scores == sorted(scores, reverse=True)
        assert {passage.doc for passage in found.passages} == {passage.doc for passage in fused[question].passages}
        assert (found.relevant, found.relevance) == (fused[question].relevant, fused[question].relevance)
    sorted_.close()


def test_a_collection_of_another_embedding_model_is_refused(shelf: Path, tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    settings = load_settings(data_dir=tmp_path / "state", models_dir=shelf, embedding_model="acme/words")
    knowledge = Knowledge(settings)
    fill(knowledge, documents)
    knowledge.close()
    models.word_embedder(tmp_path / "other", ["other words"])

    other = Knowledge(load_settings(**settings.model_dump() | {"embedding_model": str(tmp_path / "other")}))
    with pytest.raises(EmbedderMismatch) as caught:
        other.retriever()
    other.close()
    assert "was built with acme/words" in caught.value.message
    assert "EMBEDDING_MODEL=acme/words" in caught.value.hint


def test_without_one_nothing_is_loaded_for_it(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom app.config import load_settings\nfrom app.knowledge.library import Knowledge\n"
        f"assert Knowledge(load_settings(data_dir={str(tmp_path)!r})).reranker is None\n"
        f"assert Knowledge(load_settings(data_dir={str(tmp_path)!r}, reranker_model='acme/sorter')).reranker\n"
        "assert 'torch' not in sys.modules and 'sentence_transformers' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=100)


# what is no reranker


def refused(name: object, allowed: Allowed | None = None) -> RerankerUnavailable:
    with pytest.raises(RerankerUnavailable) as caught:
        Reranker(str(name), allowed).score("question", ["passage"])
    assert "\n" not in str(caught.value)
    return caught.value


def test_one_that_is_not_here_is_told_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    error = refused("acme/sorter", Allowed(shelf=tmp_path))

    assert error.message == "acme/sorter is not on this disk."
    assert error.hint == "Fetch it with `python download_model.py acme/sorter --reranker`, or correct RERANKER_MODEL."


def test_a_chat_model_and_an_embedding_model_are_none(shelf: Path, tmp_path: Path) -> None:
    chat = tiny_model.make(tmp_path / "chat")

    assert refused(chat).message == f"{chat} is a language model, not a reranker."
    assert refused("acme/words", Allowed(shelf=shelf)).message == "acme/words is an embedding model, not a reranker."
    assert refused(models.packaged_copy(tmp_path / "mini")).message.endswith(" is an embedding model, not a reranker.")


def test_a_classifier_of_several_classes_is_none(tmp_path: Path) -> None:
    folder = models.cross_encoder(tmp_path / "moods", {"engine": "coffee"}, labels=3)

    assert "sorts text into 3 classes" in refused(folder).message


def test_damaged_weights_are_named(shelf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sorter"
    shutil.copytree(shelf / "acme" / "sorter", folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])

    assert "model.safetensors of sorter is cut off" in refused(folder).message
