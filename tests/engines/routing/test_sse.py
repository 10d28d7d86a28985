from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engines.routing import sse
from app.engines.routing.sse import EventReader


def read(stream: bytes, cuts: list[int]) -> list[bytes]:
    reader = EventReader()
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    found = [event for a, b in zip(places, places[1:], strict=False) for event in reader.feed(stream[a:b])]  # noqa: RUF007
    return [*found, *reader.end()]


lines = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=("Cs",)), max_size=20)


@given(st.lists(lines, max_size=8), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.lists(st.integers(0, 500)))
def test_events_come_whole_however_the_bytes_are_cut(data: list[str], end: str, bom: bool, cuts: list[int]) -> None:
    stream = "".join(f": alive{end}event: x{end}data: {line}{end}id: 1{end}{end}" for line in data)
    whole = (b"\xef\xbb\xbf" if bom else b"") + stream.encode()
    assert read(whole, cuts) == [line.encode() for line in data]


@given(st.lists(st.lists(lines, min_size=1, max_size=4), max_size=6))
def test_whole_events_are_read_as_those_that_come_cut(pieces: list[list[str]]) -> None:
    streams = ["".join(f"data: {line}\n\n" for line in piece).encode() for piece in pieces]
    reader = EventReader()
    found = [event for stream in [b"data: first\n\n", *streams] for event in reader.feed(stream)]
    assert found == [b"first", *(line.encode() for piece in pieces for line in piece)] and not list(reader.end())


@pytest.mark.parametrize(
    "piece", [b"data: a\nid: 1\n\n", b"data: a\rid: 1\n\n", b"data: a\r\n\r\n", b"data: a\n\nid: 1\n\n"]
)
def test_what_looks_like_whole_events_of_one_line_and_is_not(piece: bytes) -> None:
    reader = EventReader()
    assert [*reader.feed(b"data: first\n\n"), *reader.feed(piece), *reader.feed(b"data: b\n\n")] == [
        b"first",
        b"a",
        b"b",
    ]


@given(st.binary(max_size=200), st.lists(st.integers(0, 300)))
def test_any_bytes_are_read_alike_however_they_are_cut(stream: bytes, cuts: list[int]) -> None:
    assert read(stream, cuts) == read(stream, [])


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\ndata:  b\n\n", [b"a", b" b"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"data: a", [b"a"]),
        (b"data: a\n", [b"a"]),
        (b"data: a\r", [b"a"]),
        (b"\n\n\n", []),
        (b"hello\n\n", []),
        (b"", []),
    ],
)
def test_the_odd_ones(stream: bytes, events: list[bytes]) -> None:
    assert read(stream, []) == events


def test_a_line_without_an_end_is_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LONGEST", 100)
    reader = EventReader()
    with pytest.raises(ValueError, match="without an end"):
        list(reader.feed(b"data: " + b"x" * 200))
