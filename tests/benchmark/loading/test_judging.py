from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.benchmark.loading.judging import compare_alike, judge, repeats
from app.benchmark.sample import Sample
from app.benchmark.target import Hearing, TargetFault
from tests.benchmark.parts import prompt, say

TEXTS = st.text(alphabet="abcdefgh 灯塔", min_size=2, max_size=30)


def heard(*words: str, counted: int | None = None, ids: int | None = None) -> Hearing:
    hearing = Hearing(lambda: 0.0)
    say(hearing, *words)
    hearing.output_tokens = counted
    hearing.ids = ids
    return hearing


def test_an_answer_without_faults_is_whole() -> None:
    assert judge(prompt(), heard("a", "b", counted=2), None).outcome == "ok"


def test_a_server_may_send_several_tokens_at_once() -> None:
    assert judge(prompt(), heard("a b c", counted=3), None).outcome == "ok"


def test_a_server_that_counts_nothing_is_believed() -> None:
    assert judge(prompt(), heard("a", "b"), None).outcome == "ok"
    assert judge(prompt(), heard("a", "b", counted=0), None).outcome == "ok"


def test_no_token_at_all_is_no_answer() -> None:
    nothing = Hearing(lambda: 0.0)
    nothing.finish_reason = "stop"
    assert judge(prompt(), nothing, None).kind == "empty"
    nothing.usage(5, 0)
    assert judge(prompt(), nothing, None).outcome == "failed"
    nothing.usage(5, 3)  # tokens that are no text
    assert judge(prompt(), nothing, None).outcome == "ok"


def test_faults_before_and_after_the_first_token() -> None:
    nothing, something = Hearing(lambda: 0.0), heard("a")
    for kind, hearing, outcome in (
        ("http_500", nothing, "failed"),
        ("timeout", nothing, "failed"),
        ("cut", something, "truncated"),
        ("stalled", something, "truncated"),
        ("error", something, "failed"),
        ("cut", nothing, "failed"),
    ):
        assert judge(prompt(), hearing, TargetFault(kind, "as told")).outcome == outcome


def test_more_pieces_than_tokens_say_something_twice() -> None:
    found = judge(prompt(), heard("a", "b", "b", counted=2), None)

    assert (found.outcome, found.kind) == ("duplicated", "extra_tokens")


def test_ids_tell_of_lost_tokens_too() -> None:
    assert judge(prompt(), heard("a b", counted=3, ids=2), None).outcome == "truncated"
    assert judge(prompt(), heard("a b", counted=3, ids=4), None).outcome == "duplicated"
    assert judge(prompt(), heard("a b", counted=3, ids=3), None).outcome == "ok"


def test_what_comes_after_the_end_is_twice() -> None:
    hearing = heard("a", "b")
    hearing.piece("b")

    assert judge(prompt(), hearing, None).outcome == "duplicated"


@given(TEXTS, st.data())
def test_with_the_right_answer_known_every_change_of_it_is_found(text: str, data: st.DataObject) -> None:
    known = prompt(expected=text)
    begin = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(begin + 1, len(text)))
    shorter = text[:begin] + text[end:]
    longer = text[:end] + text[begin:]

    assert judge(known, heard(text), None).outcome == "ok"
    assert judge(known, heard(longer), None).outcome == "duplicated"
    if shorter:
        assert judge(known, heard(shorter), None).outcome == "truncated"


@given(TEXTS, st.data())
def test_a_part_said_twice_is_a_repetition(text: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(begin + 1, len(text)))

    assert repeats(text[:end] + text[begin:], text)
    assert not repeats(text, text)


@given(TEXTS, st.text(alphabet="xyz", min_size=1))
def test_another_text_is_no_repetition(text: str, more: str) -> None:
    assert judge(prompt(expected=text), heard(text + more), None).outcome == "failed"
    assert not repeats(text + more, text)


def sample(index: int, **more: object) -> Sample:
    given = {"prompt": "1", "outcome": "ok", "finish_reason": "length", **more}
    return Sample(index=index, scheduled=0, sent=0, first=0, last=1, end=1, **given)  # type: ignore[arg-type]


def test_what_two_others_got_tells_of_a_restart() -> None:
    found = compare_alike([sample(number) for number in range(4)], ["a b c", "a b c", "a ba b c", "x y z"])

    assert [item.outcome for item in found] == ["ok", "ok", "duplicated", "ok"]


def test_what_two_others_got_tells_of_an_early_end() -> None:
    found = compare_alike([sample(number) for number in range(3)], ["a b c", "a b", "a b c"])

    assert [item.outcome for item in found] == ["ok", "truncated", "ok"]


def test_different_prompts_are_not_compared() -> None:
    found = compare_alike([sample(number, prompt=str(number)) for number in range(3)], ["a", "a", "aa"])

    assert all(item.ok for item in found)


def test_a_model_that_repeats_itself_is_not_held_against_the_server() -> None:
    found = compare_alike([sample(number) for number in range(3)], ["la la la"] * 3)

    assert all(item.ok for item in found)
