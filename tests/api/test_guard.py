"""The guard before a page and a door of little size: the key form, headers, numbers and limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app.api.access import COOKIE, COOKIE_SECONDS, Keys
from app.api.guard import Guard
from app.config import load_settings
from app.metrics import Metrics
from app.service import set_current

KEY = "a-long-secret"
HTML = {"Accept": "text/html"}
Client = Callable[..., TestClient]


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"the page, {len(await request.body())}")


@pytest.fixture
def client() -> Iterator[Client]:
    """Somebody elsewhere, or with ``here`` on this machine; the settings are those given."""
    set_current(SimpleNamespace(metrics=Metrics()))  # type: ignore[arg-type]

    def make(here: bool = False, host: str = "", **settings: object) -> TestClient:
        routes = [Route(path, page, methods=["GET", "POST"]) for path in ("/", "/v1/models", "/health/live")]
        found = load_settings(api_keys=KEY, **settings) if "api_keys" not in settings else load_settings(**settings)
        app = Starlette(routes=routes, middleware=[Middleware(Guard, settings=lambda: found)])
        base = host or ("http://localhost:8501" if here else "http://hotswap.example")
        return TestClient(app, base, client=("127.0.0.1" if here else "10.0.0.7", 5000), follow_redirects=False)

    yield make
    set_current(None)


def test_a_reader_elsewhere_is_asked_for_the_key(client: Client) -> None:
    asked = client().get("/", headers=HTML)
    assert asked.status_code == 401
    assert "This page is kept for those who have a key." in asked.text and 'lang="en"' in asked.text
    assert 'type="password"' in asked.text and KEY not in asked.text
    assert asked.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("how", [{"params": {"lang": "zh"}}, {"headers": {"Accept-Language": "zh-CN,en;q=0.5"}}])
def test_it_asks_in_chinese(client: Client, how: dict[str, dict[str, str]]) -> None:
    asked = client().get("/login", **how)  # type: ignore[arg-type]
    assert "此页面仅供持有密钥的人使用。" in asked.text and 'lang="zh-CN"' in asked.text


def test_what_is_no_browser_gets_a_plain_refusal(client: Client) -> None:
    assert client().get("/").text == "This needs a key.\n"
    assert client().post("/", headers=HTML).status_code == 401


def test_a_wrong_key_is_told_and_leaves_no_cookie(client: Client) -> None:
    for form, words in (({}, "This key is not known here."), ({"Accept-Language": "zh"}, "没有这个密钥。")):
        refused = client().post("/login", data={"key": "wrong"}, headers={**HTML, **form})
        assert refused.status_code == 403 and words in refused.text
        assert "set-cookie" not in refused.headers


@pytest.mark.parametrize("body", [b"", b"key=", b"key=%FF%FE", b"\xff\xfe", b"key=" + b"&" * 4000, b"no=1"])
def test_a_form_that_makes_no_sense_opens_nothing(client: Client, body: bytes) -> None:
    assert client().post("/login", content=body).status_code == 403


def test_a_form_that_is_too_long_is_not_read(client: Client) -> None:
    assert client().post("/login", content=b"key=" + b"x" * 5000).status_code == 413


@pytest.mark.parametrize(("host", "secure"), [("http://hotswap.example", False), ("https://hotswap.example", True)])
def test_the_right_key_opens_the_page_by_a_cookie(client: Client, host: str, secure: bool) -> None:
    reader = client(host=host)
    entered = reader.post("/login", data={"key": f" {KEY} "})
    assert (entered.status_code, entered.headers["Location"]) == (303, "./")
    cookie = entered.headers["Set-Cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and f"max-age={COOKIE_SECONDS}" in cookie
    assert ("secure" in cookie) is secure
    assert KEY not in cookie
    assert reader.get("/", headers=HTML).text == "the page, 0"
    assert reader.get("/v1/models").is_success, "the page's own requests go through the doors"


def test_behind_a_proxy_that_encrypts_the_cookie_is_for_encrypted_connections_alone(client: Client) -> None:
    entered = client().post("/login", data={"key": KEY}, headers={"X-Forwarded-Proto": "https"})
    assert "secure" in entered.headers["Set-Cookie"].lower()


def test_a_cookie_from_elsewhere_opens_nothing(client: Client) -> None:
    for value in (Keys(("another",)).cookie(0), Keys((KEY,)).cookie(0, now=0), "9" * 5000 + ".x", "x"):
        reader = client()
        assert reader.get("/", headers={**HTML, "Cookie": f"{COOKIE}={value}"}).status_code == 401
        assert reader.get("/v1/models", headers={"Cookie": f"{COOKIE}={value}"}).status_code == 401


def test_too_many_tries_are_sent_away_for_a_while(client: Client) -> None:
    reader = client(rate_limit=3)
    tries = [reader.post("/login", data={"key": "wrong"}) for _ in range(4)]
    assert [one.status_code for one in tries] == [403, 403, 403, 429]
    assert 1 <= int(tries[-1].headers["Retry-After"]) <= 20
    assert reader.post("/login", data={"key": KEY}).status_code == 429, "and nobody guesses on meanwhile"
    assert reader.get("/v1/models", headers={"Authorization": f"Bearer {KEY}"}).is_success, "who has a key is let in"


def test_another_sites_page_cannot_enter_a_key(client: Client) -> None:
    entered = client().post("/login", data={"key": KEY}, headers={"Origin": "https://evil.example"})
    assert entered.status_code == 403 and "set-cookie" not in entered.headers


def test_on_this_machine_the_page_is_open_and_the_doors_want_the_key(client: Client) -> None:
    here = client(here=True)
    assert here.get("/", headers=HTML).is_success
    assert here.get("/v1/models").status_code == 401


def test_without_keys_nobody_elsewhere_sees_anything(client: Client) -> None:
    stranger = client(api_keys="")
    assert stranger.get("/", headers=HTML).status_code == 401
    assert stranger.post("/login", data={"key": ""}).status_code == 403
    assert stranger.get("/v1/models").status_code == 403
    assert client(here=True, api_keys="").get("/v1/models").is_success


def test_a_key_that_asks_too_often_is_told_when_to_come_again(client: Client) -> None:
    program = client(rate_limit=2)
    asked = [program.get("/v1/models", headers={"Authorization": f"Bearer {KEY}"}) for _ in range(3)]
    assert [one.status_code for one in asked] == [200, 200, 429]
    assert asked[-1].json()["error"]["code"] == "rate_limited"
    assert 1 <= int(asked[-1].headers["Retry-After"]) <= 30


@pytest.mark.parametrize("path", ["/", "/v1/models", "/login", "/nothing", "/v1/nothing", "/health/live"])
def test_every_answer_carries_the_headers_that_keep_it_safe(client: Client, path: str) -> None:
    for who in (client(), client(here=True), client(here=True, api_keys="")):
        headers = who.get(path, headers=HTML).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert len(headers["X-Request-Id"]) == 16


def test_a_body_of_the_largest_size_passes_and_one_byte_more_does_not(client: Client) -> None:
    here = client(here=True)
    assert here.post("/", content=b"x" * 8_000_000).text == "the page, 8000000"
    assert here.post("/", content=b"x" * 8_000_001).status_code == 413
    assert here.post("/", content=iter([b"x" * 8_000_000, b"x"])).status_code == 413
