"""Attempts at claimed deliveries: how they begin, what became of them, and those that were interrupted.

Only the process that owns an attempt may record its result.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Update, and_, bindparam, func, insert, or_, select, update

from policenotify.channel import Operation, Request
from policenotify.errors import LostLease, UnsupportedVersion
from policenotify.journal.audit import RUNNER, record_delivery
from policenotify.journal.audit import record as record_event
from policenotify.journal.authentication import is_authentic, ref_mac, request_mac
from policenotify.journal.channels import take_slot
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.journal.leases import is_dead, is_running
from policenotify.journal.lists import control, recipients
from policenotify.journal.order import EXPIRED, lock, lock_key_of, over_by, supersede_partial_sends, why_over
from policenotify.journal.records import (
    AttemptResult,
    ClaimedDelivery,
    TakenBack,
    latest_pause,
    microseconds,
    moment,
    span,
)
from policenotify.log import fields
from policenotify.model.history import Outcome
from policenotify.model.rate import Rate

INTERRUPTED = "interrupted"
"""The kind of event that records a recovered delivery."""

RECOVERED_AGAIN = "taken_over_again"
"""The kind of event that records a delivery recovered twice within one lease."""

_log = logging.getLogger("policenotify")
_FOR_ALL = {Outcome.REFUSED, Outcome.HELD, Outcome.SUPERSEDED}
_table, _attempt = schema.delivery, schema.attempt
_IS_OWNED = and_(  # it is still this process's, in the attempt that it knows
    _table.c.id == bindparam("claimed_id"),
    _table.c.state == Outcome.SENDING,
    _table.c.owner == bindparam("claimed_by"),
    or_(_table.c.has_recipients, _table.c.attempts == bindparam("claimed_attempts")),  # a list counts its batches'
)
_LOCK_OWNED = select(_table).where(_IS_OWNED).with_for_update(key_share=True)
_LOCK = select(_table).where(_table.c.id == bindparam("of_delivery")).with_for_update(key_share=True)
_ADD = insert(_attempt)
_END_ATTEMPT = (
    update(_attempt)
    .where(_attempt.c.delivery == bindparam("of_delivery"), _attempt.c.number == bindparam("of_attempt"))
    .where(_attempt.c.ended_at.is_(None))
    .values({name: bindparam(name) for name in ("ended_at", "outcome", "reason", "code")})
)
# Without a lease and an owner, which only damage leaves behind, a delivery is recovered at once.
_LEASE_UNTIL = func.coalesce(_table.c.lease_until, 0)
_OWNER = func.coalesce(_table.c.owner, "")
_SENDING = select(_table.c.id, _table.c.ordering_key, _OWNER.label("owner"), _LEASE_UNTIL.label("lease_until")).where(
    _table.c.state == Outcome.SENDING
)


# --- what is claimed


def lock_owned(connection: Connection, claimed: ClaimedDelivery) -> Row[Any]:
    """Lock what this process has claimed, and return its row.

    Raises:
        LostLease: Another process took it over.
    """
    row = connection.execute(_LOCK_OWNED, _identity(claimed)).first()
    if row is None:
        raise _lost(claimed)
    return row


def change(connection: Connection, claimed: ClaimedDelivery, **columns: object) -> None:
    """Change columns of what this process has claimed."""
    if not connection.execute(_change(tuple(columns)), _identity(claimed) | columns).rowcount:
        raise _lost(claimed)


@cache
def _change(columns: tuple[str, ...]) -> Update:
    return update(_table).where(_IS_OWNED).values({name: bindparam(name) for name in columns})


def _identity(claimed: ClaimedDelivery) -> dict[str, object]:
    return {"claimed_id": claimed.id, "claimed_by": claimed.owner, "claimed_attempts": claimed.attempts}


def _lost(claimed: ClaimedDelivery) -> LostLease:
    return LostLease(f"Delivery {claimed.public_id} on {claimed.channel!r} was taken over by another runner.")


# --- beginning


def begin(
    connection: Connection,
    keys: Keys,
    claimed: ClaimedDelivery,
    request: Request,
    wording: str,
    *,
    now: int,
    lease: timedelta,
    rate: Rate | None = None,
) -> ClaimedDelivery:
    """Store that *request* is about to be sent. Nothing may be sent before this is committed.

    The lease starts again, because an upload or a token renewal may have taken long. All batches of a delivery are sent
    with the request that was stored first.

    Raises:
        LostLease: Another process took the delivery over.
        RateReached: Other processes have used up the channel's rate since it was claimed.
        TakenBack: It was withdrawn, cancelled or ended since it was claimed.

    After an error the transaction is to be rolled back.
    """
    number, first = claimed.attempts + 1, claimed.first_tried_at or moment(now)
    tried: dict[str, object] = {"last_tried_at": now, "first_tried_at": microseconds(first)}
    if claimed.parent is not None:  # before the batch: who locks both does it in this order
        whole = connection.execute(_LOCK, {"of_delivery": claimed.parent}).one()
        if whole.request is not None and whole.request_version == claimed.request_version:
            request, wording = Request.read(whole.request), whole.wording
        sent = _request_columns(keys, claimed, request, wording) if whole.request is None else {}
        whole_tried = {**tried, "first_tried_at": whole.first_tried_at or now, "attempts": whole.attempts + 1}
        control.change(connection, whole.id, **whole_tried, **sent)
        change(connection, claimed, **tried, attempts=number, lease_until=now + span(lease))
    else:
        sent = _request_columns(keys, claimed, request, wording)
        change(connection, claimed, **tried, **sent, attempts=number, lease_until=now + span(lease))
        if claimed.operation is not Operation.DELETE:  # a withdrawal and an end lock it, too; lists are halted
            closed = over_by(connection, claimed.publication)
            if over := why_over(closed, by_end=claimed.in_doubt):
                raise TakenBack(over)
        if rate is not None:
            take_slot(connection, claimed.channel, rate, now)
    row = {"delivery": claimed.id, "number": number, "owner": claimed.owner, "started_at": now}
    connection.execute(_ADD, row)
    return replace(
        claimed, attempts=number, request=request, wording=wording, first_tried_at=first, last_tried_at=moment(now)
    )


def _request_columns(keys: Keys, claimed: ClaimedDelivery, request: Request, wording: str) -> dict[str, object]:
    stored = request.model_dump_json()
    mac = request_mac(keys, claimed.key, claimed.request_version, stored)
    return {"request": stored, "request_mac": mac, "wording": wording}


# --- results


def record(
    connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, *, now: datetime
) -> Mapping[Outcome, int]:
    """Record the result of an attempt and release the delivery.

    Returns:
        How many posts, or people, have which outcome now. Empty if something of a list is left.
    """
    if claimed.parent is not None:
        return _record_batch(connection, claimed, result, now)
    if claimed.has_recipients:
        return _record_list(connection, claimed, result, now)
    at, unconfirmed = microseconds(now), result.outcome is Outcome.UNCONFIRMED
    waits = result.outcome in {Outcome.WAITING, Outcome.UNCONFIRMED}
    columns: dict[str, object] = {
        "state": Outcome.WAITING if waits else result.outcome,
        "not_before": microseconds(result.not_before) if result.not_before else at,
        "backoff": span(result.backoff),
        "owner": None,
        "lease_until": None,
        "reason": result.reason,
        "remedy": result.remedy,
        "code": result.code,
        "settled_at": None if waits else at,
        "unseen_at": str(result.unseen_at) if result.unseen_at else None,
    }
    if result.outcome is not Outcome.REFUSED:  # a refusal does not settle an earlier attempt in doubt
        columns["in_doubt"] = unconfirmed or result.outcome is Outcome.HELD
    columns |= _next_request(claimed, result)
    if result.ref is not None:
        keys = connection.get_execution_options()["policenotify_keys"]
        columns["ref"] = stored = result.ref.model_dump_json()
        columns["ref_mac"] = ref_mac(keys, claimed.key, stored)
    if result.resend_as_post:  # the edit was in doubt, the new post is not
        new_post = {"request": None, "wording": "", "request_version": 0, "operation": Operation.POST}
        columns |= {**new_post, "in_doubt": False}
    if result.outcome is Outcome.DELETED:
        lock_key_of(connection, claimed.id)
    change(connection, claimed, **columns)
    if result.outcome is Outcome.DELETED and claimed.target is not None:
        _mark_target_deleted(connection, claimed, now)
    _end_attempt(connection, claimed, result, at)
    record_delivery(connection, claimed, now, "settled", _stated(claimed, result))
    return {result.outcome: 1}


def _record_list(
    connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, now: datetime
) -> Mapping[Outcome, int]:
    """Release a delivery that was claimed to read its lists."""
    at = microseconds(now)
    lock_key_of(connection, claimed.id)
    row = lock_owned(connection, claimed)
    released: dict[str, object] = {"state": Outcome.WAITING, "owner": None, "lease_until": None}
    if row.halt == "" and result.outcome not in _FOR_ALL:
        released |= {"reason": result.reason, "remedy": result.remedy, "code": result.code}
        released["not_before"] = microseconds(result.not_before) if result.not_before else at
        released["backoff"] = span(result.backoff)
    change(connection, claimed, **released)
    if result.outcome in _FOR_ALL and not control.is_ended(row.halt):
        control.end(connection, row, result.outcome, result.reason, remedy=result.remedy, code=result.code)
    return _settled(connection, claimed, at)


def _record_batch(
    connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, now: datetime
) -> Mapping[Outcome, int]:
    """Record the result of an attempt at a batch and release it. The last one settles the delivery.

    A result of the whole delivery, such as a refusal of its content, also counts for its other people who wait.
    """
    at, parent = microseconds(now), claimed.public_id
    lock_key_of(connection, claimed.id)
    batch, whole = lock_owned(connection, claimed), control.row_of(connection, parent)
    recipients.record(connection, claimed, (), hold_doubt=False)  # nobody is being sent to any more
    if result.outcome in _FOR_ALL and not control.is_ended(whole.halt):
        control.end(connection, whole, result.outcome, result.reason, remedy=result.remedy, code=result.code)
        whole = control.row_of(connection, parent)
    if control.is_ended(whole.halt):
        ended = control.end_outcome(whole.halt)
        recipients.settle_waiting(connection, parent, [batch.id], ended, whole.reason, whole.code)
    not_before = microseconds(result.not_before) if result.not_before else at
    outcome = control.settle_batch(connection, batch, at, not_before=not_before, backoff=span(result.backoff))
    if following := _next_request(claimed, result):
        control.change(connection, parent, **following)
    result = replace(result, outcome=outcome)
    _end_attempt(connection, claimed, result, at)
    if people := _settled(connection, claimed, at):
        return people
    whole = control.row_of(connection, parent)
    if whole.state == Outcome.WAITING:  # else its own event states it
        control.record_batch(connection, batch, at, **_stated(claimed, result))
    if not control.is_ended(whole.halt):
        control.go_on(connection, whole, result, at)
        supersede_partial_sends(connection, batch.ordering_key, at)
    return people


def _settled(connection: Connection, claimed: ClaimedDelivery, at: int) -> Mapping[Outcome, int]:
    """Settle a delivery with recipients if nothing of it is left."""
    people = control.settle(connection, claimed.public_id, at)
    if not people and control.is_ended(control.row_of(connection, claimed.public_id).halt):
        while control.finish(connection, claimed.public_id, at):
            pass
    return people


def _next_request(claimed: ClaimedDelivery, result: AttemptResult) -> dict[str, object]:
    """Return the columns by which the next attempt prepares another request."""
    if result.new_request:
        return {"request": None, "request_version": claimed.request_version + 1}
    return {"request": None, "wording": "standalone"} if result.standalone else {}


def _end_attempt(connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, at: int) -> None:
    identity = {"of_delivery": claimed.id, "of_attempt": claimed.attempts}
    ended = {"ended_at": at, "outcome": result.outcome, "reason": result.reason, "code": result.code}
    connection.execute(_END_ATTEMPT, identity | ended)


def _stated(claimed: ClaimedDelivery, result: AttemptResult) -> dict[str, Any]:
    """Return what the event of a result states."""
    stated: dict[str, Any] = {"outcome": result.outcome, "code": result.code, "attempt": claimed.attempts}
    return {**stated, "delayed": True} if result.delayed else stated


def _mark_target_deleted(connection: Connection, claimed: ClaimedDelivery, now: datetime) -> None:
    target = select(_table.c.target).where(_table.c.id == claimed.id).scalar_subquery()
    row = connection.execute(select(_table).where(_table.c.id == target)).one()
    connection.execute(update(_table).where(_table.c.id == row.id).values(state=Outcome.DELETED))
    record_delivery(connection, row, now, "deleted", {"by": claimed.publication})


# --- recovery


def recover(connection: Connection, now: int, lease: timedelta, ended: Collection[str] = ()) -> int:
    """Return deliveries of processes that exited, or let their lease expire, to waiting. Return their number.

    *ended* names further owners that send nothing any more: threads of this process.

    A delivery whose attempt had begun is in doubt, of a batch those who were marked. A second recovery within one lease
    raises an alarm: processes keep exiting in the middle of this delivery, or two of them take it from each other.
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
        columns: dict[str, object] = {"state": Outcome.WAITING, "owner": None, "lease_until": None, "unseen_at": None}
        if row.parent is None:
            columns["in_doubt"] = row.in_doubt or begun
        else:
            recipients.interrupt(connection, row.parent, row.id, row.attempts)
            columns["counts"] = recipients.to_text(recipients.count_batch(connection, row.parent, row.id))
        connection.execute(update(_table).where(_table.c.id == row.id).values(**columns))
        _alarm_if_repeated(connection, row, now, lease)
        body = {"owner": row.owner, "attempt": row.attempts, "begun": begun}
        record_delivery(connection, row, moment(now), INTERRUPTED, body)
        if control.is_ended(row.halt):
            while control.finish(connection, row.parent or row.id, now):
                pass
        elif row.has_recipients:  # all may have been read and sent before its process ended
            control.settle(connection, row.id, now)
        supersede_partial_sends(connection, row.ordering_key, now)
    return recovered


def _is_abandoned(seen: Row[Any], now: int, ended: Collection[str]) -> bool:
    """Return True if a claim's owner exited, or let its lease expire."""
    if seen.owner in ended:
        return True
    # A claim of more than a day was written by a clock that was ahead. Of an hour, its owner may be alive still.
    possible = seen.lease_until <= latest_pause(now) or is_running(seen.owner)  # else this clock is behind
    return not (now < seen.lease_until and possible and not is_dead(seen.owner))


def _end_interrupted(connection: Connection, delivery: int, number: int, now: int) -> bool:
    """End an interrupted attempt. Return whether it had begun."""
    ended = {"ended_at": now, "outcome": Outcome.UNCONFIRMED, "reason": "The sending process stopped."}
    identity = {"of_delivery": delivery, "of_attempt": number}
    return connection.execute(_END_ATTEMPT, {**identity, **ended, "code": "interrupted"}).rowcount > 0


def _alarm_if_repeated(connection: Connection, row: Row[Any], now: int, lease: timedelta) -> None:
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
    about = fields(channel=row.channel, delivery=row.parent or row.id, publication=row.publication)
    _log.error(text, about["delivery"], row.channel, row.publication, extra=about)
    body = {"owner": row.owner, "attempt": row.attempts}
    delivery, publication = row.parent or row.id, row.publication
    record_event(
        connection,
        moment(now),
        RUNNER,
        RECOVERED_AGAIN,
        body,
        publication=publication,
        delivery=delivery,
        channel=row.channel,
    )


_PAGE_OF_EXPIRED = 200  # posts that are settled in one transaction
_EXPIRED = (
    select(_table)
    .where(_table.c.state == Outcome.WAITING, _table.c.in_doubt.is_(False), _table.c.has_recipients.is_(False))
    .where(_table.c.not_after <= bindparam("now"), _table.c.account != "", _table.c.halt == "")
    .where(_table.c.operation != Operation.DELETE, _table.c.parent.is_(None))
    .order_by(_table.c.id)
    .limit(_PAGE_OF_EXPIRED)
    .with_for_update(key_share=True, skip_locked=True, of=_table)
)


def expired(connection: Connection, keys: Keys, now: int) -> list[Row[Any]]:
    """Return a page of posts that had expired before they were tried. There may be more."""
    return [row for row in connection.execute(_EXPIRED, {"now": now}).all() if _is_ours(keys, row)]


def settle_expired(connection: Connection, rows: Sequence[Row[Any]], now: int) -> None:
    """Settle posts that had expired before they were tried.

    A claim would settle them one by one, before the first one that can be sent. It settles lists, and what was changed.
    """
    settled = {"state": Outcome.SUPERSEDED, "reason": EXPIRED, "remedy": "", "code": "", "settled_at": now}
    connection.execute(update(_table).where(_table.c.id.in_([row.id for row in rows])).values(**settled))
    for row in rows:
        record_delivery(connection, row, moment(now), "settled", {"outcome": Outcome.SUPERSEDED, "reason": EXPIRED})


def _is_ours(keys: Keys, row: Row[Any]) -> bool:
    """Return whether a delivery is as this installation stored it, and not with newer keys."""
    try:
        return is_authentic(keys, row)
    except (UnsupportedVersion, ValueError):
        return False
