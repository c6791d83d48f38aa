"""Attempts at claimed deliveries: how they begin, what became of them, and those that were interrupted.

Only the process that owns an attempt may record its result.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, Update, and_, bindparam, func, insert, or_, select, update

from policenotify.channel import Operation, Request
from policenotify.errors import LostLease, UnsupportedVersion
from policenotify.journal import clock_change, meta
from policenotify.journal.audit import record_delivery
from policenotify.journal.authentication import is_authentic, ref_mac, request_mac
from policenotify.journal.channels import use_slots
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Repository
from policenotify.journal.keys import Keys
from policenotify.journal.leases import is_dead
from policenotify.journal.lists import control, recipients
from policenotify.journal.order import (
    EXPIRED,
    cancel_pending,
    lock,
    lock_key_of,
    make_way,
    over_by,
    why_over,
)
from policenotify.journal.records import (
    LEASE,
    AttemptResult,
    ClaimedDelivery,
    TakenBack,
    latest_pause,
    microseconds,
    moment,
    ref_of,
    span,
    stored,
)
from policenotify.model.history import Outcome
from policenotify.model.rate import Rate
from policenotify.translation import Text

INTERRUPTED = "interrupted"
"""The kind of event that records a recovered delivery."""

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
_deletion = _table.alias("deletion")
_TARGET: Select[Any] = (
    select(_table.c.id, _table.c.request, _table.c.first_tried_at)
    .join(_deletion, _deletion.c.target == _table.c.id)
    .where(_deletion.c.id == bindparam("of_delivery"))
)
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
_EARLIER: Final = 2_000  # deliveries before one that may have been sent after its first attempt; all later ones count
_KNOWN_POSTS: Select[Any] = (
    select(_table.c.id, _table.c.ref)
    .where(_table.c.id >= bindparam("first"), _table.c.id != bindparam("delivery"))
    .where(_table.c.account == bindparam("on_account"), _table.c.ref.is_not(None), _table.c.has_recipients.is_(False))
)
_PAGE_OF_EXPIRED = 200  # posts that are settled in one transaction: a file has one writer at a time
_EXPIRED = (
    select(_table)
    .where(_table.c.state == Outcome.WAITING, _table.c.in_doubt.is_(False), _table.c.has_recipients.is_(False))
    .where(_table.c.not_after <= bindparam("now"), _table.c.halt == "")
    .where(_table.c.operation != Operation.DELETE, _table.c.parent.is_(None))
    .order_by(_table.c.id)
    .limit(_PAGE_OF_EXPIRED)
    .with_for_update(key_share=True, skip_locked=True, of=_table)
)


class Attempts(Repository):
    """Attempts at claimed deliveries, from their beginning to their result."""

    def begin(
        self,
        claimed: ClaimedDelivery,
        request: Request,
        wording: str,
        *,
        lease: timedelta = LEASE,
        rate: Rate | None = None,
    ) -> ClaimedDelivery:
        """Store that *request* is about to be sent. Nothing may be sent before this returns.

        The lease starts again, because an upload or a token renewal may have taken long. All batches of a delivery are
        sent with the request that was stored first.

        Raises:
            RateReached: Other processes have used up the channel's rate since it was claimed.
            PublishingStopped: Everything was stopped meanwhile.
            TakenBack: It was withdrawn, cancelled or ended since it was claimed.

        After an error a transaction around it must be rolled back.
        """
        journal = self._journal
        with journal.write() as connection:
            meta.pass_gate(connection, shared=True)
            if (stopped := meta.stopped(connection, journal.id)) is not None:
                raise stopped
            now = microseconds(journal.now())
            number, first = claimed.attempts + 1, claimed.first_tried_at or moment(now)
            tried: dict[str, object] = {"last_tried_at": now, "first_tried_at": microseconds(first)}
            held = {"attempts": number, "lease_until": now + span(lease)}
            if claimed.parent is not None:  # before the batch: who locks both does it in this order
                whole = connection.execute(_LOCK, {"of_delivery": claimed.parent}).one()
                columns = {**tried, "first_tried_at": whole.first_tried_at or now, "attempts": whole.attempts + 1}
                if whole.request is not None:
                    request, wording = _read_request(whole), whole.wording
                else:
                    columns |= _request_columns(journal.keys, claimed, request, wording)
                control.change(connection, whole.id, **columns)
            else:
                tried |= _request_columns(journal.keys, claimed, request, wording)
            change(connection, claimed, **tried, **held)
            is_post = claimed.parent is None and claimed.operation is not Operation.DELETE  # lists are halted instead
            # A withdrawal and an end lock the delivery, too.
            if is_post and (closed := over_by(connection, claimed.publication)):
                # What was looked for in vain since is in doubt in the journal still.
                doubted = control.row_of(connection, claimed.id).in_doubt
                if over := why_over(closed, by_end=doubted):
                    raise TakenBack(over)
            if claimed.parent is None and rate is not None:
                use_slots(connection, claimed.channel, rate, now)
            row = {"delivery": claimed.id, "number": number, "owner": claimed.owner, "started_at": now}
            connection.execute(_ADD, row)
        return replace(
            claimed, attempts=number, request=request, wording=wording, first_tried_at=first, last_tried_at=moment(now)
        )

    def known_posts(self, claimed: ClaimedDelivery, *, post: str | None = None) -> frozenset[str]:
        """Return the ids of the latest posts on the account that belong to other deliveries, or of *post* only.

        None of them is ever taken for the post of this delivery.
        """
        values = {"first": claimed.id - _EARLIER, "delivery": claimed.id, "on_account": claimed.account}
        query = _KNOWN_POSTS
        if post is not None:
            query = query.where(_table.c.ref.contains(json.dumps(post, ensure_ascii=False), autoescape=True))
        with self._journal.read() as connection:
            refs = map(ref_of, connection.execute(query, values))
            known = frozenset(ref.id for ref in refs if ref is not None)
        return known if post is None else known & {post}

    def target_of(self, claimed: ClaimedDelivery) -> tuple[Request, datetime] | None:
        """Return what was sent of the post that a deletion is about, and when first. None if nothing was."""
        with self._journal.read() as connection:
            row = connection.execute(_TARGET, {"of_delivery": claimed.id}).first()
            return (_read_request(row), moment(row.first_tried_at)) if row and row.request else None

    def record_result(self, claimed: ClaimedDelivery, result: AttemptResult) -> Mapping[Outcome, int]:
        """Record the result of an attempt and release the delivery.

        A result of a whole list, such as a refusal of its content, also counts for its other people who wait.

        Returns:
            How many posts, or people, have which outcome now. Empty if something of a list is left.
        """
        with self._journal.write() as connection:
            at = microseconds(self._journal.now())
            if claimed.parent is not None:
                return _record_batch(connection, claimed, result, at)
            if claimed.has_recipients:
                return _record_list(connection, claimed, result, at)
            return _record_post(connection, self._journal.keys, claimed, result, at)

    def recover(self, ended: Collection[str] = ()) -> int:
        """Take back deliveries of processes that exited or are silent, and of *ended* threads. Return their number.

        What waits is moved first if the clock was set. A delivery whose attempt had begun is in doubt, of a batch those
        who were marked.
        """
        with self._journal.write(durable=False) as connection:
            clock_change.follow(connection, self._journal.clock)
            now = microseconds(self._journal.now())
            sending: list[Row[Any]] = list(connection.execute(_SENDING))
            abandoned = [row for row in sending if _is_abandoned(row, now, ended)]
            lock(connection, *{row.ordering_key for row in abandoned})
            return sum(_recover(connection, row, now) for row in abandoned)

    def settle_expired(self) -> int:
        """Settle a page of posts that had expired before they were tried. Return its length, 0 once there are none.

        A claim would settle them one by one, before the first one that can be sent, and not while their channel is
        blocked. It settles lists, and what was changed.
        """
        journal = self._journal
        with journal.write() as connection:
            now = microseconds(journal.now())
            rows = [row for row in connection.execute(_EXPIRED, {"now": now}).all() if _is_ours(journal.keys, row)]
            if not rows or meta.stopped(connection, journal.id) is not None:
                return 0
            for row in rows:
                cancel_pending(connection, row, Outcome.SUPERSEDED, EXPIRED, now)
        return len(rows)


# --- what is claimed


def _read_request(row: Row[Any]) -> Request:
    with stored(_table.name, row.id):
        return Request.read(row.request)


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
    return LostLease(
        Text(
            "Delivery {public_id} on {channel!r} was taken over by another runner.",
            public_id=claimed.public_id,
            channel=claimed.channel,
        )
    )


def _request_columns(keys: Keys, claimed: ClaimedDelivery, request: Request, wording: str) -> dict[str, object]:
    stored = request.model_dump_json()
    mac = request_mac(keys, claimed.key, claimed.request_version, stored)
    return {"request": stored, "request_mac": mac, "wording": wording}


# --- results


def _record_post(
    connection: Connection, keys: Keys, claimed: ClaimedDelivery, result: AttemptResult, at: int
) -> Mapping[Outcome, int]:
    waits = result.outcome in {Outcome.WAITING, Outcome.UNCONFIRMED}
    columns: dict[str, object] = {
        **_released(result, at),
        "state": Outcome.WAITING if waits else result.outcome,
        "settled_at": None if waits else at,
        "unseen_at": str(result.unseen_at) if result.unseen_at else None,
    }
    if result.outcome is not Outcome.REFUSED:  # a refusal does not settle an earlier attempt in doubt
        columns["in_doubt"] = result.outcome in {Outcome.UNCONFIRMED, Outcome.HELD}
    if result.new_request:
        columns |= {"request": None, "request_version": claimed.request_version + 1}
    elif result.standalone:
        columns |= {"request": None, "wording": "standalone"}
    if result.ref is not None:
        columns["ref"] = stored = result.ref.model_dump_json()
        columns["ref_mac"] = ref_mac(keys, claimed.key, stored)
    if result.resend_as_post:  # the edit was in doubt, the new post is not
        new_post = {"request": None, "wording": "", "request_version": 0, "operation": Operation.POST}
        columns |= {**new_post, "in_doubt": False}
    if result.outcome is Outcome.DELETED:
        lock_key_of(connection, claimed.id)
    change(connection, claimed, **columns)
    if result.outcome is Outcome.DELETED and claimed.target is not None:
        target = select(_table.c.target).where(_table.c.id == claimed.id).scalar_subquery()
        row = connection.execute(select(_table).where(_table.c.id == target)).one()
        control.change(connection, row.id, state=Outcome.DELETED)
        record_delivery(connection, row, moment(at), "deleted", {"by": claimed.publication})
    _end_attempt(connection, claimed, result, at)
    record_delivery(connection, claimed, moment(at), "settled", _stated(claimed, result))
    return {result.outcome: 1}


def _released(result: AttemptResult, at: int) -> dict[str, object]:
    """Return the columns of a delivery that its process holds no more, and why it goes on when."""
    return {
        "state": Outcome.WAITING,
        "owner": None,
        "lease_until": None,
        "not_before": microseconds(result.not_before) if result.not_before else at,
        "backoff": span(result.backoff),
        "reason": result.reason,
        "remedy": result.remedy,
        "code": result.code,
    }


def _record_list(
    connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, at: int
) -> Mapping[Outcome, int]:
    """Release a delivery that was claimed to read its lists."""
    lock_key_of(connection, claimed.id)
    row = lock_owned(connection, claimed)
    released = _released(result, at)
    if row.halt or result.outcome in _FOR_ALL:  # the reason stands there, or follows
        released = {name: released[name] for name in ("state", "owner", "lease_until")}
    change(connection, claimed, **released)
    if result.outcome in _FOR_ALL:
        control.end(connection, row, result.outcome, result.reason, remedy=result.remedy, code=result.code)
    return control.settle(connection, claimed.id, at)


def _record_batch(
    connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, at: int
) -> Mapping[Outcome, int]:
    """Record the result of an attempt at a batch and release it. The last one settles the delivery.

    A result of the whole delivery, such as a refusal of its content, also counts for its other people who wait.
    """
    parent = claimed.public_id
    lock_key_of(connection, claimed.id)
    batch, whole = lock_owned(connection, claimed), control.row_of(connection, parent)
    recipients.record(connection, claimed, (), hold_doubt=False)  # nobody is being sent to any more
    if result.outcome in _FOR_ALL:
        control.end(connection, whole, result.outcome, result.reason, remedy=result.remedy, code=result.code)
        whole = control.row_of(connection, parent)
    if control.is_ended(whole.halt):
        ended = control.end_outcome(whole.halt)
        recipients.settle_waiting(connection, parent, batch.id, ended, whole.reason, whole.code)
    not_before = microseconds(result.not_before) if result.not_before else at
    outcome = control.settle_batch(connection, batch, at, not_before=not_before, backoff=span(result.backoff))
    result = replace(result, outcome=outcome)
    _end_attempt(connection, claimed, result, at)
    if people := control.settle(connection, parent, at):  # whose event states it
        return people
    control.record_batch(connection, batch, at, **_stated(claimed, result))
    if not control.is_ended(whole.halt):
        control.go_on(connection, control.row_of(connection, parent), result, at)
        make_way(connection, batch.ordering_key, at)
    return {}


def _end_attempt(connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, at: int) -> None:
    identity = {"of_delivery": claimed.id, "of_attempt": claimed.attempts}
    ended = {"ended_at": at, "outcome": result.outcome, "reason": result.reason, "code": result.code}
    connection.execute(_END_ATTEMPT, identity | ended)


def _stated(claimed: ClaimedDelivery, result: AttemptResult) -> dict[str, Any]:
    """Return what the event of a result states."""
    stated: dict[str, Any] = {"outcome": result.outcome, "code": result.code, "attempt": claimed.attempts}
    return {**stated, "delayed": True} if result.delayed else stated


# --- recovery


def _recover(connection: Connection, seen: Row[Any], now: int) -> bool:
    """Return an abandoned delivery to waiting, unless it was settled, renewed or recovered meanwhile."""
    still = and_(_table.c.id == seen.id, _table.c.state == Outcome.SENDING, seen.owner == _OWNER)
    row = connection.execute(select(_table).where(still, seen.lease_until == _LEASE_UNTIL)).first()
    if row is None:
        return False
    attempt = {"of_delivery": row.id, "of_attempt": row.attempts, "ended_at": now, "outcome": Outcome.UNCONFIRMED}
    why = {"reason": Text("The sending process stopped."), "code": "interrupted"}
    begun = connection.execute(_END_ATTEMPT, attempt | why).rowcount > 0
    columns: dict[str, object] = {"state": Outcome.WAITING, "owner": None, "lease_until": None, "unseen_at": None}
    if row.parent is None:
        columns["in_doubt"] = row.in_doubt or begun
    else:
        recipients.interrupt(connection, row.parent, row.id, row.attempts)
        columns["counts"] = recipients.to_text(recipients.count_batch(connection, row.parent, row.id))
    control.change(connection, row.id, **columns)
    body = {"owner": row.owner, "attempt": row.attempts, "begun": begun}
    record_delivery(connection, row, moment(now), INTERRUPTED, body)
    if row.has_recipients or row.parent is not None:  # all may have been read and sent before its process ended
        control.settle(connection, row.parent or row.id, now)
    make_way(connection, row.ordering_key, now)
    return True


def _is_abandoned(seen: Row[Any], now: int, ended: Collection[str]) -> bool:
    """Return True if a claim's owner exited, or let its lease expire."""
    if seen.owner in ended:
        return True
    # A claim of more than a day was written by a clock that was ahead.
    return not now < seen.lease_until <= latest_pause(now) or is_dead(seen.owner)


def _is_ours(keys: Keys, row: Row[Any]) -> bool:
    """Return whether a delivery is as this installation stored it, and not with newer keys."""
    try:
        return is_authentic(keys, row)
    except (UnsupportedVersion, ValueError):
        return False
