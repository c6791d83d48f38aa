"""The cost of telemetry for a delivery: absent, with the API alone, and with an SDK: `pytest -m benchmark -s`.

A delivery is an attempt whose network and journal cost next to nothing, so that the difference is telemetry.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from policenotify.channel import Capabilities, ChannelConfig, Operation, Request, SupportsLookup
from policenotify.delivery.attempt import DeliveryAttempt
from policenotify.delivery.bulk_send import Lease
from policenotify.delivery.traced_attempt import TracedAttempt
from policenotify.journal.records import AttemptResult, ClaimedDelivery
from policenotify.model.history import Outcome
from policenotify.telemetry import Tracer
from policenotify.text import Budget

pytestmark = pytest.mark.benchmark

ABSENT, API, SDK = 1.0, 60.0, 600.0  # microseconds a delivery
ROUNDS, DELIVERIES = 31, 400
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_RESULT = AttemptResult(outcome=Outcome.POSTED)
_REQUEST = Request(account="a", key="0" * 64, body={})
_NOW = datetime(2026, 3, 2, tzinfo=UTC)
_CONFIG = ChannelConfig(
    name="sky", network="bluesky", account="a", capabilities=Capabilities(budget=Budget(300)), open=cast("Any", None)
)
_CLAIMED = ClaimedDelivery(
    id=7, owner="o", publication="0" * 26, incident=None, channel="sky", account="a", key="0" * 64,
    operation=Operation.POST, severe=False, has_recipients=False, in_doubt=False, attempts=0, first_tried_at=None,
    last_tried_at=None, backoff=timedelta(0), not_after=None, standalone=None, reply=None, wording="",
    request_version=0, request=None, reply_to=(), target=None, trace=_TRACE,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Empty(DeliveryAttempt):
    """The steps of an attempt without their work."""

    def run(self, claimed: ClaimedDelivery) -> None:
        filled = self._fill(claimed)
        assert filled is not None
        self._prepare(filled)
        self._find(cast("Any", None), _REQUEST, _NOW, filled)
        self._store(filled, self._send(cast("Lease", None), _REQUEST))

    def _fill(self, claimed: ClaimedDelivery) -> ClaimedDelivery | None:
        return claimed

    def _prepare(self, claimed: ClaimedDelivery) -> Request:  # noqa: ARG002 - the parent's
        return _REQUEST

    def _find(
        self,
        channel: SupportsLookup,  # noqa: ARG002 - the parent's
        request: Request,  # noqa: ARG002 - the same
        since: datetime,  # noqa: ARG002 - the same
        claimed: ClaimedDelivery,  # noqa: ARG002 - the same
    ) -> AttemptResult | None:
        return None

    def _send(self, lease: Lease, request: Request) -> AttemptResult:  # noqa: ARG002 - the parent's
        return _RESULT

    def _store(self, claimed: ClaimedDelivery, result: AttemptResult) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class _TracedEmpty(TracedAttempt, _Empty):
    """The same with its spans."""


def _attempt(tracer: Tracer | None) -> DeliveryAttempt:
    """Return an attempt as the dispatcher makes it."""
    make = _Empty if tracer is None else partial(_TracedEmpty, tracer=tracer)
    return make(
        journal=cast("Any", None), channel=cast("Any", None), config=_CONFIG, clock=cast("Any", None),
        lease=timedelta(minutes=2),
    )  # fmt: skip


def _microseconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    for _ in range(DELIVERIES):
        work()
    return (time.process_time() - begun) / DELIVERIES * 1e6


def _extra(with_it: Callable[[], object], without: Callable[[], object]) -> float:
    """Return how much longer one takes than the other: medians of runs by turns."""
    gc.collect()
    gc.disable()
    try:
        pairs = [(_microseconds(with_it), _microseconds(without)) for _ in range(ROUNDS)]
    finally:
        gc.enable()
    return statistics.median(first for first, _ in pairs) - statistics.median(second for _, second in pairs)


def _plain() -> None:
    _Empty(
        journal=cast("Any", None), channel=cast("Any", None), config=_CONFIG, clock=cast("Any", None),
        lease=timedelta(minutes=2),
    ).run(_CLAIMED)  # fmt: skip


def test_absent_telemetry_costs_less_than_a_microsecond() -> None:
    extra = _extra(lambda: _attempt(None).run(_CLAIMED), _plain)
    print(f"\nabsent: {extra:.2f} µs a delivery")
    assert extra <= ABSENT


def test_the_api_without_an_sdk() -> None:
    tracer = Tracer()
    extra = _extra(lambda: _attempt(tracer).run(_CLAIMED), _plain)
    print(f"\nthe API alone: {extra:.1f} µs a delivery")
    assert extra <= API


def test_with_an_sdk() -> None:
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = Tracer(provider)
    _attempt(tracer).run(_CLAIMED)
    provider.force_flush()
    names = [span.name for span in exporter.get_finished_spans()]
    assert names == ["expand", "prepare", "find", "send bluesky", "settle", "deliver sky"]
    extra = _extra(lambda: _attempt(tracer).run(_CLAIMED), _plain)
    provider.shutdown()
    print(f"\nwith an SDK: {extra:.0f} µs a delivery of {len(names)} spans")
    assert extra <= SDK


def test_the_import_of_the_package_loads_neither_library() -> None:
    code = "import sys, policenotify.publishing.publisher as _; print('opentelemetry' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own text
    assert ran.stdout.strip() == "False"
