"""The command line and the environment that a vLLM server is started with."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import Settings
from app.config_vllm import known
from app.engines import vllm_plan, vllm_server_plan
from app.engines.vllm_server_plan import ONLY_ON, WITH_COMMAS, WITHOUT_FLAG, environment, flags, plan
from app.errors import ConfigError, EngineUnavailable, ModelMissing, OutOfMemory
from app.models import Memory
from tests.models.parts import model

ARGUMENTS: dict[str, Any] = {
    name: argument for name, argument in known()["arguments"].items() if name not in WITHOUT_FLAG
}
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
ITEM = TEXT.filter(lambda text: text and not text.startswith("-"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=5,
)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "dict": st.dictionaries(TEXT, JSON),
    "float": st.floats(allow_nan=False),
    "int": st.integers(),
    "list": st.lists(ITEM),
    "str": TEXT,
}
READ = {"int": int, "float": float, "dict": json.loads, "str": str}


def kind(name: str) -> str:
    """What the flag of an argument holds; of several kinds the one that this test gives it."""
    argument = ARGUMENTS[name]
    return "str" if "values" in argument else str(argument["kinds"][0])


def parser() -> argparse.ArgumentParser:
    """Takes every argument as vLLM's own does."""
    built = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    for name in ARGUMENTS:
        flag = f"--{name.replace('_', '-')}"
        if kind(name) == "bool":
            built.add_argument(flag, action="store_true" if name in ONLY_ON else argparse.BooleanOptionalAction)
        elif name in WITH_COMMAS:
            built.add_argument(flag, type=lambda text: text.split(",") if text else [])
        elif kind(name) == "list":
            built.add_argument(flag, nargs="+", default=[])
        else:
            built.add_argument(flag, type=READ[kind(name)])
    return built


def value(name: str) -> st.SearchStrategy[Any]:
    argument = ARGUMENTS[name]
    if name in WITH_COMMAS:
        return st.lists(st.integers(0, 15).map(str))
    return st.sampled_from(argument["values"]) if "values" in argument else KINDS[kind(name)]


PARSER = parser()


@given(
    st.sampled_from(sorted(ARGUMENTS)).flatmap(lambda name: st.tuples(st.just(name), value(name))).map(lambda x: [x])
)
def test_every_argument_reads_back_from_its_flag(items: list[tuple[str, Any]]) -> None:
    check(dict(items))


@given(
    st.lists(st.sampled_from(sorted(ARGUMENTS)), unique=True, max_size=8).flatmap(
        lambda names: st.fixed_dictionaries({name: value(name) for name in names})
    )
)
def test_several_arguments_read_back_from_their_flags(arguments: dict[str, Any]) -> None:
    check(arguments)


def check(arguments: dict[str, Any]) -> None:
    read = vars(PARSER.parse_args(flags(arguments)))

    for name, given_value in arguments.items():
        expected = str(given_value) if "values" in ARGUMENTS[name] else given_value
        assert read[name] == expected, name


@pytest.mark.parametrize("name", sorted(WITHOUT_FLAG))
def test_an_argument_that_no_server_takes_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(ConfigError, match=f"VLLM_CONFIG has {name}"):
        flags({name: True})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return model(tmp_path / "Small")


def settings(folder: Path, **values: Any) -> Settings:
    return Settings(vllm_model_path=str(folder), data_dir=folder.parent / "state", **values)


def test_the_server_gets_the_folder_the_name_and_the_settings_values(folder: Path) -> None:
    made = plan(
        settings(
            folder,
            vllm_config={"enable_prefix_caching": False, "max_model_len": 4096, "hf_overrides": {"a": [1]}},
            vllm_max_num_seqs=3,
        ),
        "127.0.0.1",
        8123,
    )

    assert made.command[1:3] == ("-m", "vllm.entrypoints.openai.api_server")
    assert {
        f"--model={folder}",
        "--served-model-name=Small",
        "--host=127.0.0.1",
        "--port=8123",
        "--no-enable-prefix-caching",
        "--max-model-len=4096",
        '--hf-overrides={"a": [1]}',
        "--max-num-seqs=3",
        "--no-trust-remote-code",
    } <= set(made.command)
    assert made.url == "http://127.0.0.1:8123/v1"
    assert made.log_file == folder.parent / "state" / "logs" / "vllm-server-8123.log"
    assert not folder.parent.joinpath("state").exists()


def test_a_profile_reaches_the_server(folder: Path) -> None:
    made = plan(settings(folder, vllm_profile="latency"), "127.0.0.1", 8000)

    assert "--max-num-seqs=8" in made.command
    assert made.values["max_num_seqs"] == 8


def test_the_clients_name_of_the_model_is_the_servers(folder: Path) -> None:
    made = plan(settings(folder, vllm_model="my-model"), "127.0.0.1", 8000)

    assert (made.name, "--served-model-name=my-model" in made.command) == ("my-model", True)


def test_code_of_a_model_is_trusted_where_the_setting_says_so(folder: Path) -> None:
    assert "--trust-remote-code" in plan(settings(folder, trust_remote_code=True), "127.0.0.1", 8000).command


def test_statistics_are_kept_unless_they_are_switched_off(folder: Path) -> None:
    kept = plan(settings(folder), "127.0.0.1", 8000)
    switched_off = plan(settings(folder, vllm_disable_log_stats=True), "127.0.0.1", 8000)

    assert "--disable-log-stats" not in kept.command
    assert "--disable-log-stats" in switched_off.command


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000/v1"),
        ("::", "http://[::1]:8000/v1"),
        ("::1", "http://[::1]:8000/v1"),
        ("192.168.1.5", "http://192.168.1.5:8000/v1"),
    ],
)
def test_the_address_is_one_that_this_machine_reaches(folder: Path, host: str, url: str) -> None:
    made = plan(settings(folder, vllm_api_key="k"), host, 8000)

    assert (made.url, f"--host={host}" in made.command) == (url, True)


def test_the_key_is_in_the_environment_alone(folder: Path) -> None:
    made = plan(settings(folder, vllm_api_key="sesame-7"), "127.0.0.1", 8000)

    assert made.environment["VLLM_API_KEY"] == "sesame-7"
    assert "sesame-7" not in " ".join(made.command)
    assert "sesame-7" not in repr(made)


def test_the_environment_has_no_setting_of_ours_and_keeps_vllms_own(folder: Path) -> None:
    ours = {
        "VLLM_MODEL_PATH": "/models/x",
        "vllm_base_url": "http://x",
        "VLLM_CONFIG__max_model_len": "1",
        "VLLM_API_KEY": "old",
        "VLLM_CPU_KVCACHE_SPACE": "3",
        "VLLM_HOST_IP": "10.0.0.7",
        "HF_HUB_OFFLINE": "0",
        "PATH": "/bin",
    }

    made = environment(settings(folder), ours)

    assert {name for name in made if name.upper().startswith("VLLM_")} == {
        "VLLM_CPU_KVCACHE_SPACE", "VLLM_HOST_IP", "VLLM_LOGGING_COLOR", "VLLM_NO_USAGE_STATS",
    }  # fmt: skip
    assert made["VLLM_HOST_IP"] == "10.0.0.7"
    assert (made["HF_HUB_OFFLINE"], made["DO_NOT_TRACK"], made["PATH"]) == ("1", "1", "/bin")


def test_a_model_that_is_not_there_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="There is no folder"):
        plan(settings(tmp_path / "nowhere"), "127.0.0.1", 8000)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    pickled = model(tmp_path / "P", files={"model.safetensors": None, "pytorch_model.bin": b"\x80\x02" + bytes(64)})

    with pytest.raises(EngineUnavailable, match="pickled"):
        plan(settings(pickled), "127.0.0.1", 8000)


def test_without_vllm_the_reason_and_the_ways_out_are_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_plan, "build", lambda: "")

    with pytest.raises(EngineUnavailable, match="vLLM is not installed") as raised:
        plan(settings(folder), "127.0.0.1", 8000)
    assert "VLLM_BASE_URL" in raised.value.hint


def small_machine(monkeypatch: pytest.MonkeyPatch, total: int, free: int) -> None:
    """A machine with so much memory, in bytes."""
    memory = Memory("cpu", "this machine", free, total)
    monkeypatch.setattr(vllm_server_plan.vllm_plan, "device", lambda: memory)


def test_a_context_larger_than_all_of_the_memory_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """8,192 tokens of 128 KiB are a GiB."""
    small_machine(monkeypatch, 900_000_000, 900_000_000)

    with pytest.raises(OutOfMemory, match="Small can never run here: it needs about"):
        plan(settings(folder, vllm_max_model_len=8192), "127.0.0.1", 8000)


def test_what_only_lacks_free_memory_is_tried(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_machine(monkeypatch, 64_000_000_000, 900_000_000)

    made = plan(settings(folder, vllm_max_model_len=8192), "127.0.0.1", 8000)

    assert made.fit is not None
    assert not made.fit.fits


def test_a_context_that_vllm_chooses_or_weights_that_lie_elsewhere_are_no_reason_to_refuse(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_machine(monkeypatch, 900_000_000, 900_000_000)

    assert plan(settings(folder), "127.0.0.1", 8000).fit is not None
    assert plan(settings(folder, vllm_config={"max_model_len": 8192, "cpu_offload_gb": 8}), "127.0.0.1", 8000).fit
