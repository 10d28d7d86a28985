from __future__ import annotations

import socket

import httpx
import pytest

from app import offline
from app.config import load_settings
from tests.plugins.no_network import ForeignConnection, is_local


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (None, True),
        ("", True),
        ("localhost", True),
        (b"localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("example.org", False),
    ],
)
def test_is_local(host: object, expected: bool) -> None:
    assert is_local(host) is expected


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), timeout=5) as client:
            assert client.getpeername() == server.getsockname()
        assert socket.getaddrinfo("localhost", server.getsockname()[1])


@pytest.mark.parametrize("address", ["http://192.0.2.1/", "http://example.org/"])
def test_another_machine_cannot(address: str, foreign_connections: list[str]) -> None:
    with pytest.raises(ForeignConnection, match="tests may not reach"):
        httpx.get(address)
    assert foreign_connections
    foreign_connections.clear()  # this one was meant


def test_connect_ex_is_guarded_too(foreign_connections: list[str]) -> None:
    with socket.socket() as client, pytest.raises(ForeignConnection):
        client.connect_ex(("192.0.2.1", 80))
    foreign_connections.clear()


def test_a_reserved_name_is_unknown_without_asking_the_network() -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get("http://no-such-host.invalid/")


def test_offline_is_for_processes_of_their_own() -> None:
    with pytest.raises(AssertionError, match="every test after this one"):
        offline.prepare(load_settings(offline=True))


def test_a_swallowed_attempt_fails_the_test(
    pytester: pytest.Pytester, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    pytester.makepyfile(
        """
        import contextlib, socket

        def test_that_hides_it():
            with contextlib.suppress(Exception):
                socket.create_connection(("192.0.2.1", 80))
        """
    )
    result = pytester.runpytest_subprocess("-p", "tests.plugins.no_network")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the test reached for another machine: 192.0.2.1*"])
