from __future__ import annotations

from app.evaluation.measuring import FETCHED, border, measure
from app.evaluation.questions import Place, Question
from app.knowledge.relevance import as_score, is_relevant
from app.schema import Passage, Progress, SearchResult
from tests.evaluation.parts import TEXTS


class Shelf:
    """The documents of the parts."""

    text = staticmethod(TEXTS.__getitem__)


class Search:
    """Finds the same for every question."""

    def __init__(self, *passages: Passage, relevant: bool = True) -> None:
        self.asked: list[tuple[str, int]] = []
        self._found = SearchResult(passages, relevant, 3.0)

    def search(self, question: str, k: int) -> SearchResult:
        self.asked.append((question, k))
        return self._found


def passage(doc: str, start: int, end: int) -> Passage:
    return Passage(doc, start, end, None, "", TEXTS[doc][start:end], 0.5)


LAMP = Question("lamp", "What burns?", (Place("lamp.md", 4, 27),))


def test_a_record_tells_rank_recall_and_what_was_found_instead() -> None:
    told: list[Progress] = []
    search = Search(passage("灯塔.md", 0, 13), passage("lamp.md", 0, 28))
    (record,) = measure(search, [LAMP], Shelf(), told.append)  # type: ignore[arg-type]
    assert (record.rank, record.refused, record.relevance) == (2, False, 0.75)
    assert record.recall["recall@1000"] == 1.0
    assert record.evidence_text == ("lamp burns rapeseed oil",)
    assert [seen.doc for seen in record.passages] == ["灯塔.md", "lamp.md"]
    assert told == [Progress("searching", 0, 1, "lamp")]
    assert search.asked[-1] == ("What burns?", FETCHED)


def test_long_passages_are_kept_by_their_beginning() -> None:
    long = Passage("灯塔.md", 0, 900, None, "", "x" * 900, 0.5)
    (record,) = measure(Search(long), [LAMP], Shelf(), lambda progress: None)  # type: ignore[arg-type]
    assert len(record.passages[0].text) == 401 and record.passages[0].text.endswith("…")


def test_each_language_is_warm_before_its_time_counts() -> None:
    questions = [Question(str(number), "灯塔？" if number % 2 else "Lamp?", docs=("x",)) for number in range(10)]
    search = Search()
    assert len(measure(search, questions, Shelf(), lambda progress: None)) == 10  # type: ignore[arg-type]
    assert len(search.asked) == 10 + 2 * 3


def test_the_border_is_where_refusals_begin() -> None:
    for strictness in (0.0, 0.25, 0.5, 1.0):
        value = border(strictness)
        assert 0.0 <= value < 1.0
        assert is_relevant(value / (1 - value) + 1e-3, strictness)
        assert strictness == 0.0 or not is_relevant(value / (1 - value) - 1e-3, strictness)
    assert as_score(1.0) == border(0.5)
