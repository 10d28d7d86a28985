"""Nothing leaves this machine unasked, and with OFFLINE nothing at all: seen at the sockets of the whole product."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from app import offline
from app.config import ROOT, load_settings
from app.engines.ollama import OllamaEngine
from app.engines.vllm_openai import VllmOpenAIEngine
from app.errors import EngineError, Offline
from app.offline import guard
from app.service import Service
from tests.engines import tiny_model
from tests.engines.servers import Server as FakeServer
from tests.engines.servers import json_reply, text_reply
from tests.plugins.sockets import Record
from tests.product import Server, command, environment, server, write_documents

ELSEWHERE = "192.0.2.1"  # reserved for texts: nobody has this address
QUESTION = "Who built the lighthouse of Skarvoy?"
# What would let libraries talk, if it were left to the environment.
TALKATIVE = {
    "HF_HUB_OFFLINE": "0",
    "TRANSFORMERS_OFFLINE": "0",
    "HF_HUB_DISABLE_TELEMETRY": "0",
    "ANONYMIZED_TELEMETRY": "True",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "true",
}
OFFLINE = {
    "OFFLINE": "1",
    "HTTP_PROXY": "http://192.0.2.2:3128",
    "HTTPS_PROXY": "http://192.0.2.2:3128",
    "LANGSMITH_TRACING": "true",
    "LANGSMITH_API_KEY": "none",
}
# Commands, the same from Python, and then what a library or a program of the user's own may try. All in one process:
# what takes time is loading the libraries.
PROGRAM = f"""
import contextlib, httpx, huggingface_hub.constants, io, json, runpy, socket, subprocess, sys

def command(*words):
    sys.argv = ["app", *words, "--json"]
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
        runpy.run_module("app", run_name="__main__", alter_sys=True)
    return json.loads(printed.getvalue())

said = {{"hub before": huggingface_hub.constants.is_offline_mode()}}
said["ingest"] = command("ingest", sys.argv[1])
said["quoted"] = command("ask", {QUESTION!r})
said["written"] = command("ask", {QUESTION!r}, "--engine", "hf")

from app.llm_utils import get_response

said["python"] = "".join(get_response({QUESTION!r}))
said["hub"] = huggingface_hub.constants.is_offline_mode()

def tried(name, reach):
    try:
        reach()
        said[name] = "reached"
    except Exception as error:
        said[name] = f"{{type(error).__name__}}: {{error}}"

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
tried("address", lambda: socket.create_connection(({ELSEWHERE!r}, 9), 0.1))
tried("name", lambda: socket.socket().connect(("connected.invalid", 9)))
tried("datagram", lambda: udp.sendto(b"?", ({ELSEWHERE!r}, 9)))
tried("look-up", lambda: socket.getaddrinfo("looked-up.invalid", 9))
tried("old look-up", lambda: socket.gethostbyname("asked.invalid"))
tried("library", lambda: httpx.get("http://fetched.invalid/"))
child = "import socket; socket.create_connection(('below.invalid', 9))"
said["child"] = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, cwd="/").stderr
print(json.dumps(said))
"""


ATTEMPTED = re.compile(rf"(\.invalid|{re.escape(ELSEWHERE)})$")
"""What the program tries at its end."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny", says="灯塔的光。")


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents(tmp_path_factory.mktemp("documents"))


@pytest.fixture(scope="module")
def servers(
    documents: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[tuple[Any, Any, Record]]]]:
    """They take their time in the background, while the commands are tried."""

    def run(name: str, mode: dict[str, str]) -> tuple[Any, Any, Record]:
        return used_server(tmp_path_factory.mktemp(name), documents, tiny, mode)

    with ThreadPoolExecutor(1) as pool:
        yield {"offline": pool.submit(run, "offline", OFFLINE), "usual": pool.submit(run, "usual", {})}


def used_server(folder: Path, documents: Path, tiny: Path, mode: dict[str, str]) -> tuple[Any, Any, Record]:
    """What a server answered as ``extractive`` and as ``hf`` after it had read the documents and shown the page."""
    record, data = Record(folder), folder / "state"
    given = {**TALKATIVE, **mode, **record.environment, "HF_MODEL_PATH": str(tiny), "LLM_ENGINE": "extractive"}
    with server(data, **given) as running:
        assert command(data, "ingest", str(documents), **given).code == 0
        open_page(running)
        knock_from_elsewhere(running)
        quoted = command(data, "ask", QUESTION, "--json", **given)
        written = command(data, "ask", QUESTION, "--engine", "hf", "--json", **given)
    return quoted.json, written.json, record


@dataclass(frozen=True)
class Program:
    """What the program printed, what it reached for, and the data folder that it filled."""

    said: Any
    record: Record
    data: Path


@pytest.fixture(scope="module")
def program(servers: object, documents: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """OFFLINE is a line of its settings file."""
    folder = tmp_path_factory.mktemp("program")
    record, file = Record(folder), folder / "config.yaml"
    file.write_text(f"offline: true\nLLM_ENGINE: extractive\nHF_MODEL_PATH: {tiny}\n", encoding="utf-8")
    talkative = {name: value for name, value in {**TALKATIVE, **OFFLINE}.items() if name != "OFFLINE"}
    given = environment(folder / "state", **talkative, **record.environment, CONFIG_FILE=str(file))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(documents)], cwd=ROOT, env=given, capture_output=True, text=True,
        timeout=200, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Program(json.loads(done.stdout), record, folder / "state")


def test_commands_and_python_give_their_answers_and_reach_for_nothing(program: Program) -> None:
    said = program.said

    assert (said["ingest"]["added"], said["ingest"]["failed"]) == (3, [])
    assert "Ingrid Halvorsen" in said["quoted"]["answer"]
    assert (said["written"]["engine"], said["written"]["answer"]) == ("hf", "灯塔的光。")
    assert "Ingrid Halvorsen" in said["python"]
    assert (said["hub before"], said["hub"]) == (False, True)
    assert [line for line in program.record.foreign() if not ATTEMPTED.search(line)] == []


@pytest.mark.parametrize(
    ("attempt", "host"),
    [
        ("address", ELSEWHERE),
        ("name", "connected.invalid"),
        ("datagram", ELSEWHERE),
        ("look-up", "looked-up.invalid"),
        ("old look-up", "asked.invalid"),
        ("library", "fetched.invalid"),
        ("child", "below.invalid"),
    ],
)
def test_the_guard_refuses_what_libraries_try_and_the_record_shows_it(
    program: Program, attempt: str, host: str
) -> None:
    assert f"OFFLINE is set, and {host} is another machine." in program.said[attempt]
    assert any(line.endswith(f" {host}") for line in program.record.foreign())


def test_engines_on_other_machines_are_not_ready_and_not_asked(program: Program, tmp_path: Path) -> None:
    record = Record(tmp_path)
    elsewhere = {"VLLM_BASE_URL": f"http://{ELSEWHERE}:8000/v1", "OLLAMA_BASE_URL": "http://ollama.invalid:11434"}

    listed = command(program.data, "engines", "--json", **{**OFFLINE, **record.environment, **elsewhere})

    states = {state["name"]: state for state in listed.json["engines"]}
    assert states["vllm_openai"]["detail"] == f"OFFLINE is set, and {ELSEWHERE} is another machine."
    assert states["ollama"]["detail"] == "OFFLINE is set, and ollama.invalid is another machine."
    assert "OLLAMA_BASE_URL" in states["ollama"]["hint"]
    assert record.foreign() == []


def test_a_model_that_is_not_on_this_disk_is_one_line(program: Program, tmp_path: Path) -> None:
    record = Record(tmp_path)

    asked = command(
        program.data, "ask", QUESTION, EMBEDDING_MODEL="org/not-here", **TALKATIVE, **OFFLINE, **record.environment
    )

    assert (asked.code, asked.out) == (1, "")
    assert len(asked.err.splitlines()) == 1
    assert record.foreign() == []


def open_page(running: Server) -> None:
    """The page as a browser loads it: the frame, then its content through a web socket."""
    address = running.url.replace("http", "ws") + "/_stcore/stream"
    with connect(address, origin=Origin(running.url), subprotocols=["streamlit"], proxy=None) as page:  # type: ignore[list-item]
        wanted = BackMsg()
        wanted.rerun_script.query_string = ""
        page.send(wanted.SerializeToString())
        text = ""
        while True:
            message = ForwardMsg.FromString(bytes(page.recv(60)))  # type: ignore[arg-type]
            text += str(message)
            if message.WhichOneof("type") == "script_finished":
                break
    assert "Hotswap" in text


def knock_from_elsewhere(running: Server) -> None:
    """A page of another host wants to talk to ours."""
    address = running.url.replace("http", "ws") + "/_stcore/stream"
    with pytest.raises(InvalidStatus), connect(address, origin=Origin("http://elsewhere.invalid"), proxy=None):
        pass


def test_the_record_shows_what_nobody_refuses(tmp_path: Path) -> None:
    """Else an empty one would mean nothing. A datagram's socket only notes the address: nothing is sent."""
    record = Record(tmp_path)
    code = f"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('{ELSEWHERE}', 9))"

    subprocess.run([sys.executable, "-c", code], env=environment(tmp_path, **record.environment), check=False)

    assert [line.rpartition(": ")[2] for line in record.foreign()] == [f"socket.connect {ELSEWHERE}"]


def test_a_proxy_on_this_machine_is_not_used(tmp_path: Path) -> None:
    code = (
        "from app import offline\nfrom app.config import get_settings\noffline.prepare(get_settings())\n"
        "import urllib.request\nurllib.request.urlopen('http://fetched.invalid/')"
    )
    with FakeServer({"GET http://fetched.invalid/": text_reply(200, "hello")}) as proxy:
        given = environment(tmp_path, OFFLINE="1", http_proxy=proxy.url, ALL_PROXY=proxy.url)
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=given, capture_output=True, text=True)

    assert "OFFLINE is set, and fetched.invalid is another machine." in done.stderr
    assert proxy.requests == []


@pytest.mark.parametrize("mode", ["offline", "usual"])
def test_the_server_reaches_for_nothing(servers: dict[str, Future[tuple[Any, Any, Record]]], mode: str) -> None:
    quoted, written, record = servers[mode].result()

    assert "Ingrid Halvorsen" in quoted["answer"]
    assert (written["engine"], written["answer"]) == ("hf", "灯塔的光。")
    assert record.reached()
    assert record.foreign() == []


@pytest.mark.parametrize(
    "host",
    ["", None, "localhost", b"localhost", "127.0.0.1", "127.8.9.10", "::1", "::1%lo", "::ffff:127.0.0.1", "0.0.0.0"],
)
def test_this_machine(host: object) -> None:
    assert guard.is_here(host)


@pytest.mark.parametrize(
    "host",
    ["192.168.1.7", "::ffff:10.0.0.1", "fe80::1%eth0", "huggingface.co", b"huggingface.co", "localhost.example.com",
     "my.localhost", "127.1", "2130706433", "<broadcast>"],
)  # fmt: skip
def test_other_machines_and_whatever_is_not_plainly_this_one(host: object) -> None:
    assert not guard.is_here(host)


def test_an_engine_elsewhere_gives_no_chat_model() -> None:
    vllm = load_settings(offline=True, vllm_base_url=f"http://{ELSEWHERE}/v1", vllm_model="named")
    ollama = load_settings(offline=True, ollama_base_url=f"http://{ELSEWHERE}", model="named")

    for engine in (VllmOpenAIEngine(vllm), OllamaEngine(ollama)):
        with pytest.raises(EngineError, match=f"OFFLINE is set, and {ELSEWHERE} is another machine"):
            engine.chat_model()


def test_a_model_that_ollama_runs_in_a_cloud_is_not_ready() -> None:
    tags = {"models": [{"name": "big:cloud", "capabilities": ["completion"], "remote_host": "https://ollama.com"}]}
    with FakeServer({"GET /api/tags": json_reply(200, tags)}) as ollama:
        engine = OllamaEngine(load_settings(offline=True, ollama_base_url=ollama.url, model="big:cloud"))

        assert engine.check().detail == "OFFLINE is set, and big:cloud runs in a cloud."
        with pytest.raises(EngineError, match="runs in a cloud"):
            engine.chat_model()


def test_libraries_get_the_endpoint_of_the_settings_and_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(hf_endpoint="https://hf-mirror.com")
    given: dict[str, str] = {"DO_NOT_TRACK": "0"}
    monkeypatch.setattr(os, "environ", given)

    offline.prepare(settings)

    assert (given["HF_ENDPOINT"], given["DO_NOT_TRACK"]) == ("https://hf-mirror.com", "1")
    assert not {"HF_HUB_OFFLINE", "NO_PROXY", "PYTHONPATH"} & given.keys()


def test_ollama_is_not_asked_to_fetch(tmp_path: Path) -> None:
    service = Service.__new__(Service)
    service.settings = load_settings(offline=True, data_dir=tmp_path)

    with pytest.raises(Offline, match="another machine"):
        service.pull("qwen3:8b")
