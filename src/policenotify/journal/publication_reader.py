"""What the journal tells: the course of incidents, and what became of publications."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import select

from policenotify.channel import Picture
from policenotify.errors import Blocked, InvalidImage
from policenotify.journal import deadlines, key_series, pending, queries, schema, summary, tombstones
from policenotify.journal.records import ChannelSummary, IncidentLine, PublicationSummary, UnrenderedDelivery
from policenotify.journal.transactions import Transactions
from policenotify.model.history import History, Outcome
from policenotify.model.receipt import Publication


class Telling(Transactions):
    """Reads what was said, and what became of it."""

    def history(self, incident: str) -> History:
        """The course of one incident so far."""
        with self.read() as connection:
            return queries.history(connection, incident)

    def history_of(self, publication: str) -> History | None:
        """The course of a publication outside incidents."""
        with self.read() as connection:
            return queries.history_of(connection, publication)

    def incidents(self, *, only_open: bool = True) -> tuple[IncidentLine, ...]:
        """The incidents, the latest first."""
        with self.read() as connection:
            return queries.incidents(connection, only_open=only_open)

    def most_urgent(self, most: int) -> tuple[IncidentLine, ...]:
        """Return at most so many open incidents: those of which a word is owed first."""
        with self.read() as connection:
            return queries.incidents(connection, only_open=True, most=most)

    def count_open(self) -> int:
        """Return how many incidents are open."""
        with self.read() as connection:
            return summary.open_incidents(connection)

    def deadlines(self) -> tuple[tuple[datetime, int], ...]:
        """For each open incident: until when a word is owed, and which reminder of it was raised last (0: none)."""
        with self.read() as connection:
            return deadlines.deadlines(connection)

    def remind(self, incident: str, due_at: datetime, level: int) -> bool:
        """Write down that the desk is reminded of a word that it owes; once for each deadline and level.

        Returns:
            Whether it is ours to raise; `False`: another process did, or the word was said meanwhile.
        """
        with self.write() as connection:
            return deadlines.remind(connection, incident, due_at, level, now=self.now())

    def channels_with_open_incidents(self) -> dict[str, tuple[str, ...]]:
        """The channels where something of an open incident is out, or may be: and which incidents."""
        with self.read() as connection:
            return deadlines.channels_with_open_incidents(connection)

    def publication(self, wanted: str) -> Publication | None:
        """A publication and what became of it, by its id or by the caller's key.

        Of a purged one the message says that it was purged, and when; category, stage and outcomes are as they were.
        """
        with self.read() as connection:
            found = queries.publication(connection, wanted)
            found = found or queries.publication(connection, tombstones.purged_key(self.keys, wanted))
            return tombstones.counted(connection, found) if found else None

    def latest(self, count: int) -> tuple[Publication, ...]:
        """The last publications, the newest first."""
        with self.read() as connection:
            return tuple(tombstones.counted(connection, one) for one in queries.latest(connection, count))

    def publications_by_key_prefix(self, prefix: str, since: datetime) -> tuple[PublicationSummary, ...]:
        """The publications since a moment whose key begins so, the oldest first."""
        with self.read() as connection:
            return key_series.publications_by_key_prefix(connection, prefix, since)

    def events_of_kind(self, kind: str, since: datetime) -> tuple[Mapping[str, object], ...]:
        """The bodies of the events of a kind since a moment, the oldest first; not of those that were purged."""
        with self.read() as connection:
            return key_series.events_of_kind(connection, kind, since)

    def unfinished(self) -> tuple[Publication, ...]:
        """The publications of which something is still to come, or is held for a person; the newest first."""
        with self.read() as connection:
            return queries.unfinished(connection)

    def unfinished_ids(self) -> Mapping[str, bool]:
        """Return the ids of these publications, the oldest first; `True` where a person must settle something."""
        with self.read() as connection:
            return summary.unfinished(connection)

    def channel_summaries(self) -> tuple[ChannelSummary, ...]:
        """Return what became of all deliveries, channel by channel."""
        with self.read() as connection:
            return summary.channels(connection)

    def unsettled_deliveries(self) -> frozenset[int]:
        """Return the deliveries to which something is still to happen."""
        with self.read() as connection:
            return summary.unsettled(connection)

    def outcomes_of(self, deliveries: Collection[int]) -> Mapping[Outcome, int]:
        """Return how many of these deliveries came to which outcome."""
        with self.read() as connection:
            return summary.outcomes(connection, deliveries)

    def unsettled(self, publication: str) -> Mapping[str, datetime | None]:
        """The channels where something is still to come: the time before which it will not; `None`: under way."""
        with self.read() as connection:
            return queries.unsettled(connection, publication)

    def unworded(self, channels: Iterable[str]) -> tuple[UnrenderedDelivery, ...]:
        """Return the deliveries on these channels that wait without words, in the order of their publication."""
        with self.read() as connection:
            return pending.unworded(connection, channels)

    def had_people(self, channel: str) -> bool:
        """Return whether an earlier delivery on the channel was for anybody."""
        with self.read() as connection:
            return pending.had_people(connection, channel)

    def blocked(self) -> dict[str, Blocked]:
        """The channels on which nothing more goes out until a person acts, and why."""
        table = schema.channel
        with self.read() as connection:
            rows = connection.execute(select(table).where(table.c.blocked_at.is_not(None))).all()
        return {row.name: Blocked(row.reason, remedy=row.remedy, code=row.code) for row in rows}

    def picture(self, digest: str, alt: str) -> Picture:
        """A picture that was published before, with its bytes.

        Raises:
            InvalidImage: The journal does not have it.
        """
        with self.read() as connection:
            row = connection.execute(select(schema.blob).where(schema.blob.c.digest == digest)).first()
        if row is None:
            raise InvalidImage(f"The journal has no picture {digest}. Give the picture itself, by path or data.")
        return Picture(
            digest=digest, media_type=row.media_type, width=row.width, height=row.height, alt=alt, data=row.data
        )
