"""People who are not written to: those who left, and those whom a network reports as not existing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
    text,
    true,
    update,
)

from policenotify.errors import Blocked
from policenotify.journal.audit import RUNNER, record, record_delivery
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.lists.recipients import recipient_key
from policenotify.journal.records import MASS_REFUSAL, ClaimedDelivery, microseconds, moment, span
from policenotify.model.history import Outcome
from policenotify.model.person import Source, Suppression

_recipient, _person, _suppression = schema.recipient, schema.person, schema.suppression
_MANY: Final = 10  # fewer reports of one delivery may be an old list
_SHARE: Final = 10  # one in ten: where Amazon SES suspends a sender
_ANOTHER_DAY: Final = timedelta(days=1)
_EVIDENCE: Final = "The network reported on two days that this recipient does not exist."
_SHOWN: Final = 12  # characters of a key that tell recipients apart
_OF_DELIVERY = (
    select(_person.c.key)
    .join(_recipient, _recipient.c.person == _person.c.id)
    .where(_recipient.c.delivery == bindparam("delivery"), _person.c.sealed.is_not(None))
)
_SERVED = _OF_DELIVERY.where(_recipient.c.state == Outcome.POSTED)
_GONE = _OF_DELIVERY.where(_recipient.c.state == Outcome.REFUSED, _recipient.c.gone == 1)
_FIRST = and_(_suppression.c.channel == bindparam("channel"), _suppression.c.confirmed_at.is_(None))
_CLEAR_FIRST = delete(_suppression).where(_FIRST, _suppression.c.key.in_(_SERVED))
_REPORTED = _GONE.order_by(_person.c.key)
_AGAIN = select(_suppression.c.key).where(
    _FIRST, _suppression.c.at <= bindparam("until"), _suppression.c.key.in_(_GONE)
)


class Suppressions:
    """The people who are not written to, by channel."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal

    def list(self, channel: str | None = None) -> tuple[Suppression, ...]:
        """Return who is suppressed now: on one channel, also by what holds for all, or on any."""
        query = select(_suppression).where(_suppression.c.confirmed_at.is_not(None))
        if channel is not None:
            query = query.where(_suppression.c.channel.in_([channel, schema.EVERYWHERE]))
        now = microseconds(self._journal.now())
        with self._journal.read() as connection:
            rows = connection.execute(query.order_by(_suppression.c.channel, _suppression.c.key)).all()
        return tuple(suppression_of(row) for row in rows if row.expires_at is None or row.expires_at > now)

    def add(
        self, address: str, channel: str | None, actor: str, *, evidence: str, until: datetime | None = None
    ) -> bool:
        """Stop writing to a person, at once, by a decision of the service.

        Args:
            address: The address or number, as the channel spells it.
            channel: The channel's name. `None` stands for all.
            actor: Who decided it.
            evidence: Why, without the address.
            until: When it ends by itself.

        Returns:
            False if the person was suppressed so, or for a weightier reason, already.
        """
        self._journal.authorize(actor, "suppress")
        with self._journal.write() as connection:
            return suppress(
                connection,
                self._journal.now(),
                channel=channel,
                key=recipient_key(self._journal.keys, address),
                source=Source.OPERATOR,
                evidence=evidence,
                actor=actor,
                until=until,
            )

    def holds(self, address: str, channel: str) -> bool:
        """Return True if a person is not written to on a channel now."""
        key = recipient_key(self._journal.keys, address)
        query = select(schema.applies(literal(channel), literal(key)))
        with self._journal.read() as connection:
            return bool(connection.execute(query, {"now": microseconds(self._journal.now())}).scalar())

    def release(self, channel: str | None, recipient: str | None, actor: str) -> int:
        """Write again to a suppressed person, or to all of a channel.

        Args:
            channel: The channel's name, `"*"` for the suppressions that hold for all channels, or `None` for any.
            recipient: An address, a number, or the beginning of a key. `None` stands for everybody.
            actor: Who decided it.

        Returns:
            How many suppressions were ended. What is published from now on reaches these people.
        """
        found = true() if channel is None else _suppression.c.channel == channel
        if recipient is not None:
            known = recipient_key(self._journal.keys, recipient)
            begins = _suppression.c.key.startswith(recipient, autoescape=True) if len(recipient) >= _SHOWN else None
            same = _suppression.c.key == known
            found = and_(found, same if begins is None else same | begins)
        self._journal.authorize(actor, "release")
        with self._journal.write() as connection:
            return release(connection, self._journal.now(), found, actor)


def suppression_of(row: Row[Any]) -> Suppression:
    """Return a stored suppression that holds."""
    return Suppression(
        channel=None if row.channel == schema.EVERYWHERE else row.channel,
        key=row.key,
        source=Source(row.source),
        evidence=row.evidence,
        at=moment(row.at),
        since=moment(row.confirmed_at),
        until=None if row.expires_at is None else moment(row.expires_at),
    )


def suppress(
    connection: Connection,
    now: datetime,
    *,
    channel: str | None,
    key: str,
    source: Source,
    evidence: str,
    actor: str,
    until: datetime | None = None,
) -> bool:
    """Store that a person is not written to from now on. Repeating it changes nothing.

    Returns:
        False if the person was suppressed so already, for a reason that weighs as much, and for as long.
    """
    at, name = microseconds(now), channel or schema.EVERYWHERE
    expires_at = None if until is None else microseconds(until)
    same = and_(_suppression.c.channel == name, _suppression.c.key == key)
    values = {"source": source.value, "evidence": evidence, "confirmed_at": at, "expires_at": expires_at}
    row = {"channel": name, "key": key, "at": at, **values}
    if not schema.insert_new(connection, _suppression, [row]):
        stored = connection.execute(select(_suppression).where(same).with_for_update()).one()
        if stored.confirmed_at is not None and (stored.expires_at is None or stored.expires_at > at):
            lasts = stored.expires_at is None or (expires_at is not None and stored.expires_at >= expires_at)
            weight = [*Source].index
            if weight(Source(stored.source)) > weight(source) or (stored.source == source and lasts):
                return False
        connection.execute(update(_suppression).where(same).values(**values))
    body = {"recipients": [key], "source": source.value, "until": expires_at}
    record(connection, now, actor, "suppressed", body, channel=name)
    return True


def release(connection: Connection, now: datetime, found: ColumnElement[bool], actor: str) -> int:
    """End some suppressions, and forget first reports. Return how many people are written to again."""
    rows = connection.execute(
        select(_suppression.c.channel, _suppression.c.key, _suppression.c.confirmed_at).where(found)
    ).all()
    connection.execute(delete(_suppression).where(found))
    by_channel: dict[str, list[str]] = {}
    for row in rows:
        if row.confirmed_at is not None:
            by_channel.setdefault(row.channel, []).append(row.key)
    for channel, keys in sorted(by_channel.items()):
        record(connection, now, actor, "released", {"recipients": keys}, channel=channel)
    return sum(map(len, by_channel.values()))


def release_expired(connection: Connection, now: datetime) -> None:
    """End the suppressions whose time is over, so that new reports count from the beginning."""
    over = and_(_suppression.c.confirmed_at.is_not(None), _suppression.c.expires_at <= microseconds(now))
    release(connection, now, over, RUNNER)


def mass_fault(connection: Connection, claimed: ClaimedDelivery) -> Blocked | None:
    """Return an error if at least ten of a delivery's recipients, and one in ten, are reported as not existing.

    They then wait again. Those that are reported once more, after a person has reopened the channel, do not count.
    """
    of_delivery = _recipient.c.delivery == claimed.id
    # Found by the index of these few: it is asked at each of them.
    gone = and_(of_delivery, text("gone > 0"), _recipient.c.state == Outcome.REFUSED, _recipient.c.gone == 1)
    count = int(connection.execute(select(func.count()).where(gone)).scalar() or 0)
    enough = count * (_SHARE - 1)
    if count < _MANY or (served := _count_served(connection, claimed.id, at_most=enough + 1)) > enough:
        return None
    connection.execute(update(_recipient).where(gone).values(state=Outcome.WAITING))
    return Blocked(
        f"{count} of {count + served} recipients are reported as not existing. So many are a fault of the server or "
        "of the list. They still wait, and no one was removed.",
        code=MASS_REFUSAL,
        remedy=f"Ask the server's operator, check the list, then: policenotify resume {claimed.channel}",
    )


def is_plausible(connection: Connection, delivery: int, reported: int, *, afterwards: int = 0) -> bool:
    """Return True if the reports of a delivery may be true: fewer than one in ten, of a few no more than were served.

    The recipients who are suppressed already count as well, so that no server silences a list little by little.

    Args:
        connection: The transaction.
        delivery: The delivery's number.
        reported: How many of its recipients are reported.
        afterwards: How many of them were served at first, as the network accepted the post.
    """
    silent = and_(_recipient.c.delivery == delivery, _recipient.c.state == Outcome.SUPPRESSED)
    count = reported + int(connection.execute(select(func.count()).where(silent)).scalar() or 0)
    enough = afterwards + (count * (_SHARE - 1) + 1 if count >= _MANY else count)
    return _count_served(connection, delivery, at_most=enough) >= enough


def _count_served(connection: Connection, delivery: int, *, at_most: int) -> int:
    of_delivery = and_(_recipient.c.delivery == delivery, _recipient.c.state == Outcome.POSTED)
    served = select(_recipient.c.person).where(of_delivery).limit(at_most)
    return int(connection.execute(select(func.count()).select_from(served.subquery())).scalar() or 0)


def suppress_reported(connection: Connection, claimed: Row[Any], now: datetime, *, refused: bool) -> None:
    """Suppress the recipients whom a settled delivery reports as not existing for the second time.

    One report is only remembered. The second, on another day, suppresses the recipient on this channel. A mail that
    the network accepts meanwhile clears the first. A delivery that served few shows nothing, nor does one without
    people who were *refused*.
    """
    at = microseconds(now)
    known = {"channel": claimed.channel, "delivery": claimed.id}
    connection.execute(_CLEAR_FIRST, known)
    reported: Sequence[str] = connection.execute(_REPORTED, known).scalars().all() if refused else ()
    if not reported or not is_plausible(connection, claimed.id, len(reported)):
        return
    release_expired(connection, now)
    source = Source.BOUNCE.value
    rows = [
        {"channel": claimed.channel, "key": key, "source": source, "evidence": _EVIDENCE, "at": at} for key in reported
    ]
    schema.insert_new(connection, _suppression, rows)
    confirmed = connection.execute(_AGAIN, {**known, "until": at - span(_ANOTHER_DAY)}).scalars().all()
    if confirmed:
        newly = and_(_suppression.c.channel == claimed.channel, _suppression.c.key.in_(confirmed))
        connection.execute(update(_suppression).where(newly).values(confirmed_at=at))
        body = {"recipients": [*confirmed], "source": source, "until": None}
        record_delivery(connection, claimed, now, "suppressed", body)
