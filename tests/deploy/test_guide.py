from __future__ import annotations

import json
import re
import shlex

import pytest

from app import cli
from app.config import ROOT, load_settings
from tests.deploy.files import SETTINGS, code_blocks, compose, text, variables

GUIDE = text("docs/deployment.md")
LINES = [line for block in code_blocks(GUIDE) for line in block.splitlines()]
# Names in capitals that are no settings.
OTHERS = {
    "COMPOSE_PROFILES",
    "ADDRESS_OF_THIS_REPOSITORY",
    "CUDA_VISIBLE_DEVICES",
    "IMAGE",
    "KEY",
    "MACHINE",
    "MODEL",
    "VLLM_HOST_IP",
}


def words(line: str) -> list[str]:
    return shlex.split(line, comments=True)


def test_its_code_is_found() -> None:
    assert len(LINES) > 60


def test_its_commands_are_commands() -> None:
    mentioned = re.findall(r"python -m app ([^`\n]*)", GUIDE)
    assert len(mentioned) >= 7
    for arguments in mentioned:
        cli._parser().parse_args(words(arguments.partition("#")[0]))


def test_a_command_that_is_none_would_be_found() -> None:
    with pytest.raises(SystemExit):
        cli._parser().parse_args(["backup", "FILE"])


def test_its_settings_are_settings() -> None:
    named = set(re.findall(r"\b([A-Z]{3,}(?:_[A-Z]+)+)\b", GUIDE)) | set(re.findall(r"`([A-Z_]{4,})`", GUIDE))
    assert named - SETTINGS - OTHERS - variables(".env.example") == set()


def test_its_profiles_and_services_are_those_of_compose() -> None:
    services = compose()["services"]
    profiles = {profile for service in services.values() for profile in service["profiles"]}
    rows = re.findall(r"^\| `([\w-]+)` \|.*\| (?:`([\w-]+)` )?\|$", GUIDE, re.MULTILINE)
    assert {profile for profile, _ in rows} == profiles
    for profile, service in rows:
        assert not service or services[service]["profiles"] == [profile]
    assert set(re.findall(r"--profile ([\w-]+)", GUIDE + text("compose.yaml"))) <= profiles
    assert set(re.findall(r"(?:exec|logs -f) ([\w-]+)", GUIDE)) <= set(services)


def test_the_options_of_vllm_are_options_of_vllm() -> None:
    known = json.loads(text("app/vllm_arguments.json"))
    names = set(known["arguments"]) | set(known["server_options"]) | {"headless"}
    lines = [line for line in LINES if "vllm serve" in line]
    assert len(lines) == 3
    for line in lines:
        for option in re.findall(r"--([\w-]+)", line):
            assert option.replace("-", "_") in names, option
    assert f"vllm/vllm-openai:v{known['vllm']}" in GUIDE


def test_its_routes_are_routes(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = [block for block in code_blocks(GUIDE) if block.startswith("llm:")]
    file = ROOT.__class__(str(tmp_path)) / "config.yaml"
    file.write_text(block, encoding="utf-8")
    monkeypatch.setenv("CONFIG_FILE", str(file))
    assert list(load_settings().llm.routes) == ["gpu_0", "gpu_1", "far"]


def test_its_links_and_files_are_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", GUIDE):
        assert (ROOT / "docs" / target).exists(), target
    for file in re.findall(r"(?<![\w/])deploy/[\w./-]+\w", GUIDE):
        assert (ROOT / file).exists() or file.startswith("deploy/secrets/"), file
    headings = {
        re.sub(r"[^\w -]", "", line[3:].lower()).replace(" ", "-") for line in GUIDE.splitlines() if line[:3] == "## "
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", GUIDE)) <= headings


def test_the_chroma_that_was_tested_is_the_one_that_is_installed() -> None:
    assert "CHROMA_URL" in SETTINGS
    (pinned,) = re.findall(r"^chromadb==(\S+)", text("requirements.txt"), re.MULTILINE)
    assert f"Tested with the server of chromadb {pinned} " in GUIDE
