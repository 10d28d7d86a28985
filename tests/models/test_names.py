"""What a user may call a model that is to be fetched."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import ModelNotOffered
from app.models.names import Reference, parse

PART = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
NAME = st.builds("/".join, st.lists(PART, min_size=1, max_size=2))
REVISION = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Qwen/Qwen3-8B", Reference("Qwen/Qwen3-8B")),
        ("  gpt2\n", Reference("gpt2")),
        ("Qwen/Qwen3-8B/", Reference("Qwen/Qwen3-8B")),
        ("Qwen/Qwen3-8B@refs/pr/1", Reference("Qwen/Qwen3-8B", "refs/pr/1")),
        ("https://huggingface.co/Qwen/Qwen3-8B", Reference("Qwen/Qwen3-8B")),
        ("https://hf.co/Qwen/Qwen3-8B?library=transformers#card", Reference("Qwen/Qwen3-8B")),
        ("https://huggingface.co/gpt2", Reference("gpt2")),
        ("https://huggingface.co/gpt2/tree/v1", Reference("gpt2", "v1")),
        ("huggingface.co/Qwen/Qwen3-8B", Reference("Qwen/Qwen3-8B")),
        ("my.org/model@refs/pr/1", Reference("my.org/model", "refs/pr/1")),
        ("https://huggingface.co/Qwen/Qwen3-8B/tree/main", Reference("Qwen/Qwen3-8B")),
        ("https://huggingface.co/Qwen/Qwen3-8B/blob/v1.0/config.json", Reference("Qwen/Qwen3-8B", "v1.0")),
        ("https://huggingface.co/Qwen/Qwen3-8B/tree/refs%2Fpr%2F1", Reference("Qwen/Qwen3-8B", "refs/pr/1")),
        ("https://hf-mirror.com/Qwen/Qwen3-8B", Reference("Qwen/Qwen3-8B", "", "https://hf-mirror.com")),
        ("http://127.0.0.1:8000/org/m/tree/dev", Reference("org/m", "dev", "http://127.0.0.1:8000")),
        ("https://modelscope.cn/models/Qwen/Qwen3-8B/summary", Reference("Qwen/Qwen3-8B", "", "modelscope")),
        ("https://www.modelscope.cn/models/Qwen/Qwen3-8B", Reference("Qwen/Qwen3-8B", "", "modelscope")),
        ("https://modelscope.ai/models/Qwen/Qwen3-8B", Reference("Qwen/Qwen3-8B", "", "https://modelscope.ai")),
    ],
)  # fmt: skip
def test_names_and_addresses_are_understood(text: str, found: Reference) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a/b/c", "../model", "/no/such/folder", "C:\\models\\qwen", "org/na me", "模型", "org/m@", "a\0b",
        "https://", "https://huggingface.co", "https://huggingface.co/datasets/org/name", "http://[", "http://[::1/a/b",
        "https://huggingface.co/spaces/org/name", "https://huggingface.co/../..", "ftp://huggingface.co/org/name",
        "org/m@../x", "-rf",
    ],
)  # fmt: skip
def test_what_is_no_model_is_told_in_one_line(text: str) -> None:
    with pytest.raises(ModelNotOffered) as caught:
        parse(text)
    assert caught.value.hint and "\n" not in str(caught.value)


@given(name=NAME, revision=REVISION)
def test_every_hub_id_is_read_as_it_was_written(name: str, revision: str) -> None:
    assert parse(name) == Reference(name)
    assert parse(f"{name}@{revision}") == Reference(name, revision)


@given(st.builds("{}{}".format, st.sampled_from(["", "http://", "https://x/", "https://huggingface.co/"]), st.text()))
@example("https://[")
@example("https://x/%00/%2e%2e")
def test_anything_else_is_an_error_of_ours(text: str) -> None:
    try:
        found = parse(text)
    except ModelNotOffered:
        return
    assert ".." not in found.name.split("/") and found.name.count("/") <= 1
