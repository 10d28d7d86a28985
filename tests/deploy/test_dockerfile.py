from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from app.config import ROOT
from tests.deploy.files import SETTINGS, app_arguments, compose, dockerfile, healthcheck, instruction, serving, text
from tools.layers import CPU_INDEX
from tools.setup_env import supported


def test_it_serves_where_the_others_look() -> None:
    args = app_arguments(json.loads(instruction("CMD")))
    port = str(args.port)
    assert (args.host, args.no_page, args.headless) == ("0.0.0.0", False, True)
    assert instruction("EXPOSE") == port
    assert f"'127.0.0.1', {port}," in healthcheck()[2]
    assert f"targets: [app:{port}]" in text("deploy/prometheus.yml")
    assert f":{port}" in compose()["services"]["app"]["ports"][0][-5:]


def test_sigterm_reaches_the_app() -> None:
    assert instruction("STOPSIGNAL") == "SIGTERM"
    assert instruction("CMD").startswith("[")  # no shell between
    assert not [name for name, _ in dockerfile() if name == "ENTRYPOINT"]


def test_it_runs_as_a_user_of_a_fixed_number() -> None:
    uid = instruction("USER").partition(":")[0]
    assert int(uid) > 999
    assert f"useradd --uid {uid} " in instruction_of_last_stage("RUN")


def instruction_of_last_stage(name: str) -> str:
    stage = dockerfile()
    last = max(index for index, (found, _) in enumerate(stage) if found == "FROM")
    return "\n".join(rest for found, rest in stage[last:] if found == name)


def test_both_stages_have_one_python_that_is_supported() -> None:
    first, last = [rest.removesuffix(" AS build") for name, rest in dockerfile() if name == "FROM"]
    assert first == last
    version = re.fullmatch(r"python:(\d+)\.(\d+)-slim-bookworm", first)
    assert version and supported((int(version[1]), int(version[2])))


def test_torch_is_the_cpu_build() -> None:
    assert instruction("ARG") == f"TORCH_INDEX={CPU_INDEX}"
    assert compose()["services"]["app"]["build"]["args"]["TORCH_INDEX"] == f"${{TORCH_INDEX-{CPU_INDEX}}}"


def test_it_writes_into_its_volume() -> None:
    settings = dict(re.findall(r"(\w+)=(\S+)", instruction("ENV")))
    assert settings["DATA_DIR"] == instruction("VOLUME")
    assert set(settings) - {"PATH", "PYTHONUNBUFFERED"} <= SETTINGS
    assert re.search(
        rf"install -d -o hotswap -g hotswap -m 700 {instruction('VOLUME')}$", instruction_of_last_stage("RUN"), re.M
    )


def test_no_secret_is_built_in() -> None:
    for name, rest in dockerfile():
        if name in ("ARG", "ENV", "RUN", "COPY"):
            assert not re.search(r"key|token|password|secret", rest, re.IGNORECASE), rest


def in_the_image(path: str) -> bool:
    """Whether .dockerignore lets this file through: as in Docker, the last line that matches decides."""
    through = True
    for line in text(".dockerignore").splitlines():
        pattern = line.removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        parents = ["/".join(path.split("/")[: depth + 1]) for depth in range(path.count("/") + 1)]
        if pattern.startswith("**/"):
            hit = any(fnmatch.fnmatch(part.split("/")[-1], pattern[3:]) for part in parents)
        else:
            hit = any(part == pattern or (pattern == "*" and "/" not in part) for part in parents)
        if hit:
            through = line.startswith("!")
    return through


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app/cli/__init__.py", True),
        ("app/ui/words/en.toml", True),
        ("streamlit_app.py", True),
        ("download_model.py", True),
        (".streamlit/config.toml", True),
        ("data/samples/en/engines.md", True),
        ("app/cli/__pycache__/ask.cpython-312.pyc", False),
        ("app/.env", False),
        (".env", False),
        ("config.yaml", False),
        ("deploy/secrets/metrics_key", False),
        ("data/state/history.sqlite3", False),
        (".git/config", False),
        (".venv/bin/python", False),
        ("tests/conftest.py", False),
    ],
)
def test_what_goes_into_the_image(path: str, expected: bool) -> None:
    assert in_the_image(path) is expected


def test_what_is_copied_goes_in() -> None:
    sources = [
        source
        for name, rest in dockerfile()
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
        if source != "."
    ]
    assert sources == ["requirements.txt", "constraints.txt", "tools"]
    for source in [*sources, *(line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!"))]:
        assert (ROOT / source).exists() and in_the_image(source), source


def check(port: int, **environment: str) -> int:
    """The exit code of the image's HEALTHCHECK, run without a container."""
    python, flag, code = healthcheck()
    assert (python, flag) == ("python", "-c")
    code = code.replace("8501", str(port)).replace("timeout=4", "timeout=0.5")
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, stderr=subprocess.DEVNULL
    ).returncode


@pytest.mark.parametrize(("status", "well"), [(200, True), (503, False), (404, False)])
def test_the_health_check_asks_the_app(status: int, well: bool) -> None:
    asked: list[str] = []

    class Live(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    with serving(Live) as port:
        assert (check(port, http_proxy="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9") == 0) is well
    assert asked == ["/health/live"]


def test_an_app_that_hangs_or_is_gone_is_ill() -> None:
    class Hangs(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(1)

        def log_message(self, *args: Any) -> None: ...

    with serving(Hangs) as port:
        assert check(port) != 0
    assert check(port) != 0


def test_the_path_is_a_route_of_the_app() -> None:
    assert any('"/health/live"' in file.read_text(encoding="utf-8") for file in (ROOT / "app/api").glob("*.py"))
