from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from app.errors import HotswapError
from app.ui.i18n import error_words


def codes(kind: type[HotswapError] = HotswapError) -> set[str]:
    """Those of app/errors.py, from the tree of classes itself."""
    own = {kind("").code} if kind.__module__ == "app.errors" else set()
    return own.union(*(codes(child) for child in kind.__subclasses__()))


def test_every_error_has_its_gist_in_chinese_and_there_is_no_other() -> None:
    assert len(codes()) > 20
    assert error_words().keys() == codes()
    assert [words for words in error_words().values() if not re.fullmatch(r"[\u4e00-\u9fff].*。", words)] == []
    assert len(set(error_words().values())) == len(error_words())


def _page() -> None:
    import streamlit as st

    from app.errors import ModelMissing
    from app.ui.faults import guarded, show

    show(ModelMissing("There is no model nope.", "Fetch it."))
    if "unexpected" in st.session_state:
        with guarded():
            raise ValueError("inner detail")


def shown(lang: str, **state: bool) -> list[str]:
    test = AppTest.from_function(_page, default_timeout=20)
    test.session_state["lang"] = lang
    for name, value in state.items():
        test.session_state[name] = value
    return [str(error.value) for error in test.run().error]


def test_an_error_is_its_own_words_in_english_and_has_its_gist_first_in_chinese() -> None:
    assert shown("en") == ["**There is no model nope.**  \nFetch it."]
    assert shown("zh") == ["**没有找到这个模型。**  \nThere is no model nope.  \nFetch it."]


@pytest.mark.parametrize(("lang", "words"), [("en", "Something went wrong"), ("zh", "页面出了点问题")])
def test_what_the_page_says_itself_needs_no_translation(lang: str, words: str) -> None:
    text = shown(lang, unexpected=True)[1]
    assert text.startswith(f"**{words}")
    assert "inner detail" not in text and text.count("。") <= 2
