"""How fast the engines write: hf against vllm with the same weights, and each against its own bare library.

    python benchmarks/engines.py [--readers 1 8 32] [--rounds 4] [--tokens 64] [--engines vllm hf vllm_openai ollama]

Makes a model of about 75 million parameters (bf16; it says one sentence over and over, its speed is real) and lets 1, 8
and 32 readers ask at once, through our chat models and through the bare library, in turn, so that whatever else this
machine does weighs on both. Prints tokens per second and the time to the first token (medians over the rounds), and the
ratios: ours to bare, which is to be at least 0.95, the extra milliseconds to the first token, which are to be at most
5, and vllm to hf. ``vllm_openai`` asks a vLLM server started for it; ``ollama`` a stand-in for its server that writes
fifty words a second, since what is compared there are two clients.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app.config import load_settings  # noqa: E402
from app.engines.registry import create  # noqa: E402
from app.engines.routing.routes import api_url  # noqa: E402
from tests.engines import servers, tiny_model  # noqa: E402
from tests.product import free_port  # noqa: E402

QUESTION = "Reader {number} asks: which engine answers, and how do I switch to another one while it runs?"
NUMBERS = itertools.count(1000)
REST = 0.5
"""Seconds before each measurement: threads that the one before it has kept spinning come to rest."""
Ask = Callable[[int], Iterator[int]]
"""Asks as reader ``number``; yields the count of new tokens (or of pieces, for a client) as they come."""


@dataclass(frozen=True)
class Speed:
    """Of one round: tokens per second of all readers together, and their median time to the first token."""

    tokens: float
    ttft_ms: float


def measure(ask: Ask, readers: int) -> Speed:
    """All readers begin at once, each with a question that nobody asked before: vLLM remembers prompts."""
    time.sleep(REST)
    counts, firsts = [0] * readers, [0.0] * readers
    barrier = threading.Barrier(readers + 1)

    def read(number: int) -> None:
        barrier.wait()
        begun = time.perf_counter()
        for new in ask(next(NUMBERS)):
            firsts[number] = firsts[number] or (time.perf_counter() - begun) * 1000
            counts[number] += new

    threads = [threading.Thread(target=read, args=(number,)) for number in range(readers)]
    for thread in threads:
        thread.start()
    barrier.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return Speed(sum(counts) / (time.perf_counter() - begun), statistics.median(firsts))


def ours(chat: Any, tokens: int) -> Ask:
    """Through our chat model, streaming."""

    def ask(number: int) -> Iterator[int]:
        seen = 0
        for chunk in chat.stream(QUESTION.format(number=number), max_tokens=tokens):
            if chunk.usage_metadata:
                yield chunk.usage_metadata["output_tokens"] - seen
            elif chunk.text:
                seen += 1
                yield 1

    return ask


@contextmanager
def vllm(model: Path, tokens: int) -> Iterator[tuple[Ask, Ask]]:
    """The same AsyncLLM, asked through our engine and directly."""
    from vllm.inputs.engine import tokens_input
    from vllm.sampling_params import RequestOutputKind, SamplingParams

    from app.engines.loop import submit

    engine = create("vllm", settings(model))
    chat = engine.chat_model()
    prompts = prompt_ids(model)

    def bare(number: int) -> Iterator[int]:
        import queue

        new: queue.Queue[int | None] = queue.Queue()

        async def write() -> None:
            params = SamplingParams(temperature=0, max_tokens=tokens, output_kind=RequestOutputKind.DELTA)
            llm = engine._runtime._llm  # type: ignore[attr-defined]
            async for output in llm.generate(tokens_input(prompts(number)), params, f"bare-{number}"):
                new.put(len(output.outputs[0].token_ids))
            new.put(None)

        submit(write())
        while (count := new.get()) is not None:
            yield count

    yield ours(chat, tokens), bare
    engine.close()


@contextmanager
def hf(model: Path, tokens: int) -> Iterator[tuple[Ask, Ask]]:
    """Our batching worker against ``generate`` with a streamer, which readers can only use one after the other."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.generation.streamers import BaseStreamer

    engine = create("hf", settings(model))
    chat = engine.chat_model()
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16, local_files_only=True)
    prompts = prompt_ids(model)
    one_at_a_time = threading.Lock()

    def bare(number: int) -> Iterator[int]:
        import queue

        new: queue.Queue[int | None] = queue.Queue()

        class Streamer(BaseStreamer):
            prompt = True

            def put(self, value: Any) -> None:
                if self.prompt:
                    self.prompt = False
                else:
                    new.put(1)

            def end(self) -> None:
                new.put(None)

        ids = torch.tensor([prompts(number)])
        with one_at_a_time:
            inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            options = {"max_new_tokens": tokens, "do_sample": False, "streamer": Streamer()}
            threading.Thread(target=loaded.generate, kwargs={**inputs, **options}).start()
            while (count := new.get()) is not None:
                yield count

    yield ours(chat, tokens), bare
    engine.close()


@contextmanager
def vllm_openai(model: Path, tokens: int) -> Iterator[tuple[Ask, Ask]]:
    """A vLLM server, asked through our engine and through the bare client of OpenAI."""
    import openai

    with serving(model) as url:
        engine = create("vllm_openai", load_settings(vllm_base_url=url))
        client = openai.OpenAI(base_url=api_url(url), api_key="EMPTY")
        name = engine.check().model

        def bare(number: int) -> Iterator[int]:
            messages: Any = [{"role": "user", "content": QUESTION.format(number=number)}]
            options: Any = {"stream_options": {"include_usage": True}, "temperature": 0.0, "max_tokens": tokens}
            seen = 0
            for part in client.chat.completions.create(model=name, messages=messages, stream=True, **options):
                if part.usage:
                    yield part.usage.completion_tokens - seen
                elif part.choices and part.choices[0].delta.content:
                    seen += 1
                    yield 1

        yield ours(engine.chat_model(), tokens), bare
        engine.close()


@contextmanager
def serving(model: Path) -> Iterator[str]:
    """The address of a vLLM server of its own, by ``python -m app vllm-serve``."""
    config = {"dtype": "bfloat16", "max_model_len": tiny_model.CONTEXT}
    environment = {**os.environ, "VLLM_MODEL_PATH": str(model), "VLLM_CONFIG": json.dumps(config)}
    command = [sys.executable, "-m", "app", "vllm-serve", "--json", "--port", str(free_port())]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait()


@contextmanager
def ollama(model: Path, tokens: int) -> Iterator[tuple[Ask, Ask]]:
    """A stand-in for the server, asked through our engine and through the bare client of Ollama."""
    import ollama as library

    with in_a_process_of_its_own(ollama_server, tokens) as url:
        engine = create("ollama", load_settings(ollama_base_url=url))
        chat = engine.chat_model()
        client = library.Client(url)

        def pieces(number: int) -> Iterator[int]:
            for chunk in chat.stream(QUESTION.format(number=number)):
                if chunk.text:
                    yield 1

        def bare(number: int) -> Iterator[int]:
            messages = [{"role": "user", "content": QUESTION.format(number=number)}]
            for part in client.chat("tiny:latest", messages, stream=True):
                if part.message.content:
                    yield 1

        yield pieces, bare


def ollama_server(tokens: int, told: Any) -> None:
    """Writes ``tokens`` words to whoever asks; tells where it listens."""
    words = [{"message": {"role": "assistant", "content": f"word{number} "}, "done": False} for number in range(tokens)]
    end = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
    lines = [json.dumps({"model": "tiny", **line}) + "\n" for line in (*words, end)]
    models = servers.json_reply(200, {"models": [{"name": "tiny:latest"}]})
    replies = {
        "POST /api/chat": servers.chunked("application/x-ndjson", lines, gap=0.02),
        "GET /api/tags": models,
        "GET /api/ps": models,
    }
    with servers.Server(replies) as server:
        told.send(server.url)
        told.recv()


@contextmanager
def in_a_process_of_its_own(serve: Callable[[int, Any], None], tokens: int) -> Iterator[str]:
    """The address that ``serve`` tells; in this process it would share the interpreter with those it serves."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(tokens, there))
    process.start()
    yield here.recv()
    here.send("end")
    process.join()


def settings(model: Path) -> Any:
    """Of the engines in this process."""
    return load_settings(
        vllm_model_path=str(model),
        vllm_config={"dtype": "bfloat16", "max_model_len": tiny_model.CONTEXT},
        hf_dtype="bfloat16",
        hf_max_batch=32,
        log_level="ERROR",
        llm={"params": {"timeout": 600}},
    )


def prompt_ids(model: Path) -> Callable[[int], list[int]]:
    """The prompt of reader ``number`` as our engines make it."""
    from transformers import AutoTokenizer

    from app.engines.chat_template import PromptMaker

    maker = PromptMaker(AutoTokenizer.from_pretrained(model, local_files_only=True), "model", tiny_model.CONTEXT)
    return lambda number: maker.ids([{"role": "user", "content": QUESTION.format(number=number)}])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--readers", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--engines", nargs="+", default=["vllm", "hf", "vllm_openai", "ollama"])
    parser.add_argument("--layers", type=int, default=9, help="of 1024 dimensions each")
    args = parser.parse_args()
    kinds = {"vllm": vllm, "hf": hf, "vllm_openai": vllm_openai, "ollama": ollama}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = tiny_model.make(folder / "model", hidden=1024, layers=args.layers, says=tiny_model.SAYS, forever=True)
        size = (model / "model.safetensors").stat().st_size / 2e6
        print(f"{size:.0f} million parameters, {args.tokens} tokens an answer, {args.rounds} rounds")
        asks = {name: stack.enter_context(kinds[name](model, args.tokens)) for name in args.engines}
        for readers in args.readers:
            speeds = rounds(asks, readers, args.rounds)
            report(readers, speeds)
    return 0


def rounds(asks: dict[str, tuple[Ask, Ask]], readers: int, count: int) -> dict[str, tuple[Speed, Speed]]:
    """The medians for each engine: ours, bare. The first round, which warms up, does not count."""
    seen: dict[str, tuple[list[Speed], list[Speed]]] = {name: ([], []) for name in asks}
    for turn in range(count + 1):
        for name, pair in asks.items():
            for which in (0, 1) if turn % 2 else (1, 0):
                speed = measure(pair[which], readers)
                if turn:
                    seen[name][which].append(speed)
    return {name: (_median(own), _median(bare)) for name, (own, bare) in seen.items()}


def _median(speeds: list[Speed]) -> Speed:
    tokens = statistics.median(speed.tokens for speed in speeds)
    return Speed(tokens, statistics.median(speed.ttft_ms for speed in speeds))


def report(readers: int, speeds: dict[str, tuple[Speed, Speed]]) -> None:
    """A line for each engine, and one for vllm against hf."""
    print(f"\n{readers} readers")
    for name, (own, bare) in speeds.items():
        print(
            f"  {name:12} {own.tokens:8.1f} tokens/s  bare {bare.tokens:8.1f}  ratio {own.tokens / bare.tokens:5.2f}"
            f"   first token {own.ttft_ms:7.1f} ms  bare {bare.ttft_ms:7.1f}  more {own.ttft_ms - bare.ttft_ms:+7.1f}"
        )
    if {"vllm", "hf"} <= speeds.keys():
        print(f"  vllm writes {speeds['vllm'][0].tokens / speeds['hf'][0].tokens:.1f} times as fast as hf")


if __name__ == "__main__":
    sys.exit(main())
