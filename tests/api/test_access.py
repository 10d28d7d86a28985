"""Keys, the cookie that stands for one, and who counts as being on this machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from app.api.access import COOKIE_SECONDS, Keys, bearer, is_foreign_page, is_local, is_loopback

KEYS = Keys(("alpha", "beta"))
NOW = 1_800_000_000.0
several = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=4, unique=True)


@given(several, st.data())
def test_each_key_is_known_by_its_place(keys: list[str], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(keys) - 1))
    assert Keys(keys).number(keys[number]) == number


@given(several, st.text())
def test_nothing_else_is_a_key(keys: list[str], other: str) -> None:
    assert (Keys(keys).number(other) is None) == (other not in keys)


def test_without_keys_nothing_is_one() -> None:
    assert not Keys(())
    assert Keys(()).number("") is None
    assert Keys(()).number_of_cookie(KEYS.cookie(0, NOW), NOW) is None


@given(st.integers(0, 1), st.floats(0, COOKIE_SECONDS - 1))
def test_a_cookie_stands_for_its_key_until_it_ends(number: int, later: float) -> None:
    cookie = KEYS.cookie(number, NOW)
    assert KEYS.number_of_cookie(cookie, NOW + later) == number
    assert KEYS.number_of_cookie(cookie, NOW + COOKIE_SECONDS + 1 + later) is None
    assert "alpha" not in cookie and "beta" not in cookie


@given(st.data())
def test_a_cookie_that_was_changed_is_none(data: st.DataObject) -> None:
    cookie = KEYS.cookie(0, NOW)
    at = data.draw(st.integers(0, len(cookie) - 1))
    letter = data.draw(st.sampled_from("0123456789abcdef.x").filter(lambda one: one != cookie[at]))
    assert KEYS.number_of_cookie(cookie[:at] + letter + cookie[at + 1 :], NOW) is None


@pytest.mark.parametrize(
    "cookie",
    ["", ".", "x", "1", "9" * 10, "9" * 5000, f"{'9' * 5000}.x", "٣٣٣٣٣٣٣٣٣٣٣.x", "-1.x", "1e99.x", "²²²²²²²²²²².x"],
)
def test_what_is_no_cookie_of_ours_is_none(cookie: str) -> None:
    assert KEYS.number_of_cookie(cookie, NOW) is None


@given(st.text())
def test_whatever_comes_as_a_cookie_does_no_harm(text: str) -> None:
    assert KEYS.number_of_cookie(text, NOW) is None


def test_a_cookie_cannot_be_made_to_last_longer_and_ends_with_its_key() -> None:
    until, _, proof = KEYS.cookie(1, NOW).partition(".")
    assert KEYS.number_of_cookie(f"{int(until) + 1}.{proof}", NOW) is None
    assert Keys(("alpha",)).number_of_cookie(f"{until}.{proof}", NOW) is None, "its key was taken away"
    assert Keys(("beta",)).number_of_cookie(f"{until}.{proof}", NOW) == 0


@pytest.mark.parametrize(
    ("header", "key"),
    [("Bearer k", "k"), ("bearer  k ", "k"), ("BEARER k", "k"), ("Basic k", ""), ("Bearer", ""), ("k", ""), ("", "")],
)
def test_the_key_of_a_request(header: str, key: str) -> None:
    assert bearer({"authorization": header}) == key


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1", "app.localhost"])
def test_this_machine_by_its_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1", "::", "2130706433", "evil"]
)
def test_other_names_are_other_machines(host: str) -> None:
    assert not is_loopback(host)


@given(st.ip_addresses())
def test_an_address_is_this_machine_where_it_is_its_loopback(address: object) -> None:
    assert is_loopback(str(address)) == address.is_loopback  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("client", "host", "more", "local"),
    [
        ("127.0.0.1", "localhost:8501", {}, True),
        ("::1", "[::1]:8501", {}, True),
        ("10.0.0.7", "localhost:8501", {}, False),
        ("127.0.0.1", "evil.example", {}, False),
        ("127.0.0.1", "", {}, False),
        ("127.0.0.1", "[::1", {}, False),
        ("127.0.0.1", "localhost", {"x-forwarded-for": "10.0.0.7"}, False),
        ("127.0.0.1", "localhost", {"forwarded": "for=10.0.0.7"}, False),
    ],
)
def test_what_comes_from_this_machine(client: str, host: str, more: dict[str, str], local: bool) -> None:
    assert is_local({"client": (client, 1)}, Headers({"host": host, **more})) is local


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"origin": "http://localhost:8501"}, False),
        ({"origin": "http://LOCALHOST:8501"}, False),
        ({"origin": "http://localhost:8502"}, True),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "http://[::1"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "http://localhost:8501"}, False),
    ],
)
def test_what_a_page_of_another_site_sends(headers: dict[str, str], foreign: bool) -> None:
    assert is_foreign_page(Headers({"host": "localhost:8501", **headers})) is foreign
