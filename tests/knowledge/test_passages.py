"""Passages are put together from the sentences of small chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.knowledge.chunker import chunk
from app.knowledge.passages import LONGEST, Window, windows
from app.schema import Chunk, ExtractedText, Heading
from app.text import Language, Span, language
from tests.knowledge.test_chunker import CHINESE, ENGLISH, documents


def stored(
    documents: Sequence[ExtractedText], longest: int = 10_000
) -> tuple[dict[int, Chunk], dict[int, Sequence[Span]]]:
    """The chunks of documents and their sentences, numbered on as the catalog does; none is longer than ``longest``."""
    chunks: dict[int, Chunk] = {}
    sentences: dict[int, Sequence[Span]] = {}
    for number, document in enumerate(documents, 1):
        for span in chunk(document, lambda texts: [len(text) <= longest for text in texts]):
            item = len(chunks) + 1
            text = document.text[span.start : span.end]
            chunks[item] = Chunk(
                item, number, f"{number}.txt", text, span.start, span.end, span.page, span.heading, "0" * 64
            )
            sentences[item] = span.sentences
    return chunks, sentences


def found(
    chunks: Mapping[int, Chunk], sentences: Mapping[int, Sequence[Span]], scores: Mapping[int, float]
) -> list[Window]:
    return list(windows({item: chunks[item] for item in scores}, sentences, scores))


@settings(max_examples=80, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=3), st.sampled_from([40, 200, 10_000]), st.data())
def test_every_sentence_is_in_one_window_and_no_two_windows_overlap(
    made: list[ExtractedText], longest: int, data: st.DataObject
) -> None:
    """Whatever chunks were found, and in whatever order."""
    chunks, sentences = stored(made, longest)
    items = data.draw(st.lists(st.sampled_from(sorted(chunks)), unique=True)) if chunks else []
    scores = {item: float(data.draw(st.integers(-3, 3))) for item in items}

    every = found(chunks, sentences, scores)

    assert [window.score for window in every] == sorted((window.score for window in every), reverse=True)
    for number, document in enumerate(made, 1):
        own = sorted((one for one in every if one.chunk.document_id == number), key=lambda one: one.start)
        wanted = {span for item in items if chunks[item].document_id == number for span in sentences[item]}
        assert all(0 <= one.start < one.end <= len(document.text) for one in own)
        assert all(one.end <= other.start for one, other in pairwise(own))
        for start, end in wanted:
            assert sum(one.start <= start and end <= one.end for one in own) == 1
        for one in own:
            inside = [span for span in wanted if one.start <= span[0] and span[1] <= one.end]
            assert (min(inside)[0], max(inside)[1]) == (one.start, one.end)
            assert "".join(document.text[slice(*span)] for span in sorted(inside)).split() != []
            most = max(LONGEST[language(one.chunk.text)], *(end - start for start, end in inside))
            assert one.end - one.start <= most
            headings = {
                chunks[item].heading for item in items
                if chunks[item].document_id == number and set(sentences[item]) & set(inside)
            }  # fmt: skip
            assert one.chunk.heading in headings
            assert one.score == scores[one.chunk.id]


@settings(max_examples=50, deadline=None)
@given(documents(), st.sampled_from([40, 10_000]))
def test_all_windows_together_hold_all_that_can_be_seen(document: ExtractedText, longest: int) -> None:
    chunks, sentences = stored([document], longest)

    every = found(chunks, sentences, dict.fromkeys(chunks, 1.0))

    covered = set[int]().union(*(range(one.start, one.end) for one in every))
    assert {index for index, character in enumerate(document.text) if not character.isspace()} <= covered


@pytest.mark.parametrize(("sentence", "name"), [(ENGLISH, "en"), (CHINESE, "zh")])
def test_a_window_grows_into_the_better_neighbour_until_it_is_long_enough(sentence: str, name: Language) -> None:
    chunks, sentences = stored([ExtractedText(sentence * 100)])
    best = len(chunks) // 2
    starts = {}
    for better in (best - 1, best + 1):
        scores = dict.fromkeys(chunks, 0.0) | {best: 2.0, better: 1.0}

        first = found(chunks, sentences, scores)[0]

        assert (first.chunk.id, first.score) == (best, 2.0)
        assert LONGEST[name] - 2 * len(sentence) < first.end - first.start <= LONGEST[name]
        assert first.start <= chunks[best].start and chunks[best].end <= first.end
        starts[better] = first.start
    assert starts[best - 1] < starts[best + 1]


def test_a_window_stays_in_its_section_and_its_document() -> None:
    text = "One\nThe first text.\nTwo\nThe second text."
    document = ExtractedText(text, headings=(Heading(0, 1, "One"), Heading(text.index("Two"), 1, "Two")))
    chunks, sentences = stored([document, document])

    every = found(chunks, sentences, {1: 1.0, 2: 2.0, 3: 3.0, 4: 0.0})

    assert [(one.chunk.document_id, text[one.start : one.end]) for one in every] == [
        (2, "One\nThe first text."),
        (1, "Two\nThe second text."),
        (1, "One\nThe first text."),
        (2, "Two\nThe second text."),
    ]


def test_a_window_does_not_grow_over_what_was_not_found() -> None:
    document = ExtractedText(ENGLISH * 30)
    chunks, sentences = stored([document])
    assert len(chunks) > 5

    every = found(chunks, sentences, {1: 1.0, 2: 0.5, 5: 0.7})

    assert [(one.start, one.end) for one in every] == [
        (chunks[1].start, chunks[2].end), (chunks[5].start, chunks[5].end)
    ]  # fmt: skip


def test_a_sentence_that_two_chunks_share_has_the_better_score() -> None:
    document = ExtractedText(ENGLISH * 9)
    chunks, sentences = stored([document])
    assert chunks[2].start < chunks[1].end

    [window] = found(chunks, sentences, {1: 0.0, 2: 1.0})

    assert (window.start, window.end, window.score) == (0, chunks[2].end, 1.0)


def test_of_nothing_there_are_no_windows() -> None:
    assert list(windows({}, {}, {})) == []
