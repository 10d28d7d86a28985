"""The command line as other programs use it: in processes of its own, alone and beside a server."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.cli import main
from app.config import get_settings
from tests.product import DOCUMENTS, Ended, Server, command, environment, free_port, server, write_documents

Here = Callable[..., Ended]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents(tmp_path_factory.mktemp("documents"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    data = tmp_path_factory.mktemp("product") / "state"
    done = command(data, "ingest", str(folder), "--json")
    assert done.code == 0, done.err
    assert done.json == {
        "added": 3, "updated": 0, "unchanged": 0, "removed": 0, "chunks": done.json["chunks"], "failed": [],
        "seconds": done.json["seconds"],
    }  # fmt: skip
    assert done.json["chunks"] >= 3
    return data


@pytest.fixture(scope="module")
def beside(data: Path) -> Iterator[Server]:
    with server(data, "--no-page") as running:
        yield running


@pytest.fixture
def here(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Here]:
    """Runs a command in this process, which is quicker where nothing heavy is reached."""
    for name, value in environment(data).items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()

    def run(*args: str) -> Ended:
        code = main(args)
        return Ended(code, *capsys.readouterr())

    yield run
    get_settings.cache_clear()


def one_line(err: str) -> str:
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("hotswap: ")
    return lines[0]


ANSWERS = [
    ("Who built the lighthouse of Skarvoy?", "en/lighthouse.md", "Ingrid Halvorsen"),
    ("How long does the rye bread rest?", "en/bakery.txt", "thirty hours"),
    ("青屿灯塔是谁修建的？", "zh/灯塔.md", "林海生"),
]


def check_answer(answer: dict[str, object], doc: str, words: str) -> None:
    keys = {"answer", "engine", "model", "complete", "refused", "query", "citations", "timings", "routes", "usage"}
    assert answer.keys() == keys
    assert answer["routes"] == []
    assert words in str(answer["answer"])
    assert answer["engine"] == "extractive"
    assert answer["complete"] is True
    assert answer["refused"] is False
    assert isinstance(answer["citations"], list)
    first = answer["citations"][0]
    assert set(first) == {"n", "doc", "page", "start", "end", "text", "supported"}
    assert first["doc"] == doc
    assert first["supported"] is True
    assert DOCUMENTS[doc][first["start"] : first["end"]] == first["text"]
    assert words in first["text"]


def test_ask_alone(data: Path) -> None:
    done = command(data, "ask", ANSWERS[0][0], "--json")
    assert done.code == 0, done.err
    check_answer(done.json, *ANSWERS[0][1:])
    timings = done.json["timings"]
    assert 0 < timings["retrieval_ms"] < timings["ttft_ms"] <= timings["total_ms"]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("ask", ""), 1, "empty"),
        (("ask", "long " * 20_000), 1, "long"),
        (("search", "   "), 1, "empty"),
        (("search",), 2, "--questions"),
        (("search", "a", "-k", "0"), 2, "-k"),
        (("search", "--questions", "nowhere.jsonl"), 1, "nowhere.jsonl"),
        (("ask", "what is it", "--engine", "olama"), 1, "ollama"),
        (("ask", "what is it", "--collection", "nowhere"), 1, "default"),
        (("ask", "what is it", "--collection", "a", "--no-documents"), 2, "exclude"),
        (("ask", "what is it", "--no-documents"), 1, "documents"),
        (("ingest", "nowhere"), 1, "nowhere"),
        (("ingest", ".", "--collection", "../up"), 1, "../up"),
        (("documents", "remove", "nowhere.txt"), 1, "nowhere.txt"),
        (("documents", "remove"), 2, "names"),
        (("serve", "--host", "0.0.0.0"), 2, "127.0.0.1"),
        (("serve", "--port", "99999"), 2, "99999"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(here: Here, args: tuple[str, ...], code: int, words: str) -> None:
    done = here(*args)
    assert done.code == code
    assert words in one_line(done.err)
    assert done.out == ""


def test_a_line_that_is_no_question_is_named(here: Here, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "a"}\n{"quest": 1}\n', encoding="utf-8")
    done = here("search", "--questions", str(questions))
    assert done.code == 1
    assert "line 2" in one_line(done.err)


def test_nothing_was_lost_by_all_that(here: Here) -> None:
    listed = here("documents", "--json").json
    assert sorted(document["doc"] for document in listed["documents"]) == sorted(DOCUMENTS)


def test_a_wrong_setting_is_one_line_and_never_breaks_help(data: Path) -> None:
    done = command(data, "engines", LLM_ENGINE="olama")
    assert done.code == 1
    assert "ollama" in one_line(done.err)
    assert command(data, "--help", LLM_ENGINE="olama").code == 0


@pytest.mark.parametrize(("question", "doc", "words"), ANSWERS)
def test_ask_through_the_server(data: Path, beside: Server, question: str, doc: str, words: str) -> None:
    done = command(data, "ask", question, "--json")
    assert done.code == 0, done.err
    check_answer(done.json, doc, words)


@pytest.mark.parametrize(("question", "words"), [("Who won the 2018 World Cup?", "not"), ("怎么做红烧肉？", "没有")])
def test_a_question_about_nothing_is_refused_in_its_language(
    data: Path, beside: Server, question: str, words: str
) -> None:
    done = command(data, "ask", question, "--json")
    assert done.code == 0
    assert done.json["refused"] is True
    assert done.json["engine"] == ""
    assert done.json["citations"] == []
    assert words in done.json["answer"]


def test_an_answer_for_people(data: Path, beside: Server) -> None:
    done = command(data, "ask", "Who built the lighthouse of Skarvoy?")
    assert done.code == 0
    assert "Ingrid Halvorsen. [1]" in done.out
    assert "[1] en/lighthouse.md" in done.out
    assert "(extractive)" in done.err


def test_search_gives_a_line_for_each_question(data: Path, beside: Server, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    rows = [{"id": f"q{number}", "question": question} for number, (question, _, _) in enumerate(ANSWERS)]
    questions.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
    done = command(data, "search", "--questions", str(questions), "-k", "2", "--json")
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["id"] for line in lines] == ["q0", "q1", "q2"]
    for line, (question, doc, _) in zip(lines, ANSWERS, strict=True):
        assert line["question"] == question
        assert len(line["passages"]) == 2
        best = line["passages"][0]
        assert set(best) == {"doc", "start", "end", "page", "heading", "text", "score"}
        assert best["doc"] == doc
        assert DOCUMENTS[doc][best["start"] : best["end"]] == best["text"]


def test_files_that_cannot_be_read_are_named_and_the_rest_goes_in(data: Path, beside: Server, tmp_path: Path) -> None:
    folder = write_documents(tmp_path / "documents")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)
    other = ("--collection", "other", "--json")
    done = command(data, "ingest", str(folder), *other)
    assert done.code == 1
    assert done.json["added"] == 3
    assert {Path(failure["path"]).name for failure in done.json["failed"]} == {"empty.txt", "picture.txt"}
    assert all(failure["error"] and failure["hint"] for failure in done.json["failed"])

    (folder / "en" / "bakery.txt").unlink()
    (folder / "en" / "lighthouse.md").write_text("The lighthouse has been a hotel since 2020.", encoding="utf-8")
    again = command(data, "ingest", str(folder), *other).json
    assert (again["added"], again["updated"], again["unchanged"], again["removed"]) == (0, 1, 1, 1)
    removed = command(data, "documents", "remove", "zh/灯塔.md", *other)
    assert removed.json == {"removed": ["zh/灯塔.md"]}
    assert command(data, "ask", "青屿灯塔是谁修建的？", *other).json["refused"] is True


def test_ingest_and_remove_through_the_server(data: Path, beside: Server, tmp_path: Path) -> None:
    (tmp_path / "new.md").write_text("The heron of Lindholm eats four frogs a day.", encoding="utf-8")
    assert command(data, "ingest", str(tmp_path / "new.md"), "--json").json["added"] == 1
    answer = command(data, "ask", "How many frogs does the heron of Lindholm eat?", "--json").json
    assert answer["citations"][0]["doc"] == "new.md"
    assert command(data, "documents", "remove", "new.md", "--json").json == {"removed": ["new.md"]}
    listed = command(data, "documents", "list", "--json").json
    assert sorted(document["doc"] for document in listed["documents"]) == sorted(DOCUMENTS)


def test_errors_come_through_the_server(data: Path, beside: Server) -> None:
    done = command(data, "ask", "what is it", "--collection", "nowhere")
    assert done.code == 1
    assert "nowhere" in one_line(done.err)


def test_a_second_server_is_refused_by_name(data: Path, beside: Server) -> None:
    done = command(data, "serve", "--headless", "--no-page", "--port", "18999")
    assert done.code == 1
    assert beside.url in one_line(done.err)


@pytest.mark.parametrize(
    "url", ["http://localhost:{port}", "http://[::1]:{port}/v1", "http://10.0.0.1,http://127.0.0.2:{port}/v1"]
)
def test_a_model_server_that_is_hotswap_itself_is_refused(tmp_path: Path, url: str) -> None:
    port = free_port()
    ended = command(tmp_path, "serve", "--headless", f"--port={port}", VLLM_BASE_URL=url.format(port=port))
    assert (ended.code, ended.out) == (1, "")
    assert "which is Hotswap itself" in ended.err and len(ended.err.splitlines()) == 1


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = command(tmp_path / "state", "serve", "--headless", "--no-page", "--port", str(port))
    assert done.code == 1
    assert f"Port {port}" in one_line(done.err)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    with server(tmp_path / "state", "--no-page") as running:
        assert running.stop(how) == 0
        assert "Traceback" not in running.log.read_text()
    assert not (tmp_path / "state" / "server.json").exists()


def test_a_killed_server_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    with server(tmp_path / "state", "--no-page") as running:
        running.stop(signal.SIGKILL)
    assert (tmp_path / "state" / "server.json").exists()
    done = command(tmp_path / "state", "documents", "--json")
    assert done.code == 0, done.err
    with server(tmp_path / "state", "--no-page"):
        pass
