"""What a monitoring system asks of an installation: metrics from the figures of the journal, its state and health."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.metadata import version
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from pydantic import JsonValue

from policenotify.delivery.telemetry import HISTOGRAMS, PREFIX, Metric, measured
from policenotify.errors import MissingExtra
from policenotify.model.history import Outcome
from policenotify.translation import Text

if TYPE_CHECKING:
    from prometheus_client.core import Metric as MetricFamily

    from policenotify.channel import ChannelConfig
    from policenotify.journal.figures import JournalFigures
    from policenotify.publishing.operations import Operations

REMOVED: Final = "removed"
"""The network of a channel that is not in the settings any more."""

_SECOND: Final = 1_000_000  # microseconds
_PENDING: Final = (Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED, Outcome.HELD)
_EXPECTED: Final = (Outcome.POSTED, Outcome.REFUSED)  # begin at 0, so that the first one is a rise

Labels: TypeAlias = tuple[str, ...]

METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "publications",
        "counter",
        "Messages that were published, or refused by a check.",
        ("category", "stage", "severity", "result"),
    ),
    Metric(
        "deliveries",
        "counter",
        "Deliveries by the outcome with which they were settled. One that was deleted was posted, too.",
        ("channel", "network", "operation", "outcome"),
    ),
    Metric("recipients", "counter", "People by their final outcome.", ("channel", "network", "outcome")),
    *HISTOGRAMS,
    Metric(
        "deliveries_pending", "gauge", "Deliveries that are not settled, or are held.", ("channel", "network", "state")
    ),
    Metric(
        "oldest_waiting_seconds",
        "gauge",
        "How long the oldest delivery that is due and not being sent has been due.",
        ("channel", "network", "severe"),
    ),
    Metric(
        "oldest_pending_seconds",
        "gauge",
        "Age of the oldest publication that is not settled on the channel.",
        ("channel", "network"),
    ),
    Metric("recipients_pending", "gauge", "People who are still to be sent to.", ("channel", "network")),
    Metric("incidents_open", "gauge", "Open incidents.", ("category",)),
    Metric("incidents_overdue", "gauge", "Open incidents whose next message is overdue."),
    Metric("oldest_overdue_seconds", "gauge", "How long the next message of an open incident has been overdue."),
    Metric("drafts_waiting", "gauge", "Drafts that wait for readers, or for a person who publishes them."),
    Metric("oldest_draft_seconds", "gauge", "How long the oldest of them has been unchanged."),
    Metric("second_readings_overdue", "gauge", "Second readings of urgent publications that are overdue."),
    Metric(
        "channel_blocked",
        "gauge",
        "1 if nothing is sent on the channel until a person acts: its account, settings, secret, library or recipients "
        "fail, here or where deliveries are made.",
        ("channel", "network"),
    ),
    Metric(
        "channel_paused_until_timestamp_seconds",
        "gauge",
        "Until when the network asked for a pause. 0: it did not.",
        ("channel", "network"),
    ),
    Metric("worker_seen_timestamp_seconds", "gauge", "The latest heartbeat of a worker or a drain. 0: none in a week."),
    Metric("workers", "gauge", "Workers that run: seen in the last two minutes, and not known to have exited."),
    Metric("stopped", "gauge", "1 if everything is stopped."),
    Metric("last_seal_timestamp_seconds", "gauge", "When the audit log was last sealed. 0: never."),
    Metric(
        "build_info", "gauge", "1, with the versions of the package and of the journal's tables.", ("version", "schema")
    ),
)
"""All metrics, in the order in which they are written."""


Samples: TypeAlias = dict[str, dict[Labels, float]]


def samples(
    figures: JournalFigures, channels: Iterable[ChannelConfig], *, blocked: Collection[str], schema: int
) -> Samples:
    """Return the values of all metrics but the histograms by name and labels.

    Labels are names of channels, networks and categories, and words of closed sets. No label and no value comes from
    a message, a person or a network's answer. The *blocked* channels are so here, or for a process that delivers.
    """
    configured = {channel.name: channel.network for channel in channels}
    paired = (figures.pending, figures.deliveries, figures.recipients)
    named = {*configured, *figures.oldest_pending, *figures.blocked, *(key[0] for counts in paired for key in counts)}
    networks = {name: configured.get(name, REMOVED) for name in sorted(named)}
    expected = (
        (name, network, "post", each.value) for name, network in sorted(configured.items()) for each in _EXPECTED
    )
    settled: Counter[Labels] = Counter(dict.fromkeys(expected, 0))
    for (channel, operation, outcome), number in sorted(figures.deliveries.items()):
        settled[channel, networks[channel], operation, outcome.value] += number
        if outcome is Outcome.DELETED and operation != "delete":  # it was posted, and a total never falls
            settled[channel, networks[channel], operation, Outcome.POSTED.value] += number
    every = networks.items()
    since_due, since_pending, paused = figures.oldest_due, figures.oldest_pending, figures.paused_until
    halted = {*blocked, *figures.blocked}
    return {
        "publications": dict(sorted(figures.publications.items())),
        "deliveries": dict(settled),
        "recipients": {
            (channel, networks[channel], outcome.value): number
            for (channel, outcome), number in sorted(figures.recipients.items())
        },
        "deliveries_pending": {
            (*channel, state.value): figures.pending.get((channel[0], state), 0)
            for channel in every
            for state in _PENDING
        },
        "oldest_waiting_seconds": {
            (*channel, str(severe).lower()): _age(figures, since_due.get((channel[0], severe)))
            for channel in every
            for severe in (False, True)
        },
        "oldest_pending_seconds": {channel: _age(figures, since_pending.get(channel[0])) for channel in every},
        "recipients_pending": {channel: figures.recipients_pending.get(channel[0], 0) for channel in every},
        "incidents_open": {(category,): number for category, number in sorted(figures.incidents_open.items())},
        "incidents_overdue": {(): figures.incidents_overdue},
        "oldest_overdue_seconds": {(): _age(figures, figures.first_deadline)},
        "drafts_waiting": {(): figures.drafts.waiting},
        "oldest_draft_seconds": {(): _age(figures, figures.drafts.oldest)},
        "second_readings_overdue": {(): figures.drafts.readings_overdue},
        "channel_blocked": {channel: float(channel[0] in halted) for channel in every},
        "channel_paused_until_timestamp_seconds": {channel: _time(paused.get(channel[0])) for channel in every},
        "worker_seen_timestamp_seconds": {(): _time(figures.last_heartbeat)},
        "workers": {(): float(figures.workers)},
        "stopped": {(): float(figures.stopped)},
        "last_seal_timestamp_seconds": {(): _time(figures.last_seal)},
        "build_info": {(version("policenotify"), str(schema)): 1},
    }


def _age(figures: JournalFigures, since: int | None) -> float:
    """Return the seconds that have passed since a time, at least 0. None of them have since no time at all."""
    return 0.0 if since is None else max(0, figures.at - since) / _SECOND


def _time(at: int | None) -> float:
    """Return a time as seconds since 1970, or 0."""
    return (at or 0) / _SECOND


# --- the formats


def to_document(found: Samples) -> dict[str, JsonValue]:
    """Return the values of all metrics but the histograms as JSON has them."""
    return {
        metric.exported: [
            {"labels": dict(zip(metric.labels, labels, strict=True)), "value": value}
            for labels, value in found[metric.name].items()
        ]
        for metric in METRICS
        if metric.name in found
    }


class Exposition(NamedTuple):
    """Metrics as they are written, in UTF-8."""

    content: bytes
    media_type: str


def exposition(found: Samples, accept: str = "") -> Exposition:
    """Write the values of all metrics, with the histograms that this process knows.

    A header `Accept` of `application/openmetrics-text` is answered with OpenMetrics 1.0, and anything else with
    Prometheus' text format 0.0.4.

    Raises:
        MissingExtra: The library is not installed.
    """
    try:
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise MissingExtra(Text("Writing metrics"), "metrics") from None
    encode, media_type = choose_encoder(accept)
    collector: Any = SimpleNamespace(collect=lambda: _families(found))  # the library asks for no more of one
    return Exposition(encode(collector), media_type)


def _families(found: Samples) -> Iterator[MetricFamily]:
    """Yield each metric that has a value."""
    from prometheus_client.core import Metric as Family  # noqa: PLC0415 - an extra

    for metric in METRICS:
        if metric.name in found:
            family = Family(f"{PREFIX}{metric.name}", metric.help, metric.kind)
            for labels, value in found[metric.name].items():
                family.add_sample(metric.exported, dict(zip(metric.labels, labels, strict=True)), value)
            yield family
    yield from measured()


# --- what a monitoring system asks


class Monitor:
    """Metrics and health of an installation, read from its journal. Nothing is sent and nothing is changed.

    Any process may answer for all of them, because nothing is counted outside of the journal.
    """

    def __init__(self, installation: Operations) -> None:
        self._installation = installation
        self._journal = installation.journal

    def metrics(self, accept: str = "") -> Exposition:
        """Return the metrics in the format that a reader accepts; see `exposition`.

        Raises:
            JournalError: The journal cannot be read.
            MissingExtra: The extra `metrics` is not installed.
        """
        return exposition(self.samples(), accept)

    def samples(self) -> Samples:
        """Return the values of all metrics by name and labels.

        Raises:
            JournalError: The journal cannot be read.
        """
        from policenotify.journal.database.schema import SCHEMA_VERSION  # noqa: PLC0415 - brings the SQL toolkit

        blocked = {*self._installation.blocked(), *self._journal.workers.blocked_channels()}
        channels = self._installation.channel_configs.values()
        return samples(self._journal.figures.read(), channels, blocked=blocked, schema=SCHEMA_VERSION)

    def status(self) -> Mapping[str, Any]:
        """Return what `policenotify status --json` prints, without publications, and `status`: `ok` or `degraded`.

        It holds the ids and headlines of open incidents.

        Raises:
            JournalError: The journal cannot be read.
        """
        found = self._installation.status()
        document = found.model_dump(mode="json", exclude={"publications", "unfinished"})
        return {"status": "ok" if found.ok else "degraded", **document}

    def check(self) -> None:
        """Check that the journal can be read, and fits these keys and this release.

        Raises:
            JournalError: It cannot, or does not.
        """
        self._journal.stopped()
