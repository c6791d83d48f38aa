"""The delivery queue: which delivery is sent next, in which order, and which is not sent any more.

One claim query decides order, urgency, "not before", staleness and doubt. An ordering key names an incident on a
channel: its deliveries are sent in the order of their ids, and never when they are out of date.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    or_,
    select,
    union_all,
    update,
)

from policenotify.channel import Operation, Post, PostRef, Request
from policenotify.errors import UnsupportedVersion
from policenotify.journal import pages, tally
from policenotify.journal.audit import is_settled, last_settlement, record_delivery
from policenotify.journal.authentication import is_authentic, read_ref, request_mac
from policenotify.journal.channels import opens_at, take_slot
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.halts import ABORTED, aborted_words, halted_by
from policenotify.journal.keys import Keys
from policenotify.journal.leases import is_dead, is_of_this_boot, is_running
from policenotify.journal.recipients import NOBODY, counts, overall_outcome, release_recipients
from policenotify.journal.records import ClaimedDelivery, latest_pause, microseconds, moment, priority, span
from policenotify.journal.verify import digest_of
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.rate import Rate

INCIDENT_OVER = "It was over before this could be sent; it would have been stale."
OPENING_MISSING = (
    "The opening never appeared here, and this channel does not announce the end of what it did not announce."
)
PREVIOUS_PART_MISSING = "It continues another post, and that one is not out."
NEWER_SENT = "A newer message went out instead."
EXPIRED = "It had expired before it could be sent."
DAMAGED = (
    "What the journal holds of it, or of the post it is about, is damaged or was changed. Publish it by hand, then: "
    "policenotify resolve."
)

FORGED = (
    "What the journal holds of it is not what was published, or it was settled before: somebody changed the database. "
    "Nothing was sent just now. Publish it by hand, then: policenotify resolve. Find out who can write the database."
)

INTERRUPTED = "interrupted"
"""The kind of event that records a recovered delivery."""

RECOVERED_AGAIN = "taken_over_again"
"""The kind of event that records a delivery recovered twice within one lease."""

_log = logging.getLogger("policenotify")
_SEVERE = priority(Severity.SEVERE)
_LEAST = max(priority(severity) for severity in Severity)
_CLOSING = (Stage.END, Stage.CANCELLATION)
_table, _recipient, _publication, _page = schema.delivery, schema.recipient, schema.publication, schema.page
_before, _later = _table.alias("before"), _table.alias("later")

# --- order

_MAY_BE_POSTED = or_(  # it is, may be, or is about to be posted
    _table.c.state.in_([Outcome.POSTED, Outcome.SENDING, Outcome.HELD, Outcome.DELETED]),
    _table.c.in_doubt,
    exists().where(  # only in pages that were tried
        _page.c.delivery == _table.c.id,
        _page.c.attempt > 0,
        _recipient.c.delivery == _page.c.delivery,
        _recipient.c.page == _page.c.number,
        or_(_recipient.c.in_doubt, _recipient.c.state.in_([Outcome.POSTED, Outcome.SENDING, Outcome.HELD])),
    ),
)
_PARTIALLY_SENT = select(_table).where(
    _table.c.has_recipients,
    _table.c.state == Outcome.WAITING,
    exists().where(
        _page.c.delivery == _table.c.id,
        _page.c.attempt > 0,
        _recipient.c.delivery == _page.c.delivery,
        _recipient.c.page == _page.c.number,
        or_(_recipient.c.in_doubt, _recipient.c.state.in_([Outcome.POSTED, Outcome.HELD])),
    ),
    exists().where(
        _later.c.ordering_key == _table.c.ordering_key,
        _later.c.id > _table.c.id,
        _later.c.publication != _table.c.publication,
        _later.c.state != Outcome.SKIPPED,
    ),
    _table.c.ordering_key == bindparam("ordering_key"),
)


def lock(connection: Connection, *ordering_keys: str) -> set[str]:
    """Lock the deliveries of some ordering keys. Return the keys that have any.

    They are locked in the order of keys and ids, so that no two processes wait for each other.
    """
    query = select(_table.c.ordering_key).where(_table.c.ordering_key.in_(ordering_keys))
    query = query.order_by(_table.c.ordering_key, _table.c.id).with_for_update(key_share=True)
    return set(connection.execute(query).scalars())


def lock_key_of(connection: Connection, delivery: int) -> str:
    """Lock all deliveries with the ordering key of a delivery. Return the key, or an empty string."""
    query = select(_table.c.ordering_key).where(_table.c.id == bindparam("delivery"))
    ordering_key = connection.execute(query, {"delivery": delivery}).scalar() or ""
    lock(connection, ordering_key)
    return ordering_key


def opening_not_posted(connection: Connection, ordering_key: str) -> bool:
    """Return True if nothing under this key is, may be, or is about to be posted."""
    posted = select(_table.c.id).where(_table.c.ordering_key == ordering_key, _MAY_BE_POSTED)
    return connection.execute(posted.limit(1)).first() is None


def is_superseded(connection: Connection, row: Row[Any]) -> bool:
    """Return True if a newer message may be posted: one in the same language, or the end in any."""
    newer = (
        select(_table.c.id)
        .join(_publication, _publication.c.id == _table.c.publication)
        .where(_table.c.ordering_key == row.ordering_key, _table.c.id > row.id)
        .where(_table.c.publication != row.publication, _MAY_BE_POSTED)
        .where(or_(_table.c.language == row.language, _publication.c.stage.in_(_CLOSING)))
    )
    return connection.execute(newer.limit(1)).first() is not None


def cancel_stale(connection: Connection, ordering_key: str, at: int) -> None:
    """Supersede all unsent deliveries of an incident that has ended."""
    unsent = select(_table).where(
        _table.c.ordering_key == ordering_key, _table.c.state == Outcome.WAITING, _table.c.in_doubt.is_(False)
    )
    for row in connection.execute(unsent).all():
        cancel_pending(connection, row, Outcome.SUPERSEDED, INCIDENT_OVER, at)


def inherit_priority(connection: Connection, ordering_key: str, urgent: int) -> None:
    """Raise deliveries to the priority of a later one that waits for them, those being sent included."""
    connection.execute(
        update(_table)
        .where(_table.c.ordering_key == ordering_key, _table.c.state.in_([Outcome.WAITING, Outcome.SENDING]))
        .where(_table.c.priority > urgent)
        .values(priority=urgent)
    )


def supersede_partial_sends(connection: Connection, ordering_key: str, at: int) -> None:
    """Cancel mails that reached some recipients once a newer one follows: the others get that one.

    A mailbox that asks to come back later must not delay the next mail to everybody else.
    """
    for row in connection.execute(_PARTIALLY_SENT, {"ordering_key": ordering_key}).all():
        cancel_pending(connection, row, Outcome.SUPERSEDED, NEWER_SENT, at)


def cancel_pending(connection: Connection, row: Row[Any], outcome: Outcome, reason: str, at: int) -> None:
    """Settle a waiting delivery that is not to be sent. Recipients in doubt are held."""
    if row.has_recipients:
        waiting = update(_recipient).where(_recipient.c.delivery == row.id, _recipient.c.state == Outcome.WAITING)
        connection.execute(waiting.where(_recipient.c.in_doubt).values(state=Outcome.HELD))
        connection.execute(waiting.values(state=outcome, reason=reason))
        pages.update_states(connection, row.id)
        people = counts(connection, [row.id]).get(row.id)
        outcome = overall_outcome(people) if people else outcome
    settled = {"state": outcome, "reason": reason, "remedy": "", "code": "", "settled_at": at}
    connection.execute(update(_table).where(_table.c.id == row.id).values(**settled))
    record_delivery(
        connection, row, moment(at), "settled", {"outcome": outcome, "reason": reason, **_stated(connection, row)}
    )


def _stated(connection: Connection, row: Row[Any]) -> dict[str, str]:
    """Return the digest of the request that people got before their delivery was interrupted, if it is authentic."""
    if not row.has_recipients or not row.request:
        return {}
    mac = request_mac(
        connection.get_execution_options()["policenotify_keys"], row.post_key, row.request_version, row.request
    )
    return {"request": digest_of(json_object(row.request))} if mac == row.request_mac else {}


def hold_forged(connection: Connection, row: Row[Any], now: int) -> None:
    """Hold a delivery that is not what was published, and raise the alarm."""
    _log.error("Channel %s: publication %s, delivery %s: held [forged]", row.channel, row.publication, row.id)
    cancel_pending(connection, row, Outcome.HELD, FORGED, now)


# --- what is due

_NEXT_UP = and_(  # waiting, rendered, not paused, and nothing before it under its key is still to come
    _table.c.state == Outcome.WAITING,
    _table.c.account != "",
    _table.c.halt == "",
    ~exists().where(
        _before.c.ordering_key == _table.c.ordering_key,
        _before.c.id < _table.c.id,
        or_(_before.c.state == Outcome.WAITING, _before.c.state == Outcome.SENDING),
    ),
)
_ON_CHANNELS = _table.c.channel.in_(bindparam("channels", expanding=True))
_NEXT_READY = (
    select(_table.c.channel, func.min(_table.c.not_before)).where(_ON_CHANNELS, _NEXT_UP).group_by(_table.c.channel)
)
# Without a lease and an owner, which only damage leaves behind, a delivery is recovered at once.
_LEASE_UNTIL = func.coalesce(_table.c.lease_until, 0)
_OWNER = func.coalesce(_table.c.owner, "")
_NEXT_LEASE = (
    select(_table.c.channel, func.min(_LEASE_UNTIL))
    .where(_ON_CHANNELS, _table.c.state == Outcome.SENDING, _table.c.has_recipients.is_(False))
    .group_by(_table.c.channel)
)
_NEXT_PAGE = union_all(  # that another worker may take, or whose lease expires
    select(_table.c.channel, func.min(_table.c.not_before))
    .where(_ON_CHANNELS, pages.SHARED)
    .group_by(_table.c.channel),
    select(_table.c.channel, func.min(func.coalesce(_page.c.lease_until, 0)))
    .join(_table, _table.c.id == _page.c.delivery)
    .where(_ON_CHANNELS, _page.c.state == Outcome.SENDING)
    .group_by(_table.c.channel),
)
_ON_CHANNEL = (
    select(_table, _publication.c.incident)
    .join(_publication, _publication.c.id == _table.c.publication)
    .where(_table.c.channel == bindparam("channel"), _table.c.priority <= bindparam("least"))
    .order_by(_table.c.priority, _table.c.id)
    .limit(1)
)
_READY = _ON_CHANNEL.where(_NEXT_UP, _table.c.not_before <= bindparam("now"))
_NEXT = _READY.add_columns(last_settlement(_table)).with_for_update(skip_locked=True, of=_table)
# Another worker locks it for moments only, after each chunk of people: it is waited for.
_NEXT_SHARED = _ON_CHANNEL.where(pages.SHARED).add_columns(last_settlement(_table)).with_for_update(of=_table)


def next_due(connection: Connection, rates: Mapping[str, Rate | None], now: int) -> dict[str, datetime]:
    """Return the next due time of each channel, honouring its rate. Channels with nothing to do are left out.

    A delivery that is being sent is due when its lease expires.
    """
    opens = {name: at for name, at in opens_at(connection, rates, now).items() if at is not None}
    earliest: dict[str, int] = {}
    for query in (_NEXT_READY, _NEXT_LEASE, _NEXT_PAGE):
        for name, at in connection.execute(query, {"channels": list(opens), "now": now}):
            earliest[name] = min(at, earliest.get(name, at))
    return {name: moment(max(at, opens[name])) for name, at in earliest.items()}


def severe_is_ready(connection: Connection, channel: str, now: int) -> bool:
    """Return True if a delivery of severity Severe or more can be sent now."""
    return connection.execute(_READY, {"channel": channel, "now": now, "least": _SEVERE}).first() is not None


# --- recovery

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


def recover(connection: Connection, now: int, lease: timedelta) -> int:
    """Return deliveries of processes that exited, or let their lease expire, to waiting. Return their number.

    A delivery whose attempt had begun is in doubt. A second recovery within one lease raises an alarm: processes keep
    exiting in the middle of this delivery, or two of them take it from each other.
    """
    recovered = 0
    for seen in sorted(connection.execute(_SENDING).all(), key=lambda row: str(row.ordering_key)):
        if not _is_abandoned(seen, now):
            continue
        lock(connection, seen.ordering_key)
        still = and_(_table.c.id == seen.id, _table.c.state == Outcome.SENDING, seen.owner == _OWNER)
        row = connection.execute(select(_table).where(still, seen.lease_until == _LEASE_UNTIL)).first()
        if row is None:  # settled, renewed, or recovered by another process meanwhile
            continue
        recovered += 1
        begun = _end_attempt(connection, row.id, row.attempts, now)
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
    return recovered + _recover_pages(connection, now, lease)


def _is_abandoned(seen: Row[Any], now: int) -> bool:
    """Return True if a claim's owner exited, or let its lease expire."""
    # A claim of more than a day was written by a clock that was ahead. Of an hour, its owner may be alive still.
    possible = seen.lease_until <= latest_pause(now) or is_running(seen.owner)  # else this clock is behind
    return not (now < seen.lease_until and possible and not is_dead(seen.owner))


def _end_attempt(connection: Connection, delivery: int, number: int, now: int) -> bool:
    """End an interrupted attempt. Return whether it had begun."""
    attempt = schema.attempt
    interrupted = update(attempt).where(
        attempt.c.delivery == delivery, attempt.c.number == number, attempt.c.ended_at.is_(None)
    )
    ended = {"ended_at": now, "outcome": Outcome.UNCONFIRMED, "reason": "The sending process stopped."}
    return connection.execute(interrupted.values(**ended, code="interrupted")).rowcount > 0


def _recover_pages(connection: Connection, now: int, lease: timedelta) -> int:
    """Return the pages of processes that exited, or let their lease expire, to waiting.

    Return the number of their deliveries. People who were being sent to are in doubt.
    """
    abandoned: dict[int, list[Row[Any]]] = {}
    for seen in connection.execute(_SENDING_PAGES).all():
        if _is_abandoned(seen, now):
            lock(connection, seen.ordering_key)
            still = and_(_page.c.delivery == seen.delivery, _page.c.number == seen.number)
            same = and_(_page.c.state == Outcome.SENDING, seen.owner == _PAGE_OWNER, seen.lease_until == _PAGE_LEASE)
            page = connection.execute(select(_page).where(still, same).with_for_update()).first()
            if page is not None:
                abandoned.setdefault(page.delivery, []).append(page)
    for delivery, found in abandoned.items():
        row = connection.execute(select(_table).where(_table.c.id == delivery)).one()
        begun = False
        for page in found:
            begun |= _end_attempt(connection, delivery, page.attempt, now)
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
        if row.halt == ABORTED:
            cancel_pending(connection, row, Outcome.SUPERSEDED, aborted_words(halted_by(connection, row)), now)
        supersede_partial_sends(connection, row.ordering_key, now)
    return len(abandoned.keys() | {row.id for row in damaged})


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
    _log.error(text, row.id, row.channel, row.publication)
    body = {"owner": owner or row.owner, "attempt": row.attempts}
    record_delivery(connection, row, moment(now), RECOVERED_AGAIN, body)


def _may_lack_writes(connection: Connection, owner: str) -> bool:
    """Return True if a power cut may have undone the last writes of *owner*.

    In a file, the start of each recipient is not flushed to disk. Such writes survive the end of the process, but not
    of the machine.
    """
    return connection.dialect.name == "sqlite" and not is_of_this_boot(owner)


# --- claims

_closing = schema.publication.alias("over")
_CLOSED_BY = (
    select(_closing.c.id)
    .where(
        _publication.c.stage != Stage.CANCELLATION,
        _closing.c.stage.in_(_CLOSING),
        or_(
            and_(_closing.c.incident == _publication.c.incident, _closing.c.sequence > _publication.c.sequence),
            and_(
                _publication.c.incident.is_(None),
                _closing.c.corrects == func.coalesce(_publication.c.corrects, _publication.c.id),
                _closing.c.id != _publication.c.id,
            ),
        ),
        _publication.c.id == bindparam("publication"),
    )
    .limit(1)
)
_IS_OWNED = and_(  # it is still this process's, in the attempt that it knows
    _table.c.id == bindparam("claimed_id"),
    _table.c.state == Outcome.SENDING,
    _table.c.owner == bindparam("claimed_by"),
    _table.c.attempts == bindparam("claimed_attempts"),
)
_LOCK_OWNED = select(_table.c.id).where(_IS_OWNED).with_for_update()
_CONFIRM = select(_table.c.id).where(_IS_OWNED, _table.c.lease_until > bindparam("now"))
_TAKE = (
    update(_table)
    .where(_table.c.id == bindparam("taken"))
    .values(state=Outcome.SENDING, owner=bindparam("by"), lease_until=bindparam("until"))
)


def take_next(
    connection: Connection,
    keys: Keys,
    channel: str,
    owner: str,
    *,
    now: int,
    lease: timedelta,
    severe_only: bool,
    rate: Rate | None = None,
) -> ClaimedDelivery | None:
    """Claim the channel's next delivery, if any, after recovering interrupted ones.

    An unreadable delivery does not block others: a damaged or forged one is held, and one of a newer policenotify, or
    of newer keys, is passed over.

    Raises:
        UnsupportedVersion: Only deliveries of a newer policenotify are left.
    """
    recover(connection, now, lease)
    opens = opens_at(connection, {channel: rate}, now)[channel]
    if opens is None or opens > now:
        return None
    values = {"channel": channel, "now": now, "least": _SEVERE if severe_only else _LEAST}
    newer: UnsupportedVersion | None = None
    query, shared = _NEXT, _NEXT_SHARED
    while (row := connection.execute(query, values).first() or connection.execute(shared, values).first()) is not None:
        skip = _skip_reason(connection, row, now)
        try:
            claimed = None if skip else _claimed(connection, keys, row)
            authentic = is_authentic(keys, row) and not is_settled(row.last_settlement)
        except UnsupportedVersion as error:  # another host may know it
            newer = error
            query, shared = (each.where(_table.c.id != row.id) for each in (query, shared))
            continue
        except ValueError:
            claimed, authentic, skip = None, True, (Outcome.HELD, DAMAGED)
            text = "Channel %s: publication %s, delivery %s: held [damaged]"
            _log.warning(text, channel, row.publication, row.id)
        if not authentic:  # nor is it skipped for what was changed
            hold_forged(connection, row, now)
        elif claimed is not None and row.has_recipients:
            if (taken := _take_page(connection, replace(claimed, owner=owner), row, now, lease)) is not None:
                return taken
            query, shared = (each.where(_table.c.id != row.id) for each in (query, shared))
        elif claimed is not None:
            connection.execute(_TAKE, {"taken": row.id, "by": owner, "until": now + span(lease)})
            return replace(claimed, owner=owner)
        elif skip is not None:
            cancel_pending(connection, row, *skip, now)
    if newer is not None:
        raise newer
    return None


def _take_page(
    connection: Connection, claimed: ClaimedDelivery, row: Row[Any], now: int, lease: timedelta
) -> ClaimedDelivery | None:
    """Claim a page of a delivery. Return None if no page is due, or if it was changed in the database."""
    page = pages.claim(connection, claimed.id, claimed.owner, now=now, lease=lease)
    if page is None:  # other workers have taken the last ones, or those that are left wait longer
        if row.state == Outcome.WAITING and (left := pages.progress(connection, row.id)).waiting:
            connection.execute(update(_table).where(_table.c.id == row.id).values(not_before=left.not_before))
        elif row.state == Outcome.WAITING:  # which only damage leaves behind
            cancel_pending(connection, row, Outcome.SKIPPED, NOBODY, now)
        return None
    if not pages.is_as_stated(connection, claimed.publication, claimed.id, page.number):
        connection.execute(
            update(_page).where(_page.c.delivery == row.id, _page.c.number == page.number).values(state=Outcome.WAITING)
        )
        hold_forged(connection, row, now)
        return None
    connection.execute(update(_table).where(_table.c.id == row.id).values(state=Outcome.SENDING))
    backoff = max(timedelta(microseconds=page.backoff), claimed.backoff)
    return replace(claimed, page=page.number, filled=page.filled, attempts=page.attempt, backoff=backoff)


def begin_attempt(
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

    The lease starts again, because an upload or a token renewal may have taken long.

    Raises:
        LostLease: Another process took the delivery over.
        RateReached: Other processes have used up the channel's rate since it was claimed.
    """
    if claimed.page is not None:
        return _begin_page(connection, keys, claimed, request, wording, now=now, lease=lease)
    if rate is not None:
        take_slot(connection, claimed.channel, rate, now)
    number, stored = claimed.attempts + 1, request.model_dump_json()
    first = claimed.first_tried_at or moment(now)
    change(
        connection,
        claimed,
        attempts=number,
        request=stored,
        request_mac=request_mac(keys, claimed.key, claimed.request_version, stored),
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


def _begin_page(
    connection: Connection,
    keys: Keys,
    claimed: ClaimedDelivery,
    request: Request,
    wording: str,
    *,
    now: int,
    lease: timedelta,
) -> ClaimedDelivery:
    """Store that an attempt at a page begins. All pages are sent with the request that was stored first."""
    row = connection.execute(select(_table).where(_table.c.id == claimed.id).with_for_update()).one()
    if row.request is not None and row.request_version == claimed.request_version:
        request, wording = Request.read(row.request), row.wording
    number, stored, first = row.attempts + 1, request.model_dump_json(), row.first_tried_at or now
    begun = pages.begin(connection, claimed, number, now + span(lease))
    columns = {"request": stored, "wording": wording, "attempts": number}
    mac = request_mac(keys, claimed.key, claimed.request_version, stored)
    tried = {"last_tried_at": now, "first_tried_at": first}
    connection.execute(update(_table).where(_table.c.id == claimed.id).values(**columns, request_mac=mac, **tried))
    attempt = {"delivery": claimed.id, "number": number, "owner": claimed.owner, "started_at": now}
    connection.execute(insert(schema.attempt), attempt)
    times = {"first_tried_at": moment(first), "last_tried_at": moment(now)}
    return replace(begun, request=request, wording=wording, **times)


def lock_claimed(connection: Connection, claimed: ClaimedDelivery) -> None:
    """Lock a delivery, or the page of one, that this process has claimed."""
    if claimed.page is not None:
        pages.lock_owned(connection, claimed)
    elif connection.execute(_LOCK_OWNED, _identity(claimed)).first() is None:
        raise pages.lost(claimed)


def confirm_lease(connection: Connection, claimed: ClaimedDelivery, now: int) -> None:
    """Check that it is claimed by this process and its lease has not expired."""
    if claimed.page is not None:
        pages.confirm_lease(connection, claimed, now)
    elif connection.execute(_CONFIRM, {**_identity(claimed), "now": now}).first() is None:
        raise pages.lost(claimed)


def change(connection: Connection, claimed: ClaimedDelivery, **columns: object) -> None:
    """Change columns of a delivery that this process has claimed."""
    if not connection.execute(_change(tuple(columns)), _identity(claimed) | columns).rowcount:
        raise pages.lost(claimed)


@cache
def _change(columns: tuple[str, ...]) -> Update:
    return update(_table).where(_IS_OWNED).values({name: bindparam(name) for name in columns})


def _identity(claimed: ClaimedDelivery) -> dict[str, object]:
    return {"claimed_id": claimed.id, "claimed_by": claimed.owner, "claimed_attempts": claimed.attempts}


def _skip_reason(connection: Connection, row: Row[Any], now: int) -> tuple[Outcome, str] | None:
    """Return the outcome and reason if the delivery must not be sent, else None. Deliveries in doubt return None."""
    if row.in_doubt:
        return None
    if row.not_after is not None and row.not_after <= now:
        return Outcome.SUPERSEDED, EXPIRED
    if _continues_missing_part(connection, row):
        return Outcome.SUPERSEDED, PREVIOUS_PART_MISSING
    if not (row.needs_opening or _is_closed(connection, row)) or not opening_not_posted(connection, row.ordering_key):
        return None
    return (Outcome.SKIPPED, OPENING_MISSING) if row.needs_opening else (Outcome.SUPERSEDED, INCIDENT_OVER)


def _continues_missing_part(connection: Connection, row: Row[Any]) -> bool:
    """Return True if this part continues a thread whose previous part was never posted."""
    if not row.part or row.operation != Operation.POST:
        return False
    previous = select(_table.c.id).where(
        _table.c.publication == row.publication,
        _table.c.channel == row.channel,
        _table.c.language == row.language,
        _table.c.operation == row.operation,
        _table.c.part < row.part,
        _table.c.state.in_([Outcome.REFUSED, Outcome.SUPERSEDED, Outcome.SKIPPED]),
    )
    return connection.execute(previous.limit(1)).first() is not None


def _is_closed(connection: Connection, row: Row[Any]) -> bool:
    """Return True if an end or a cancellation was published after it."""
    return connection.execute(_CLOSED_BY, {"publication": row.publication}).first() is not None


def _claimed(connection: Connection, keys: Keys, row: Row[Any]) -> ClaimedDelivery:
    """Read a delivery's row. Raise ValueError if it, or the post that it is about, is damaged or was changed."""
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
        has_recipients=row.has_recipients,
        in_doubt=row.in_doubt,
        attempts=row.attempts,
        first_tried_at=moment(row.first_tried_at) if row.first_tried_at is not None else None,
        last_tried_at=moment(row.last_tried_at) if row.last_tried_at is not None else None,
        unseen_at=moment(row.unseen_at) if row.unseen_at is not None else None,
        backoff=timedelta(microseconds=row.backoff),
        not_after=moment(row.not_after) if row.not_after is not None else None,
        standalone=Post.read(row.standalone) if row.standalone else None,
        reply=Post.read(row.reply) if row.reply else None,
        wording=row.wording,
        request_version=row.request_version,
        request=Request.read(row.request) if row.request else None,
        reply_to=_reply_to(connection, keys, row),
        target=_ref(connection, keys, row.target),
    )


def _reply_to(connection: Connection, keys: Keys, row: Row[Any]) -> tuple[PostRef, ...]:
    """Return the posts above this one, from the opening's first on. Empty if the opening was not posted."""
    parents = str(row.reply_to).split()
    # A further part replies to the one before, a second language to the first.
    if row.part and not row.has_recipients and row.operation == Operation.POST:
        parents.append(str(row.publication))
    if not parents:
        return ()
    same_language = _table.c.language == row.language
    rows = connection.execute(
        select(_table.c.publication, _table.c.post_key, _table.c.ref, _table.c.ref_mac, _table.c.part)
        .where(_table.c.publication.in_(parents), _table.c.channel == row.channel, _table.c.account == row.account)
        .where(_table.c.operation == Operation.POST, _table.c.state == Outcome.POSTED, _table.c.ref.is_not(None))
        .where(or_(_table.c.publication != row.publication, _table.c.part < row.part))
        # The last post of each publication counts: the last in this language, else the first in another.
        .order_by(same_language, case((same_language, _table.c.part), else_=-_table.c.part))
    ).all()
    posted = {parent.publication: read_ref(keys, parent.post_key, parent.ref, parent.ref_mac) for parent in rows}
    openings = [parent for parent in rows if parent.publication == parents[0]]
    if not openings:
        return ()
    first = min(openings, key=lambda opening: int(opening.part))
    root = read_ref(keys, first.post_key, first.ref, first.ref_mac)
    thread = [posted[publication] for publication in parents if publication in posted]
    whole = tuple(thread) if thread[0] == root else (root, *thread)
    # An edited post keeps its place in the thread.
    edited = _ref(connection, keys, row.target) if row.operation == Operation.EDIT else None
    return whole[: whole.index(edited)] if edited in whole else whole


def _ref(connection: Connection, keys: Keys, delivery: int | None) -> PostRef | None:
    if delivery is None:
        return None
    query = select(_table.c.post_key, _table.c.ref, _table.c.ref_mac)
    row = connection.execute(query.where(_table.c.id == delivery)).first()
    return read_ref(keys, row.post_key, row.ref, row.ref_mac) if row is not None and row.ref else None
