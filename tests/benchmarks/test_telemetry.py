"""The cost of telemetry for a delivery: absent, with the API alone, and with an SDK: `pytest -m benchmark -s`.

A delivery is its spans alone.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from policenotify.delivery import telemetry

pytestmark = pytest.mark.benchmark

ABSENT, API, SDK = 30.0, 120.0, 600.0  # microseconds a delivery
ROUNDS, DELIVERIES = 31, 400
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_ABOUT: telemetry.Attributes = {"policenotify.delivery": 7, "policenotify.network": "bluesky"}


def _delivery() -> None:
    """The steps of a delivery without their work."""
    with telemetry.span("deliver sky", "CONSUMER", _ABOUT, link=_TRACE):
        for name in ("expand", "prepare", "find", "send bluesky", "settle"):
            with telemetry.span(name, "CLIENT"):
                pass
        telemetry.note({"policenotify.outcome": "posted"})


def _plain() -> None:
    """Nothing at all."""


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


def test_a_process_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    extra = _extra(_delivery, _plain)
    print(f"\nabsent: {extra:.2f} µs a delivery")
    assert extra <= ABSENT


def test_the_api_without_an_sdk() -> None:
    extra = _extra(_delivery, _plain)
    print(f"\nthe API alone: {extra:.1f} µs a delivery")
    assert extra <= API


def test_with_an_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("policenotify")
    monkeypatch.setattr(telemetry, "_tracer", lambda: tracer)
    _delivery()
    provider.force_flush()
    names = [span.name for span in exporter.get_finished_spans()]
    assert names == ["expand", "prepare", "find", "send bluesky", "settle", "deliver sky"]
    extra = _extra(_delivery, _plain)
    provider.shutdown()
    print(f"\nwith an SDK: {extra:.0f} µs a delivery of {len(names)} spans")
    assert extra <= SDK


def test_the_import_of_the_package_loads_neither_library() -> None:
    code = "import sys, policenotify.publishing.publisher as _; print('opentelemetry' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own text
    assert ran.stdout.strip() == "False"
