"""What became of an attempt, fenced: only the owner of the very attempt may say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, or_, select, update

from policenotify.channel import Operation, RecipientOutcome
from policenotify.errors import Blocked
from policenotify.journal import schema
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.ordering import lock_lane_of, supersede_partial_sends
from policenotify.journal.queue import change
from policenotify.journal.rate_limiter import ensure_channel
from policenotify.journal.recipients import counts, of_people, suppress
from policenotify.journal.records import AttemptResult, ClaimedDelivery, microseconds, span, storable
from policenotify.model.history import Outcome

_table, _people, _attempt = schema.delivery, schema.recipient, schema.attempt
_END = (
    update(_attempt)
    .where(_attempt.c.delivery == bindparam("its"), _attempt.c.number == bindparam("our"))
    .where(_attempt.c.ended_at.is_(None))
    .values({name: bindparam(name) for name in ("ended_at", "outcome", "reason", "code")})
)
_PERSON = (
    update(_people)
    .where(_people.c.delivery == bindparam("its"), _people.c.key == bindparam("whose"))
    .where(_people.c.state == Outcome.SENDING)
)
_TOLD = _PERSON.values({name: bindparam(name) for name in ("state", "reason", "code")} | {"attempts": bindparam("our")})
_SURE = _TOLD.values(doubt=bindparam("doubt"))
_LEFT = update(_people).where(
    _people.c.delivery == bindparam("its"),
    or_(_people.c.state == Outcome.WAITING, _people.c.state == Outcome.SENDING),
)
_WAITS = _LEFT.values(state=Outcome.WAITING)
_MOST_TOLD = (  # what most of them were told
    select(_people.c.reason, _people.c.code, func.count())
    .where(_people.c.delivery == bindparam("its"), _people.c.state.in_(bindparam("states", expanding=True)))
    .where(_people.c.reason != "")
    .group_by(_people.c.reason, _people.c.code)
    .order_by(func.count().desc(), _people.c.reason)
    .limit(1)
)
_WORST = (
    ((Outcome.WAITING, Outcome.UNCONFIRMED), "It will be tried again."),
    ((Outcome.REFUSED,), "Reach them in another way. Correct the list where an address or a number is wrong."),
)


def settle(connection: Connection, claimed: ClaimedDelivery, became: AttemptResult, *, now: datetime) -> None:
    """Write down what became of the attempt, and let the delivery go.

    Raises:
        LostLease: The delivery was no longer ours; nothing is changed.
    """
    at, unsure = microseconds(now), became.outcome is Outcome.UNCONFIRMED
    waits = became.outcome in {Outcome.WAITING, Outcome.UNCONFIRMED}
    new: dict[str, object] = {
        "state": Outcome.WAITING if waits else became.outcome,
        "not_before": microseconds(became.not_before) if became.not_before else at,
        "backoff": span(became.backoff),
        "owner": None,
        "lease_until": None,
        "reason": became.reason,
        "remedy": became.remedy,
        "code": became.code,
        "settled_at": None if waits else at,
        "unseen_at": microseconds(became.unseen_at) if became.unseen_at else None,
    }
    if became.outcome is not Outcome.REFUSED:  # a refusal says nothing of an earlier attempt that was in doubt
        new["doubt"] = unsure or became.outcome is Outcome.HELD
    if became.ref is not None:
        new["ref"] = became.ref.model_dump_json()
    if became.standalone:
        new |= {"request": None, "wording": "standalone"}
    if became.new_request:
        new |= {"request": None, "variant": claimed.request_version + 1}
    if became.resend_as_post:  # what was in doubt was the edit
        new |= {"request": None, "wording": "", "variant": 0, "operation": Operation.POST, "doubt": False}
    if became.outcome is Outcome.DELETED:
        lock_lane_of(connection, claimed.id)
    change(connection, claimed, **new)
    if became.outcome is Outcome.DELETED and claimed.target is not None:
        _withdraw(connection, claimed, now)
    end_attempt(connection, claimed, became.outcome, became.reason, became.code, at)
    body = {"outcome": became.outcome, "code": became.code, "attempt": claimed.attempts}
    record(
        connection,
        now,
        RUNNER,
        "settled",
        body,
        publication=claimed.publication,
        delivery=claimed.id,
        channel=claimed.channel,
    )


def _withdraw(connection: Connection, claimed: ClaimedDelivery, now: datetime) -> None:
    """The post that a deletion was about is not out any more."""
    target = select(_table.c.target).where(_table.c.id == claimed.id).scalar_subquery()
    row = connection.execute(select(_table.c.id, _table.c.publication).where(_table.c.id == target)).one()
    connection.execute(update(_table).where(_table.c.id == row.id).values(state=Outcome.DELETED))
    record(
        connection,
        now,
        RUNNER,
        "deleted",
        {"by": claimed.publication},
        publication=row.publication,
        delivery=row.id,
        channel=claimed.channel,
    )


def end_attempt(
    connection: Connection, claimed: ClaimedDelivery, outcome: Outcome, reason: str, code: str, at: int
) -> None:
    """Close the attempt's own row, if one is open."""
    those = {"its": claimed.id, "our": claimed.attempts}
    connection.execute(_END, {**those, "ended_at": at, "outcome": outcome, "reason": reason, "code": code})


def settle_people(
    connection: Connection,
    claimed: ClaimedDelivery,
    outcomes: Iterable[RecipientOutcome],
    *,
    now: datetime,
    hold_doubt: bool,
    lease: timedelta,
) -> None:
    """Write down what became of some people, and keep the delivery a while longer.

    Raises:
        LostLease: The delivery was no longer ours; nothing is changed.
    """
    at = microseconds(now)
    change(connection, claimed, lease_until=at + span(lease))
    gone = []
    for one in outcomes:
        state = {
            "posted": Outcome.POSTED,
            "refused": Outcome.REFUSED,
            "unavailable": Outcome.WAITING,
            "unconfirmed": Outcome.HELD if hold_doubt else Outcome.WAITING,
        }[one.outcome]
        said = {"reason": storable(one.reason), "code": storable(one.code)}
        told = {"its": claimed.id, "our": claimed.attempts, "whose": one.key, "state": state, **said}
        if one.outcome in {"refused", "unavailable"}:  # that says nothing of an earlier attempt that was in doubt
            connection.execute(_TOLD, told)
        else:
            connection.execute(_SURE, {**told, "doubt": one.outcome == "unconfirmed"})
        if one.gone:
            gone.append(one.key)
    suppress(connection, gone, "The mailbox does not exist, or wants no more.", at)


def block(connection: Connection, channel: str, error: Blocked, *, now: datetime) -> bool:
    """Let nothing more out on a channel until a person acts; returns whether that is news."""
    table, at = schema.channel, microseconds(now)
    said = {name: storable(getattr(error, name)) for name in ("reason", "remedy", "code")}
    ensure_channel(connection, channel)
    news = connection.execute(
        update(table).where(table.c.name == channel, table.c.blocked_at.is_(None)).values(blocked_at=at, **said)
    ).rowcount
    if news:
        body = {name: said[name] for name in ("reason", "code")}
        record(connection, now, RUNNER, "blocked", body, channel=channel)
    return bool(news)


def unblock(connection: Connection, channel: str, actor: str, *, now: datetime) -> bool:
    """Let a channel go on; returns whether it was blocked or paused."""
    table = schema.channel
    changed = connection.execute(
        update(table)
        .where(table.c.name == channel, or_(table.c.blocked_at.is_not(None), table.c.paused_until.is_not(None)))
        .values(blocked_at=None, paused_until=None, reason="", remedy="", code="")
    ).rowcount
    if changed:
        record(connection, now, actor, "resumed", {}, channel=channel)
    return bool(changed)


def pause(connection: Connection, channel: str, until: datetime) -> None:
    """The network asked the account to wait."""
    table, at = schema.channel, microseconds(until)
    ensure_channel(connection, channel)
    connection.execute(
        update(table)
        .where(table.c.name == channel, or_(table.c.paused_until.is_(None), table.c.paused_until < at))
        .values(paused_until=at)
    )


def settle_mass(
    connection: Connection, claimed: ClaimedDelivery, became: AttemptResult, *, now: datetime
) -> Mapping[Outcome, int]:
    """Write down what a mass delivery has come to, from what became of its people; returns how many have which.

    Raises:
        LostLease: The delivery was no longer ours; nothing is changed.
    """
    lane = lock_lane_of(connection, claimed.id)
    its = {"its": claimed.id}
    if became.outcome in {Outcome.REFUSED, Outcome.HELD, Outcome.SUPERSEDED}:
        connection.execute(_LEFT.where(_people.c.doubt).values(state=Outcome.HELD), its)
        connection.execute(_LEFT.values(state=became.outcome, reason=became.reason, code=became.code), its)
    else:
        connection.execute(_WAITS, its)
    people = counts(connection, [claimed.id]).get(claimed.id, {})
    total = of_people(people)
    told = _told(connection, claimed, became, people)
    settle(connection, claimed, told if total is Outcome.WAITING else _over(told, total), now=now)
    supersede_partial_sends(connection, lane, microseconds(now))
    return people


def _over(told: AttemptResult, total: Outcome) -> AttemptResult:
    return replace(told, outcome=total, not_before=None)


def _told(
    connection: Connection, claimed: ClaimedDelivery, became: AttemptResult, people: Mapping[Outcome, int]
) -> AttemptResult:
    """The settlement with a word for those who fared worst, where it has none of its own."""
    everybody = sum(people.values())
    if (held := people.get(Outcome.HELD, 0)) and became.outcome is not Outcome.HELD:
        unsure = f"{held} of {everybody} may or may not have it, and the network cannot be asked."
        waits = became.reason if people.get(Outcome.WAITING) else ""
        remedy = f"Ask on {claimed.channel!r} whether they have it, then: policenotify resolve {claimed.id}"
        return replace(became, reason=f"{waits} {unsure}".lstrip(), remedy=remedy)
    if became.reason:
        return became
    for states, remedy in _WORST:
        if not any(people.get(state) for state in states):
            continue
        if row := connection.execute(_MOST_TOLD, {"its": claimed.id, "states": states}).first():
            reason, code, count = row
            return replace(became, reason=f"{count} of {everybody}: {reason}", code=code, remedy=remedy)
    return became
