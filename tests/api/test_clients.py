"""Programs that speak OpenAI's language to any server: LangChain, LlamaIndex, curl, and the way Open WebUI asks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import Written
from tests.api.parts import BEARER, CHINESE, ENGLISH, KEYS, asked_by, chat, until
from tests.product import Server
from tools.servers import find_command

ANSWER = "The lighthouse of Skarvoy was built in 1871 by Ingrid Halvorsen. [1]"
CHINESE_ANSWER = "青屿灯塔由林海生于一九零三年主持修建。 [1]"
TOGETHER = {"english": ENGLISH, "chinese": CHINESE, "collection": "中文 notes"}


def test_langchain_chats_streams_batches_and_makes_vectors(quoting: Server) -> None:
    told = asked_by("langchain_client.py", quoting.url, **TOGETHER)
    assert told["whole"] == told["stream"] == ANSWER
    assert told["usage"]["total_tokens"] == told["stream_usage"]["total_tokens"] > 0
    assert told["reason"] == "stop"
    assert told["batch"] == [ANSWER, CHINESE_ANSWER]
    assert "nineteen nautical miles" in told["follow_up"]
    assert told["collection"] == CHINESE_ANSWER
    assert told["query"] == pytest.approx(told["vectors"][0], abs=1e-4)
    assert len(told["vectors"]) == 2


def test_llama_index_completes_chats_and_streams(quoting: Server) -> None:
    told = asked_by("llama_index_client.py", quoting.url, english=ENGLISH)
    assert told["complete"] == ANSWER
    assert "nineteen nautical miles" in told["chat"]
    assert told["chat"] == told["stream_chat"] == told["deltas"]


def curl(*args: str) -> bytes:
    """What curl writes to its output."""
    command = find_command("curl") or pytest.skip("curl is not on this machine")
    done = subprocess.run([command, "-sS", "-m", "60", *args], capture_output=True, timeout=90)
    assert done.returncode == 0, done.stderr
    return done.stdout


def asked_by_curl(url: str, question: str, *more: str, **how: Any) -> bytes:
    body = json.dumps(chat(question, **how), ensure_ascii=False)
    return curl(*more, f"{url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d", body)


def test_curl_uploads_asks_removes_and_is_refused_afterwards(quoting: Server, tmp_path: Path) -> None:
    manual = tmp_path / "手册 one.md"
    manual.write_text("The pump of Vessel Nine starts with the green lever.\n", encoding="utf-8")
    question = "How does the pump of Vessel Nine start?"
    documents = f"{quoting.url}/api/documents"

    begun = json.loads(curl("-F", f"files=@{manual}", f"{documents}?collection=manuals"))["job"]
    job = until(lambda: (
        told := json.loads(curl(f"{documents}/jobs/{begun['id']}"))
    )["state"] not in ("waiting", "running") and told)  # fmt: skip
    assert (job["state"], job["result"]["added"]) == ("done", 1)
    listed = json.loads(curl(f"{documents}?collection=manuals"))
    assert [document["doc"] for document in listed["documents"]] == ["手册 one.md"]

    told = json.loads(asked_by_curl(quoting.url, question, model="hotswap/manuals"))
    assert told["choices"][0]["message"]["content"] == "The pump of Vessel Nine starts with the green lever. [1]"
    assert told["choices"][0]["message"]["citations"][0]["doc"] == "手册 one.md"

    removed = curl("-X", "DELETE", "-G", documents, "--data-urlencode", "doc=手册 one.md", "-d", "collection=manuals")
    assert json.loads(removed) == {"removed": ["手册 one.md"]}
    told = json.loads(asked_by_curl(quoting.url, question, model="hotswap/manuals"))
    assert told["hotswap"]["refused"] and told["choices"][0]["message"]["citations"] == []


def test_curl_sees_events_as_they_are_framed(quoting: Server) -> None:
    head, _, raw = asked_by_curl(quoting.url, CHINESE, "-N", "-i", stream=True).partition(b"\r\n\r\n")
    assert b"content-type: text/event-stream; charset=utf-8" in head.lower()
    assert b"cache-control: no-cache" in head.lower() and b"x-accel-buffering: no" in head.lower()
    assert "林海生".encode() in raw, "Chinese is not escaped"
    events_of(raw)


def events_of(raw: bytes) -> list[dict[str, Any]]:
    """The events of a stream, each ``data: `` and a line of JSON and a blank line, the last one ``[DONE]``."""
    *events, nothing = raw.split(b"\n\n")
    assert nothing == b"" and b"\r" not in raw
    assert all(event.startswith(b"data: ") and event.count(b"\n") == 0 for event in events)
    assert events[-1] == b"data: [DONE]"
    return [json.loads(event.removeprefix(b"data: ")) for event in events[:-1]]


def as_open_webui(question: str) -> dict[str, Any]:
    """The body of a question as Open WebUI sends it, an answer that was stopped before among its messages."""
    return {
        "stream": True,
        "model": "hotswap",
        "messages": [
            {"role": "system", "content": "You are helpful."},
            {"role": "user", "content": "Hello?"},
            {"role": "assistant", "content": ""},
            {"role": "user", "content": [{"type": "text", "text": question}]},
        ],
        "stream_options": {"include_usage": True},
        "params": {}, "tool_servers": [], "files": [], "filter_ids": [],
        "features": {"image_generation": False, "code_interpreter": False, "web_search": False, "memory": False},
        "variables": {"{{USER_NAME}}": "Ann", "{{CURRENT_DATE}}": "2026-01-02"},
        "model_item": {"id": "hotswap", "object": "model", "owned_by": "hotswap"},
        "session_id": "s", "chat_id": "c", "id": "m", "metadata": {"user_id": "u"},
        "background_tasks": {"title_generation": True, "tags_generation": True, "follow_up_generation": True},
    }  # fmt: skip


def test_open_webui_lists_models_and_reads_a_stream(written: Written) -> None:
    with httpx.Client(base_url=written.server.url, headers=BEARER, timeout=60) as client:
        models = client.get("/v1/models").json()["data"]
        assert {"id": "hotswap", "object": "model", "created": 0, "owned_by": "hotswap"} in models
        with client.stream("POST", "/v1/chat/completions", json=as_open_webui(ENGLISH)) as response:
            assert response.status_code == 200
            raw = b"".join(response.iter_raw())
    events = events_of(raw)
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert not any("role" in event["choices"][0]["delta"] for event in events[1:-1])
    reasons = [choice["finish_reason"] for event in events for choice in event["choices"]]
    assert [reason for reason in reasons if reason] == ["stop"] and reasons[-1] == "stop"
    assert all(event["usage"] is None for event in events[:-1])
    assert events[-1]["choices"] == [] and events[-1]["usage"]["completion_tokens"] > 0
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    assert len({(event["id"], event["model"], event["created"]) for event in events}) == 1
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events[:-1])
    asked = written.upstream.questions()[-1].body["messages"]
    assert "You are helpful." in asked[0]["content"]
    assert all(message["content"].strip() for message in asked), "the answer that never came is none"


def test_a_stream_comes_as_it_is_written(written: Written) -> None:
    written.upstream.gap = 0.05
    with (
        httpx.Client(base_url=written.server.url, headers=BEARER, timeout=60) as client,
        client.stream("POST", "/v1/chat/completions", json=chat(ENGLISH, stream=True)) as response,
    ):
        parts = sum(1 for _ in response.iter_raw())
    assert parts > 20, "the words came one by one"


def test_an_error_in_a_stream_is_framed_like_a_word(written: Written) -> None:
    with httpx.Client(base_url=written.server.url, headers=BEARER, timeout=60) as client:
        body = chat(f"{ENGLISH} mode:cut", stream=True)
        events = events_of(client.post("/v1/chat/completions", json=body).content)
    assert events[-1]["error"]["code"] == "incomplete_answer"
    assert not any(event["choices"][0]["finish_reason"] for event in events[:-1])


def test_every_client_key_opens(written: Written) -> None:
    for key in KEYS:
        assert httpx.get(f"{written.server.url}/v1/models", headers={"Authorization": f"bearer {key}"}).is_success
