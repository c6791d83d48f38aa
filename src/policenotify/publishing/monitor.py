"""What a monitoring system asks of an installation: metrics, its state, and whether it can work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from policenotify.model.history import Outcome
from policenotify.publishing.metrics import Exposition, Samples, exposition, samples

if TYPE_CHECKING:
    from policenotify.publishing.operations import Operations

_PENDING = (Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED, Outcome.HELD)


class Monitor:
    """Metrics and health of an installation, read from its journal. Nothing is sent and nothing is changed.

    Any process may answer for all of them, because nothing is counted outside of the journal.

    Args:
        installation: The installation.
    """

    def __init__(self, installation: Operations) -> None:
        self._installation = installation
        self._journal = installation.journal

    def metrics(self, accept: str = "") -> Exposition:
        """Return the metrics in the format that a reader accepts.

        Args:
            accept: Its header `Accept`: OpenMetrics if that is named there, else the text format of Prometheus.

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

    def line(self) -> str:
        """Return the state in one line, as for `systemctl status`: `waiting 3, held 1, blocked x, stopped`.

        Raises:
            JournalError: The journal cannot be read.
        """
        counts: Counter[Outcome] = Counter()
        for channel in self._journal.figures.channels().values():
            counts.update(channel.outcomes)
        parts = [f"{outcome} {counts[outcome]}" for outcome in _PENDING if counts[outcome] or outcome is _PENDING[0]]
        here = {name for name, each in self._installation.channel_configs.items() if each.blocked}
        parts += [f"blocked {name}" for name in sorted(here | self._journal.channels.blocked().keys())]
        return ", ".join([*parts, *(["stopped"] if self._journal.stopped() else [])])

    def check(self) -> None:
        """Check that the journal can be read, and fits these keys and this release.

        Raises:
            JournalError: It cannot, or does not.
        """
        self._journal.stopped()
