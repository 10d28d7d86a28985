"""Two answers in words, for the page and for the file of a conversation alike."""

from __future__ import annotations

from collections.abc import Callable

from app.conversation.duel import Duel, Side, Vote

_VOTED: dict[Vote, str] = {
    "a": "ab.voted_a", "b": "ab.voted_b", "both_good": "ab.voted_both_good", "both_bad": "ab.voted_both_bad",
}  # fmt: skip


def outcome(duel: Duel) -> str:
    """The key of the words for the vote, or for why there is none."""
    if duel.vote:
        return _VOTED[duel.vote]
    return "ab.not_voted" if duel.votable else "ab.no_vote"


def pace(side: Side, say: Callable[..., str]) -> list[str]:
    """How fast the engine was, in parts; ``say`` gives the words of a key. Nothing where it failed or said nothing."""
    if side.problem is not None or not side.answer.answer.strip():
        return []
    pace = side.pace
    first = [say("ab.first_word", seconds=f"{pace.first_ms / 1000:.2f}")] if pace.first_ms is not None else []
    rate = pace.tokens_per_second
    speed = [say("ab.speed", rate=f"{rate:.1f}")] if rate is not None else []
    return [*first, say("ab.in_all", seconds=f"{pace.total_ms / 1000:.2f}"), *speed]
