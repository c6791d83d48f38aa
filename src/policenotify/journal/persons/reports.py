"""What comes back about a person: bounces, receipts, complaints, refusals in the session, and leaving.

Whatever comes back after the network had accepted a post is named by a token of this installation. Any other changes
nothing.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, delete, func, select, text, update

from policenotify.channel import TokenPurpose
from policenotify.errors import Blocked
from policenotify.journal.audit import record_delivery
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.persons.suppressions import release_expired, suppress
from policenotify.journal.persons.tokens import PersonToken, read_token
from policenotify.journal.records import MASS_REFUSAL, ClaimedDelivery, microseconds, span
from policenotify.log import fields
from policenotify.model.history import Outcome
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

_REFUSED: Final = "refused"  # the kind of a report in the session itself
_MANY: Final = 10  # fewer reports of one delivery may be an old list
_SHARE: Final = 10  # one in ten: where Amazon SES suspends a sender
_ANOTHER_DAY: Final = timedelta(days=1)
_DAY: Final = span(timedelta(days=1))
_MOST_STATUS: Final = 32  # characters, as the column has them
_report, _delivery, _person, _recipient = schema.report, schema.delivery, schema.person, schema.recipient
_OF_DELIVERY = _recipient.c.delivery == bindparam("of_delivery")
# Found by the index of these few: it is asked at each of them.
_GONE = and_(_OF_DELIVERY, text("gone > 0"), _recipient.c.state == Outcome.REFUSED, _recipient.c.gone == 1)
_KEYS = select(_person.c.key).join(_recipient, _recipient.c.person == _person.c.id).where(_person.c.sealed.is_not(None))
_GONE_KEYS = _KEYS.add_columns(_recipient.c.code).where(_GONE).order_by(_person.c.key)
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
                keys=[named.person],
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
            now, status = self._journal.now(), status[:_MOST_STATUS]
            _forget_old(connection, now)
            if not schema.insert_new(connection, _report, [_columns(row, now, named.person, kind, status)]):
                return ReportResult.REPEATED
            body = {"recipient": named.person, "report": kind, "status": status}
            record_delivery(connection, row, now, "reported", body, actor=NETWORK)
            return _decide(connection, row, named.person, kind, status, now)


def record_refusals(connection: Connection, settled: Row[Any], now: datetime, *, refused: bool) -> None:
    """Remember whom a settled delivery reports as not existing, and suppress whom an earlier one did, too.

    A mail that the network accepts forgets the refusals before it. A delivery that served few shows nothing, and one
    that *refused* no one reports no one.
    """
    known = {"of_delivery": settled.id}
    served = _KEYS.where(_OF_DELIVERY, _recipient.c.state == Outcome.POSTED)
    refusals = _report.c.channel == settled.channel, _report.c.kind == _REFUSED
    connection.execute(delete(_report).where(*refusals, _report.c.key.in_(served)), known)
    gone = connection.execute(_GONE_KEYS, known).all() if refused else ()
    if not gone or not _is_plausible(connection, settled.id):
        return
    _forget_old(connection, now)
    schema.insert_new(connection, _report, [_columns(settled, now, row.key, _REFUSED, row.code) for row in gone])
    again = [row.key for row in gone if _was_gone_before(connection, settled.channel, row.key, now)]
    evidence, source = _twice_gone(), Source.BOUNCE
    suppress(connection, now, channel=settled.channel, keys=again, source=source, evidence=evidence, actor=NETWORK)


def mass_fault(connection: Connection, claimed: ClaimedDelivery) -> Blocked | None:
    """Return an error if so many of a delivery's recipients are reported as not existing that it must be a fault.

    They then wait again. Those that are reported once more, after a person has reopened the channel, do not count.
    """
    count = _count_gone(connection, claimed.id)
    served = 0 if count < _MANY else _count_served(connection, claimed.id, at_most=count * _SHARE)
    if not _is_mass(count, served):
        return None
    waiting = update(_recipient).where(_GONE).values(state=Outcome.WAITING)
    connection.execute(waiting, {"of_delivery": claimed.id})
    return Blocked(
        f"{count} of {count + served} recipients are reported as not existing. So many are a fault of the server or "
        "of the list. They still wait, and no one was removed.",
        code=MASS_REFUSAL,
        remedy=f"Ask the server's operator, check the list, then: policenotify resume {claimed.channel}",
    )


def _is_mass(reported: int, served: int) -> bool:
    """Return True if at least ten are reported, and at least one in ten."""
    return reported >= _MANY and reported * _SHARE >= reported + served


def _is_plausible(connection: Connection, delivery: int) -> bool:
    """Return True if the reports of a delivery may be true: they are not many, and no more than were served.

    The recipients who are suppressed already count as well, so that no server silences a list little by little.
    """
    afterwards = _count_reported(connection, delivery)  # the network had accepted their post
    silent = select(func.count()).where(_OF_DELIVERY, _recipient.c.state == Outcome.SUPPRESSED)
    reported = afterwards + _count_gone(connection, delivery)
    reported += connection.execute(silent, {"of_delivery": delivery}).scalar_one()
    served = _count_served(connection, delivery, at_most=afterwards + reported * _SHARE) - afterwards
    return served >= reported and not _is_mass(reported, served)


def _count_gone(connection: Connection, delivery: int) -> int:
    return connection.execute(select(func.count()).where(_GONE), {"of_delivery": delivery}).scalar_one()


def _count_served(connection: Connection, delivery: int, *, at_most: int) -> int:
    served = select(_recipient.c.person).where(_OF_DELIVERY, _recipient.c.state == Outcome.POSTED).limit(at_most)
    counted = select(func.count()).select_from(served.subquery())
    return connection.execute(counted, {"of_delivery": delivery}).scalar_one()


def _count_reported(connection: Connection, delivery: int) -> int:
    """Return how many people are reported as unreachable after the network had accepted their post."""
    afterwards = _report.c.delivery == delivery, _report.c.kind.in_(["gone", "soft"])
    return connection.execute(select(func.count(_report.c.key.distinct())).where(*afterwards)).scalar_one()


def _delivery_of(connection: Connection, named: PersonToken) -> Row[Any] | None:
    columns: list[Any] = [_delivery.c.id, _delivery.c.publication, _delivery.c.channel]
    return connection.execute(select(*columns).where(_delivery.c.id == named.delivery)).first()


def _forget_old(connection: Connection, now: datetime) -> None:
    connection.execute(delete(_report).where(_report.c.at <= microseconds(now - KEPT)))
    release_expired(connection, now)


def _columns(delivery: Row[Any], now: datetime, key: str, kind: str, status: str) -> dict[str, object]:
    row = {"delivery": delivery.id, "key": key, "kind": kind, "channel": delivery.channel, "at": microseconds(now)}
    return {**row, "status": status[:_MOST_STATUS]}


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
        evidence = _twice_gone(code)
    elif _days(connection, row.channel, key, now) >= SOFT_DAYS:
        until = now + SOFT_FOR
        evidence = f"Mail came back on {SOFT_DAYS} days of {SOFT_WITHIN.days}{code}."
    else:
        return ReportResult.REMEMBERED
    newly = suppress(
        connection, now, channel=row.channel, keys=[key], source=source, evidence=evidence, actor=NETWORK, until=until
    )
    return ReportResult.SUPPRESSED if newly else ReportResult.REMEMBERED


def _twice_gone(code: str = "") -> str:
    return f"Reported on two days: this recipient does not exist{code}."


def _warn(connection: Connection, row: Row[Any]) -> None:
    count = _count_reported(connection, row.id)
    if count % _MANY == 0:  # not at each of them
        _log.error(
            "Channel %s: %d people of delivery %d are reported as unreachable. So many are a fault of the server or of "
            "the list, so nobody is suppressed. Ask the server's operator, and check the list.",
            row.channel,
            count,
            row.id,
            extra=fields(channel=row.channel, delivery=row.id),
        )


def _was_gone_before(connection: Connection, channel: str, key: str, now: datetime) -> bool:
    """Return True if the person was reported as gone on another day, at once or afterwards, plausibly."""
    before = _report.c.at <= microseconds(now - _ANOTHER_DAY)
    return bool(_plausible_reports(connection, channel, key, _report.c.kind.in_([_REFUSED, "gone"]) & before))


def _days(connection: Connection, channel: str, key: str, now: datetime) -> int:
    """Return on how many days mail came back to the person lately, plausibly."""
    lately = _report.c.at > microseconds(now - SOFT_WITHIN)
    rows = _plausible_reports(connection, channel, key, _report.c.kind.in_(["soft", "gone"]) & lately)
    return len({row.at // _DAY for row in rows})


def _plausible_reports(
    connection: Connection, channel: str, key: str, condition: ColumnElement[bool]
) -> list[Row[Any]]:
    """Return the reports about a person that meet a condition, of deliveries whose reports may be true."""
    reports = select(_report).where(_report.c.key == key, _report.c.channel == channel, condition)
    return [row for row in connection.execute(reports).all() if _is_plausible(connection, row.delivery)]
