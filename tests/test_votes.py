"""Votes: what is kept of them, and what they add up to."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.duel import VOTES, Duel, Side, Vote
from app.errors import DataFolderError
from app.schema import Answer, Timings, Usage
from app.votes import Ballot, Contender, Votes, tally

ENGINES = ("hf", "ollama", "vllm")


def side(engine: str, first_ms: float = 100.0, tokens: int | None = 20) -> Side:
    """Waited half a second, searched for another half, and wrote for a second."""
    timings = Timings(500.0, 1000.0 + first_ms, 2000.0, 500.0)
    usage = None if tokens is None else Usage(50, tokens)
    return Side(engine, Answer("Yes.", engine, "tiny", True, False, "q", timings=timings, usage=usage))


def duel(one: str, other: str, blind: bool = True) -> Duel:
    return Duel((side(one), side(other, 300.0, None)), blind)


@pytest.fixture
def votes(tmp_path: Path) -> Iterator[Votes]:
    votes = Votes(tmp_path / "new" / "votes.sqlite3")
    yield votes
    votes.close()


def test_a_vote_keeps_who_how_fast_and_nothing_of_the_texts(votes: Votes, tmp_path: Path) -> None:
    votes.add(duel("hf", "ollama"), "b")
    (ballot,) = votes.ballots()
    assert ballot.a == Contender("hf", "tiny", 100.0, 1000.0, 20.0)
    assert ballot.b == Contender("ollama", "tiny", 300.0, 1000.0, None)
    assert (ballot.vote, ballot.blind) == ("b", True)
    assert ballot.as_dict()["b_engine"] == "ollama"
    assert b"Yes." not in b"".join(path.read_bytes() for path in (tmp_path / "new").iterdir())


def test_the_side_that_an_engine_stood_on_makes_no_difference_and_blind_votes_count_apart(votes: Votes) -> None:
    for one, other, vote, blind in (
        ("hf", "ollama", "a", True), ("ollama", "hf", "b", True), ("ollama", "hf", "a", True),
        ("hf", "ollama", "both_good", True), ("ollama", "hf", "both_bad", True), ("hf", "ollama", "b", False),
    ):  # fmt: skip
        votes.add(duel(one, other, blind), vote)  # type: ignore[arg-type]
    blind_pair, open_pair = votes.pairs()
    assert (blind_pair.first.engine, blind_pair.first.wins, blind_pair.second.wins) == ("hf", 2, 1)
    assert (blind_pair.both_good, blind_pair.both_bad, blind_pair.n, blind_pair.decided) == (1, 1, 5, 3)
    assert blind_pair.share == pytest.approx(2 / 3) and not blind_pair.clear
    assert (open_pair.first.engine, open_pair.blind, open_pair.n) == ("ollama", False, 1)
    first = blind_pair.first
    assert (first.first_ms.median, first.first_ms.n) == (300.0, 5), "it stood on the slow side three times"
    assert first.tokens_per_second.n == 2, "that side counts no tokens"


@pytest.mark.parametrize(
    ("wins", "losses", "low", "high", "clear"),
    # Wilson (1927), as in Newcombe, Statistics in Medicine 17 (1998), 857-872.
    [(8, 2, 0.490, 0.943, False), (9, 1, 0.596, 0.982, True), (10, 0, 0.722, 1.0, True), (5, 5, 0.237, 0.763, False)],
)
def test_a_lead_is_clear_once_its_interval_excludes_one_half(
    wins: int, losses: int, low: float, high: float, clear: bool
) -> None:
    hf, ollama = Contender("hf", ""), Contender("ollama", "")
    ballots = [Ballot(hf, ollama, "a", True, "")] * wins + [Ballot(hf, ollama, "b", True, "")] * losses
    (pair,) = tally(ballots)
    assert pair.interval == pytest.approx((low, high), abs=0.001)
    assert pair.clear is clear


def test_without_a_decided_vote_there_is_no_share() -> None:
    (pair,) = tally([Ballot(Contender("hf", ""), Contender("ollama", ""), "both_bad", True, "")])
    assert (pair.share, pair.interval, pair.clear, pair.n) == (None, (0.0, 1.0), False, 1)


@st.composite
def ballots(draw: st.DrawFn) -> list[Ballot]:
    def ballot() -> Ballot:
        one, other = draw(st.lists(st.sampled_from(ENGINES), min_size=2, max_size=2, unique=True))
        times = draw(st.none() | st.floats(0, 1e6))
        return Ballot(
            Contender(one, "m", times), Contender(other, "m"), draw(st.sampled_from(VOTES)), draw(st.booleans()), ""
        )

    return [ballot() for _ in range(draw(st.integers(0, 30)))]


@given(ballots())
def test_counts_add_up_whatever_was_voted(cast: list[Ballot]) -> None:
    pairs = tally(cast)
    assert sum(pair.n for pair in pairs) == len(cast)
    assert tally(reversed(cast)) == pairs
    for pair in pairs:
        assert pair.n == pair.first.wins + pair.second.wins + pair.both_good + pair.both_bad
        assert pair.first.wins >= pair.second.wins and pair.first.engine != pair.second.engine
        low, high = pair.interval
        assert 0 <= low <= (0.5 if pair.share is None else pair.share) <= high <= 1
        engines = {pair.first.engine, pair.second.engine}
        mine = [ballot for ballot in cast if {ballot.a.engine, ballot.b.engine} == engines]
        assert sum(ballot.blind is pair.blind for ballot in mine) == pair.n


def test_they_survive_reopening_and_clearing_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "votes.sqlite3"
    first = Votes(path)
    first.add(duel("hf", "ollama"), "a")
    first.close()
    second = Votes(path)
    assert [pair.n for pair in second.pairs()] == [1]
    second.clear()
    assert second.pairs() == [] and b"ollama" not in b"".join(item.read_bytes() for item in tmp_path.iterdir())
    second.close()


def test_two_threads_vote_at_once(votes: Votes) -> None:
    def work(vote: Vote) -> None:
        for _ in range(50):
            votes.add(duel("hf", "ollama"), vote)
            votes.pairs()

    threads = [threading.Thread(target=work, args=(vote,)) for vote in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (pair,) = votes.pairs()
    assert (pair.n, pair.first.wins, pair.second.wins) == (100, 50, 50)


def test_a_newer_versions_votes_and_a_damaged_file_are_said(tmp_path: Path) -> None:
    path = tmp_path / "votes.sqlite3"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(DataFolderError, match="newer version"):
        Votes(path)
    damaged = tmp_path / "damaged.sqlite3"
    damaged.write_bytes(b"no database at all, but text " * 100)
    with pytest.raises(DataFolderError, match=r"The votes damaged\.sqlite3 cannot be used"):
        Votes(damaged)
