"""What holds for the passages of any search: they are what they say they are, and nothing that is not ready."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.config import load_settings
from app.knowledge.chunker import chunk
from app.knowledge.collection import Collection
from app.knowledge.library import Knowledge
from app.knowledge.passages import LONGEST
from app.schema import ExtractedText
from app.text import language
from tests.knowledge.parts import WordEmbedder, file
from tests.knowledge.test_chunker import CHINESE, ENGLISH, documents

State = Literal["ready", "pending", "removed", "replaced"]
QUESTIONS = (ENGLISH, CHINESE, "engine", "引擎", "Memory", "顯存不足怎麼辦？", "x" * 700, "unheard", "a > b")


class Windowed(WordEmbedder):
    """Reads so many characters, and understands English alone."""

    def __init__(self) -> None:
        super().__init__()
        self.window = 1_000_000

    def fits(self, texts: list[str], share: float = 1.0) -> list[bool]:  # type: ignore[override]
        return [len(text) <= self.window * share for text in texts]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knowledge]:
    knowledge = Knowledge(load_settings(data_dir=tmp_path_factory.mktemp("library") / "state"))
    knowledge.embedder = Windowed()
    for name in ("mine", "other"):
        knowledge.collection(name, create=True)
    yield knowledge
    knowledge.close()


def put(collection: Collection, name: str, content: ExtractedText) -> int:
    return collection.put(file(name, content.text), content, chunk(content, collection.fits))


def emptied(library: Knowledge) -> None:
    for name in ("mine", "other"):
        collection = library.collection(name)
        collection.remove([item.document_id for item in collection.catalog.sources(collection.row.id).values()])
        collection.catalog.discard_pending()
        collection.sweep()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(documents(), st.sampled_from(["ready", "ready", "pending", "removed", "replaced"])), max_size=3),
    st.lists(st.sampled_from(QUESTIONS), min_size=1, max_size=3, unique=True),
    st.sampled_from([1, 4, 100]),
    st.sampled_from([30, 1_000_000]),
)
def test_passages_are_what_they_claim_to_be(
    library: Knowledge, made: list[tuple[ExtractedText, State]], questions: list[str], k: int, window: int
) -> None:
    """The indexes still hold, or hold already, what the catalog does not let answer."""
    emptied(library)
    collection, embedder = library.collection("mine"), library.embedder
    assert isinstance(embedder, Windowed)
    embedder.window = window
    texts: dict[int, ExtractedText] = {}
    for number, (content, state) in enumerate(made):
        item = put(collection, f"{number}.txt", content)
        texts[item] = content
        put(library.collection("other"), f"other {number}.txt", content)  # its chunks are numbered in between
        if state in ("removed", "replaced"):
            collection.catalog.remove_documents([item])
            del texts[item]
        if state == "replaced":
            texts[put(collection, f"{number}.txt", content)] = content
        if state == "pending":
            collection.catalog._db.execute("UPDATE documents SET state = 'pending' WHERE id = ?", (item,))
            del texts[item]

    for question in questions:
        found = library.retriever("mine").search(question, k)

        passages = found.passages
        assert len(passages) <= k
        assert [one.score for one in passages] == sorted((one.score for one in passages), reverse=True)
        assert all(0 <= one.score <= 1 for one in passages)
        for one in passages:
            content = texts[one.document_id]  # a KeyError names a document that is not ready
            assert one.text == content.text[one.start : one.end] != ""
            pages = [page.number for page in content.pages if page.start <= one.start < page.end]
            assert [one.page] == (pages if content.pages else [None])
            assert one.heading == "" or one.heading.split(" > ")[-1] in [
                *(heading.title for heading in content.headings), *(line.strip() for line in content.text.split("\n")),
                "b",
            ]  # fmt: skip
            assert library.content(one.document_id, one.sha256) == content
        for one, other in pairwise(sorted(passages, key=lambda one: (one.document_id, one.start))):
            assert one.document_id != other.document_id or one.end <= other.start
        if k == 100 and window > 30 and not any(language(one.text) == "zh" for one in passages):
            assert all(one.end - one.start <= LONGEST["en"] * 5 // 4 for one in passages)
