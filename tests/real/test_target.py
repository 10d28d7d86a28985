"""The engine ``vllm`` as a benchmark asks it: every token heard as it comes, and its statistics."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import REGISTRY

from app.benchmark.engine_target import EngineTarget
from app.benchmark.prompts import Length, Prompt
from app.benchmark.target import Hearing
from app.engines.vllm import VllmEngine
from tests.real.conftest import wait_until

ASKED = Prompt("p", ({"role": "user", "content": "灯塔在哪里？ Which engine answers?"},))


def heard(target: EngineTarget, *lengths: int) -> list[Hearing]:
    """Answers of these lengths, all asked for at once."""

    async def all_of_them() -> list[Hearing]:
        hearings = [Hearing(time.perf_counter) for _ in lengths]
        await asyncio.gather(
            *(target.answer(ASKED, Length(most), each) for most, each in zip(lengths, hearings, strict=True))
        )
        return hearings

    return asyncio.run(all_of_them())


def written() -> float:
    """What vLLM says that it has written, in tokens."""
    labels = {"model_name": "org/tiny", "engine": "0"}
    return REGISTRY.get_sample_value("vllm:generation_tokens_total", labels) or 0.0


def test_an_answer_has_the_length_that_was_asked_for_and_comes_in_pieces(loaded: VllmEngine) -> None:
    target = EngineTarget(loaded)
    for _ in range(5):  # on a busy machine all of an answer may come at once
        began = time.perf_counter()
        (hearing,) = heard(target, 200)
        if len(hearing.times) > 1:
            break
    assert (target.name, target.model) == ("vllm", loaded.check().model)
    assert hearing.output_tokens == hearing.ids == 200
    assert hearing.input_tokens is not None and hearing.input_tokens > 10
    assert hearing.finish_reason == "length" and not hearing.late
    assert 1 < len(hearing.times) <= 200
    assert began < hearing.times[0] < hearing.times[-1]


def test_readers_at_once_each_hear_the_whole_of_theirs_and_vllm_counts_the_same(loaded: VllmEngine) -> None:
    lengths = range(40, 48)
    before = written()
    hearings = heard(EngineTarget(loaded), *lengths)
    assert [hearing.output_tokens for hearing in hearings] == list(lengths)
    assert [hearing.ids for hearing in hearings] == list(lengths)
    wait_until(lambda: written() - before == sum(lengths))


def test_who_is_cancelled_has_vllm_abort_the_request(loaded: VllmEngine) -> None:
    runtime = loaded._runtime
    assert runtime is not None

    async def leave() -> None:
        reading = asyncio.create_task(EngineTarget(loaded).answer(ASKED, Length(1900), Hearing(time.perf_counter)))
        while not runtime.unfinished():
            assert not reading.done()
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled()

    before = written()
    asyncio.run(leave())
    wait_until(lambda: runtime.unfinished() == 0, 60)
    assert written() - before < 1900
