"""The running product in one process: uploads, answers, falling back, and what is left after it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk

from app.config import Settings, load_settings
from app.errors import CollectionError, ConfigError, DataFolderBusy, DocumentMissing, EngineUnavailable, QuestionError
from app.schema import EngineStatus, Message, OnProgress
from app.service import Service
from tests.product import DOCUMENTS, write_documents


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("service") / "state", ollama_base_url="http://127.0.0.1:9")


@pytest.fixture(scope="module")
def service(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service.open(settings)
    running.ingest([write_documents(tmp_path_factory.mktemp("documents"))])
    yield running
    running.close()


class Engine:
    """An engine for faults: ready, and answering (or not) as it is told."""

    in_process = takes_memory = loaded = False

    def __init__(self, name: str, model: BaseChatModel, ready: bool = True) -> None:
        self.name = name
        self._model = model
        self._ready = ready

    def check(self) -> EngineStatus:
        return EngineStatus(self.name, self._ready, "tiny", "as the test says", "start it" if not self._ready else "")

    def chat_model(self) -> BaseChatModel:
        return self._model

    def memory(self) -> None: ...

    def load(self, on_progress: OnProgress) -> None: ...

    def context_window(self) -> int:
        return 4096

    def close(self) -> None: ...


class Broken(GenericFakeChatModel):
    """Fails before its first word."""

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        raise EngineUnavailable("It went away.", "Start it again.")


def speaking(text: str) -> BaseChatModel:
    return GenericFakeChatModel(messages=iter([AIMessage(text, response_metadata={"finish_reason": "stop"})] * 9))


@pytest.fixture
def engines(service: Service) -> Iterator[dict[str, Any]]:
    kept = service.switch.engines
    service.forget_choices()
    yield service.switch._engines  # what stands there is replaced by engines that fail on demand
    service.switch._engines.clear()
    service.switch._engines.update(kept)
    service.forget_choices()


def test_an_answer_with_its_source(service: Service) -> None:
    response = service.ask("How long does the rye bread rest?")
    text = "".join(response)
    assert "thirty hours" in text
    citation = response.citations[0]
    source = service.source(citation.document_id, citation.sha256)
    assert source is not None
    assert source.text[citation.start : citation.end] == citation.text
    assert source.path is not None
    assert source.path.read_text(encoding="utf-8") == DOCUMENTS["en/bakery.txt"]


def test_a_follow_up_without_a_model_uses_the_history(service: Service) -> None:
    history = [
        Message("user", "Who built the lighthouse of Skarvoy?"),
        Message("assistant", "The lighthouse of Skarvoy was built in 1871 by Ingrid Halvorsen. [1]"),
    ]
    response = service.ask("And how far is its lamp seen?", history=history)
    assert "nineteen nautical miles" in "".join(response)
    assert response.query != "And how far is its lamp seen?"


def test_the_engine_that_fails_before_its_first_word_is_replaced(service: Service, engines: dict[str, Any]) -> None:
    engines["vllm_openai"] = Engine("vllm_openai", Broken(messages=iter([])))
    engines["ollama"] = Engine("ollama", speaking("Thirty hours. [1]"))
    answer = service.ask("How long does the rye bread rest?").wait()
    assert (answer.engine, answer.model, answer.answer) == ("ollama", "tiny", "Thirty hours. [1]")
    assert answer.complete
    engines["ollama"] = Engine("ollama", Broken(messages=iter([])))
    assert service.ask("How long does the rye bread rest?").wait().engine == "extractive"


def test_an_engine_asked_for_that_is_not_ready_is_told(service: Service, engines: dict[str, Any]) -> None:
    engines["ollama"] = Engine("ollama", Broken(messages=iter([])), ready=False)
    choice = service.choice("ollama")
    assert choice.engine.name == "extractive"
    assert "ollama" in [status.name for status in choice.reasons]


def test_a_refusal_asks_no_engine(service: Service, engines: dict[str, Any]) -> None:
    for name in list(engines):
        engines[name] = Engine(name, Broken(messages=iter([])))
    answer = service.ask("Who won the 2018 World Cup?").wait()
    assert answer.refused
    assert answer.engine == ""


def test_plain_chat_needs_a_model(service: Service, engines: dict[str, Any]) -> None:
    with pytest.raises(EngineUnavailable, match="documents"):
        service.ask("Hello!", documents=False).wait()
    engines["ollama"] = Engine("ollama", speaking("Hello to you."))
    service.forget_choices()
    answer = service.ask("Hello!", documents=False).wait()
    assert (answer.answer, answer.engine, answer.citations) == ("Hello to you.", "ollama", ())


def test_wrong_questions(service: Service) -> None:
    with pytest.raises(QuestionError):
        service.ask("  ")
    with pytest.raises(ConfigError, match="olama"):
        service.ask("Hello!", engine="olama")
    with pytest.raises(CollectionError, match="nowhere"):
        service.ask("What is it?", collection="nowhere").wait()


def upload(service: Service, *files: tuple[str, str | bytes]) -> Any:
    contents = [(name, data.encode() if isinstance(data, str) else data) for name, data in files]
    job = service.upload(contents, "uploads")
    assert job.wait(60)
    assert job.error is None
    return job.result


def uploaded(service: Service) -> set[str]:
    folder = service.settings.data_dir / "uploads" / "uploads"
    return {path.name for path in folder.iterdir()}


def test_uploads_are_kept_only_when_they_are_read(service: Service) -> None:
    report = upload(service, ("heron.md", "The heron of Lindholm eats four frogs a day."), ("bad.pdf", b"%PDF-1.7 no"))
    assert report.added == 1
    assert [Path(failure.path).name for failure in report.failed] == ["bad.pdf"]
    assert uploaded(service) == {"heron.md"}

    report = upload(service, ("heron.md", b"\x00\x01\x02" * 500))
    assert len(report.failed) == 1
    kept = service.settings.data_dir / "uploads" / "uploads" / "heron.md"
    assert kept.read_text(encoding="utf-8") == "The heron of Lindholm eats four frogs a day."

    assert upload(service, ("heron.md", "The heron of Lindholm eats five frogs a day.")).updated == 1
    assert "five" in service.search("How many frogs does the heron eat?", 1, "uploads").passages[0].text

    assert upload(service, ("copy.md", "The heron of Lindholm eats five frogs a day.")).unchanged == 1
    assert uploaded(service) == {"heron.md"}


@pytest.mark.parametrize("name", ["../../escape.md", "..\\..\\escape.md", "/tmp/escape.md", ".escape.md"])
def test_an_upload_stays_in_its_folder(service: Service, name: str) -> None:
    upload(service, (name, f"A file that was called {name} before."))
    assert "escape.md" in uploaded(service)
    service.remove(["escape.md"], "uploads")
    assert "escape.md" not in uploaded(service)


def test_what_is_removed_is_gone(service: Service) -> None:
    upload(service, ("secret.md", "The secret of the marmot is a blue umbrella."))
    answer = service.ask("What is the secret of the marmot?", collection="uploads").wait()
    citation = answer.citations[0]
    conversation = service.history.create("marmots")
    service.history.append_answer(conversation, answer)
    assert service.history.messages(conversation, service.quote)[0].content.startswith("The secret of the marmot")

    assert service.remove(["secret.md"], "uploads") == ["secret.md"]
    assert service.quote(citation.document_id, citation.sha256, citation.start, citation.end) is None
    assert service.source(citation.document_id, citation.sha256) is None
    assert service.ask("What is the secret of the marmot?", collection="uploads").wait().refused
    assert "umbrella" not in service.history.messages(conversation, service.quote)[0].content
    for path in service.settings.data_dir.rglob("*"):
        if path.is_file() and "keywords" not in path.parts:
            assert b"umbrella" not in path.read_bytes(), path
    with pytest.raises(DocumentMissing):
        service.remove(["secret.md"], "uploads")


def test_the_users_own_files_are_never_deleted(service: Service, tmp_path: Path) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text("My own words about badgers.", encoding="utf-8")
    service.ingest([mine], "uploads")
    service.remove(["mine.md"], "uploads")
    assert mine.exists()


def test_a_job_that_is_cancelled_leaves_what_was_there(service: Service, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.md").write_text(f"Note {number} about otters.", encoding="utf-8")
    job = service.start_ingest([tmp_path], "otters")
    job.cancel()
    assert job.wait(60)
    assert job.state == "cancelled"
    if "otters" in service.collections():
        assert len(service.documents("otters")) < 30


def test_one_owner(service: Service, settings: Settings) -> None:
    with pytest.raises(DataFolderBusy):
        Service.open(settings)


def test_warm_up_returns_at_once_and_ends(service: Service) -> None:
    service.warm_up()
    service.warm_up()
    service._warm_up.wait(100)
    assert service.warm


def test_two_engines_answer_from_the_passages_of_one_search(
    service: Service, engines: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engines["hf"] = Engine("hf", speaking("Nineteen nautical miles. [1]"))
    engines["ollama"] = Engine("ollama", speaking("From far away. [1]"))
    searches: list[str] = []
    retriever = service.knowledge.retriever()
    find = type(retriever).invoke

    def counted(self: Any, query: str, *args: Any, **kwargs: Any) -> Any:
        searches.append(query)
        return find(self, query, *args, **kwargs)

    monkeypatch.setattr(type(retriever), "invoke", counted)
    history = [Message("user", "Who built the lighthouse of Skarvoy?"), Message("assistant", "Ingrid Halvorsen. [1]")]
    both = service.answering.ask_both("And how far is its lamp seen?", ("hf", "ollama"), history=history)
    one, other = (response.wait() for response in both)
    assert (one.engine, one.answer, other.engine, other.answer) == (
        "hf", "Nineteen nautical miles. [1]", "ollama", "From far away. [1]",
    )  # fmt: skip
    assert both[0].passages == both[1].passages != ()
    assert searches == [one.query] and one.query == other.query != "And how far is its lamp seen?"


def test_nobody_stands_in_for_one_of_two(service: Service, engines: dict[str, Any]) -> None:
    engines["hf"] = Engine("hf", speaking("Thirty hours. [1]"))
    engines["ollama"] = Engine("ollama", Broken(messages=iter([])))
    engines["vllm"] = Engine("vllm", speaking("no"), ready=False)
    question = "How long does the rye bread rest?"
    broken, whole = service.answering.ask_both(question, ("ollama", "hf"))
    assert whole.wait().engine == "hf"
    with pytest.raises(EngineUnavailable, match="went away"):
        broken.wait()
    with pytest.raises(EngineUnavailable, match="vllm cannot answer: as the test says"):
        service.answering.ask_both(question, ("vllm", "hf"))[0].wait()
    with pytest.raises(ConfigError, match="no engine"):
        service.answering.ask_both(question, ("gpt", "hf"))
    with service.answering.loaded(("vllm", "hf")) as errors:
        assert [type(error) for error in errors] == [EngineUnavailable, type(None)]
        assert service.switch.readers("hf") == 1
    assert service.switch.readers("hf") == 0
