"""Recover what processes claimed that exited, or let their lease expire, and settle what has expired."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, select, update

from policenotify.errors import UnsupportedVersion
from policenotify.journal.audit import record_delivery
from policenotify.journal.authentication import is_authentic
from policenotify.journal.bulk import tally
from policenotify.journal.bulk.recipients import release_recipients
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.journal.leases import is_dead, is_of_this_boot, is_running
from policenotify.journal.queue import EXPIRED, lock, supersede_partial_sends
from policenotify.journal.records import latest_pause, moment, span
from policenotify.log import fields
from policenotify.model.history import Outcome

INTERRUPTED = "interrupted"
"""The kind of event that records a recovered delivery."""

RECOVERED_AGAIN = "taken_over_again"
"""The kind of event that records a delivery recovered twice within one lease."""

_log = logging.getLogger("policenotify")
_table, _page = schema.delivery, schema.page
# Without a lease and an owner, which only damage leaves behind, a delivery is recovered at once.
_LEASE_UNTIL = func.coalesce(_table.c.lease_until, 0)
_OWNER = func.coalesce(_table.c.owner, "")
_SENDING = select(_table.c.id, _table.c.ordering_key, _OWNER.label("owner"), _LEASE_UNTIL.label("lease_until")).where(
    _table.c.state == Outcome.SENDING, _table.c.has_recipients.is_(False)
)
_PAGE_OWNER, _PAGE_LEASE = func.coalesce(_page.c.owner, ""), func.coalesce(_page.c.lease_until, 0)
_SENDING_PAGES = (
    select(_page.c.delivery, _page.c.number, _PAGE_OWNER.label("owner"), _PAGE_LEASE.label("lease_until"))
    .add_columns(_table.c.ordering_key)
    .join(_table, _table.c.id == _page.c.delivery)
    .where(_page.c.state == Outcome.SENDING)
    .order_by(_table.c.ordering_key, _page.c.delivery, _page.c.number)
)
_WITHOUT_PAGE = (  # which only damage leaves behind
    select(_table)
    .where(_table.c.state == Outcome.SENDING, _table.c.has_recipients)
    .where(~exists().where(_page.c.delivery == _table.c.id, _page.c.state == Outcome.SENDING))
)


_PAGE_OF_EXPIRED = 200  # posts that are settled in one transaction
_EXPIRED = (
    select(_table)
    .where(_table.c.state == Outcome.WAITING, _table.c.in_doubt.is_(False), _table.c.has_recipients.is_(False))
    .where(_table.c.not_after <= bindparam("now"), _table.c.account != "", _table.c.halt == "")
    .order_by(_table.c.id)
    .limit(_PAGE_OF_EXPIRED)
    .with_for_update(key_share=True, skip_locked=True, of=_table)
)


def recover(connection: Connection, now: int, lease: timedelta, ended: Collection[str] = ()) -> int:
    """Return deliveries of processes that exited, or let their lease expire, to waiting. Return their number.

    *ended* names further owners that send nothing any more: threads of this process.

    A delivery whose attempt had begun is in doubt. A second recovery within one lease raises an alarm: processes keep
    exiting in the middle of this delivery, or two of them take it from each other.
    """
    recovered = 0
    sending: list[Row[Any]] = list(connection.execute(_SENDING))
    for seen in sorted(sending, key=lambda row: str(row.ordering_key)):
        if not _is_abandoned(seen, now, ended):
            continue
        lock(connection, seen.ordering_key)
        still = and_(_table.c.id == seen.id, _table.c.state == Outcome.SENDING, seen.owner == _OWNER)
        row = connection.execute(select(_table).where(still, seen.lease_until == _LEASE_UNTIL)).first()
        if row is None:  # settled, renewed, or recovered by another process meanwhile
            continue
        recovered += 1
        begun = _end_interrupted(connection, row.id, row.attempts, now)
        connection.execute(
            update(_table)
            .where(_table.c.id == row.id)
            .values(
                state=Outcome.WAITING,
                owner=None,
                lease_until=None,
                in_doubt=row.in_doubt or begun,
                unseen_at=None,
            )
        )
        _alarm_if_repeated(connection, row, now, lease)
        body = {"owner": row.owner, "attempt": row.attempts, "begun": begun}
        record_delivery(connection, row, moment(now), INTERRUPTED, body)
        supersede_partial_sends(connection, row.ordering_key, now)
    return recovered + _recover_pages(connection, now, lease, ended)


def _is_abandoned(seen: Row[Any], now: int, ended: Collection[str]) -> bool:
    """Return True if a claim's owner exited, or let its lease expire."""
    if seen.owner in ended:
        return True
    # A claim of more than a day was written by a clock that was ahead. Of an hour, its owner may be alive still.
    possible = seen.lease_until <= latest_pause(now) or is_running(seen.owner)  # else this clock is behind
    return not (now < seen.lease_until and possible and not is_dead(seen.owner))


def _end_interrupted(connection: Connection, delivery: int, number: int, now: int) -> bool:
    """End an interrupted attempt. Return whether it had begun."""
    attempt = schema.attempt
    interrupted = update(attempt).where(
        attempt.c.delivery == delivery, attempt.c.number == number, attempt.c.ended_at.is_(None)
    )
    ended = {"ended_at": now, "outcome": Outcome.UNCONFIRMED, "reason": "The sending process stopped."}
    return connection.execute(interrupted.values(**ended, code="interrupted")).rowcount > 0


def _recover_pages(connection: Connection, now: int, lease: timedelta, ended: Collection[str]) -> int:
    """Return the pages of processes that exited, or let their lease expire, to waiting.

    Return the number of their deliveries. People who were being sent to are in doubt.
    """
    abandoned: dict[int, list[Row[Any]]] = {}
    for seen in connection.execute(_SENDING_PAGES).all():
        if _is_abandoned(seen, now, ended):
            lock(connection, seen.ordering_key)
            still = and_(_page.c.delivery == seen.delivery, _page.c.number == seen.number)
            same = and_(_page.c.state == Outcome.SENDING, seen.owner == _PAGE_OWNER, seen.lease_until == _PAGE_LEASE)
            page = connection.execute(select(_page).where(still, same).with_for_update(key_share=True)).first()
            if page is not None:
                abandoned.setdefault(page.delivery, []).append(page)
    for delivery, found in abandoned.items():
        row = connection.execute(select(_table).where(_table.c.id == delivery)).one()
        begun = False
        for page in found:
            begun |= _end_interrupted(connection, delivery, page.attempt, now)
            all_in_doubt = _may_lack_writes(connection, page.owner or "")
            release_recipients(connection, delivery, page.number, page.attempt, all_in_doubt=all_in_doubt)
            counted = tally.to_text(tally.count_page(connection, delivery, page.number))
            waiting = {"state": Outcome.WAITING, "owner": None, "lease_until": None, "tally": counted}
            connection.execute(
                update(_page).where(_page.c.delivery == delivery, _page.c.number == page.number).values(**waiting)
            )
        _alarm_if_repeated(connection, row, now, lease, owner=found[-1].owner)
        body = {"owner": found[-1].owner, "attempt": row.attempts, "begun": begun}
        record_delivery(
            connection, row, moment(now), INTERRUPTED, {**body, "pages_of": [page.number for page in found]}
        )
    damaged = connection.execute(_WITHOUT_PAGE).all()
    for row in damaged:
        connection.execute(update(_table).where(_table.c.id == row.id).values(state=Outcome.WAITING))
        supersede_partial_sends(connection, row.ordering_key, now)
    return len(abandoned.keys() | {row.id for row in damaged})


def _may_lack_writes(connection: Connection, owner: str) -> bool:
    """Return True if a power cut may have undone the last writes of *owner*.

    In a file, the start of each recipient is not flushed to disk. Such writes survive the end of the process, but not
    of the machine.
    """
    return connection.dialect.name == "sqlite" and not is_of_this_boot(owner)


def _alarm_if_repeated(
    connection: Connection, row: Row[Any], now: int, lease: timedelta, *, owner: str | None = None
) -> None:
    """Raise the alarm if a delivery was recovered within the last lease already."""
    event = schema.event
    earlier = select(event.c.id).where(
        event.c.publication == row.publication,
        event.c.delivery == row.id,
        event.c.kind == INTERRUPTED,
        event.c.at > now - span(lease),
    )
    if connection.execute(earlier.limit(1)).first() is None:
        return
    text = "Delivery %s on %s, publication %s, was taken over twice within one lease. See: policenotify status"
    about = fields(channel=row.channel, delivery=row.id, publication=row.publication)
    _log.error(text, row.id, row.channel, row.publication, extra=about)
    body = {"owner": owner or row.owner, "attempt": row.attempts}
    record_delivery(connection, row, moment(now), RECOVERED_AGAIN, body)


def settle_expired(connection: Connection, keys: Keys, now: int) -> int:
    """Settle a page of posts that had expired before they were tried. Return its length: there may be more.

    A claim would settle them one by one, before the first one that can be sent. It settles lists, and what was changed.
    """
    rows = [row for row in connection.execute(_EXPIRED, {"now": now}).all() if _is_ours(keys, row)]
    if rows:
        settled = {"state": Outcome.SUPERSEDED, "reason": EXPIRED, "remedy": "", "code": "", "settled_at": now}
        connection.execute(update(_table).where(_table.c.id.in_([row.id for row in rows])).values(**settled))
    for row in rows:
        record_delivery(connection, row, moment(now), "settled", {"outcome": Outcome.SUPERSEDED, "reason": EXPIRED})
    return len(rows)


def _is_ours(keys: Keys, row: Row[Any]) -> bool:
    """Return whether a delivery is as this installation stored it, and not with newer keys."""
    try:
        return is_authentic(keys, row)
    except (UnsupportedVersion, ValueError):
        return False
