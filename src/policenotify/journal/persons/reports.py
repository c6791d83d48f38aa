"""What comes back about a person after the network had accepted a post: bounces, receipts, complaints, and leaving.

Each is named by a token of this installation. Any other changes nothing.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, or_, select

from policenotify.channel import TokenPurpose
from policenotify.journal.audit import record_delivery
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.persons.suppressions import is_plausible, release_expired, suppress
from policenotify.journal.persons.tokens import PersonToken, read_token
from policenotify.journal.records import microseconds, span
from policenotify.log import fields
from policenotify.model.person import Reported, ReportResult, Source

KEPT: Final = timedelta(days=30)
"""How long reports are kept. Two of an address that does not exist count only within this time."""

SOFT_DAYS: Final = 3
"""Days with a returned mail that suppress a person for a while.

By default listmonk blocks after one hard bounce and never for soft ones, and Mailman 3 disables after five points, one
a day at most. A warning is worth more than a newsletter, so a day counts once, and the suppression ends by itself.
"""

SOFT_WITHIN: Final = timedelta(days=10)
"""The time within which they count."""

SOFT_FOR: Final = timedelta(days=30)
"""How long they suppress."""

RECIPIENT: Final = "recipient"
"""The actor of events that a person causes who leaves."""

NETWORK: Final = "network"
"""The actor of events that a report of a mail server or gateway causes."""

_ANOTHER_DAY: Final = timedelta(days=1)
_DAY: Final = span(timedelta(days=1))
_ALARM: Final = 10  # unbelievable reports of a delivery between two lines in the log
_MOST_STATUS: Final = 32  # characters, as the column has them
_report, _delivery, _suppression = schema.report, schema.delivery, schema.suppression
_log = logging.getLogger("policenotify")


class Reports:
    """What comes back about people."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal

    def named(self, token: str, purpose: TokenPurpose) -> bool:
        """Return True if a token is ours. Reads nothing."""
        return read_token(self._journal.keys, purpose, token) is not None

    def person_of(self, token: str, purpose: TokenPurpose, *, channel: str) -> PersonToken | None:
        """Return what a token names, if the journal has such a delivery on a channel."""
        if (named := read_token(self._journal.keys, purpose, token)) is None:
            return None
        with self._journal.read() as connection:
            row = _delivery_of(connection, named)
        return named if row is not None and row.channel == channel else None

    def leave(self, token: str) -> ReportResult:
        """Stop writing to the person of a link to leave, on the channel of its mail.

        A link works as long as the keys exist, also when the publication or the address was erased. If the journal does
        not know its delivery, as after a restore, the person leaves all channels.
        """
        if (named := read_token(self._journal.keys, "stop", token)) is None:
            return ReportResult.UNKNOWN
        with self._journal.write() as connection:
            row = _delivery_of(connection, named)
            newly = suppress(
                connection,
                self._journal.now(),
                channel=row.channel if row else None,
                key=named.person,
                source=Source.ONE_CLICK,
                evidence=f"The link to leave of publication {row.publication}." if row else "A link to leave.",
                actor=RECIPIENT,
            )
        return ReportResult.SUPPRESSED if newly else ReportResult.REPEATED

    def add(
        self, token: str, purpose: TokenPurpose, kind: Reported, status: str = "", *, channel: str | None = None
    ) -> ReportResult:
        """Record a report about a person, and suppress the person if it is enough.

        A complaint is enough. An address that does not exist must be reported on two days, and an address that took
        nothing for now on three days of ten. Reports of a delivery that concern so many of its people that they must be
        a fault of the server are remembered, and suppress no one.

        Args:
            token: The token.
            purpose: What the token must be for.
            kind: What is reported.
            status: The network's own code, without an address.
            channel: The channel that the delivery must be of. `None`: any.
        """
        if (named := read_token(self._journal.keys, purpose, token)) is None:
            return ReportResult.UNKNOWN
        with self._journal.write() as connection:
            row = _delivery_of(connection, named)
            if row is None or channel not in {None, row.channel}:
                return ReportResult.UNKNOWN
            key, now = named.person, self._journal.now()
            status = status[:_MOST_STATUS]
            connection.execute(delete(_report).where(_report.c.at <= microseconds(now - KEPT)))
            stored = {"delivery": row.id, "key": key, "kind": kind, "channel": row.channel, "status": status}
            if not schema.insert_new(connection, _report, [{**stored, "at": microseconds(now)}]):
                return ReportResult.REPEATED
            body = {"recipient": key, "report": kind, "status": status}
            record_delivery(connection, row, now, "reported", body, actor=NETWORK)
            return _decide(connection, row, key, kind, status, now)


def _delivery_of(connection: Connection, named: PersonToken) -> Row[Any] | None:
    columns: list[Any] = [_delivery.c.id, _delivery.c.publication, _delivery.c.channel]
    return connection.execute(select(*columns).where(_delivery.c.id == named.delivery)).first()


def _decide(
    connection: Connection, row: Row[Any], key: str, kind: Reported, status: str, now: datetime
) -> ReportResult:
    code = f" ({status})" if status else ""
    source, until = Source.BOUNCE, None
    if kind == "complaint":
        source, evidence = Source.COMPLAINT, f"A complaint{code} about publication {row.publication}."
    elif not _is_plausible(connection, row.id):
        _warn(connection, row)
        return ReportResult.REMEMBERED
    elif kind == "gone" and _was_gone_before(connection, row.channel, key, now):
        evidence = f"Reported on two days: this recipient does not exist{code}."
    elif _days(connection, row.channel, key, now) >= SOFT_DAYS:
        until = now + SOFT_FOR
        evidence = f"Mail came back on {SOFT_DAYS} days of {SOFT_WITHIN.days}{code}."
    else:
        return ReportResult.REMEMBERED
    release_expired(connection, now)
    newly = suppress(
        connection, now, channel=row.channel, key=key, source=source, evidence=evidence, actor=NETWORK, until=until
    )
    return ReportResult.SUPPRESSED if newly else ReportResult.REMEMBERED


def _warn(connection: Connection, row: Row[Any]) -> None:
    count = _reported(connection, row.id)
    if count % _ALARM == 0:
        _log.error(
            "Channel %s: %d people of delivery %d are reported as unreachable. So many are a fault of the server or of "
            "the list, so nobody is suppressed. Ask the server's operator, and check the list.",
            row.channel,
            count,
            row.id,
            extra=fields(channel=row.channel, delivery=row.id),
        )


def _reported(connection: Connection, delivery: int) -> int:
    people = select(func.count(_report.c.key.distinct()))
    return int(
        connection.execute(people.where(_report.c.delivery == delivery, _report.c.kind != "complaint")).scalar_one()
    )


def _was_gone_before(connection: Connection, channel: str, key: str, now: datetime) -> bool:
    """Return True if the person was reported as gone on another day, at once or afterwards, by a credible delivery."""
    before = microseconds(now - _ANOTHER_DAY)
    refused = select(_suppression.c.key).where(
        _suppression.c.channel == channel,
        _suppression.c.key == key,
        _suppression.c.confirmed_at.is_(None),
        _suppression.c.at <= before,
    )
    if connection.execute(refused).first() is not None:
        return True
    earlier = _of_person(channel, key).where(_report.c.kind == "gone", _report.c.at <= before)
    return any(_is_plausible(connection, delivery) for delivery in connection.execute(earlier).scalars().all())


def _days(connection: Connection, channel: str, key: str, now: datetime) -> int:
    """Return on how many days mail came back to the person lately, as far as that is credible."""
    since = microseconds(now - SOFT_WITHIN)
    lately = _of_person(channel, key).add_columns(_report.c.at).where(_report.c.at > since)
    rows = connection.execute(lately.where(or_(_report.c.kind == "soft", _report.c.kind == "gone"))).all()
    return len({row.at // _DAY for row in rows if _is_plausible(connection, row.delivery)})


def _of_person(channel: str, key: str) -> Any:  # noqa: ANN401 - a query of the toolkit's own long type
    return select(_report.c.delivery).where(_report.c.key == key, _report.c.channel == channel)


def _is_plausible(connection: Connection, delivery: int) -> bool:
    count = _reported(connection, delivery)
    return is_plausible(connection, delivery, count, afterwards=count)
