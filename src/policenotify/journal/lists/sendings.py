"""The repository of sendings to many people: how far they are, how they are steered, and who is in doubt."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, or_, select, update

from policenotify.channel import Operation
from policenotify.errors import NotHeld
from policenotify.journal.audit import record_delivery
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Repository
from policenotify.journal.keys import Keys
from policenotify.journal.lists import control, recipients
from policenotify.journal.lists.control import ABORTED, PAUSED
from policenotify.journal.lists.receipts import receipts_of
from policenotify.journal.lists.recipients import KEY_SHOWN, address_of, outcomes, recipient_key
from policenotify.journal.order import NEWER_SENT, cancel_pending, is_superseded, lock, lock_key_of
from policenotify.journal.persons.tokens import read_token
from policenotify.journal.records import microseconds, moment, storable
from policenotify.journal.takedown import delete_found
from policenotify.model.decision import DoubtfulPerson, Steered
from policenotify.model.history import Outcome
from policenotify.model.progress import Progress
from policenotify.translation import Text

_GATEWAY: Final = "gateway"  # the actor of an outcome that a gateway's delivery receipt states

_table, _recipient, _person, _attempt = schema.delivery, schema.recipient, schema.person, schema.attempt
_UNSETTLED = (Outcome.WAITING, Outcome.SENDING)
_STEERABLE = (
    select(_table)
    .where(_table.c.publication == bindparam("of_publication"), _table.c.has_recipients)
    .where(_table.c.state.in_(_UNSETTLED))
    .order_by(_table.c.id)
)
_OF_DELIVERY = _recipient.c.delivery == bindparam("of_delivery")
_HELD = and_(_OF_DELIVERY, _recipient.c.state == Outcome.HELD)
_IN_DOUBT = and_(  # also who would be sent to again
    _OF_DELIVERY,
    or_(_recipient.c.state == Outcome.HELD, and_(_recipient.c.state == Outcome.WAITING, _recipient.c.in_doubt)),
)
_PEOPLE = (
    select(_recipient.c.person, _recipient.c.state, _recipient.c.reason, _recipient.c.code)
    .add_columns(_person.c.key, _person.c.key_version, _person.c.sealed, _attempt.c.started_at)
    .join(_person, _person.c.id == _recipient.c.person)
    .outerjoin(_attempt, and_(_attempt.c.delivery == _recipient.c.batch, _attempt.c.number == _recipient.c.attempts))
    .where(_IN_DOUBT)
    .order_by(_person.c.key)
)
_OF_KEY = _PEOPLE.where(_person.c.key == bindparam("of_key"))
_ROW = select(_table).where(_table.c.id == bindparam("of_delivery"), _table.c.parent.is_(None))


class Sendings(Repository):
    """Deliveries with recipients, as a whole."""

    # --- how far it is

    def progress(self, publication: str) -> Progress:
        """Return how far a publication of this id is."""
        with self._journal.read() as connection:
            deliveries = receipts_of(connection, publication)
            return Progress(publication=publication, at=self._journal.now(), deliveries=deliveries)

    # --- steering

    def pause(self, publication: str, actor: str, *, channel: str | None = None, reason: str = "") -> Steered:
        """Stop sending a publication to people, in all processes, until `resume`. They go on waiting.

        It takes effect after the people whom a worker has marked: 25, or as many as are sent to at once.
        What follows in the incident waits behind it, but an end is sent at once to those who have it.
        """
        self._journal.authorize(actor, "pause")
        with self._steering(publication, channel) as (connection, rows):
            paused = [row for row in rows if not row.halt]
            for row in paused:
                why = Text("{actor} has paused it.", actor=actor)
                remedy = Text("To go on: policenotify sending resume {publication}", publication=publication)
                control.halt_list(connection, row.id, PAUSED, reason=why, remedy=remedy, code="")
                body = {"reason": storable(reason)}
                record_delivery(connection, row, self._journal.now(), "sending_paused", body, actor=actor)
            return _steered(publication, paused, actor)

    def resume(self, publication: str, actor: str, *, channel: str | None = None) -> Steered:
        """Go on with a publication that was paused, on one channel or on all."""
        self._journal.authorize(actor, "resume")
        with self._steering(publication, channel) as (connection, rows):
            paused, now = [row for row in rows if row.halt == PAUSED], self._journal.now()
            for row in paused:
                control.halt_list(connection, row.id, "", not_before=microseconds(now), reason="", remedy="")
                record_delivery(connection, row, now, "sending_resumed", {}, actor=actor)
            return _steered(publication, paused, actor)

    def abort(self, publication: str, actor: str, *, channel: str | None = None, reason: str = "") -> Steered:
        """Stop sending a publication to people, in all processes, for good. It takes effect as `pause` does.

        People who wait are `superseded`, people in doubt are held. Those who have the message keep it, and still get
        the end of its incident.
        """
        self._journal.authorize(actor, "abort")
        with self._steering(publication, channel) as (connection, rows):
            aborted = [row for row in rows if not control.is_ended(row.halt)]
            counted = recipients.counts(connection, [row.id for row in aborted])
            total, now = 0, self._journal.now()
            for row in aborted:
                control.end(connection, row, ABORTED, Text("{actor} has aborted the sending.", actor=actor))
                people = outcomes(counted.get(row.id, ())).get(Outcome.WAITING, 0)
                total += people
                body = {"reason": storable(reason), "people": people}
                record_delivery(connection, row, now, "sending_aborted", body, actor=actor)
                control.settle(connection, row.id, microseconds(now))
        return _steered(publication, aborted, actor, people=total)

    @contextmanager
    def _steering(self, publication: str, channel: str | None) -> Iterator[tuple[Connection, Sequence[Row[Any]]]]:
        """Lock what of a publication is sent to people and not settled, on one channel or on all."""
        query = _STEERABLE if channel is None else _STEERABLE.where(_table.c.channel == channel)
        values = {"of_publication": publication}
        with self._journal.write() as connection:
            lock(connection, *{row.ordering_key for row in connection.execute(query, values).all()})
            yield connection, connection.execute(query, values).all()

    # --- who is in doubt

    def in_doubt(self, delivery: int, *, shown_to: str = "") -> tuple[DoubtfulPerson, ...]:
        """Return the people of a delivery who are in doubt, by their opaque keys.

        Args:
            delivery: The delivery.
            shown_to: Who sees their addresses, as far as they are stored. The journal records it. By default they are
                not read.

        Raises:
            NotHeld: There is no such delivery.
        """
        if shown_to:
            self._journal.authorize(shown_to, "show")
        with self._journal.write() if shown_to else self._journal.read() as connection:
            row, now = _delivery(connection, delivery), self._journal.now()
            found = _people_in_doubt(connection, row, self._journal.keys if shown_to else None)
            if shown_to:
                record_delivery(connection, row, now, "addresses_shown", {"people": len(found)}, actor=shown_to)
        return found

    def resolve(self, delivery: int, actor: str, people: Collection[str] = (), *, posted: bool) -> Outcome:
        """Settle a held delivery, or people in doubt, by a person's decision: posted, or to be sent again.

        Args:
            delivery: The delivery.
            actor: Who decided it.
            people: Addresses, numbers, keys or the first 12 characters of keys. By default all who are held.
            posted: They have it.

        Returns:
            Their outcome: posted, waiting, or superseded if it was aborted or a newer message was posted meanwhile.

        Raises:
            NotHeld: Nothing of it is held, one of the people is not in doubt, or there is no such delivery. Nothing was
                changed.
        """
        self._journal.authorize(actor, "resolve")
        with self._journal.write() as connection:
            named = _find_in_doubt(connection, self._journal.keys, delivery, people) if people else None
            return self._resolve(connection, delivery, actor, named, posted=posted)

    def confirm(self, token: str, *, channel: str) -> bool:
        """Settle a person in doubt whose message a gateway has delivered. Call it for every receipt.

        Returns:
            Whether the token of the receipt names a delivery on the channel. If the person was not in doubt, nothing
            was written.
        """
        if (named := read_token(self._journal.keys, "receipt", token)) is None:
            return False
        person = {"of_delivery": named.delivery, "of_key": named.person}
        with self._journal.read() as connection:
            row = connection.execute(_ROW, {"of_delivery": named.delivery}).first()
            if row is None or row.channel != channel:
                return False
            if connection.execute(_OF_KEY, person).first() is None:
                return True
        with self._journal.write() as connection:
            found = connection.execute(_OF_KEY, person).first()  # the person may have been settled meanwhile
            if found is not None:
                self._resolve(connection, named.delivery, _GATEWAY, {found.person: found.key}, posted=True)
        return True

    def _resolve(
        self, connection: Connection, delivery: int, actor: str, people: Mapping[int, str] | None, *, posted: bool
    ) -> Outcome:
        """Settle people of a delivery who are in doubt, by their numbers, with their keys. `None`: all that is held."""
        lock_key_of(connection, delivery)
        row, now = _delivery(connection, delivery), self._journal.now()
        at, of_delivery = microseconds(now), {"of_delivery": delivery}
        chosen: ColumnElement[bool] = (
            _HELD if people is None else and_(_IN_DOUBT, _recipient.c.person.in_(list(people)))
        )
        touched = connection.execute(select(_recipient.c.batch).where(chosen).distinct(), of_delivery).scalars().all()
        if not touched and (people is not None or row.state != Outcome.HELD):
            raise NotHeld(delivery, outcome=row.state)
        outcome = Outcome.POSTED if posted else Outcome.WAITING
        connection.execute(update(_recipient).where(chosen).values(state=outcome, in_doubt=False), of_delivery)
        if touched:
            control.recount(connection, delivery, at, touched, due=not posted)
        columns = _resolved(connection, row, actor, posted=posted, some=people is not None, at=at)
        control.change(connection, delivery, **columns)
        body: dict[str, object] = {"posted": posted, "outcome": columns.get("state", row.state)}
        if people:
            body["recipients"] = sorted(key[:KEY_SHOWN] for key in people.values())
        record_delivery(connection, row, now, "resolved", body, actor=actor)
        if row.has_recipients and columns.get("halt") == "":
            control.halt_list(connection, delivery, "")
        if row.has_recipients and row.state == Outcome.WAITING:
            control.settle(connection, delivery, at)
        if posted and not row.has_recipients:
            delete_found(connection, row, at)
        if posted or columns.get("state") != Outcome.WAITING or row.operation != Operation.POST:
            return outcome
        return _unless_over(connection, row, at)


def _steered(publication: str, rows: Sequence[Row[Any]], actor: str, *, people: int = 0) -> Steered:
    channels = tuple(dict.fromkeys(str(row.channel) for row in rows))
    return Steered(publication=publication, channels=channels, people=people, actor=actor)


def _delivery(connection: Connection, delivery: int) -> Row[Any]:
    """Return a delivery that is not a batch. Raise `NotHeld` if there is none."""
    row = connection.execute(_ROW, {"of_delivery": delivery}).first()
    if row is None:
        raise NotHeld(delivery)
    return row


def _people_in_doubt(connection: Connection, delivery: Row[Any], keys: Keys | None) -> tuple[DoubtfulPerson, ...]:
    """Return the people of a delivery who are in doubt, by key. With *keys*, also their addresses."""
    return tuple(
        DoubtfulPerson(
            key=row.key,
            outcome=Outcome.HELD if row.state == Outcome.HELD else Outcome.UNCONFIRMED,
            tried_at=moment(row.started_at) if row.started_at is not None else None,
            reason=row.reason,
            code=row.code,
            address=None if keys is None else address_of(keys, row),
        )
        for row in connection.execute(_PEOPLE, {"of_delivery": delivery.id})
    )


def _find_in_doubt(connection: Connection, keys: Keys, delivery: int, names: Collection[str]) -> dict[int, str]:
    """Return the numbers and keys of people in doubt, each named by an address, a number, or the beginning of a key.

    Raises:
        NotHeld: One of them is not in doubt, or a beginning names several people.
    """
    rows = connection.execute(_PEOPLE, {"of_delivery": delivery}).all()
    found: dict[int, str] = {}
    unknown = 0
    for name in names:
        key = recipient_key(keys, name)
        named = [row for row in rows if row.key == key]
        named = named or [row for row in rows if len(name) >= KEY_SHOWN and row.key.startswith(name)]
        if len(named) == 1:
            found[named[0].person] = named[0].key
        else:
            unknown += 1
    if unknown:
        raise NotHeld(delivery, outcome=_delivery(connection, delivery).state, people=unknown)
    return found


def _resolved(
    connection: Connection, row: Row[Any], actor: str, *, posted: bool, some: bool, at: int
) -> dict[str, object]:
    """Return the columns of a delivery after people of it, or all of it, were settled."""
    # Others may still wait, or may be sent to just now by the processes that have its batches.
    if row.has_recipients and row.state in _UNSETTLED:
        return {"remedy": "", "reason": Text("{actor} has settled who was held; the others still wait.", actor=actor)}
    columns: dict[str, object] = {
        "state": Outcome.POSTED if posted else Outcome.WAITING,
        "in_doubt": False,
        "not_before": at,
        "settled_at": at if posted else None,
        "reason": Text("{actor} has seen that it is out.", actor=actor)
        if posted
        else Text("{actor} has seen that it is not out.", actor=actor),
        "remedy": "",
        "code": "",
        "halt": row.halt if _is_over(row) else "",  # what goes on again is not paused
    }
    if not some:
        return columns
    people = outcomes(recipients.counts(connection, [row.id]).get(row.id, ()))
    if posted:
        columns |= {
            "state": recipients.overall_outcome(people),
            "reason": Text("{actor} has settled who was held.", actor=actor),
        }
    if held := people.get(Outcome.HELD, 0):
        columns |= control.held_words(row.id, row.channel, held, sum(people.values()))
    return columns


def _is_over(row: Row[Any]) -> bool:
    """Return True if nothing more is sent of a list, whatever a person has found out. What is held may be sent."""
    return control.is_ended(row.halt) and row.halt != Outcome.HELD


def _unless_over(connection: Connection, row: Row[Any], at: int) -> Outcome:
    """Send what was not posted again, unless its list has ended, or a newer message was posted instead."""
    if _is_over(row):
        words = Text("The sending was aborted.") if row.halt == ABORTED else NEWER_SENT
        control.halt_list(connection, row.id, row.halt, reason=words, remedy="", code="")
    elif not is_superseded(connection, row):
        return Outcome.WAITING
    cancel_pending(connection, control.row_of(connection, row.id), Outcome.SUPERSEDED, NEWER_SENT, at)
    return Outcome.SUPERSEDED
