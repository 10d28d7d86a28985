"""The command line of ``download_model.py``, run as a user runs it, against a hub of the tests' own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import ROOT
from tests.models import parts
from tests.models.customer import contents, offered
from tests.models.faults import ALWAYS, Fault
from tests.models.hub_server import HubServer, Repo
from tests.product import Ended

W = "model.safetensors"
FILES = offered()
CONFIG = "# mine\nHF_ENDPOINT: {url}\nMODELS_DIR: models  # beside this file\n"


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    repos = {
        "org/model": Repo(FILES),
        "org/gated": Repo(FILES, gated=True, token="hf_member"),
        "org/gguf": Repo({"model.gguf": b"GGUF", "config.json": b"{}"}),
        "org/slow": Repo(offered(5_000_000)),
    }
    with HubServer(repos, tokens={"hf_stranger"}) as server:
        server.add(Fault("*/org/slow/*", slow=5_000_000, times=ALWAYS))
        yield server


@pytest.fixture
def config(hub: HubServer, tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(url=hub.url))
    return path


def begun(config: Path, *args: str, **extra: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ, "CONFIG_FILE": str(config), "DATA_DIR": str(config.parent / "state"), "HF_HUB_OFFLINE": "0",
        "HF_HUB_CACHE": str(config.parent / "hub"), "HOME": str(config.parent), "PYTHONPATH": str(ROOT), **extra,
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, str(ROOT / "download_model.py"), *args], cwd=config.parent, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # in a shell's background it is ignored
    )  # fmt: skip


def run(config: Path, *args: str, **extra: str) -> Ended:
    process = begun(config, *args, **extra)
    out, err = process.communicate(timeout=120)
    return Ended(process.returncode, out, err)


def test_a_model_is_fetched_set_listed_and_removed(hub: HubServer, config: Path) -> None:
    done = run(config, "org/model", "--set")
    folder = config.parent / "models" / "org" / "model"
    assert done.code == 0, done.err
    assert contents(folder) == FILES
    assert done.out == f"org/model is here, whole: {folder}. 600 KB came.\n"
    assert config.read_text() == CONFIG.format(url=hub.url) + "VLLM_MODEL_PATH: org/model\n"
    assert hub.unwanted() == []

    [model] = run(config, "--list", "--json").json["models"]
    assert {key: model[key] for key in ("name", "place", "kind", "complete", "path", "set_as")} == {
        "name": "org/model", "place": "fetched", "kind": "chat", "complete": True, "path": str(folder),
        "set_as": ["VLLM_MODEL_PATH"],
    }  # fmt: skip
    assert [verdict["engine"] for verdict in model["engines"]] == ["vllm", "hf"]
    assert model["memory"][0].keys() >= {"device", "fits", "need", "weights", "kv_cache", "free", "total"}

    asked = len(hub.log)
    again = run(config, "org/model", "--json", OFFLINE="1", VLLM_MODEL_PATH="/elsewhere")
    assert (again.code, again.json["fetched"], again.json["setting"]) == (0, 0, "VLLM_MODEL_PATH")
    won = run(config, "org/model", "--set", "--json", OFFLINE="1", VLLM_MODEL_PATH="/elsewhere")
    assert "VLLM_MODEL_PATH wins over the file" in won.err and won.json["written"] == str(config)
    assert len(hub.log) == asked

    gone = run(config, "--remove", "org/model", "--json")
    assert (gone.json["deleted"], gone.json["removed"], folder.exists()) == (True, "org/model", False)
    assert "VLLM_MODEL_PATH still names it" in gone.err
    assert "No models are here yet" in run(config, "--list").out


def test_a_folder_is_registered_where_it_is_and_forgotten(config: Path) -> None:
    folder = parts.model(config.parent / "mine" / "qwen")
    done = run(config, "mine/qwen", "--json", OFFLINE="1")
    assert (done.json["path"], done.json["value"], done.json["fetched"]) == (str(folder), str(folder), 0)
    listed = run(config, "--list")
    assert "qwen  whole, chat" in listed.out and str(folder) in listed.out
    assert "its files stay" in run(config, "--remove", "qwen").out
    assert contents(folder)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("org/modle",), 1, "Did you mean org/model"),
        (("org/model@v9",), 1, "has no revision v9"),
        (("org/gated", "--token", "hf_stranger"), 1, "gated or private"),
        (("org/gguf",), 1, "Use Ollama for GGUF"),
        (("org/model", "--source", "hf-miror"), 2, "hf-mirror"),
        (("org/model", "--include", "*.none"), 2, "Correct --include"),
        (("org/other",), 1, "OFFLINE is set"),
        (("no such",), 1, "no model's name"),
        (("--remove", "org/other"), 1, "not on this disk"),
        ((), 2, "Which model?"),
        (("org/model", "--list"), 2, "--list takes no org/model"),
    ],
)
def test_what_goes_wrong_is_one_line_and_an_exit_code(
    config: Path, args: tuple[str, ...], code: int, words: str
) -> None:
    done = run(config, *args, "--json", **({"OFFLINE": "1"} if words.startswith("OFFLINE") else {}))
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert len(done.err.strip().splitlines()) == 1 and done.err.startswith("hotswap: ")
    assert "hf_" not in done.err


def test_a_reader_who_leaves_is_no_fault(config: Path) -> None:
    process = begun(config, "--recommend", "--json")
    assert process.stdout and process.stderr
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == ("", 1)
    process.stderr.close()


def test_a_token_of_the_environment_opens_and_is_printed_nowhere(hub: HubServer, config: Path) -> None:
    done = run(config, "org/gated", "--json", HF_TOKEN="hf_member", LOG_LEVEL="DEBUG", LOG_FILE="log.txt")
    assert done.code == 0, done.err
    kept = "".join(path.read_text(errors="replace") for path in config.parent.rglob("*") if path.is_file())
    assert "hf_member" not in done.out + done.err + kept


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_is_stopped_goes_on_where_it_was(hub: HubServer, config: Path, how: signal.Signals) -> None:
    before = hub.bytes_sent("*/org/slow/*")
    process = begun(config, "org/slow")
    hub.wait_for(lambda: hub.bytes_sent("*/org/slow/*") > before + 3_000_000)
    process.send_signal(how)
    out, err = process.communicate(timeout=30)
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert out == "" and ("the same command goes on" in err) == (how == signal.SIGINT)
    done = run(config, "org/slow", "--json")
    assert done.json["fetched"] < 3_000_000
    assert contents(Path(done.json["path"])) == offered(5_000_000)
