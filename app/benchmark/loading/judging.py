"""Whether an answer is whole: failed, truncated and duplicated ones are told apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from app.benchmark.prompts import Prompt
from app.benchmark.sample import Outcome, Sample
from app.benchmark.target import Hearing, TargetFault

_CUT_KINDS = frozenset({"cut", "stalled"})
"""Faults that end an answer which had begun."""


@dataclass(frozen=True)
class Verdict:
    """``kind`` and ``error`` say what is wrong; empty for an answer that is whole."""

    outcome: Outcome
    kind: str = ""
    error: str = ""


def judge(prompt: Prompt, heard: Hearing, fault: TargetFault | None) -> Verdict:
    """What became of one answer.

    Failed: none came, or the server said that it failed. Truncated: it had begun and did not reach its end, or lacks
    something. Duplicated: something of it came twice. Of tokens twice or missing tell the engine's own counts: there
    cannot be more pieces than tokens, nor other than ``usage`` tokens among the ids.
    """
    if fault is not None:
        cut = fault.kind in _CUT_KINDS and bool(heard.times)
        return Verdict("truncated" if cut else "failed", fault.kind, str(fault))
    if not heard.times and not heard.output_tokens:
        return Verdict("failed", "empty", "The answer is empty.")
    if prompt.expected is not None:
        return _compared(heard.text, prompt.expected)
    if heard.late:
        return Verdict("duplicated", "after_end", "More came after the end of the answer.")
    counted = heard.output_tokens
    if not counted:  # 0: whatever was counted, it was not this text
        return Verdict("ok")
    if heard.ids is not None and heard.ids != counted:
        told = f"{heard.ids} tokens came, and the server counted {counted}."
        return Verdict("duplicated", "extra_tokens", told) if heard.ids > counted else _missing(told)
    if heard.pieces > counted:
        told = f"{heard.pieces} pieces of text came, and the server counted {counted} tokens."
        return Verdict("duplicated", "extra_tokens", told)
    return Verdict("ok")


def _missing(told: str) -> Verdict:
    return Verdict("truncated", "missing_tokens", told)


def _compared(text: str, expected: str) -> Verdict:
    told = f"{len(text)} characters came where {len(expected)} are right."
    if text == expected:
        return Verdict("ok")
    if _is_within(text, expected):
        return Verdict("truncated", "missing_text", told)
    if _is_within(expected, text) and set(text) <= set(expected):
        return Verdict("duplicated", "repeated", told)
    return Verdict("failed", "other_text", "Another text came than the one that is right.")


def _is_within(part: str, whole: str) -> bool:
    """Whether ``part`` is ``whole`` with nothing but gaps in it."""
    rest = iter(whole)
    return all(letter in rest for letter in part)


def repeats(text: str, whole: str) -> bool:
    """Whether ``text`` is ``whole`` with a part of it, said before or within it, once more."""
    more = len(text) - len(whole)
    if more <= 0:
        return False
    same = 0
    while same < len(whole) and text[same] == whole[same]:
        same += 1
    # What was repeated ends where the two part at the latest, and begins so much earlier.
    return any(text[:end] == whole[:end] and text[end:] == whole[end - more :] for end in range(more, same + 1))


def compare_alike(samples: Sequence[Sample], texts: Sequence[str]) -> list[Sample]:
    """``samples`` once more, those marked that say less or twice what others said to the same prompt.

    For answers at temperature 0. Two alike, of at least three, say what the answer is; others may still differ from it
    since numbers depend on who is computed together, and only a repeated part, or an end too early with a fixed
    length, is held against them.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for at, sample in enumerate(samples):
        if sample.ok:
            groups[sample.prompt].append(at)
    found = list(samples)
    for places in groups.values():
        usual, times = Counter(texts[at] for at in places).most_common(1)[0]
        if len(places) < 3 or times < 2 or not usual:
            continue
        for at in places:
            found[at] = _against(found[at], texts[at], usual)
    return found


def _against(sample: Sample, text: str, usual: str) -> Sample:
    if text != usual and repeats(text, usual):
        told = "A part of the answer came twice, by what other readers got."
        return replace(sample, outcome="duplicated", kind="repeated", error=told)
    if len(text) < len(usual) and usual.startswith(text) and sample.finish_reason == "length":
        told = "The answer ended before what other readers got."
        return replace(sample, outcome="truncated", kind="cut", error=told)
    return sample


def texts_of(pairs: Iterable[tuple[Sample, str]]) -> tuple[list[Sample], list[str]]:
    """Samples and their texts, in the order of asking."""
    ordered = sorted(pairs, key=lambda pair: pair[0].index)
    return [sample for sample, _ in ordered], [text for _, text in ordered]
