"""Store the people of a delivery in batches, after it was published.

A cursor in the delivery states how far its audiences were read. A batch, its people and the cursor behind them are
stored in one transaction. So a process that is killed at any instant leaves no one out and stores no one twice.

What follows an earlier message goes first to those who got that one, or may have got it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, insert, or_, select, update

from policenotify.journal.attempts import change, lock_owned
from policenotify.journal.authentication import batch_mac
from policenotify.journal.database import schema
from policenotify.journal.lists import control
from policenotify.journal.lists.control import ABORTED
from policenotify.journal.lists.recipients import (
    count_batch,
    outcomes,
    overall_outcome,
    store_people,
    store_recipients,
    to_text,
)
from policenotify.journal.lists.state import UNREADABLE, ListState, ReadPeople, StoredCursor, read_cursor
from policenotify.journal.records import ClaimedDelivery, span
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.message import read as read_message
from policenotify.model.status import WaitsForList

_SHOWN: Final = 10  # wrong rows of which the line is kept
_BATCH: Final = 500  # values in one statement; SQLite allows 999 in its older builds (sqlite.org/limits.html)
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
    "not_after", "trace",
)  # fmt: skip
_ADD = insert(_table)
_NEXT_NUMBER = select(func.coalesce(func.max(_batch.c.number), -1) + 1).where(_batch.c.parent == bindparam("of_list"))
_UNREADABLE = (
    select(_table.c.id, _table.c.publication, _table.c.channel, _table.c.reason, _table.c.remedy, _table.c.not_before)
    .where(_table.c.state.in_(_UNSETTLED), _table.c.has_recipients, _table.c.code == UNREADABLE, _table.c.halt == "")
    .order_by(_table.c.priority, _table.c.id)
)


def first_cursor(*, follows: bool) -> str:
    """Return the cursor of a new delivery. *follows*: its incident has earlier deliveries on the channel."""
    return StoredCursor(earlier=follows).to_text()


def read_state(connection: Connection, delivery: int) -> ListState:
    """Return how far the people of a delivery are stored."""
    row = connection.execute(_STATE, {"of_list": delivery}).one()
    return ListState(
        cursor=read_cursor(row.cursor),
        message=read_message(row.message),
        language=row.language,
        main=row.main,
        reading=row.reading and not row.halt,
        has_people=row.has_people,
        unreadable=row.code == UNREADABLE,
    )


def add_earlier(
    connection: Connection,
    claimed: ClaimedDelivery,
    siblings: Collection[str],
    *,
    at: int,
    lease: timedelta,
) -> ClaimedDelivery | None:
    """Make a batch of the people of the next batch of an earlier delivery who got that one; see `add_batch`.

    Behind the last one, the audiences follow. An end or a cancellation goes only to those who got something, unless
    there were none, and no person has aborted the sending before.
    """
    row = _lock(connection, claimed)
    of_list, cursor = {"of_list": claimed.id}, read_cursor(row.cursor)
    context = connection.execute(_STATE, of_list).one()
    values = {**of_list, "position": cursor.position, "main": context.main}
    batch = connection.execute(_EARLIER_BATCH, values).first()
    if batch is None:
        closed = context.stage in _CLOSING and (
            context.has_people or connection.execute(_ABORTED_BEFORE, of_list).first() is not None
        )
        return _add(connection, claimed, row, (), siblings, StoredCursor(), reading=not closed, at=at, lease=lease)
    got_it = connection.execute(_GOT_IT, {"earlier": batch.parent, "of_batch": batch.id}).scalars().all()
    following = replace(cursor, position=cursor.position + 1)
    return _add(connection, claimed, row, got_it, siblings, following, reading=True, at=at, lease=lease)


def add_batch(
    connection: Connection,
    claimed: ClaimedDelivery,
    read: ReadPeople,
    siblings: Collection[str],
    *,
    at: int,
    lease: timedelta,
) -> ClaimedDelivery | None:
    """Make a batch of people of the audiences, and move the cursor behind them.

    Returns:
        The batch, claimed by the same process, with the delivery released. None if no person of it waits: the delivery
        stays claimed.
    """
    row = _lock(connection, claimed)
    before, again = read_cursor(row.cursor), read.is_from_start
    lines = [*(() if again else before.wrong_lines), *(f"{row.line}: {row.reason}" for row in read.wrong)]
    cursor = StoredCursor(
        audience=read.after.audience,
        position=read.after.position,
        revision=read.revision,
        wrong=len(read.wrong) + (0 if again else before.wrong),
        wrong_lines=tuple(lines[:_SHOWN]),
    )
    keys = connection.get_execution_options()["policenotify_keys"]
    people = store_people(connection, keys, read.addresses, at)
    return _add(connection, claimed, row, people, siblings, cursor, reading=not read.is_last, at=at, lease=lease)


def _lock(connection: Connection, claimed: ClaimedDelivery) -> Row[Any]:
    """Lock the claimed delivery, and its publication, so that no two deliveries take one person. Return its row."""
    if connection.dialect.name != "sqlite":  # a file has one writer at a time
        connection.execute(_LOCK_PUBLICATION, {"publication": claimed.publication})  # as who corrects it does
    return lock_owned(connection, claimed)


def _add(
    connection: Connection,
    claimed: ClaimedDelivery,
    row: Row[Any],
    people: Iterable[int],
    siblings: Collection[str],
    cursor: StoredCursor,
    *,
    reading: bool,
    at: int,
    lease: timedelta,
) -> ClaimedDelivery | None:
    """Make a batch of those people who are not recipients of the publication yet, and move the cursor."""
    added = [] if row.halt else _not_taken(connection, claimed.id, sorted(people), siblings)
    columns: dict[str, object] = {"lease_until": at + span(lease)}
    if not row.halt:  # else the next one goes on from here, if it was only paused
        columns |= {"cursor": cursor.to_text(), "reading": reading}
        if row.code == UNREADABLE:
            columns |= {"reason": "", "remedy": "", "code": ""}
    batch = _insert(connection, claimed, row, added, at=at, lease=lease) if added else None
    if batch is not None:
        columns |= {"state": Outcome.WAITING, "owner": None, "lease_until": None, "not_before": at, "backoff": 0}
    change(connection, claimed, **columns)
    return batch


def _not_taken(connection: Connection, delivery: int, people: Sequence[int], siblings: Collection[str]) -> list[int]:
    taken: set[int] = set()
    for start in range(0, len(people), _BATCH):
        values = {"of_list": delivery, "siblings": [*siblings], "people": people[start : start + _BATCH]}
        taken.update(connection.execute(_TAKEN, values).scalars())
    return [number for number in people if number not in taken]


def _insert(
    connection: Connection,
    claimed: ClaimedDelivery,
    row: Row[Any],
    people: Sequence[int],
    *,
    at: int,
    lease: timedelta,
) -> ClaimedDelivery | None:
    """Insert a batch and its people. Return it, claimed, unless all of them are suppressed: then it is settled."""
    number = connection.execute(_NEXT_NUMBER, {"of_list": claimed.id}).scalar_one()
    columns = {
        **{name: row._mapping[name] for name in _COPIED},  # noqa: SLF001 - the toolkit's own name for it
        "parent": claimed.id,
        "number": number,
        "post_key": f"{claimed.id}/{number}",
        "state": Outcome.SENDING,
        "owner": claimed.owner,
        "lease_until": at + span(lease),
        "not_before": at,
        "reply_to": "",
        "mac": batch_mac(connection.get_execution_options()["policenotify_keys"], row.mac, number, people),
    }
    inserted: Any = connection.execute(_ADD, columns).inserted_primary_key
    batch: int = inserted.id
    store_recipients(connection, row, batch, people, at)
    counted = count_batch(connection, claimed.id, batch)
    if outcomes(counted).get(Outcome.WAITING):
        return replace(claimed, id=batch, parent=claimed.id, attempts=0, backoff=timedelta(0))
    settled = {"state": overall_outcome(outcomes(counted)), "counts": to_text(counted), "settled_at": at}
    control.change(connection, batch, **settled, owner=None, lease_until=None)
    return None


# --- deliveries whose people cannot be read


def unreadable(connection: Connection) -> list[WaitsForList]:
    """Return the deliveries whose people could not be read at the last try, the most urgent first."""
    return [
        WaitsForList(
            delivery=row.id, publication=row.publication, channel=row.channel, reason=row.reason, remedy=row.remedy
        )
        for row in connection.execute(_UNREADABLE)
    ]


def postponed(connection: Connection, now: int, *, first_only: bool, channel: str | None = None) -> list[int]:
    """Return the deliveries that wait until their list is tried again, of each channel all or the first only."""
    rows = [row for row in connection.execute(_UNREADABLE) if channel is None or row.channel == channel]
    first = {row.channel: row.id for row in reversed(rows)}
    chosen = [row for row in rows if not first_only or first[row.channel] == row.id]
    return [row.id for row in chosen if row.not_before > now]


def make_due(connection: Connection, deliveries: Collection[int], now: int) -> int:
    """Let some deliveries be tried at once. Return their number. What another process has locked is left out."""
    chosen = select(_table.c.id).where(_table.c.id.in_(deliveries), _table.c.not_before > now)
    free = connection.execute(chosen.with_for_update(key_share=True, skip_locked=True)).scalars().all()
    if free:
        connection.execute(update(_table).where(_table.c.id.in_(free)).values(not_before=now))
    return len(free)
