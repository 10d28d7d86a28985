"""How well an embedding model understands a language, found out by asking it.

An English-only model gives Chinese text vectors that mean next to nothing, and a search that believes them drowns
what the keywords know. So each model is put to a small test once: for every question, is its own answer nearer than
the fifteen others? The pairs share almost no words, so that only meaning can pair them. This needs no list of models
and holds for any model that the user plugs in.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from app.text import Language

if TYPE_CHECKING:
    from app.knowledge.embedder import Embedder

_PAIRS: dict[Language, tuple[tuple[str, str], ...]] = {
    "en": (
        ("Why do cats purr?", "A content pet makes a soft vibrating sound in its throat."),
        (
            "How do I cook fluffy rice?",
            "Soak the grains for half an hour, add water and keep the lid on after steaming.",
        ),
        (
            "Where should I hide during an earthquake?",
            "When the shaking begins, get under a sturdy table, away from windows.",
        ),
        (
            "How much money did the company make last year?",
            "Net profit for the previous fiscal period was three hundred million.",
        ),
        ("Who invented the telephone?", "Bell obtained the patent for the speaking device in 1876."),
        (
            "Does coffee affect sleep?",
            "Caffeine keeps the brain awake; taken in the evening it causes insomnia.",
        ),
        (
            "How long is the train from Paris to Lyon?",
            "The high-speed line covers the distance in two hours.",
        ),
        (
            "What medicine should I take for a cold?",
            "Patients with a blocked nose and fever can use a tablet against the temperature.",
        ),
        (
            "Why does the moon change its shape?",
            "We only see the side lit by the sun, and it varies as it orbits the earth.",
        ),
        (
            "My computer does not start, what can I do?",
            "Check the power cable first, then unplug external devices and reboot.",
        ),
        (
            "My child hates books, how can parents help?",
            "Read picture stories together every night and interest will slowly grow.",
        ),
        (
            "How long is the Great Wall?",
            "The fortification built under the Ming stretches over 8,800 kilometres.",
        ),
        (
            "How do I return an item?",
            "Open after-sales on the order page, give a reason and send the goods back.",
        ),
        ("Why are leaves green?", "Chlorophyll absorbs red and blue light and reflects the rest."),
        ("Which team won the championship?", "The hosts took the final three to two and lifted the trophy."),
        (
            "When is the rent due each month?",
            "Under the contract the tenant transfers the sum to the landlord by the fifth.",
        ),
    ),
    "zh": (
        ("猫为什么会打呼噜？", "家里的小动物感到舒服时，喉咙会发出轻轻的震动声。"),
        ("怎样才能把米饭煮得松软？", "先将谷粒浸泡半小时，再按比例加水，焖熟后别急着开盖。"),
        ("地震来了该躲在哪里？", "感到摇晃时应立刻钻到结实的桌子下面，远离窗户。"),
        ("这家公司去年赚了多少钱？", "该企业上一财年的净利润约为三亿元。"),
        ("谁发明了电话？", "贝尔在一八七六年取得了这种通话装置的专利。"),
        ("喝咖啡会影响睡眠吗？", "傍晚以后摄入这类饮料，大脑一直兴奋，夜里容易失去困意。"),
        ("从北京到上海坐火车要多久？", "京沪高铁全程大约四个半小时。"),
        ("感冒了应该吃什么药？", "鼻塞发热的患者可以服用退烧片，并注意休息。"),
        ("月亮为什么有圆缺？", "我们看到的只是被太阳照亮的那一面，随着它绕地球转动，形状不断变化。"),
        ("电脑开不了机怎么办？", "先检查电源线是否插好，再拔掉外接设备重新启动主机。"),
        ("孩子不爱读书，家长怎么引导？", "每晚陪他一起翻半小时绘本，慢慢培养兴趣。"),
        ("长城有多长？", "明代修筑的这道防御工事全程八千八百多公里。"),
        ("怎么申请退货？", "在订单页面点击售后，填写原因后把商品寄还即可。"),
        ("植物的叶子为什么是绿色的？", "其中的色素吸收红光和蓝光，反射其余部分。"),
        ("哪支球队夺得了冠军？", "决赛中主场一方以三比二获胜，捧起了奖杯。"),
        ("房租每个月什么时候交？", "合同约定租客须在五日前把款项转给房东。"),
    ),
}


@dataclass(frozen=True)
class Understanding:
    """What the test showed of a model in a language.

    ``trust``: from 0 (it pairs fewer than half of the questions with their answers) to 1 (it pairs them all).
    ``unrelated`` and ``related``: the cosines that it typically gives a question with another's answer and its own.
    """

    trust: float
    unrelated: float
    related: float


def understanding(embedder: Embedder, language: Language) -> Understanding:
    """The test of ``embedder`` in ``language``; takes about as long as embedding 32 sentences."""
    pairs = _PAIRS[language]
    questions = embedder.embed_questions([question for question, _ in pairs])
    similarity = questions @ embedder.embed([answer for _, answer in pairs]).T
    paired = sum(int(row.argmax()) == index for index, row in enumerate(similarity))
    own = [float(similarity[index, index]) for index in range(len(pairs))]
    others = float(similarity.sum()) - sum(own)
    return Understanding(
        trust=max(0.0, 2 * paired / len(pairs) - 1),
        unrelated=others / (len(pairs) * (len(pairs) - 1)),
        related=median(own),
    )
