from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage

from app import llm_utils
from app.config import load_settings
from app.conversation.prompts import refusal
from app.engines.extractive_chat import ExtractiveChatModel
from app.errors import ContextTooLong, EngineUnavailable, QuestionError, UsageError
from app.llm_utils import build_llm, contextualize_query, get_response
from tests.conversation.parts import INSTALL, MEMORY, Given, Scripted

HISTORY = [("user", "How do I install Hotswap on Linux?"), ("assistant", "With `make setup` [1].")]
BY_RULE = "How do I install Hotswap on Linux? and on Windows? Windows Windows"
LIBRARY = [INSTALL, MEMORY]


def unwanted() -> BaseChatModel:
    raise AssertionError("no engine is needed for this")


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = "{'langchain_core', 'torch', 'chromadb', 'jieba', 'streamlit'}"
    code = f"import sys, app.llm_utils; sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_the_engine_that_the_settings_name_is_built() -> None:
    assert build_llm(load_settings(llm_engine="extractive"))._llm_type == "extractive"


def test_a_question_without_history_stays_as_it_is() -> None:
    assert contextualize_query(" and on Windows? ", []) == "and on Windows?"
    assert contextualize_query("why?", [], unwanted) == "why?"


def test_a_follow_up_is_folded_in_by_rule_or_by_a_model() -> None:
    assert contextualize_query("and on Windows?", HISTORY) == BY_RULE
    assert contextualize_query("and on Windows?", HISTORY, ExtractiveChatModel()) == BY_RULE
    model = GenericFakeChatModel(messages=iter(["How do I install Hotswap on Windows?"]))
    assert contextualize_query("and on Windows?", HISTORY, lambda: model) == "How do I install Hotswap on Windows?"


def test_a_failing_model_never_ends_a_rewrite(caplog: pytest.LogCaptureFixture) -> None:
    model = Scripted(reply_error=EngineUnavailable("Ollama is not running."))
    with caplog.at_level(logging.WARNING):
        assert contextualize_query("and on Windows?", HISTORY, model) == BY_RULE
    assert "Ollama is not running" in caplog.text


@pytest.mark.parametrize("question", ["", " \n ", "x" * 20_001, "字" * 100_000])
def test_impossible_questions_are_refused_at_once(question: str) -> None:
    with pytest.raises(QuestionError):
        get_response(question, llm=unwanted)
    with pytest.raises(QuestionError):
        contextualize_query(question, HISTORY)


def test_an_impossible_history_is_refused_at_once() -> None:
    with pytest.raises(UsageError):
        get_response("why?", [("wizard", "x")], llm=unwanted)


@pytest.mark.parametrize(("question", "language"), [("Who won?", "en"), ("谁赢了？", "zh")])
def test_without_passages_it_refuses_and_asks_no_engine(question: str, language: Any) -> None:
    response = get_response(question, retriever=Given(documents=[]), llm=unwanted, engine="ollama")
    assert list(response) == [refusal(language)]
    answer = response.answer
    assert (answer.refused, answer.complete, answer.citations, answer.engine) == (True, True, (), "ollama")
    assert answer.timings.ttft_ms is None and answer.timings.retrieval_ms > 0 and answer.timings.total_ms > 0
    again = get_response(question, retriever=Given(documents=[]), llm=unwanted)
    assert asyncio.run(again.wait_async()).answer == refusal(language)


def test_a_model_that_refuses_in_those_words_has_refused() -> None:
    response = get_response("Who won?", retriever=Given(documents=LIBRARY), llm=Scripted(pieces=[refusal("en")]))
    response.wait()
    assert response.refused and response.complete and response.citations == () and response.timings.ttft_ms is None


def test_the_extractive_engine_answers_with_supported_citations() -> None:
    for question in ("How much memory does a model of seven billion parameters need?", "16 GB 内存够吗？"):
        response = get_response(question, retriever=Given(documents=LIBRARY), llm=ExtractiveChatModel())
        text = "".join(response)
        assert "needs 16 GB of memory. [2]" in text
        assert response.complete and all(citation.supported for citation in response.citations)


def test_a_follow_up_searches_and_quotes_with_its_history() -> None:
    retriever = Given(documents=LIBRARY)
    model = Scripted(pieces=["Yes. [1]"], reply="How do I install Hotswap on Windows?")
    response = get_response("and on Windows?", HISTORY, retriever=retriever, llm=model)
    response.wait()
    assert retriever.queries == [response.query] == ["How do I install Hotswap on Windows?"]
    prompt = model.seen[-1]
    assert [message.text for message in prompt[1:3]] == [HISTORY[0][1], "With `make setup`."]
    assert prompt[-1].text.endswith("and on Windows?")
    assert prompt[-1].additional_kwargs["question"] == response.query

    extractive = get_response("那安装要多久？", HISTORY, retriever=Given(documents=LIBRARY), llm=ExtractiveChatModel())
    assert extractive.wait().query.startswith(HISTORY[0][1])


def test_a_failing_rewrite_does_not_end_the_answer() -> None:
    failing = Scripted(pieces=["Yes. [1]"], reply_error=RuntimeError("boom"))
    response = get_response("and on Windows?", HISTORY, retriever=Given(documents=LIBRARY), llm=failing)
    assert response.wait().query == BY_RULE and response.complete
    again = get_response("and on Windows?", HISTORY, retriever=Given(documents=LIBRARY), llm=failing)
    assert asyncio.run(again.wait_async()).query == BY_RULE


def test_plain_chat_has_no_documents() -> None:
    retriever = Given(documents=LIBRARY)
    model = Scripted(pieces=["Four."])
    history = [HumanMessage("Hi"), AIMessage("Hello, see `row[1]`.")]
    response = get_response("What is 2 + 2?", history, retriever=retriever, llm=model, documents=False)
    assert list(response) == ["Four."]
    assert retriever.queries == [] and response.citations == () and response.complete
    assert [message.text for message in model.seen[0][1:]] == ["Hi", "Hello, see `row[1]`.", "What is 2 + 2?"]
    with pytest.raises(EngineUnavailable):
        get_response("What is 2 + 2?", llm=ExtractiveChatModel(), documents=False).wait()


def test_the_context_window_bounds_the_prompt() -> None:
    model = Scripted(pieces=["Short. [1]"])
    long = [INSTALL.model_copy(update={"page_content": "word " * 400}) for _ in range(20)]
    response = get_response("Why?", retriever=Given(documents=long), llm=model, context_window=lambda: 2048)
    response.wait()
    assert 1 <= len(response.passages) < 5
    assert len(model.seen[0][-1].additional_kwargs["passages"]) == len(response.passages)
    with pytest.raises(ContextTooLong):
        get_response("字" * 9000, retriever=Given(documents=long), llm=model).wait()


def test_by_default_the_settings_choose_retriever_and_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.config.get_settings", lambda: load_settings(llm_engine="extractive"))
    monkeypatch.setattr(llm_utils, "build_retriever", lambda: Given(documents=LIBRARY))
    llm_utils._default_retriever.cache_clear()
    answer = get_response("How much memory does a model need?").wait()
    assert answer.engine == "extractive" and "16 GB" in answer.answer
    llm_utils._default_retriever.cache_clear()
