"""Who writes instead, one engine after the other, when those before it cannot."""

from __future__ import annotations

import pytest

from app.config import load_settings
from app.conversation.request import Request
from app.conversation.response import Response
from app.engines.switch import EngineSwitch
from app.errors import EngineError, ModelDamaged
from app.fallback import WriterLine
from tests.engines.fakes import World


def response(world: World, wanted: str | None = None) -> tuple[Response, EngineSwitch]:
    switch = EngineSwitch(load_settings(llm_engine="vllm"), world.make)
    line = WriterLine(switch, wanted)
    return Response(Request("Who?", (), None, line.first, line.after)), switch


def broken(name: str) -> ModelDamaged:
    return ModelDamaged(f"{name} is broken.", "Fetch it again.")


def test_an_engine_that_cannot_be_loaded_either_is_passed_over() -> None:
    world = World(fails={"vllm": broken("vllm"), "hf": broken("hf")})
    answer, switch = response(world)
    assert set("".join(answer).split()) == {"extractive"}
    assert (answer.answer.engine, answer.complete) == ("extractive", True)
    assert all(not switch.readers(name) for name in ("vllm", "hf", "extractive"))


def test_where_nobody_can_the_first_error_is_told() -> None:
    world = World(fails={name: broken(name) for name in ("vllm", "hf", "extractive")})
    answer, _ = response(world)
    with pytest.raises(EngineError, match="vllm is broken"):
        "".join(answer)
