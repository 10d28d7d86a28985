"""Tokens become text that is right as far as it goes, and stop strings are never seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from app.engines.hf_text import Detokenizer, StopStrings

BYTES = [f"<0x{number:02X}>" for number in range(256)]
SENTENCE = "青屿灯塔 🏠👩‍🔬 was built in 1871 — naïve? 如何切换引擎？"


def byte_level() -> Tokenizer:
    """As GPT-2, Llama 3 and Qwen have it: a token may be a part of a character, or parts of two."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator([SENTENCE * 3], trainers.BpeTrainer(vocab_size=290, initial_alphabet=alphabet))
    return tokenizer


def byte_fallback() -> Tokenizer:
    """As Llama 2 and Mistral have it: words begin with a mark for the blank, unknown characters are bytes."""
    words = ["▁", "a", "b", "▁a", "中", "<unk>"]
    vocabulary = {token: number for number, token in enumerate([*BYTES, *words])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[("▁", "a")], byte_fallback=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


TOKENIZERS = {"byte level": byte_level(), "byte fallback": byte_fallback()}
every_tokenizer = pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)


def decoding(tokenizer: Tokenizer) -> Callable[[list[int]], str]:
    return lambda ids: str(tokenizer.decode(ids))


def pieces(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    text = Detokenizer(decoding(tokenizer))
    return [text.add(token) for token in ids]


@every_tokenizer
@given(text=st.text(st.sampled_from("ab 中文青🏠é👩‍🔬\n"), max_size=40))
def test_what_comes_piece_by_piece_is_the_whole_text_and_never_half_a_character(
    tokenizer: Tokenizer, text: str
) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    found = pieces(tokenizer, ids)

    assert "".join(found) == tokenizer.decode(ids)
    assert "\ufffd" not in "".join(found)


@every_tokenizer
@given(ids=st.lists(st.integers(0, 261).filter(lambda item: item not in map(ord, "ab")), max_size=120))
def test_noise_comes_out_as_something_and_its_letters_are_kept(tokenizer: Tokenizer, ids: list[int]) -> None:
    """But for letters that come as bytes: beside a byte that is none, a tokenizer may give up both."""
    text, whole = "".join(pieces(tokenizer, ids)), str(tokenizer.decode(ids))

    assert [letter for letter in text if letter in "ab"] == [letter for letter in whole if letter in "ab"]


def test_a_character_is_said_as_soon_as_it_is_whole() -> None:
    tokenizer = TOKENIZERS["byte fallback"]
    ids = tokenizer.encode("中文文", add_special_tokens=False).ids
    found = pieces(tokenizer, ids)

    assert [piece for piece in found if piece] == ["中", "文", "文"]


def test_a_token_takes_no_longer_late_in_a_text() -> None:
    seen: list[int] = []

    def decode(ids: list[int]) -> str:
        seen.append(len(ids))
        return str(TOKENIZERS["byte level"].decode(ids))

    text = Detokenizer(decode)
    for token in TOKENIZERS["byte level"].encode(SENTENCE * 40).ids:
        text.add(token)

    assert max(seen) < 20


@given(
    parts=st.lists(st.text(st.sampled_from("ab\n用户"), max_size=4), max_size=12),
    stops=st.lists(st.text(st.sampled_from("ab\n用户"), min_size=1, max_size=4), max_size=3),
)
def test_a_text_ends_before_its_first_stop_string_however_it_is_cut(parts: list[str], stops: list[str]) -> None:
    cutter = StopStrings(stops)
    said = ""
    for part in parts:
        said += cutter.add(part)
        if cutter.met:
            break
    said += cutter.rest()
    whole = "".join(parts)
    places = [at for stop in stops if (at := whole.find(stop)) >= 0]

    assert cutter.met == bool(places)
    assert not any(stop in said for stop in stops)
    assert whole.startswith(said)
    if not places:
        assert said == whole


def test_what_cannot_become_a_stop_string_is_said_at_once() -> None:
    cutter = StopStrings(["\nUser:", ""])

    assert cutter.add("Yes.\nUs") == "Yes."
    assert cutter.add("e it") == "\nUse it"
    assert cutter.add("\nUser: no") == ""
    assert cutter.met
