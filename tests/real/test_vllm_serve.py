"""``python -m app vllm-serve`` with a real vLLM and a real, tiny model: one server for all tests of this file."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.config import ROOT, load_settings
from app.config_vllm import known
from app.engines import reaper
from app.engines.vllm_openai import VllmOpenAIEngine
from app.engines.vllm_server_plan import ONLY_ON, WITH_COMMAS, WITHOUT_FLAG
from app.errors import EngineUnavailable
from tests.engines import tiny_model
from tests.plugins.sockets import Record
from tests.product import free_port
from tests.real.conftest import command

KEY = "sk-geheim-123"
QUESTION = "Who built the lighthouse? 谁修建了灯塔？"
SECONDS = 60.0
LONG = 1000  # tokens
PARSER = """
import json
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
actions = make_arg_parser(FlexibleArgumentParser())._actions
print(json.dumps({action.dest: [type(action).__name__, action.nargs] for action in actions}))
"""


@dataclass
class Served:
    """The command, its server's address, and the families of both."""

    process: subprocess.Popen[str]
    url: str
    pid: int
    record: Record

    def engine(self, key: str = KEY, **params: Any) -> VllmOpenAIEngine:
        given = {"max_tokens": 24, "timeout": 120, **params}
        return VllmOpenAIEngine(load_settings(vllm_base_url=self.url, vllm_api_key=key, llm={"params": given}))

    def written(self) -> float:
        """How many tokens the server has written, by its own statistics, once it writes no more."""
        before = -1.0
        while True:
            with urllib.request.urlopen(self.url.removesuffix("/v1") + "/metrics", timeout=60) as reply:
                found = re.findall(r"^vllm:generation_tokens_total\S* (\S+)$", reply.read().decode(), re.MULTILINE)
            now = sum(map(float, found))
            if found and now == before:
                return now
            before = now
            time.sleep(1)

    def next_line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the command ended"
        data: dict[str, Any] = json.loads(line)
        return data


@contextmanager
def serving(model: Path, folder: Path) -> Iterator[Served]:
    record = Record(folder)
    environment = {
        **os.environ,
        "VLLM_MODEL_PATH": str(model),
        "VLLM_CONFIG": json.dumps({"dtype": "bfloat16", "enforce_eager": True}),
        "VLLM_MAX_MODEL_LEN": str(tiny_model.CONTEXT),
        "VLLM_API_KEY": KEY,
        "DATA_DIR": str(folder / "state"),
        "OFFLINE": "1",
        **record.environment,
    }
    command = [sys.executable, "-m", "app", "vllm-serve", "--json", f"--port={free_port()}"]
    with (folder / "stderr").open("w") as err:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=err, text=True, encoding="utf-8"
        )
    served = Served(process, "", 0, record)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "stderr").read_text()
        data = json.loads(line)
        assert data["model"] == model.name
        served.url, served.pid = data["url"], data["pid"]
        yield served
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate()


@pytest.fixture(scope="module")
def served(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tiny, tmp_path_factory.mktemp("served")) as running:
        yield running


def text_of(served: Served, question: str = QUESTION) -> str:
    return str(served.engine().chat_model().invoke(question).content)


def test_vllm_has_the_flags_that_arguments_are_turned_into() -> None:
    done = subprocess.run([sys.executable, "-c", PARSER], capture_output=True, text=True, check=True, cwd=ROOT)
    actions: dict[str, list[Any]] = json.loads(done.stdout.splitlines()[-1])
    arguments = known()["arguments"]

    assert arguments.keys() - actions.keys() == WITHOUT_FLAG
    kinds = {name: [] if "values" in argument else argument["kinds"] for name, argument in arguments.items()}
    taken = kinds.keys() - WITHOUT_FLAG
    assert {name for name in taken if actions[name][0] == "_StoreTrueAction"} == ONLY_ON
    assert {name for name in taken if actions[name][0] == "BooleanOptionalAction"} == {
        name for name in taken if kinds[name] == ["bool"]
    } - ONLY_ON
    assert {name for name in taken if "list" in kinds[name] and actions[name][1] != "+"} == WITH_COMMAS


def test_the_engine_finds_the_model_and_its_context(served: Served, tiny: Path) -> None:
    engine = served.engine()

    status = engine.check()

    assert (status.ready, status.model) == (True, tiny.name)
    assert engine.context_window() == tiny_model.CONTEXT


def test_the_engine_answers_and_streams_the_same(served: Served) -> None:
    chat = served.engine().chat_model()
    whole = chat.invoke(QUESTION)
    chunks = list(chat.stream(QUESTION))

    assert whole.content
    assert "".join(str(chunk.content) for chunk in chunks) == whole.content
    assert whole.response_metadata["finish_reason"] == "length"


def test_a_wrong_key_or_none_is_refused(served: Served) -> None:
    for key in ("sk-falsch", ""):
        engine = served.engine(key)
        assert not engine.check().ready
        with pytest.raises(EngineUnavailable, match="refuses us"):
            engine.chat_model().invoke(QUESTION)


def test_the_key_is_in_no_command_line_and_in_no_log(served: Served, tmp_path_factory: pytest.TempPathFactory) -> None:
    command_lines = subprocess.run(["ps", "-axww", "-o", "args"], capture_output=True, text=True, check=True).stdout

    assert "vllm.entrypoints.openai.api_server" in command_lines
    assert KEY not in command_lines
    folder = next(path for path in tmp_path_factory.getbasetemp().glob("served*") if (path / "stderr").exists())
    logs = [folder / "stderr", *(folder / "state" / "logs").iterdir()]
    assert len(logs) == 2
    assert not [log for log in logs if KEY in log.read_text(encoding="utf-8", errors="replace")]


def test_no_process_of_it_reaches_for_another_machine(served: Served) -> None:
    assert text_of(served)
    family = reaper.family(served.pid, reaper.started(served.pid)) | {served.process.pid}

    assert len(family & served.record.processes()) >= 3  # the command, the server, its engine
    assert served.record.foreign() == []
    assert b"--allowed-media-domains" in command(served.pid)  # pictures are fetched past Python's sockets


def test_many_readers_each_get_their_own_answer(served: Served) -> None:
    questions = [f"{number} {QUESTION}" for number in range(12)]
    alone = [text_of(served, question) for question in questions[:3]]

    with ThreadPoolExecutor(len(questions)) as pool:
        answers = list(pool.map(lambda question: text_of(served, question), questions))

    assert all(answers)
    assert answers[:3] == alone


def test_closing_an_answer_ends_the_servers_work(served: Served) -> None:
    """Where this test is given too little of a busy machine, the server is at its end before we close: tried again."""
    chat = served.engine(max_tokens=LONG).chat_model()
    before = served.written()
    for _ in range(5):
        stream = chat.stream(QUESTION)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        closed = served.written() - before
        before += closed
        if closed < LONG:
            break

    assert closed < LONG, "the server writes on for nobody"
    assert chat.invoke(QUESTION).response_metadata["finish_reason"] == "length"
    assert served.written() - before == LONG


@pytest.mark.soak
def test_a_server_whose_engine_is_killed_is_started_again(tiny: Path, tmp_path: Path) -> None:
    with serving(tiny, tmp_path) as running:
        began = reaper.started(running.pid)
        engines = reaper.family(running.pid, began) - {running.pid}
        assert engines
        for process in engines:
            os.kill(process, signal.SIGKILL)

        again = running.next_line()

        assert again["pid"] != running.pid
        assert text_of(running)
        told = (tmp_path / "stderr").read_text()
        assert "most likely the system killed it. It is started again in 1 s (1 of 3 times)." in told


def test_sigterm_ends_the_command_and_everything_that_it_started(served: Served) -> None:
    """The last test of the file: it ends the server of the others."""
    began = reaper.started(served.pid)
    family = reaper.family(served.pid, began)
    assert len(family) > 1

    begun = time.monotonic()
    served.process.terminate()
    assert served.process.wait(SECONDS) == 0

    assert time.monotonic() - begun < 30
    assert not family & reaper.running().keys()
