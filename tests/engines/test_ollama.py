"""The engine ``ollama`` against what an Ollama server really sent, its faults included."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage

from app.config import Settings, load_settings
from app.engines import retry
from app.engines.ollama import OllamaEngine
from app.errors import (
    ConfigError,
    ContextTooLong,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    HotswapError,
    IncompleteAnswer,
    ModelMissing,
    OutOfMemory,
)
from tests.engines.servers import (
    Reply,
    Server,
    chunked,
    json_reply,
    recorded,
    silent_url,
    text_reply,
    unused_url,
    wait_for,
)

HELLO = "Hello! I am a tiny model. How can I help you today?"
CHAT, TAGS, PS = "POST /api/chat", "GET /api/tags", "GET /api/ps"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.01)


def settings(url: str, model: str = "tiny", **params: Any) -> Settings:
    return load_settings(model=model, ollama_base_url=url, ollama_num_ctx=2048, llm={"params": params})


def server(*names: str, **replies: Reply) -> Server:
    """A server that plays recordings; ``/api/tags`` and ``/api/ps`` are there unless named."""
    lines: dict[str, Any] = {**recorded("tags", "ps_loaded"), **recorded(*names)}
    return Server({**lines, **({CHAT: replies["chat"]} if "chat" in replies else {})})


def read(url: str, model: str = "tiny", **params: Any) -> list[AIMessageChunk]:
    return list(OllamaEngine(settings(url, model, **params)).chat_model().stream("Hello"))


def failure(url: str, model: str = "tiny", **params: Any) -> tuple[str, EngineError]:
    """The text that came, and the error after it; the same synchronously, asynchronously and whole."""
    chat = OllamaEngine(settings(url, model, **params)).chat_model()
    text = ""
    with pytest.raises(EngineError) as sync:
        for chunk in chat.stream("Hello"):
            text += chunk.text

    async def read_async() -> str:
        got = ""
        with pytest.raises(type(sync.value)):
            async for chunk in chat.astream("Hello"):
                got += chunk.text
        with pytest.raises(type(sync.value)):
            await chat.ainvoke("Hello")
        return got

    assert asyncio.run(read_async()) == text
    with pytest.raises(type(sync.value)):
        chat.invoke("Hello")
    assert "\n" not in str(sync.value)
    return text, sync.value


# ---- answers


@pytest.mark.parametrize("name", ["chat_stream_warm", "chat_stream_cold"])
def test_an_answer_streams_and_ends_with_its_reason_and_its_tokens(name: str) -> None:
    with server(name) as there:
        chunks = read(there.url)
    assert "".join(chunk.text for chunk in chunks) == HELLO
    assert len(chunks) > 10
    last = chunks[-1]
    assert last.chunk_position == "last"
    assert last.response_metadata["finish_reason"] == "stop"
    assert last.usage_metadata == {"input_tokens": 9, "output_tokens": 20, "total_tokens": 29}


def test_chinese_comes_whole() -> None:
    with server("chat_stream_chinese") as there:
        text = "".join(chunk.text for chunk in read(there.url))
    assert text == "检索增强生成把文档检索和语言模型结合起来。"


def test_an_answer_that_reaches_max_tokens_says_so() -> None:
    with server("chat_options") as there:
        assert read(there.url)[-1].response_metadata["finish_reason"] == "length"


def test_invoke_gives_the_same_as_the_stream() -> None:
    with server("chat_stream_warm") as there:
        message = OllamaEngine(settings(there.url)).chat_model().invoke("Hello")
    assert message.text == HELLO
    assert message.response_metadata["finish_reason"] == "stop"


def test_the_request_carries_the_settings_and_forbids_silent_cuts() -> None:
    with server("chat_stream_warm") as there:
        read(there.url, temperature=0.25, max_tokens=77, top_p=0.5)
        (request,) = there.asked(CHAT)
    assert request.body["options"] == {"num_ctx": 2048, "num_predict": 77, "temperature": 0.25, "top_p": 0.5}
    assert (request.body["truncate"], request.body["shift"], request.body["think"]) == (False, False, False)
    assert request.body["model"] == "tiny"
    assert request.body["messages"][-1]["content"] == "Hello"


def test_what_one_call_wishes_for_goes_over_the_settings() -> None:
    with server("chat_stream_warm") as there:
        chat = OllamaEngine(settings(there.url, temperature=0.25, max_tokens=77)).chat_model()
        list(chat.stream("Hello", temperature=1.5, max_tokens=5, stop=["END"]))
        (request,) = there.asked(CHAT)
    options = request.body["options"]
    assert (options["temperature"], options["num_predict"], options["stop"]) == (1.5, 5, ["END"])
    assert not {"temperature", "max_tokens", "top_p"} & request.body.keys()


def test_passages_beside_the_prompt_are_not_sent() -> None:
    message = HumanMessage("Hello", additional_kwargs={"question": "q", "passages": [{"n": 1, "text": "secret"}]})
    with server("chat_stream_warm") as there:
        list(OllamaEngine(settings(there.url)).chat_model().stream([message]))
        assert "secret" not in json.dumps(there.asked(CHAT)[0].body)


# ---- answers that break off


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("chat_loop_no_done_stream", ":::::"),
        ("chat_badutf8_stream", "eatherject"),
        ("runner_killed_midstream", ".cvewa"),
        ("server_sigkill_midstream", ".cvewa"),
        ("server_sigterm_midstream", ".cvewa"),
    ],
)
def test_a_stream_without_its_end_mark_is_incomplete(name: str, begins: str) -> None:
    with server(name) as there:
        text, error = failure(there.url)
        requests = len(there.asked(CHAT))
    assert begins in text
    assert isinstance(error, IncompleteAnswer)
    assert error.hint
    assert requests == 4  # four questions; an answer that has begun is not asked for again


def test_the_runners_last_words_are_told() -> None:
    with server("runner_killed_midstream") as there:
        assert "unexpected EOF" in failure(there.url)[1].message


def test_a_stream_that_stalls_is_incomplete_after_the_timeout() -> None:
    part = json.dumps({"message": {"role": "assistant", "content": "Once"}, "done": False}) + "\n"
    with server(chat=chunked("application/x-ndjson", [part], ended=False, hold=True)) as there:
        begun = time.monotonic()
        with pytest.raises(IncompleteAnswer, match=r"nothing came for 0\.2 seconds"):
            read(there.url, timeout=0.2)
        assert time.monotonic() - begun < 3


def test_a_line_that_is_no_json_is_incomplete() -> None:
    part = json.dumps({"message": {"role": "assistant", "content": "Once"}, "done": False}) + "\n"
    with server(chat=chunked("application/x-ndjson", [part, '{"message": {"ro\n'])) as there:
        text, error = failure(there.url)
    assert text == "Once"
    assert isinstance(error, IncompleteAnswer)


# ---- no answer


@pytest.mark.parametrize("name", ["chat_missing_model", "chat_missing_model_with_tag"])
def test_a_missing_model_is_named_with_the_way_to_get_it_and_what_is_there(name: str) -> None:
    with server(name) as there:
        _, error = failure(there.url, model="nope")
    assert isinstance(error, ModelMissing)
    assert "ollama pull nope" in error.hint
    assert "tiny:latest" in error.hint


@pytest.mark.parametrize("name", ["chat_overlong_truncate_false", "chat_overlong_truncate_false_stream"])
def test_an_overlong_prompt_is_refused_in_plain_words(name: str) -> None:
    with server(name) as there:
        _, error = failure(there.url)
    assert isinstance(error, ContextTooLong)
    assert "exceeds the available context size (512 tokens)" in error.message
    assert "{" not in error.message
    assert "OLLAMA_NUM_CTX" in error.hint


def test_a_full_queue_is_asked_again_and_then_given_up() -> None:
    with server("queue_other_model_2") as there:
        with pytest.raises(EngineUnavailable, match="busy"):
            read(there.url, max_retries=2)
        assert len(there.asked(CHAT)) == 3


def test_a_queue_that_empties_answers() -> None:
    with server("queue_other_model_2", "queue_other_model_2", "chat_stream_warm") as there:
        assert "".join(chunk.text for chunk in read(there.url)) == HELLO


@pytest.mark.parametrize("name", ["server_sigkill_nonstream", "runner_killed_nonstream"])
def test_a_server_that_dies_before_the_first_token_is_asked_again(name: str) -> None:
    with server(name, "chat_stream_warm") as there:
        assert "".join(chunk.text for chunk in read(there.url)) == HELLO
        assert len(there.asked(CHAT)) == 2

    async def read_async(url: str) -> str:
        chat = OllamaEngine(settings(url)).chat_model()
        return "".join([chunk.text async for chunk in chat.astream("Hello")])

    with server(name, "chat_stream_warm") as there:
        assert asyncio.run(read_async(there.url)) == HELLO


@pytest.mark.parametrize("name", ["server_sigkill_nonstream", "runner_killed_nonstream"])
def test_a_server_that_keeps_dying_is_unavailable(name: str) -> None:
    with server(name) as there:
        assert isinstance(failure(there.url, max_retries=1)[1], EngineUnavailable)


def test_a_damaged_model_file_is_told() -> None:
    with server("load_failure_truncated_gguf_stream") as there:
        _, error = failure(there.url)
    assert isinstance(error, EngineUnavailable)
    assert "exceeds file size" in error.message
    assert "ollama pull tiny" in error.hint


def test_too_little_memory_is_told() -> None:
    words = "model requires more system memory (41.2 GiB) than is available (12.4 GiB)"
    with server(chat=json_reply(500, {"error": words})) as there:
        _, error = failure(there.url)
    assert isinstance(error, OutOfMemory)
    assert "41.2 GiB" in error.message


def test_an_embedding_model_cannot_chat() -> None:
    with server(chat=json_reply(400, {"error": '"tiny" does not support chat'})) as there:
        assert isinstance(failure(there.url)[1], ModelMissing)


def test_a_wrong_option_is_told_and_not_retried() -> None:
    with server("chat_option_num_ctx_string") as there:
        with pytest.raises(EngineUnavailable, match="must be of type integer"):
            read(there.url)
        assert len(there.asked(CHAT)) == 1


def test_an_empty_answer_is_asked_again_and_then_given_up() -> None:
    with server(chat=chunked("application/x-ndjson", [])) as there:
        assert isinstance(failure(there.url, max_retries=1)[1], EngineUnavailable)


def test_no_server_is_said_at_once() -> None:
    begun = time.monotonic()
    _, error = failure(unused_url())
    assert time.monotonic() - begun < 3
    assert isinstance(error, EngineUnavailable)
    assert "ollama serve" in error.hint
    assert "host.docker.internal" in error.hint


def test_another_server_is_recognised() -> None:
    with Server({CHAT: text_reply(200, "<html>hi</html>"), PS: text_reply(404, "404 page not found")}) as there:
        assert "no Ollama server" in failure(there.url)[1].message
    with server("get_unknown_path", chat=text_reply(404, "404 page not found")) as there:
        assert "no Ollama server" in failure(there.url)[1].message


# ---- time


def test_a_loaded_model_has_the_timeout_for_its_first_token() -> None:
    with server(chat=Reply((), hold=True)) as there:
        with pytest.raises(EngineTimeout, match=r"did not begin to answer within 0\.2 seconds"):
            read(there.url, timeout=0.2)
        assert len(there.asked(CHAT)) == 1


@pytest.mark.parametrize("ps", ["ps_empty_or_others", "ps_loaded"])
def test_a_model_that_must_be_loaded_first_has_longer(ps: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engines.ollama_chat.LOAD_SECONDS", 0.6)
    given = load_settings(model="loop" if "others" in ps else "tiny", llm={"params": {"timeout": 0.1}})
    lines = {**recorded(ps), CHAT: Reply((), hold=True)}
    with Server(lines) as there:
        # num_ctx 8192 is not what the recorded runner has, so that even the loaded model is loaded anew
        chat = OllamaEngine(given.model_copy(update={"ollama_base_url": there.url})).chat_model()
        begun = time.monotonic()
        with pytest.raises(EngineTimeout, match="still loading"):
            list(chat.stream("Hello"))
    assert 0.5 < time.monotonic() - begun < 5


def test_a_server_too_busy_to_say_what_is_loaded_still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engines.ollama_chat.CHECK_SECONDS", 0.1)

    async def read_async(url: str) -> str:
        chat = OllamaEngine(settings(url)).chat_model()
        return "".join([chunk.text async for chunk in chat.astream("Hello")])

    with Server({**recorded("chat_stream_warm"), PS: Reply((), hold=True)}) as there:
        assert "".join(chunk.text for chunk in read(there.url)) == HELLO
        assert asyncio.run(read_async(there.url)) == HELLO


# ---- abort


def endless() -> Reply:
    part = json.dumps({"message": {"role": "assistant", "content": "word "}, "done": False}) + "\n"
    return chunked("application/x-ndjson", [part] * 500, gap=0.02)


def test_closing_the_stream_aborts_the_request() -> None:
    with server(chat=endless()) as there:
        stream = OllamaEngine(settings(there.url)).chat_model().stream("Hello")
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert wait_for(there.asked(CHAT)[0].aborted) < 0.5


def test_cancelling_aborts_before_the_first_token() -> None:
    async def cancel(url: str) -> None:
        chat = OllamaEngine(settings(url)).chat_model()
        task = asyncio.create_task(chat.ainvoke("Hello"))
        while not there.asked(CHAT):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with server(chat=Reply((), hold=True)) as there:
        asyncio.run(cancel(there.url))
        assert wait_for(there.asked(CHAT)[0].aborted) < 0.5


# ---- check


def test_check_finds_the_model_that_is_named_without_its_tag() -> None:
    with server() as there:
        status = OllamaEngine(settings(there.url)).check()
    assert (status.ready, status.model) == (True, "tiny:latest")
    assert there.url in status.detail


def test_check_names_what_is_there_instead_of_a_missing_model() -> None:
    with server() as there:
        status = OllamaEngine(settings(there.url, "qwen3:8b")).check()
    assert not status.ready
    assert "ollama pull qwen3:8b" in status.hint
    assert "babble:latest" in status.hint


TAGGED = [
    {"name": "all-minilm:latest", "details": {"family": "bert", "families": ["bert"]}},
    {"name": "nomic:latest", "details": {"families": ["nomic-bert"]}, "capabilities": ["embedding"]},
    {"name": "huge:cloud", "remote_host": "https://example.com", "capabilities": ["completion"]},
    {"name": "local:4b", "details": {"families": None, "context_length": 4096}, "capabilities": ["completion"]},
    {"name": "older:1b", "details": {"family": "llama", "families": ["llama"]}},
]


def test_without_a_name_the_first_local_chat_model_is_taken() -> None:
    with Server({TAGS: json_reply(200, {"models": TAGGED})}) as there:
        engine = OllamaEngine(load_settings(ollama_base_url=there.url, ollama_num_ctx=8192))
        assert engine.chat_model().model == "local:4b"  # type: ignore[attr-defined]
        assert engine.check().model == "local:4b"
        assert engine.context_window() == 4096


def test_the_model_taken_follows_the_server() -> None:
    later = json_reply(200, {"models": TAGGED[4:]})
    with Server({TAGS: [json_reply(200, {"models": TAGGED}), later]}) as there:
        engine = OllamaEngine(load_settings(ollama_base_url=there.url))
        first = engine.chat_model()
        engine.check()
        assert first is not engine.chat_model()
        assert engine.chat_model().model == "older:1b"  # type: ignore[attr-defined]
        assert engine.chat_model() is engine.chat_model()


def test_the_context_window_is_the_setting_where_the_server_tells_nothing() -> None:
    with Server({TAGS: json_reply(200, {"models": TAGGED})}) as there:
        assert OllamaEngine(settings(there.url, "older:1b")).context_window() == 2048
    assert OllamaEngine(settings(unused_url())).context_window() == 2048


@pytest.mark.parametrize("models", [[], TAGGED[:3]])
def test_a_server_without_a_chat_model_is_not_ready(models: list[Any]) -> None:
    with Server({TAGS: json_reply(200, {"models": models})}) as there:
        engine = OllamaEngine(load_settings(ollama_base_url=there.url))
        status = engine.check()
        with pytest.raises(ModelMissing):
            engine.chat_model()
    assert not status.ready
    assert "ollama pull" in status.hint


def test_an_embedding_model_is_not_ready() -> None:
    with Server({TAGS: json_reply(200, {"models": TAGGED})}) as there:
        status = OllamaEngine(settings(there.url, "all-minilm")).check()
    assert not status.ready
    assert "embeddings" in status.detail


def test_a_refused_host_name_is_told() -> None:
    foreign = recorded("host_header_foreign")[TAGS][0]
    with Server({TAGS: foreign, PS: foreign, CHAT: foreign}) as there:
        status = OllamaEngine(settings(there.url)).check()
        _, error = failure(there.url)
    assert isinstance(error, EngineUnavailable)
    assert (error.message, error.hint) == (status.detail, status.hint)
    assert not status.ready
    assert "403" in status.detail
    assert "OLLAMA_HOST" in status.hint


@pytest.mark.parametrize(
    "reply",
    [
        text_reply(200, "<html>"),
        json_reply(200, []),
        json_reply(200, {"models": [1]}),
        json_reply(200, {"models": [{}]}),
        json_reply(401, {"error": "no"}),
        json_reply(500, {"error": "no"}),
        Reply(()),
        Reply((b"SSH-2.0-OpenSSH_9.6\r\n",)),
    ],
)
def test_check_takes_whatever_answers(reply: Reply) -> None:
    with Server({TAGS: reply}) as there:
        status = OllamaEngine(settings(there.url)).check()
    assert not status.ready
    assert status.detail and status.hint


def test_a_silent_server_is_given_up_in_time() -> None:
    with silent_url() as url:
        begun = time.monotonic()
        status = OllamaEngine(settings(url)).check()
    assert time.monotonic() - begun < 2
    assert not status.ready
    assert "does not answer" in status.detail


@pytest.mark.parametrize("url", ["http://127.0.0.1:port", "http://[::1", "http://"])
def test_an_impossible_address_is_a_status_and_an_error(url: str) -> None:
    engine = OllamaEngine(settings(url))
    assert not engine.check().ready
    with pytest.raises(HotswapError):
        engine.chat_model().invoke("Hello")


def test_user_names_and_passwords_are_not_shown() -> None:
    address = unused_url().replace("//", "//anna:geheim@")
    status = OllamaEngine(settings(address)).check()
    assert "geheim" not in status.detail + status.hint
    assert "geheim" not in str(failure(address)[1])


# ---- close


def test_close_unloads_the_model_that_was_used_and_no_other() -> None:
    with server("chat_unload") as there:
        engine = OllamaEngine(settings(there.url))
        engine.close()
        assert not there.requests
        engine.chat_model()
        engine.close()
        engine.close()
        (request,) = there.asked(CHAT)
    assert request.body == {"model": "tiny", "messages": [], "keep_alive": 0}


@pytest.mark.parametrize(
    "reply", [Reply(()), Reply((), hold=True), text_reply(500, "<html>"), Reply((b"SSH-2.0\r\n",))]
)
def test_close_never_raises_and_does_not_wait(reply: Reply) -> None:
    with server(chat=reply) as there:
        engine = OllamaEngine(settings(there.url))
        engine.chat_model()
        begun = time.monotonic()
        engine.close()
        assert time.monotonic() - begun < 2
        assert len(there.asked(CHAT)) == 1
    engine.chat_model()
    engine.close()  # with nobody there


# ---- the context window


@pytest.mark.parametrize(("wanted", "given"), [(8192, 2048), (2048, 2048), (1024, 1024)])
def test_no_request_wants_a_larger_window_than_the_model_was_trained_for(wanted: int, given: int) -> None:
    with server("chat_num_ctx_too_big") as there:
        engine = OllamaEngine(load_settings(model="tiny", ollama_base_url=there.url, ollama_num_ctx=wanted))
        assert engine.context_window() == given
        assert engine.chat_model().invoke("Hello").text == HELLO
        assert there.asked(CHAT)[0].body["options"]["num_ctx"] == given


def test_a_server_that_lists_no_window_is_asked_for_the_models_own() -> None:
    listed = json_reply(200, {"models": [{"name": "tiny:latest", "details": {"families": ["llama"]}}]})
    for show, window in (("show_existing", 2048), ("show_missing", 8192), ("load_failure_show", 8192)):
        with Server({**recorded(show, "chat_stream_warm"), TAGS: listed}) as there:
            engine = OllamaEngine(load_settings(model="tiny", ollama_base_url=there.url, ollama_num_ctx=8192))
            assert engine.context_window() == window
            engine.chat_model().invoke("Hello")
            assert there.asked(CHAT)[0].body["options"]["num_ctx"] == window
            assert there.asked("POST /api/show")[0].body == {"model": "tiny:latest"}


@pytest.mark.parametrize("info", [None, [], {}, {"general.architecture": "x", "x.context_length": "many"}])
def test_a_window_that_cannot_be_read_is_none(info: object) -> None:
    listed = json_reply(200, {"models": [{"name": "tiny:latest"}]})
    with Server({TAGS: listed, "POST /api/show": json_reply(200, {"model_info": info})}) as there:
        assert OllamaEngine(settings(there.url)).context_window() == 2048


def test_a_limit_of_no_words_is_not_passed_on() -> None:
    """The server would take ``num_predict: 0`` for no limit at all (chat_num_predict_0)."""
    with pytest.raises(ConfigError, match="max_tokens"):
        settings("http://127.0.0.1:1", max_tokens=0)
