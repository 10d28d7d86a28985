"""What a reader has to know about a comparison beside its figures: each note in English and in Chinese.

Reports hold the English line; :func:`told` finds it again for a reader of Chinese. A line that is no note of these,
such as an engine's own words, stays as it is.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from app.benchmark.plain_lines import LINES
from app.text import Language

NOTES: dict[str, tuple[str, str]] = {
    "interleaved": (
        "All were loaded at once and asked in turn: what slows the machine down slows all of them.",
        "所有引擎同时加载、轮流提问：机器变慢时，大家一起变慢。",
    ),
    "one_by_one": (
        "One was measured after the other, for together they want about {need} of memory and {free} are free. Slow"
        " changes of the machine are part of the differences.",
        "逐个测量：同时加载约需 {need} 内存，而空闲 {free}。机器状态的缓慢变化也会计入差异。",
    ),
    "one_by_one_after_all": (
        "Loaded at once they did not fit into memory, so one was measured after the other. Slow changes of the machine"
        " are part of the differences.",
        "同时加载时内存不够，因此逐个测量。机器状态的缓慢变化也会计入差异。",
    ),
    "settings_alone": (
        "Each setting was loaded by itself, one after the other.",
        "每项设置单独加载、逐个测量。",
    ),
    "measured_again": (
        "The unchanged settings were measured once more at the end.",
        "最后又把未改动的设置重新测了一遍。",
    ),
    "not_reached": (
        "The run was stopped before it was measured.",
        "测量在轮到它之前就停止了。",
    ),
    "drift": (
        "With {readers} readers ({turns} turns) the unchanged settings wrote {times} times as much at the end as at the"
        " beginning: the machine changed meanwhile.",
        "{readers} 位读者（{turns} 轮）时，未改动的设置在结束时的吞吐是开始时的 {times} 倍：机器状态在此期间变了。",
    ),
    "same_weights": ("All run the same weights.", "所有引擎运行相同的权重。"),
    "other_weights": (
        "{one} and {other} run other weights: speed is compared, not what they write.",
        "{one} 与 {other} 的权重不同：比较的是速度，不是回答的质量。",
    ),
    "unknown_weights": (
        "Whether {one} and {other} run the same weights cannot be told.",
        "无法判断 {one} 与 {other} 的权重是否相同。",
    ),
    "formats": (
        "{one} computes {format} and {other} computes {other_format}: other numbers.",
        "{one} 用 {format} 计算，{other} 用 {other_format}：数值不同。",
    ),
    "unknown_format": (
        "{one} does not tell what number format it computes in.",
        "{one} 不告知它用什么数值格式计算。",
    ),
    "free_length": (
        "{one} cannot be made to write on: its answers end where its model ends them. Tokens a second can be compared,"
        " the time of an answer cannot.",
        "{one} 无法强制写到固定长度：回答在模型自己结束处结束。每秒词元数可以比较，单个回答的时间不能。",
    ),
    "unique": (
        "No two prompts have the same beginning: what engines remember of earlier prompts helped nobody.",
        "任何两个提示词的开头都不相同：前缀缓存帮不上任何引擎。",
    ),
    "own_prompts": (
        "The prompts are your own and may begin alike: who remembers earlier ones (vLLM's prefix caching, Ollama)"
        " reads less.",
        "提示词是您自己的，开头可能相同：记得先前提示词的引擎（vLLM 的前缀缓存、Ollama）读得更少。",
    ),
    "conversations": (
        "In a conversation every prompt begins with those before it, and who remembers them reads less.",
        "对话中每个提示词都以之前的内容开头，记得它们的引擎读得更少。",
    ),
    "repeated": (
        "There are {count} prompts and {asked} were needed: each was asked several times, and who remembers earlier"
        " prompts reads less.",
        "共有 {count} 个提示词，需要 {asked} 个：每个问了多次，记得先前提示词的引擎读得更少。",
    ),
    "prompts_of_file": ("{file}, {count} prompts", "{file}，{count} 个提示词"),
    "too_long": (
        "{count} prompts were left out for all: with their answers they do not fit the {window} tokens of {whose}.",
        "{count} 个提示词对所有引擎都省去：加上回答放不进 {whose} 的 {window} 个词元。",
    ),
    "question_too_long": (
        "{count} questions were left out for all: they do not fit {window} tokens.",
        "{count} 个问题对所有引擎都省去：放不进 {window} 个词元。",
    ),
    "refused": (
        "{count} questions were left out: the documents do not hold an answer, so the product would ask no engine.",
        "省去 {count} 个问题：文档中没有答案，产品不会去问引擎。",
    ),
    "conversation_too_long": (
        "Conversations of {turns} turns were left out: they do not fit the {window} tokens of {whose}.",
        "省去 {turns} 轮对话：放不进 {whose} 的 {window} 个词元。",
    ),
    "one_repeat": (
        "A single repeat has no spread: no difference can be told from chance.",
        "只重复一次，没有离散程度：无法区分差异与偶然。",
    ),
    "set_aside": (
        "{engine} was closed for the measurement, which needed its memory; extractive answered meanwhile.",
        "测量需要内存，期间关闭了 {engine}；由 extractive 回答。",
    ),
    "back": ("{engine} answers again.", "{engine} 已恢复回答。"),
    "not_back": (
        "{engine} could not be loaded again: {why}",
        "{engine} 无法重新加载：{why}",
    ),
    "disturbed": (
        "Other answers were written, or search was evaluated, meanwhile: the figures may be too low.",
        "期间还在写其他回答或评测检索：数字可能偏低。",
    ),
    "max_batch": (
        "{readers} readers ask at once, and HF_MAX_BATCH is {batch}: the others wait.",
        "{readers} 位读者同时提问，HF_MAX_BATCH 为 {batch}：其余的等待。",
    ),
    "one_at_a_time": (
        "With a draft model transformers answers one reader after the other.",
        "使用草稿模型时，transformers 逐个回答读者。",
    ),
    "max_num_seqs": (
        "{readers} readers ask at once, and max_num_seqs is {batch}: the others wait.",
        "{readers} 位读者同时提问，max_num_seqs 为 {batch}：其余的等待。",
    ),
    "prefix_on": ("Prefix caching is on.", "前缀缓存已开启。"),
    "prefix_off": ("Prefix caching is off.", "前缀缓存已关闭。"),
    "num_parallel": (
        "How many answers Ollama writes at once is its server's OLLAMA_NUM_PARALLEL, which it does not tell;"
        " {readers} readers asked.",
        "Ollama 同时写几个回答由其服务器的 OLLAMA_NUM_PARALLEL 决定，它不告知；共有 {readers} 位读者提问。",
    ),
    "servers_memory": (
        "Its memory is that of its server, and not measured here.",
        "内存属于它的服务器，这里不测量。",
    ),
    "ollamas_memory": (
        "Memory as Ollama tells it, once loaded.",
        "内存为加载后 Ollama 自己报告的数值。",
    ),
    "there_already": (
        "It was in the server's memory already: loading was not measured.",
        "模型已在服务器内存中：未测量加载时间。",
    ),
    "partly_on_cpu": (
        "Ollama computes {share} % of the model on the CPU: it did not fit the GPU.",
        "Ollama 有 {share}% 的模型在 CPU 上计算：GPU 放不下。",
    ),
    "no_counts": (
        "It does not count its tokens: there is no throughput.",
        "它不统计词元数：没有吞吐数据。",
    ),
    "failures": (
        "Readers: {readers}, turns: {turns}: {failed} of {asked} answers failed: {error}",
        "{readers} 位读者、{turns} 轮时，{asked} 个回答中有 {failed} 个失败：{error}",
    ),
    "stopped": ("It answered no more: {error}", "它不再回答：{error}"),
    "lacks": ("{engine} has no {what}.", "{engine} 没有{what}。"),
    "fixed": ("In {engine}, {what} is fixed.", "在 {engine} 中，{what}是固定的。"),
    "lacks_ngram": (
        "{engine} has no n-gram speculation here; it speculates with a draft model: give one with --draft.",
        "{engine} 在此没有 n-gram 推测解码；它用草稿模型做推测：用 --draft 指定。",
    ),
    "servers_setting": (
        "For {engine}, {what} is a setting of the server: {setting}.",
        "对 {engine} 而言，{what}是服务器的设置：{setting}。",
    ),
    "servers_lack": (
        "For {engine}, {what} is the server's own affair: there is no setting for it.",
        "对 {engine} 而言，{what}由服务器自己决定：没有这项设置。",
    ),
    "wants_draft": (
        "This wants a draft model: give one with --draft.",
        "这需要草稿模型：用 --draft 指定。",
    ),
}
THINGS = {
    "prefix caching": "前缀缓存",
    "chunked prefill": "分块预填充",
    "n-gram speculation": "n-gram 推测解码",
    "speculation with a draft model": "草稿模型推测解码",
    "KV cache quantization": "KV 缓存量化",
    "how many answers are written at once": "同时写的回答数",
    "how many tokens a step reads": "每步读取的词元数",
}
"""What notes name, in Chinese."""


def note(key: str, **values: Any) -> str:
    """A note as reports hold it; numbers get commas."""
    shown = {name: f"{value:,}" if isinstance(value, int | float) else value for name, value in values.items()}
    return NOTES[key][0].format(**shown)


def told(of: Language, line: str) -> str:
    """``line`` in the reader's language, as far as it is a note of ours."""
    if of == "en":
        return line
    for pattern, chinese in _patterns():
        if match := pattern.fullmatch(line):
            return chinese.format(**{name: THINGS.get(text, text) for name, text in match.groupdict().items()})
    return line


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Those that say most first, so that no short one takes the line of a longer one."""
    pairs = sorted([*NOTES.values(), *LINES], key=lambda pair: -len(pair[0]))
    return [(re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(english))), said) for english, said in pairs]
