"""Spans for OpenTelemetry and histograms for Prometheus, where the process has their libraries.

Both hold ids, numbers, names from the settings and words of closed sets. They never hold a text, an address, the id of
an incident or a token.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, NamedTuple, TypeAlias

Attributes: TypeAlias = Mapping[str, str | int | bool]

_log = logging.getLogger("policenotify")
_API: Final = "opentelemetry.trace"


def _api() -> ModuleType | None:
    """Return the library if this process has it. Who sets up an SDK has imported it, so nothing else does."""
    return import_module(_API) if _API in sys.modules else None  # it waits for an import by another thread


@cache
def _tracer() -> Any:  # noqa: ANN401 - of the library
    return import_module(_API).get_tracer("policenotify", version("policenotify"))


@contextmanager
def span(
    name: str,
    kind: Literal["INTERNAL", "CLIENT", "CONSUMER"] = "INTERNAL",
    attributes: Attributes | None = None,
) -> Iterator[None]:
    """Record a step of the work as a span below the current one. An error that leaves it is named by its class."""
    if (api := _api()) is None:
        yield
        return
    with _tracer().start_as_current_span(
        name,
        kind=api.SpanKind[kind],
        attributes=attributes,
        record_exception=False,  # its text may hold what was to be published
        set_status_on_exception=False,
    ):
        try:
            yield
        except BaseException as error:
            note({}, failed=type(error).__name__)
            raise


def note(attributes: Attributes, *, failed: str = "") -> None:
    """Add attributes to the current span, and how its step *failed*, if it did.

    That is a word of a closed set, the class of an exception, or a network's code.
    """
    if (api := _api()) is None:
        return
    current = api.get_current_span()
    current.set_attributes(attributes)
    if failed:
        current.set_attribute("error.type", failed)
        current.set_status(api.StatusCode.ERROR)


# --- metrics


class Metric(NamedTuple):
    """A metric.

    Attributes:
        name: Without the prefix `policenotify_`, and for a counter without the suffix `_total`.
        kind: As of Prometheus.
        help: Its meaning.
        labels: The names of its labels.
        bounds: The upper bounds of the buckets of a histogram.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def exported(self) -> str:
        """The name in queries, for a histogram that of its buckets without `_bucket`."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


SEND_DURATION: Final = Metric(
    "send_duration_seconds",
    "histogram",
    "Time that attempts took on the network.",
    ("channel", "network", "operation"),
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),  # a fast API to the time-out of a slow gateway
)
TIME_TO_POST: Final = Metric(
    "time_to_post_seconds",
    "histogram",
    "Time from the publication to the post, or to the last person of a list.",
    ("channel", "network", "severe"),
    (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
)
HISTOGRAMS: Final = (SEND_DURATION, TIME_TO_POST)
PREFIX: Final = "policenotify_"

_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"  # prometheus.github.io/client_python/multiprocess


def measure(histogram: Metric, seconds: float, *labels: str) -> None:
    """Add a value, if this process has Prometheus' library or shares a folder with one that has.

    What fails is logged: nothing that was posted may be in doubt because of it.
    """
    if "prometheus_client" not in sys.modules and _FOLDER not in os.environ:
        return
    try:
        _histograms()[histogram.name].labels(*labels).observe(max(0.0, seconds))
    except (ImportError, OSError, ValueError) as error:
        _log.warning("A duration was not recorded (%s).", type(error).__name__)


def measured() -> Iterator[Any]:
    """Yield the histograms of this process, or of all that share the folder. The library is there."""
    made = _histograms()
    collectors = list(made.values())
    if _FOLDER in os.environ:
        registry = import_module("prometheus_client").CollectorRegistry()
        collectors = [import_module("prometheus_client.multiprocess").MultiProcessCollector(registry)]
    for family in (family for collector in collectors for family in collector.collect()):
        if family.name.removeprefix(PREFIX) in made:
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


@cache
def _histograms() -> Mapping[str, Any]:
    if _FOLDER in os.environ:
        Path(os.environ[_FOLDER]).mkdir(parents=True, exist_ok=True)
    make = import_module("prometheus_client").Histogram
    return {
        each.name: make(each.exported, each.help, each.labels, buckets=each.bounds, registry=None)
        for each in HISTOGRAMS
    }
