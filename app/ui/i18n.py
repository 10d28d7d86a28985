"""Every word that the page shows, in the reader's language: :func:`t` and two tables in ``words/``."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from app.text import Language

LANGUAGES: dict[Language, str] = {"en": "English", "zh": "中文"}
"""Each language by its own name."""


def t(key: str, /, **values: object) -> str:
    """The words of ``section.name`` with ``{value}`` filled in. Raises KeyError for an unknown key."""
    return said(language(), key, **values)


def said(of: Language, key: str, /, **values: object) -> str:
    """:func:`t` in a given language, for what is written where no page is being drawn."""
    return words(of)[key].format(**values)


def language() -> Language:
    """What the reader chose (``?lang=``), else what the browser asks for."""
    chosen = st.session_state.get("lang")
    if chosen in LANGUAGES:
        return "zh" if chosen == "zh" else "en"
    return "zh" if (st.context.locale or "").lower().startswith("zh") else "en"


@lru_cache(maxsize=len(LANGUAGES))
def words(of: Language) -> dict[str, str]:
    """One table: ``section.name`` to words."""
    sections = _table(f"{of}.toml").items()
    return {f"{section}.{name}": value for section, entries in sections for name, value in entries.items()}


def gist(code: str) -> str:
    """What an error of this code is about, where the reader's language is not that of the error's own words."""
    return error_words().get(code, "") if language() == "zh" else ""


@lru_cache(maxsize=1)
def error_words() -> dict[str, str]:
    """Chinese for each ``HotswapError.code``."""
    return dict(_table("errors.zh.toml"))


def _table(file: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "words" / file).read_text(encoding="utf-8"))
