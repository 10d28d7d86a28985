"""What a model is for, by its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.errors import ModelDamaged, ModelUnusable
from app.models.kinds import check, kind_of
from tests.models import parts
from tests.models.known import LLAMA_3_8B

PARTS = '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]'
CROSS_ENCODER = '{"model_type": "CrossEncoder"}'


def folder_of(folder: Path, config: dict[str, Any], **files: str) -> Path:
    return parts.model(folder, {**LLAMA_3_8B, **config}, {f"{name}.json": text for name, text in files.items()})


@pytest.mark.parametrize(
    ("config", "files", "kind"),
    [
        ({}, {}, "chat"),
        ({"architectures": None}, {}, "chat"),
        ({"architectures": ["Qwen2_5_VLForConditionalGeneration"]}, {}, "chat"),
        ({"architectures": ["GPT2LMHeadModel"]}, {}, "chat"),
        ({"architectures": ["BertForMaskedLM"]}, {}, "chat"),
        ({"architectures": ["BertModel"]}, {}, "embedding"),
        ({"architectures": ["BertForSequenceClassification"]}, {}, "reranker"),
        ({"architectures": ["NewModel"], "auto_map": {"AutoModelForSequenceClassification": "m.N"}}, {}, "reranker"),
        ({"architectures": ["QWenModel"], "auto_map": {"AutoModelForCausalLM": "m.Q"}}, {}, "chat"),
        ({"auto_map": ["odd"]}, {}, "chat"),
        ({}, {"modules": PARTS}, "embedding"),
        ({}, {"modules": PARTS, "config_sentence_transformers": CROSS_ENCODER}, "reranker"),
        ({}, {"modules": PARTS, "config_sentence_transformers": "{}"}, "embedding"),
    ],
)
def test_the_kind_is_found_out(tmp_path: Path, config: dict[str, Any], files: dict[str, str], kind: Any) -> None:
    folder = folder_of(tmp_path / "model", config, **files)
    assert kind_of(folder) == kind
    assert check(folder, kind)


@pytest.mark.parametrize(
    ("config", "kind", "words"),
    [
        ({}, "reranker", "is no reranker: it writes text"),
        ({"architectures": ["BertModel"]}, "reranker", "it makes vectors"),
        ({"architectures": ["BertModel"]}, "chat", "is an embedding model"),
        ({"architectures": ["BertForSequenceClassification"]}, "chat", "is a reranker"),
        ({"architectures": ["BertForSequenceClassification"]}, "embedding", "makes no vectors"),
    ],
)
def test_a_model_for_something_else_is_refused(tmp_path: Path, config: dict[str, Any], kind: Any, words: str) -> None:
    with pytest.raises(ModelUnusable, match=words) as caught:
        check(folder_of(tmp_path / "model", config), kind)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"path": 1}]x', "null"])
def test_a_list_of_parts_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    folder = parts.model(tmp_path / "model", files={"modules.json": text})
    with pytest.raises(ModelDamaged, match=r"modules\.json"):
        check(folder, "embedding")
