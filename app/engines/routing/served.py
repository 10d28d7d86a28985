"""What a server offers, by its list of models, and the words for servers that do not answer as one should."""

from __future__ import annotations

import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from app.engines.http import error_text, fetch, shown
from app.engines.routing.routes import Route
from app.errors import EngineUnavailable, ModelMissing

SEE_LOG = "See the server's log."


@dataclass(frozen=True)
class ServedModel:
    """A model that the server offers; ``window`` is its context in tokens, where it tells.

    ``root`` is what the server was told to load: on its own machine a folder, or a hub id.
    """

    name: str
    window: int | None
    root: str = field(default="", compare=False)


def start_hint(route: Route) -> str:
    """What to do where nothing answers."""
    return f"Start one with `python -m app vllm-serve`, or correct {route.setting}."


def list_models(route: Route) -> list[ServedModel]:
    """What the server of ``route`` offers; waits for it, a second and a half at most.

    Raises:
        EngineUnavailable: it is down or slow, wants another key, or is another kind.
    """
    return read_list(route, fetch_list(route))


def fetch_list(route: Route) -> httpx.Response:
    """The server's list of models, whatever it looks like. Raises EngineUnavailable where none comes."""
    if route.refusal:
        raise route.refusal
    try:
        return request(route, "GET", "models")
    except httpx.HTTPError as error:
        raise unreachable(route, error) from error
    except ValueError:  # such as a host that no network could have
        raise no_address(route) from None


def request(route: Route, method: str, path: str, **how: Any) -> httpx.Response:
    """A short request below the route's address, with its key; otherwise as :func:`fetch`."""
    headers = {"Authorization": f"Bearer {route.key}"} if route.key else None
    return fetch(method, f"{address(route)}/{path}", headers=headers, **how)


def read_list(route: Route, reply: httpx.Response) -> list[ServedModel]:
    """The models in ``reply``. Raises EngineUnavailable where it is no list of them."""
    try:
        if reply.status_code == 200:
            return [_served(item) for item in reply.json()["data"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise no_api(route) from None
    raise refused(route, reply.status_code, error_text(reply.text))


def pick(route: Route, models: list[ServedModel]) -> ServedModel:
    """The one of ``models`` that the route asks for. Raises ModelMissing."""
    found = next((model for model in models if route.model in ("", model.name)), None)
    if found is None:
        raise missing(route, models)
    return found


def _served(item: dict[str, object]) -> ServedModel:
    window = item.get("max_model_len")
    root = item.get("root")
    return ServedModel(
        str(item["id"]),
        window if isinstance(window, int) and window > 0 else None,
        root if isinstance(root, str) else "",
    )


def missing(route: Route, models: list[ServedModel]) -> ModelMissing:
    """The error that says what the server offers instead."""
    names = ", ".join(model.name for model in models)
    if not names:
        return ModelMissing(f"The server at {shown(route.url)} serves no model.", start_hint(route))
    setting = "VLLM_MODEL" if route.setting == "VLLM_BASE_URL" else f"llm.routes.{route.name}.model"
    hint = f"Set {setting} to {names}, or leave it empty."
    return ModelMissing(f"The server at {shown(route.url)} does not serve {route.model or 'any model'}.", hint)


def no_api(route: Route) -> EngineUnavailable:
    """Something else answers at this address."""
    return EngineUnavailable(f"What answers at {shown(route.url)} is no OpenAI-compatible server.", start_hint(route))


def unreachable(route: Route, error: Exception) -> EngineUnavailable:
    """No connection, or no answer in time."""
    if isinstance(error, httpx.TimeoutException):
        hint = "It may still be loading: try again soon, or see its log."
        return EngineUnavailable(f"The server at {shown(route.url)} does not answer.", hint)
    if (failure := tls_failure(error)) is not None:
        return not_trusted(route, failure)
    return no_server(route)


def tls_failure(error: BaseException | None) -> ssl.SSLError | None:
    """What the TLS library said, somewhere behind ``error``; aiohttp's own kinds of it have no reason."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and getattr(error, "reason", None):
            return error
        error = error.__cause__ or error.__context__
    return None


def not_trusted(route: Route, failure: ssl.SSLError) -> EngineUnavailable:
    """Its certificate is not accepted, or it speaks no TLS at all."""
    reason = getattr(failure, "verify_message", "") or failure.reason or failure
    return EngineUnavailable(
        f"No secure connection to {shown(route.url)}: {reason}.",
        f"Name its certificate in SSL_CERT_FILE, or correct {route.setting}.",
    )


def no_address(route: Route) -> EngineUnavailable:
    """It leads nowhere."""
    return EngineUnavailable(f"{shown(route.url)} is no valid address.", f"Correct {route.setting}.")


def no_server(route: Route) -> EngineUnavailable:
    """Nothing listens there."""
    return EngineUnavailable(f"No server runs at {shown(route.url)}.", start_hint(route))


def refused(route: Route, status: int, text: str) -> EngineUnavailable:
    """The server answered with an HTTP error; a key in its words is hidden."""
    if status in (401, 403):
        setting = "VLLM_API_KEY" if route.setting == "VLLM_BASE_URL" else f"llm.routes.{route.name}.api_key"
        what = f"{setting} is wrong" if route.key else "it wants a key"
        return EngineUnavailable(
            f"The server at {shown(route.url)} refuses us ({status}): {what}.",
            f"Set {setting} to the key that the server was started with (`--api-key`).",
        )
    if status in (404, 405) or 300 <= status < 400:
        return no_api(route)
    words = hidden(text, route.key, *credentials(route)) or "no reason given"
    return EngineUnavailable(f"The server at {shown(route.url)} failed ({status}): {words}", SEE_LOG)


def address(route: Route) -> str:
    """The route's address as requests are sent there: a key takes the place of a name and password in it."""
    parts = urlsplit(route.url)
    if not route.key or parts.username is None:
        return route.url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def hidden(text: str, *secrets: str | None) -> str:
    """``text`` without ``secrets``."""
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    return text


def credentials(route: Route) -> tuple[str, ...]:
    """The password in its address, as it is and as it is sent."""
    try:
        parts = urlsplit(route.url)
        password = parts.password or ""
    except ValueError:
        return ()
    pair = f"{parts.username}:{password}"
    return (b64encode(pair.encode()).decode(), pair, password) if password else ()
