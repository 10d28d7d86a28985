"""The addresses of documents."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mcp_server.uris import names_of, uri_of

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(NAMES, NAMES)
def test_an_address_leads_back_to_its_names(collection: str, doc: str) -> None:
    uri = uri_of(collection, doc)

    assert names_of(uri) == (collection, doc)
    assert re.fullmatch(r"hotswap://documents/[\w.~%-]+/[\w.~%-]+", uri, re.ASCII)


def test_an_address_is_encoded() -> None:
    assert uri_of("论文 2024", "a/b c.md") == "hotswap://documents/%E8%AE%BA%E6%96%87%202024/a%2Fb%20c.md"
    assert names_of("hotswap://documents/default/a/b%20c.md") == ("default", "a/b c.md")  # by a client's own hand


@pytest.mark.parametrize(
    "uri",
    ["", "hotswap://documents/", "hotswap://documents/default", "hotswap://documents/default/",
     "hotswap://documents//x", "file:///etc/passwd", "hotswap://other/default/x", "hotswap://documents/default/%FF"],
)  # fmt: skip
def test_what_is_no_address_has_no_names(uri: str) -> None:
    assert names_of(uri) is None
