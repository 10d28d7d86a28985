"""Prompts of a wanted length, made of everyday words: nobody's documents, the same for every engine."""

from __future__ import annotations

import random
from collections.abc import Sequence

from app.benchmark.prompt_file import user
from app.benchmark.prompts import Prompt
from app.errors import BenchmarkError
from app.text import estimate_tokens

LENGTH = 256
"""Tokens of a prompt unless another length is given."""
LONGEST = 1_000_000
_WORDS = (
    "harbour letter window market engine river garden signal winter copper answer bridge candle doctor evening forest"
    " glass history island journey kitchen lantern morning number orchard paper question railway season teacher"
    " umbrella valley weather yellow station museum captain village music planet"
).split()


def prompts(count: int, input_tokens: int, seed: int = 0) -> list[Prompt]:
    """``count`` prompts of about ``input_tokens`` tokens each; tokenizers differ, and the engine's usage tells.

    Each begins with a number of its own, so that no engine remembers the beginning of another one.

    Raises:
        BenchmarkError: a length that is none.
    """
    return of_lengths([input_tokens] * count, seed)


def of_lengths(lengths: Sequence[int], seed: int = 0) -> list[Prompt]:
    """A prompt of each length, otherwise as :func:`prompts`."""
    lot = random.Random(seed)
    return [_prompt(number, length, lot) for number, length in enumerate(lengths, 1)]


def _prompt(number: int, length: int, lot: random.Random) -> Prompt:
    if not 1 <= length <= LONGEST:
        raise BenchmarkError(f"A prompt of {length} tokens cannot be made.", f"Give 1 to {LONGEST}.")
    words = [f"{lot.getrandbits(32):x}"]
    # The estimate takes its time over a long text, so that it is asked about one word at a time.
    left = length - estimate_tokens(words[0])
    while left > 0:
        word = lot.choice(_WORDS)
        words.append(word)
        left -= _COST[word]
    return Prompt(str(number), user(" ".join(words)))


_COST = {word: estimate_tokens(f" {word}") for word in _WORDS}
