"""What the product knows of written language."""

from __future__ import annotations

import sys
import threading
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.text import (
    STOP_WORDS,
    Language,
    estimate_tokens,
    has_han,
    language,
    pairs,
    sentences,
    simplified,
    statements,
    strip_accents,
    terms,
    trim,
)

# Text as documents hold it: both languages, every mark that the splitter looks at, and what else there is.
prose = st.text(
    st.one_of(
        st.sampled_from('abcXYZ123 \n\n\t.。！？!?；…,，)」”"#-*|>1é我们在学习中文'),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=300,
)


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


# sentences


@given(prose)
@example("")
@example(" \n ")
def test_sentences_cover_all_but_white_space_in_order_without_overlap(text: str) -> None:
    spans = sentences(text)
    edges = [edge for span in spans for edge in span]

    assert edges == sorted(edges)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    covered = "".join(text[start:end] for start, end in spans)
    assert "".join(covered.split()) == "".join(text.split())
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)


@given(prose, st.data())
def test_a_part_of_a_text_is_split_within_its_bounds(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))

    spans = sentences(text, start, end)

    assert all(start <= first < last <= end for first, last in spans)
    assert "".join("".join(text[first:last] for first, last in spans).split()) == "".join(text[start:end].split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("今天下雨。带伞！好吗？好；走吧", ["今天下雨。", "带伞！", "好吗？", "好；", "走吧"]),
        ('He said: "Go." Then he left.', ['He said: "Go."', "Then he left."]),
        ("他说：“走吧。”然后离开了。", ["他说：“走吧。”", "然后离开了。"]),
        ("Really?! Yes...", ["Really?!", "Yes..."]),
        ("真的？！是的……好。", ["真的？！", "是的……", "好。"]),
        ("用 vLLM 吗?好的。", ["用 vLLM 吗?", "好的。"]),
        ("It works (see below.) Next one.", ["It works (see below.)", "Next one."]),
        ("第一句。Second one. 第三句。", ["第一句。", "Second one.", "第三句。"]),
    ],
)
def test_sentences_end_at_their_marks(text: str, expected: list[str]) -> None:
    assert split(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Install v0.32.0 of the tool now.",
        "The value 3.5 is 2.75 times larger than 1.27.",
        "Dr. Smith met Mr. Jones and Prof. Wu at St. Mary.",
        "Use a GPU, e.g. an A100 or i.e. Something large.",
        "J. R. R. Tolkien wrote it.",
        "See Fig. 3 and No. 5 on p. 12 for more.",
        "She has a Ph.D. From Oxford came the letter.",
        "The U.S. Army and the U.K. Navy took part.",
        "Open http://127.0.0.1:8501/?lang=zh&page=2 in a browser.",
        "Where a != b or b!important holds.",
        "Edit config.yaml and run app.py as before.",
        "It runs at approx. Three tokens a second.",
        "and so on... but it goes on",
        "版本 v0.32.0 需要 3.5 GB 内存，见 config.yaml",
    ],
)
def test_marks_inside_words_numbers_and_abbreviations_end_nothing(text: str) -> None:
    assert split(text) == [text]


def test_a_short_word_that_is_an_abbreviation_elsewhere_still_ends_a_sentence() -> None:
    assert split("The answer is no. Then we left.") == ["The answer is no.", "Then we left."]


def test_list_items_are_sentences_of_their_own() -> None:
    text = "Do this:\n1. Open the page\n2. Click. Then wait\n- a dash\n* a star\n+ a plus\n10) ten\n| a | table |"

    assert split(text) == [
        "Do this:",
        "1. Open the page",
        "2. Click.",
        "Then wait",
        "- a dash",
        "* a star",
        "+ a plus",
        "10) ten",
        "| a | table |",
    ]


def test_headings_and_blank_lines_end_a_sentence() -> None:
    text = "# Title\nFirst line\nstill the first.\n\n## 第二节\n内容在这里\n\nlast"

    assert split(text) == ["# Title", "First line\nstill the first.", "## 第二节", "内容在这里", "last"]


def test_a_line_break_alone_ends_nothing() -> None:
    assert split("one line\nand its other half") == ["one line\nand its other half"]


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "字",
        " ",
        "\n",
        "\n ",
        ".",
        "!",
        "?)",
        "x. ",
        "Some words are here. ",
        "No. ",
        "1. ",
        "\n\t",
        "a?b",
        "。",
        "# ",
    ],
)
def test_time_grows_with_the_length_and_not_with_its_square(piece: str) -> None:
    text = piece * (1_000_000 // len(piece)) + "a"

    began = time.perf_counter()
    sentences(text)

    # A quadratic splitter takes minutes; this one a second or two on a slow machine.
    assert time.perf_counter() - began < 20


@given(prose, st.data())
def test_trim_takes_white_space_and_nothing_else(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))

    first, last = trim(text, start, end)

    assert text[first:last] == text[start:end].strip()


# language


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How do I switch to vLLM?", "en"),
        ("如何切换到 vLLM？", "zh"),
        ("怎么把 Ollama 换成 vLLM server？", "zh"),
        ("vLLM CUDA out of memory 怎么办", "zh"),
        ("connection refused by the Ollama server 是什么意思？", "zh"),
        ("如何解决 CUDA out of memory error", "zh"),
        ("Is there a model named 通义千问 for 8 GB?", "en"),
        ("What does the word 你好 mean in English, please?", "en"),
        ("我要用 Qwen3 8B", "zh"),
        ("¿Cómo cambio a vLLM?", "en"),
        ("繁體中文也是中文", "zh"),
        ("𠮷野家", "zh"),
        ("12345 !?", "en"),
        ("", "en"),
    ],
)
def test_language_is_what_a_reader_would_say(text: str, expected: Language) -> None:
    assert language(text) == expected


def test_has_han_looks_for_chinese_characters_only() -> None:
    assert has_han("abc 中") and has_han("𠮷")
    assert not has_han("abc が 한 é。")


# terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＶＬＬＭ　１２３", "vllm 123"),
        ("CUDA Memory", "cuda memory"),
        ("café naïve Zürich", "cafe naive zurich"),
        ("cafe\u0301", "café"),
        ("İstanbul", "istanbul"),
        ("Straße", "STRASSE"),
        ("models serving switched", "model serve switch"),
        ("max_model_len", "max model len"),
        ("don’t-panic", "don't panic"),
        ("ﬁle", "file"),
        ("中文　检索", "中文检索"),
    ],
)
def test_the_same_words_written_otherwise_are_the_same_terms(one: str, other: str) -> None:
    assert terms(one) == terms(other) != []


@given(st.text(st.characters(categories=["L", "N"], max_codepoint=0x24F), max_size=40))
def test_accents_case_and_composition_make_no_difference(word: str) -> None:
    assert terms(word) == terms(unicodedata.normalize("NFD", word)) == terms(unicodedata.normalize("NFKC", word))


@given(prose)
def test_terms_are_words_and_come_out_the_same_a_second_time(text: str) -> None:
    found = terms(text, keep_stop_words=True)

    assert found == terms(text, keep_stop_words=True)
    assert all(term and not any(character.isspace() for character in term) for term in found)
    without = terms(text)
    assert len(without) <= len(found)


def test_chinese_is_cut_into_words() -> None:
    found = terms("中华人民共和国的首都是北京市")

    assert {"中华人民共和国", "首都", "北京", "北京市"} <= set(found)
    assert "的" not in found


@given(st.text("我们在学习自然语言处理模型内存显卡不足下载镜像服务", min_size=1, max_size=30))
def test_no_chinese_character_is_lost(text: str) -> None:
    assert set("".join(terms(text, keep_stop_words=True))) == set(text)


def test_rare_characters_are_searchable() -> None:
    assert terms("𠮷野") != []
    assert terms("㐂") == ["㐂"]


def test_stop_words_go_unless_they_are_asked_for() -> None:
    assert terms("What is the model?") == ["model"]
    assert terms("什么是模型？") == ["模型"]
    assert terms("What is the model?", keep_stop_words=True) == ["what", "is", "the", "model"]


def test_stop_words_are_written_as_terms_are_compared() -> None:
    assert all(word == strip_accents(unicodedata.normalize("NFKC", word).casefold()) for word in STOP_WORDS)


# Traditional characters


@pytest.mark.parametrize(
    ("traditional", "plain"),
    [
        ("顯存不足怎麼辦", "显存不足怎么办"),
        ("繁體中文", "繁体中文"),
        ("這個引擎與雲端無關", "这个引擎与云端无关"),
        ("怎麼選擇引擎", "怎么选择引擎"),
    ],
)
def test_traditional_and_simplified_characters_are_the_same_terms(traditional: str, plain: str) -> None:
    assert simplified(traditional) == plain == simplified(plain)
    assert terms(traditional) == terms(plain) != []
    assert pairs(traditional) == pairs(plain) != []


@given(prose)
def test_each_character_stays_in_its_place(text: str) -> None:
    """What is not Chinese stays as it is."""
    found = simplified(text)

    assert len(found) == len(text)
    assert all(one == other or has_han(one) for one, other in zip(text, found, strict=True))
    assert simplified(found) == found


# pairs


def test_pairs_are_words_that_say_something_side_by_side() -> None:
    assert pairs("the red blood of cells") == ["red_blood", "blood_cell"]
    assert pairs("CUDA: out of Memory") == ["cuda_memori"]
    assert pairs("engine") == pairs("the of") == pairs("") == []


def test_pairs_of_chinese_are_characters_side_by_side() -> None:
    assert pairs("林海生，主持") == ["林海", "海生", "主持"]
    assert pairs("字") == []
    assert pairs("the vLLM 引擎 runs fast") == ["引擎", "run_fast"]


@given(prose)
def test_pairs_are_of_two_neighbouring_terms_and_no_more_than_there_are(text: str) -> None:
    found = pairs(text)

    assert found == pairs(text)
    assert all(pair and not any(character.isspace() for character in pair) for pair in found)
    assert len(found) <= max(0, len(text) - 1)
    words = set(terms(text))
    assert all(pair.split("_")[0] in words and pair.split("_")[1] in words for pair in found if "_" in pair)


def test_several_threads_get_the_same_terms() -> None:
    """The stemmer under it works in place; two threads must not meet in it."""
    words = [f"{stem}{ending}" for stem in ("walk", "servic", "hopp", "model", "relat", "nation") for ending in
             ("ing", "ed", "es", "ational", "iveness", "fulness", "ization", "ly", "ingly", "ibility")]  # fmt: skip
    expected = [terms(f"{word}{number}x {word}") for number in range(20) for word in words]
    results: list[list[list[str]]] = []
    interval = sys.getswitchinterval()
    from app import text

    def work() -> None:
        results.append([terms(f"{word}{number}x {word}") for number in range(20) for word in words])

    sys.setswitchinterval(1e-6)
    try:
        text._stem.cache_clear()
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)

    assert results == [expected] * 4


# tokens


@given(prose)
def test_token_estimates_are_bounded_by_the_length(text: str) -> None:
    assert 0 <= estimate_tokens(text) <= len(text)
    assert (estimate_tokens(text) > 0) == bool(text)


def test_a_chinese_character_counts_as_a_token() -> None:
    assert estimate_tokens("显存不足") == 4
    assert estimate_tokens("memory") == 2


def test_lines_of_a_chat_or_a_log_are_sentences_of_their_own() -> None:
    chat = "[09:02] Priya: lunch at one?\nWen: fine\n2026-11-03 10:00 ERROR disk full\nand goes on\n李雷：好的"

    assert [chat[start:end] for start, end in sentences(chat)] == [
        "[09:02] Priya: lunch at one?",
        "Wen: fine",
        "2026-11-03 10:00 ERROR disk full\nand goes on",
        "李雷：好的",
    ]


def test_statements_join_what_a_chinese_semicolon_joins() -> None:
    text = "东门九点开；西门十点开。\n南门不开；\n北门常开。"
    found = [text[start:end] for start, end in statements(text)]
    assert found == ["东门九点开；西门十点开。", "南门不开；", "北门常开。"]
    long = "很长的一句话说个没完；" * 40
    assert all(end - start <= 200 for start, end in statements(long))
