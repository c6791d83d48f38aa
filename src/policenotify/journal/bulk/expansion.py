"""Store the people of a bulk delivery page by page, after it was published.

A cursor in the journal states how far the audiences were read. A page, its people and the cursor behind them are stored
in one transaction. So a process that is killed at any instant leaves no one out and stores no one twice.

What follows an earlier message goes first to those who got that one, or may have got it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, bindparam, exists, insert, or_, select, update

from policenotify.audiences.selection import Cursor
from policenotify.journal.bulk import pages
from policenotify.journal.bulk.halts import ABORTED
from policenotify.journal.bulk.recipients import (
    page_counts,
    store_people,
    store_recipients,
)
from policenotify.journal.bulk.values import Expansion, PageOfPeople
from policenotify.journal.database import schema
from policenotify.journal.records import ClaimedDelivery, span
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.message import read as read_message

_EARLIER: Final = -1  # the cursor's audience while the people of earlier deliveries are read
_SHOWN: Final = 10  # wrong rows of which the line is kept
_SHOWN_IN_REASON: Final = 3
CORRECT: Final = "Correct these rows. Who is added gets the next message."
"""The remedy for rows that were left out."""

_CLOSING = (Stage.END, Stage.CANCELLATION)
_table, _recipient, _page, _person = schema.delivery, schema.recipient, schema.page, schema.person
_expansion, _publication = schema.expansion, schema.publication
_earlier, _other = _table.alias("earlier"), _table.alias("other")
_OF_DELIVERY = _expansion.c.delivery == bindparam("of_delivery")
_STATE = select(_expansion).where(_OF_DELIVERY)
_CONTEXT = (
    select(_table.c.language, _table.c.channel, _table.c.part, _publication.c.message, _publication.c.stage)
    .join(_publication, _publication.c.id == _table.c.publication)
    .where(_table.c.id == bindparam("of_delivery"))
)
_MAIN = (  # the language of the channel's first post
    select(_other.c.language)
    .where(_other.c.publication == bindparam("publication"), _other.c.channel == bindparam("channel"))
    .order_by(_other.c.part)
    .limit(1)
)
_IN_OWN_LANGUAGE = exists().where(  # who got an earlier message in a language that this one lacks gets the main one
    _other.c.publication == _table.c.publication,
    _other.c.channel == _table.c.channel,
    _other.c.language == _earlier.c.language,
    _other.c.state != Outcome.SKIPPED,
)
_EARLIER_PAGE = (
    select(_page.c.delivery, _page.c.number)
    .join(_earlier, _earlier.c.id == _page.c.delivery)
    .join(_table, _table.c.ordering_key == _earlier.c.ordering_key)
    .where(_table.c.id == bindparam("of_delivery"), _earlier.c.id < _table.c.id)
    .where(_earlier.c.publication != _table.c.publication)
    .where(or_(_earlier.c.language == _table.c.language, and_(bindparam("main"), ~_IN_OWN_LANGUAGE)))
    .order_by(_page.c.delivery, _page.c.number)
    .offset(bindparam("position"))
    .limit(1)
)
_GOT_IT = (  # or may have got it
    select(_recipient.c.person)
    .join(_person, _person.c.id == _recipient.c.person)
    .where(_recipient.c.delivery == bindparam("earlier"), _recipient.c.page == bindparam("page"))
    .where(or_(_recipient.c.in_doubt, _recipient.c.state.in_([Outcome.POSTED, Outcome.SENDING, Outcome.HELD])))
    .where(_person.c.sealed.is_not(None))
    .order_by(_recipient.c.person)
    .with_for_update(read=True, key_share=True, of=_person)  # the address is not erased meanwhile
)
_HAS_PEOPLE = select(_recipient.c.person).where(_recipient.c.delivery == bindparam("of_delivery")).limit(1)
_ABORTED_BEFORE = (
    select(_earlier.c.id)
    .join(_table, _table.c.ordering_key == _earlier.c.ordering_key)
    .where(_table.c.id == bindparam("of_delivery"), _earlier.c.id < _table.c.id, _earlier.c.halt == ABORTED)
    .limit(1)
)
_TAKEN = (  # as recipients of this delivery, or of another on the same network, except of other parts of this text
    select(_recipient.c.person)
    .join(_other, _other.c.id == _recipient.c.delivery)
    .join(_table, _table.c.publication == _other.c.publication)
    .where(_table.c.id == bindparam("of_delivery"), _recipient.c.person.in_(bindparam("people", expanding=True)))
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
_BATCH = 500  # values in one statement; SQLite allows 999 in its older builds (sqlite.org/limits.html)


def start_expansion(connection: Connection, delivery: int, *, follows: bool) -> None:
    """Store that no person of a new delivery is stored yet.

    Args:
        connection: The transaction.
        delivery: The delivery.
        follows: Its incident has earlier deliveries on the channel.
    """
    first = {"delivery": delivery, "audience": _EARLIER if follows else 0, "position": 0}
    connection.execute(insert(_expansion), first)


def read_expansion(connection: Connection, claimed: ClaimedDelivery) -> Expansion:
    """Return how far the people of a delivery are stored."""
    of_delivery = {"of_delivery": claimed.id}
    state = connection.execute(_STATE, of_delivery).one()
    row = connection.execute(_CONTEXT, of_delivery).one()
    main = connection.execute(_MAIN, {"publication": claimed.publication, "channel": row.channel}).scalar()
    return Expansion(
        earlier=state.audience == _EARLIER,
        cursor=Cursor(max(state.audience, 0), state.position),
        revision=state.revision,
        message=read_message(row.message),
        language=row.language,
        main=row.language == main,
        expanded=state.expanded,
        has_people=connection.execute(_HAS_PEOPLE, of_delivery).first() is not None,
        unreadable=state.unreadable,
    )


def store_earlier(
    connection: Connection, claimed: ClaimedDelivery, siblings: Collection[str], *, at: int, lease: timedelta
) -> int:
    """Store the people of the next page of an earlier delivery who got that one. Return how many of the page wait.

    Behind the last page, the audiences follow. An end or a cancellation goes only to those who got something, unless
    there were none, and no person has aborted the sending before.
    """
    state = _lock(connection, claimed)
    if state.audience != _EARLIER or state.expanded:  # another worker was faster
        return _waiting(connection, claimed)
    of_delivery = {"of_delivery": claimed.id}
    row = connection.execute(_CONTEXT, of_delivery).one()
    main = connection.execute(_MAIN, {"publication": claimed.publication, "channel": row.channel}).scalar()
    place = {"position": state.position, "main": row.language == main}
    page = connection.execute(_EARLIER_PAGE, {**of_delivery, **place}).first()
    if page is None:
        closed = row.stage in _CLOSING and any(
            connection.execute(query, of_delivery).first() is not None for query in (_HAS_PEOPLE, _ABORTED_BEFORE)
        )
        _move(connection, claimed, audience=0, position=0, expanded=closed)
        return _waiting(connection, claimed)
    got_it = connection.execute(_GOT_IT, {"earlier": page.delivery, "page": page.number}).scalars().all()
    _move(connection, claimed, position=state.position + 1)
    return _add(connection, claimed, got_it, siblings, at=at, lease=lease)


def store_page(
    connection: Connection,
    claimed: ClaimedDelivery,
    page: PageOfPeople,
    siblings: Collection[str],
    *,
    at: int,
    lease: timedelta,
) -> int:
    """Store people of the audiences in the claimed page. Return how many of the page wait.

    Nothing is stored if another worker has moved the cursor since it was read.
    """
    state = _lock(connection, claimed)
    if (state.audience, state.position) != (page.start.audience, page.start.position) or state.expanded:
        return _waiting(connection, claimed)
    if state.revision != page.before_revision:
        return _waiting(connection, claimed)
    again = page.is_from_start
    lines = [] if again or not state.wrong_lines else str(state.wrong_lines).split("\n")
    lines += [f"{row.line}: {row.reason}" for row in page.wrong]
    _move(
        connection,
        claimed,
        audience=page.after.audience,
        position=page.after.position,
        revision=page.revision,
        expanded=page.is_last,
        wrong=len(page.wrong) + (0 if again else state.wrong),
        wrong_lines="\n".join(lines[:_SHOWN]),
        unreadable=False,
    )
    people = store_people(connection, page.people, at)
    return _add(connection, claimed, list(people.values()), siblings, at=at, lease=lease)


def _lock(connection: Connection, claimed: ClaimedDelivery) -> Row[Any]:
    """Lock the publication, so that no two deliveries take one person, and the claimed page. Return the cursor."""
    publication = select(_publication.c.id).where(_publication.c.id == claimed.publication)
    connection.execute(publication.with_for_update(key_share=True))
    pages.lock_owned(connection, claimed)
    return connection.execute(_STATE.with_for_update(), {"of_delivery": claimed.id}).one()


def _move(connection: Connection, claimed: ClaimedDelivery, **columns: object) -> None:
    connection.execute(update(_expansion).where(_expansion.c.delivery == claimed.id).values(**columns))


def _add(
    connection: Connection,
    claimed: ClaimedDelivery,
    people: Iterable[int],
    siblings: Collection[str],
    *,
    at: int,
    lease: timedelta,
) -> int:
    """Add those people to the page who are not recipients of the publication yet. Return how many of the page wait."""
    numbers = sorted(people)
    values: dict[str, object] = {"of_delivery": claimed.id, "siblings": [*siblings]}
    taken: set[int] = set()
    for start in range(0, len(numbers), _BATCH):
        batch = numbers[start : start + _BATCH]
        taken.update(connection.execute(_TAKEN, {**values, "people": batch}).scalars())
    added = [number for number in numbers if number not in taken]
    if added:
        store_recipients(connection, claimed.id, claimed.page or 0, added, at)
    filled = {"filled": True} if added else {}
    pages.change(connection, claimed, **filled, lease_until=at + span(lease))
    return _waiting(connection, claimed)


def _waiting(connection: Connection, claimed: ClaimedDelivery) -> int:
    return page_counts(connection, claimed.id, claimed.page or 0).get(Outcome.WAITING, 0)


def left_out_rows(connection: Connection, delivery: int) -> str:
    """Return how many rows of a delivery's audiences were left out and why, or an empty text."""
    row = connection.execute(_STATE, {"of_delivery": delivery}).first()
    if row is None or not row.wrong:
        return ""
    lines = str(row.wrong_lines).split("\n")
    shown = "; ".join(f"line {line}" for line in lines[:_SHOWN_IN_REASON])
    more = "; …" if row.wrong > _SHOWN_IN_REASON else ""
    return f"Rows of the list that were left out: {row.wrong} ({shown}{more})."
