"""Writing one setting into the file: the rest of it stays as it was, byte for byte."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import app.config
from app.config import Settings, example_yaml, load_settings
from app.config_write import set_value
from app.errors import ConfigError

EXAMPLE = example_yaml()
WriteFile = Callable[[str], Path]


@pytest.fixture(autouse=True)
def only_this_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(app.config, "ROOT", tmp_path)
    yield


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    """Writes ``config.yaml`` where the product looks for it."""

    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_bytes(text.encode())
        return path

    return write


def refused(key: str = "MODEL", value: str = "new") -> ConfigError:
    """The error of a file that cannot be changed, checked for what all of them have in common."""
    with pytest.raises(ConfigError) as caught:
        set_value(key, value)
    error = caught.value
    assert error.message.endswith(".") and error.hint.endswith(".")
    assert "\n" not in str(error) and "Error" not in str(error)
    return error


# one setting, everything else as it was


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("MODEL: a\n", "MODEL: new\n"),
        ("model: a", "model: new"),
        ("\ufeffModel: a # why\r\nLOG_LEVEL: INFO\r\n", "\ufeffModel: new # why\r\nLOG_LEVEL: INFO\r\n"),
        ("MODEL:\nLOG_LEVEL: INFO\n", "MODEL: new\nLOG_LEVEL: INFO\n"),
        ("MODEL: # none yet\nLOG_LEVEL: INFO\n", "MODEL: new # none yet\nLOG_LEVEL: INFO\n"),
        ("MODEL:   'it''s # one'   # why\n", "MODEL:   new   # why\n"),
        ('"MODEL" : !!str 5\n', '"MODEL" : new\n'),
        ("? MODEL\n: a\n", "? MODEL\n:  new\n"),
        ("# top\n\nMODEL: a\n\n\n# end", "# top\n\nMODEL: new\n\n\n# end"),
        ("---\n  MODEL: a\n  LOG_LEVEL: INFO\n...\n", "---\n  MODEL: new\n  LOG_LEVEL: INFO\n...\n"),
        ("MODEL: one\n  two\n# end\n", "MODEL: new\n# end\n"),
        ("MODEL: 'one\n\n  two' # why\n", "MODEL: new # why\n"),
        ("MODEL: >- # why\n  one\n  # two\n\n# end\nLOG_LEVEL: INFO\n", "MODEL: new # why\n\n# end\nLOG_LEVEL: INFO\n"),
        ("MODEL: # why\n- a\n- b # two\n\n# end\nLOG_LEVEL: INFO\n", "MODEL: # why\n new\n\n# end\nLOG_LEVEL: INFO\n"),
        ("MODEL:\n  a: 1\n  # two\n  b: [1,\n  2]\n", "MODEL:\n  new\n"),
        ("MODEL: [a, # one\n  b] # two\n", "MODEL: new # two\n"),
        ("MODEL: a\nmodel: b\n", "MODEL: a\nmodel: new\n"),
        ("X: &x a\nMODEL: b\nY: *x\n".replace("X", "LOG_LEVEL").replace("Y", "VLLM_MODEL"),
         "X: &x a\nMODEL: new\nY: *x\n".replace("X", "LOG_LEVEL").replace("Y", "VLLM_MODEL")),
    ],
)  # fmt: skip
def test_the_value_alone_is_replaced(write: WriteFile, before: str, after: str) -> None:
    path = write(before)

    assert set_value("MODEL", "new").path == path
    assert path.read_bytes().decode() == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "MODEL: new\n"),
        ("\ufeff", "\ufeffMODEL: new\n"),
        ("# nothing yet\n", "# nothing yet\nMODEL: new\n"),
        ("LOG_LEVEL: INFO", "LOG_LEVEL: INFO\nMODEL: new"),
        ("LOG_LEVEL: INFO\r\n\r\n", "LOG_LEVEL: INFO\r\n\r\nMODEL: new\r\n"),
        ("  LOG_LEVEL: INFO\n", "  LOG_LEVEL: INFO\n  MODEL: new\n"),
        ("# which\n# MODEL: ''\n\n# END: 1\n", "# which\n# MODEL: ''\nMODEL: new\n\n# END: 1\n"),
        ("#model: ''", "#model: ''\nMODEL: new"),
        ("VLLM_CONFIG:\n  # MODEL: no\n  dtype: half\n", "VLLM_CONFIG:\n  # MODEL: no\n  dtype: half\nMODEL: new\n"),
        ("VLLM_MODEL: |+\n  a\n\n", "VLLM_MODEL: |+\n  a\n\nMODEL: new\n"),
    ],
)
def test_a_missing_setting_goes_below_its_commented_default_or_to_the_end(
    write: WriteFile, before: str, after: str
) -> None:
    path = write(before)

    assert set_value("MODEL", "new").before is None
    assert path.read_bytes().decode() == after


def test_every_setting_of_the_example_file_finds_its_place(write: WriteFile) -> None:
    path = write(EXAMPLE)

    set_value("EMBEDDING_MODEL", "BAAI/bge-small-zh-v1.5")

    default = "# EMBEDDING_MODEL: all-MiniLM-L6-v2\n"
    assert path.read_text(encoding="utf-8") == EXAMPLE.replace(
        default, f"{default}EMBEDDING_MODEL: BAAI/bge-small-zh-v1.5\n"
    )
    assert load_settings().embedding_model == "BAAI/bge-small-zh-v1.5"


def test_without_a_file_one_is_made(tmp_path: Path) -> None:
    written = set_value("MODEL", "qwen3:8b")

    assert (written.path, written.before) == (tmp_path / "config.yaml", None)
    assert [line[:2] for line in written.path.read_text(encoding="utf-8").splitlines()] == ["# ", "MO"]
    assert load_settings().model == "qwen3:8b"


def test_the_named_file_is_the_one_that_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("MODEL: old\n", encoding="utf-8")
    monkeypatch.setenv("CONFIG_FILE", str(other))

    written = set_value("MODEL", "new")

    assert (written.path, written.before) == (other, "old")
    assert not (tmp_path / "config.yaml").exists()


@pytest.mark.parametrize(
    "value",
    [
        r"C:\models\Qwen3 8B", r"\\server\share", "D:/a: b", "a #b", "#a", "- a", "[a]", "{a: b}", "on", "null", "~",
        "12", "1e3", "0x1f", "2026-11-21", "模型/千问", "it's", '"quoted"', "'", " edges ", "tab\tin", "line\nbreak",
        "=", "<<", "*a", "&a", "!a", "%a", "@a", "`a", "? a", "\u2028", "🙂", "a" * 500, "a b " * 200,
    ],
)  # fmt: skip
def test_yaml_reads_the_same_text_back(write: WriteFile, value: str) -> None:
    path = write("LOG_LEVEL: INFO\nMODEL: old # why\n")

    set_value("MODEL", value)

    text = path.read_bytes().decode()
    assert yaml.safe_load(text) == {"LOG_LEVEL": "INFO", "MODEL": value}
    assert text.startswith("LOG_LEVEL: INFO\nMODEL: ") and text.endswith(" # why\n") and text.count("\n") == 2


def test_names_with_values_are_written_and_read_as_settings(write: WriteFile) -> None:
    ngram = {"method": "ngram", "num_speculative_tokens": 4}
    for before in ("# mine\n", "# mine\nVLLM_CONFIG: {dtype: auto}\n", "# mine\nVLLM_CONFIG:\n  dtype: auto\n"):
        path = write(before)
        set_value("VLLM_CONFIG", {"dtype": "auto", "speculative_config": ngram})

        assert load_settings().vllm_config == {"dtype": "auto", "speculative_config": ngram}
        assert path.read_text(encoding="utf-8").startswith("# mine\nVLLM_CONFIG:")


def test_an_empty_value_unsets(write: WriteFile) -> None:
    path = write("MODEL: old\n")

    set_value("MODEL", "")

    assert path.read_text(encoding="utf-8") == "MODEL: ''\n"
    assert load_settings().model == ""


# which variable wins over the file


@pytest.mark.parametrize(
    ("variables", "key", "winner"),
    [
        ({}, "MODEL", None),
        ({"MODEL": "x"}, "MODEL", "MODEL"),
        ({"MODEL": ""}, "MODEL", None),
        ({"VLLM_MODEL": "x", "INFERENCE_ENGINE": "hf"}, "MODEL", None),
        ({"INFERENCE_ENGINE": "hf"}, "LLM_ENGINE", "INFERENCE_ENGINE"),
        ({"INFERENCE_ENGINE": "hf", "LLM_ENGINE": "vllm"}, "LLM_ENGINE", "LLM_ENGINE"),
        ({"INFERENCE_ENGINE": "hf", "LLM_ENGINE": ""}, "LLM_ENGINE", "INFERENCE_ENGINE"),
    ],
)
def test_a_variable_that_wins_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], key: str, winner: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert set_value(key, "ollama").overridden_by == winner


def test_a_variable_wins_in_lower_case_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("model", "mine")

    overridden_by = set_value("MODEL", "new").overridden_by

    assert overridden_by is not None and overridden_by.upper() == "MODEL"  # Windows shows it in capitals
    assert load_settings().model == "mine"


# what is left alone


@pytest.mark.parametrize(
    "text",
    [
        "{MODEL: a}",
        "MODEL: &a x\nVLLM_MODEL: *a\n",
        "VLLM_MODEL: &a x\nMODEL: *a\n",
        "? MODEL\n",
        "LOG_LEVEL: INFO\n...\n",
        "VLLM_MODEL: |\n  a line break of its own would be added",
    ],
)
def test_what_had_to_be_rewritten_is_left_to_its_user(write: WriteFile, text: str) -> None:
    path = write(text)

    assert str(refused()) == (
        "config.yaml is built so that MODEL cannot be set in it."
        " Set MODEL to 'new' there by hand, or in the environment."
    )
    assert path.read_bytes().decode() == text


@pytest.mark.parametrize("text", ["MODEL: [", "- MODEL\n", "text", "a: b: c", "MODEL: a\n---\nMODEL: b\n", "NO: 1\n"])
def test_a_file_that_is_not_valid_is_left_alone(write: WriteFile, text: str) -> None:
    path = write(text)

    refused()

    assert path.read_bytes().decode() == text


def test_a_file_that_is_not_utf_8_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"MODEL: \xff")

    refused()

    assert (tmp_path / "config.yaml").read_bytes() == b"MODEL: \xff"


def test_a_missing_named_file_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIG_FILE", str(tmp_path / "none.yaml"))

    assert refused().message.startswith("CONFIG_FILE names")
    assert list(tmp_path.iterdir()) == []


# how the file is written


def test_mode_and_link_stay(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "real.yaml"
    real.parent.mkdir()
    real.write_text("MODEL: old\n", encoding="utf-8")
    real.chmod(0o640)
    (tmp_path / "config.yaml").symlink_to(real)

    set_value("MODEL", "new")

    assert (tmp_path / "config.yaml").readlink() == real
    assert real.read_text(encoding="utf-8") == "MODEL: new\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert list(real.parent.iterdir()) == [real]


def test_a_file_that_says_it_already_is_not_written(write: WriteFile) -> None:
    path = write("MODEL: same\n")
    known = path.stat().st_ino

    assert set_value("MODEL", "same").before == "same"
    assert path.stat().st_ino == known


def test_a_link_to_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").symlink_to(tmp_path / "gone" / "config.yaml")

    assert refused().message == "config.yaml cannot be written: No such file or directory."


def test_a_read_only_file_is_left_alone(write: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("MODEL: old\n")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # to root every file is writable

    assert refused().message == "config.yaml cannot be written: it is read-only."
    assert path.read_text(encoding="utf-8") == "MODEL: old\n"


def test_what_cannot_be_put_in_place_leaves_nothing_behind(write: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("MODEL: old\n")

    def busy(source: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", busy)

    assert refused("VLLM_API_KEY", "hidden").hint == "Set VLLM_API_KEY to … there by hand, or in the environment."
    assert path.read_text(encoding="utf-8") == "MODEL: old\n"
    assert list(path.parent.iterdir()) == [path]


# any file

names = st.sampled_from(sorted(name.upper() for name in Settings.model_fields if name != "llm"))
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
spellings = st.sampled_from([str, str.lower, str.title, lambda name: f'"{name}"', lambda name: f"'{name}' "])
on_one_line = st.sampled_from(
    [
        "", " ", " a", " a b # why", " 'a: # b'", ' "a\\tb"  # why', " 12", " [a, {b: c}]", " {a: b} # why", " !!str 1",
    ]
)  # fmt: skip
on_many = st.sampled_from(
    [
        " one\n  two", " 'one\n\n  two' # why", " |\n  a\n  # b\n", " |+\n  a\n\n", " >2- # why\n    a\n\n  b",
        "\n- a\n- b # c", "\n  a: 1\n  b:\n   - c", " # why\n  a", " [a, # b\n  c]",
    ]
)  # fmt: skip
quoted = texts.map(lambda text: " " + yaml.safe_dump(text, default_style='"', width=10**6).splitlines()[0])
# No indented comment: below a block of text it would be part of that text.
noise = st.lists(st.sampled_from(["", "   ", "# why", "# MODEL: 1", "#", "# LOG_LEVEL: a # b", "# a: [b"]), max_size=3)


@st.composite
def files(draw: st.DrawFn) -> list[tuple[str, str]]:
    """The parts of a file as (name, text with its line break); the name of noise is empty."""
    parts: list[tuple[str, str]] = []
    for name in draw(st.lists(names, unique=True, max_size=5)):
        parts += [("", f"{line}\n") for line in draw(noise)]
        parts.append((name, f"{draw(spellings)(name)}:{draw(on_one_line | on_many | quoted)}\n"))
    return parts + [("", f"{line}\n") for line in draw(noise)]


@given(files(), names, texts, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff"]))
def test_in_any_file_one_setting_changes_and_no_other_line(
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[tuple[str, str]], key: str, value: str, ending: str, mark: str,
) -> None:  # fmt: skip
    joined = [text.replace("\n", ending) for _, text in parts]
    old = mark + "".join(joined)
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(old.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONFIG_FILE", str(path))
        set_value(key, value)
    new = path.read_bytes().decode()

    assert _settings(new) == {**_settings(old), key: value}
    mine = next((number for number, (name, _) in enumerate(parts) if name == key), None)
    if mine is not None:
        assert new.startswith(mark + "".join(joined[:mine]))
        assert new.endswith("".join(joined[mine + 1 :]))
        return
    lines = new.removeprefix(mark).split("\n")
    line = next(number for number, text in enumerate(lines) if text.lstrip().startswith(f"{key}:"))
    assert mark + "\n".join(lines[:line] + lines[line + 1 :]) == old


def _settings(text: str) -> dict[str, object]:
    return {str(name).upper(): value for name, value in (yaml.safe_load(text) or {}).items()}
