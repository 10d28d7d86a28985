"""Every word that the page shows, in the reader's language: :func:`t` and two tables in ``words/``."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

import streamlit as st

from app.text import Language

LANGUAGES: dict[Language, str] = {"en": "English", "zh": "中文"}
"""Each language by its own name."""


def t(key: str, /, **values: object) -> str:
    """The words of ``section.name`` with ``{value}`` filled in. Raises KeyError for an unknown key."""
    return words(language())[key].format(**values)


def language() -> Language:
    """What the reader chose (``?lang=``), else what the browser asks for."""
    chosen = st.session_state.get("lang")
    if chosen in LANGUAGES:
        return "zh" if chosen == "zh" else "en"
    return "zh" if (st.context.locale or "").lower().startswith("zh") else "en"


@lru_cache(maxsize=len(LANGUAGES))
def words(of: Language) -> dict[str, str]:
    """One table: ``section.name`` to words."""
    text = (Path(__file__).parent / "words" / f"{of}.toml").read_text(encoding="utf-8")
    sections = tomllib.loads(text).items()
    return {f"{section}.{name}": value for section, entries in sections for name, value in entries.items()}
