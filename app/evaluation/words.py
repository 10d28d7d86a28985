"""The words of reports, in English and Chinese: names of metrics, of what is shown, and what a comparison comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.text import Language

if TYPE_CHECKING:
    from app.evaluation.comparison import Comparison
    from app.evaluation.report import Record, Run

_EN = {
    "title": "Evaluation of search",
    "hit@1": "Found first",
    "hit@3": "Found in the first 3",
    "hit@5": "Found in the first 5",
    "hit@10": "Found in the first 10",
    "mrr@10": "MRR@10",
    "recall@1000": "Recall in 1,000 characters",
    "recall@2000": "Recall in 2,000 characters",
    "recall@4000": "Recall in 4,000 characters",
    "refused_answerable": "Answerable, but refused",
    "refused_unanswerable": "Unanswerable, and refused",
    "ms": "Milliseconds a search",
    "metric": "Measure",
    "value": "Value",
    "interval": "95 % interval",
    "questions": "questions",
    "counted": "{answerable} with an answer, {unanswerable} without; {documents} documents",
    "made_file": "questions from {name}",
    "made_cloze": "sentences with a gap, made from the documents",
    "made_engine": "questions written by {name}",
    "hits_chart": "Found among the first k passages",
    "recall_chart": "Recall by characters of context",
    "relevance_chart": "Relevance of questions",
    "passages_axis": "passages (k)",
    "characters_axis": "characters",
    "relevance_axis": "relevance",
    "answerable": "with an answer",
    "unanswerable": "without an answer",
    "border": "refused below",
    "misses": "Worth a look: not found first, wrongly refused or wrongly answered ({count})",
    "no_misses": "Nothing went wrong: every question was answered by the first passage, or rightly refused.",
    "not_found": "not found",
    "at_rank": "found at {rank}",
    "refused": "refused",
    "answered": "not refused",
    "evidence": "What answers it",
    "retrieved": "What was found instead",
    "nothing": "Nothing was found.",
    "settings": "Settings",
    "source": "Documents",
    "date": "Date",
    "difference": "Difference",
    "chance": "By chance (p)",
    "won": "Found earlier ({count})",
    "lost": "Found later ({count})",
    "common": "{count} questions were asked in both.",
    "no_common": "The two have no question in common.",
    "same": "Both find the same for every question.",
    "by_chance": "{metric}: {difference}; chance alone may make such a difference (p {p}).",
    "better": "{metric}: {difference}, better by more than chance (p {p}).",
    "worse": "{metric}: {difference}, worse by more than chance (p {p}).",
    "more": "… and {count} more.",
}
_ZH = {
    "title": "检索评测",
    "hit@1": "第一条即命中",
    "hit@3": "前 3 条命中",
    "hit@5": "前 5 条命中",
    "hit@10": "前 10 条命中",
    "mrr@10": "平均倒数排名 MRR@10",
    "recall@1000": "前 1,000 字的召回率",
    "recall@2000": "前 2,000 字的召回率",
    "recall@4000": "前 4,000 字的召回率",
    "refused_answerable": "有答案却被拒答",
    "refused_unanswerable": "无答案且被拒答",
    "ms": "每次检索（毫秒）",
    "metric": "指标",
    "value": "数值",
    "interval": "95% 置信区间",
    "questions": "个问题",
    "counted": "有答案 {answerable} 个，无答案 {unanswerable} 个；文档 {documents} 份",
    "made_file": "问题来自 {name}",
    "made_cloze": "由文档中的句子挖空得到的问题",
    "made_engine": "由 {name} 写出的问题",
    "hits_chart": "前 k 条段落的命中率",
    "recall_chart": "不同上下文长度下的召回率",
    "relevance_chart": "问题的相关度",
    "passages_axis": "段落数 k",
    "characters_axis": "字数",
    "relevance_axis": "相关度",
    "answerable": "有答案",
    "unanswerable": "无答案",
    "border": "低于此值即拒答",
    "misses": "值得查看：没有排在第一、误拒或误答的问题（{count}）",
    "no_misses": "全部正确：每个问题都由第一条段落回答，或者被正确地拒答。",
    "not_found": "未找到",
    "at_rank": "排在第 {rank}",
    "refused": "被拒答",
    "answered": "没有拒答",
    "evidence": "能回答它的原文",
    "retrieved": "实际检索到的内容",
    "nothing": "什么也没有找到。",
    "settings": "设置",
    "source": "文档",
    "date": "日期",
    "difference": "差值",
    "chance": "偶然概率 p",
    "won": "排名提前的问题（{count}）",
    "lost": "排名退后的问题（{count}）",
    "common": "两次评测共有 {count} 个相同的问题。",
    "no_common": "两次评测没有相同的问题。",
    "same": "两者对每个问题的检索结果都一样。",
    "by_chance": "{metric}：{difference}，这样的差别可能只是偶然（p {p}）。",
    "better": "{metric}：{difference}，明显更好，不只是偶然（p {p}）。",
    "worse": "{metric}：{difference}，明显更差，不只是偶然（p {p}）。",
    "more": "……还有 {count} 个。",
}
WORDS: dict[Language, dict[str, str]] = {"en": _EN, "zh": _ZH}
_RATES_OF_REFUSAL = ("refused_answerable", "refused_unanswerable")


def say(of: Language, key: str, /, **values: object) -> str:
    """The words for ``key``. Raises KeyError for an unknown one."""
    return WORDS[of][key].format(**values)


def verdict(comparison: Comparison, of: Language) -> list[str]:
    """What a comparison comes to, a sentence for each metric that says something: MRR, and refusals that changed."""
    if not comparison.common:
        return [say(of, "no_common")]
    told = []
    for metric in ("mrr@10", *_RATES_OF_REFUSAL):
        found = comparison.differences.get(metric)
        moved = bool(comparison.won or comparison.lost)
        if found is None or not (moved if metric == "mrr@10" else found.difference):
            continue
        better = comparison.better(metric)
        key = "by_chance" if better is None else "better" if better else "worse"
        told.append(say(of, key, metric=say(of, metric), difference=f"{found.difference:+.3f}", p=p_value(found.p)))
    return told or [say(of, "same")]


def p_value(p: float) -> str:
    """``= 0.03``; a very small one as a bound."""
    return "< 0.001" if p < 0.001 else f"= {p:.2f}" if p >= 0.01 else f"= {p:.3f}"


def made(run: Run, of: Language) -> str:
    """Where the questions of a run are from."""
    if run.made == "file":
        return say(of, "made_file", name=run.name)
    return say(of, "made_cloze") if run.made == "cloze" else say(of, "made_engine", name=run.made)


def outcome(record: Record, of: Language) -> str:
    """``found at 3 · refused``."""
    if not record.question.answerable:
        return say(of, "refused" if record.refused else "answered")
    found = say(of, "at_rank", rank=record.rank) if record.rank else say(of, "not_found")
    return f"{found} · {say(of, 'refused')}" if record.refused else found
