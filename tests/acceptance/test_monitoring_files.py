"""The shipped alert rules and the dashboard: they are valid, and ask for what is exported only."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from policenotify.model.history import Outcome
from policenotify.publishing.metrics import METRICS, exposition
from policenotify.testing import recording_publisher
from tests.support.installation import accident

ROOT = Path(__file__).parents[2]
SHARE = ROOT / "docs" / "operations" / "share" / "policenotify"
RULES = SHARE / "prometheus" / "policenotify.rules.yml"
TESTS = Path(__file__).parent / "alerts.test.yml"
DASHBOARD = json.loads((SHARE / "grafana" / "policenotify.json").read_text("utf-8"))

_LABELS = {metric.exported: set(metric.labels) for metric in METRICS}
_LABELS |= {
    f"{metric.exported}{suffix}": {*metric.labels, *({"le"} if suffix == "_bucket" else ())}
    for metric in METRICS
    if metric.kind == "histogram"
    for suffix in ("_bucket", "_sum", "_count")
}
_ALERTS = [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]
_USE = re.compile(r"(policenotify_\w+)(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"\bby \(([^)]*)\)")
_VARIABLES = {"$__rate_interval": "5m", "$channel": ".*"}  # of Grafana


def _queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]


def _plain(query: str) -> str:
    for name, value in _VARIABLES.items():
        query = query.replace(name, value)
    return query


@pytest.mark.parametrize("expression", sorted({*(rule["expr"] for rule in _ALERTS), *_queries()}))
def test_each_expression_asks_for_exported_names_and_labels(expression: str) -> None:
    uses = _USE.findall(expression)
    assert uses
    known: set[str] = set()
    for name, selector in uses:
        assert name in _LABELS, name
        known |= _LABELS[name]
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= _LABELS[name], selector
    for grouping in _GROUPING.findall(expression):
        assert {label.strip() for label in grouping.split(",")} <= known | {"instance"}
    for states in re.findall(r'(?:state|outcome)(?:=~|!~|!=|=)"([^"]*)"', expression):
        assert set(states.split("|")) <= set(Outcome)


def test_each_metric_is_on_the_dashboard() -> None:
    shown = " ".join(_queries())
    assert [metric.exported for metric in METRICS if metric.exported not in shown] == []


def test_each_alert_states_what_to_do_and_is_expected_in_a_test() -> None:
    tests = TESTS.read_text("utf-8")
    for rule in _ALERTS:
        assert rule["alert"] in tests
        assert rule["labels"]["urgency"] in {"page", "ticket"}, rule
        assert re.search(r"(policenotify [a-z]+|systemctl|One in twenty)", str(rule["annotations"])), rule


@pytest.mark.prometheus
def test_the_rules_do_what_their_tests_expect() -> None:
    _promtool("check", "rules", "--lint-fatal", RULES)
    _promtool("test", "rules", TESTS)


@pytest.mark.prometheus
def test_each_query_of_the_dashboard_is_understood(tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": _plain(query)} for number, query in enumerate(_queries())]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    _promtool("check", "rules", "--lint=none", file)


@pytest.mark.prometheus
@pytest.mark.usefixtures("_journal")
def test_what_is_exported_passes_the_check_of_prometheus(tmp_path: Path) -> None:
    exported = (tmp_path / "metrics.prom").read_text("utf-8")
    _promtool("check", "metrics", text=exported)


@pytest.fixture
def _journal(tmp_path: Path) -> None:
    with recording_publisher() as recording:
        recording.publisher.publish(accident(), key="k", actor="cne Roux")
        content = exposition(recording.publisher.monitor.samples()).content
    (tmp_path / "metrics.prom").write_bytes(content)


def _promtool(*arguments: object, text: str | None = None) -> None:
    program = shutil.which("promtool")
    assert program, "Debian's package prometheus brings promtool"
    command = [program, *map(str, arguments)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, input=text, timeout=120)  # noqa: S603 - our own files
    assert ran.returncode == 0, ran.stdout + ran.stderr
