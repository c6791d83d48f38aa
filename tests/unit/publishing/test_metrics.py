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
from policenotify.errors import Blocked, ChannelError, MissingExtra, Refused, Unconfirmed
from policenotify.journal.drafts.rows import DraftCounts
from policenotify.journal.figures import JournalFigures
from policenotify.model.history import Outcome
from policenotify.model.status import Alarm
from policenotify.publishing.metrics import METRICS, REMOVED, exposition, samples, to_document
from policenotify.testing import recording_publisher
from policenotify.text import Budget
from tests.support.installation import accident, open_desk

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
        **{name: {} for name in ("publications", "deliveries", "attempts", "events", "posted_at")},
        **{name: {} for name in ("recipients", "pending", "oldest_due", "oldest_pending", "recipients_pending")},
        **{name: {} for name in ("incidents_open", "paused_until")},
        **dict.fromkeys(("first_deadline", "last_heartbeat", "last_seal")),
        "incidents_overdue": 0,
        "drafts": DraftCounts(waiting=0, oldest=None, readings_overdue=0),
        "blocked": frozenset(),
        "stopped": False,
        "workers": 0,
        "size": 4096,
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
    assert found["workers"] == found["clock_steps"] == {(): 0}
    assert found["worker_seen_timestamp_seconds"] == found["last_seal_timestamp_seconds"] == {(): 0}


def test_ages_are_seconds_and_never_negative() -> None:
    found = _all(
        oldest_due={("sky", True): NOW - 90 * SECOND},
        oldest_pending={"sky": NOW + SECOND},  # a clock was set back
        first_deadline=NOW - 5 * SECOND,
        drafts=DraftCounts(waiting=1, oldest=NOW - SECOND // 2, readings_overdue=0),
    )
    assert found["oldest_waiting_seconds"] == {("sky", "bluesky", "false"): 0, ("sky", "bluesky", "true"): 90}
    assert found["oldest_pending_seconds"] == {("sky", "bluesky"): 0}
    assert (found["oldest_overdue_seconds"][()], found["oldest_draft_seconds"][()]) == (5, 0.5)
    assert _all(first_deadline=NOW + SECOND)["oldest_overdue_seconds"][()] == 0


def test_a_channel_that_left_the_settings_keeps_its_totals() -> None:
    found = _all(
        deliveries={("old", "post", Outcome.POSTED): 3},
        attempts={("old", Outcome.POSTED): 4},
        recipients={("paper", Outcome.POSTED): 7},
        blocked=frozenset({"older"}),
    )
    assert found["deliveries"]["old", REMOVED, "post", "posted"] == 3
    assert found["attempts"] == {("old", REMOVED, "posted"): 4}
    assert found["recipients"] == {("paper", REMOVED, "posted"): 7}
    assert found["channel_blocked"]["older", REMOVED] == 1


def test_a_channel_that_cannot_be_used_is_shown_as_such() -> None:
    found = samples(_figures(), [_channel()], blocked={"sky"}, schema=1)
    assert found["channel_blocked"] == {("sky", "bluesky"): 1}


@pytest.mark.parametrize("cause", ["a worker", "the list"])
def test_what_the_status_calls_blocked_is_so_in_the_metrics(tmp_path: Path, cause: str) -> None:
    with open_desk(tmp_path) as desk:
        publisher = desk.publisher([desk.by_mail()])
        assert publisher.monitor.samples()["channel_blocked"] == {("presse", "email"): 0}
        publisher.publish(accident(), key="k", actor="desk")
        if cause == "a worker":
            publisher.journal.workers.heartbeat(is_worker=True, blocked={"presse": "url: cannot be read."})
        else:
            desk.addresses = []
        assert {alarm.kind for alarm in publisher.operations.status().alarms} == {Alarm.ATTENTION}
        assert publisher.monitor.samples()["channel_blocked"] == {("presse", "email"): 1}


def test_both_formats_hold_each_metric_with_its_labels() -> None:
    measure(SEND_DURATION, 0.2, "sky", "bluesky", "post")
    measure(TIME_TO_POST, 1.5, "sky", "bluesky", "true")
    found = _all(
        publications={("traffic_accident", "opening", "Severe", "published"): 1},
        deliveries={("sky", "post", Outcome.POSTED): 1},
        attempts={("sky", Outcome.POSTED): 1},
        events={"overdue": 1, "approved": 1, "clock_set": 1},
        posted_at={"sky": NOW},
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


def test_json_names_each_metric_as_queries_do() -> None:
    document = to_document(_all())
    assert set(document) == {metric.exported for metric in METRICS if metric.kind != "histogram"}
    assert document["policenotify_stopped"] == [{"labels": {}, "value": 0.0}]


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


def test_a_duration_that_cannot_be_recorded_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "was not recorded" in _run(_DELIVERS.format(1), tmp_path / "file").stderr


def test_without_the_library_nothing_is_measured(tmp_path: Path) -> None:
    loaded = "; import sys; print('prometheus_client' in sys.modules)"
    assert _run(_DELIVERS.format(1) + loaded, None).stdout.strip() == "False"
    without = "import sys; sys.modules['prometheus_client'] = None; "
    assert "was not recorded" in _run(without + _DELIVERS.format(1), tmp_path).stderr


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.exposition", None)
    with pytest.raises(MissingExtra, match=r"policenotify\[metrics\]"):
        exposition(_all())


def test_the_state_fits_one_line() -> None:
    with recording_publisher(channels=["webhook", "bluesky"]) as recording:
        monitor = recording.publisher.monitor
        assert monitor.line() == "waiting 0"
        recording.fail_next("webhook", Blocked("The token was revoked."))
        recording.publisher.publish(accident(), key="k", actor="cne Roux")
        recording.publisher.journal.stop("cne Roux", "exercise")
        assert monitor.line() == "waiting 1, blocked webhook, stopped"
        channels = recording.publisher.installation.channel_configs
        channels["bluesky"] = channels["bluesky"].model_copy(update={"blocked": "password: cannot be read"})
        assert monitor.line() == "waiting 1, blocked bluesky, blocked webhook, stopped"


def test_the_state_is_degraded_as_long_as_something_needs_a_person() -> None:
    with recording_publisher(channels=["webhook"]) as recording:
        monitor = recording.publisher.monitor
        monitor.check()
        assert monitor.status()["status"] == "ok"
        recording.publisher.journal.stop("cne Roux", "exercise")
        assert monitor.status()["status"] == "degraded"


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
