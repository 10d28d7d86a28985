from __future__ import annotations

from app.ui.connect import Machine, ollama_commands, this_machine, vllm_commands


def test_linux_without_ollama_installs_it_first() -> None:
    commands = ollama_commands(Machine("Linux", has_ollama=False, has_nvidia=False))
    assert commands == ["curl -fsSL https://ollama.com/install.sh | sh", "ollama pull qwen3:4b"]


def test_with_ollama_only_the_model_is_missing() -> None:
    assert ollama_commands(Machine("Linux", True, True)) == ["ollama serve", "ollama pull qwen3:8b"]


def test_mac_and_windows_have_their_own_commands() -> None:
    assert ollama_commands(Machine("Darwin", False, False))[0] == "brew install ollama"
    assert ollama_commands(Machine("Windows", False, False))[0] == "winget install Ollama.Ollama"
    assert vllm_commands(Machine("Windows", False, False))[0].startswith("$env:VLLM_BASE_URL")


def test_this_machine_is_looked_at() -> None:
    assert this_machine().system in {"Linux", "Darwin", "Windows"}
