"""The page's few rules of style: those of ``style.css``, and words that only CSS can translate."""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st

from app.ui.i18n import t

_CSS = Path(__file__).with_suffix(".css")


def draw() -> None:
    """Once on every page."""
    st.html(f"<style>{_CSS.read_text(encoding='utf-8')}{_uploader()}</style>")


def _uploader() -> str:
    """The uploader's own words are English in every language: ours stand in their place."""
    drop, browse = (json.dumps(t(key), ensure_ascii=False) for key in ("library.drop", "library.browse"))
    return f"""
.st-key-upload [data-testid="stFileUploaderDropzoneInstructions"] * {{ font-size: 0; }}
.st-key-upload [data-testid="stFileUploaderDropzoneInstructions"]::after {{ content: {drop}; font-size: 0.9rem; }}
.st-key-upload [data-testid="stFileUploaderDropzone"] button p {{ font-size: 0; }}
.st-key-upload [data-testid="stFileUploaderDropzone"] button p::after {{ content: {browse}; font-size: 0.95rem; }}
"""
