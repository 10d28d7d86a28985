"""A fresh look at every route: what it serves, whether an answer comes, and how one could go on there."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.config import load_settings
from app.engines.routing import checkup
from app.engines.routing.checkup import Checked, check_up
from app.engines.routing.routes import routes_of
from tests.engines.routing.fault_server import BEFORE, DURING, MODEL, FaultServer, servers
from tests.engines.routing.parts import settings
from tests.engines.servers import Server, json_reply, text_reply, unused_url

CHAT, MODELS = "POST /v1/chat/completions", "GET /v1/models"


def checked(*there: FaultServer, **llm: Any) -> list[Checked]:
    return list(check_up(routes_of(settings(there, **llm)), 2.0))


def checked_at(url: str, **given: Any) -> Checked:
    (found,) = check_up(routes_of(load_settings(vllm_base_url=url, **given)), 2.0)
    return found


def test_a_healthy_route() -> None:
    with FaultServer(window=8192) as server:
        (found,) = checked(server, more={"a": {"weight": 2, "tier": 1}})

    assert (found.name, found.url, found.model, found.healthy) == ("a", server.url, MODEL, True)
    assert (found.reachable, found.models, found.max_model_len) == (True, (MODEL,), 8192)
    assert (found.served_as_configured, found.completion_ok) == (True, True)
    assert found.ttft_ms is not None and 0 < found.ttft_ms < found.ms
    assert (found.problem, found.error, found.hint) == ("", "", "")
    assert (found.weight, found.tier, found.fallback) == (2.0, 1, False)
    assert list(found.as_dict()) == list(Checked.__dataclass_fields__)


def test_without_a_model_named_it_is_the_one_that_is_served() -> None:
    with FaultServer(model="other") as server:
        found = checked_at(server.url)

    assert (found.model, found.healthy, found.served_as_configured) == ("other", True, True)


def test_routes_are_in_the_order_they_are_asked_in_and_the_fallback_is_named() -> None:
    with servers(3) as three:
        found = checked(*three, default_route="b", fallback_route="a")

    assert [(route.name, route.fallback) for route in found] == [("b", False), ("a", True), ("c", False)]


@pytest.mark.parametrize(
    ("ids", "goes_on", "counts", "resume"),
    [
        (True, True, True, "tokens"),
        (False, True, True, "text"),
        (False, False, True, "no"),
        (False, False, False, "no"),
    ],
)
def test_how_an_answer_could_go_on_there(ids: bool, goes_on: bool, counts: bool, resume: str) -> None:
    with FaultServer() as server:
        server.knows_ids, server.knows_continue, server.counts = ids, goes_on, counts
        (found,) = checked(server)

    assert (found.healthy, found.resume) == (True, resume)


def test_that_it_could_not_be_found_out_how_is_told_too() -> None:
    answer = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
    replies = [json_reply(200, answer), json_reply(500, {})]
    with Server({MODELS: json_reply(200, {"data": [{"id": "x"}]}), CHAT: replies}) as server:
        found = checked_at(server.url)

    assert (found.healthy, found.resume) == (True, None)


@pytest.mark.parametrize("mode", [mode for mode in (*BEFORE, *DURING) if mode not in ("refuse", "hang", "stall")])
def test_a_list_of_models_is_no_answer(mode: str) -> None:
    with FaultServer() as server:
        server.mode, server.at = mode, 0
        (found,) = checked(server)

    assert (found.healthy, found.completion_ok, found.ttft_ms, found.resume) == (False, False, None, None)
    assert (found.reachable, found.models, found.served_as_configured) == (True, (MODEL,), True)
    assert found.error and found.hint.endswith(".")


def test_one_that_hangs_is_waited_for_no_longer_than_all_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "LONGEST", 0.6)
    with servers(3) as three:
        three[0].mode = three[2].mode = "hang"
        began = time.monotonic()
        found = checked(*three)

    assert time.monotonic() - began < 1.5
    assert [route.healthy for route in found] == [False, True, False]
    assert "did not begin to answer" in found[0].error


def test_another_model_is_served() -> None:
    with FaultServer(model="other") as server:
        (found,) = checked(server)

    assert (found.healthy, found.reachable, found.models) == (False, True, ("other",))
    assert (found.served_as_configured, found.completion_ok, found.max_model_len) == (False, False, None)
    assert f"does not serve {MODEL}" in found.error
    assert "Set llm.routes.a.model to other" in found.hint


def test_an_answer_of_another_model_does_not_count() -> None:
    answer = json_reply(200, {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]})
    with Server({MODELS: json_reply(200, {"data": [{"id": "other"}]}), CHAT: answer}) as server:
        found = checked_at(server.url, vllm_model="mine")

    assert (found.completion_ok, found.served_as_configured, found.healthy) == (True, False, False)
    assert "does not serve mine" in found.error


def test_a_server_that_answers_without_a_list_of_models_is_healthy() -> None:
    answer = json_reply(200, {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]})
    with Server({CHAT: answer}) as server:
        found = checked_at(server.url, vllm_model="mine")
        unnamed = checked_at(server.url)

    assert (found.healthy, found.served_as_configured, found.models, found.error) == (True, None, (), "")
    assert found.problem == "it does not list its models"
    assert (unnamed.healthy, unnamed.model, unnamed.reachable) == (False, "", True)


def test_what_is_odd_beside_its_siblings() -> None:
    with FaultServer(window=8192) as one, FaultServer(window=4096) as two:
        found = checked(one, two)

    assert [route.healthy for route in found] == [True, True]
    assert found[0].problem == ""
    assert "4096" in found[1].problem and "8192" in found[1].problem


def test_what_is_no_server_at_all() -> None:
    with Server({MODELS: text_reply(200, "<html>hello</html>"), CHAT: text_reply(200, "<html>hello</html>")}) as page:
        found = checked_at(page.url, vllm_model="mine")
    assert (found.healthy, found.reachable) == (False, True)
    assert "no OpenAI-compatible server" in found.error

    found = checked_at(unused_url(), vllm_model="mine")
    assert (found.healthy, found.reachable, found.served_as_configured) == (False, False, None)
    assert "No server runs" in found.error

    found = checked_at("http://127.0.0.1:port/v1", vllm_model="mine")
    assert (found.healthy, found.reachable) == (False, False)
    assert "no valid address" in found.error


def test_offline_no_other_machine_is_asked() -> None:
    found = checked_at("http://gpu-box.example:8000/v1", vllm_model="mine", offline=True)

    assert (found.healthy, found.reachable, found.completion_ok) == (False, False, False)
    assert "OFFLINE" in found.error + found.hint


def test_no_routes_no_findings() -> None:
    assert check_up((), 2.0) == ()
