"""What comes back about a person: bounces, receipts, complaints, refusals in the session, and leaving.

Whatever comes back after the network had accepted a post is named by a token of this installation. Any other changes
nothing.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, select, text, update

from policenotify.channel import TokenPurpose
from policenotify.errors import Blocked
from policenotify.journal.audit import record_delivery
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Repository
from policenotify.journal.persons.people import suppress
from policenotify.journal.persons.tokens import PersonToken, read_token
from policenotify.journal.records import MASS_REFUSAL, ClaimedDelivery, microseconds, span
from policenotify.log import fields
from policenotify.model.history import Outcome
from policenotify.model.person import Reported, ReportResult, Source
from policenotify.translation import Text

KEPT: Final = timedelta(days=30)
"""How long reports are kept. Two of an address that does not exist count only within this time."""

RECIPIENT: Final = "recipient"
"""The actor of events that a person causes who leaves."""

NETWORK: Final = "network"
"""The actor of events that a report of a mail server or gateway causes."""

_REFUSED: Final = "refused"  # the kind of a report in the session itself
_MANY: Final = 10  # fewer reports of one delivery may be an old list
_SHARE: Final = 10  # one in ten: where Amazon SES suspends a sender
_DAY: Final = span(timedelta(days=1))
_MOST_STATUS: Final = 32  # characters, as the column has them
_report, _delivery, _person, _recipient = schema.report, schema.delivery, schema.person, schema.recipient
_OF_DELIVERY = _recipient.c.delivery == bindparam("of_delivery")
# Found by the index of these few: it is asked at each of them.
_GONE = and_(_OF_DELIVERY, text("gone > 0"), _recipient.c.state == Outcome.REFUSED, _recipient.c.gone == 1)
_KEYS = select(_person.c.key).join(_recipient, _recipient.c.person == _person.c.id).where(_person.c.sealed.is_not(None))
_log = logging.getLogger("policenotify")


class Reports(Repository):
    """What comes back about people."""

    def named(self, token: str, purpose: TokenPurpose) -> bool:
        """Return True if a token is ours. Reads nothing."""
        return read_token(self._journal.keys, purpose, token) is not None

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
                evidence=Text("The unsubscribe link of publication {publication}.", publication=row.publication)
                if row
                else Text("An unsubscribe link."),
                actor=RECIPIENT,
            )
        return ReportResult.SUPPRESSED if newly else ReportResult.REPEATED

    def add(
        self, token: str, purpose: TokenPurpose, kind: Reported, status: str = "", *, channel: str | None = None
    ) -> ReportResult:
        """Record a report about a person, and suppress the person if it is enough.

        A complaint is enough. An address that does not exist must be reported on two days. One that took nothing for
        now is only remembered: the next warning may arrive. Reports of a delivery that concern so many of its people
        that they must be a fault of the server suppress no one either. The *status* is the network's own code, without
        an address. With a *channel*, the delivery must be of that one.
        """
        if (named := read_token(self._journal.keys, purpose, token)) is None:
            return ReportResult.UNKNOWN
        with self._journal.write() as connection:
            row = _delivery_of(connection, named)
            if row is None or channel not in {None, row.channel}:
                return ReportResult.UNKNOWN
            now, status = self._journal.now(), status[:_MOST_STATUS]
            if not _remember(connection, row, now, kind, {named.person: status}):
                return ReportResult.REPEATED
            body = {"recipient": named.person, "report": kind, "status": status}
            record_delivery(connection, row, now, "reported", body, actor=NETWORK)
            code = f" ({status})" if status else ""
            if kind == "complaint":
                source = Source.COMPLAINT
                evidence = Text(
                    "A complaint{code} about publication {publication}.", code=code, publication=row.publication
                )
            elif kind == "gone" and _is_gone(connection, row, named.person):
                source, evidence = Source.BOUNCE, _twice_gone(code)
            else:
                _warn(connection, row)
                return ReportResult.REMEMBERED
            person = {"channel": row.channel, "keys": [named.person], "actor": NETWORK}
            newly = suppress(connection, now, source=source, evidence=evidence, **person)
            return ReportResult.SUPPRESSED if newly else ReportResult.REMEMBERED


def record_refusals(connection: Connection, settled: Row[Any], now: datetime, *, refused: bool) -> None:
    """Remember whom a settled delivery reports as not existing, and suppress whom an earlier one did, too.

    A mail that the network accepts forgets the refusals before it. A delivery that *refused* no one reports no one.
    """
    known = {"of_delivery": settled.id}
    served = _KEYS.where(_OF_DELIVERY, _recipient.c.state == Outcome.POSTED)
    refusals = _report.c.channel == settled.channel, _report.c.kind == _REFUSED
    connection.execute(delete(_report).where(*refusals, _report.c.key.in_(served)), known)
    gone_keys = _KEYS.add_columns(_recipient.c.code).where(_GONE).order_by(_person.c.key)
    gone = connection.execute(gone_keys, known).all() if refused else ()
    if gone:
        _remember(connection, settled, now, _REFUSED, {row.key: row.code for row in gone})
    if not gone or not _is_plausible(connection, settled.id):
        return
    again = [row.key for row in gone if _is_gone(connection, settled, row.key)]
    evidence, source = _twice_gone(), Source.BOUNCE
    suppress(connection, now, channel=settled.channel, keys=again, source=source, evidence=evidence, actor=NETWORK)


def mass_fault(connection: Connection, claimed: ClaimedDelivery) -> Blocked | None:
    """Return an error if so many of a delivery's recipients are reported as not existing that it must be a fault.

    They then wait again. Those that are reported once more, after a person has reopened the channel, do not count.
    """
    known = {"of_delivery": claimed.id}
    count = connection.execute(select(func.count()).where(_GONE), known).scalar_one()
    people = count + _count(connection, claimed.id, Outcome.POSTED, at_most=count * _SHARE) if count >= _MANY else 0
    if not people or not _is_mass(count, people):
        return None
    connection.execute(update(_recipient).where(_GONE).values(state=Outcome.WAITING), known)
    return Blocked(
        Text(
            "{count} of {people} recipients are reported as not existing. So many are a fault of the server "
            "or of the list. They still wait, and no one was removed.",
            count=count,
            people=people,
        ),
        code=MASS_REFUSAL,
        remedy=Text(
            "Ask the server's operator, check the list, then: policenotify resume {channel}", channel=claimed.channel
        ),
    )


def _is_mass(reported: int, people: int) -> bool:
    """Return True if at least ten are reported, and at least one in ten."""
    return reported >= _MANY and reported * _SHARE >= people


def _is_plausible(connection: Connection, delivery: int) -> bool:
    """Return True if the reports of a delivery may be true: they are not many, and of half of its people at most.

    The recipients who are suppressed already count as well, so that no server silences a list little by little.
    """
    reported = _reported(connection, delivery) + _count(connection, delivery, Outcome.SUPPRESSED)
    answered = Outcome.POSTED, Outcome.REFUSED, Outcome.SUPPRESSED
    people = _count(connection, delivery, *answered, at_most=reported * _SHARE + 1)
    return people >= 2 * reported and not _is_mass(reported, people)


def _reported(connection: Connection, delivery: int) -> int:
    reports = _report.c.delivery == delivery, _report.c.kind != "complaint"
    return connection.execute(select(func.count(_report.c.key.distinct())).where(*reports)).scalar_one()


def _count(connection: Connection, delivery: int, *states: Outcome, at_most: int | None = None) -> int:
    of_them = select(_recipient.c.person).where(_recipient.c.delivery == delivery, _recipient.c.state.in_(states))
    return connection.execute(select(func.count()).select_from(of_them.limit(at_most).subquery())).scalar_one()


def _is_gone(connection: Connection, delivery: Row[Any], key: str) -> bool:
    """Return True if a person was reported on two days, on this channel, as not existing."""
    of_person = select(_report).where(_report.c.key == key, _report.c.channel == delivery.channel)
    gone = of_person.where(_report.c.kind.in_([_REFUSED, "gone"]))
    days = [row.at for row in connection.execute(gone).all() if _is_plausible(connection, row.delivery)]
    return bool(days) and max(days) - min(days) >= _DAY


def _twice_gone(code: str = "") -> Text:
    return Text("Reported on two days: this recipient does not exist{code}.", code=code)


def _warn(connection: Connection, row: Row[Any]) -> None:
    """Log that the reports of a delivery count for nothing, at every tenth."""
    count = _reported(connection, row.id)
    if count % _MANY == 0 and not _is_plausible(connection, row.id):
        _log.error(
            "Channel %s: %d people of delivery %d are reported as unreachable. So many are a fault of the server or of "
            "the list, so nobody is suppressed. Ask the server's operator, and check the list.",
            row.channel,
            count,
            row.id,
            extra=fields(channel=row.channel, delivery=row.id),
        )


def _delivery_of(connection: Connection, named: PersonToken) -> Row[Any] | None:
    columns: list[Any] = [_delivery.c.id, _delivery.c.publication, _delivery.c.channel]
    return connection.execute(select(*columns).where(_delivery.c.id == named.delivery)).first()


def _remember(connection: Connection, delivery: Row[Any], now: datetime, kind: str, statuses: dict[str, str]) -> int:
    """Store reports of a kind, by the people's keys, and forget old ones. Return 0 if a single one was known."""
    connection.execute(delete(_report).where(_report.c.at <= microseconds(now - KEPT)))
    row = {"delivery": delivery.id, "kind": kind, "channel": delivery.channel, "at": microseconds(now)}
    rows = [{**row, "key": key, "status": status[:_MOST_STATUS]} for key, status in statuses.items()]
    return schema.insert_new(connection, _report, rows)
