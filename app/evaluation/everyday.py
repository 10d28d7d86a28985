"""Everyday questions that documents do not answer, so that refusals are measured as well.

Each names the words that would make it a question about the documents after all; it is left out where one of these
stands in any of them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

from app.evaluation.questions import Question
from app.text import Language

_EN = (
    ("What should I cook for dinner tonight?", "cook dinner recipe"),
    ("Will it rain tomorrow afternoon?", "rain weather forecast"),
    ("Can you tell me a joke about penguins?", "joke penguin"),
    ("How do I get chewing gum out of my hair?", "chewing gum hair"),
    ("Which shoes go with a green dress?", "shoe dress"),
    ("How long should I walk a puppy each day?", "puppy dog"),
    ("Why does my bicycle chain squeak?", "bicycle bike"),
    ("What is a good birthday present for my sister?", "birthday sister gift"),
    ("How do I keep basil alive on the windowsill?", "basil windowsill herb"),
    ("Who won the football match last night?", "football soccer match"),
    ("How do I fold a fitted sheet?", "fitted sheet laundry"),
    ("What song is playing on the radio right now?", "song radio"),
    ("How do I stop hiccups?", "hiccup"),
    ("Where can I get a good pizza around here?", "pizza restaurant"),
    ("How are you feeling today?", "feeling mood"),
    ("How many calories are in an avocado?", "calorie avocado"),
)
_ZH = (
    ("今天晚饭做什么菜好？", "晚饭 做菜 菜谱"),
    ("明天下午会下雨吗？", "下雨 天气 预报"),
    ("给我讲个关于企鹅的笑话好吗？", "企鹅 笑话"),
    ("口香糖粘在头发上怎么弄下来？", "口香糖 头发"),
    ("绿色的裙子配什么鞋子好看？", "裙子 鞋子"),
    ("小狗每天要遛多久？", "小狗 遛狗"),
    ("自行车链条为什么会响？", "自行车 链条"),
    ("送妹妹什么生日礼物好？", "妹妹 生日"),
    ("阳台上的薄荷怎么养才不会死？", "薄荷 阳台"),
    ("昨晚的足球比赛谁赢了？", "足球 球赛"),
    ("羽绒服怎么洗才不结块？", "羽绒服 洗衣"),
    ("打嗝停不下来怎么办？", "打嗝"),
    ("附近哪家火锅好吃？", "火锅 餐厅"),
    ("你今天心情怎么样？", "心情"),
    ("一个牛油果有多少卡路里？", "牛油果 卡路里"),
    ("周末去哪里看电影好？", "电影 影院"),
)
_QUESTIONS: dict[Language, tuple[tuple[str, str], ...]] = {"en": _EN, "zh": _ZH}


def unanswerable(
    wanted: int, languages: Iterable[Language], texts: Iterable[str], draw: random.Random
) -> list[Question]:
    """At most ``wanted`` questions in these languages, about nothing that one of ``texts`` mentions."""
    spoken = sorted(set(languages))
    left = {question: _mentions(about, of) for of in spoken for question, about in _QUESTIONS[of]}
    for text in texts:
        folded = text.casefold()
        left = {question: mentions for question, mentions in left.items() if not mentions.search(folded)}
    chosen = draw.sample(sorted(left), min(wanted, len(left)))
    return [Question(f"everyday-{number}", text, answerable=False) for number, text in enumerate(chosen, 1)]


def _mentions(about: str, of: Language) -> re.Pattern[str]:
    words = "|".join(about.split())
    return re.compile(words if of == "zh" else rf"\b(?:{words})")
