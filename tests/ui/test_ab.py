"""Two engines side by side on the chat page: the choice, the answers, the vote, and what is kept of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import service as service_module
from app.conversation.duel import Duel, Side
from app.errors import EngineUnavailable, IncompleteAnswer, OutOfMemory
from app.schema import Answer
from app.service import Service
from app.ui import ab_choice, engine_states, export, live
from app.ui.ab_live import LiveDuel
from tests.ui.duelling import engine, opened_service, said
from tests.ui.stand_in import opened

PAIR = {"docs": "-", "engine": "vllm_openai", "ab": "ollama"}
ONE, OTHER = "The vl-th answer.", "The ol-th answer."
NAMES = ("vllm_openai", "ollama", "model", "tokens")


@pytest.fixture
def states() -> engine_states.EngineStates:
    return engine_states.EngineStates()


@pytest.fixture
def begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, states: engine_states.EngineStates
) -> Iterator[Callable[..., Service]]:
    running: list[Service] = []

    def make(**settings: object) -> Service:
        running.append(opened_service(tmp_path, **settings))
        monkeypatch.setattr(service_module, "_current", running[-1])
        states.look_now(running[-1])
        return running[-1]

    monkeypatch.setattr(Service, "warm_up", lambda self: None)
    monkeypatch.setattr("app.ui.opening._HEAD_START", 0.0)
    monkeypatch.setattr(live, "ANSWERS", live.LiveAnswers())
    for module in ("chat", "conversations"):
        monkeypatch.setattr(f"app.ui.{module}.ANSWERS", live.ANSWERS)
    for module in ("ab_choice", "chat", "choices", "welcome"):
        monkeypatch.setattr(f"app.ui.{module}.STATES", states)
    yield make
    for service in running:
        for fake in service.switch.engines.values():
            fake.go_on.set()  # type: ignore[attr-defined]
            fake.loads.set()  # type: ignore[attr-defined]
        service.close()


@pytest.fixture
def service(begin: Callable[..., Service]) -> Service:
    return begin()


def ask(page: AppTest, question: str = "Why is that?") -> AppTest:
    return page.chat_input(key="question").set_value(question).run()


def address(page: AppTest, name: str) -> str:
    value = page.query_params[name]
    return value if isinstance(value, str) else str(value[0])


def until(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def begun(service: Service, engines: tuple[str, str] = ("vllm_openai", "ollama"), blind: bool = False) -> LiveDuel:
    """A question that two engines begin to answer, without a page."""
    conversation = service.history.create()
    service.history.append(conversation, "Why is that?")
    question = live.Question("Why is that?", documents=False)
    duel = live.ANSWERS.begin(conversation, lambda: LiveDuel(service, conversation, question, engines, blind=blind))
    assert isinstance(duel, LiveDuel)
    return duel


def finished(duel: LiveDuel) -> None:
    """Waits for its end."""
    until(lambda: not duel.running)


def kept(service: Service) -> Duel:
    """The only duel there is."""
    (conversation,) = service.history.list()
    (duel,) = (found for message in service.history.messages(conversation.id, service.quote) if (found := message.duel))
    return duel


def test_a_second_engine_is_chosen_in_the_sidebar_and_stays_in_the_address(service: Service) -> None:
    page = opened(docs="-", engine="ollama")
    assert "ab-second" not in [box.key for box in page.selectbox]
    page.toggle(key="ab-on").set_value(True).run()
    assert address(page, "ab") == "vllm_openai", "the first one that is ready beside it"
    page.selectbox(key="ab-second").set_value("hf").run()
    page.toggle(key="ab-blind").set_value(True).run()
    assert (address(page, "ab"), address(page, "blind")) == ("hf", "1")
    assert "Both answer side by side, in random order." in [str(caption.value) for caption in page.sidebar.caption]
    again = opened(docs="-", engine="ollama", ab="hf", blind="1")
    assert again.selectbox(key="ab-second").value == "hf" and again.toggle(key="ab-blind").value
    again.toggle(key="ab-on").set_value(False).run()
    assert "ab" not in again.query_params
    ask(again)
    assert "The ol-th answer." in said(again) and not [key for key in again.button if "vote" in str(key.key)]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("ollama", "ollama", "Both are ollama."),
        ("auto", "vllm_openai", "Both are vllm_openai."),
        ("ollama", "extractive", "extractive cannot be compared now: it is not ready."),
        ("vllm", "hf", "vllm and hf do not fit into memory together: 110 B more would be needed, and 100 B are free"),
    ],
)
def test_what_cannot_be_compared_is_said_before_asking_and_again_then(
    service: Service, first: str, second: str, reason: str
) -> None:
    page = opened(docs="-", engine=first, ab=second)
    assert reason in "\n".join(str(error.value) for error in page.sidebar.error).replace("\\", "")
    ask(page)
    assert reason in said(page) and "This question was not answered." in said(page)
    page.toggle(key="ab-on").set_value(False).run()
    page.selectbox(key="choose-engine").set_value("ollama").run()
    page.button(key="ask-again").click().run()
    assert OTHER in said(page), "the question was kept"


def test_one_that_is_loaded_already_needs_no_more_room(service: Service, states: engine_states.EngineStates) -> None:
    for name in ("vllm", "hf"):
        engine(service, name).loaded = True
    states.look_now(service)
    page = opened(docs="-", engine="vllm", ab="hf")
    assert not page.sidebar.error
    engine(service, "vllm").loaded = False
    states.look_now(service)
    assert not opened(docs="-", engine="vllm", ab="hf").sidebar.error, "60 of 100 bytes"


def test_both_answer_with_names_and_times_and_the_better_one_goes_on(service: Service) -> None:
    page = ask(opened(**PAIR))
    text = said(page)
    assert ONE in text and OTHER in text
    assert "**A** · vllm_openai · vllm_openai-model" in text and "**B** · ollama · ollama-model" in text
    assert text.count("first word after") == 2 and text.count("tokens/s") == 2
    page.button(key="vote-1-b").click().run()
    assert "You voted: B is better." in said(page) and ":green-badge" in said(page)
    assert not [button for button in page.button if str(button.key).startswith("vote-")]
    ask(page, "And then?")
    history = [message.content for message in engine(service, "vllm_openai").asked[-1]]
    assert OTHER in history and ONE not in history
    again = opened(c=address(page, "c"))
    assert "You voted: B is better." in said(again) and ONE in said(again) and OTHER in said(again)
    (pair,) = service.votes.pairs()
    assert (pair.first.name, pair.first.wins, pair.n, pair.blind) == ("ollama · ollama-model", 1, 1, False)
    assert pair.second.total_ms.n == 1 and pair.second.tokens_per_second.n == 1


def test_blind_tells_nothing_apart_until_the_vote(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ab_choice.random, "random", lambda: 0.9)
    page = ask(opened(**PAIR, blind="1"))
    conversation = address(page, "c")

    def exported() -> str:
        return export.markdown("T", service.history.messages(conversation, service.quote), "en")

    for text in (said(page), said(opened(c=conversation)), exported()):
        assert text.index(OTHER) < text.index(ONE), "the order of this question, and of every look at it"
        assert not [name for name in NAMES if name in text]
    page.button(key="vote-1-a").click().run()
    assert "**A** · ollama" in said(page) and "tokens/s" in said(page)
    assert "`ollama` · `ollama-model`" in exported() and "You voted: A is better." in exported()
    assert [(pair.first.engine, pair.blind) for pair in service.votes.pairs()] == [("ollama", True)]


def test_blind_hides_what_is_loaded_too(service: Service) -> None:
    from app.ui.ab_view import Growing

    engine(service, "hf").loads.clear()
    for blind in (True, False):
        duel = begun(service, ("hf", "ollama"), blind)
        until(lambda: service.switch.progress is not None)
        assert duel.stage(0) == duel.stage(1) == "loading"
        steps = [Growing._step(_places(service, duel), number) for number in (0, 1)]  # type: ignore[arg-type]
        assert all("Loading the engines" in step for step in steps) is blind
        assert any("hf" in step for step in steps) is not blind
        duel.stop()
        engine(service, "hf").loads.set()
        until(lambda: not service.switch.readers("hf"))
        engine(service, "hf").loads.clear()


class _places:
    """What of the growing answers tells their step, without a page to draw on."""

    def __init__(self, service: Service, live: LiveDuel) -> None:
        self._service, self._live = service, live


def test_the_order_is_chance_where_it_is_blind_and_the_reader_s_where_not(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ab_choice, "second", lambda: "ollama")
    orders = {}
    for blind in (False, True):
        monkeypatch.setattr(ab_choice, "blind", lambda blind=blind: blind)
        orders[blind] = {ab_choice.engines(service, "vllm_openai") for _ in range(60)}
    assert orders[False] == {("vllm_openai", "ollama")}
    assert orders[True] == {("vllm_openai", "ollama"), ("ollama", "vllm_openai")}


def test_an_engine_that_fails_gives_no_vote_and_says_why(service: Service) -> None:
    engine(service, "vllm_openai").pieces = []
    engine(service, "vllm_openai").error = EngineUnavailable("The server is away.", "Start it.")
    page = ask(opened(**PAIR, blind="1"))
    assert "The server is away." in said(page) and OTHER in said(page)
    assert "There is no vote here" in said(page) and not [b for b in page.button if "vote" in str(b.key)]
    assert not engine(service, "hf").asked, "nobody stands in for it"
    assert "The server is away." in said(opened(c=address(page, "c")))
    engine(service, "vllm_openai").error = None
    engine(service, "vllm_openai").pieces = ["Here ", "again."]
    ask(page, "And then?")
    assert OTHER in [message.content for message in engine(service, "vllm_openai").asked[-1]]


def test_one_that_goes_away_between_the_look_and_the_question_says_why(service: Service) -> None:
    page = opened(**PAIR)
    engine(service, "ollama").down = True
    service.forget_choices()
    ask(page)
    assert "ollama cannot answer: It is away." in said(page) and ONE in said(page)


def test_one_that_cannot_be_loaded_is_not_loaded_twice(service: Service) -> None:
    engine(service, "hf").fails_to_load = OutOfMemory("hf is too large.", "Choose a smaller one.")
    duel = begun(service, ("hf", "ollama"))
    finished(duel)
    one, other = kept(service).sides
    assert one.problem is not None and one.problem.message == "hf is too large."
    assert (other.answer.answer, other.flaw) == (OTHER, "")


def test_an_answer_that_broke_off_gives_no_vote_but_one_that_reached_its_length_does(service: Service) -> None:
    engine(service, "ollama").error = IncompleteAnswer("It broke off.", "Ask again.")
    finished(begun(service))
    broken = kept(service)
    assert broken.sides[1].flaw == "failed" and broken.sides[1].answer.answer == "The ol-th "
    assert broken.chosen.engine == "vllm_openai" and not broken.votable
    service.history.delete(service.history.list()[0].id)
    engine(service, "ollama").error = None
    engine(service, "ollama").finish_reason = "length"
    finished(begun(service))
    assert kept(service).votable and not kept(service).sides[1].answer.complete


def test_where_both_fail_the_question_can_be_asked_again(service: Service) -> None:
    for name in ("vllm_openai", "ollama"):
        engine(service, name).pieces = []
        engine(service, name).error = EngineUnavailable(f"The {name} server is away.", "Start it.")
    page = ask(opened(**PAIR))
    assert "The vllm_openai server is away." in said(page) and "The ollama server is away." in said(page)
    for name in ("vllm_openai", "ollama"):
        engine(service, name).pieces, engine(service, name).error = ["Now."], None
    page.button(key="ask-again").click().run()
    assert said(page).count("Now.") == 2


def test_one_stop_ends_both_at_once_and_keeps_what_was_said(service: Service) -> None:
    for name in ("vllm_openai", "ollama"):
        engine(service, name).go_on.clear()
    duel = begun(service)
    until(lambda: all(side.text for side in duel.sides))
    duel.stop()
    assert not duel.running, "without a wait for engines that are silent"
    page = opened(c=service.history.list()[0].id)
    assert "The vl-th" in said(page) and "The ol-th" in said(page) and "answer." not in said(page)
    assert said(page).count("Stopped before its end.") == 2 and "There is no vote here" in said(page)
    assert "incomplete" not in said(page)  # once is enough
    for name in ("vllm_openai", "ollama"):
        engine(service, name).go_on.set()
        until(lambda name=name: not service.switch.readers(name))  # type: ignore[misc]
    assert service.answering.admission.active == 0


def test_stop_while_an_engine_is_loaded_leaves_one_empty_answer(service: Service) -> None:
    engine(service, "hf").loads.clear()
    duel = begun(service, ("hf", "ollama"))
    until(lambda: service.switch.progress is not None)
    duel.stop()
    assert not duel.running
    page = opened(c=service.history.list()[0].id)
    assert said(page).count("Stopped before the first word.") == 1
    engine(service, "hf").loads.set()
    until(lambda: not service.switch.readers("hf"))
    assert not engine(service, "ollama").asked


def test_where_one_answer_at_a_time_is_allowed_they_come_one_after_the_other(begin: Callable[..., Service]) -> None:
    service = begin(max_concurrent_tasks=1, max_queued_tasks=0)
    engine(service, "vllm_openai").go_on.clear()
    duel = begun(service)
    until(lambda: duel.sides[0].text != "")
    assert duel.stage(1) == "after" and not engine(service, "ollama").asked
    engine(service, "vllm_openai").go_on.set()
    finished(duel)
    one, other = kept(service).sides
    assert (one.answer.answer, other.answer.answer) == (ONE, OTHER) and kept(service).votable


def test_waiting_in_line_is_not_an_engine_s_time(begin: Callable[..., Service]) -> None:
    service = begin(max_concurrent_tasks=2)
    before = [service.answering.admission.enter() for _ in range(2)]
    duel = begun(service)
    until(lambda: service.answering.admission.waiting == 2)
    time.sleep(0.5)
    for turn in before:
        turn.leave()
    finished(duel)
    for side in kept(service).sides:
        waited = side.answer.timings.waiting_ms
        assert waited >= 500 and side.pace.total_ms <= side.answer.timings.total_ms - waited


def test_where_no_engine_is_asked_there_is_one_answer_and_nothing_to_vote_on(service: Service) -> None:
    page = ask(opened(engine="vllm_openai", ab="ollama"), "hello")
    assert said(page).count("Ask me something about your documents.") == 1
    assert not [button for button in page.button if "vote" in str(button.key)]


def test_a_deleted_conversation_takes_its_answers_and_leaves_the_votes_figures(service: Service) -> None:
    page = ask(opened(**PAIR))
    page.button(key="vote-1-both_good").click().run()
    page.button(key="delete-chat").click().run()
    assert service.history.list() == () and [pair.both_good for pair in service.votes.pairs()] == [1]


def test_a_conversation_that_is_deleted_meanwhile_ends_both(service: Service) -> None:
    for name in ("vllm_openai", "ollama"):
        engine(service, name).go_on.clear()
    duel = begun(service)
    until(lambda: all(side.text for side in duel.sides))
    (conversation,) = service.history.list()
    service.history.delete(conversation.id)
    live.ANSWERS.forget(conversation.id)
    assert not duel.running and service.history.list() == () and "no conversation" in str(duel.errors[0])


def test_a_second_tab_cannot_vote_once_more(service: Service) -> None:
    page = ask(opened(**PAIR))
    tab = opened(c=address(page, "c"))
    page.button(key="vote-1-a").click().run()
    tab.button(key="vote-1-b").click().run()
    assert "You voted: A is better." in said(tab)
    assert [pair.n for pair in service.votes.pairs()] == [1]


def test_in_chinese(service: Service) -> None:
    finished(begun(service))
    (conversation,) = service.history.list()
    page = opened(c=conversation.id, lang="zh")
    assert "哪个回答更好？" in said(page) and "A 更好" in said(page) and "秒后出第一个字" in said(page)
    page.button(key="vote-1-both_bad").click().run()
    assert "你的投票：两个都不好。" in said(page)
    text = export.markdown("问", service.history.messages(conversation.id, service.quote), "zh")
    assert "> Why is that?" in text and "你的投票：两个都不好。" in text


def test_an_answer_that_another_engine_wrote_gives_no_vote(service: Service) -> None:
    conversation = service.history.create()
    service.history.append(conversation, "Why?")
    sides = (Side(name, Answer("So.", "hf", "", True, False, "q")) for name in ("hf", "ollama"))
    service.history.append_duel(conversation, Duel((next(sides), next(sides)), True))
    page = opened(c=conversation)
    assert "ollama did not write this answer." in said(page) and "There is no vote here" in said(page)
