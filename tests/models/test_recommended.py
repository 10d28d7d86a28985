"""The list of models worth starting with: complete, plausible, and something for everyone."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date
from typing import get_args

import pytest

from app.config import ROOT
from app.models.machine import Memory
from app.models.recommended import Recommended, RecommendedKind, fitting, looked_up, recommended, suits, table

GB = 10**9
EVERY = recommended()
PART = r"[A-Za-z0-9][\w.-]*"


@pytest.mark.parametrize("model", EVERY, ids=lambda model: model.name)
def test_an_entry_is_complete_and_plausible(model: Recommended) -> None:
    assert model.kind in get_args(RecommendedKind)
    assert re.fullmatch(f"{PART}/{PART}", model.name)
    assert re.fullmatch(f"({PART}/{PART})?", model.modelscope)
    assert model.source == f"https://huggingface.co/{model.name}"
    assert model.size_from in ("listed", "computed")
    assert model.languages and set(model.languages) <= {"en", "zh"}
    assert set(model.engines) <= {"vllm", "hf"} and bool(model.engines) == (model.kind in ("chat", "vision"))
    assert model.bits in (4, 8, 16, 32) and bool(model.quantization) == (model.bits < 16)
    assert model.license and 512 <= model.context <= 2**20
    assert model.why_en.endswith(".") and model.why_zh.endswith("。")
    assert "\n" not in model.why_en and "|" not in model.why_en


@pytest.mark.parametrize("model", EVERY, ids=lambda model: model.name)
def test_sizes_follow_from_parameters_and_bits(model: Recommended) -> None:
    """In four bits up to two fifths come on top: the embeddings stay in 16, and the scales are beside them."""
    least = model.parameters * model.bits / 8

    assert 0.98 <= model.size / least <= (1.4 if model.bits == 4 else 1.25)
    assert 0 < model.memory - 1.05 * model.size - 0.6 * GB < 3 * GB


@pytest.mark.parametrize("kind", get_args(RecommendedKind))
@pytest.mark.parametrize("language", ["en", "zh"])
def test_there_is_something_of_every_kind_in_every_language(kind: RecommendedKind, language: str) -> None:
    found = recommended(kind, language)

    assert found and all(model.kind == kind and language in model.languages for model in found)
    assert [model.memory for model in found] == sorted(model.memory for model in found)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("over", "memory"), [(0, 4), (4, 8), (8, 16), (16, 24), (24, 48)])
def test_every_size_of_machine_has_a_chat_model_of_its_own(over: int, memory: int, language: str) -> None:
    found = fitting(memory * GB, "chat", language)

    assert found and over * GB < found[0].memory <= memory * GB


def test_what_fits_comes_largest_first() -> None:
    found = fitting(16 * GB, "chat")

    assert [model.memory for model in found] == sorted((model.memory for model in found), reverse=True)
    assert len(found) < len(recommended("chat")) == len(fitting(80 * GB, "chat"))
    assert fitting(0) == []


def test_names_are_there_once_and_the_day_is_known() -> None:
    names = [model.name for model in EVERY]

    assert len(set(names)) == len(names)
    assert date(2026, 11, 21) <= looked_up()


def test_the_table_of_the_docs_is_what_the_code_prints() -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    printed = page.split("recommended` -->\n")[1].split("<!-- end of recommended -->")[0]
    done = subprocess.run(
        [sys.executable, "-m", "app.models.recommended"],
        cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60, check=True,
    )  # fmt: skip

    assert printed == table() == done.stdout


def test_a_model_suits_a_machine_by_its_memory_and_quantized_ones_want_a_gpu() -> None:
    plain = next(model for model in recommended("chat") if not model.quantization)
    packed = next(model for model in recommended("chat") if model.quantization)

    for device, model, room, suitable in (
        ("cpu", plain, plain.memory, True), ("cpu", plain, plain.memory - 1, False),
        ("cpu", packed, packed.memory, False), ("cuda", packed, packed.memory, True),
    ):  # fmt: skip
        assert suits(model, Memory(device, "a machine", 0, room)) is suitable  # type: ignore[arg-type]
