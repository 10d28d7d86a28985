"""The keyword index: BM25 over our own terms."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from app.knowledge.keywords import KeywordIndex
from app.text import pairs, terms


@pytest.fixture
def index(tmp_path: Path) -> KeywordIndex:
    return KeywordIndex(tmp_path / "keywords")


def ids(index: KeywordIndex, question: str, k: int = 10) -> list[int]:
    return [item for item, _ in index.search(question, k)]


def test_scores_are_bm25(index: KeywordIndex) -> None:
    """Robertson's formula with k1 = 1.2 and b = 0.75; tantivy keeps lengths exactly up to 40 terms.

    That of pairs counts a part of that of words.
    """
    texts = {1: "cat dog", 2: "cat cat bird fish", 3: "horse", 4: "dog bird horse cow pig cat"}
    for document, text in texts.items():
        index.add(document, [(document * 10, text)])
    index.remove([99])

    def bm25(document: int, question: str, cut: Callable[[str], list[str]]) -> float:
        bags = {document: Counter(cut(text)) for document, text in texts.items()}
        mean = sum(bag.total() for bag in bags.values()) / len(bags)
        bag, score = bags[document], 0.0
        for term in cut(question):
            holding = sum(term in other for other in bags.values())
            idf = math.log(1 + (len(bags) - holding + 0.5) / (holding + 0.5))
            frequency = bag[term]
            score += idf * frequency * 2.2 / (frequency + 1.2 * (0.25 + 0.75 * bag.total() / mean))
        return score

    for question in ("cats, a bird?", "bird fish"):
        found = dict(index.search(question, 10))

        assert set(found) == {10, 20, 40} if "cat" in question else {20, 40}
        for item, score in found.items():
            wanted = bm25(item // 10, question, terms) + 0.45 * bm25(item // 10, question, pairs)
            assert score == pytest.approx(wanted, rel=1e-4)


def test_the_best_come_first_and_k_is_the_most(index: KeywordIndex) -> None:
    index.add(1, [(number, "engine " + "filler " * number) for number in range(1, 30)])

    assert ids(index, "engine", 5) == [1, 2, 3, 4, 5]
    scores = [score for _, score in index.search("engine", 29)]
    assert scores == sorted(scores, reverse=True)


def test_a_repeated_word_of_the_question_counts_as_often(index: KeywordIndex) -> None:
    index.add(1, [(1, "alpha"), (2, "beta")])

    assert ids(index, "alpha beta beta") == [2, 1]
    assert ids(index, "alpha alpha beta") == [1, 2]


def test_chinese_is_found_by_its_words(index: KeywordIndex) -> None:
    index.add(1, [(1, "显存不足时减小上下文长度"), (2, "北京是中国的首都"), (3, "上海自来水来自海上")])

    assert ids(index, "显存不够怎么办？")[0] == 1
    assert ids(index, "中国首都在哪里") == [2]
    assert ids(index, "海水") == []  # two characters that stand nowhere side by side as a word


def test_case_width_accents_and_endings_make_no_difference(index: KeywordIndex) -> None:
    index.add(1, [(1, "Serving MODELS at the café")])

    for question in ("model", "ＳＥＲＶＥ", "cafe", "models serve"):
        assert ids(index, question) == [1]


@pytest.mark.parametrize("question", ["", " \n", "?!。", "the of and", "的", "unheard"])
def test_a_question_without_known_words_finds_nothing(index: KeywordIndex, question: str) -> None:
    index.add(1, [(1, "the engine of the product 的 什么")])

    assert index.search(question, 10) == []


def test_characters_side_by_side_find_names_that_no_dictionary_knows(index: KeywordIndex) -> None:
    index.add(1, [(1, "由顾鹭岑主持"), (2, "岑寂的鹭鸟，顾不上主持")])

    assert ids(index, "顾鹭岑是谁？")[0] == 1
    assert ids(index, "鹭岑") == [1]


def test_words_side_by_side_count_for_more_than_words_apart(index: KeywordIndex) -> None:
    index.add(1, [(1, "cells of blood, some of them red"), (2, "red blood and other cells of them")])

    assert ids(index, "red blood") == [2, 1]


def test_traditional_and_simplified_characters_find_each_other(index: KeywordIndex) -> None:
    index.add(1, [(1, "顯存不足時減小上下文長度"), (2, "显存不足时减小上下文长度"), (3, "北京是中国的首都")])

    for question in ("显存不足", "顯存不足"):
        assert set(ids(index, question)) == {1, 2}
        assert len({score for _, score in index.search(question, 2)}) == 1


@pytest.mark.parametrize(
    "question", ['"open quote', "body:engine", "a AND (b OR", "engine^9", "*", "[1 TO 2]", "\\", "-engine +"]
)
def test_a_question_is_words_and_never_a_query_language(index: KeywordIndex, question: str) -> None:
    index.add(1, [(1, "engine")])

    assert ids(index, question) in ([], [1])


def test_an_empty_index_finds_nothing(index: KeywordIndex) -> None:
    assert index.search("engine", 10) == []
    assert index.frequencies(["engin"], ["engin_word"]) == (0, {"engin": 0}, {"engin_word": 0})
    index.remove([1])


def test_removed_documents_are_forgotten(index: KeywordIndex) -> None:
    index.add(1, [(1, "engine one"), (2, "engine two")])
    index.add(2, [(3, "engine three")])

    index.remove([1, 77])

    assert ids(index, "engine") == [3]
    assert ids(index, "two") == []


def test_adding_a_document_again_replaces_it(index: KeywordIndex) -> None:
    index.add(1, [(1, "old")])
    index.add(1, [(2, "new")])

    assert ids(index, "old") == []
    assert ids(index, "new") == [2]


def test_frequencies_count_chunks(index: KeywordIndex) -> None:
    index.add(1, [(1, "red blood red blood"), (2, "red blood"), (3, "blood that is red")])

    assert index.frequencies(["red", "nowher"], ["red_blood"]) == (3, {"red": 3, "nowher": 0}, {"red_blood": 2})


def test_everything_is_there_after_opening_it_again(tmp_path: Path) -> None:
    first = KeywordIndex(tmp_path / "keywords")
    first.add(1, [(1, "engine"), (2, "显存")])
    del first

    second = KeywordIndex(tmp_path / "keywords")
    assert ids(second, "engine") == [1]
    assert ids(second, "显存") == [2]


def test_a_very_long_word_and_a_very_long_question_are_harmless(index: KeywordIndex) -> None:
    index.add(1, [(1, "x" * 200_000 + " engine")])

    assert ids(index, "engine") == [1]
    assert ids(index, "x" * 200_000) in ([], [1])
    assert ids(index, " ".join(f"word{number}" for number in range(5000)) + " engine") == [1]


def test_searching_while_writing(index: KeywordIndex) -> None:
    index.add(0, [(0, "always here")])
    errors: list[Exception] = []
    stop = threading.Event()

    def look() -> None:
        try:
            while not stop.is_set():
                assert 0 in ids(index, "always", 100)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    for document in range(1, 6):
        index.add(document, [(document, f"always {document}")])
        index.remove([document])
    stop.set()
    thread.join()

    assert errors == []


def test_a_commit_that_a_kill_cut_off_does_not_stand_in_the_way(tmp_path: Path) -> None:
    """Killed after the list of deleted rows is written and before the commit names it."""
    first = KeywordIndex(tmp_path / "keywords")
    for document in range(10):
        first.add(document, [(document, f"engine word{document}")])
    committed = tmp_path / "keywords" / "meta.json"
    before, files = committed.read_bytes(), set(committed.parent.iterdir())
    first.remove([3])
    assert any(path.suffix == ".del" for path in set(committed.parent.iterdir()) - files)
    del first
    committed.write_bytes(before)

    second = KeywordIndex(tmp_path / "keywords")
    assert len(ids(second, "engine")) == 10
    second.remove([3])
    assert set(ids(second, "engine")) == set(range(10)) - {3}


def test_a_destroyed_index_is_gone_from_disk(tmp_path: Path) -> None:
    index = KeywordIndex(tmp_path / "keywords")
    index.add(1, [(1, "engine")])

    index.destroy()

    assert not (tmp_path / "keywords").exists()
