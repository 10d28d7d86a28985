"""Settings: where they come from, and how a wrong one is told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

import app.config
from app.config import ROOT, Settings, example_yaml, get_settings, load_settings, settings_table
from app.errors import ConfigError

EXAMPLE, TABLE = example_yaml(), settings_table()
WriteFile = Callable[[str], Path]


@pytest.fixture(autouse=True)
def only_this_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings file of the developer's is read, and none that a test has read is remembered."""
    monkeypatch.setattr(app.config, "ROOT", tmp_path)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    """Writes ``config.yaml`` where the product looks for it."""

    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problem() -> ConfigError:
    """The error that reading the settings raises, checked for what all of them have in common."""
    with pytest.raises(ConfigError) as caught:
        load_settings()
    error = caught.value
    assert error.message.endswith(".") and not error.message.endswith("..")
    assert error.hint.endswith(".")
    assert "\n" not in str(error) and "Error" not in str(error) and "nput should" not in str(error)
    return error


# where settings come from


def test_defaults_without_file_or_variables() -> None:
    settings = load_settings()

    assert (settings.llm_engine, settings.model, settings.vllm_config) == ("auto", "", {})
    assert settings.ollama_base_url == "http://127.0.0.1:11434"
    assert settings.data_dir == ROOT / "data" / "state"
    assert settings.trust_remote_code is False
    assert settings.llm.params.temperature == 0.0


def test_the_file_wins_over_defaults_and_the_environment_over_the_file(
    write: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("MODEL: from-file\nSTRICTNESS: 0.2\nLOG_LEVEL: ERROR\n")
    monkeypatch.setenv("MODEL", "from-environment")
    monkeypatch.setenv("STRICTNESS", "")  # empty is unset

    settings = load_settings(log_level="DEBUG")

    assert (settings.model, settings.strictness, settings.log_level) == ("from-environment", 0.2, "DEBUG")


def test_config_file_names_another_file(tmp_path: Path, write: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    write("MODEL: beside the product")
    other = tmp_path / "other.yaml"
    other.write_text("MODEL: named", encoding="utf-8")
    monkeypatch.setenv("CONFIG_FILE", str(other))

    assert load_settings().model == "named"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "MODEL:\nLOG_FILE: ''\nDATA_DIR: ''\nOLLAMA_BASE_URL: ''\n"])
def test_an_empty_file_and_empty_values_set_nothing(write: WriteFile, text: str) -> None:
    without = load_settings()
    write(text)

    assert load_settings() == without


def test_names_in_the_file_are_read_in_any_case_and_with_a_byte_order_mark(write: WriteFile) -> None:
    write("\ufeffmodel: qwen3:8b\nLlm_Engine: ollama\n")

    assert (load_settings().model, load_settings().llm_engine) == ("qwen3:8b", "ollama")


@pytest.mark.parametrize(
    ("variables", "text", "engine"),
    [
        ({}, "", "auto"),
        ({}, "llm: {provider: ollama}", "ollama"),
        ({}, "INFERENCE_ENGINE: extractive", "extractive"),
        ({}, "LLM_ENGINE: ollama\nINFERENCE_ENGINE: extractive\nllm: {provider: vllm_openai}", "ollama"),
        ({}, "INFERENCE_ENGINE: ollama\nllm: {provider: vllm_openai}", "ollama"),
        ({"INFERENCE_ENGINE": "ollama"}, "", "ollama"),
        ({"INFERENCE_ENGINE": "ollama"}, "LLM_ENGINE: extractive", "ollama"),
        ({"LLM_ENGINE": "ollama"}, "INFERENCE_ENGINE: extractive", "ollama"),
        ({"LLM_ENGINE": "ollama", "INFERENCE_ENGINE": "extractive"}, "", "ollama"),
        ({"LLM_ENGINE": "ollama"}, "llm: {provider: extractive}", "ollama"),
        ({"LLM__PROVIDER": "ollama"}, "llm: {provider: extractive}", "ollama"),
        ({"LLM__PROVIDER": "ollama"}, "LLM_ENGINE: extractive", "extractive"),
        ({"LLM_ENGINE": "auto"}, "llm: {provider: ollama}", "auto"),
        ({"LLM_ENGINE": "vllm"}, "", "vllm"),
        ({"INFERENCE_ENGINE": "transformers"}, "", "hf"),
        ({}, "LLM_ENGINE: transformers", "hf"),
        ({}, "llm: {provider: transformers}", "hf"),
    ],
)
def test_the_engine_and_its_other_names(
    write: WriteFile, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], text: str, engine: str
) -> None:
    write(text)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert load_settings().llm_engine == engine


@pytest.mark.parametrize("engine", ["", "auto", "vllm", "hf", "transformers"])
def test_speculation_goes_with_the_engines_that_can(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_METHOD", "speculative")
    monkeypatch.setenv("LLM_ENGINE", engine)

    assert load_settings().inference_method == "speculative"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LLM_ENGINE: ollama", "set LLM_ENGINE to vllm"),
        ("LLM_ENGINE: extractive", "set LLM_ENGINE to vllm"),
        ("INFERENCE_ENGINE: ollama", "LLM_ENGINE is ollama"),
        ("llm: {provider: ollama}", "LLM_ENGINE is ollama"),
        ("LLM_ENGINE: vllm_openai", "LLM_ENGINE=vllm INFERENCE_METHOD=speculative python -m app vllm-serve"),
    ],
)
def test_speculation_with_an_engine_that_cannot_is_refused_with_what_to_set(
    write: WriteFile, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    write(text)
    monkeypatch.setenv("INFERENCE_METHOD", "speculative")

    assert words.lower() in problem().message.lower()


@pytest.mark.parametrize("method", ["Speculative", "speculation", "ngram", "true", "none"])
def test_a_method_of_another_name_is_refused(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.setenv("INFERENCE_METHOD", method)

    assert f"INFERENCE_METHOD is '{method}', but must be speculative or empty" in problem().message


def test_sections_and_mappings_are_joined_name_by_name(write: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    write("llm: {params: {max_tokens: 5, top_p: 0.5}}\nVLLM_CONFIG: {dtype: half, max_model_len: 1}")
    monkeypatch.setenv("LLM__PARAMS__TOP_P", "0.9")
    monkeypatch.setenv("VLLM_CONFIG", '{"max_model_len": 8192}')

    settings = load_settings()

    assert (settings.llm.params.max_tokens, settings.llm.params.top_p) == (5, 0.9)
    assert settings.vllm_config == {"dtype": "half", "max_model_len": 8192}


def test_paths_are_relative_to_the_file_or_to_the_current_folder(
    tmp_path: Path, write: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("DATA_DIR: here/state\nLOG_FILE: ~/app.log")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load_settings().data_dir == tmp_path / "here" / "state"
    assert load_settings().log_file == tmp_path / "home" / "app.log"

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("DATA_DIR", "state")
    assert load_settings().data_dir == elsewhere / "state"


def test_values_are_tidied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", " http://gpu-box:11434/ ")
    monkeypatch.setenv("LOG_LEVEL", "debug")

    assert load_settings().ollama_base_url == "http://gpu-box:11434"
    assert load_settings().log_level == "DEBUG"


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("", ""),
        ("VLLM_MODEL_PATH: org/both", "org/both"),
        ("VLLM_MODEL_PATH: org/both\nHF_MODEL_PATH: ''", "org/both"),
        ("VLLM_MODEL_PATH: org/vllm\nHF_MODEL_PATH: org/hf", "org/hf"),
    ],
)
def test_transformers_takes_vllms_model_where_it_has_none_of_its_own(write: WriteFile, text: str, model: str) -> None:
    write(text)

    assert load_settings().hf_model == model


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:1", "mps", "CPU"])
def test_devices(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setenv("HF_DEVICE", device)

    assert load_settings().hf_device == device.lower()


def test_vllms_arguments_are_the_profiles_then_vllm_config_then_the_single_settings(
    write: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("VLLM_PROFILE: Memory + under-20gb\nVLLM_CONFIG: {max-num-seqs: '3', kv_cache_dtype: null, seed: 1}")
    monkeypatch.setenv("VLLM_CONFIG", '{"max_model_len": "2K", "seed": 7}')
    monkeypatch.setenv("VLLM_MAX_NUM_SEQS", "5")
    monkeypatch.setenv("VLLM_DTYPE", "float32")
    monkeypatch.setenv("VLLM_DISABLE_LOG_STATS", "false")

    settings = load_settings()

    assert settings.vllm_profile == "under-20gb+memory"
    assert settings.vllm_config == {"max_num_seqs": 3, "kv_cache_dtype": None, "seed": 7, "max_model_len": 2048}
    assert settings.vllm_arguments() == {
        "gpu_memory_utilization": 0.85,  # of the card
        "max_num_batched_tokens": 1024,  # of the goal, over the card's
        "enable_prefix_caching": True,
        "enable_chunked_prefill": True,
        "enforce_eager": True,
        "max_model_len": 2048,
        "seed": 7,
        "max_num_seqs": 5,
        "dtype": "float32",
        "disable_log_stats": False,
    }


def test_without_any_of_them_vllm_gets_no_arguments() -> None:
    assert load_settings().vllm_arguments() == {}


def test_what_was_checked_is_the_same_when_checked_again() -> None:
    settings = load_settings(vllm_config={"max-model-len": "auto", "speculative_config": "{}"}, vllm_profile="24GB")

    assert load_settings(**settings.model_dump()) == settings


# what is wrong is told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LLM_ENGIN: ollama", "LLM_ENGIN is no setting (did you mean LLM_ENGINE?)."),
        ("ollama_url: x", "OLLAMA_URL is no setting (did you mean OLLAMA_BASE_URL?)."),
        ("llm: {params: {temprature: 1}}", "llm.params.temprature is no setting (did you mean temperature?)."),
        ("llm: {prams: {}}", "llm.prams is no setting (did you mean params?)."),
        (
            "llm: {colour: red}",
            "llm.colour is no setting (there are deadlines, default_route, fallback_route, hedge, lb_policy, params,"
            " probe, provider, routes).",
        ),
        (
            "LLM_ENGINE: olama",
            "LLM_ENGINE is 'olama', but must be auto, vllm_openai, vllm, ollama, hf or extractive"
            " (did you mean ollama?).",
        ),
        (
            "llm: {provider: extractiv}",
            "llm.provider is 'extractiv', but must be auto, vllm_openai, vllm, ollama, hf or extractive"
            " (did you mean extractive?).",
        ),
        ("LOG_LEVEL: LOUD", "LOG_LEVEL is 'LOUD', but must be DEBUG, INFO, WARNING or ERROR."),
        ("STRICTNESS: abc", "STRICTNESS is 'abc', but must be a number from 0 to 1."),
        ("STRICTNESS: 2", "STRICTNESS is 2, but must be a number from 0 to 1."),
        ("STRICTNESS: .nan", "STRICTNESS is nan, but must be a number from 0 to 1."),
        ("STRICTNESS: [0.5]", "STRICTNESS is [0.5], but must be a number from 0 to 1."),
        ("OLLAMA_NUM_CTX: 5.5", "OLLAMA_NUM_CTX is 5.5, but must be a whole number of 512 or more."),
        ("llm: {params: {top_p: 0}}", "llm.params.top_p is 0, but must be a number above 0 and at most 1."),
        ("llm: {params: {timeout: -1}}", "llm.params.timeout is -1, but must be a number above 0."),
        ("TRUST_REMOTE_CODE: maybe", "TRUST_REMOTE_CODE is 'maybe', but must be true or false."),
        ("MODEL: 3", "MODEL is 3, but must be text (in quotes, where it looks like a number)."),
        ("DATA_DIR: 5", "DATA_DIR is 5, but must be the path of a file or folder."),
        (
            "llm: ollama",
            "llm is 'ollama', but must be a section with provider, routes, default_route, fallback_route, lb_policy,"
            " hedge, probe, deadlines, params.",
        ),
        ("VLLM_CONFIG: half", "VLLM_CONFIG is 'half', but must be names with values, as in {max_model_len: 8192}."),
        ("VLLM_CONFIG: {1: 2}", "VLLM_CONFIG is 1, but must be names with values, as in {max_model_len: 8192}."),
        ("OLLAMA_BASE_URL: gpu:11434", "OLLAMA_BASE_URL is 'gpu:11434', but must begin with http:// or https://."),
        (
            "VLLM_CONFIG: {trust_remote_code: true}",
            "VLLM_CONFIG has trust_remote_code, which is a setting of its own; set TRUST_REMOTE_CODE instead.",
        ),
        (
            "VLLM_CONFIG: {max_model_length: 8192, dtype: int8}",
            "VLLM_CONFIG has max_model_length, which is no engine argument of vLLM 0.32.0"
            " (did you mean max_model_len?); and has dtype 'int8', which vLLM 0.32.0 does not know;"
            " for 8-bit weights set quantization to fp8, awq or gptq.",
        ),
        (
            "VLLM_PROFILE: 24gbb",
            "VLLM_PROFILE has '24gbb', which is no profile (did you mean 24gb?).",
        ),
        (
            "VLLM_GPU_MEMORY_UTILIZATION: 90",
            "VLLM_GPU_MEMORY_UTILIZATION is 90, but must be a number above 0 and at most 1.",
        ),
        ("VLLM_MAX_MODEL_LEN: long", "VLLM_MAX_MODEL_LEN is 'long', but must be a whole number of 1 or more."),
        ("HF_DEVICE: gpu", "HF_DEVICE is 'gpu', but must be auto, cpu, cuda, cuda:NUMBER or mps."),
        ("HF_DTYPE: int8", "HF_DTYPE is 'int8', but must be auto, bfloat16, float16 or float32."),
        ("HF_MAX_BATCH: 0", "HF_MAX_BATCH is 0, but must be a whole number from 1 to 256."),
        ("ALLOW_PICKLE: perhaps", "ALLOW_PICKLE is 'perhaps', but must be true or false."),
        ("DATA_DIR: ~nobody-of-this-name/x", "There is no home folder for ~nobody-of-this-name/x."),
    ],
)
def test_a_wrong_setting_names_the_key_the_value_and_what_is_allowed(write: WriteFile, text: str, message: str) -> None:
    write(text)

    error = problem()

    assert error.message == message
    assert "config.yaml" in error.hint or "path" in error.hint


def test_an_unknown_setting_far_from_all_lists_what_there_is(write: WriteFile) -> None:
    write("COLOUR: red")

    error = problem()

    assert error.message.startswith("COLOUR is no setting (there are ALLOW_PICKLE, API_KEYS, CHROMA_TOKEN, ")
    assert "VLLM_TENSOR_PARALLEL_SIZE)" in error.message


def test_every_wrong_setting_is_named_at_once(write: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    write("STRICTNESS: 5\nllm: {params: {max_tokens: none}}")
    monkeypatch.setenv("LLM_ENGINE", "gpt")

    message = problem().message

    assert "LLM_ENGINE is 'gpt', but must be " in message
    assert "STRICTNESS is 5, but must be a number from 0 to 1. " in message
    assert "llm.params.max_tokens is 'none', but must be a whole number of 1 or more." in message


def test_a_wrong_variable_is_told_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRICTNESS", "high")

    error = problem()

    assert error.message == "STRICTNESS is 'high', but must be a number from 0 to 1."
    assert error.hint == "Correct it in the environment; config.example.yaml lists every setting."


@pytest.mark.parametrize("name", ["VLLM_CONFIG", "vllm_config", "LLM"])
def test_a_variable_that_should_hold_json_and_does_not(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "{max_model_len: 8192}")

    error = problem()

    assert error.message.startswith(f"{name.upper()} is '{{max_model_len: 8192}}', but must be JSON: ")
    assert """VLLM_CONFIG='{"max_model_len": 8192}'""" in error.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MODEL: a\n  b: c", "config.yaml is not valid YAML at line 2: mapping values are not allowed here."),
        ("\n\nMODEL: [a", "config.yaml is not valid YAML at line 3: expected ',' or ']', but got '<stream end>'."),
        ("MODEL: a\n\tSTRICTNESS: 1", "config.yaml is not valid YAML at line 2: "),
        ("MODEL: 'a\x00b'", "config.yaml is not valid YAML: "),
        ("MODEL: !!python/object/apply:os.getcwd []", "config.yaml is not valid YAML at line 1: "),
        ("- LLM_ENGINE\n- ollama", "config.yaml holds no settings."),
        ("LLM_ENGINE=ollama", "config.yaml holds no settings."),
    ],
)
def test_a_broken_file_is_told_with_its_line(write: WriteFile, text: str, message: str) -> None:
    write(text)

    assert problem().message.startswith(message)


def test_a_file_that_is_no_text_is_told(write: WriteFile) -> None:
    write("").write_bytes(b"MODEL: \xff\xfe")

    assert problem().message.startswith("config.yaml cannot be read: ")


def test_a_named_file_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIG_FILE", "/nowhere/my.yaml")

    assert problem().message == "CONFIG_FILE names /nowhere/my.yaml, which is no file."


# secrets


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "VLLM_API_KEY: [sk-geheim]"),
        ({}, "VLLM_API_KEY: {sk-geheim: 1}"),
        ({}, "VLLM_API_KEYS: sk-geheim"),
        ({}, "VLLM_CONFIG: {api_key: sk-geheim, dtype: int8}"),
        ({}, "VLLM_CONFIG: {api_key: sk-geheim, dtype: {api_key: sk-geheim}}"),
        ({}, "VLLM_CONFIG: [{hf_token: sk-geheim}]"),
        ({"VLLM_CONFIG": "{api_key: sk-geheim}"}, ""),
        ({"STRICTNESS": "x", "VLLM_API_KEY": "sk-geheim"}, ""),
        ({}, "llm: {routes: {a: {base_url: 'http://gpu:8000', api_key: [sk-geheim]}}}"),
        ({}, "llm: {routes: {a: {base_url: 'http://gpu:8000', api_keys: sk-geheim}}}"),
        ({}, "llm: {routes: {a: {base_url: 'http://gpu:8000', api_key: sk-geheim, tier: -1}}}"),
        ({}, "llm: {routes: {a: {base_url: 'reader:sk-geheim@gpu:8000'}}}"),
        ({}, "llm: {routes: {a: {base_url: ['http://reader:sk-geheim@gpu:8000']}}}"),
        ({"VLLM_BASE_URL": "http://gpu:8000,reader:sk-geheim@gpu:8001"}, ""),
    ],
)
def test_a_key_is_never_in_a_message(
    write: WriteFile, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], text: str
) -> None:
    write(text)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert "sk-geheim" not in str(problem())


def test_a_key_is_not_printed_with_the_settings() -> None:
    settings = load_settings(
        vllm_api_key="sk-geheim", llm={"routes": {"a": {"base_url": "http://gpu:8000", "api_key": "sk-geheim"}}}
    )

    assert settings.vllm_api_key == settings.llm.routes["a"].api_key == "sk-geheim"
    assert "sk-geheim" not in repr(settings) + str(settings)


def test_a_long_value_is_cut_short(write: WriteFile) -> None:
    write(f"STRICTNESS: {'x' * 100_000}")

    assert len(problem().message) < 200


# importing


def test_settings_can_be_imported_by_name(write: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    write("MODEL: qwen3:8b\nVLLM_CONFIG: {max_model_len: 8192}\nVLLM_MODEL_PATH: /models/x")
    monkeypatch.setenv("LLM_ENGINE", "ollama")

    from app.config import LLM_ENGINE, MODEL, VLLM_CONFIG, VLLM_MODEL_PATH

    assert (MODEL, VLLM_MODEL_PATH, VLLM_CONFIG, LLM_ENGINE) == (
        "qwen3:8b",
        "/models/x",
        {"max_model_len": 8192},
        "ollama",
    )


def test_what_is_no_setting_cannot_be_imported() -> None:
    with pytest.raises(AttributeError, match="no attribute 'COLOUR'"):
        app.config.COLOUR  # noqa: B018
    assert not hasattr(app.config, "model")  # only the names in capitals


def test_the_settings_of_a_process_are_read_once(write: WriteFile) -> None:
    write("MODEL: first")
    first = get_settings()
    write("MODEL: second")

    assert get_settings() is first
    with pytest.raises(ValueError, match="frozen"):
        first.model = "third"


def test_an_error_is_not_remembered(write: WriteFile) -> None:
    write("STRICTNESS: x")
    with pytest.raises(ConfigError):
        get_settings()
    write("STRICTNESS: 1")

    assert get_settings().strictness == 1


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_bad_file_breaks_the_command_in_one_line_and_never_its_help(write: WriteFile, tmp_path: Path) -> None:
    path = write("LLM_ENGIN: ollama")
    variables = {"CONFIG_FILE": str(path), "DATA_DIR": str(tmp_path / "state")}

    helped = run("app", "--help", **variables)
    failed = run("app", "documents", **variables)

    assert (helped.returncode, helped.stderr) == (0, "")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr == (
        "hotswap: LLM_ENGIN is no setting (did you mean LLM_ENGINE?)."
        " Correct it in config.yaml or the environment; config.example.yaml lists every setting.\n"
    )


# what is printed for people


def test_a_name_that_is_there_twice_is_an_error(write: WriteFile) -> None:
    write("llm:\n  routes:\n    a: {base_url: http://x}\n    a: {base_url: http://y}\n")
    with pytest.raises(ConfigError, match="line 4: a is there twice"):
        load_settings()


def test_the_example_file_is_what_the_code_prints() -> None:
    assert (ROOT / "config.example.yaml").read_text(encoding="utf-8") == EXAMPLE
    assert run("app.config").stdout == EXAMPLE


def test_the_table_of_the_docs_is_what_the_code_prints() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    table = page.split("table` -->\n")[1].split("<!-- end of settings -->")[0]

    assert table == TABLE
    assert run("app.config", "table").stdout == TABLE


def test_the_page_of_the_profiles_is_what_the_code_prints() -> None:
    page = (ROOT / "docs" / "vllm-profiles.md").read_text(encoding="utf-8")

    assert run("app.config", "profiles").stdout == page


def test_the_example_names_every_setting_and_uncommented_it_is_the_defaults(write: WriteFile, tmp_path: Path) -> None:
    blocks = EXAMPLE.split("\n\n")[1:]
    uncommented = "\n".join(line.removeprefix("# ") for block in blocks for line in block.strip().splitlines()[1:])
    expected = load_settings()

    write(uncommented)

    assert {name.lower() for name in yaml.safe_load(uncommented)} == set(Settings.model_fields)
    assert load_settings() == expected.model_copy(update={"data_dir": tmp_path / "data" / "state"})


def test_every_setting_is_explained() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize("given", ["one-key, two-key", ["one-key", " two-key "], "one-key,,two-key,"])
def test_keys_are_a_list_or_have_commas_between_them(given: object) -> None:
    assert load_settings(api_keys=given).keys == ("one-key", "two-key")
    assert load_settings().keys == ()


def test_a_wrong_key_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(api_keys="geheim-schlüssel")
    assert "API_KEYS" in str(caught.value) and "geheim" not in str(caught.value)
    assert "geheim" not in repr(load_settings(api_keys="geheim-1"))
