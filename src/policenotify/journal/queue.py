"""Which delivery goes next: one claim query decides order, urgency, "not before", staleness and doubt."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Update, and_, bindparam, case, exists, func, insert, or_, select, update

from policenotify.channel import Operation, Post, PostRef, Request
from policenotify.errors import LostLease, UnsupportedVersion
from policenotify.journal import rate_limiter, schema, takeovers
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.leases import is_dead, is_of_this_boot
from policenotify.journal.ordering import (
    BEGUN,
    NOT_TOLD,
    OVER,
    cancel_pending,
    lock,
    opening_not_posted,
    supersede_partial_sends,
)
from policenotify.journal.rate_limiter import opens_at
from policenotify.journal.recipients import release
from policenotify.journal.records import ClaimedDelivery, microseconds, moment, priority, span
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.rate import Rate

DAMAGED = "What the journal has of it, or of what it answers, is damaged. Say it by hand, then: policenotify resolve."

_log = logging.getLogger("policenotify")
_SEVERE = priority(Severity.SEVERE)
_LEAST = max(priority(severity) for severity in Severity)
_table = schema.delivery
_before = _table.alias("before")
_UP_NEXT = and_(  # waiting, with words, and nothing before it in its lane is still to come
    _table.c.state == Outcome.WAITING,
    _table.c.account != "",
    ~exists().where(
        _before.c.lane == _table.c.lane,
        _before.c.id < _table.c.id,
        or_(_before.c.state == Outcome.WAITING, _before.c.state == Outcome.SENDING),
    ),
)

_said, _closing = schema.publication, schema.publication.alias("over")
_OVER = (
    select(_closing.c.id)
    .where(
        _said.c.stage != Stage.CANCELLATION,
        _closing.c.stage.in_([Stage.END, Stage.CANCELLATION]),
        or_(
            and_(_closing.c.incident == _said.c.incident, _closing.c.sequence > _said.c.sequence),
            and_(
                _said.c.incident.is_(None),
                _closing.c.corrects == func.coalesce(_said.c.corrects, _said.c.id),
                _closing.c.id != _said.c.id,
            ),
        ),
        _said.c.id == bindparam("publication"),
    )
    .limit(1)
)


_FENCE = and_(  # holds only while a delivery is still ours, in the attempt that we know
    _table.c.id == bindparam("our_id"),
    _table.c.state == Outcome.SENDING,
    _table.c.owner == bindparam("our_owner"),
    _table.c.attempts == bindparam("our_attempts"),
)
_STILL_OURS = select(_table.c.id).where(_FENCE).with_for_update()
_CONFIRMED = select(_table.c.id).where(_FENCE, _table.c.lease_until > bindparam("now"))
_TAKE = (
    update(_table)
    .where(_table.c.id == bindparam("its_id"))
    .values(state=Outcome.SENDING, owner=bindparam("by"), lease_until=bindparam("until"))
)
_HELD = select(_table.c.id, _table.c.lane, _table.c.owner, _table.c.lease_until).where(
    _table.c.state == Outcome.SENDING
)
_THERE = _table.c.channel.in_(bindparam("channels", expanding=True))
_NEXT_READY = select(_table.c.channel, func.min(_table.c.not_before)).where(_THERE, _UP_NEXT).group_by(_table.c.channel)
_NEXT_LEASE = (
    select(_table.c.channel, func.min(_table.c.lease_until))
    .where(_THERE, _table.c.state == Outcome.SENDING)
    .group_by(_table.c.channel)
)
_READY = (
    select(_table, _said.c.incident)
    .join(_said, _said.c.id == _table.c.publication)
    .where(_table.c.channel == bindparam("channel"), _UP_NEXT)
    .where(_table.c.not_before <= bindparam("now"), _table.c.priority <= bindparam("least"))
    .order_by(_table.c.priority, _table.c.id)
    .limit(1)
)
_MINE = _READY.with_for_update(skip_locked=True, of=_table)


def due(connection: Connection, rates: Mapping[str, Rate | None], now: int) -> dict[str, datetime]:
    """When each channel has something to do next: at once, or at a later time; channels with nothing are left out.

    What somebody holds is to be looked at when his lease runs out; if it has, at once. Of what waits, nothing is due
    before the channel's rate lets it out.
    """
    opens = {name: at for name, at in opens_at(connection, rates, now).items() if at is not None}
    known: dict[str, int] = {}
    for query in (_NEXT_READY, _NEXT_LEASE):
        for name, at in connection.execute(query, {"channels": list(opens)}):
            known[name] = min(at, known.get(name, at))
    return {name: moment(max(at, opens[name])) for name, at in known.items()}


def severe_is_ready(connection: Connection, channel: str, now: int) -> bool:
    """Whether something Severe or more waits on the channel, to be sent now."""
    return connection.execute(_READY, {"channel": channel, "now": now, "least": _SEVERE}).first() is not None


def recover(connection: Connection, now: int, lease: timedelta) -> int:
    """Take back what dead or silent owners held: waiting again, in doubt if an attempt had begun; returns how many.

    A second time within one lease is an alarm: processes keep ending in the middle of this delivery, or two of them
    take it from each other.
    """
    leased = connection.execute(_HELD).all()
    taken_back = 0
    for seen in sorted(leased, key=lambda one: str(one.lane)):
        if seen.lease_until > now and not is_dead(seen.owner):
            continue
        lock(connection, seen.lane)
        still = and_(_table.c.id == seen.id, _table.c.state == Outcome.SENDING, _table.c.owner == seen.owner)
        row = connection.execute(select(_table).where(still, _table.c.lease_until == seen.lease_until)).first()
        if row is None:  # it was settled, held on to, or taken back by another runner meanwhile
            continue
        taken_back += 1
        begun = and_(schema.attempt.c.delivery == row.id, schema.attempt.c.ended_at.is_(None))
        ended = connection.execute(
            update(schema.attempt)
            .where(begun)
            .values(
                ended_at=now, outcome=Outcome.UNCONFIRMED, reason="The sending process stopped.", code="interrupted"
            )
        )
        release(connection, row.id, row.attempts, all_in_doubt=_may_lack_writes(connection, row.owner))
        doubt = row.doubt or (ended.rowcount > 0 and not row.mass)
        connection.execute(
            update(_table)
            .where(_table.c.id == row.id)
            .values(state=Outcome.WAITING, owner=None, lease_until=None, doubt=doubt, unseen_at=None)
        )
        takeovers.check(connection, row, now, lease)
        record(
            connection,
            moment(now),
            RUNNER,
            takeovers.INTERRUPTED,
            {"owner": row.owner, "attempt": row.attempts, "begun": ended.rowcount > 0},
            publication=row.publication,
            delivery=row.id,
            channel=row.channel,
        )
        supersede_partial_sends(connection, row.lane, now)
    return taken_back


def _may_lack_writes(connection: Connection, owner: str) -> bool:
    """Return whether a power cut may have undone the last writes of *owner*.

    In a file, who is asked next is not flushed to the disk. Such writes survive the end of a process, but not the end
    of the machine.
    """
    return connection.dialect.name == "sqlite" and not is_of_this_boot(owner)


def claim(
    connection: Connection,
    channel: str,
    owner: str,
    *,
    now: int,
    lease: timedelta,
    severe_only: bool,
    rate: Rate | None = None,
) -> ClaimedDelivery | None:
    """Take the channel's next delivery, or nothing; what was lost meanwhile is taken back first.

    What cannot be read stands in nobody's way: damaged, it is held for a person; of a newer policenotify, passed over.

    Raises:
        UnsupportedVersion: There is nothing but what a newer policenotify wrote.
    """
    recover(connection, now, lease)
    opens = opens_at(connection, {channel: rate}, now)[channel]
    if opens is None or opens > now:
        return None
    query, wanted = _MINE, {"channel": channel, "now": now, "least": _SEVERE if severe_only else _LEAST}
    newer: UnsupportedVersion | None = None
    while (row := connection.execute(query, wanted).first()) is not None:
        if (instead := _not_any_more(connection, row, now)) is None:
            try:
                return _take(connection, row, owner, now, lease)
            except UnsupportedVersion as error:  # another host may know it
                newer, query = error, query.where(_table.c.id != row.id)
                continue
            except ValueError:
                instead = Outcome.HELD, DAMAGED
                _log.warning(
                    "Channel %s: publication %s, delivery %s: held [damaged]", channel, row.publication, row.id
                )
        cancel_pending(connection, row, *instead, now)
    if newer is not None:
        raise newer
    return None


def begin(
    connection: Connection,
    claimed: ClaimedDelivery,
    request: Request,
    wording: str,
    *,
    now: int,
    lease: timedelta,
    rate: Rate | None = None,
) -> ClaimedDelivery:
    """Write down that *request* is about to be said. Nothing may leave before this is committed.

    The lease begins again: what came before (an upload, a renewed token) may have taken long.

    Raises:
        LostLease: The delivery is no longer ours.
        RateReached: Others were faster since it was claimed. Of a mass delivery it is the people that count.
    """
    if rate is not None and not claimed.has_recipients:
        rate_limiter.take(connection, claimed.channel, rate, now)
    number = claimed.attempts + 1
    text = request.model_dump_json()
    first = claimed.first_tried_at or moment(now)
    change(
        connection,
        claimed,
        attempts=number,
        request=text,
        wording=wording,
        lease_until=now + span(lease),
        last_tried_at=now,
        first_tried_at=microseconds(first),
    )
    row = {"delivery": claimed.id, "number": number, "owner": claimed.owner, "started_at": now}
    connection.execute(insert(schema.attempt), row)
    return replace(
        claimed,
        attempts=number,
        request=request,
        wording=wording,
        first_tried_at=first,
        last_tried_at=moment(now),
    )


def still_ours(connection: Connection, claimed: ClaimedDelivery) -> None:
    """Raises `LostLease` when it is not."""
    if connection.execute(_STILL_OURS, _fenced(claimed)).first() is None:
        raise _lost(claimed)


def confirm(connection: Connection, claimed: ClaimedDelivery, now: int) -> None:
    """Check that the delivery is ours and its lease has not run out by the store's clock.

    Raises:
        LostLease: It is not, or it has.
    """
    if connection.execute(_CONFIRMED, {**_fenced(claimed), "now": now}).first() is None:
        raise _lost(claimed)


def change(connection: Connection, claimed: ClaimedDelivery, **new: object) -> None:
    """Change the delivery; the values are those of its columns.

    Raises:
        LostLease: It is no longer ours; nothing is changed.
    """
    if not connection.execute(_changing(tuple(new)), _fenced(claimed) | new).rowcount:
        raise _lost(claimed)


@cache
def _changing(columns: tuple[str, ...]) -> Update:
    return update(_table).where(_FENCE).values({name: bindparam(name) for name in columns})


def _fenced(claimed: ClaimedDelivery) -> dict[str, object]:
    return {"our_id": claimed.id, "our_owner": claimed.owner, "our_attempts": claimed.attempts}


def _lost(claimed: ClaimedDelivery) -> LostLease:
    return LostLease(f"Delivery {claimed.id} on {claimed.channel!r} was taken over by another runner.")


def _not_any_more(connection: Connection, row: Row[Any], now: int) -> tuple[Outcome, str] | None:
    """What becomes of it instead, and why; `None`: it is to be sent. What is in doubt is settled first."""
    if row.doubt:
        return None
    if row.not_after is not None and row.not_after <= now:
        return Outcome.SUPERSEDED, "It had expired before it could be sent."
    if _continues_nothing(connection, row):
        return Outcome.SUPERSEDED, BEGUN
    if not (row.needs_opening or _over(connection, row)) or not opening_not_posted(connection, row.lane):
        return None
    if row.needs_opening:
        return Outcome.SKIPPED, NOT_TOLD
    return Outcome.SUPERSEDED, OVER


def _continues_nothing(connection: Connection, row: Row[Any]) -> bool:
    """Whether it goes on where another post of its publication ends that certainly is not out."""
    if not row.part or row.operation != Operation.POST:
        return False
    before = select(_table.c.id).where(
        _table.c.publication == row.publication,
        _table.c.channel == row.channel,
        _table.c.language == row.language,
        _table.c.operation == row.operation,
        _table.c.part < row.part,
        _table.c.state.in_([Outcome.REFUSED, Outcome.SUPERSEDED, Outcome.SKIPPED]),
    )
    return connection.execute(before.limit(1)).first() is not None


def _over(connection: Connection, row: Row[Any]) -> bool:
    """Whether an end or a cancellation was journalled after it."""
    return connection.execute(_OVER, {"publication": row.publication}).first() is not None


def _take(connection: Connection, row: Row[Any], owner: str, now: int, lease: timedelta) -> ClaimedDelivery:
    claimed = _claimed(connection, row)  # may not be readable: nothing is changed yet
    connection.execute(_TAKE, {"its_id": row.id, "by": owner, "until": now + span(lease)})
    return replace(claimed, owner=owner)


def _claimed(connection: Connection, row: Row[Any]) -> ClaimedDelivery:
    return ClaimedDelivery(
        id=row.id,
        owner=row.owner,
        publication=row.publication,
        incident=row.incident,
        channel=row.channel,
        account=row.account,
        key=row.post_key,
        operation=Operation(row.operation),
        severe=row.priority <= _SEVERE,
        has_recipients=row.mass,
        in_doubt=row.doubt,
        attempts=row.attempts,
        first_tried_at=moment(row.first_tried_at) if row.first_tried_at is not None else None,
        last_tried_at=moment(row.last_tried_at) if row.last_tried_at is not None else None,
        unseen_at=moment(row.unseen_at) if row.unseen_at is not None else None,
        backoff=timedelta(microseconds=row.backoff),
        not_after=moment(row.not_after) if row.not_after is not None else None,
        standalone=Post.read(row.standalone) if row.standalone else None,
        reply=Post.read(row.reply) if row.reply else None,
        wording=row.wording,
        request_version=row.variant,
        request=Request.read(row.request) if row.request else None,
        reply_to=_answers(connection, row),
        target=_ref(connection, row.target),
    )


def _answers(connection: Connection, row: Row[Any]) -> tuple[PostRef, ...]:
    """Where the posts to answer have landed, if the opening has: without it there is no thread to hang in.

    The first is always the one that everything hangs under: the opening's first post, in whatever language.
    """
    wanted = str(row.answers).split()
    # What goes on hangs under the post before, a second language under the first one.
    if row.part and not row.mass and row.operation == Operation.POST:
        wanted.append(str(row.publication))
    if not wanted:
        return ()
    ours = _table.c.language == row.language
    rows = connection.execute(
        select(_table.c.publication, _table.c.ref, _table.c.part)
        .where(_table.c.publication.in_(wanted), _table.c.channel == row.channel, _table.c.account == row.account)
        .where(_table.c.operation == Operation.POST, _table.c.state == Outcome.POSTED, _table.c.ref.is_not(None))
        .where(or_(_table.c.publication != row.publication, _table.c.part < row.part))
        # Of a publication's posts the last one read here counts: the last one in our language, else the first one.
        .order_by(ours, case((ours, _table.c.part), else_=-_table.c.part))
    ).all()
    landed = {one.publication: PostRef.read(one.ref) for one in rows}
    opened = [one for one in rows if one.publication == wanted[0]]
    if not opened:
        return ()
    root = PostRef.read(min(opened, key=lambda one: int(one.part)).ref)
    thread = [landed[publication] for publication in wanted if publication in landed]
    whole = tuple(thread) if thread[0] == root else (root, *thread)
    # A post that is edited goes on hanging where it hangs.
    edited = _ref(connection, row.target) if row.operation == Operation.EDIT else None
    return whole[: whole.index(edited)] if edited in whole else whole


def _ref(connection: Connection, delivery: int | None) -> PostRef | None:
    if delivery is None:
        return None
    ref = connection.execute(select(_table.c.ref).where(_table.c.id == delivery)).scalar()
    return PostRef.read(ref) if ref else None
