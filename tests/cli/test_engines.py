"""The commands on engines, beside a server and without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import servers, tiny_model
from tests.product import Server, command, server, write_documents

QUESTION = "Who built the lighthouse of Skarvoy?"
PULLING = [
    {"status": "pulling manifest"},
    {"status": "pulling abc", "digest": "sha256:abc", "total": 1000, "completed": 400},
    {"status": "pulling abc", "digest": "sha256:abc", "total": 1000, "completed": 1000},
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("engines") / "state"
    documents = write_documents(tmp_path_factory.mktemp("documents"))
    assert command(data, "ingest", str(documents)).code == 0
    return data


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny", says=tiny_model.SAYS)


@pytest.fixture(scope="module")
def beside(data: Path) -> Iterator[Server]:
    with server(data, "--no-page", LLM_ENGINE="extractive") as running:
        yield running


def test_a_switch_holds_for_everyone_who_asks_the_server(data: Path, beside: Server, model: Path) -> None:
    done = command(data, "switch", "transformers", "--model", str(model), "--json")
    assert done.code == 0, done.err
    assert (done.json["engine"], done.json["model"]) == ("hf", "tiny")
    assert "needs about" in done.err, "what it takes is told before it is loaded"
    assert command(data, "engines", "--json").json["engine"] == "hf"
    assert beside.get("/health")["llm_engine"] == "hf"
    answer = command(data, "ask", QUESTION, "--json").json
    assert (answer["engine"], answer["answer"], answer["complete"]) == ("hf", tiny_model.SAYS, True)

    assert command(data, "switch", "extractive").out.startswith("extractive answers")
    assert command(data, "ask", QUESTION, "--json").json["engine"] == "extractive"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("ollama",), "Ollama is not running"),
        (("olama",), "Did you mean ollama?"),
        (("hf", "--model", "/no/such/folder"), "/no/such/folder"),
        (("extractive", "--model", "qwen3:8b"), "takes no model"),
    ],
)
def test_what_cannot_answer_is_refused_in_one_line_and_changes_nothing(
    data: Path, beside: Server, args: tuple[str, ...], words: str
) -> None:
    done = command(data, "switch", *args, "--json")
    assert (done.code, done.out) == (1, "")
    assert len(done.err.strip().splitlines()) == 1
    assert words in done.err
    assert beside.get("/health")["llm_engine"] == "extractive"


def test_without_a_server_an_engine_is_only_tried(tmp_path: Path) -> None:
    done = command(tmp_path / "state", "switch", "extractive", "--json", LLM_ENGINE="auto")
    assert done.code == 0, done.err
    assert done.json["engine"] == "extractive"
    assert "only tried" in done.err


def test_engines_that_cannot_speculate_say_so_and_none_of_them_answers(tmp_path: Path, model: Path) -> None:
    given = {"INFERENCE_METHOD": "speculative", "HF_MODEL_PATH": str(model)}
    found = command(tmp_path / "state", "engines", "--json", **given).json
    reasons = {engine["name"]: engine["detail"] for engine in found["engines"] if not engine["ready"]}
    assert (found["engine"], found["model"], len(reasons)) == ("", "", 5)
    for name in ("ollama", "extractive", "vllm_openai", "hf"):
        assert "INFERENCE_METHOD is speculative" in reasons[name]

    asked = command(tmp_path / "state", "ask", QUESTION, "--engine", "extractive", "--no-documents", **given)
    assert (asked.code, asked.out) == (1, "") and "without a model there is no speculative" in asked.err
    refused = command(tmp_path / "state", "engines", LLM_ENGINE="ollama", **given)
    assert (refused.code, len(refused.err.splitlines())) == (1, 1) and "LLM_ENGINE is ollama" in refused.err


def pulled(data: Path, *lines: dict[str, object]) -> tuple[int, str, str]:
    reply = servers.chunked("application/x-ndjson", [json.dumps(line) + "\n" for line in (*PULLING, *lines)])
    tags = servers.json_reply(200, {"models": [{"name": "tiny:latest"}]})
    with servers.Server({"POST /api/pull": reply, "GET /api/tags": tags}) as there:
        done = command(data, "pull", "tiny", "--json", OLLAMA_BASE_URL=there.url)
    return done.code, done.out, done.err


def test_a_model_is_pulled_by_ollama(tmp_path: Path) -> None:
    code, out, err = pulled(tmp_path / "state", {"status": "success"})
    assert code == 0, err
    assert json.loads(out) == {"model": "tiny", "ready": True, "detail": json.loads(out)["detail"]}


def test_a_pull_that_fails_in_the_middle_says_why(tmp_path: Path) -> None:
    code, out, err = pulled(tmp_path / "state", {"error": "pull model manifest: file does not exist"})
    assert (code, out) == (1, "")
    *progress, problem = err.strip().splitlines()
    assert problem.startswith("hotswap: ") and not any(line.startswith("hotswap: ") for line in progress)
    assert "tiny" in problem
