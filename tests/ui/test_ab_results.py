"""What votes add up to on the page that measures, and the file of a conversation."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import service as service_module
from app.conversation.duel import Duel, Side, Vote
from app.conversation.history import SavedMessage
from app.schema import Answer, Citation, Timings, Usage
from app.ui import ab_results, export
from app.ui.ab_words import pace
from app.ui.i18n import said
from app.votes import Votes


class Service:
    """The part of the service that is looked at."""

    def __init__(self, folder: Path) -> None:
        self.votes = Votes(folder / "votes.sqlite3")

    def vote(self, one: str, other: str, vote: Vote, times: int = 1, blind: bool = True) -> None:
        sides = tuple(
            Side(name, Answer("Yes.", name, f"{name}-7b", True, False, "q", timings=Timings(0, 500.0, 2000.0),
                              usage=Usage(9, 30) if name == "hf" else None))
            for name in (one, other)
        )  # fmt: skip
        for _ in range(times):
            self.votes.add(Duel((sides[0], sides[1]), blind), vote)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    stand_in = Service(tmp_path)
    monkeypatch.setattr(service_module, "_current", stand_in)
    yield stand_in
    stand_in.votes.close()


def results(lang: str = "en") -> AppTest:
    page = AppTest.from_function(_results, default_timeout=20)
    page.session_state["lang"] = lang
    return page.run()


def _results() -> None:
    import streamlit as st

    from app.service import current
    from app.ui import ab_results

    chat = st.Page(lambda: None, title="Chat", url_path="chat", default=True)
    st.navigation([chat], position="hidden")
    st.session_state["pages"] = {"chat": chat}
    ab_results.draw(current())


def told(page: AppTest) -> str:
    texts = [str(element.value) for kind in (page.markdown, page.caption) for element in kind]
    return "\n".join([*texts, *(str(element.proto.body) for element in page.get("html"))]).replace("\\", "")


def test_without_votes_it_says_how_to_come_by_some(service: Service) -> None:
    assert "No votes yet." in told(results()) and "还没有投票。" in told(results("zh"))


@pytest.mark.parametrize(
    ("wins", "losses", "english", "chinese"),
    [
        (8, 2, "12 votes: hf · hf-7b was preferred in 8 of 10 decided ones, 49–94\u00a0%: not yet clear.",
         "共 12 票：分出高下的 10 票中，hf · hf-7b 得 8 票（49–94\u00a0%）：尚不明确。"),
        (20, 2, "24 votes: hf · hf-7b was preferred in 20 of 22 decided ones, 72–97\u00a0%: clear, chance",
         "共 24 票：分出高下的 22 票中，hf · hf-7b 得 20 票（72–97\u00a0%）：领先明确"),
        (3, 3, "8 votes: 3 for each in 6 decided ones, 19–81\u00a0%: no difference shown.", "看不出差别"),
        (0, 0, "2 votes, none of them decided.", "共 2 票，都没有分出高下。"),
    ],
)  # fmt: skip
def test_a_pair_is_told_in_plain_words_with_its_interval(
    service: Service, wins: int, losses: int, english: str, chinese: str
) -> None:
    service.vote("hf", "ollama", "a", wins)
    service.vote("ollama", "hf", "a", losses)
    service.vote("hf", "ollama", "both_good")
    service.vote("ollama", "hf", "both_bad")
    assert english in told(results()) and "Both good: 1 · both bad: 1" in told(results())
    assert chinese in told(results("zh"))
    assert ("votes-bar" in told(results())) is (wins + losses > 0)


def test_the_table_has_medians_and_how_many_they_are_of(service: Service) -> None:
    service.vote("hf", "ollama", "a", blind=False)
    page = told(results())
    assert "1 vote: hf · hf-7b was preferred in 1 of 1 decided ones" in page and "names shown" in page
    assert "0.50 秒 <small>" in told(results("zh"))
    assert page.count("0.50 s <small>(n 1)</small>") == 2 and page.count("2.00 s <small>(n 1)</small>") == 2
    assert "15.00 <small>(n 1)</small>" in page and '<td class="number">–</td>' in page


def test_votes_are_cleared(service: Service) -> None:
    service.vote("hf", "ollama", "a")
    page = results()
    page.button(key="votes-clear-now").click().run()
    assert service.votes.ballots() == [] and "No votes yet." in told(page)


def test_names_of_others_are_no_markup_and_no_formula(service: Service) -> None:
    evil = "=cmd|<script>alert(1)</script>"
    answer = Answer("Yes.", evil, evil, True, False, "q")
    service.votes.add(Duel((Side(evil, answer), Side("hf", Answer("No.", "hf", "", True, False, "q"))), True), "a")
    page = results()
    assert not [element for element in page.get("html") if "<script" in str(element.proto.body)]
    assert all("\\<script" in line for text in page.markdown for line in [str(text.value)] if "script" in line)
    (row,) = csv.DictReader(io.StringIO(ab_results._csv(service.votes)))
    assert row["a_model"] == f"'{evil}" and row["vote"] == "a" and row["b_engine"] == "hf"
    service.votes.clear()
    assert ab_results._csv(service.votes) == ""


def test_the_files_hold_every_vote(service: Service) -> None:
    service.vote("hf", "ollama", "a", 2)
    service.vote("ollama", "hf", "both_bad")
    data = json.loads(ab_results._json(service.votes))
    assert [vote["vote"] for vote in data["votes"]] == ["a", "a", "both_bad"]
    (pair,) = data["pairs"]
    assert (pair["votes"], pair["decided"], pair["first"]["engine"], pair["first"]["wins"]) == (3, 2, "hf", 2)
    assert pair["first"]["first_ms"] == {"median": 500.0, "n": 3} and not pair["clear"]
    assert len(ab_results._csv(service.votes).splitlines()) == 4


def test_a_conversation_is_saved_with_who_answered_and_from_where() -> None:
    source = Citation(2, "a `b`.pdf", 7, 0, 5, "words")
    cut = Answer("Twelve.", "ollama", "tiny", False, False, "q", (source,))
    messages = (
        SavedMessage("user", "# How\nmany?", ""), SavedMessage("assistant", "Twelve.", "", cut),
        SavedMessage("user", "And?", ""), SavedMessage("assistant", "", "", Answer("", "", "", True, True, "q")),
    )  # fmt: skip
    assert export.markdown("How many?", messages, "en") == (
        "# How many?\n\n---\n\n> # How\n> many?\n\n`ollama` · `tiny` · incomplete\n\nTwelve.\n\n"
        "- [2] `a b.pdf`, page 7\n\n---\n\n> And?\n"
    )
    assert "第 7 页" in export.markdown("?", messages, "zh")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("How many?", "How many.md"), ("../../etc/passwd", "etcpasswd.md"), ("如何切换？", "如何切换.md"),
        ("?!", "conversation.md"),
    ],
)  # fmt: skip
def test_the_file_has_a_name_that_every_system_takes(title: str, name: str) -> None:
    assert export.file_name(title) == name


def test_an_answer_without_a_word_has_no_pace() -> None:
    silent, spoken = (Side("hf", Answer(text, "hf", "", False, False, "q")) for text in ("", "Yes"))
    assert pace(silent, partial(said, "en")) == []
    assert pace(spoken, partial(said, "en")) == ["0.00 s in all"]
