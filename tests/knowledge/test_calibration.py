"""What a collection's own texts say about chance."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.knowledge.calibration import LENGTHS, Calibration, calibrate
from app.knowledge.collection import Collection
from app.knowledge.library import Knowledge
from tests.knowledge.conftest import Open
from tests.knowledge.parts import WordEmbedder

SUBJECTS = ("engine", "garden", "harbour", "kitchen", "library", "mountain", "orchard", "prison", "railway", "school")
CHINESE = ("引擎", "花园", "港口", "厨房", "图书馆", "山脉", "果园", "监狱", "铁路", "学校")

unit = st.floats(0, 1)
maybe = st.one_of(st.none(), unit)
chances = st.one_of(st.just(()), st.lists(unit, min_size=len(LENGTHS), max_size=len(LENGTHS)).map(tuple))
calibrations = st.builds(Calibration, st.integers(0, 10**6), st.integers(0, 10**6), maybe, maybe, unit, chances)


@given(calibrations)
def test_it_is_the_same_after_it_was_kept(calibration: Calibration) -> None:
    assert Calibration.from_json(calibration.to_json()) == calibration
    assert Calibration.from_json("") == Calibration()


@given(calibrations, st.integers(-1, 1000))
def test_chance_lies_between_the_lengths_that_it_was_measured_at(calibration: Calibration, words: int) -> None:
    found = calibration.by_chance(words)

    if not calibration.chance:
        assert found == 0
        return
    assert min(calibration.chance) - 1e-9 <= found <= max(calibration.chance) + 1e-9
    if words in LENGTHS:
        assert found == pytest.approx(calibration.chance[LENGTHS.index(words)])
    if words <= LENGTHS[0]:
        assert found == calibration.chance[0]
    if words >= LENGTHS[-1]:
        assert found == pytest.approx(calibration.chance[-1])


def test_between_two_lengths_it_is_in_proportion() -> None:
    calibration = Calibration(chance=(0.9, 0.8, 0.6, 0.3, 0.2, 0.1))

    assert calibration.by_chance(4) == pytest.approx(0.7)
    assert calibration.by_chance(6) == pytest.approx(0.5)
    assert calibration.by_chance(15) == pytest.approx(0.15)


def write(folder: Path, count: int) -> None:
    for number in range(count):
        english, chinese = SUBJECTS[number % len(SUBJECTS)], CHINESE[number % len(CHINESE)]
        text = "".join(f"The {english} has {step} rooms, and {english} {number * 97 + step}. " for step in range(24))
        (folder / f"{number}.txt").write_text(f"{text}\n\n{chinese}有{number}个房间，{chinese}很大。", encoding="utf-8")


@pytest.fixture
def filled(knowledge: Knowledge, folder: Path) -> Collection:
    write(folder, 10)
    knowledge.ingest([folder])
    return knowledge.collection()


def test_a_collection_is_measured_after_ingestion_and_the_same_each_time(filled: Collection, open_again: Open) -> None:
    measured = filled.calibration

    assert measured.size == len(filled.catalog.chunk_ids(filled.row.id)) > 10
    assert measured.unrelated is not None and measured.related is not None
    assert 0 < measured.unrelated < measured.related <= 1.001
    assert 0 < measured.overlap < 1
    assert len(measured.chance) == len(LENGTHS) and all(0 < share < 1 for share in measured.chance)
    assert measured.chance[0] > measured.chance[-1]  # many words thrown together are never all in one chunk
    assert calibrate(filled.catalog, filled.keywords, filled.row.id) == measured
    assert open_again().collection().calibration == measured


def test_it_is_measured_anew_only_where_much_has_changed(
    filled: Collection, knowledge: Knowledge, folder: Path
) -> None:
    measured = filled.calibration
    (folder / "one more.txt").write_text("A single sentence.")
    knowledge.ingest([folder])
    assert filled.calibration == measured

    write(folder, 20)
    knowledge.ingest([folder])
    assert filled.calibration != measured
    assert filled.calibration.size == len(filled.catalog.chunk_ids(filled.row.id))


def test_another_collection_does_not_count(filled: Collection, knowledge: Knowledge, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(other, 5)

    knowledge.ingest([other], "other")

    assert calibrate(filled.catalog, filled.keywords, filled.row.id) == filled.calibration


def test_overlap_is_what_documents_have_in_common(knowledge: Knowledge, tmp_path: Path) -> None:
    """In each document other words, or the same in every two."""
    found = {}
    for name, shared in (("apart", 1), ("alike", 2)):
        folder = tmp_path / name
        folder.mkdir()
        for number in range(8):
            text = "kettle{0} stove{0} kitchen{0} cook{0} pan{0} lid{0} salt{0}".format(f"x{number // shared}")
            (folder / f"{number}.txt").write_text(f"{text} unique{number}")
        knowledge.ingest([folder], name)
        found[name] = knowledge.collection(name).calibration.overlap

    assert found["apart"] == 0 < 0.2 < found["alike"]


def test_of_an_empty_collection_nothing_is_known(knowledge: Knowledge, folder: Path) -> None:
    knowledge.ingest([folder])
    collection = knowledge.collection()

    assert collection.calibration == Calibration()
    assert calibrate(collection.catalog, collection.keywords, collection.row.id) == Calibration()


def test_of_a_few_sentences_and_documents_little_is_known(knowledge: Knowledge, folder: Path) -> None:
    (folder / "a.txt").write_text("The engine runs on coal. It is loud.")
    knowledge.ingest([folder])

    calibration = knowledge.collection().calibration
    assert (calibration.size, calibration.unrelated, calibration.related, calibration.overlap) == (1, None, None, 0)
    assert len(calibration.chance) == len(LENGTHS)


def test_text_that_is_not_embedded_is_measured_by_its_words_alone(open_again: Open, folder: Path) -> None:
    knowledge = open_again(WordEmbedder(cheats=False))
    write(folder, 10)
    knowledge.ingest([folder])

    calibration = knowledge.collection().calibration
    assert (calibration.unrelated, calibration.related) == (None, None)
    assert calibration.overlap > 0 and all(calibration.chance)


@pytest.mark.parametrize("text", ["的 了 是 在 和", "...", "字", "\u2603\u2603\u2603"])
def test_texts_without_words_are_no_problem(knowledge: Knowledge, folder: Path, text: str) -> None:
    for number in range(6):
        (folder / f"{number}.txt").write_text(text + " " * number, encoding="utf-8")

    report = knowledge.ingest([folder])

    assert report.failed == []
    assert knowledge.collection().calibration.size == 6
    knowledge.retriever().search("Anything?")
