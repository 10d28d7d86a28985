from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge

from app.benchmark.monitor import vllm_metrics
from app.benchmark.monitor.vllm_metrics import (
    COUNTERS,
    GAUGES,
    MetricsFault,
    NoMetrics,
    ProcessMetrics,
    Reading,
    ServerMetrics,
)
from tests.benchmark.metrics_server import BEGIN, DURING, END, cuts, hangs, serving, tells


def totals(found: Reading) -> dict[str, float]:
    return {name: sum(values.values()) for name, values in found.items()}


def read(text: str, status: int = 200) -> Reading:
    with serving(tells(text, status)) as server:
        return ServerMetrics(server.base).read()


def test_a_real_servers_metrics_are_read() -> None:
    assert totals(read(DURING)) == {
        "preemptions": 70,
        "queries": 14320,
        "hits": 4992,
        "prompt_tokens": 14320,
        "generation_tokens": 15441,
        "drafts": 3851,
        "draft_tokens": 11326,
        "accepted_tokens": 11323,
        "kv_cache_use": 1.0,
        "running": 14,
        "waiting": 0,
    }
    assert read(DURING).keys() == read(BEGIN).keys() == read(END).keys() == COUNTERS.keys() | GAUGES.keys()


def test_older_names_are_read_and_nothing_counts_twice() -> None:
    older = (
        'vllm:gpu_cache_usage_perc{model_name="m"} 0.25\n'
        'vllm:gpu_prefix_cache_queries_total{model_name="m"} 80.0\n'
        'vllm:gpu_prefix_cache_hits_total{model_name="m"} 20.0\n'
        'vllm:num_preemptions{model_name="m"} 3\n'
    )
    both = 'vllm:kv_cache_usage_perc{model_name="m"} 0.5\nvllm:gpu_cache_usage_perc{model_name="m"} 0.5\n'

    assert totals(read(older)) == {"kv_cache_use": 0.25, "queries": 80, "hits": 20, "preemptions": 3}
    assert totals(read(both)) == {"kv_cache_use": 0.5}


def test_engines_are_told_apart_and_odd_numbers_left_out() -> None:
    found = read(
        'vllm:num_requests_running{engine="0",model_name="千问 \\"7B\\""} 2\n'
        'vllm:num_requests_running{engine="1",model_name="千问 \\"7B\\""} 3\n'
        "vllm:num_requests_waiting NaN\n"
        "vllm:prompt_tokens_total +Inf\n"
    )

    assert found == {
        "running": {
            (("engine", "0"), ("model_name", '千问 "7B"')): 2,
            (("engine", "1"), ("model_name", '千问 "7B"')): 3,
        }
    }


@pytest.mark.parametrize("end", ["/v1", "/v1/", "", "/", "/v1?api=1"])
def test_they_lie_beside_the_api(end: str) -> None:
    with serving(tells(END)) as server:
        ServerMetrics(f"http://127.0.0.1:{server.server_port}{end}").read()
        ServerMetrics(f"http://127.0.0.1:{server.server_port}/inner{end}").read()

    assert [path for path, _ in server.seen] == ["/metrics", "/inner/metrics"]


def test_the_key_is_sent_and_takes_the_place_of_a_password() -> None:
    with serving(tells(END)) as server:
        address = server.base.replace("127", "me:secret@127")
        ServerMetrics(server.base, "k-1").read()
        ServerMetrics(address, "k-2").read()
        ServerMetrics(address).read()

    assert [key for _, key in server.seen] == ["Bearer k-1", "Bearer k-2", "Basic bWU6c2VjcmV0"]


def test_this_machine_is_not_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")

    assert read(END)


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("", 404, "gives no metrics (404)."),
        ('{"detail":"Method Not Allowed"}', 405, "gives no metrics (405)."),
        ("who are you?", 401, "gives no metrics (401)."),
        ("", 307, "gives no metrics (307)."),
        ("", 200, "tells nothing of vLLM."),
        ("<html><body>no metrics here", 200, "tells nothing of vLLM."),
        ("hotswap_requests_total 3\npython_info 1\nvllm:something_new 5\n", 200, "tells nothing of vLLM."),
    ],
)
def test_a_server_that_is_no_vllm_has_none(text: str, status: int, words: str) -> None:
    with serving(tells(text, status)) as server, pytest.raises(NoMetrics) as caught:
        ServerMetrics(server.base).read()

    assert str(caught.value) == f"http://127.0.0.1:{server.server_port}/metrics {words}"


@pytest.mark.parametrize(
    "act",
    [
        tells("overloaded", 503),
        cuts(END[:9000]),
        cuts(END[: END.index("vllm:num_preemptions_total{") + 60], announced=False),
        tells('vllm:prompt_tokens_total{engine="0" 12\n'),
        tells("vllm:prompt_tokens_total many\n"),
        tells("vllm:prompt_tokens_total{\n"),
        tells("vllm:prompt_tokens_total\n"),
        tells("vllm:prompt_tokens_total 12"),
    ],
    ids=["busy", "cut", "cut unannounced", "brackets", "words", "half", "no number", "no end"],
)
def test_a_vllm_that_fails_may_be_asked_again(act: object) -> None:
    with serving(act) as server, pytest.raises(MetricsFault) as caught:  # type: ignore[arg-type]
        ServerMetrics(server.base).read()

    assert not isinstance(caught.value, NoMetrics)
    assert f"http://127.0.0.1:{server.server_port}/metrics" in str(caught.value)


def test_a_server_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_metrics, "_SECONDS", 0.1)

    with serving(hangs) as server, pytest.raises(MetricsFault, match="does not answer") as caught:
        ServerMetrics(server.base).read()
    assert not isinstance(caught.value, NoMetrics)


def test_where_nobody_listens_that_is_said_without_the_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(MetricsFault) as caught:
        ServerMetrics(f"http://me:secret@127.0.0.1:{port}/v1").read()
    assert str(caught.value) == f"http://127.0.0.1:{port}/metrics does not answer (ConnectError)."


@pytest.mark.parametrize("address", ["http://[", "http://host:port/v1", "http://127.0.0.1:99999/v1", ""])
def test_no_address_is_told_as_such(address: str) -> None:
    with pytest.raises(MetricsFault) as caught:
        ServerMetrics(address).read()
    assert "\n" not in str(caught.value)


@given(st.text(st.sampled_from('vllm:num_preemptions_total{engine="0",} 12.e+NaN#\n\\'), max_size=80))
def test_whatever_stands_there_is_read_or_refused(tail: str) -> None:
    text = f"vllm:num_preemptions_total{tail}\n"
    try:
        found = vllm_metrics.reading(vllm_metrics._samples(text, "it"))
    except MetricsFault:
        return
    assert found.keys() <= COUNTERS.keys() | GAUGES.keys()


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    """Of this test alone: a real vLLM of another one may have left its metrics in this process."""
    own = CollectorRegistry()
    monkeypatch.setattr("prometheus_client.REGISTRY", own)
    return own


@pytest.fixture
def registered(registry: CollectorRegistry) -> Counter:
    """As vLLM does it in its process."""
    labels = ["model_name", "engine"]
    counter = Counter("vllm:generation_tokens", "Number of generation tokens", labels, registry=registry)
    running = Gauge("vllm:num_requests_running", "Number of requests", labels, registry=registry)
    running.labels("m", "0").set(2)
    return counter


def test_the_vllm_in_this_process_is_read(registered: Counter) -> None:
    registered.labels("m", "0").inc(5)
    registered.labels("m", "1").inc(7)

    assert totals(ProcessMetrics().read()) == {"generation_tokens": 12, "running": 2}


def test_a_process_without_statistics_says_what_to_set() -> None:
    with pytest.raises(NoMetrics, match="set VLLM_DISABLE_LOG_STATS=false"):
        ProcessMetrics().read()
