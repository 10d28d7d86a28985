"""No text is embedded that the embedding model would cut off: the packaged one, with what its tokenizer says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.config import load_settings
from app.knowledge.chunker import chunk
from app.knowledge.embedder import Embedder
from app.knowledge.library import Knowledge
from app.schema import ExtractedText, Heading
from tests.knowledge.parts import file

URL = "https://example.org/a/very/long/path?with=parameters&and=8f3a9c7e51d2#fragment-0123456789 "
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                URL * 20, "3.14159265358979 " * 60, "0x7f3a, 0b101, 1e-9; " * 40,
                "9" * 800, "x" * 900, "😀👩‍👩‍👧‍👦🇨🇳" * 120,
                "pneumonoultramicroscopicsilicovolcanoconiosis " * 30, "a.b.c.d_e-f/g\\h|i " * 50, "é́̂ñ " * 150,
                "The engine reads the passages and writes an answer. " * 12, "显存不足时，请减小上下文长度。" * 30,
                "Use 显存 with vLLM 引擎 and CUDA 12.8, 或者 Ollama. " * 15, "，。！？" * 150, "!?;:" * 150,
                "한국어 텍스트 " * 80,
                "\n\n", "\n- ",
            ]
        ),
        st.text(max_size=80),
        st.text("0123456789abcdef-_/.:,;'\"()[]{}", max_size=400),
    ),
    min_size=1,
    max_size=4,
).map("".join)  # fmt: skip
TITLES = st.one_of(
    st.sampled_from(["Memory", "9" * 500, URL * 3, "😀" * 200, "显存 and memory " * 40]), st.text(max_size=50)
)


class Spy:
    """Notes what the model is given to read, and makes no vectors of it."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.read: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def encode_document(self, texts: Sequence[str], **options: Any) -> NDArray[np.float32]:
        self.read += texts
        return np.full((len(texts), 384), 384**-0.5, dtype=np.float32)

    encode_query = encode_document

    def tokens(self) -> list[int]:
        """Of each text, with what marks its beginning and end."""
        return [len(ids) for ids in self.model.tokenizer(self.read, truncation=False, verbose=False)["input_ids"]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[Knowledge]:
    """A library with the packaged model, whose understanding is known already."""
    knowledge = Knowledge(load_settings(data_dir=tmp_path_factory.mktemp("library") / "state"))
    knowledge.embedder = embedder
    knowledge.collection(create=True)
    assert knowledge.understanding("en").trust > 0 and knowledge.understanding("zh").trust == 0
    yield knowledge
    knowledge.close()


@pytest.fixture
def spy(library: Knowledge) -> Iterator[Spy]:
    model = library.embedder._load()
    library.embedder._model = spy = Spy(model)
    yield spy
    library.embedder._model = model


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, st.lists(st.tuples(TITLES, TEXTS), max_size=2))
@example(URL * 40, [("9" * 500, URL * 20)])
@example("😀👩‍👩‍👧‍👦🇨🇳" * 300, [])
@example("9" * 3000, [("😀" * 200, "x" * 3000)])
def test_no_chunk_and_no_sentence_is_cut_off(
    library: Knowledge, spy: Spy, text: str, sections: list[tuple[str, str]]
) -> None:
    headings: list[Heading] = []
    for title, body in sections:
        headings.append(Heading(len(text), 1, title))
        text += f"{title}\n{body}\n"
    content = ExtractedText(text, headings=tuple(headings))
    collection = library.collection()
    spy.read.clear()

    spans = chunk(content, collection.fits)
    item = collection.put(file("a_file-with-a-long-name.txt", text), content, spans)
    collection.remove([item])

    assert max(spy.tokens() or [0] if spy.read else [0]) <= spy.model.max_seq_length
    covered = set[int]().union(*(range(span.start, span.end) for span in spans))
    assert {index for index, character in enumerate(text) if not character.isspace()} <= covered


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS)
@example("")
@example("How do I switch the engine? " * 1000)
def test_no_question_is_cut_off_by_the_model_and_a_short_one_not_at_all(
    library: Knowledge, spy: Spy, question: str
) -> None:
    spy.read.clear()

    library.embedder.embed_questions([question])

    [read] = spy.read
    [tokens] = spy.tokens()
    assert question.startswith(read)
    assert tokens <= spy.model.max_seq_length
    assert read == question or tokens > spy.model.max_seq_length // 2


def test_what_fits_is_told_as_the_tokenizer_counts(library: Knowledge, spy: Spy) -> None:
    window = spy.model.max_seq_length
    texts = ["word " * (window - 2), "word " * (window - 1), "", "short", "word " * (window // 2 - 2)]

    assert library.embedder.fits(texts) == [True, False, True, True, True]
    assert library.embedder.fits(texts, 0.5) == [False, False, True, True, True]
    assert library.embedder.fits([]) == []


def test_text_in_a_language_that_the_model_does_not_understand_is_not_embedded(library: Knowledge, spy: Spy) -> None:
    text = "显存\n" + "显存不足时，请减小上下文长度。" * 3 + "\n\n" + "The engine reads on. " * 40
    content = ExtractedText(text, headings=(Heading(0, 1, "显存"), Heading(text.index("The"), 1, "Engine")))
    collection = library.collection()
    spans = chunk(content, collection.fits)

    item = collection.put(file("a.txt", text), content, spans)

    assert spy.read and not any("显存" in read for read in spy.read)
    [first, *others] = collection.catalog.chunk_ids(collection.row.id)
    kept = collection.catalog.sentences([first, *others])
    assert kept[first].vectors is None
    assert all(kept[other].vectors is not None for other in others)
    assert {number for number, _ in collection.keywords.search("显存不足", 9)} == {first}
    collection.remove([item])
