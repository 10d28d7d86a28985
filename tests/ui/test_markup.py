from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.ui.markup import plain, quoted, written


def test_plain_shows_what_stands_there() -> None:
    assert plain("# a *b* $c$ [1] `d` <b>") == r"\# a \*b\* \$c\$ \[1\] \`d\` \<b\>"
    assert plain("1. one") == r"1\. one"


@pytest.mark.parametrize("line", ["# Title", "> quote", "- item", "| a | b |", "```", "![x](http://h/y.png)", "<hr>"])
def test_a_quotation_is_a_paragraph_whatever_it_holds(line: str) -> None:
    html = MarkdownIt().render(quoted(f"{line} [1]"))
    assert re.findall(r"<(\w+)", html) == ["p"]


def test_a_quotation_keeps_its_code_and_its_marker() -> None:
    assert quoted("Set `A_B=$1` now. [1]") == r"Set `A_B=$1` now. \[1\]"


def test_money_is_no_formula_but_a_displayed_formula_is() -> None:
    assert written("It costs $5, not $10.") == r"It costs \$5, not \$10."
    assert written("$$x^2$$") == "$$x^2$$"


def test_code_stays_as_it_is_also_while_its_end_is_to_come() -> None:
    for text in ("`$HOME`", "```sh\necho $HOME ![a](b)\n```", "```sh\necho $HOME"):
        assert written(text) == text


def test_pictures_are_text() -> None:
    assert "<img" not in MarkdownIt().render(written("![x](http://example.com/x.png)"))


def test_streamlits_own_directives_are_text() -> None:
    assert written(":red[alarm] :material/home: at 10:30") == r"\:red[alarm] \:material/home: at 10:30"


@given(st.text(alphabet="a1 $`*_#![]()<>|\\:-\n", max_size=60))
def test_a_quotation_never_makes_more_than_paragraphs_and_code(text: str) -> None:
    html = MarkdownIt("commonmark", {"html": False}).render(quoted(text))
    assert set(re.findall(r"<(\w+)", html)) <= {"p", "code", "br"}
