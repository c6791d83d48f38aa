"""Store the people of a delivery in batches after it was published, and mark those who are sent to.

A cursor in the delivery states how far its audiences were read. A batch, its people and the cursor behind them are
stored in one transaction. So a process that is killed at any instant leaves no one out and stores no one twice.

What follows an earlier message goes first to those who got that one, or may have got it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, insert, or_, select, update

from policenotify.channel import Recipient, RecipientOutcome
from policenotify.errors import Blocked
from policenotify.journal import meta
from policenotify.journal.attempts import change, lock_owned
from policenotify.journal.authentication import batch_mac
from policenotify.journal.channels import free_slots, use_slots
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Repository
from policenotify.journal.lists import control, recipients
from policenotify.journal.lists.control import ABORTED
from policenotify.journal.lists.recipients import store_people, store_recipients
from policenotify.journal.lists.state import UNREADABLE, ListState, StoredCursor, read_cursor
from policenotify.journal.order import lock_key_of
from policenotify.journal.persons.reports import mass_fault
from policenotify.journal.records import ClaimedDelivery, DamagedRow, microseconds, span, stored
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.message import read_stored as read_message
from policenotify.model.rate import Rate, RateReached
from policenotify.model.status import Problem

_CLOSING = (Stage.END, Stage.CANCELLATION)
_UNSETTLED = (Outcome.WAITING, Outcome.SENDING)
_table, _recipient, _person, _publication = schema.delivery, schema.recipient, schema.person, schema.publication
_earlier, _other, _batch = _table.alias("earlier"), _table.alias("other"), _table.alias("batch")
_OF_LIST = _table.c.id == bindparam("of_list")
_MAIN = (  # the language of the channel's first post
    select(_other.c.language)
    .where(_other.c.publication == _table.c.publication, _other.c.channel == _table.c.channel)
    .order_by(_other.c.part)
    .limit(1)
    .scalar_subquery()
)
_HAS_PEOPLE = exists().where(_batch.c.parent == _table.c.id)
_STATE = (
    select(
        _table,
        _publication.c.message,
        _publication.c.stage,
        (_table.c.language == _MAIN).label("main"),
        _HAS_PEOPLE.label("has_people"),
    )
    .join(_publication, _publication.c.id == _table.c.publication)
    .where(_OF_LIST)
)
_IN_OWN_LANGUAGE = exists().where(  # who got an earlier message in a language that this one lacks gets the main one
    _other.c.publication == _table.c.publication,
    _other.c.channel == _table.c.channel,
    _other.c.language == _earlier.c.language,
    _other.c.state != Outcome.SKIPPED,
)
_EARLIER_BATCH = (
    select(_batch.c.id, _batch.c.parent)
    .join(_earlier, _earlier.c.id == _batch.c.parent)
    .join(_table, _table.c.ordering_key == _earlier.c.ordering_key)
    .where(_OF_LIST, _earlier.c.id < _table.c.id)
    .where(_earlier.c.publication != _table.c.publication)
    .where(or_(_earlier.c.language == _table.c.language, and_(bindparam("main"), ~_IN_OWN_LANGUAGE)))
    .order_by(_batch.c.parent, _batch.c.number)
    .offset(bindparam("position"))
    .limit(1)
)
_GOT_IT = (  # or may have got it
    select(_recipient.c.person)
    .join(_person, _person.c.id == _recipient.c.person)
    .where(_recipient.c.delivery == bindparam("earlier"), _recipient.c.batch == bindparam("of_batch"))
    .where(or_(_recipient.c.in_doubt, _recipient.c.state.in_([Outcome.POSTED, Outcome.SENDING, Outcome.HELD])))
    .where(_person.c.sealed.is_not(None))
    .order_by(_recipient.c.person)
    .with_for_update(read=True, key_share=True, of=_person)  # the address is not erased meanwhile
)
_ABORTED_BEFORE = (
    select(_earlier.c.id)
    .join(_table, _table.c.ordering_key == _earlier.c.ordering_key)
    .where(_OF_LIST, _earlier.c.id < _table.c.id, _earlier.c.halt == ABORTED)
    .limit(1)
)
_TAKEN = (  # as recipients of this delivery, or of another on the same network, except of other parts of this text
    select(_recipient.c.person)
    .join(_other, _other.c.id == _recipient.c.delivery)
    .join(_table, _table.c.publication == _other.c.publication)
    .where(_OF_LIST, _recipient.c.person.in_(bindparam("people", expanding=True)))
    .where(
        or_(
            _other.c.id == _table.c.id,
            and_(
                _other.c.channel.in_(bindparam("siblings", expanding=True)),
                _recipient.c.state != Outcome.SUPPRESSED,  # who left one list stays on the others
                or_(_other.c.channel != _table.c.channel, _other.c.language != _table.c.language),
            ),
        )
    )
)
_LOCK_PUBLICATION = (
    select(_publication.c.id).where(_publication.c.id == bindparam("publication")).with_for_update(key_share=True)
)
_COPIED = (
    "publication", "channel", "account", "language", "part", "operation", "ordering_key", "sequence", "priority",
    "not_after",
)  # fmt: skip
_ADD = insert(_table)
_NEXT_NUMBER = select(func.coalesce(func.max(_batch.c.number), -1) + 1).where(_batch.c.parent == bindparam("of_list"))
_WAITS_FOR_LIST = and_(
    _table.c.state.in_(_UNSETTLED), _table.c.has_recipients, _table.c.code == UNREADABLE, _table.c.halt == ""
)
_UNREADABLE = (
    select(_table.c.id, _table.c.channel, _table.c.reason, _table.c.remedy)
    .where(_WAITS_FOR_LIST)
    .order_by(_table.c.priority, _table.c.id)
)
_HAD_PEOPLE = select(_table.c.id).where(_table.c.channel == bindparam("channel"), _table.c.parent.is_not(None)).limit(1)


class Batches(Repository):
    """The people of deliveries: read, stored in batches, marked, and recorded."""

    def list_state(self, claimed: ClaimedDelivery) -> ListState | None:
        """Return how far the people of a delivery are stored. `None` if its message cannot be read."""
        with self._journal.read() as connection, suppress(DamagedRow):
            row = connection.execute(_STATE, {"of_list": claimed.id}).one()
            with stored(_publication.name, row.publication):
                message = read_message(row.message)
            return ListState(
                cursor=read_cursor(row.cursor),
                message=message,
                language=row.language,
                main=row.main,
                reading=row.reading and not row.halt,
                has_people=row.has_people,
                unreadable=row.code == UNREADABLE,
            )
        return None

    def had_recipients(self, channel: str) -> bool:
        """Return True if an earlier delivery on the channel had recipients, including purged ones."""
        with self._journal.read() as connection:
            return connection.execute(_HAD_PEOPLE, {"channel": channel}).first() is not None

    def add_batch(
        self,
        claimed: ClaimedDelivery,
        siblings: Collection[str],
        addresses: Iterable[str] = (),
        behind: StoredCursor | None = None,
        *,
        is_last: bool = False,
        lease: timedelta,
    ) -> ClaimedDelivery | None:
        """Make a batch of people, and move the cursor behind them.

        Args:
            claimed: The delivery.
            siblings: The channels of the same network. A person is taken by one of them.
            addresses: The addresses of the next people of its audiences.
            behind: The cursor behind them. `None`: the batch is of those who got the next batch of an earlier delivery.
            is_last: No person follows.
            lease: How long the batch is held from now on.

        Returns:
            The batch, claimed by the same process, with the delivery released. None if no person of it waits: then it
            is settled, and the delivery stays claimed.
        """
        with self._journal.write(durable=False) as connection:
            if connection.dialect.name != "sqlite":  # a file has one writer at a time
                # No two deliveries take one person. Who corrects the publication locks it, too.
                connection.execute(_LOCK_PUBLICATION, {"publication": claimed.publication})
            row, at = lock_owned(connection, claimed), microseconds(self._journal.now())
            if behind is None:
                people, cursor, reading = _next_earlier(connection, row)
            else:
                people, cursor = store_people(connection, self._journal.keys, addresses, at), behind
                reading = not is_last
            until, batch = at + span(lease), None
            added = sorted(people) if not row.halt else []
            if added:
                others = {"of_list": claimed.id, "siblings": [*siblings], "people": added}
                taken = set(connection.execute(_TAKEN, others).scalars())
                added = [number for number in added if number not in taken]
            columns: dict[str, object] = {"lease_until": until}
            if not row.halt:  # else the next one goes on from here, if it was only paused
                columns |= {"cursor": cursor.to_text(), "reading": reading}
                if row.code == UNREADABLE:
                    columns |= {"reason": "", "remedy": "", "code": ""}
            if added:
                number = _insert(connection, row, added, at=at, until=until)
                if recipients.outcomes(recipients.count_batch(connection, claimed.id, number)).get(Outcome.WAITING):
                    batch = replace(claimed, id=number, parent=claimed.id, attempts=0, backoff=timedelta(0))
                    released = {"state": Outcome.WAITING, "owner": None, "lease_until": None}
                    columns |= {**released, "not_before": at, "backoff": 0}
                else:
                    control.settle_batch(connection, control.row_of(connection, number), at)
            change(connection, claimed, **columns)
            return batch

    def take(
        self,
        claimed: ClaimedDelivery,
        limit: int,
        *,
        hold_doubt: bool,
        lease: timedelta,
        rate: Rate | None = None,
        outcomes: Iterable[RecipientOutcome] | None = None,
    ) -> tuple[Recipient, ...]:
        """Record what became of the people marked before, and mark the next ones of a batch, in one transaction.

        With people the lease is renewed. Nothing may be sent to them before this returns. No one is marked while
        everything is stopped, or once this sending was paused or has ended.

        Args:
            claimed: The batch.
            limit: How many to mark at most.
            hold_doubt: People in doubt are held instead of being sent to again.
            lease: How long the batch is held from now on.
            rate: The channel's rate, which counts people.
            outcomes: What became of those marked before. Who has no outcome was not begun, and waits again. `None`:
                no one was marked since `begin`, which has renewed the lease.

        Raises:
            RateReached: The channel's rate is used up. The outcomes are recorded.
            Blocked: The channel reports so many people as not existing that it is at fault. They wait again, and the
                outcomes are recorded.
        """
        journal, people = self._journal, tuple[Recipient, ...]()
        failure: RateReached | Blocked | None = None
        ended = None if outcomes is None else tuple(outcomes)
        with journal.write() as connection:
            meta.pass_gate(connection, shared=True)
            now = microseconds(journal.now())
            gone = any(outcome.gone for outcome in ended or ())
            if gone:  # it may concern the batches before
                lock_key_of(connection, claimed.id)
            row = lock_owned(connection, claimed)
            if ended is not None:
                unused = recipients.record(connection, claimed, ended, hold_doubt=hold_doubt)
                if rate is not None and unused:
                    use_slots(connection, claimed.channel, rate, now, -unused)
            if gone and (failure := mass_fault(connection, replace(claimed, id=claimed.public_id))):
                control.recount(connection, claimed.public_id, now)
            if failure is None and limit and not row.halt and meta.stopped(connection, journal.id) is None:
                try:
                    free = limit if rate is None else free_slots(connection, claimed.channel, rate, now, limit)
                    people = recipients.take(connection, journal.keys, claimed, free, hold_doubt=hold_doubt)
                    if rate is not None and people:
                        use_slots(connection, claimed.channel, rate, now, len(people))
                except RateReached as reached:
                    failure = reached
            if people and ended is not None:
                change(connection, claimed, lease_until=now + span(lease))
        if failure is not None:
            raise failure
        return people

    # --- deliveries whose people cannot be read

    def waiting_for_lists(self) -> dict[int, tuple[str, Problem]]:
        """Return the deliveries whose people could not be read at the last try: their channels, and why.

        The most urgent comes first.
        """
        with self._journal.read() as connection:
            rows = list(connection.execute(_UNREADABLE))
        return {row.id: (row.channel, Problem(reason=row.reason, remedy=row.remedy)) for row in rows}

    def retry_lists(self, channel: str | None = None) -> int:
        """Let deliveries whose people could not be read, of one or all channels, be tried again. Return how many."""
        if not self.waiting_for_lists():  # else each drain would write
            return 0
        free = select(_table.c.id).where(_WAITS_FOR_LIST).with_for_update(key_share=True, skip_locked=True)
        if channel is not None:
            free = free.where(_table.c.channel == channel)
        with self._journal.write() as connection:
            at = microseconds(self._journal.now())
            return connection.execute(update(_table).where(_table.c.id.in_(free)).values(not_before=at)).rowcount


def _next_earlier(connection: Connection, row: Row[Any]) -> tuple[Sequence[int], StoredCursor, bool]:
    """Return who got the next batch of an earlier delivery, the cursor behind it, and whether more people follow.

    Behind the last one, the audiences follow. An end or a cancellation goes only to those who got something, unless
    there were none, and no person has aborted the sending before.
    """
    of_list, cursor = {"of_list": row.id}, read_cursor(row.cursor)
    context = connection.execute(_STATE, of_list).one()
    values = {**of_list, "position": cursor.position, "main": context.main}
    if (batch := connection.execute(_EARLIER_BATCH, values).first()) is None:
        ends = context.has_people or connection.execute(_ABORTED_BEFORE, of_list).first() is not None
        return (), StoredCursor(), not (context.stage in _CLOSING and ends)
    got_it = {"earlier": batch.parent, "of_batch": batch.id}
    people = connection.execute(_GOT_IT, got_it).scalars().all()
    return people, replace(cursor, position=cursor.position + 1), True


def _insert(connection: Connection, row: Row[Any], people: Sequence[int], *, at: int, until: int) -> int:
    """Insert a batch that is being sent, and its people. Return its id."""
    number = connection.execute(_NEXT_NUMBER, {"of_list": row.id}).scalar_one()
    columns = {
        **{name: row._mapping[name] for name in _COPIED},  # noqa: SLF001 - the toolkit's own name for it
        "parent": row.id,
        "number": number,
        "post_key": f"{row.id}/{number}",
        "state": Outcome.SENDING,
        "owner": row.owner,
        "lease_until": until,
        "not_before": at,
        "reply_to": "",
        "mac": batch_mac(connection.get_execution_options()["policenotify_keys"], row.mac, number, people),
    }
    inserted: Any = connection.execute(_ADD, columns).inserted_primary_key
    store_recipients(connection, row, inserted.id, people)
    return int(inserted.id)
