from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from app.ui.i18n import LANGUAGES, words

UI = Path(__file__).resolve().parents[2] / "app" / "ui"
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in sorted(UI.glob("*.py")))


def test_both_languages_have_the_same_keys_and_no_empty_words() -> None:
    assert words("en").keys() == words("zh").keys()
    assert all(text.strip() for of in LANGUAGES for text in words(of).values())


@pytest.mark.parametrize("key", words("en"))
def test_both_languages_fill_in_the_same_values(key: str) -> None:
    def fields(text: str) -> set[str | None]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field}

    assert fields(words("en")[key]) == fields(words("zh")[key])


def test_every_key_that_is_used_exists_and_every_one_that_exists_is_used() -> None:
    sections = {key.split(".")[0] for key in words("en")}
    used = {key for key in re.findall(r"[\"']([a-z]+\.[a-z_]+)[\"']", SOURCES) if key.split(".")[0] in sections}
    assert used == words("en").keys()


def test_no_key_is_put_together_at_run_time() -> None:
    assert not re.search(r"\bt\(f[\"']", SOURCES)


def test_chinese_is_chinese() -> None:
    han = re.compile(r"[\u4e00-\u9fff]")
    foreign = {"library.facts"}
    assert [key for key, text in words("zh").items() if not han.search(text) and key not in foreign] == []
    assert [key for key, text in words("en").items() if han.search(text)] == []
