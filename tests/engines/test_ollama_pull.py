"""Fetching a model through an Ollama server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engines import ollama_pull, ollama_waiting
from app.engines.ollama_pull import pull
from app.errors import EngineUnavailable, HotswapError, ModelMissing, UsageError
from app.schema import Progress
from tests.engines.servers import Reply, Server, chunked, json_reply, recorded, text_reply, unused_url, wait_for

PULL = "POST /api/pull"
FIRST, SECOND = "sha256:" + "a" * 64, "sha256:" + "b" * 64
STEPS: list[dict[str, Any]] = [
    {"status": "pulling manifest"},
    {"status": "pulling aaaaaaaaaaaa", "digest": FIRST, "total": 1000},
    {"status": "pulling aaaaaaaaaaaa", "digest": FIRST, "total": 1000, "completed": 400},
    {"status": "pulling aaaaaaaaaaaa", "digest": FIRST, "total": 1000, "completed": 1000},
    {"status": "pulling bbbbbbbbbbbb", "digest": SECOND, "total": 20, "completed": 20},
    {"status": "verifying sha256 digest"},
    {"status": "writing manifest"},
    {"status": "success"},
]


class Cancelled(Exception):
    """What a job's progress raises to end it."""


def stream(steps: list[dict[str, Any]], **how: Any) -> Reply:
    return chunked("application/x-ndjson", [json.dumps(step) + "\n" for step in steps], **how)


def failure(reply: Reply, model: str = "qwen3:8b") -> HotswapError:
    with Server({PULL: reply}) as there, pytest.raises(HotswapError) as caught:
        pull(there.url, model, lambda progress: None)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return caught.value


def test_progress_is_the_bytes_of_all_layers() -> None:
    told: list[Progress] = []
    with Server({PULL: stream(STEPS)}) as there:
        pull(there.url, " qwen3:8b ", told.append)
        (request,) = there.requests
    assert request.body == {"model": "qwen3:8b"}
    assert {(progress.stage, progress.item) for progress in told} == {("pulling", "qwen3:8b")}
    steps = list(dict.fromkeys((progress.done, progress.total, progress.detail) for progress in told))
    assert steps == [
        (0, 0, ""),
        (0, 0, "pulling manifest"),
        (0, 1000, "pulling aaaaaaaaaaaa"),
        (400, 1000, "pulling aaaaaaaaaaaa"),
        (1000, 1000, "pulling aaaaaaaaaaaa"),
        (1020, 1020, "pulling bbbbbbbbbbbb"),
        (1020, 1020, "verifying sha256 digest"),
        (1020, 1020, "writing manifest"),
        (1020, 1020, "success"),
    ]


@pytest.mark.parametrize("steps", range(len(STEPS)))
@pytest.mark.parametrize("ended", [False, True])
def test_a_pull_without_its_word_of_success_has_failed_and_goes_on_later(steps: int, ended: bool) -> None:
    error = failure(stream(STEPS[:steps], ended=ended))
    assert isinstance(error, EngineUnavailable)
    if steps:
        assert "goes on where it stopped" in error.hint


def test_a_server_without_a_network_says_so() -> None:
    for name in ("pull_nonexistent_stream", "pull_nonexistent_nonstream"):
        error = failure(recorded(name)[PULL][0], "no-such-model-xyz")
        assert isinstance(error, EngineUnavailable)
        assert "does not get through" in error.message and "no such host" in error.message
        assert "HTTPS_PROXY" in error.hint


@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [
        ("pull model manifest: file does not exist", ModelMissing, "ollama.com/library"),
        ('pull model manifest: 401: {"error":"Invalid username or password."}', ModelMissing, "signin"),
        ("pull model manifest: 404: {}", ModelMissing, "Correct the name"),
        ("pull model manifest: 412: The model requires a newer version of Ollama.", EngineUnavailable, "Update Ollama"),
        ("write /models/blobs/sha256-40a-partial: no space left on device", EngineUnavailable, "OLLAMA_MODELS"),
        ("mkdir /models/blobs: permission denied", EngineUnavailable, "OLLAMA_MODELS"),
        ("max retries exceeded: unexpected EOF", EngineUnavailable, "goes on where it stopped"),
        ('Get "https://r.example/x": dial tcp 10.0.0.1:443: i/o timeout', EngineUnavailable, "HTTPS_PROXY"),
        ("digest mismatch, file must be downloaded again", EngineUnavailable, "Run it again"),
        ("", EngineUnavailable, "Ollama's log"),
    ],
)
def test_an_error_line_under_status_200_says_what_to_do(words: str, kind: type[HotswapError], told: str) -> None:
    line = {"error": words or {"odd": 1}}
    for reply in (stream([*STEPS[:3], line]), json_reply(500, line)):
        error = failure(reply)
        assert type(error) is kind
        assert told in error.hint
        assert "qwen3:8b" in error.message


def test_the_signature_of_a_storage_address_is_not_told() -> None:
    words = 'max retries exceeded: Get "https://store.example/blob?X-Amz-Signature=f00&X-Amz-Credential=me": EOF'
    error = failure(stream([STEPS[0], {"error": words}]))
    assert "store.example/blob" in error.message
    assert "Amz" not in str(error)


def test_progress_that_raises_stops_the_pull() -> None:
    def cancel(progress: Progress) -> None:
        if progress.done:
            raise Cancelled

    with Server({PULL: stream(STEPS[:3] * 100, gap=0.02)}) as there:
        with pytest.raises(Cancelled):
            pull(there.url, "qwen3:8b", cancel)
        assert wait_for(there.asked(PULL)[0].aborted) < 0.5


@pytest.mark.parametrize("steps", [0, 3])
def test_it_can_be_stopped_while_nothing_comes(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama_waiting, "TICK_SECONDS", 0.01)
    told = 0

    def cancel(progress: Progress) -> None:
        nonlocal told
        told += 1
        if told > 20:
            raise Cancelled

    with Server({PULL: stream(STEPS[:steps], ended=False, hold=True)}) as there:
        with pytest.raises(Cancelled):
            pull(there.url, "qwen3:8b", cancel)
        assert wait_for(there.asked(PULL)[0].aborted) < 0.5


def test_a_server_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama_pull, "SILENT_SECONDS", 0.2)
    assert "goes on where it stopped" in failure(stream(STEPS[:3], ended=False, hold=True)).hint
    assert "does not answer" in failure(Reply((), hold=True)).message


@pytest.mark.parametrize(
    "name",
    ["", " ", "!!bad", "two words", "../up", "a/../b", "-x", "https://ollama.com/qwen3", "a\nb", "名", "x" * 500],
)
def test_what_is_no_name_is_refused_without_asking(name: str) -> None:
    with Server({PULL: stream(STEPS)}) as there:
        with pytest.raises(UsageError) as caught:
            pull(there.url, name, lambda progress: None)
        assert there.requests == []
    assert "qwen3:8b" in caught.value.hint


@pytest.mark.parametrize(
    "name",
    ["tiny", "qwen3:8b", "me/my_model:v1.2-q4", "hf.co/me/My.Model-GGUF:Q4_K_M", "host.example:5000/me/model:tag"],
)
def test_a_name_goes_to_the_server_as_it_is(name: str) -> None:
    with Server({PULL: stream(STEPS)}) as there:
        pull(there.url, name, lambda progress: None)
        assert there.requests[0].body == {"model": name}


@given(st.text(max_size=30))
def test_any_name_is_asked_for_or_refused(name: str) -> None:
    with pytest.raises((UsageError, EngineUnavailable)):
        pull("http://127.0.0.1:1", name, lambda progress: None)


def test_a_name_that_the_server_refuses_is_refused() -> None:
    for name in ("pull_bad_name", "pull_empty"):
        assert isinstance(failure(recorded(name)[PULL][0]), UsageError)


@pytest.mark.parametrize(
    "reply",
    [
        text_reply(200, "<html>"), text_reply(404, "404 page not found"), json_reply(403, {}), Reply(()),
        Reply((b"SSH-2.0-OpenSSH_9.6\r\n",)), json_reply(200, []), json_reply(502, {}),
    ],
)  # fmt: skip
def test_whatever_else_answers_is_an_error_of_ours(reply: Reply) -> None:
    assert isinstance(failure(reply), EngineUnavailable)


@pytest.mark.parametrize("odd", ["garbage\n", "[]\n", "null\n"])
def test_a_line_that_cannot_be_read_breaks_it_off(odd: str) -> None:
    reply = chunked("application/x-ndjson", [json.dumps(STEPS[0]) + "\n", odd, json.dumps(STEPS[-1]) + "\n"])
    assert "broke off" in failure(reply).message


def test_odd_sizes_count_nothing() -> None:
    told: list[Progress] = []
    odd = {"status": "pulling", "digest": FIRST, "total": "many", "completed": -1}
    with Server({PULL: stream([odd, STEPS[-1]])}) as there:
        pull(there.url, "tiny", told.append)
    assert (told[-1].done, told[-1].total) == (0, 0)


def test_no_server_is_said_at_once() -> None:
    with pytest.raises(EngineUnavailable, match="not running"):
        pull(unused_url(), "tiny", lambda progress: None)
    with pytest.raises(EngineUnavailable, match="no valid address"):
        pull("http://[::1", "tiny", lambda progress: None)
