"""What a comparison is asked for: checked before anything is loaded, the same after a way through JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.benchmark.comparisons.request import CompareRequest, TuneRequest
from app.benchmark.named_engine import check_engine
from app.benchmark.prompts import PromptSource
from app.errors import BenchmarkError, ConfigError


@pytest.mark.parametrize(
    "request_",
    [
        CompareRequest(
            ("hf", "vllm=/models/x"), readers=(1, 64), prompts=PromptSource("collection", collection="灯塔")
        ),
        TuneRequest("vllm", draft="/models/small", tries=("ngram",), requests=5, id="x"),
    ],
)
def test_json_changes_nothing(request_: CompareRequest | TuneRequest) -> None:
    assert type(request_).from_dict(json.loads(json.dumps(request_.as_dict()))) == request_


def test_what_is_left_out_has_its_default() -> None:
    assert CompareRequest.from_dict({"engines": ["hf", "vllm"]}) == CompareRequest(("hf", "vllm"))
    assert TuneRequest("hf").readers == (1, 8)
    assert CompareRequest(("hf", "vllm")).readers == (1, 8, 32)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"engines": ("hf",)}, "two engines"),
        ({"engines": ("hf", "vllm", "hf")}, "twice"),
        ({"engines": ("hf", "transformers=")}, "twice"),
        ({"engines": ("hf", "extractive")}, "no model"),
        ({"readers": ()}, "none"),
        ({"readers": (1, 0)}, "0"),
        ({"readers": (100_000,)}, "100,000"),
        ({"turns": (-1,)}, "-1"),
        ({"repeats": 0}, "0"),
        ({"max_tokens": 0}, "0 tokens"),
        ({"requests": 0}, "Requests: 0"),
        ({"prompts": PromptSource(tokens=0)}, "0 tokens"),
        ({"prompts": PromptSource("poems")}, "poems"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_measured_is_said_in_a_line(change: dict[str, Any], told: str) -> None:
    request = CompareRequest(**{"engines": ("hf", "vllm"), **change})
    with pytest.raises(BenchmarkError, match=told) as caught:
        request.check()
    assert caught.value.hint


def test_an_unknown_engine_is_a_wrong_name() -> None:
    with pytest.raises(ConfigError, match="'vlm' is no engine"):
        CompareRequest(("hf", "vlm")).check()
    with pytest.raises(ConfigError):
        TuneRequest("auto").check()


def test_a_model_may_have_any_name() -> None:
    assert check_engine("ollama=qwen3:8b") == ("ollama", "qwen3:8b")
    assert check_engine("transformers=/models/a=b") == ("hf", "/models/a=b")
    assert check_engine("hf=") == ("hf", "")


def test_more_readers_ask_more() -> None:
    request = CompareRequest(("hf", "vllm"))

    assert [request.asked(readers) for readers in request.readers] == [8, 16, 64]
    assert CompareRequest(("hf", "vllm"), requests=3).asked(32) == 3
