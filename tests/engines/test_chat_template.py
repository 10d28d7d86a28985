"""Prompts by the model's own chat template, with a real tokenizer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.engines.chat_template import PromptMaker
from app.engines.local_chat import Turns
from app.errors import ContextTooLong, ModelDamaged
from tests.engines import tiny_model

SYSTEM = {"role": "system", "content": "Answer."}
USER = {"role": "user", "content": "如何切换引擎？"}
NO_SYSTEM = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "<{{ message['role'] }}>{{ message['content'] }}{% endfor %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def rendered(tokenizer: Any, turns: Turns, window: int = 2048) -> str:
    return str(tokenizer.decode(PromptMaker(tokenizer, "tiny", window).ids(turns)))


def test_the_template_frames_every_turn_and_opens_the_answer(tokenizer: Any) -> None:
    assert rendered(tokenizer, [SYSTEM, USER]) == (
        "<|im_start|>system\nAnswer.<|im_end|>\n<|im_start|>user\n如何切换引擎？<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_template_that_knows_no_system_role_gets_it_with_the_question(tokenizer: Any) -> None:
    tokenizer.chat_template = NO_SYSTEM
    assert rendered(tokenizer, [SYSTEM, USER]) == "<user>Answer.\n\n如何切换引擎？"


@pytest.mark.parametrize(
    "template", ["{{ raise_exception('never') }}", "{% for %}", "{{ 1 / 0 }}", "{{ nothing.at.all }}"]
)
def test_a_template_that_fails_is_the_models_fault(tokenizer: Any, template: str) -> None:
    tokenizer.chat_template = template
    with pytest.raises(ModelDamaged, match="chat template of tiny"):
        rendered(tokenizer, [SYSTEM, USER])


def test_a_model_without_a_template_gets_a_plain_conversation(tokenizer: Any) -> None:
    tokenizer.chat_template = None
    assert rendered(tokenizer, [SYSTEM, USER]) == "System: Answer.\n\nUser: 如何切换引擎？\n\nAssistant:"


def test_thinking_is_switched_off_where_the_template_asks(tokenizer: Any) -> None:
    tokenizer.chat_template = "{{ 'quick' if enable_thinking is false else 'slow' }}"
    assert rendered(tokenizer, [USER]) == "quick"


def test_a_prompt_must_leave_room_for_an_answer(tokenizer: Any) -> None:
    length = len(PromptMaker(tokenizer, "tiny", 2048).ids([USER]))
    tight = PromptMaker(tokenizer, "tiny", length + 5)
    ids = tight.ids([USER])
    assert tight.room(ids, 100) == 5
    assert tight.room(ids, 3) == 3
    with pytest.raises(ContextTooLong, match=f"take {length} tokens; tiny has room for {length}") as caught:
        PromptMaker(tokenizer, "tiny", length).ids([USER])
    assert caught.value.hint


def test_several_threads_may_ask_at_once(tokenizer: Any) -> None:
    maker = PromptMaker(tokenizer, "tiny", 2048)
    with ThreadPoolExecutor(8) as threads:
        prompts = list(threads.map(lambda _: maker.ids([SYSTEM, USER]), range(200)))
    assert len({tuple(ids) for ids in prompts}) == 1
