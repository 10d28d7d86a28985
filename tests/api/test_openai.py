"""OpenAI's own client against the API: what a program that knows only OpenAI may rely on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import Written
from tests.api.parts import BEARER, CHINESE, ENGLISH, KEYS, NOWHERE, asked_by, chat, settled, until
from tests.engines.routing.fault_server import answer_of
from tests.product import Server, server

SENTENCE = "The lighthouse of Skarvoy was built in 1871 by Ingrid Halvorsen."
COLLECTION = "中文 notes"


@pytest.fixture(scope="module")
def told(quoting: Server) -> dict[str, Any]:
    questions = {"english": ENGLISH, "chinese": CHINESE, "nowhere": NOWHERE, "collection": COLLECTION}
    return asked_by("openai_client.py", quoting.url, work="quoting", questions=questions)


@pytest.fixture(scope="module")
def told_by_model(served: Written) -> dict[str, Any]:
    served.upstream.asked.clear()
    found = asked_by("openai_client.py", served.server.url, KEYS[0], work="written", questions={"english": ENGLISH})
    return {**found, "bodies": [asked.body for asked in served.upstream.questions()]}


def test_an_answer_has_its_text_its_end_and_its_sources(told: dict[str, Any]) -> None:
    whole = told["whole"]
    assert whole["text"] == f"{SENTENCE} [1]"
    assert (whole["role"], whole["reason"], whole["object"]) == ("assistant", "stop", "chat.completion")
    assert whole["model"] == "hotswap"
    (cited,) = whole["citations"]
    assert (cited["n"], cited["doc"], cited["text"], cited["supported"]) == (1, "lighthouse.md", SENTENCE, True)
    usage = whole["usage"]
    assert usage["prompt_tokens"] > 0 and usage["completion_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert (whole["hotswap"]["engine"], whole["hotswap"]["complete"]) == ("extractive", True)


def test_a_stream_says_the_same_and_brings_the_sources_last(told: dict[str, Any]) -> None:
    stream, whole = told["stream"], told["whole"]
    assert stream["text"] == whole["text"]
    assert stream["citations"] == stream["delta_citations"] == whole["citations"]
    assert (stream["roles"], stream["reasons"], stream["ids"]) == (["assistant"], ["stop"], 1)
    assert stream["usage"] == [], "nobody asked for it"


def test_a_stream_counts_tokens_where_that_is_asked_for(told: dict[str, Any]) -> None:
    assert told["usage"]["usage"] == [told["whole"]["usage"]]
    assert told["usage"]["pieces"] == told["stream"]["pieces"] + 1


def test_the_async_client_gets_the_same(told: dict[str, Any]) -> None:
    assert told["async"]["whole"]["text"] == told["async"]["stream"]["text"] == told["whole"]["text"]


def test_chinese_is_asked_and_answered(told: dict[str, Any]) -> None:
    assert told["chinese"]["text"] == "青屿灯塔由林海生于一九零三年主持修建。 [1]"
    assert told["chinese"]["citations"][0]["doc"] == "灯塔.md"


def test_what_the_documents_do_not_hold_is_refused_in_words_and_told_apart(told: dict[str, Any]) -> None:
    nowhere = told["nowhere"]
    assert nowhere["hotswap"]["refused"] and nowhere["hotswap"]["complete"]
    assert nowhere["citations"] == [] and nowhere["reason"] == "stop"
    assert "do not contain" in nowhere["text"]


def test_a_follow_up_is_understood_by_what_came_before(told: dict[str, Any]) -> None:
    assert "nineteen nautical miles" in told["follow_up"]["text"]


@pytest.mark.parametrize("way", ["system", "parts", "many", "with_a_key_that_nobody_wants"])
def test_messages_of_the_system_parts_and_fields_of_all_kinds_are_taken(told: dict[str, Any], way: str) -> None:
    assert told[way]["text"] == told["whole"]["text"]


def test_a_stop_string_and_a_length_end_the_answer(told: dict[str, Any]) -> None:
    assert told["stop"]["text"].strip() == "The lighthouse of Skarvoy was built in"
    assert told["stop"]["reason"] == "stop"
    assert told["whole"]["text"].startswith(told["length"]["text"].strip())
    assert (told["length"]["reason"], told["length"]["hotswap"]["complete"]) == ("length", False)


def test_a_collection_is_a_model(told: dict[str, Any]) -> None:
    assert told["models"][:2] == ["hotswap", "hotswap/default"] and f"hotswap/{COLLECTION}" in told["models"]
    assert len(told["models"]) == len(set(told["models"]))
    assert told["model"] == f"hotswap/{COLLECTION}"
    assert told["collection"]["text"] == told["chinese"]["text"]
    assert told["other_collection"]["hotswap"]["refused"], "English is in another one"


@pytest.mark.parametrize("what", ["unknown", "unknown_collection", "no_model"])
def test_an_unknown_model_is_not_found(told: dict[str, Any], what: str) -> None:
    refused = told[what]
    assert (refused["error"], refused["status"]) == ("NotFoundError", 404)
    assert (refused["param"], refused["code"]) == ("model", "model_not_found")


@pytest.mark.parametrize(
    ("what", "param"),
    [
        ("hot", "temperature"), ("n", "n"), ("tools", "tools"), ("json", "response_format"),
        ("image", "messages[0].content[0].type"), ("nobody_asks", "messages"), ("no_messages", "messages"),
        ("dimensions", "dimensions"), ("tokens", "input[0]"), ("long_text", "input"), ("no_text", "input"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_called_by_its_name(told: dict[str, Any], what: str, param: str) -> None:
    refused = told[what]
    assert (refused["error"], refused["status"], refused["param"]) == ("BadRequestError", 400, param)
    assert param.split("[")[0] in refused["message"]
    assert refused["type"] == "invalid_request_error"


@pytest.mark.parametrize("what", ["empty", "long"])
def test_a_question_that_is_none_is_refused_with_what_to_do(told: dict[str, Any], what: str) -> None:
    assert (told[what]["error"], told[what]["code"]) == ("BadRequestError", "question_error")
    assert told[what]["hint"]


def test_an_error_carries_the_number_of_its_request(told: dict[str, Any]) -> None:
    assert told["hot"]["request_id"] == told["hot"]["header_id"] != told["n"]["request_id"]


def test_vectors_are_the_same_in_both_encodings(told: dict[str, Any]) -> None:
    vectors = told["vectors"]
    assert vectors["by_default"] == vectors["base64"], "the client asks for base64 by itself"
    for one, other in zip(vectors["two"], vectors["base64"], strict=True):
        assert one == pytest.approx(other, abs=1e-7)
        assert sum(number * number for number in one) == pytest.approx(1, abs=1e-3)
    assert vectors["two"][0] != pytest.approx(vectors["two"][1], abs=0.1)
    assert vectors["one"][0] == pytest.approx(vectors["two"][0], abs=1e-4)
    assert vectors["same"] == vectors["one"]
    assert told["vectors_usage"]["total_tokens"] > 0


def test_a_models_server_writes_and_counts(told_by_model: dict[str, Any]) -> None:
    whole, stream = told_by_model["whole"], told_by_model["stream"]
    question = told_by_model["bodies"][0]["messages"][-1]["content"]
    assert whole["text"] == stream["text"] == answer_of(question)
    assert whole["usage"] == stream["usage"][0]
    assert stream["pieces"] > 20
    assert whole["hotswap"]["engine"] == "vllm_openai"
    assert told_by_model["short"]["reason"] == "length" and told_by_model["short_new"]["reasons"] == ["length"]
    assert told_by_model["short"]["text"] == told_by_model["short_new"]["text"] == whole["text"][:15]


def test_wishes_reach_the_models_server(told_by_model: dict[str, Any]) -> None:
    first, _, short, short_new, stop, *_ = told_by_model["bodies"]
    assert {name: first[name] for name in ("temperature", "top_p", "max_tokens")} == {
        "temperature": 0.3, "top_p": 0.9, "max_tokens": 2000,
    }  # fmt: skip
    assert short["max_tokens"] == short_new["max_tokens"] == 5
    assert (stop["stop"], stop["temperature"]) == (["lamp"], 0)


@pytest.mark.parametrize("what", ["wrong_key", "wrong_key_models"])
def test_a_wrong_key_is_refused(told_by_model: dict[str, Any], what: str) -> None:
    assert (told_by_model[what]["error"], told_by_model[what]["code"]) == ("AuthenticationError", "invalid_api_key")


def test_an_answer_that_breaks_off_is_an_error_in_the_stream_after_what_had_come(told_by_model: dict[str, Any]) -> None:
    dies = told_by_model["dies"]
    assert (dies["error"], dies["code"]) == ("APIError", "incomplete_answer")
    assert dies["text"]
    assert "broke off" in dies["message"]


def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(told_by_model: dict[str, Any]) -> None:
    dies = told_by_model["dies_unstreamed"]
    assert (dies["error"], dies["status"], dies["code"]) == ("InternalServerError", 503, "incomplete_answer")


def test_where_the_models_server_fails_at_once_the_documents_are_quoted(told_by_model: dict[str, Any]) -> None:
    assert told_by_model["fails_before"]["hotswap"]["engine"] == "extractive"
    assert SENTENCE in told_by_model["fails_before"]["text"]


@contextmanager
def everybody_at_work(written: Written) -> Iterator[None]:
    """8 answers under way and 4 in line, none of which ends."""
    url, gone = written.server.url, threading.Event()

    def read() -> None:
        with (
            httpx.Client(timeout=60) as client,
            client.stream("POST", f"{url}/v1/chat/completions", json=chat(ENGLISH, stream=True), headers=BEARER),
        ):
            gone.wait(60)

    written.upstream.gap = 1.0
    readers = [threading.Thread(target=read) for _ in range(12)]
    for reader in readers:
        reader.start()

    def full() -> bool:
        health = httpx.get(f"{url}/health", headers=BEARER).json()
        return bool(health["active_tasks"] == 8 and health["waiting_tasks"] == 4)

    try:
        until(full)
        yield
    finally:
        written.upstream.gap = 0.0
        gone.set()
        for reader in readers:
            reader.join()
        settled(url, BEARER)


def test_who_finds_the_line_full_is_told_when_to_come_again(written: Written) -> None:
    with everybody_at_work(written):
        found = asked_by("openai_client.py", written.server.url, KEYS[0], work="busy", questions={"english": ENGLISH})
    for way in ("whole", "stream"):
        refused = found[way]
        assert (refused["error"], refused["status"], refused["code"]) == ("RateLimitError", 429, "too_busy")
        assert int(refused["retry_after"]) >= 1
        assert refused["hint"]


def test_what_fails_before_the_first_word_has_its_status_and_a_hint(tmp_path: Path) -> None:
    """Without a document, and without the model that makes vectors."""
    with server(tmp_path / "state", "--no-page", EMBEDDING_MODEL=str(tmp_path / "nothing")) as running:
        found = asked_by("openai_client.py", running.url, work="broken", questions={"english": ENGLISH})
    assert [(way, refused["error"], refused["status"], refused["code"]) for way, refused in found.items()] == [
        ("whole", "NotFoundError", 404, "collection_error"), ("stream", "NotFoundError", 404, "collection_error"),
        ("vectors", "InternalServerError", 503, "embedder_unavailable"),
    ]  # fmt: skip
    assert all(refused["hint"] for refused in found.values())
