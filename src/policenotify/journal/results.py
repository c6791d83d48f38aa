"""Results of attempts. Only the process that owns an attempt may record its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, exists, func, or_, select, update

from policenotify.channel import Operation, RecipientOutcome
from policenotify.errors import Blocked, NotHeld
from policenotify.journal.audit import record_delivery
from policenotify.journal.authentication import ref_mac
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.journal.queue import (
    NEWER_SENT,
    cancel_pending,
    change,
    is_superseded,
    lock_key_of,
    supersede_partial_sends,
)
from policenotify.journal.recipients import NOBODY, counts, overall_outcome, served, store_suppression_keys
from policenotify.journal.records import AttemptResult, ClaimedDelivery, microseconds, span, storable
from policenotify.journal.suppressions import mass_fault, record_words
from policenotify.journal.verify import digest_of
from policenotify.model.history import Outcome

_table, _recipient, _attempt = schema.delivery, schema.recipient, schema.attempt
_END_ATTEMPT = (
    update(_attempt)
    .where(_attempt.c.delivery == bindparam("of_delivery"), _attempt.c.number == bindparam("of_attempt"))
    .where(_attempt.c.ended_at.is_(None))
    .values({name: bindparam(name) for name in ("ended_at", "outcome", "reason", "code")})
)
_RECORD_RECIPIENT = (
    update(_recipient)
    .where(_recipient.c.delivery == bindparam("of_delivery"), _recipient.c.key == bindparam("of_key"))
    .where(_recipient.c.state == Outcome.SENDING)
    .values(
        {name: bindparam(name) for name in ("state", "reason", "code")}
        | {"attempts": bindparam("of_attempt"), "gone": _recipient.c.gone + bindparam("more_gone")}
    )
)
_RECORD_DOUBT = _RECORD_RECIPIENT.values(in_doubt=bindparam("in_doubt"))
_UNSETTLED = update(_recipient).where(
    _recipient.c.delivery == bindparam("of_delivery"),
    or_(_recipient.c.state == Outcome.WAITING, _recipient.c.state == Outcome.SENDING),
)
_RETRY_LATER = _UNSETTLED.values(state=Outcome.WAITING)
_COMMON_REASON = (
    select(_recipient.c.reason, _recipient.c.code, func.count())
    .where(_recipient.c.delivery == bindparam("of_delivery"))
    .where(_recipient.c.state.in_(bindparam("states", expanding=True)), _recipient.c.reason != "")
    .group_by(_recipient.c.reason, _recipient.c.code)
    .order_by(func.count().desc(), _recipient.c.reason)
    .limit(1)
)
_REMEDIES = (  # the worst outcome first
    ((Outcome.WAITING, Outcome.UNCONFIRMED), "It will be tried again."),
    ((Outcome.REFUSED,), "Reach them in another way. Correct the list where an address or a number is wrong."),
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
    if result.ref is not None:
        columns["ref"] = stored = result.ref.model_dump_json()
        keys = connection.get_execution_options()["policenotify_keys"]
        columns["ref_mac"] = ref_mac(keys, claimed.key, stored)
    if result.standalone:
        columns |= {"request": None, "wording": "standalone"}
    if result.new_request:
        columns |= {"request": None, "request_version": claimed.request_version + 1}
    if result.resend_as_post:  # the edit was in doubt, the new post is not
        new_post = {"request": None, "wording": "", "request_version": 0, "operation": Operation.POST}
        columns |= {**new_post, "in_doubt": False}
    if result.outcome is Outcome.DELETED:
        lock_key_of(connection, claimed.id)
    change(connection, claimed, **columns)
    if result.outcome is Outcome.DELETED and claimed.target is not None:
        _mark_target_deleted(connection, claimed, now)
    identity = {"of_delivery": claimed.id, "of_attempt": claimed.attempts}
    ended = {"ended_at": at, "outcome": result.outcome, "reason": result.reason, "code": result.code}
    connection.execute(_END_ATTEMPT, identity | ended)
    body = {"outcome": result.outcome, "code": result.code, "attempt": claimed.attempts}
    if claimed.has_recipients and waits:
        body["served"] = served(connection, claimed.id, claimed.attempts)
    record_delivery(connection, claimed, now, "settled", body | _digests(claimed, result))


def _digests(claimed: ClaimedDelivery, result: AttemptResult) -> dict[str, str]:
    """Return the digests of the post's place and of the request, as far as they are known."""
    known = {"ref": result.ref, "request": claimed.request}
    return {name: digest_of(value.model_dump(mode="json")) for name, value in known.items() if value is not None}


def _mark_target_deleted(connection: Connection, claimed: ClaimedDelivery, now: datetime) -> None:
    target = select(_table.c.target).where(_table.c.id == claimed.id).scalar_subquery()
    row = connection.execute(select(_table).where(_table.c.id == target)).one()
    connection.execute(update(_table).where(_table.c.id == row.id).values(state=Outcome.DELETED))
    record_delivery(connection, row, now, "deleted", {"by": claimed.publication})


def record_recipients(
    connection: Connection,
    keys: Keys,
    claimed: ClaimedDelivery,
    outcomes: Iterable[RecipientOutcome],
    *,
    now: datetime,
    hold_doubt: bool,
    lease: timedelta,
) -> Blocked | None:
    """Record the outcomes of some recipients and renew the lease.

    Returns:
        The error of the whole channel, if it reports so many recipients as not existing that it is at fault. They wait
        again.
    """
    change(connection, claimed, lease_until=microseconds(now) + span(lease))
    gone: list[str] = []
    for outcome in outcomes:
        state = {
            "posted": Outcome.POSTED,
            "refused": Outcome.REFUSED,
            "unavailable": Outcome.WAITING,
            "unconfirmed": Outcome.HELD if hold_doubt else Outcome.WAITING,
        }[outcome.outcome]
        values = {
            "of_delivery": claimed.id,
            "of_attempt": claimed.attempts,
            "of_key": outcome.key,
            "state": state,
            "reason": storable(outcome.reason),
            "code": storable(outcome.code),
            "more_gone": int(state is Outcome.REFUSED and bool(outcome.gone)),
        }
        if outcome.outcome in {"refused", "unavailable"}:  # that does not settle an earlier attempt in doubt
            connection.execute(_RECORD_RECIPIENT, values)
        else:
            connection.execute(_RECORD_DOUBT, {**values, "in_doubt": outcome.outcome == "unconfirmed"})
        if outcome.gone:
            gone.append(outcome.key)
    store_suppression_keys(connection, keys, gone)
    return mass_fault(connection, keys, claimed, len(gone)) if gone else None


def record_bulk_result(
    connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, *, now: datetime
) -> Mapping[Outcome, int]:
    """Record the result of a delivery with recipients. Return how many of them have which outcome."""
    ordering_key = lock_key_of(connection, claimed.id)
    identity = {"of_delivery": claimed.id}
    if result.outcome in {Outcome.REFUSED, Outcome.HELD, Outcome.SUPERSEDED}:
        connection.execute(_UNSETTLED.where(_recipient.c.in_doubt).values(state=Outcome.HELD), identity)
        final = _UNSETTLED.values(state=result.outcome, reason=result.reason, code=result.code)
        connection.execute(final, identity)
    else:
        connection.execute(_RETRY_LATER, identity)
    recipients = counts(connection, [claimed.id]).get(claimed.id, {})
    overall = overall_outcome(recipients)
    result = _with_reason(connection, claimed, result, recipients)
    if overall is not Outcome.WAITING:
        result = replace(result, outcome=overall, not_before=None)
        record_words(connection, claimed, now)
    record_result(connection, claimed, result, now=now)
    supersede_partial_sends(connection, ordering_key, microseconds(now))
    return recipients


def _with_reason(
    connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, recipients: Mapping[Outcome, int]
) -> AttemptResult:
    """Fill in reason and remedy from the most frequent recipient failure if the result has none."""
    total = sum(recipients.values())
    if (held := recipients.get(Outcome.HELD, 0)) and result.outcome is not Outcome.HELD:
        reason = f"{held} of {total} may or may not have it, and the network cannot be asked."
        if recipients.get(Outcome.WAITING) and result.reason:
            reason = f"{result.reason} {reason}"
        remedy = f"Ask on {claimed.channel!r} whether they have it, then: policenotify resolve {claimed.id}"
        return replace(result, reason=reason, remedy=remedy)
    if result.reason:
        return result
    for states, remedy in _REMEDIES:
        if not any(recipients.get(state) for state in states):
            continue
        if row := connection.execute(_COMMON_REASON, {"of_delivery": claimed.id, "states": states}).first():
            reason, code, count = row
            return replace(result, reason=f"{count} of {total}: {reason}", code=code, remedy=remedy)
    if recipients.keys() == {Outcome.SUPPRESSED}:
        return replace(
            result, reason=NOBODY, remedy=f"See who: policenotify people list --suppressed {claimed.channel}"
        )
    return result


def resolve_held(connection: Connection, delivery: int, actor: str, *, posted: bool, now: datetime) -> Outcome:
    """Settle a held delivery, or its held recipients, by a person's decision; see `Deliveries.resolve`."""
    held = or_(
        _table.c.state == Outcome.HELD,
        exists().where(_recipient.c.delivery == _table.c.id, _recipient.c.state == Outcome.HELD),
    )
    lock_key_of(connection, delivery)
    row = connection.execute(select(_table).where(_table.c.id == delivery, held)).first()
    if row is None:
        state = connection.execute(select(_table.c.state).where(_table.c.id == delivery)).scalar()
        raise NotHeld(delivery, outcome=state or "")
    at = microseconds(now)
    outcome = Outcome.POSTED if posted else Outcome.WAITING
    connection.execute(
        update(_recipient)
        .where(_recipient.c.delivery == delivery, _recipient.c.state == Outcome.HELD)
        .values(state=outcome, in_doubt=False)
    )
    # Other recipients may still wait, or may be sent to just now by the process that claimed the delivery.
    others_wait = row.has_recipients and row.state in {Outcome.WAITING, Outcome.SENDING}
    columns: dict[str, object] = {
        "state": outcome,
        "in_doubt": False,
        "not_before": at,
        "settled_at": at if posted else None,
        "reason": f"{actor} has seen that it is out." if posted else f"{actor} has seen that it is not out.",
        "remedy": "",
        "code": "",
    }
    if others_wait:
        columns = {"remedy": "", "reason": f"{actor} has settled who was held; the others still wait."}
    connection.execute(update(_table).where(_table.c.id == delivery).values(**columns))
    body: dict[str, object] = {"posted": posted, "outcome": row.state if others_wait else outcome}
    if row.has_recipients:
        body["attempt"] = attempt = row.attempts - (row.state == Outcome.SENDING)  # one under way reaches more
        body["served"] = served(connection, delivery, attempt)
    record_delivery(connection, row, now, "resolved", body, actor=actor)
    if posted or others_wait or row.operation != Operation.POST or not is_superseded(connection, row):
        return outcome
    cancel_pending(connection, row, Outcome.SUPERSEDED, NEWER_SENT, at)
    return Outcome.SUPERSEDED
