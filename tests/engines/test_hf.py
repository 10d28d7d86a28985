"""The engine ``hf`` with real tiny models: how it answers, breaks off, gives back, and what it says of faults."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from langchain_core.messages import AIMessageChunk, HumanMessage
from safetensors.torch import load_file, save_file

from app.config import ROOT, Settings, load_settings
from app.engines import hf_running
from app.engines.hf import HfEngine
from app.engines.hf_solo import Solo
from app.errors import ContextTooLong, EngineError, EngineUnavailable, IncompleteAnswer, ModelDamaged, OutOfMemory
from app.schema import Progress
from tests.engines.hf_models import alone, lively, mamba
from tests.engines.tiny_model import CONTEXT, SAYS, make

CHINESE = "青屿灯塔🏠由林海主持修建。"
QUESTIONS = [f"{'Where is the lighthouse? ' * (1 + number % 3)}{number} 灯塔在哪里？" for number in range(8)]
TOKENS = 20


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """So small a model is slowed down by several threads, on a busy machine tenfold."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model whose words are noise, and which hardly ever ends by itself."""
    return lively(tmp_path_factory.mktemp("models") / "lively")


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, str]:
    """What the model says to each question, alone."""
    return {question: alone(folder, question, TOKENS) for question in QUESTIONS}


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model that says one sentence."""
    return make(tmp_path_factory.mktemp("models") / "speaker", says=SAYS)


def settings_for(folder: Path | str, **changes: Any) -> Settings:
    return load_settings(**{"hf_model_path": str(folder), "hf_device": "cpu", "hf_dtype": "float32", **changes})


@pytest.fixture
def engine_of() -> Iterator[Callable[..., HfEngine]]:
    """Makes engines that are closed after the test."""
    made: list[HfEngine] = []

    def build(folder: Path | str, **changes: Any) -> HfEngine:
        made.append(HfEngine(settings_for(folder, **changes)))
        return made[-1]

    yield build
    for engine in made:
        engine.close()


def thread_runs() -> bool:
    return any(thread.name == "hf" for thread in threading.enumerate())


def test_a_check_says_what_is_there_and_loads_nothing_heavy(folder: Path) -> None:
    code = (
        "import sys\nfrom app.config import load_settings\nfrom app.engines.hf import HfEngine\n"
        f"engine = HfEngine(load_settings(hf_model_path={str(folder)!r}))\n"
        "status = engine.check()\nassert status.ready and status.model == 'lively', status\n"
        "assert engine.memory().need.weights > 0 and engine.context_window() == 2048 and not engine.loaded\n"
        "engine.close()\n"
        "heavy = {'torch', 'transformers', 'langchain_core', 'safetensors', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )

    assert done.returncode == 0, done.stderr


def test_loading_tells_each_step_and_the_engine_is_ready_then(
    speaker: Path, engine_of: Callable[..., HfEngine]
) -> None:
    seen: list[Progress] = []
    engine = engine_of(speaker)
    engine.load(seen.append)
    engine.load(seen.append)

    assert [step.detail for step in seen] == [
        "transformers",
        "tokenizer of speaker",
        "weights of speaker",
        "first words",
    ]
    assert {step.stage for step in seen} == {"loading"}
    assert engine.loaded
    assert engine.memory() is None
    assert engine.context_window() == CONTEXT
    status = engine.check()
    assert (status.ready, status.model, status.detail) == (True, "speaker", "speaker on cpu, float32")


def test_an_answer_comes_in_pieces_and_says_how_it_ended(speaker: Path, engine_of: Callable[..., HfEngine]) -> None:
    chat = engine_of(speaker).chat_model()
    chunks = list(chat.stream([HumanMessage("When was it built?")]))

    assert "".join(chunk.text for chunk in chunks) == SAYS
    assert len(chunks) > 5
    last = chunks[-1]
    assert isinstance(last, AIMessageChunk)
    assert last.response_metadata["finish_reason"] == "stop"
    assert last.usage_metadata is not None
    assert last.usage_metadata["output_tokens"] == len(chunks)
    assert last.usage_metadata["input_tokens"] > 10


def test_chinese_and_emoji_arrive_whole(tmp_path: Path, engine_of: Callable[..., HfEngine]) -> None:
    make(tmp_path / "zh", says=CHINESE)
    chunks = list(engine_of(tmp_path / "zh").chat_model().stream("灯塔由谁修建？"))

    assert "".join(chunk.text for chunk in chunks) == CHINESE
    assert not any("\ufffd" in chunk.text for chunk in chunks)


def test_readers_of_every_kind_at_once_get_what_the_model_says_alone(
    folder: Path, truth: dict[str, str], engine_of: Callable[..., HfEngine]
) -> None:
    chat = engine_of(folder, hf_max_batch=3).chat_model()
    found: dict[str, str] = {}

    def sync(question: str) -> None:
        time.sleep(QUESTIONS.index(question) / 100)
        found[question] = "".join(chunk.text for chunk in chat.stream(question, max_tokens=TOKENS))

    async def looped(questions: list[str]) -> None:
        replies = await asyncio.gather(*(chat.ainvoke(question, max_tokens=TOKENS) for question in questions))
        found.update((question, reply.text) for question, reply in zip(questions, replies, strict=True))

    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(sync, question) for question in QUESTIONS[:4]]
        jobs += [pool.submit(asyncio.run, looped(QUESTIONS[at : at + 2])) for at in (4, 6)]
        for job in jobs:
            job.result()

    assert {question: text.rstrip("\ufffd") for question, text in found.items()} == truth


def test_max_tokens_ends_an_answer_as_too_long(folder: Path, engine_of: Callable[..., HfEngine]) -> None:
    reply = engine_of(folder).chat_model().invoke(QUESTIONS[0], max_tokens=3)

    assert reply.response_metadata["finish_reason"] == "length"
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["output_tokens"] == 3


@pytest.mark.parametrize("stop", [["Skarvoy"], ["never", "of Skar"], [" of Skarvoy was"]])
def test_a_stop_string_is_never_seen_also_when_it_spans_tokens(
    speaker: Path, engine_of: Callable[..., HfEngine], stop: list[str]
) -> None:
    reply = engine_of(speaker).chat_model().invoke("When was it built?", stop=stop)

    assert reply.text == SAYS[: SAYS.index(stop[-1])]
    assert reply.response_metadata["finish_reason"] == "stop"


def test_a_prompt_that_is_too_long_is_refused_and_one_that_just_fits_is_not(
    folder: Path, engine_of: Callable[..., HfEngine]
) -> None:
    chat = engine_of(folder).chat_model()
    with pytest.raises(ContextTooLong):
        chat.invoke("word " * CONTEXT)
    reply = chat.invoke("w" * (CONTEXT - 100), max_tokens=100_000)

    assert reply.usage_metadata is not None
    assert reply.usage_metadata["total_tokens"] == CONTEXT


def test_a_reader_who_leaves_makes_room_for_the_next(folder: Path, engine_of: Callable[..., HfEngine]) -> None:
    async def leave() -> None:
        stream = chat.astream("Tell me all.", max_tokens=1900)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]

    chat = engine_of(folder, hf_max_batch=1).chat_model()
    begun = time.monotonic()
    chat.invoke("Tell me all.", max_tokens=1900)
    whole = time.monotonic() - begun
    begun = time.monotonic()
    for _ in range(2):
        stream = chat.stream("Tell me all.", max_tokens=1900)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        asyncio.run(leave())
    assert chat.invoke("And you?", max_tokens=2).text is not None

    assert time.monotonic() - begun < whole


def test_closing_breaks_off_the_answers_ends_the_thread_and_the_next_question_loads_anew(
    folder: Path, engine_of: Callable[..., HfEngine]
) -> None:
    engine = engine_of(folder, hf_max_batch=1)
    chat = engine.chat_model()
    errors: list[EngineError] = []
    begun = threading.Barrier(3)

    def read(wait: Callable[[], object]) -> None:
        with pytest.raises(EngineError) as caught:
            for number, _ in enumerate(chat.stream("Tell me all.", max_tokens=1900)):
                if number == 0:
                    wait()
        errors.append(caught.value)

    first = threading.Thread(target=read, args=(begun.wait,))
    first.start()

    async def in_a_loop() -> None:
        with pytest.raises(EngineError) as caught:
            task = asyncio.create_task(chat.ainvoke("And me?"))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(begun.wait)
            await task
        errors.append(caught.value)

    second = threading.Thread(target=asyncio.run, args=(in_a_loop(),))
    second.start()
    begun.wait()
    engine.close()
    first.join(20)
    second.join(20)

    assert {type(error) for error in errors} == {IncompleteAnswer, EngineUnavailable}
    assert not thread_runs()
    assert not engine.loaded
    with pytest.raises(EngineUnavailable):
        chat.invoke("Still there?")
    assert engine.chat_model().invoke("And now?", max_tokens=2).response_metadata["finish_reason"] == "length"
    engine.close()
    engine.close()


def test_two_readers_at_once_load_the_model_once(folder: Path, engine_of: Callable[..., HfEngine]) -> None:
    engine = engine_of(folder)
    with ThreadPoolExecutor() as pool:
        chats = [job.result() for job in [pool.submit(engine.chat_model) for _ in range(3)]]

    assert chats[0] is chats[1] is chats[2]
    assert sum(thread.name == "hf" for thread in threading.enumerate()) == 1


def test_two_engines_that_load_at_once_leave_each_other_whole(
    tmp_path: Path, engine_of: Callable[..., HfEngine]
) -> None:
    """transformers changes its own classes while it loads; two that do so at once would leave them changed."""
    tied = make(tmp_path / "tied")
    engines = [engine_of(tied) for _ in range(6)]

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda engine: engine.load(lambda progress: None), engines))

    assert all(engine.loaded for engine in engines)


def test_closing_while_it_loads_stops_that(speaker: Path, engine_of: Callable[..., HfEngine]) -> None:
    engine = engine_of(speaker)
    closer: list[threading.Thread] = []

    def close_it(progress: Progress) -> None:
        if not closer:
            closer.append(threading.Thread(target=engine.close))
            closer[0].start()
            time.sleep(0.05)

    with pytest.raises(EngineUnavailable, match="closed while it was loading"):
        engine.load(close_it)
    closer[0].join(20)

    assert not engine.loaded
    assert not thread_runs()
    assert engine.check().ready


def test_a_job_that_is_cancelled_while_loading_gets_its_own_exception(
    speaker: Path, engine_of: Callable[..., HfEngine]
) -> None:
    class Cancelled(Exception):
        pass

    def cancel(progress: Progress) -> None:
        if progress.detail == "first words":
            raise Cancelled

    engine = engine_of(speaker)
    with pytest.raises(Cancelled):
        engine.load(cancel)

    assert not engine.loaded
    assert engine.check().ready


def resident() -> int:
    """Bytes of RAM that this process holds."""
    hf_running.release_memory()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_closing_gives_the_memory_back(tmp_path: Path, speaker: Path, engine_of: Callable[..., HfEngine]) -> None:
    large = make(tmp_path / "large", hidden=768, layers=8)
    small = engine_of(speaker)
    small.chat_model().invoke("Hello")  # what libraries load on first use stays
    small.close()
    before = resident()
    engine = engine_of(large)
    chat = engine.chat_model()
    assert chat.invoke("Hello", max_tokens=8).text is not None
    while_loaded = resident()
    engine.close()
    after = resident()

    taken = while_loaded - before
    assert taken > 130e6
    assert after - before < taken / 2  # but for buffers that the libraries keep once they have them


def test_a_draft_changes_nothing_about_a_greedy_answer(
    folder: Path, truth: dict[str, str], tmp_path: Path, engine_of: Callable[..., HfEngine]
) -> None:
    draft = lively(tmp_path / "draft", seed=1, num_hidden_layers=1, vocab_size=544)  # its vocabulary is filled up
    engine = engine_of(folder, hf_draft_model_path=str(draft))
    chat = engine.chat_model()
    with ThreadPoolExecutor() as pool:
        jobs = {question: pool.submit(chat.invoke, question, max_tokens=TOKENS) for question in QUESTIONS[:3]}
    found = {question: job.result().text for question, job in jobs.items()}

    assert {question: text.rstrip("\ufffd") for question, text in found.items()} == {
        question: truth[question] for question in QUESTIONS[:3]
    }
    stream = chat.stream("Tell me all.", max_tokens=1900)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert chat.invoke("And you?", max_tokens=2, temperature=0.8).response_metadata["finish_reason"] == "length"


def test_a_fixed_length_is_kept_by_every_way_of_writing(
    speaker: Path, tmp_path: Path, engine_of: Callable[..., HfEngine]
) -> None:
    """Past its end the model says something else; the same with a draft."""
    told = {}
    for name, engine in {
        "batch": engine_of(speaker),
        "draft": engine_of(speaker, hf_draft_model_path=str(speaker)),
        "mamba": engine_of(mamba(tmp_path / "mamba")),
    }.items():
        reply = engine.chat_model().invoke("When was it built?", max_tokens=60, ignore_eos=True)
        assert reply.usage_metadata is not None
        assert (reply.usage_metadata["output_tokens"], reply.response_metadata["finish_reason"]) == (60, "length")
        told[name] = reply.text

    assert told["batch"].startswith(SAYS)
    assert told["draft"] == told["batch"]


def test_the_tokens_of_half_a_character_are_told_without_text(
    tmp_path: Path, engine_of: Callable[..., HfEngine]
) -> None:
    make(tmp_path / "zh", says=CHINESE)
    chat = engine_of(tmp_path / "zh").chat_model()
    chunks = list(chat.stream("灯塔由谁修建？", return_token_ids=True))
    whole = chat.invoke("灯塔由谁修建？", return_token_ids=True)

    assert [len(chunk.response_metadata["token_ids"]) for chunk in chunks] == [1] * len(chunks)
    assert not all(chunk.text for chunk in chunks)
    assert "".join(chunk.text for chunk in chunks) == whole.text == CHINESE
    assert whole.response_metadata["token_ids"] == [
        token for chunk in chunks for token in chunk.response_metadata["token_ids"]
    ]


def test_speculation_wants_a_draft_and_writes_with_no_other_method(
    folder: Path, truth: dict[str, str], tmp_path: Path, engine_of: Callable[..., HfEngine]
) -> None:
    without = engine_of(folder, inference_method="speculative")
    status = without.check()
    assert not status.ready and without.memory() is None
    assert "HF_DRAFT_MODEL_PATH" in status.hint
    with pytest.raises(EngineUnavailable, match="no draft is set"):
        without.chat_model()

    draft = lively(tmp_path / "draft", seed=1, num_hidden_layers=1)
    weights = draft / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1000])
    engine = engine_of(folder, inference_method="speculative", hf_draft_model_path=str(draft))
    with pytest.raises(ModelDamaged):  # of the draft alone: the model itself is whole
        engine.chat_model()
    assert not engine.check().ready and not engine.loaded

    weights.write_bytes(whole)
    engine.close()
    reply = engine.chat_model().invoke(QUESTIONS[0], max_tokens=TOKENS)
    assert reply.text.rstrip("\ufffd") == truth[QUESTIONS[0]]
    assert isinstance(engine._running._worker._writer, Solo)  # type: ignore[union-attr]


def test_a_model_that_cannot_be_drafted_for_is_an_error(tmp_path: Path, engine_of: Callable[..., HfEngine]) -> None:
    model = mamba(tmp_path / "mamba")
    with pytest.raises(EngineError) as caught:
        engine_of(model, inference_method="speculative", hf_draft_model_path=str(model)).chat_model()
    assert "\n" not in str(caught.value) and caught.value.hint


def test_a_draft_of_another_family_is_refused_in_one_line(
    folder: Path, tmp_path: Path, engine_of: Callable[..., HfEngine]
) -> None:
    other = make(tmp_path / "other", says="Words of its own.")
    with pytest.raises(EngineUnavailable, match="another vocabulary"):
        engine_of(folder, hf_draft_model_path=str(other)).chat_model()


def test_a_model_without_attention_answers_one_reader_after_the_other(
    tmp_path: Path, engine_of: Callable[..., HfEngine]
) -> None:
    model = mamba(tmp_path / "mamba")
    chat = engine_of(model).chat_model()
    with ThreadPoolExecutor() as pool:
        replies = list(pool.map(lambda question: chat.invoke(question, max_tokens=9).text, QUESTIONS[:3]))

    assert [text.rstrip("\ufffd") for text in replies] == [alone(model, question, 9) for question in QUESTIONS[:3]]


def test_the_models_own_repetition_penalty_holds(
    tmp_path: Path, truth: dict[str, str], engine_of: Callable[..., HfEngine]
) -> None:
    model = lively(tmp_path / "penalty")
    config = json.loads((model / "generation_config.json").read_text())
    (model / "generation_config.json").write_text(json.dumps({**config, "repetition_penalty": 1.8}))
    reply = engine_of(model).chat_model().invoke(QUESTIONS[1], max_tokens=TOKENS)

    assert reply.text.rstrip("\ufffd") == alone(model, QUESTIONS[1], TOKENS)
    assert reply.text.rstrip("\ufffd") != truth[QUESTIONS[1]]


# faults


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def changed_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def unknown(folder: Path) -> None:
    changed_config(folder, model_type="nonesuch", architectures=["NonesuchForCausalLM"])


def misshapen(folder: Path) -> None:
    changed_config(folder, intermediate_size=999)


def without_a_layer(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({name: weights[name] for name in weights if "layers.1." not in name}, folder / "model.safetensors")


def own_code(folder: Path) -> None:
    changed_config(folder, model_type="mine", auto_map={"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.M"})


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def awq(folder: Path) -> None:
    changed_config(folder, quantization_config={"quant_method": "awq", "bits": 4})


FAULTS: list[tuple[Callable[[Path], None], type[EngineError], str]] = [
    (cut, ModelDamaged, "model.safetensors"),
    (unknown, EngineUnavailable, "no text model for the architecture"),
    (misshapen, ModelDamaged, "no whole language model"),
    (without_a_layer, ModelDamaged, "no whole language model"),
    (own_code, EngineUnavailable, "code of its own"),
    (pickled, EngineUnavailable, "only pickled weights"),
    (awq, EngineUnavailable, "gptqmodel"),
]


@pytest.mark.parametrize(("spoil", "kind", "words"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_model_that_cannot_be_loaded_says_why_in_one_line_and_is_not_ready(
    folder: Path,
    tmp_path: Path,
    engine_of: Callable[..., HfEngine],
    spoil: Callable[[Path], None],
    kind: type[EngineError],
    words: str,
) -> None:
    broken = copied(folder, tmp_path / "broken")
    spoil(broken)
    engine = engine_of(broken)
    with pytest.raises(kind, match=words) as caught:
        engine.chat_model()

    assert caught.value.hint
    assert len(str(caught.value)) < 500
    assert not engine.loaded
    assert not thread_runs()
    status = engine.check()
    assert not status.ready
    assert (status.detail, status.hint) == (caught.value.message, caught.value.hint)


def test_pickled_weights_are_loaded_where_that_is_allowed(
    folder: Path, tmp_path: Path, truth: dict[str, str], engine_of: Callable[..., HfEngine]
) -> None:
    model = copied(folder, tmp_path / "pickled")
    pickled(model)
    reply = engine_of(model, allow_pickle="true").chat_model().invoke(QUESTIONS[0], max_tokens=TOKENS)

    assert reply.text.rstrip("\ufffd") == truth[QUESTIONS[0]]


def test_pickled_weights_never_run_code(folder: Path, tmp_path: Path, engine_of: Callable[..., HfEngine]) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    model = copied(folder, tmp_path / "evil")
    pickled(model)
    torch.save({"model.norm.weight": Evil()}, model / "pytorch_model.bin")
    with pytest.raises(ModelDamaged, match="more than numbers"):
        engine_of(model, allow_pickle="true").chat_model()

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps"])
def test_a_device_that_is_not_there_is_told_before_loading(
    folder: Path, engine_of: Callable[..., HfEngine], device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # no nvidia-smi
    monkeypatch.setattr(sys, "platform", "linux")
    status = engine_of(folder, hf_device=device).check()

    assert not status.ready
    assert f"HF_DEVICE is {device}" in status.detail
    assert status.hint


def test_a_model_that_is_not_there_is_told_with_its_setting(engine_of: Callable[..., HfEngine], tmp_path: Path) -> None:
    engine = engine_of("")
    missing = engine_of(tmp_path / "nowhere")

    assert "HF_MODEL_PATH" in engine.check().hint
    assert not missing.check().ready
    assert missing.memory() is None
    assert missing.context_window() > 0
    with pytest.raises(EngineError):
        missing.chat_model()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has …"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
    ],
    ids=["cuda", "cpu", "python", "system"],
)
def test_memory_that_runs_out_while_loading_is_called_by_its_name(
    folder: Path, engine_of: Callable[..., HfEngine], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", fail)
    engine = engine_of(folder)
    with pytest.raises(OutOfMemory):
        engine.chat_model()
    monkeypatch.undo()
    assert not engine.check().ready
    engine.close()

    assert engine.check().ready
    assert engine.chat_model().invoke("Hello", max_tokens=1).text is not None


@pytest.mark.parametrize("draft", [False, True])
def test_memory_that_runs_out_while_answering_ends_that_answer_and_the_engine_goes_on(
    folder: Path, engine_of: Callable[..., HfEngine], monkeypatch: pytest.MonkeyPatch, draft: bool
) -> None:
    from transformers import LlamaForCausalLM

    engine = engine_of(folder, **({"hf_draft_model_path": str(folder)} if draft else {}))
    chat = engine.chat_model()
    original = LlamaForCausalLM.forward

    def cramped(self: Any, *args: Any, **options: Any) -> Any:
        if options["input_ids"].shape[1] > 40:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, *args, **options)

    cramped.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    monkeypatch.setattr(LlamaForCausalLM, "forward", cramped)
    with pytest.raises(OutOfMemory, match="while answering"):
        chat.invoke("a very long question " * 40)

    assert chat.invoke("Hi", max_tokens=2).response_metadata["finish_reason"] == "length"
    assert engine.check().ready
