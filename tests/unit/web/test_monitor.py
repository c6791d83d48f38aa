"""Metrics and health over HTTP: for a monitoring system and an orchestrator."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from policenotify.errors import Blocked, JournalError
from policenotify.publishing.metrics import Exposition
from policenotify.testing import recording_publisher
from policenotify.web import monitoring
from policenotify.web.monitor import MonitorService

SECRET = "postgresql://police:hunter2@journal"


@dataclass
class Broken:
    """A monitor whose journal is away."""

    def metrics(self, accept: str = "") -> Exposition:
        raise JournalError(f"{accept} {SECRET}")

    def status(self) -> Mapping[str, Any]:
        raise JournalError(SECRET)

    def check(self) -> None:
        raise JournalError(SECRET)


def _get(monitor: MonitorService, path: str, **headers: str) -> httpx.Response:
    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(monitoring(monitor))
        async with httpx.AsyncClient(transport=transport, base_url="http://monitor.example") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(request())


def test_metrics_come_in_the_format_that_the_reader_accepts() -> None:
    with recording_publisher(channels=["webhook"]) as recording:
        plain = _get(recording.publisher.monitor, "/metrics")
        accepted = _get(recording.publisher.monitor, "/metrics", accept="application/openmetrics-text;version=1.0.0")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'policenotify_channel_blocked{channel="webhook"' in plain.text
    assert accepted.headers["content-type"].startswith("application/openmetrics-text")
    assert "policenotify_stopped 0.0" in accepted.text
    assert accepted.text.endswith("# EOF\n")
    assert plain.headers["cache-control"] == "no-store"


def test_a_blocked_channel_makes_it_degraded_and_neither_dead_nor_unready() -> None:
    with recording_publisher(channels=["webhook"]) as recording:
        monitor = recording.publisher.monitor
        assert _get(monitor, "/healthz").json()["status"] == "ok"
        recording.publisher.journal.channels.block(
            "webhook", Blocked("The token was revoked.", remedy="Make a new one.")
        )
        answers = {path: _get(monitor, path) for path in ("/livez", "/readyz", "/healthz")}
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 200)
    state = answers["/healthz"].json()
    assert (state["status"], [alarm["about"] for alarm in state["alarms"]]) == ("degraded", ["channel webhook"])


def test_without_a_journal_only_the_process_is_alive_and_no_answer_shows_why() -> None:
    answers = {path: _get(Broken(), path) for path in ("/livez", "/readyz", "/healthz", "/metrics")}
    assert {path: answer.status_code for path, answer in answers.items()} == {
        "/livez": 200,
        "/readyz": 503,
        "/healthz": 503,
        "/metrics": 503,
    }
    assert not any(SECRET in answer.text for answer in answers.values())


@pytest.mark.parametrize("path", ["/", "/metrics/", "/health", "/status"])
def test_nothing_else_is_served(path: str) -> None:
    assert _get(Broken(), path).status_code in {307, 404}
