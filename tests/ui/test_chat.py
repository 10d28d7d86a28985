"""What the chat page does, on a stand-in for the service; looks, streaming and clicks in a browser: tests/browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

from app.conversation.prompts import small_talk
from app.errors import IncompleteAnswer
from app.schema import Answer, EngineStatus, Progress
from app.ui import answers, live
from tests.ui.stand_in import CITATION, QUOTE, UNAVAILABLE, Reply, StandIn, opened


def ask(page: AppTest, question: str = "How do I switch?") -> AppTest:
    return page.chat_input(key="question").set_value(question).run()


def address(page: AppTest, name: str) -> str:
    """A value of the page's address."""
    value = page.query_params[name]
    return value if isinstance(value, str) else str(value[0])


def begun(service: StandIn, conversation: str) -> live.LiveAnswer:
    """An answer that somebody asked for."""
    answer = live.ANSWERS.start(service, conversation, live.Question("Why?"))  # type: ignore[arg-type]
    assert isinstance(answer, live.LiveAnswer)
    return answer


def told(page: AppTest) -> str:
    """Everything the page says in its main part."""
    kinds = (page.main.markdown, page.main.caption, page.main.error, page.main.info, page.main.warning)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def test_the_first_page_greets_and_then_loads_what_is_heavy(page: AppTest, service: StandIn) -> None:
    assert "Ask your documents" in told(page)
    assert not page.exception
    until(lambda: service.warmed == 1)


def test_examples_are_offered_for_the_guide_only(page: AppTest, service: StandIn) -> None:
    assert any(button.label == "How do I switch to vLLM?" for button in page.button)
    service.stored = {"default": []}
    page.run()
    assert not any(button.label == "How do I switch to vLLM?" for button in page.button)
    assert "no documents here yet" in told(page)


def test_an_answer_is_shown_with_engine_time_and_source(page: AppTest, service: StandIn) -> None:
    ask(page)
    text = told(page)
    assert f"{QUOTE} \\[1\\]" in text
    assert "extractive · 0.0 s" in text
    assert page.button(key="cite-1-1").label.startswith("**\\[1\\]** en/switching")
    assert service.asked[0]["collection"] == "default"
    assert service.asked[0]["documents"] is True


def test_an_example_is_asked_with_one_click(page: AppTest, service: StandIn) -> None:
    page.button(key="example-welcome.example_switch").click().run()
    assert service.asked[0]["question"] == "How do I switch to vLLM?"


def test_the_conversation_is_in_the_address_and_comes_back(page: AppTest, service: StandIn) -> None:
    ask(page)
    conversation = address(page, "c")
    again = opened(c=conversation)
    assert len(again.chat_message) == 2
    assert again.button(key="cite-1-1")


def test_the_history_goes_along(page: AppTest, service: StandIn) -> None:
    ask(page)
    ask(page, "And on Windows?")
    assert [turn.content for turn in service.asked[1]["history"]] == ["How do I switch?", QUOTE + " [1]"]


def test_an_unknown_conversation_is_said_and_a_new_one_can_begin(service: StandIn) -> None:
    page = opened(c="nobody")
    assert "There is no conversation" in told(page)
    ask(page.run())
    assert len(page.chat_message) == 2


def test_a_source_opens_at_the_cited_words_and_closes(page: AppTest, service: StandIn) -> None:
    ask(page)
    page.button(key="cite-1-1").click().run()
    assert "quoted word for word" in told(page)
    assert not page.exception
    page.button(key="close-source").click().run()
    assert "quoted word for word" not in told(page)


def test_a_removed_source_says_so(page: AppTest, service: StandIn) -> None:
    ask(page)
    service.stored = {"default": []}
    page.run()
    assert "source removed" in page.button(key="cite-1-1").label
    page.button(key="cite-1-1").click().run()
    assert "Source removed" in told(page)
    assert "start a server" not in told(page)


def test_stop_keeps_what_was_said_and_marks_it(page: AppTest, service: StandIn) -> None:
    service.reply = Reply(pieces=("The first ", "the second"), pause=1, engine="ollama")
    conversation = service.history.create()
    service.history.append(conversation, "Why?")
    answer = begun(service, conversation)
    until(lambda: answer.text == "The first ")
    answer.stop()
    assert not answer.running
    service.reply.go_on.set()
    page = opened(c=conversation)
    assert "The first" in told(page)
    assert "the second" not in told(page)
    assert "**incomplete**" in told(page)


def test_an_answer_goes_on_without_its_page(page: AppTest, service: StandIn) -> None:
    service.reply = Reply(pieces=("one ", "two"), pause=1, engine="ollama")
    conversation = service.history.create()
    service.history.append(conversation, "Why?")
    answer = begun(service, conversation)
    assert live.ANSWERS.start(service, conversation, live.Question("Again?")) is answer  # type: ignore[arg-type]
    service.reply.go_on.set()
    until(lambda: not answer.running)
    assert [message.content for message in service.history.messages(conversation, service.quote)] == ["Why?", "one two"]


def test_no_answer_is_explained_and_can_be_asked_again(page: AppTest, service: StandIn) -> None:
    service.reply = Reply(error=UNAVAILABLE)
    ask(page)
    assert "No engine can answer." in told(page)
    service.reply = Reply()
    page.button(key="ask-again").click().run()
    assert len(page.chat_message) == 2
    assert service.asked[1]["question"] == "How do I switch?"


def test_an_unexpected_error_is_one_line(page: AppTest, service: StandIn) -> None:
    service.reply = Reply(error=ValueError("inner detail"))
    ask(page)
    assert "Something went wrong" in told(page)
    assert "inner detail" not in told(page)
    assert not page.exception


def test_an_answer_that_broke_off_says_why(page: AppTest, service: StandIn) -> None:
    service.reply = Reply(engine="ollama", later_error=IncompleteAnswer("It broke off.", "Ask again."))
    ask(page)
    assert "**incomplete**" in told(page)
    assert "It broke off" in told(page)


def test_a_refusal_is_marked_and_has_no_sources(page: AppTest, service: StandIn) -> None:
    service.reply = Reply(pieces=("Not in your documents.",), citations=(), engine="", refused=True)
    ask(page)
    assert "**not in your documents**" in told(page)
    assert "no engine was asked" in told(page)


def test_a_greeting_is_not_called_missing_from_the_documents(page: AppTest, service: StandIn) -> None:
    service.reply = Reply(pieces=(small_talk("en"),), citations=(), engine="", refused=True)
    ask(page, "hello")
    assert "Ask me something about your documents." in told(page)
    assert "not in your documents" not in told(page)


def test_an_empty_or_endless_question_is_refused_and_not_kept(page: AppTest, service: StandIn) -> None:
    ask(page, "x" * 100_000)
    assert len(page.error) == 1
    assert service.history.list() == ()
    assert service.asked == []


def test_plain_chat_and_an_engine_can_be_chosen_and_stay(page: AppTest, service: StandIn) -> None:
    page.selectbox(key="choose-documents").set_value("-").run()
    page.selectbox(key="choose-engine").set_value("ollama").run()
    assert address(page, "docs") == "-"
    assert "Ollama is not running" in str(page.sidebar.caption[0].value)
    ask(page)
    assert (service.asked[0]["documents"], service.asked[0]["engine"]) == (False, "ollama")
    again = opened(docs="-", engine="ollama")
    assert again.selectbox(key="choose-documents").value == "-"
    assert again.selectbox(key="choose-engine").value == "ollama"


def test_the_sidebar_names_the_live_engine_after_a_switch_too(page: AppTest, service: StandIn) -> None:
    assert "extractive answers." in [str(caption.value) for caption in page.sidebar.caption]
    assert page.selectbox(key="choose-engine").options[0] == "auto · extractive"
    service.switched_to(EngineStatus("hf", True, "tiny"))
    page.run()
    assert "hf answers." in [str(caption.value) for caption in page.sidebar.caption]
    assert page.selectbox(key="choose-engine").options == [
        "auto · hf", "vllm_openai · not ready", "vllm · not ready", "ollama · not ready", "hf · tiny", "extractive",
    ]  # fmt: skip
    ask(page)
    assert service.asked[0]["engine"] is None


def test_an_engine_that_stands_in_is_told_with_the_reason(service: StandIn) -> None:
    service.switch.wanted = "ollama"
    page = opened()
    said = "\n".join(str(caption.value) for caption in page.sidebar.caption)
    assert "Ollama is not running" in said and "Until then extractive answers." in said


def test_the_step_says_which_model_is_being_loaded(service: StandIn) -> None:
    service.reply = Reply(pieces=("one ", "two"), pause=0, engine="hf")
    conversation = service.history.create()
    answer = begun(service, conversation)
    loading = Progress("loading", item="tiny", detail="weights 3/7")
    until(lambda: answer.passages == 1)
    assert "Loading tiny · weights 3/7 · " in answers.step(answer, True, loading)
    assert "Reading 1 passages" in answers.step(answer, True, None)
    service.reply.go_on.set()
    until(lambda: answer.text != "")
    assert "Answering" in answers.step(answer, True, loading)  # it is loaded for somebody else


def test_who_waits_in_line_is_told_the_place(service: StandIn) -> None:
    service.reply = Reply(pieces=("one",), pause=0)
    answer = begun(service, service.history.create())
    until(lambda: answer.passages == 1)
    waiting: Any = answer._response
    waiting.place = 3
    assert "you are number 3 in line" in answers.step(answer, True, None)
    waiting.place = 0
    assert "Reading 1 passages" in answers.step(answer, True, None)
    service.reply.go_on.set()
    until(lambda: not answer.running)


def test_the_card_tells_how_to_connect_a_model_only_while_there_is_none(page: AppTest, service: StandIn) -> None:
    assert "Connect a model" in told(page)
    assert any("ollama pull" in block.value for block in page.code)
    service.states = [EngineStatus("ollama", True, "qwen3:4b"), EngineStatus("extractive", True)]
    page.button(key="check-engines").click().run()
    assert "Connect a model" not in told(page)


def test_conversations_are_renamed_and_deleted(page: AppTest, service: StandIn) -> None:
    ask(page)
    conversation = address(page, "c")
    page.text_input(key=f"rename-{conversation}").set_value("Switching").run()
    assert service.history.list()[0].title == "Switching"
    page.button(key="delete-chat").click().run()
    assert service.history.list() == ()
    assert "Ask your documents" in told(page)


def test_a_new_chat_leaves_the_old_one_in_the_list(page: AppTest, service: StandIn) -> None:
    ask(page)
    conversation = address(page, "c")
    page.button(key="new-chat").click().run()
    assert "c" not in page.query_params
    page.button(key=f"talk-{conversation}").click().run()
    assert len(page.chat_message) == 2


def test_what_documents_hold_cannot_break_the_page(page: AppTest, service: StandIn) -> None:
    conversation = service.history.create()
    service.history.append(conversation, "# <script>alert(1)</script> $x$ ![](http://example.com/a.png)")
    hostile = "# Title | a | ![x](http://example.com/a.png) $5 and $6 <img src=x> [1]"
    service.history.append_answer(conversation, Answer(hostile, "extractive", "", True, False, "q", (CITATION,)))
    page = opened(c=conversation)
    said = [element.value for message in page.chat_message for element in message.markdown]
    assert "\\!\\[" in said[0] and "\\<script" in said[0] and "\\$x" in said[0]
    assert said[1].startswith("\\# Title \\| a") and "\\!\\[x" in said[1]


def test_the_language_follows_address_and_switch(service: StandIn) -> None:
    page = opened(lang="zh")
    assert "向你的文档提问" in told(page)
    page.segmented_control(key="language-switch").set_value("en").run()
    assert "Ask your documents" in told(page)
    assert address(page, "lang") == "en"


def test_the_page_without_a_service_says_so_in_one_line() -> None:
    page = opened()
    assert "Something went wrong" in told(page)
    assert not page.exception
