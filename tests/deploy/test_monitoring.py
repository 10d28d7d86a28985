from __future__ import annotations

import json
import re

import pytest
import yaml

from app.admission import Admission
from app.config import load_settings
from app.engines.switch import EngineSwitch
from app.metrics import Metrics, observe
from tests.deploy.files import DEPLOY, compose, text

# Every metric of the app: its kind and its labels.
METRICS = {
    "hotswap_requests_total": ("counter", {"path", "method", "status"}),
    "hotswap_errors_total": ("counter", {"code"}),
    "hotswap_answers_total": ("counter", {"engine", "outcome"}),
    "hotswap_ttft_seconds": ("histogram", {"engine"}),
    "hotswap_answer_seconds": ("histogram", {"engine"}),
    "hotswap_retrieval_seconds": ("histogram", set()),
    "hotswap_tokens_total": ("counter", {"engine", "kind"}),
    "hotswap_tasks_active": ("gauge", set()),
    "hotswap_tasks_waiting": ("gauge", set()),
    "hotswap_route_up": ("gauge", {"route"}),
    "hotswap_engine_live": ("gauge", {"engine"}),
    "hotswap_engine_switches_total": ("counter", {"engine", "outcome"}),
    "hotswap_ingested_documents_total": ("counter", {"outcome"}),
    "hotswap_ingestion_seconds": ("histogram", set()),
    "process_resident_memory_bytes": ("gauge", set()),
    "process_cpu_seconds_total": ("counter", set()),
    "process_open_fds": ("gauge", set()),
    "process_max_fds": ("gauge", set()),
}
OUTCOMES = {"answered", "refused", "incomplete", "failed", "left"}  # of hotswap_answers_total

DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/hotswap.json").read_text(encoding="utf-8"))
PROMETHEUS = yaml.safe_load(text("deploy/prometheus.yml"))
ALERTS = [rule for group in yaml.safe_load(text("deploy/alerts.yml"))["groups"] for rule in group["rules"]]
TARGETS = [(panel["title"], target) for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS = [(title, target["expr"]) for title, target in TARGETS] + [
    (rule["alert"], rule["expr"]) for rule in ALERTS
]
METRIC = re.compile(r"\b(?:hotswap|process)_\w+\b")


def base(name: str) -> str:
    """The metric that a series belongs to: a histogram has three."""
    for suffix in ("_bucket", "_sum", "_count"):
        found = name.removesuffix(suffix)
        if found != name and METRICS.get(found, ("",))[0] == "histogram":
            return found
    return name


def problems(expression: str) -> list[str]:
    """What is wrong with a query, as far as the metrics' kinds and labels tell."""
    found = []
    names = [name for name in METRIC.findall(expression) if not name.endswith("_interval")]
    labels = {"le", "job", "instance"}
    for name in names:
        kind, own = METRICS.get(base(name), ("", set()))
        labels |= own
        if not kind:
            found.append(f"no metric {name}")
        if kind == "histogram" and base(name) == name:
            found.append(f"{name} is a histogram")
    used = re.findall(r"(\w+)=~?\"", expression)
    for group in re.findall(r"\bby \(([^)]*)\)", expression):
        used += group.replace(" ", "").split(",")
    found += [f"no label {label}" for label in used if label not in labels]
    for values in re.findall(r"hotswap_answers_total\{outcome=~?\"([^\"]*)\"", expression):
        found += [f"no outcome {value}" for value in values.split("|") if value not in OUTCOMES]
    if expression.count("(") != expression.count(")") or expression.count("{") != expression.count("}"):
        found.append("brackets")
    return found


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS)
def test_queries_ask_for_what_there_is(title: str, expression: str) -> None:
    assert problems(expression) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "rate(hotswap_request_total[5m])",
        "hotswap_ttft_seconds",
        "sum by (model) (rate(hotswap_answers_total[5m]))",
        'hotswap_answers_total{outcome="error"}',
        "sum(hotswap_tasks_active",
    ],
)
def test_a_wrong_query_would_be_found(wrong: str) -> None:
    assert problems(wrong)


def test_the_dashboard_shows_every_metric() -> None:
    shown = {base(name) for title, target in TARGETS for name in METRIC.findall(target["expr"])}
    assert shown == set(METRICS)


def test_names_in_the_legends_and_alerts_are_labels_of_their_queries() -> None:
    for title, target in TARGETS:
        labels = {label for name in METRIC.findall(target["expr"]) for label in METRICS[base(name)][1]}
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels, title
    for rule in ALERTS:
        labels = {label for name in METRIC.findall(rule["expr"]) for label in METRICS[base(name)][1]}
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= labels, rule["alert"]


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)


def mounts(service: str) -> dict[str, str]:
    return {
        target: source
        for source, target, *_ in (mount.split(":") for mount in compose()["services"][service]["volumes"])
    }


def test_prometheus_finds_its_files_and_the_key() -> None:
    service = compose()["services"]["prometheus"]
    (config,) = [option.partition("=")[2] for option in service["command"] if option.startswith("--config.file")]
    assert mounts("prometheus")[config] == "./deploy/prometheus.yml"
    assert [mounts("prometheus")[file] for file in PROMETHEUS["rule_files"]] == ["./deploy/alerts.yml"]
    (job,) = PROMETHEUS["scrape_configs"]
    assert job["job_name"] == "hotswap"  # the dashboard's name for it
    assert job["metrics_path"] == "/metrics"
    assert job["authorization"] == {"type": "Bearer", "credentials_file": f"/run/secrets/{service['secrets'][0]}"}


def test_grafana_finds_its_files_and_the_data() -> None:
    service = compose()["services"]["grafana"]
    provisioning = DEPLOY / "grafana/provisioning"
    assert mounts("grafana")["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    (provider,) = yaml.safe_load((provisioning / "dashboards/hotswap.yml").read_text())["providers"]
    assert mounts("grafana")[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    password = service["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"]
    assert password == f"/run/secrets/{service['secrets'][0]}"


def test_every_alert_says_what_it_means() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names) == 5
    for rule in ALERTS:
        assert rule["for"] and rule["annotations"]["summary"], rule["alert"]


def test_the_list_is_what_the_app_counts() -> None:
    metrics, switch = Metrics(), EngineSwitch(load_settings(llm_engine="extractive"))
    observe(metrics, Admission(1, 0), switch)
    try:
        families = {family.name: family.type for family in metrics.registry.collect()}
    finally:
        switch.close()
    ours = {f"{name}_total" if kind == "counter" else name: kind for name, kind in families.items()}
    assert {name: kind for name, kind in ours.items() if name.startswith("hotswap_")} == {
        name: kind for name, (kind, _) in METRICS.items() if name.startswith("hotswap_")
    }
    page = text("docs/monitoring.md")
    assert [name for name in METRICS if name.startswith("hotswap_") and f"`{name}`" not in page] == []
