"""What an assistant gets by itself, over HTTP from a running server, and over stdio beside that server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import load_settings
from app.mcp_server.uris import uri_of
from app.service import Service
from tests.engines.routing.fault_server import FaultServer
from tests.mcp_server.assistant import Assistant, assistant, over_stdio
from tests.product import DOCUMENTS, server, write_documents

LIGHTHOUSE = "Who built the lighthouse of Skarvoy?"
TOWER = "谁主持修建了青屿灯塔？"
ODD = "a b/100% 答案?#&.txt"
"""A name that an address must encode."""
SECRET = "the combination of the safe is 4711"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two collections."""
    folder = tmp_path_factory.mktemp("library")
    odd = folder / "odd" / ODD
    odd.parent.mkdir(parents=True)
    odd.write_text("The heron stands in the reeds.\n" * 40, encoding="utf-8")
    (folder / "secret.txt").write_text(SECRET, encoding="utf-8")
    running = Service.open(load_settings(data_dir=folder / "state", ollama_base_url="http://127.0.0.1:9"))
    try:
        running.ingest([write_documents(folder / "documents")])
        running.ingest([folder / "odd"], "论文 2024")
    finally:
        running.close()
    return folder / "state"


@pytest.fixture(scope="module")
def slow() -> Iterator[FaultServer]:
    """A model server that never comes to its end."""
    with FaultServer(length=20_000) as there:
        there.gap = 0.02
        yield there


@pytest.fixture(scope="module")
def running(library: Path, slow: FaultServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The data folder and the address of a server."""
    data = tmp_path_factory.mktemp("running") / "state"
    shutil.copytree(library, data)
    with server(data, "--no-page", LLM_ENGINE="extractive", VLLM_BASE_URL=slow.url) as found:
        yield data, found.url


@pytest.fixture(scope="module", params=["alone", "http"])
def there(
    request: pytest.FixtureRequest, library: Path, slow: FaultServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Assistant]:
    if request.param == "alone":
        data = tmp_path_factory.mktemp("alone") / "state"
        shutil.copytree(library, data)
        way = over_stdio(data, LLM_ENGINE="extractive", VLLM_BASE_URL=slow.url)
        with assistant(way, "legacy") as found:
            yield found
    else:
        with assistant(f"{request.getfixturevalue('running')[1]}/mcp") as found:
            yield found


def test_over_stdio_it_goes_through_the_server_that_runs(running: tuple[Path, str]) -> None:
    with assistant(over_stdio(running[0])) as beside:
        passages = beside.data("search", question=LIGHTHOUSE)["passages"]
        assert "Ingrid Halvorsen" in passages[0]["text"]
        assert beside.data("ask", question=TOWER)["citations"][0]["doc"] == "zh/灯塔.md"
        assert "There is no collection 'none'" in beside.problem("search", question="x", collection="none")


def test_the_tools_say_what_they_are_for(there: Assistant) -> None:
    tools = {tool.name: tool for tool in there.do("list_tools").tools}

    assert list(tools) == ["search", "ask", "list_documents", "read_document"]
    for tool in tools.values():
        assert tool.description.count("Use this") == 1
        assert tool.annotations.read_only_hint is True
        assert tool.output_schema["type"] == "object"
    assert tools["search"].input_schema["required"] == ["question"]
    assert tools["search"].input_schema["properties"]["k"]["default"] == 6
    assert set(tools["ask"].input_schema["properties"]) == {"question", "collection", "engine"}


def test_search_finds_passages(there: Assistant) -> None:
    found = there.data("search", question=LIGHTHOUSE, k=2)

    assert found["relevant"] is True and found["relevance"] > 0.5
    assert len(found["passages"]) == 2
    best = found["passages"][0]
    assert (best["doc"], best["heading"]) == ("en/lighthouse.md", "The lighthouse of Skarvoy")
    assert best["text"] == DOCUMENTS["en/lighthouse.md"][best["start"] : best["end"]]
    text = there.text("search", question=LIGHTHOUSE, k=2)
    assert "Ingrid Halvorsen" in text and "[2] " in text and "en/lighthouse.md" in text


def test_search_in_chinese_and_of_nothing(there: Assistant) -> None:
    assert there.data("search", question=TOWER)["passages"][0]["doc"] == "zh/灯塔.md"
    assert there.data("search", question="What does a litre of milk cost in Peru?")["relevant"] is False
    assert there.text("search", question="What does a litre of milk cost in Peru?").startswith("Nothing in this")


def test_ask_answers_with_citations(there: Assistant) -> None:
    answer = there.data("ask", question=TOWER)

    assert set(answer) == {"answer", "engine", "model", "complete", "refused", "citations"}
    assert "林海生" in answer["answer"]
    assert (answer["engine"], answer["complete"], answer["refused"]) == ("extractive", True, False)
    (cited,) = answer["citations"]
    assert (cited["n"], cited["doc"]) == (1, "zh/灯塔.md")
    assert cited["text"] == DOCUMENTS["zh/灯塔.md"][cited["start"] : cited["end"]]
    text = there.text("ask", question=LIGHTHOUSE)
    assert "Sources:\n[1] en/lighthouse.md" in text and text.endswith("(answered by extractive)")


def test_ask_refuses_what_the_documents_do_not_hold(there: Assistant) -> None:
    answer = there.data("ask", question="What does a litre of milk cost in Peru?")

    assert (answer["refused"], answer["engine"], answer["citations"]) == (True, "", [])


def test_documents_are_listed(there: Assistant) -> None:
    listed = there.data("list_documents")
    assert [item["doc"] for item in listed["documents"]] == sorted(DOCUMENTS)
    assert (listed["collection"], listed["total"], listed["next"]) == ("default", 3, None)
    assert listed["collections"] == ["default", "论文 2024"]
    assert [item["doc"] for item in there.data("list_documents", start=2)["documents"]] == ["zh/灯塔.md"]
    other = there.data("list_documents", collection="论文 2024")
    assert [item["doc"] for item in other["documents"]] == [ODD]
    assert "- zh/灯塔.md" in there.text("list_documents")


def test_a_document_is_read_in_parts(there: Assistant) -> None:
    whole = DOCUMENTS["zh/灯塔.md"]
    text, start = "", 0
    while start is not None:
        part = there.data("read_document", doc="zh/灯塔.md", start=start, length=30)
        assert (part["start"], part["length"]) == (len(text), len(whole))
        text, start = text + part["text"], part["next"]
        assert part["end"] == len(text)
    assert text == whole
    assert "it goes on with start=30" in there.text("read_document", doc="zh/灯塔.md", length=30)
    other = there.data("read_document", doc=ODD, collection="论文 2024")
    assert other["text"].startswith("The heron")


def test_what_there_is_not_is_told_in_one_line(there: Assistant, library: Path) -> None:
    assert "Did you mean 'zh/灯塔.md'?" in there.problem("read_document", doc="灯塔.md")
    assert "ends at character" in there.problem("read_document", doc="en/bakery.txt", start=9999)
    unknown = "There is no collection 'nope'. There is default, 论文 2024."
    assert there.problem("search", question="x", collection="nope") == unknown
    assert there.problem("ask", question="x", collection="nope") == unknown
    assert there.problem("list_documents", collection="nope") == unknown
    assert there.problem("read_document", doc="x", collection="nope") == unknown
    assert there.problem("ask", question=LIGHTHOUSE, engine="vlm") == "'vlm' is no engine. Did you mean vllm?"
    assert "The question is empty" in there.problem("ask", question=" ")
    assert "The question is empty" in there.problem("search", question=" ")
    for path in (library.parent / "secret.txt", "../secret.txt", f"file://{library.parent / 'secret.txt'}"):
        assert "There is no document" in there.problem("read_document", doc=str(path))


@pytest.mark.parametrize(
    ("tool", "args", "named"),
    [
        ("search", {"question": "x", "k": 0}, "k: "),
        ("search", {"question": "x", "k": 51}, "k: "),
        ("search", {"question": "x", "k": "many"}, "k: "),
        ("search", {}, "question: "),
        ("search", {"question": ["x"]}, "question: "),
        ("ask", {"question": "x", "temperature": 1}, "temperature: "),
        ("ask", {"question": "x", "engine": 3}, "engine: "),
        ("read_document", {"doc": "x", "start": -1}, "start: "),
        ("read_document", {"doc": "x", "length": 0}, "length: "),
        ("read_document", {"doc": "x", "length": 10**9}, "length: "),
        ("list_documents", {"collection": {}}, "collection: "),
    ],
)
def test_wrong_arguments_are_named(there: Assistant, tool: str, args: dict[str, object], named: str) -> None:
    assert there.problem(tool, **args).startswith(f"Wrong arguments: {named}")


def test_null_and_nothing_mean_left_out(there: Assistant) -> None:
    assert len(there.data("search", question=LIGHTHOUSE, k=None, collection=None)["passages"]) > 1
    assert there.data("ask", question=LIGHTHOUSE, engine="", collection="")["engine"] == "extractive"


def test_an_unknown_tool_is_refused(there: Assistant) -> None:
    assert "search, ask, list_documents, read_document" in str(there.refused("call_tool", "delete", {}))


def test_documents_are_resources(there: Assistant) -> None:
    listed = there.do("list_resources")
    assert listed.next_cursor is None
    assert [(item.name, item.uri) for item in listed.resources] == [
        *((doc, uri_of("default", doc)) for doc in sorted(DOCUMENTS)), (ODD, uri_of("论文 2024", ODD)),
    ]  # fmt: skip
    for item, text in zip(listed.resources, (DOCUMENTS[doc] for doc in sorted(DOCUMENTS)), strict=False):
        (content,) = there.do("read_resource", item.uri).contents
        assert (content.uri, content.text, content.mime_type) == (item.uri, text, "text/plain")
    odd = there.do("read_resource", listed.resources[-1].uri).contents[0]
    assert odd.text.startswith("The heron")
    (template,) = there.do("list_resource_templates").resource_templates
    assert template.uri_template == "hotswap://documents/{collection}/{doc}"


def test_nothing_else_is_a_resource(there: Assistant, library: Path) -> None:
    secret = library.parent / "secret.txt"
    for uri in (
        "hotswap://documents/default/nope.md", "hotswap://documents/nope/x", "hotswap://documents/default",
        f"file://{secret}", uri_of("default", str(secret)), f"hotswap://documents/default/{secret}",
        "hotswap://documents/default/%FF", "hotswap://documents/default/../secret.txt", "",
    ):  # fmt: skip
        error = there.refused("read_resource", uri)
        assert error.code == -32602, uri
        assert "\n" not in error.message and SECRET not in str(error)
    assert "no cursor" in str(there.refused("list_resources", cursor="x"))


def test_who_cancels_stops_the_engine(there: Assistant, slow: FaultServer) -> None:
    before = len(slow.questions())

    told = there.give_up("ask", lambda: len(slow.questions()) > before, question=LIGHTHOUSE, engine="vllm_openai")

    assert any("characters" in (message or "") for message in told)
    assert slow.questions()[before].aborted.wait(5), "the model server still writes"
    assert there.data("search", question=LIGHTHOUSE)["relevant"] is True  # and the connection goes on
