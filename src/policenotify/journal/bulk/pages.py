"""Pages of a bulk delivery: some of its people, claimed together by one worker.

A delivery with recipients is `sending` while one of its pages is claimed. Several workers may each have a page of it.
Its owner, lease and attempts are those of the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from policenotify.channel import Request
from policenotify.errors import LostLease
from policenotify.journal.authentication import request_mac
from policenotify.journal.bulk import tally
from policenotify.journal.bulk.recipients import page_counts, served
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.keys import Keys
from policenotify.journal.records import ClaimedDelivery, moment, span
from policenotify.model.history import Outcome

SETTLED: Final = "settled"
"""The state of a page none of whose people waits."""

_page, _delivery, _recipient, _expansion = schema.page, schema.delivery, schema.recipient, schema.expansion
_OF_DELIVERY = _page.c.delivery == bindparam("of_delivery")
_IS_WAITING = and_(_page.c.state == Outcome.WAITING, _page.c.not_before <= bindparam("now"))
_NEXT: Select[Any] = (
    select(_page)
    .where(_OF_DELIVERY, _IS_WAITING)
    .order_by(_page.c.number)
    .limit(1)
    .with_for_update(key_share=True, skip_locked=True)
)
_UNEXPANDED = select(_expansion.c.pages).where(
    _expansion.c.delivery == bindparam("of_delivery"), _expansion.c.expanded.is_(False)
)
_IS_OWNED = and_(
    _OF_DELIVERY,
    _page.c.number == bindparam("of_page"),
    _page.c.state == Outcome.SENDING,
    _page.c.owner == bindparam("claimed_by"),
    _page.c.attempt == bindparam("claimed_attempt"),
)
IS_OWNED = exists().where(_IS_OWNED)
"""The condition that a page is claimed by a process. Its values are those of `identity`."""
_LOCK_OWNED = select(_page.c.number).where(_IS_OWNED).with_for_update(key_share=True)
_CONFIRM = select(_page.c.number).where(_IS_OWNED, _page.c.lease_until > bindparam("now"))
_STATES: Select[Any] = (
    select(_page.c.state, func.count(), func.min(_page.c.not_before)).where(_OF_DELIVERY).group_by(_page.c.state)
)

SHARED = and_(  # another worker has a page of it, and there is more
    _delivery.c.has_recipients,
    _delivery.c.state == Outcome.SENDING,
    _delivery.c.halt == "",
    _delivery.c.not_before <= bindparam("now"),
    or_(
        exists().where(_page.c.delivery == _delivery.c.id, _IS_WAITING),
        exists().where(_expansion.c.delivery == _delivery.c.id, _expansion.c.expanded.is_(False)),
    ),
)
"""The condition that a delivery that is being sent has a page for another worker. Its value is `now`."""

POSTPONED = and_(
    _delivery.c.has_recipients,
    _delivery.c.not_before > bindparam("now"),
    exists().where(_expansion.c.delivery == _delivery.c.id, _expansion.c.unreadable),
)
"""The condition that a delivery waits until its list is tried again. Its value is `now`."""


@dataclass(frozen=True, slots=True)
class PagesLeft:
    """What is left of a delivery with recipients.

    Attributes:
        sending: Pages that are claimed.
        waiting: Pages that wait.
        not_before: When the next of these is due, in the journal's microseconds.
        expanded: All its people are stored.
    """

    sending: int
    waiting: int
    not_before: int
    expanded: bool

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return not self.sending and not self.waiting and self.expanded


def progress(connection: Connection, delivery: int) -> PagesLeft:
    """Return what is left of a delivery."""
    of_delivery = {"of_delivery": delivery}
    states = {state: (count, at) for state, count, at in connection.execute(_STATES, of_delivery)}
    waiting, at = states.get(Outcome.WAITING, (0, 0))
    expanded = connection.execute(_UNEXPANDED, of_delivery).first() is None
    return PagesLeft(states.get(Outcome.SENDING, (0, 0))[0], waiting, at, expanded)


def claim(connection: Connection, delivery: int, owner: str, *, now: int, lease: timedelta) -> Row[Any] | None:
    """Claim the next page of a delivery that waits, or an empty one, to be filled from its audiences."""
    values = {"of_delivery": delivery, "now": now}
    row = connection.execute(_NEXT, values).first()
    if row is None:
        if (number := connection.execute(_UNEXPANDED.with_for_update(), values).scalar()) is None:
            return None
        made = {"delivery": delivery, "number": number, "state": Outcome.WAITING, "not_before": now}
        connection.execute(insert(_page), made)
        connection.execute(update(_expansion).where(_expansion.c.delivery == delivery).values(pages=number + 1))
        row = connection.execute(_NEXT, values).one()
    taken = {"state": Outcome.SENDING, "owner": owner, "lease_until": now + span(lease)}
    connection.execute(_change_of(delivery, row.number).values(**taken))
    return row


def _change_of(delivery: int, number: int) -> Update:
    return update(_page).where(_page.c.delivery == delivery, _page.c.number == number)


def lock_owned(connection: Connection, claimed: ClaimedDelivery) -> None:
    """Lock a page that this process has claimed.

    Raises:
        LostLease: Another process took it over.
    """
    if connection.execute(_LOCK_OWNED, identity(claimed)).first() is None:
        raise lost(claimed)


def confirm_lease(connection: Connection, claimed: ClaimedDelivery, now: int) -> None:
    """Check that the page is claimed by this process and its lease has not expired."""
    if connection.execute(_CONFIRM, {**identity(claimed), "now": now}).first() is None:
        raise lost(claimed)


def change(connection: Connection, claimed: ClaimedDelivery, **columns: object) -> None:
    """Change columns of a page that this process has claimed."""
    if not connection.execute(change_of_owned(tuple(columns)), identity(claimed) | columns).rowcount:
        raise lost(claimed)


@cache
def change_of_owned(columns: tuple[str, ...]) -> Update:
    """Return the statement that changes columns of a page, whose values are theirs and those of `identity`."""
    return update(_page).where(_IS_OWNED).values({name: bindparam(name) for name in columns})


def identity(claimed: ClaimedDelivery) -> dict[str, object]:
    """Return the values that name a claimed page, its owner and its attempt."""
    return {
        "of_delivery": claimed.id,
        "of_page": claimed.page,
        "claimed_by": claimed.owner,
        "claimed_attempt": claimed.attempts,
    }


def lost(claimed: ClaimedDelivery) -> LostLease:
    """Return the error of a process whose claim was taken over."""
    return LostLease(f"Delivery {claimed.id} on {claimed.channel!r} was taken over by another runner.")


def begin(
    connection: Connection,
    keys: Keys,
    claimed: ClaimedDelivery,
    request: Request,
    wording: str,
    *,
    now: int,
    lease: timedelta,
) -> ClaimedDelivery:
    """Store that an attempt at a page begins. All pages are sent with the request that was stored first.

    Nothing may be sent before this is committed.
    """
    row = connection.execute(
        select(_delivery).where(_delivery.c.id == claimed.id).with_for_update(key_share=True)
    ).one()
    if row.request is not None and row.request_version == claimed.request_version:
        request, wording = Request.read(row.request), row.wording
    number, stored, first = row.attempts + 1, request.model_dump_json(), row.first_tried_at or now
    change(connection, claimed, attempt=number, lease_until=now + span(lease))
    columns: dict[str, object] = {"request": stored, "wording": wording, "attempts": number}
    mac = request_mac(keys, claimed.key, claimed.request_version, stored)
    columns |= {"request_mac": mac, "last_tried_at": now, "first_tried_at": first}
    connection.execute(update(_delivery).where(_delivery.c.id == claimed.id).values(**columns))
    attempt = {"delivery": claimed.id, "number": number, "owner": claimed.owner, "started_at": now}
    connection.execute(insert(schema.attempt), attempt)
    return replace(
        claimed,
        attempts=number,
        request=request,
        wording=wording,
        first_tried_at=moment(first),
        last_tried_at=moment(now),
    )


def release(connection: Connection, claimed: ClaimedDelivery, *, not_before: int, backoff: int) -> None:
    """Release a page: it is settled, or waits for those of its people who wait. One without people is removed."""
    if not page_counts(connection, claimed.id, claimed.page or 0):
        lock_owned(connection, claimed)
        connection.execute(delete(_page).where(_page.c.delivery == claimed.id, _page.c.number == claimed.page))
        return
    change(
        connection,
        claimed,
        owner=None,
        lease_until=None,
        not_before=not_before,
        backoff=backoff,
        **_state_of(connection, claimed.id, claimed.page or 0),
    )


def update_states(connection: Connection, delivery: int, numbers: Iterable[int] | None = None) -> None:
    """Update the state of the pages of a delivery that are not claimed, after the states of its people changed."""
    query = select(_page.c.number).where(_page.c.delivery == delivery, _page.c.state != Outcome.SENDING)
    if numbers is not None:
        query = query.where(_page.c.number.in_(list(numbers)))
    for number in connection.execute(query.where(_page.c.filled)).scalars().all():
        connection.execute(_change_of(delivery, number).values(**_state_of(connection, delivery, number)))


def make_due(connection: Connection, delivery: int, numbers: Iterable[int], now: int) -> None:
    """Let those of some pages that wait be claimed at once."""
    waiting = update(_page).where(_page.c.delivery == delivery, _page.c.state == Outcome.WAITING)
    connection.execute(waiting.where(_page.c.number.in_(list(numbers))).values(not_before=now))


def _state_of(connection: Connection, delivery: int, number: int) -> dict[str, object]:
    counted = tally.count_page(connection, delivery, number)
    people = tally.outcomes(counted)
    waits = any(people.get(outcome) for outcome in (Outcome.WAITING, Outcome.UNCONFIRMED, Outcome.SENDING))
    state = Outcome.WAITING if waits else SETTLED
    return {"state": state, "held": people.get(Outcome.HELD, 0), "tally": tally.to_text(counted)}


# --- what an event states of whom a page reached


def statement(connection: Connection, delivery: int, number: int, attempt: int) -> dict[str, list[object]]:
    """Return what an event states of a page: whom it reached up to an attempt, by the page's number."""
    return {str(number): [attempt, served(connection, delivery, number, attempt)]}


def statements(connection: Connection, delivery: int, numbers: Iterable[int]) -> dict[str, list[object]]:
    """Return what an event states of some pages. Of one that is being sent, whom the attempts before it reached."""
    rows = connection.execute(
        select(_page.c.number, _page.c.state, _page.c.attempt).where(
            _page.c.delivery == delivery, _page.c.number.in_(list(numbers))
        )
    )
    stated: dict[str, list[object]] = {}
    for row in rows.all():
        stated |= statement(connection, delivery, row.number, row.attempt - (row.state == Outcome.SENDING))
    return stated


def is_as_stated(connection: Connection, publication: str, delivery: int, number: int) -> bool:
    """Return True if a page reached those whom the last event about it states, or no event is about it."""
    event = schema.event
    query = (
        select(event.c.body)
        .where(event.c.publication == publication, event.c.delivery == delivery)
        .where(event.c.kind.in_(("settled", "resolved")), event.c.body.contains(f'"{number}":['))
    )
    body = connection.execute(query.order_by(event.c.id.desc()).limit(1)).scalar()
    if body is None:
        return True
    try:
        attempt, stated = json_object(body)["pages"][str(number)]
        return bool(stated == served(connection, delivery, number, int(attempt)))
    except (KeyError, TypeError, ValueError):  # it was changed
        return False
