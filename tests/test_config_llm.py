"""The section ``llm`` of the settings: servers, who is asked when, and how long they are waited for."""

from __future__ import annotations

from typing import Any

import pytest

from app.config import load_settings
from app.config_llm import Deadlines, LLMSection, RouteSettings
from app.errors import ConfigError

URL = "http://gpu-a:8000/v1"
SEVERAL = {"gpu_a": {"base_url": URL}, "gpu_b": {"base_url": "http://gpu-b:8000/v1"}}


def section(**llm: Any) -> LLMSection:
    return load_settings(llm=llm).llm


def problem(**llm: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        section(**llm)
    assert caught.value.hint.endswith(".") and "\n" not in str(caught.value)
    return caught.value.message


def test_the_defaults() -> None:
    llm = section()

    assert (llm.routes, llm.default_route, llm.fallback_route) == ({}, "", "")
    assert (llm.lb_policy, llm.hedge, llm.probe) == (None, False, 10.0)
    assert llm.deadlines == Deadlines(connect=2.0, first_token=10.0, stall=5.0, total=None)


def test_everything_can_be_set() -> None:
    route = {"base_url": URL, "model": "m", "timeout": 30, "api_key": "k", "weight": 2, "tier": 1}
    llm = section(
        provider="vllm_openai",
        routes={"gpu20-a.1": route, "灯塔": {"base_url": URL}},
        default_route="gpu20-a.1",
        fallback_route="灯塔",
        lb_policy="affinity",
        hedge=True,
        probe=0,
        deadlines={"connect": 1, "first_token": 3, "stall": 2, "total": 90},
    )

    assert llm.routes["gpu20-a.1"] == RouteSettings(
        base_url=URL, model="m", timeout=30.0, api_key="k", weight=2.0, tier=1
    )
    assert (llm.default_route, llm.fallback_route, llm.lb_policy, llm.hedge) == ("gpu20-a.1", "灯塔", "affinity", True)
    assert (llm.probe, llm.deadlines.total) == (0.0, 90.0)


def test_a_route_needs_no_more_than_an_address() -> None:
    route = section(routes={"a": {"base_url": f" {URL}/ "}}).routes["a"]

    assert route == RouteSettings(base_url=URL, model="", timeout=None, api_key="", weight=1.0, tier=0)


def test_a_number_is_a_name_too() -> None:
    assert list(section(routes={7: {"base_url": URL}}, default_route="7").routes) == ["7"]


def test_what_is_empty_is_unset() -> None:
    empty: dict[str, Any] = dict.fromkeys(LLMSection.model_fields)

    assert section(**empty) == section(**dict.fromkeys(empty, "")) == section()
    emptied = {**dict.fromkeys(RouteSettings.model_fields), "base_url": URL}
    assert section(routes={"a": emptied}) == section(routes={"a": {"base_url": URL}})
    assert section(deadlines={"connect": None, "total": ""}).deadlines == Deadlines()


def test_variables_are_joined_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM__ROUTES__GPU_A__MODEL", "from-environment")
    monkeypatch.setenv("LLM__ROUTES__GPU_A__BASE_URL", URL)
    monkeypatch.setenv("LLM__LB_POLICY", "least_busy")
    monkeypatch.setenv("LLM__DEADLINES__TOTAL", "30")

    llm = section(routes={"gpu_a": {"weight": 3}}, hedge=True)

    assert llm.routes == {"gpu_a": RouteSettings(base_url=URL, model="from-environment", weight=3)}
    assert (llm.lb_policy, llm.deadlines.total, llm.hedge) == ("least_busy", 30.0, True)


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        ("http://a:1/v1", "http://a:1/v1"),
        (" http://a:1/ , https://b/v1/,", "http://a:1,https://b/v1"),
        (", ,", ""),
        ("http://a,http://a", "http://a,http://a"),
    ],
)
def test_several_addresses_in_one_setting(given: str, addresses: str) -> None:
    assert load_settings(vllm_base_url=given).vllm_base_url == addresses


def test_each_of_several_addresses_is_checked() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(vllm_base_url="http://a:8000, gpu-b:8000")

    assert caught.value.message == "VLLM_BASE_URL is 'gpu-b:8000', but must begin with http:// or https://."


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ({}, ".base_url is missing."),
        ({"base_url": ""}, ".base_url is missing."),
        ({"base_url": "gpu:8000"}, ".base_url is 'gpu:8000', but must begin with http:// or https://."),
        ({"base_url": 5}, ".base_url is 5, but must be text (in quotes, where it looks like a number)."),
        ({"base_url": URL, "modle": "m"}, ".modle is no setting (did you mean model?)."),
        (
            {"base_url": URL, "colour": "red"},
            ".colour is no setting (there are api_key, base_url, model, tier, timeout, weight).",
        ),
        ({"base_url": URL, "timeout": 0}, ".timeout is 0, but must be a number above 0."),
        ({"base_url": URL, "weight": 0}, ".weight is 0, but must be a number above 0."),
        ({"base_url": URL, "weight": "much"}, ".weight is 'much', but must be a number above 0."),
        ({"base_url": URL, "tier": -1}, ".tier is -1, but must be a whole number of 0 or more."),
        ({"base_url": URL, "tier": 1.5}, ".tier is 1.5, but must be a whole number of 0 or more."),
        ({"base_url": URL, "api_key": 7}, ".api_key is …, but must be text (in quotes, where it looks like a number)."),
        (URL, f" is '{URL}', but must be a section with base_url, model, timeout, api_key, weight, tier."),
        (None, " is None, but must be a section with base_url, model, timeout, api_key, weight, tier."),
    ],
)
def test_a_wrong_setting_of_a_route_is_named_with_its_route(route: Any, message: str) -> None:
    assert problem(routes={"well": {"base_url": URL}, "gpu-b.2": route}) == f"llm.routes.gpu-b.2{message}"


@pytest.mark.parametrize("name", ["a b", "", "a/b", "ä" * 65, "a\n"])
def test_names_of_routes_are_words(name: str) -> None:
    message = problem(routes={name: {"base_url": URL}})

    assert message.startswith("llm.routes has the name '")
    assert message.endswith("', but names are 1 to 64 letters, digits, _ . or -.")


@pytest.mark.parametrize(
    ("llm", "message"),
    [
        (
            {"routes": [URL]},
            f"llm.routes is ['{URL}'], but must be names, each with a section of base_url, model, timeout, api_key,"
            " weight, tier.",
        ),
        ({"default_route": "a"}, "llm has default_route: a, which is no route."),
        (
            {"routes": SEVERAL, "default_route": "gpu_aa"},
            "llm has default_route: gpu_aa, which is no route (did you mean gpu_a?).",
        ),
        (
            {"routes": SEVERAL, "fallback_route": "tiny"},
            "llm has fallback_route: tiny, which is no route (there are gpu_a, gpu_b).",
        ),
        (
            {"routes": SEVERAL, "default_route": "gpu_a", "fallback_route": "gpu_a"},
            "llm has gpu_a as default_route and fallback_route, but they must differ.",
        ),
        (
            {"lb_policy": "least_buzy"},
            "llm.lb_policy is 'least_buzy', but must be round_robin, least_latency, least_busy or affinity"
            " (did you mean least_busy?).",
        ),
        ({"hedge": "perhaps"}, "llm.hedge is 'perhaps', but must be true or false."),
        ({"probe": -1}, "llm.probe is -1, but must be a number of 0 or more."),
        ({"deadlines": {"connect": 0}}, "llm.deadlines.connect is 0, but must be a number above 0."),
        ({"deadlines": {"first_token": -1}}, "llm.deadlines.first_token is -1, but must be a number above 0."),
        ({"deadlines": {"stall": "short"}}, "llm.deadlines.stall is 'short', but must be a number above 0."),
        ({"deadlines": {"total": "never"}}, "llm.deadlines.total is 'never', but must be a number above 0."),
        ({"deadlines": {"first": 1}}, "llm.deadlines.first is no setting (did you mean first_token?)."),
        ({"deadlines": 5}, "llm.deadlines is 5, but must be a section with connect, first_token, stall, total."),
    ],
)
def test_what_is_wrong_is_told(llm: dict[str, Any], message: str) -> None:
    assert problem(**llm) == message


def test_the_only_route_may_be_the_fallback() -> None:
    assert section(routes={"a": {"base_url": URL}}, fallback_route="a").fallback_route == "a"
