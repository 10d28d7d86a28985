from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from typing import Any

import jsonschema
import pytest
import yaml

from app.config import ROOT, load_settings
from tests.deploy.files import SETTINGS, code_blocks, compose, instruction, serving, text, variables

SCHEMA = json.loads(text("tests/deploy/schemas/compose-spec.json"))
COMPOSE = compose()
SERVICES: dict[str, Any] = COMPOSE["services"]
DEFAULTS = dict(re.findall(r"\$\{(\w+):?-([^}]*)\}", text("compose.yaml")))
PROFILES = {
    "cpu": {"app"},
    "ollama": {"app-ollama", "ollama", "ollama-model"},
    "vllm": {"app-vllm", "vllm"},
    "vllm-2gpu": {"app-vllm-2gpu", "vllm-a", "vllm-b"},
    "monitoring": {"prometheus", "grafana"},
}
APPS = [name for name in SERVICES if name.startswith("app")]
VLLMS = [name for name in SERVICES if name.startswith("vllm")]


def errors(content: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(content)]


def filled(value: str) -> str:
    """``value`` as it is with the defaults of compose.yaml."""
    return re.sub(r"\$\{(\w+):?-[^}]*\}", lambda match: DEFAULTS[match[1]], value)


def test_it_is_a_compose_file() -> None:
    assert errors(COMPOSE) == []


@pytest.mark.parametrize("mistake", ["service", "condition", "port"])
def test_the_schema_finds_mistakes(mistake: str) -> None:
    broken = copy.deepcopy(COMPOSE)
    app = broken["services"]["app-vllm"]
    if mistake == "service":
        app["read-only"] = True
    elif mistake == "condition":
        app["depends_on"]["vllm"]["condition"] = "service_ready"
    else:
        app["ports"] = "8501:8501"
    assert errors(broken)


def test_each_profile_has_its_services() -> None:
    found: dict[str, set[str]] = {profile: set() for profile in PROFILES}
    for name, service in SERVICES.items():
        (profile,) = service["profiles"]
        found[profile].add(name)
    assert found == PROFILES


def test_every_variable_is_in_the_example_and_every_line_there_means_something() -> None:
    used = set(re.findall(r"(?<!\$)\$\{?(\w+)", text("compose.yaml")))
    documented = variables(".env.example")
    assert used - documented == set()
    assert documented - used - SETTINGS == set()


def test_the_example_shows_the_defaults() -> None:
    shown = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", text(".env.example"), re.MULTILINE))
    assert {name: value for name, value in shown.items() if value != DEFAULTS[name]} == {}


def test_without_a_key_it_does_not_start() -> None:
    assert re.search(r"^API_KEYS=$", text(".env.example"), re.MULTILINE)
    (uses,) = re.findall(r"\$\{API_KEYS[^}]*\}", text("compose.yaml"))
    assert uses.startswith("${API_KEYS:?set API_KEYS in the file .env")
    for name in APPS:
        assert SERVICES[name]["environment"]["API_KEYS"] == uses


@pytest.mark.parametrize("name", APPS)
def test_an_app(name: str) -> None:
    service = SERVICES[name]
    assert set(service["environment"]) <= SETTINGS
    assert service["env_file"] == ".env"
    assert service["ports"] == ["${BIND:-127.0.0.1}:${PORT:-8501}:" + instruction("EXPOSE")]
    assert f"data:{instruction('VOLUME')}" in service["volumes"]
    assert service["environment"]["DATA_DIR"] == instruction("VOLUME")
    assert service["networks"]["default"]["aliases"] == ["app"]
    assert "command" not in service and "healthcheck" not in service  # both are the image's
    assert service["read_only"] is True and service["tmpfs"] == "/tmp"
    assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", APPS)
def test_the_product_takes_an_apps_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(variable, "a-key" if variable == "API_KEYS" else filled(value))
    settings = load_settings()
    assert str(settings.data_dir) == "/data"
    assert settings.keys == ("a-key",)


@pytest.mark.parametrize("name", APPS)
def test_the_servers_that_an_app_asks_are_in_its_profile(name: str) -> None:
    service = SERVICES[name]
    (profile,) = service["profiles"]
    environment = service["environment"]
    addresses = f"{environment.get('VLLM_BASE_URL', '')},{environment.get('OLLAMA_BASE_URL', '')}"
    asked = dict(re.findall(r"http://([\w-]+):(\d+)", addresses))
    assert set(asked) == PROFILES[profile] - {name, "ollama-model"}
    for server, port in asked.items():
        assert port == ("11434" if server == "ollama" else "8000")
    if "VLLM_BASE_URL" in environment:
        assert environment["LLM_ENGINE"] == "vllm_openai"
        for server in asked:
            assert f"--model={environment['VLLM_MODEL']}" in SERVICES[server]["command"]


def test_who_waits_for_whom_can_be_waited_for() -> None:
    waits = 0
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            waits += 1
            assert SERVICES[other]["profiles"] == service["profiles"], (name, other)
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], (name, other)
            elif how["condition"] == "service_completed_successfully":
                assert "restart" not in SERVICES[other], (name, other)
    assert waits == 8


def test_the_model_of_ollama_is_the_one_that_is_pulled() -> None:
    pull = SERVICES["ollama-model"]
    assert pull["environment"]["MODEL"] == SERVICES["app-ollama"]["environment"]["MODEL"]
    assert pull["image"] == SERVICES["ollama"]["image"]


@pytest.mark.parametrize(("there", "expected"), [(True, ["show m"]), (False, ["show m", "pull m"])])
def test_the_model_of_ollama_is_pulled_once(there: bool, expected: list[str], tmp_path: Any) -> None:
    said = tmp_path / "said"
    stub = tmp_path / "ollama"
    stub.write_text(f'#!/bin/sh\necho "$@" >> {said}\n[ "$1" = pull ] || {"true" if there else "false"}\n')
    stub.chmod(0o755)
    command = [part.replace("$$", "$") for part in SERVICES["ollama-model"]["entrypoint"]]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "MODEL": "m"}
    assert subprocess.run(command, env=environment).returncode == 0
    assert said.read_text().splitlines() == expected


def test_images_have_versions_and_vllm_is_the_one_that_is_tested() -> None:
    images = {service["image"] for service in SERVICES.values()} - {"hotswap"}
    assert len(images) == 4
    for image in images:
        assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", image), image
    (version,) = re.findall(r"^vllm==([\d.]+)", text("requirements-vllm.txt"), re.MULTILINE)
    assert {SERVICES[name]["image"] for name in VLLMS} == {f"vllm/vllm-openai:v{version}"}


@pytest.mark.parametrize("name", VLLMS)
def test_vllm_knows_its_options(name: str) -> None:
    known = json.loads(text("app/vllm_arguments.json"))
    names = set(known["arguments"]) | set(known["server_options"])
    for option in SERVICES[name]["command"]:
        assert option.removeprefix("--").partition("=")[0].replace("-", "_") in names
    assert "ports" not in SERVICES[name]  # reached by the app alone


def test_every_gpu_has_one_server() -> None:
    def gpus(name: str) -> list[Any]:
        return SERVICES[name]["deploy"]["resources"]["reservations"]["devices"]

    assert gpus("vllm") == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    assert [device["device_ids"] for name in ("vllm-a", "vllm-b") for device in gpus(name)] == [["0"], ["1"]]


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (503, 1)])
def test_the_check_of_vllm(status: int, expected: int) -> None:
    asked: list[str] = []

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    _, python, flag, code = SERVICES["vllm"]["healthcheck"]["test"]
    assert (python, flag) == ("python3", "-c")
    with serving(Health) as port:
        checked = subprocess.run([sys.executable, "-c", code.replace("8000", str(port))], capture_output=True)
    assert (checked.returncode, asked) == (expected, ["/health"])


def test_nobody_gains_rights_and_everybody_is_reached_from_this_machine_alone() -> None:
    for name, service in SERVICES.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "privileged" not in service and service.get("network_mode") is None, name
        for port in service.get("ports", []):
            assert filled(port).startswith("127.0.0.1:"), name


def test_what_is_mounted_is_there() -> None:
    named = set(COMPOSE["volumes"])
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = filled(mount).partition(":")[0]
            assert source in named or (ROOT / source).exists(), mount


def test_keys_lie_in_files_that_git_leaves_alone() -> None:
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    for secret in COMPOSE["secrets"].values():
        folder, _, _ = secret["file"].rpartition("/")
        assert "*" in text(f"{folder}/.gitignore").splitlines()
    assert ".env" in text(".gitignore").splitlines()


def test_the_override_in_the_guide_is_a_compose_file_too() -> None:
    (block,) = [block for block in code_blocks(text("docs/deployment.md")) if block.startswith("services:")]
    override = yaml.safe_load(block)
    assert errors(override) == []
    assert set(override["services"]) <= set(SERVICES)
    known = json.loads(text("app/vllm_arguments.json"))
    for option in override["services"]["vllm"]["command"]:
        name = option.removeprefix("--").partition("=")[0].replace("-", "_")
        assert name in known["arguments"] or name in known["server_options"]
