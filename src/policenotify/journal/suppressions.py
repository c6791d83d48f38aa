"""Recipients that a network reports as not existing: when it is believed, and how a person takes it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, sqrt
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, text, update

from policenotify.errors import Blocked
from policenotify.journal.audit import record, record_delivery
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.keys import Keys
from policenotify.journal.recipients import addresses_of, recipient_key, suppression_key
from policenotify.journal.records import MASS_REFUSAL, ClaimedDelivery, microseconds, moment, span
from policenotify.model.history import Outcome

_recipient, _person, _suppression = schema.recipient, schema.person, schema.suppression
_MANY: Final = 10  # fewer reports of one delivery may be an old list
_SHARE: Final = 10  # one in ten: where Amazon SES suspends a sender
_SURE: Final = 3.0  # standard deviations by which a share differs from that by more than chance
_DOMAINS: Final = 3  # of which nobody was served; as many as after which a refusal counts for all
_ANOTHER_DAY: Final = timedelta(days=1)
_REASON: Final = "The network reported on two days that this recipient does not exist."
_SHOWN: Final = 12  # characters of a key that tell recipients apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A recipient who is not written to on one channel.

    Attributes:
        key: The person's opaque key, from which no telephone number can be found in minutes.
        at: When the network first reported the person as not existing.
        confirmed_at: When it did so again on another day.
    """

    channel: str
    key: str
    reason: str
    at: datetime
    confirmed_at: datetime


class Suppressions:
    """The recipients who are not written to, by channel."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal

    def list(self, channel: str | None = None) -> tuple[Suppression, ...]:
        """Return the suppressed recipients of one channel, or of all."""
        query = select(_suppression).where(_suppression.c.confirmed_at.is_not(None))
        if channel is not None:
            query = query.where(_suppression.c.channel == channel)
        with self._journal.read() as connection:
            rows = connection.execute(query.order_by(_suppression.c.channel, _suppression.c.key)).all()
        return tuple(
            Suppression(
                channel=row.channel,
                key=row.key,
                reason=row.reason,
                at=moment(row.at),
                confirmed_at=moment(row.confirmed_at),
            )
            for row in rows
        )

    def lift(self, channel: str, recipient: str | None, actor: str) -> int:
        """Write again to a suppressed recipient of a channel, or to all of them.

        Args:
            channel: The channel's name.
            recipient: An address, a number, or the beginning of a key. `None` stands for all.
            actor: Who decided it.

        Returns:
            How many were lifted. What is published from now on reaches them.
        """
        found = and_(_suppression.c.channel == channel, _suppression.c.confirmed_at.is_not(None))
        if recipient is not None:
            known = suppression_key(self._journal.keys, recipient_key(self._journal.keys, recipient))
            begins = _suppression.c.key.startswith(recipient, autoescape=True) if len(recipient) >= _SHOWN else None
            same = _suppression.c.key == known
            found = and_(found, same if begins is None else same | begins)
        self._journal.authorize(actor, "lift")
        with self._journal.write() as connection:
            lifted = connection.execute(select(_suppression.c.key).where(found)).scalars().all()
            connection.execute(delete(_suppression).where(found))
            if lifted:
                record(connection, self._journal.now(), actor, "lifted", {"recipients": [*lifted]}, channel=channel)
        return len(lifted)


def mass_fault(connection: Connection, keys: Keys, claimed: ClaimedDelivery, reported: int) -> Blocked | None:
    """Return an error if a delivery's recipients are reported as not existing in such numbers that this is wrong.

    They then wait again. Those that are reported once more, after a person has reopened the channel, do not count.

    Args:
        connection: The transaction.
        keys: The installation's keys.
        claimed: The delivery.
        reported: How many of the outcomes just recorded report it.
    """
    of_delivery = _recipient.c.delivery == claimed.id
    # Found by the index of these few: it is asked at each of them.
    gone = and_(of_delivery, text("gone > 0"), _recipient.c.state == Outcome.REFUSED, _recipient.c.gone == 1)
    count = int(connection.execute(select(func.count()).where(gone)).scalar() or 0)
    # Many are looked at once in ten, because the share of a long list costs a scan.
    if count < _DOMAINS or (count >= _MANY and count // _MANY == (count - reported) // _MANY):
        return None
    enough = served_by_chance(count) if count >= _MANY else 1
    served = _count_served(connection, of_delivery, at_most=enough)
    if served >= enough or (count < _MANY and _domains(connection, keys, gone) < _DOMAINS):
        return None
    connection.execute(update(_recipient).where(gone).values(state=Outcome.WAITING))
    return Blocked(
        f"{count} of {count + served} recipients are reported as not existing. So many are a fault of the server or "
        "of the list. They still wait, and no one was removed.",
        code=MASS_REFUSAL,
        remedy=f"Ask the server's operator, check the list, then: policenotify resume {claimed.channel}",
    )


def served_by_chance(gone: int) -> int:
    """Return how many must have been served so that *gone* others may be one in ten of them all, by chance.

    It is asked again and again in one delivery, so that a bare tenth would some day be passed by a list of which far
    fewer are gone. Of n recipients, n / 10 are gone on average, with a variance of n / 10 · 9 / 10.
    """
    deviation = _SURE * sqrt(_SHARE - 1) / _SHARE
    root = (sqrt(deviation**2 + 4 * gone / _SHARE) - deviation) * _SHARE / 2  # of n: n / 10 + deviation · √n = gone
    return ceil(root**2) - gone


def _is_believed(connection: Connection, claimed: ClaimedDelivery, reported: int) -> bool:
    """Return True if a delivery served so many that its reports are not a fault of the server.

    The recipients who are suppressed already count as well, so that no server silences a list little by little.
    """
    of_delivery = _recipient.c.delivery == claimed.id
    silent = select(func.count()).where(of_delivery, _recipient.c.state == Outcome.SUPPRESSED)
    count = reported + int(connection.execute(silent).scalar() or 0)
    enough = count * (_SHARE - 1) if count >= _MANY else count
    return _count_served(connection, of_delivery, at_most=enough) >= enough


def _count_served(connection: Connection, of_delivery: ColumnElement[bool], *, at_most: int) -> int:
    served = select(_recipient.c.person).where(of_delivery, _recipient.c.state == Outcome.POSTED).limit(at_most)
    return int(connection.execute(select(func.count()).select_from(served.subquery())).scalar() or 0)


def _domains(connection: Connection, keys: Keys, gone: ColumnElement[bool]) -> int:
    found = connection.execute(select(_recipient.c.person).where(gone)).scalars().all()
    return len({address.rpartition("@")[2].casefold() for address in addresses_of(connection, keys, found)})


def record_words(connection: Connection, claimed: ClaimedDelivery, now: datetime) -> None:
    """Record what a settled delivery shows about its recipients.

    One report is only remembered. The second, on another day, suppresses the recipient on this channel. A mail that
    the network accepts meanwhile clears the first. A delivery that served few shows nothing.
    """
    at = microseconds(now)
    of_channel = _suppression.c.channel == claimed.channel
    of_delivery = (
        select(_person.c.suppression)
        .join(_recipient, _recipient.c.person == _person.c.id)
        .where(_recipient.c.delivery == claimed.id, _person.c.suppression.is_not(None))
    )
    served = of_delivery.where(_recipient.c.state == Outcome.POSTED)
    first = _suppression.c.confirmed_at.is_(None)
    connection.execute(delete(_suppression).where(of_channel, first, _suppression.c.key.in_(served)))
    gone = of_delivery.where(_recipient.c.state == Outcome.REFUSED, _recipient.c.gone == 1)
    reported: Sequence[str] = connection.execute(gone.order_by(_person.c.suppression)).scalars().all()
    if not reported or not _is_believed(connection, claimed, len(reported)):
        return
    rows = [{"channel": claimed.channel, "key": key, "reason": _REASON, "at": at} for key in reported]
    schema.insert_new(connection, _suppression, rows)
    again = and_(of_channel, first, _suppression.c.at <= at - span(_ANOTHER_DAY), _suppression.c.key.in_(gone))
    confirmed = connection.execute(select(_suppression.c.key).where(again)).scalars().all()
    if confirmed:
        newly = and_(of_channel, _suppression.c.key.in_(confirmed))
        connection.execute(update(_suppression).where(newly).values(confirmed_at=at))
        record_delivery(connection, claimed, now, "suppressed", {"recipients": [*confirmed]})
