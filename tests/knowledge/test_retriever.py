"""The retriever on a small collection in two languages, with the real embedding model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from langchain_core.retrievers import BaseRetriever

from app.config import load_settings
from app.knowledge.embedder import Embedder
from app.knowledge.library import Knowledge
from app.knowledge.relevance import as_score, scores
from app.knowledge.reranker import Reranker
from app.text import language
from tests.knowledge.conftest import Open
from tests.knowledge.parts import extracted, file, spans

CORPUS = {
    "en/engines.md": "# Engines\n\nOllama, vLLM and the extractive engine can answer. Choose one with LLM_ENGINE.",
    "en/memory.md": "# Memory\n\nWhen CUDA runs out of memory, lower max_model_len or gpu_memory_utilization.",
    "en/mirrors.md": "# Mirrors\n\nSet HF_ENDPOINT to a mirror when the model hub is slow or cannot be reached.",
    "en/docker.md": "# Containers\n\nInside a container localhost is the container itself; use the host's address.",
    "en/coffee.md": "# Coffee\n\nThe espresso machine in the kitchen is descaled every Friday by the office team.",
    "en/leave.md": "# Holidays\n\nEmployees have thirty days of paid vacation a year and ask their manager for them.",
    "en/garden.md": "# Garden\n\nTomatoes want six hours of sun a day and are watered in the morning.",
    "en/telescope.md": "# Telescope\n\nGalileo saw four moons of Jupiter in January 1610 through a telescope he made.",
    "zh/引擎.md": "# 引擎\n\n可以使用 Ollama、vLLM 或摘录引擎回答问题，用 LLM_ENGINE 选择其中一个。",
    "zh/显存.md": "# 显存\n\n显存不足时，请减小上下文长度，或者降低显存占用比例。",
    "zh/镜像.md": "# 镜像\n\n下载模型很慢或者连不上时，把 HF_ENDPOINT 设置为国内镜像地址。",
    "zh/咖啡.md": "# 咖啡\n\n厨房里的咖啡机每周五由行政部门负责除垢。",
    "zh/休假.md": "# 休假\n\n员工每年有三十天带薪年假，需要提前向经理申请。",
    "zh/菜园.md": "# 菜园\n\n西红柿每天需要六小时日照，应在早晨浇水。",
}
RIGHT = [
    ("How do I choose an engine?", "en/engines.md"),
    ("What helps when CUDA is out of memory?", "en/memory.md"),
    ("The hub is unreachable, which variable names a mirror?", "en/mirrors.md"),
    ("Why does localhost not work inside a container?", "en/docker.md"),
    ("When is the coffee machine cleaned?", "en/coffee.md"),
    ("How many vacation days do employees get?", "en/leave.md"),
    ("How much sun do tomatoes need?", "en/garden.md"),
    ("Who discovered the moons of Jupiter?", "en/telescope.md"),
    ("怎么选择引擎？", "zh/引擎.md"),
    ("显存不足怎么办？", "zh/显存.md"),
    ("下载模型很慢，镜像地址怎么设置？", "zh/镜像.md"),
    ("咖啡机什么时候除垢？", "zh/咖啡.md"),
    ("员工有多少天带薪年假？", "zh/休假.md"),
    ("西红柿需要多少小时日照？", "zh/菜园.md"),
]
FOREIGN = [
    "Who won the football world cup in 1998?",
    "What is the boiling point of ethanol?",
    "How do I knit a pair of socks?",
    "Which composer wrote the Moonlight Sonata?",
    "谁发明了电话？",
    "长江的长度是多少公里？",
    "如何给吉他调音？",
    "量子力学的创始人有哪些？",
]


def fill(knowledge: Knowledge, folder: Path) -> None:
    for name, text in CORPUS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert knowledge.ingest([folder]).failed == []


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[Knowledge]:
    """The corpus, ingested once; tests of this module only read it."""
    root = tmp_path_factory.mktemp("library")
    knowledge = Knowledge(load_settings(data_dir=root / "state"))
    knowledge.embedder = embedder
    fill(knowledge, root / "documents")
    yield knowledge
    knowledge.close()


def ranked(knowledge: Knowledge, question: str, k: int = 10) -> list[str]:
    return [passage.doc for passage in knowledge.retriever().search(question, k).passages]


@pytest.mark.parametrize(("question", "doc"), RIGHT)
def test_a_right_question_finds_its_document_first(library: Knowledge, question: str, doc: str) -> None:
    found = library.retriever().search(question, 3)

    assert found.passages[0].doc == doc
    assert found.relevant


@pytest.mark.parametrize("question", FOREIGN)
def test_a_foreign_question_is_refused(library: Knowledge, question: str) -> None:
    retriever = library.retriever()
    found = retriever.search(question)

    assert not found.relevant
    assert retriever.invoke(question) == []


@pytest.mark.parametrize("question", ["", " ", "???", "的", "the of"])
def test_a_question_about_nothing_is_refused(library: Knowledge, question: str) -> None:
    assert library.retriever().invoke(question) == []


def test_strictness_moves_the_border(library: Knowledge) -> None:
    retriever = library.retriever()

    lenient, strict = (retriever.model_copy(update={"strictness": value}) for value in (0.0, 1.0))

    assert all(lenient.invoke(question) for question in FOREIGN)
    assert any(strict.invoke(question) == [] for question, _ in RIGHT)


def test_it_is_a_langchain_retriever_with_all_that_a_citation_needs(library: Knowledge) -> None:
    retriever = library.retriever()
    assert isinstance(retriever, BaseRetriever)

    [document] = retriever.model_copy(update={"k": 1}).invoke("What helps when CUDA is out of memory?")

    text = CORPUS["en/memory.md"]
    metadata = document.metadata
    assert set(metadata) == {"doc", "start", "end", "page", "heading", "score", "document_id", "sha256", "likeness"}
    assert (metadata["doc"], metadata["heading"], metadata["page"]) == ("en/memory.md", "Memory", None)
    content = library.content(metadata["document_id"], metadata["sha256"])
    assert content is not None
    assert document.page_content == content.text[metadata["start"] : metadata["end"]]
    assert document.page_content in text


def test_a_passage_tells_how_near_its_sentences_are(library: Knowledge) -> None:
    best = library.retriever().search("Who discovered the moons of Jupiter?", 1).passages[0]

    assert best.likeness
    assert all(best.start <= start < end <= best.end for start, end, _ in best.likeness)
    nearest = max(best.likeness, key=lambda known: known[2])
    assert "Galileo" in best.text[nearest[0] - best.start : nearest[1] - best.start]


def test_of_a_language_that_the_model_does_not_understand_nothing_is_told(library: Knowledge) -> None:
    assert all(passage.likeness == () for passage in library.retriever().search("员工有多少天带薪年假？", 5).passages)


@pytest.mark.parametrize("k", [1, 3, 10, 100])
def test_k_is_the_most_that_comes_back(library: Knowledge, k: int) -> None:
    """Chinese is not embedded by a model that understands none: it is found by its words alone."""
    passages = library.retriever().search("engine", k).passages

    assert len(passages) == min(k, sum(language(text) == "en" or "ENGINE" in text for text in CORPUS.values()))
    assert [passage.score for passage in passages] == sorted((passage.score for passage in passages), reverse=True)
    assert len({(passage.doc, passage.start) for passage in passages}) == len(passages)


@pytest.mark.parametrize("question", [question for question, _ in RIGHT if language(question) == "zh"])
def test_in_chinese_an_english_model_does_not_drown_the_words(library: Knowledge, question: str) -> None:
    """The ranking within the question's language is BM25's, as if the embedding model were not there."""
    collection = library.collection()
    hits = collection.keywords.search(question, 60)
    chunks = collection.catalog.chunks([item for item, _ in hits])
    words = [chunks[item].doc for item, _ in hits if language(chunks[item].text) == "zh"]

    found = library.retriever().search(question, 60).passages

    assert [passage.doc for passage in found if language(passage.text) == "zh"] == words


@pytest.mark.parametrize("question", [RIGHT[0][0], RIGHT[9][0], FOREIGN[0], FOREIGN[4]])
def test_the_first_passage_scores_the_relevance_of_the_whole_search(library: Knowledge, question: str) -> None:
    found = library.retriever().search(question, 10)

    assert found.passages[0].score == pytest.approx(as_score(found.relevance), abs=1e-6)
    assert (found.passages[0].score >= 0.5) == found.relevant
    assert all(0 <= passage.score <= 1 for passage in found.passages)


@pytest.mark.parametrize("talk", ["Hello!", "Thank you very much.", "你好！", "謝謝"])
def test_small_talk_is_no_question(library: Knowledge, talk: str) -> None:
    retriever = library.retriever()

    assert retriever.invoke(talk) == []
    assert (retriever.search(talk).relevant, retriever.search(talk).relevance) == (False, 0.0)


@pytest.mark.parametrize(
    ("question", "doc"),
    [
        ("Hello, how do I choose an engine?", "en/engines.md"),
        ("你好，怎么选择引擎？", "zh/引擎.md"),
        ("怎麼選擇引擎？", "zh/引擎.md"),
        ("顯存不足怎麼辦？", "zh/显存.md"),
    ],
)
def test_a_greeting_or_traditional_characters_change_nothing(library: Knowledge, question: str, doc: str) -> None:
    found = library.retriever().search(question, 3)

    assert found.passages[0].doc == doc
    assert found.relevant


def test_passages_in_the_language_of_the_question_come_first(library: Knowledge) -> None:
    """Both guides hold these words."""
    assert ranked(library, "What are Ollama and vLLM?")[:2] == ["en/engines.md", "zh/引擎.md"]
    assert ranked(library, "Ollama 和 vLLM 是什么？")[:2] == ["zh/引擎.md", "en/engines.md"]


def test_a_passage_in_the_other_language_is_found_where_there_is_no_other(library: Knowledge) -> None:
    assert ranked(library, "Galileo 是谁？")[0] == "en/telescope.md"


def test_a_removed_document_is_never_returned_not_even_before_the_indexes_forget_it(
    open_again: Open, folder: Path, embedder: Embedder
) -> None:
    knowledge = open_again(embedder)
    fill(knowledge, folder)
    collection = knowledge.collection()
    [gone] = [info.id for info in knowledge.documents() if info.doc == "en/memory.md"]

    collection.catalog.remove_documents([gone])  # what a crash before the sweep leaves

    question = "What helps when CUDA is out of memory?"
    assert "en/memory.md" not in ranked(knowledge, question, 100)
    assert knowledge.retriever().invoke(question) == [] or all(
        document.metadata["doc"] != "en/memory.md" for document in knowledge.retriever().invoke(question)
    )
    knowledge.recover()
    assert "en/memory.md" not in ranked(knowledge, question, 100)


def test_what_is_not_ready_takes_nobodys_place(open_again: Open, folder: Path) -> None:
    """While a large document goes in, its chunks stand before all others in the index, and are passed over."""
    knowledge = open_again()
    (folder / "small.txt").write_text("The Zephyr engine runs on wind.")
    knowledge.ingest([folder])
    collection = knowledge.collection()
    crowd = "The Zephyr engine. " * 2000
    seen: list[list[str]] = []
    before = knowledge.retriever().search("Zephyr engine", 5)

    def look(done: int) -> None:
        found = knowledge.retriever().search("Zephyr engine", 5)
        seen.append([passage.doc for passage in found.passages])
        assert found.relevant == before.relevant

    collection.put(file("large.txt", crowd), extracted(crowd), spans(crowd, 100), on_chunks=look)

    assert len(seen) > 3
    assert all(docs == ["small.txt"] for docs in seen)


def test_an_empty_collection_finds_nothing(open_again: Open, folder: Path) -> None:
    knowledge = open_again()
    knowledge.ingest([folder])

    found = knowledge.retriever().search("anything at all")

    assert (found.passages, found.relevant) == ((), False)
    assert knowledge.retriever().invoke("anything at all") == []


def test_a_question_of_a_hundred_thousand_characters_is_answered_in_time(library: Knowledge) -> None:
    question = "How do I choose an engine? " * 3700

    assert ranked(library, question, 3)[0] == "en/engines.md"


def test_the_same_question_gives_the_same_answer(library: Knowledge) -> None:
    first = library.retriever().search("When is the coffee machine cleaned?", 10)

    assert library.retriever().search("When is the coffee machine cleaned?", 10) == first


class ByNumber(Reranker):
    """Likes high numbers, and remembers what it was given to read."""

    def __init__(self) -> None:
        super().__init__("by number")
        self.read: list[str] = []

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        self.read = list(passages)
        return [float(text.split()[-1]) for text in passages]


def test_a_reranker_sorts_the_best_candidates(open_again: Open, folder: Path) -> None:
    for number in range(60):
        (folder / f"engine-{number}.txt").write_text(f"The engine has the number {number}")
    knowledge = open_again()
    knowledge.ingest([folder])
    fused = knowledge.retriever().search("Which engine?", 100)
    knowledge.reranker = reranker = ByNumber()

    for k, read in ((1, 30), (30, 30), (45, 45), (100, 60)):
        found = knowledge.retriever().search("Which engine?", k)

        numbers = [float(passage.text.split()[-1]) for passage in fused.passages[:read]]
        assert reranker.read[0] == f"engine {numbers[0]:.0f}\nThe engine has the number {numbers[0]:.0f}"
        assert len(reranker.read) == read
        best = sorted(numbers, reverse=True)[:k]
        assert [float(passage.text.split()[-1]) for passage in found.passages] == best
        assert [passage.score for passage in found.passages] == pytest.approx(scores(found.relevance, best), abs=1e-6)
        assert (found.relevant, found.relevance) == (fused.relevant, fused.relevance)


def test_an_empty_collection_gives_a_reranker_nothing_to_read(open_again: Open, folder: Path) -> None:
    knowledge = open_again()
    knowledge.ingest([folder])
    knowledge.reranker = Reranker("not/here")

    assert knowledge.retriever().search("anything at all").passages == ()
