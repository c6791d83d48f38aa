"""Results of attempts. Only the process that owns an attempt may record its result."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from policenotify.channel import Operation
from policenotify.journal.audit import record_delivery
from policenotify.journal.authentication import ref_mac
from policenotify.journal.database import schema
from policenotify.journal.queue import (
    change,
    lock_key_of,
)
from policenotify.journal.records import AttemptResult, ClaimedDelivery, microseconds, span
from policenotify.model.history import Outcome

_table, _recipient, _attempt = schema.delivery, schema.recipient, schema.attempt
_END_ATTEMPT = (
    update(_attempt)
    .where(_attempt.c.delivery == bindparam("of_delivery"), _attempt.c.number == bindparam("of_attempt"))
    .where(_attempt.c.ended_at.is_(None))
    .values({name: bindparam(name) for name in ("ended_at", "outcome", "reason", "code")})
)


def record_result(connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, *, now: datetime) -> None:
    """Record the result of an attempt and release the delivery."""
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
        "unseen_at": microseconds(result.unseen_at) if result.unseen_at else None,
    }
    if result.outcome is not Outcome.REFUSED:  # a refusal does not settle an earlier attempt in doubt
        columns["in_doubt"] = unconfirmed or result.outcome is Outcome.HELD
    columns |= post_columns(connection, claimed, result)
    if result.resend_as_post:  # the edit was in doubt, the new post is not
        new_post = {"request": None, "wording": "", "request_version": 0, "operation": Operation.POST}
        columns |= {**new_post, "in_doubt": False}
    if result.outcome is Outcome.DELETED:
        lock_key_of(connection, claimed.id)
    change(connection, claimed, **columns)
    if result.outcome is Outcome.DELETED and claimed.target is not None:
        _mark_target_deleted(connection, claimed, now)
    end_attempt(connection, claimed, result, at)
    record_delivery(connection, claimed, now, "settled", settlement(claimed, result))


def post_columns(connection: Connection, claimed: ClaimedDelivery, result: AttemptResult) -> dict[str, object]:
    """Return the columns of the delivery that a result changes about its post: its place, and what is sent next."""
    columns: dict[str, object] = {}
    if result.ref is not None:
        columns["ref"] = stored = result.ref.model_dump_json()
        keys = connection.get_execution_options()["policenotify_keys"]
        columns["ref_mac"] = ref_mac(keys, claimed.key, stored)
    if result.standalone:
        columns |= {"request": None, "wording": "standalone"}
    if result.new_request:
        columns |= {"request": None, "request_version": claimed.request_version + 1}
    return columns


def end_attempt(connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, at: int) -> None:
    """Record how an attempt has ended."""
    identity = {"of_delivery": claimed.id, "of_attempt": claimed.attempts}
    ended = {"ended_at": at, "outcome": result.outcome, "reason": result.reason, "code": result.code}
    connection.execute(_END_ATTEMPT, identity | ended)


def settlement(claimed: ClaimedDelivery, result: AttemptResult) -> dict[str, object]:
    """Return what the event of a result states."""
    stated: dict[str, object] = {"outcome": result.outcome, "code": result.code, "attempt": claimed.attempts}
    return {**stated, "delayed": True} if result.delayed else stated


def _mark_target_deleted(connection: Connection, claimed: ClaimedDelivery, now: datetime) -> None:
    target = select(_table.c.target).where(_table.c.id == claimed.id).scalar_subquery()
    row = connection.execute(select(_table).where(_table.c.id == target)).one()
    connection.execute(update(_table).where(_table.c.id == row.id).values(state=Outcome.DELETED))
    record_delivery(connection, row, now, "deleted", {"by": claimed.publication})
