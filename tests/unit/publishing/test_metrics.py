"""Metrics: each exported name, its labels and its values, in the formats that monitors read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from policenotify.channel import Capabilities, ChannelConfig
from policenotify.delivery.telemetry import SEND_DURATION, TIME_TO_POST, measure
from policenotify.errors import ChannelError, Refused, Unconfirmed
from policenotify.journal.drafts.rows import DraftCounts
from policenotify.journal.figures import JournalFigures
from policenotify.model.history import Outcome
from policenotify.publishing.metrics import METRICS, REMOVED, exposition, samples
from policenotify.testing import recording_publisher
from policenotify.text import Budget
from tests.support.installation import accident

SECOND = 1_000_000
NOW = 1_790_000_000 * SECOND


def _channel(name: str = "sky", **how: Any) -> ChannelConfig:
    return ChannelConfig(
        name=name,
        network="bluesky",
        account="a",
        capabilities=Capabilities(budget=Budget(300)),
        open=lambda _clock, _store: None,
        **how,
    )


def _figures(**changes: Any) -> JournalFigures:
    nothing: dict[str, Any] = {
        **{
            name: {}
            for name in (
                "publications",
                "deliveries",
                "recipients",
                "pending",
                "oldest_due",
                "oldest_pending",
                "recipients_pending",
            )
        },
        **{name: {} for name in ("incidents_open", "paused_until")},
        **dict.fromkeys(("first_deadline", "last_heartbeat", "last_seal")),
        "incidents_overdue": 0,
        "drafts": DraftCounts(waiting=0, oldest=None, readings_overdue=0),
        "blocked": frozenset(),
        "stopped": False,
        "workers": 0,
    }
    return JournalFigures(at=NOW, **{**nothing, **changes})


def _all(**changes: Any) -> dict[str, Any]:
    return samples(_figures(**changes), [_channel()], blocked=(), schema=1)


def test_a_channel_begins_at_zero_so_that_the_first_failure_is_a_rise() -> None:
    found = _all()
    assert found["deliveries"] == dict.fromkeys(
        (("sky", "bluesky", "post", outcome) for outcome in ("posted", "refused")), 0
    )
    assert found["deliveries_pending"] == dict.fromkeys(
        (("sky", "bluesky", state) for state in ("waiting", "sending", "unconfirmed", "held")), 0
    )
    assert found["channel_blocked"] == {("sky", "bluesky"): 0}
    assert found["workers"] == {(): 0}
    assert found["worker_seen_timestamp_seconds"] == found["last_seal_timestamp_seconds"] == {(): 0}


def test_a_total_does_not_fall_when_a_post_is_deleted() -> None:
    found = _all(deliveries={("sky", "post", Outcome.DELETED): 2, ("sky", "delete", Outcome.DELETED): 2})
    assert found["deliveries"]["sky", "bluesky", "post", "posted"] == 2
    assert ("sky", "bluesky", "delete", "posted") not in found["deliveries"]


def test_a_channel_that_left_the_settings_keeps_its_totals() -> None:
    found = _all(
        deliveries={("old", "post", Outcome.POSTED): 3},
        recipients={("paper", Outcome.POSTED): 7},
        blocked=frozenset({"older"}),
    )
    assert found["deliveries"]["old", REMOVED, "post", "posted"] == 3
    assert found["recipients"] == {("paper", REMOVED, "posted"): 7}
    assert found["channel_blocked"]["older", REMOVED] == 1


def test_both_formats_hold_each_metric_with_its_labels() -> None:
    measure(SEND_DURATION, 0.2, "sky", "bluesky", "post")
    measure(TIME_TO_POST, 1.5, "sky", "bluesky", "true")
    found = _all(
        publications={("traffic_accident", "opening", "Severe", "published"): 1},
        deliveries={("sky", "post", Outcome.POSTED): 1},
        recipients={("sky", Outcome.POSTED): 2},
        incidents_open={"traffic_accident": 1},
        paused_until={"sky": NOW},
    )
    plain, negotiated = exposition(found), exposition(found, "application/openmetrics-text; version=1.0.0")
    assert plain.media_type == "text/plain; version=0.0.4; charset=utf-8"
    assert negotiated.media_type.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    for families in (text_format(plain.content.decode()), open_metrics(negotiated.content.decode())):  # type: ignore[no-untyped-call]  # of the library
        read = {family.name: family for family in families}
        assert len(read) == len(METRICS)
        for metric in METRICS:
            family = read[f"policenotify_{metric.name}"]
            labels = {frozenset(sample.labels) - {"le"} for sample in family.samples}
            assert labels == {frozenset(metric.labels)}, metric.name
            assert (family.type, family.documentation) == (metric.kind, metric.help)
            if metric.kind == "counter":
                assert {sample.name for sample in family.samples} == {metric.exported}


def _buckets(content: bytes, name: str) -> Counter[tuple[str, str]]:
    """Return the counts of a histogram by channel and bound, whatever its other labels."""
    counts: Counter[tuple[str, str]] = Counter()
    for family in text_format(content.decode()):
        for sample in family.samples:
            if sample.name == f"{name}_bucket":
                counts[sample.labels["channel"], sample.labels["le"]] += int(sample.value)
    return counts


def test_the_process_that_delivers_measures_how_long_it_took() -> None:
    with recording_publisher(channels=["webhook", "sms"]) as recording:
        before = _buckets(recording.publisher.monitor.metrics().content, "policenotify_time_to_post_seconds")
        recording.publisher.publish(accident(), key="k", actor="cne Roux")
        content = recording.publisher.monitor.metrics().content
    posted = _buckets(content, "policenotify_time_to_post_seconds")
    sent = _buckets(content, "policenotify_send_duration_seconds")
    for channel in ("webhook", "sms"):
        assert posted[channel, "+Inf"] - before[channel, "+Inf"] == 1
        assert sent[channel, "+Inf"] >= 1


_DELIVERS = "from policenotify.delivery import telemetry as t; t.measure(t.SEND_DURATION, {}, 'sky', 'bluesky', 'post')"
_SERVES = """
from prometheus_client import generate_latest
from policenotify.delivery.telemetry import measured
class Found:
    collect = staticmethod(measured)
print(generate_latest(Found()).decode())
"""


def _run(code: str, folder: Path | None) -> subprocess.CompletedProcess[str]:
    shared = {} if folder is None else {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **shared})  # noqa: S603 - our own text


def test_processes_that_share_a_folder_answer_for_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "metrics"
    _run(_DELIVERS.format(0.2), folder)
    _run(_DELIVERS.format(3), folder)
    sent = _buckets(_run(_SERVES, folder).stdout.encode(), "policenotify_send_duration_seconds")
    assert (sent["sky", "0.1"], sent["sky", "0.25"], sent["sky", "+Inf"]) == (0, 1, 2)


@pytest.mark.parametrize("error", [Refused("X does not take this text."), Unconfirmed("No answer came.")])
def test_the_state_agrees_with_the_status_about_a_delivery_that_needs_a_person(error: ChannelError) -> None:
    with recording_publisher(channels=["sms"]) as recording:
        publisher = recording.publisher
        recording.fail_next("sms", error)
        publisher.publish(accident(), key="k", actor="cne Roux")
        assert not publisher.operations.status().ok
        state = publisher.monitor.status()
    assert (state["status"], [alarm["kind"] for alarm in state["alarms"]]) == ("degraded", ["attention"])
    assert not {"publications", "unfinished"} & state.keys()
