"""The page's door for people from other machines: it asks for a key once, and gives the browser a proof of it."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from app.api.access import COOKIE, COOKIE_SECONDS, Keys, is_foreign_page
from app.api.rate import RateLimit

PATH = "/login"
_STRANGERS = -1  # they share one allowance of tries, so that nobody can try keys without end
_LONGEST = 4096
_WORDS = {
    "en": ("Hotswap", "This page is kept for those who have a key.", "Key", "Enter", "This key is not known here."),
    "zh": ("Hotswap", "此页面仅供持有密钥的人使用。", "密钥", "进入", "没有这个密钥。"),
}
_PAGE = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ display: grid; place-items: center; min-height: 90vh; margin: 1rem }}
form {{ display: grid; gap: .75rem; width: min(22rem, 100%) }}
h1 {{ margin: 0; font-size: 1.5rem }} p {{ margin: 0 }} .wrong {{ color: light-dark(#b3261e, #f2b8b5) }}
input, button {{ font: inherit; padding: .5rem .75rem; border-radius: .5rem; border: 1px solid #8888 }}
button {{ background: #0f766e; color: white; border: 0; cursor: pointer }}
</style></head><body><form method="post" action="{action}"><h1>{title}</h1><p>{told}</p>{wrong}
<input type="password" name="key" aria-label="{label}" placeholder="{label}" autocomplete="current-password"
 autofocus required>
<button>{button}</button></form></body></html>
"""


def door(request: Request) -> Response:
    """What a stranger sees: the form in place of a page, a plain refusal in place of anything else."""
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return _form(request, wrong=False)
    return PlainTextResponse("This needs a key.\n", 401)


def page(request: Request, keys: Keys, rate: RateLimit) -> Response | Entry:
    """The form, or what becomes of a key that was entered."""
    return Entry(request, keys, rate) if request.method == "POST" else _form(request, wrong=False)


class Entry:
    """A key that was entered."""

    def __init__(self, request: Request, keys: Keys, rate: RateLimit) -> None:
        self._request, self._keys, self._rate = request, keys, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI asks for it."""
        response = await self._response()
        await response(scope, receive, send)

    async def _response(self) -> Response:
        request = self._request
        if is_foreign_page(request.headers):
            return PlainTextResponse("A page of another site sent this.\n", 403)
        if seconds := self._rate.take(_STRANGERS):
            return PlainTextResponse("Too many tries.\n", 429, {"Retry-After": str(seconds)})
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LONGEST:
                return PlainTextResponse("That is no key.\n", 413)
        given = parse_qs(body.decode("utf-8", "replace")).get("key", [""])[0].strip()
        number = self._keys.number(given)
        if number is None:
            return _form(request, wrong=True)
        response = RedirectResponse("./", 303)
        secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
        response.set_cookie(
            COOKIE, self._keys.cookie(number), COOKIE_SECONDS, httponly=True, samesite="strict", secure=secure
        )
        return response


def _form(request: Request, *, wrong: bool) -> Response:
    asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
    lang = "zh" if asked.lower().startswith("zh") else "en"
    title, told, label, button, refused = map(escape, _WORDS[lang])
    body = _PAGE.format(
        lang="zh-CN" if lang == "zh" else "en", title=title, told=told, label=label, button=button, action=PATH,
        wrong=f'<p class="wrong" role="alert">{refused}</p>' if wrong else "",
    )  # fmt: skip
    return HTMLResponse(body, 403 if wrong else 401, {"Cache-Control": "no-store"})
