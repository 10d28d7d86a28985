"""Which servers the settings name, in which order, and under which names."""

from __future__ import annotations

from typing import Any

import pytest

from app.config import load_settings
from app.engines.routing.routes import Route, routes_of

A, B, C = (f"http://gpu-{letter}:8000/v1" for letter in "abc")


def found(
    *names: str, urls: str = "", model: str = "", key: str = "", offline: bool = False, **llm: Any
) -> list[Route]:
    """The routes of settings that have those of ``names``, each with its own address."""
    routes: dict[str, Any] = {name: {"base_url": f"http://{name}:8000"} for name in names}
    for name, more in llm.pop("more", {}).items():
        routes[name] |= more
    given: dict[str, Any] = {"vllm_base_url": urls, "vllm_model": model, "vllm_api_key": key, "offline": offline}
    return list(routes_of(load_settings(**given, llm={"routes": routes, **llm})))


def test_nothing_set_no_routes() -> None:
    assert found() == found(urls=" , ") == found(model="m", key="k") == []


def test_an_address_alone_is_a_route() -> None:
    (route,) = found(urls=f"{A}/", model="m", key="k", params={"timeout": 7})

    assert route == Route("server", A, "m", "k", 7.0, 1.0, (False, 0), "VLLM_BASE_URL")


def test_a_comma_list_makes_several() -> None:
    routes = found(urls=f"{A}, http://gpu-b:8000,{C}", model="m")

    assert [(route.name, route.url, route.model) for route in routes] == [
        ("server1", A, "m"),
        ("server2", B, "m"),
        ("server3", C, "m"),
    ]


@pytest.mark.parametrize("base", ["http://a:1", "http://a:1/", "http://a:1/v1", "http://a:1/v1/"])
def test_an_address_ends_in_v1(base: str) -> None:
    assert found(urls=base)[0].url == found("x", more={"x": {"base_url": base}})[0].url == "http://a:1/v1"


def test_what_a_route_does_not_set_comes_from_the_settings() -> None:
    more = {"one": {"model": "m", "timeout": 5, "api_key": "own", "weight": 2, "tier": 3}}
    one, two = found("one", "two", key="all", more=more, params={"timeout": 9})

    assert one == Route("one", "http://one:8000/v1", "m", "own", 5.0, 2.0, (False, 3), "llm.routes.one.base_url")
    assert two == Route("two", "http://two:8000/v1", "", "all", 9.0, 1.0, (False, 0), "llm.routes.two.base_url")


def test_the_default_route_comes_first() -> None:
    assert [route.name for route in found("a", "b", "c")] == ["a", "b", "c"]
    assert [route.name for route in found("a", "b", "c", default_route="b")] == ["b", "a", "c"]


def test_the_fallback_has_the_last_rank_and_is_no_default() -> None:
    routes = found("a", "b", "c", fallback_route="a", more={"c": {"tier": 5}})

    assert [route.name for route in routes] == ["b", "a", "c"]
    assert sorted(routes, key=lambda route: route.rank)[-1].name == "a"
    assert [route.rank for route in routes] == [(False, 0), (True, 0), (False, 5)]
    assert [route.rank for route in found("a", fallback_route="a")] == [(True, 0)]


def test_vllm_base_url_takes_the_place_of_the_default_routes_address() -> None:
    routes = found("a", "b", urls=C, default_route="b", more={"b": {"model": "m", "weight": 2}})

    assert [(route.name, route.url, route.setting) for route in routes] == [
        ("b", C, "VLLM_BASE_URL"),
        ("a", "http://a:8000/v1", "llm.routes.a.base_url"),
    ]
    assert (routes[0].model, routes[0].weight) == ("m", 2.0)


def test_without_a_default_route_it_is_the_first_that_is_not_the_fallback() -> None:
    routes = found("tiny", "big", urls=C, fallback_route="tiny")

    assert [(route.name, route.url) for route in routes] == [("big", C), ("tiny", "http://tiny:8000/v1")]


def test_several_addresses_make_several_routes_of_the_default_one() -> None:
    routes = found("a", "b", urls=f"{A},{B},{C}", more={"a": {"model": "m", "weight": 2, "api_key": "k"}})

    assert [(route.name, route.url) for route in routes[:3]] == [("a", A), ("a-2", B), ("a-3", C)]
    assert {(route.model, route.weight, route.key) for route in routes[:3]} == {("m", 2.0, "k")}
    assert [(route.name, route.url) for route in routes[3:]] == [("b", "http://b:8000/v1")]


@pytest.mark.parametrize("taken", [("a-2",), ("a-3",), ("a-2", "a-3"), ("a-4", "a-2")])
def test_no_two_routes_have_one_name(taken: tuple[str, ...]) -> None:
    routes = found("a", *taken, urls=f"{A},{B},{C}")
    names = [route.name for route in routes]

    assert len(names) == len(set(names)) == 3 + len(taken)
    assert names[0] == "a" and {"a", *taken} < set(names)
    assert {route.name: route.url for route in routes if route.name in taken} == {
        name: f"http://{name}:8000/v1" for name in taken
    }


def test_vllm_model_replaces_the_default_routes_model_and_that_of_its_equals() -> None:
    more = {"a": {"model": "m"}, "b": {"model": "m"}, "c": {"model": "tiny"}}

    assert [route.model for route in found("a", "b", "c", model="new", more=more)] == ["new", "new", "tiny"]
    assert [route.model for route in found("a", "b", "c", more=more)] == ["m", "m", "tiny"]
    assert [route.model for route in found("a", "b", "c", "d", model="new", more={"c": {"model": "tiny"}})] == [
        "new",
        "new",
        "tiny",
        "new",
    ]


def test_a_key_is_not_printed() -> None:
    (route,) = found(urls=A, key="sk-geheim")

    assert route.key == "sk-geheim"
    assert "sk-geheim" not in repr(route) + str(route)


def test_offline_another_machine_is_refused_and_this_one_is_not() -> None:
    here = {"base_url": "http://127.0.0.1:8000"}
    one, two = found("a", "b", more={"b": here}, offline=True)

    assert two.refusal is None
    assert one.refusal is not None and "a" in one.refusal.message
    assert "set llm.routes.a.base_url to a server on this machine" in one.refusal.hint
    (replaced, _) = found("a", "b", urls=A, more={"b": here}, offline=True)
    assert replaced.refusal is not None and "VLLM_BASE_URL" in replaced.refusal.hint
    assert [route.refusal for route in found("a", "b")] == [None, None]
