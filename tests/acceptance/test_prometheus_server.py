"""A real Prometheus reads the metrics over HTTP, and its alerts follow what happens to the installation."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import uvicorn

from policenotify.errors import Blocked
from policenotify.testing import recording_publisher
from policenotify.web import monitoring
from policenotify.web.monitor import MonitorService
from tests.support.installation import INCIDENT, accident
from tests.support.patience import PATIENCE
from tests.support.ports import free_port

pytestmark = pytest.mark.prometheus

RULES = Path(__file__).parents[2] / "docs/operations/share/policenotify/prometheus/policenotify.rules.yml"


@contextmanager
def _served(monitor: MonitorService) -> Iterator[int]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(monitoring(monitor), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


@contextmanager
def _prometheus(folder: Path, target: int) -> Iterator[str]:
    """Start a server that asks every two seconds, and return its address."""
    program, port = shutil.which("prometheus"), free_port()
    assert program, "Debian's package prometheus brings it"
    settings = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "police", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(settings))  # JSON is YAML
    arguments = [
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)  # noqa: S603 - our own files
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _asked(address: str, query: str) -> list[dict[str, str]]:
    """Return the labels and values of a query, as soon as it has any."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            answer = httpx.get(f"{address}/api/v1/query?query={quote(query)}").json()
        except (httpx.HTTPError, ValueError):  # it starts, and first answers in words
            answer = {}
        if found := answer.get("data", {}).get("result", []):
            return [{**each["metric"], "value": each["value"][1]} for each in found]
        time.sleep(0.2)
    raise AssertionError(f"no answer to {query}")


def test_what_happens_is_seen_by_prometheus(tmp_path: Path) -> None:
    with recording_publisher(channels=["webhook"]) as recording:
        publisher = recording.publisher
        with _served(publisher.monitor) as port, _prometheus(tmp_path, port) as address:
            assert _asked(address, 'up{job="police"} == 1')  # durations are measured from the first answer on
            publisher.publish(accident(), key="k", actor="cne Roux")
            [posted] = _asked(address, 'policenotify_deliveries_total{outcome="posted"} > 0')
            assert (posted["channel"], posted["network"], posted["value"]) == ("webhook", "webhook", "1")
            [quantile] = _asked(address, "histogram_quantile(0.5, policenotify_time_to_post_seconds_bucket)")
            assert (quantile["channel"], quantile["severe"]) == ("webhook", "false")
            publisher.journal.channels.block("webhook", Blocked("The token was revoked.", remedy="Make a new one."))
            [alert] = _asked(address, 'ALERTS{alertname="PolicenotifyChannelBlocked",alertstate="firing"}')
            assert (alert["channel"], alert["urgency"]) == ("webhook", "page")
            assert not [each for each in _asked(address, '{job="police"}') if INCIDENT in json.dumps(each)]
