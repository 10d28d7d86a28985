"""The routes as a LangChain model: chains, callbacks and every way of asking see one model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool

from app.config import load_settings
from app.engines.live_chat import LiveChatModel
from app.engines.routing.chat import RoutedChatModel
from app.engines.switch import EngineSwitch
from app.errors import EngineError
from tests.engines.routing.fault_server import answer_of, servers
from tests.engines.routing.parts import QUICK, engine
from tests.engines.servers import Server, chunked, json_reply


class Listener(BaseCallbackHandler):
    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.ends: list[Any] = []
        self.errors: list[BaseException] = []

    def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
        self.tokens.append(token)

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.ends.append(response)

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self.errors.append(error)


def test_chains_and_callbacks_see_one_model_also_where_two_servers_gave_the_answer() -> None:
    with servers(2) as two:
        two[0].mode, two[0].times = "reset", 1
        listener = Listener()
        chat = engine(two, None, default_route="a").chat_model()
        chain = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{question}")]) | chat
        text = (chain | StrOutputParser()).invoke({"question": "hello"}, {"callbacks": [listener]})
        assert text == answer_of("hello")
        assert "".join(listener.tokens) in ("", text)
        (end,) = listener.ends
        message = end.generations[0][0].message
        assert [tried["route"] for tried in message.response_metadata["routes"]] == ["a", "b"]
        assert message.response_metadata["model_name"] == "mock"
        streamed = "".join((chain | StrOutputParser()).stream({"question": "hello"}, {"callbacks": [listener]}))
        assert streamed == text and "".join(listener.tokens).endswith(text)


def test_every_way_of_asking_gives_the_same() -> None:
    async def asynchronous(chat: RoutedChatModel) -> list[str]:
        streamed = "".join([chunk.text async for chunk in chat.astream("hello")])
        batch = await chat.abatch(["hello", "hello"])
        return [streamed, (await chat.ainvoke("hello")).text, *(message.text for message in batch)]

    with servers(2) as two:
        chat = engine(two).chat_model()
        texts = [chat.invoke("hello").text, *(message.text for message in chat.batch(["hello"] * 3))]
        assert {*texts, *asyncio.run(asynchronous(chat))} == {answer_of("hello")}


def test_the_error_reaches_the_callbacks() -> None:
    with servers(2) as two:
        for server in two:
            server.mode = "500"
        listener = Listener()
        chat = engine(two, params={"max_retries": 0}).chat_model()
        with pytest.raises(EngineError):
            chat.invoke("hello", {"callbacks": [listener]})
        assert len(listener.errors) == 1


def test_messages_and_keywords_go_into_the_request() -> None:
    with servers(1) as one:
        chat = engine(one).chat_model()
        said = [SystemMessage("Be brief."), HumanMessage("one"), AIMessage("eins"), HumanMessage("two")]
        chat.invoke(said, stop=["never"], temperature=0.5, seed=7, extra_body={"top_k": 3}, model="other")
        body = one[0].questions()[-1].body
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
    assert [message["content"] for message in body["messages"]] == ["Be brief.", "one", "eins", "two"]
    sent = {name: body[name] for name in ("stop", "temperature", "seed", "top_k", "model", "stream", "top_p")}
    assert sent == {
        "stop": ["never"], "temperature": 0.5, "seed": 7, "top_k": 3, "model": "mock", "stream": True, "top_p": 1.0,
    }  # fmt: skip
    assert "extra_body" not in body and "conversation" not in body


def test_tools_are_offered_and_their_calls_come_whole() -> None:
    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return city

    def call(index: int, **function: Any) -> str:
        import json

        more = {"id": "call_1", "type": "function"} if "name" in function else {}
        calls = [{"index": index, "function": function, **more}]
        return f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'tool_calls': calls}}]})}\n\n"

    end = 'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}\n\ndata: [DONE]\n\n'
    events = [call(0, name="weather", arguments=""), call(0, arguments='{"city": '), call(0, arguments='"北京"}'), end]
    models = json_reply(200, {"data": [{"id": "mock"}]})
    with Server({"POST /v1/chat/completions": chunked("text/event-stream", events), "GET /v1/models": models}) as there:
        from app.engines.vllm_openai import VllmOpenAIEngine

        chat = VllmOpenAIEngine(load_settings(vllm_base_url=there.url, llm={"deadlines": QUICK})).chat_model()
        message = chat.bind_tools([weather], tool_choice="any").invoke("hello")
        body = there.asked("POST /v1/chat/completions")[0].body
    assert isinstance(message, AIMessage)
    assert [(made["name"], made["args"]) for made in message.tool_calls] == [("weather", {"city": "北京"})]
    assert body["tools"][0]["function"]["name"] == "weather" and body["tool_choice"] == "required"


def test_the_live_model_hands_the_conversation_on() -> None:
    with servers(3) as three:
        routes = {name: {"base_url": server.url, "model": "mock"} for name, server in zip("abc", three, strict=True)}
        settings = load_settings(
            llm_engine="vllm_openai", llm={"routes": routes, "lb_policy": "affinity", "probe": 0, "deadlines": QUICK}
        )
        switch = EngineSwitch(settings)
        live = LiveChatModel(switch=switch)
        for turn in range(4):
            for _ in live.stream(f"turn {turn}", {"metadata": {"thread_id": "the same"}}):
                pass
        assert sorted(len(server.questions()) for server in three) == [0, 0, 4]
        switch.close()
