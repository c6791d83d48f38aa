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
    ColumnElement,
    Connection,
    Row,
    Select,
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
from policenotify.journal.audit import is_settled, last_settlement, record_delivery
from policenotify.journal.authentication import is_authentic, read_ref, request_mac
from policenotify.journal.bulk import pages
from policenotify.journal.bulk.recipients import NOBODY, counts, overall_outcome
from policenotify.journal.channels import opens_at, take_slot
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.keys import Keys
from policenotify.journal.records import TAKEN_DOWN, ClaimedDelivery, TakenBack, microseconds, moment, priority, span
from policenotify.journal.verify import digest_of
from policenotify.log import fields
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
NEVER_APPEARED = "The post to be deleted never appeared."
NOT_FOUND = "Whether the post to be deleted is out is not known. Look for it, and delete it by hand."
DAMAGED = (
    "What the journal holds of it, or of the post it is about, is damaged or was changed. Publish it by hand, then: "
    "policenotify resolve."
)
FORGED = (
    "What the journal holds of it is not what was published, or it was settled before: somebody changed the database. "
    "Nothing was sent just now. Publish it by hand, then: policenotify resolve. Find out who can write the database."
)

_log = logging.getLogger("policenotify")
_SEVERE = priority(Severity.SEVERE)
_LEAST = max(priority(severity) for severity in Severity)
_CLOSING = (Stage.END, Stage.CANCELLATION)
_table, _recipient, _publication, _page = schema.delivery, schema.recipient, schema.publication, schema.page
_before, _later = _table.alias("before"), _table.alias("later")

# --- order

_IN_TRIED_PAGE = and_(  # people of a delivery, of whom only these may have been written to
    _page.c.delivery == _table.c.id,
    _page.c.attempt > 0,
    _recipient.c.delivery == _page.c.delivery,
    _recipient.c.page == _page.c.number,
)
_MAY_BE_POSTED = or_(  # it is, may be, or is about to be posted
    _table.c.state.in_([Outcome.POSTED, Outcome.SENDING, Outcome.HELD, Outcome.DELETED]),
    _table.c.in_doubt,
    exists().where(
        _IN_TRIED_PAGE,
        or_(_recipient.c.in_doubt, _recipient.c.state.in_([Outcome.POSTED, Outcome.SENDING, Outcome.HELD])),
    ),
)
_POSTED = select(_table.c.id).where(_table.c.ordering_key == bindparam("ordering_key"), _MAY_BE_POSTED).limit(1)
_PARTIALLY_SENT = select(_table).where(
    _table.c.has_recipients,
    _table.c.state == Outcome.WAITING,
    exists().where(_IN_TRIED_PAGE, or_(_recipient.c.in_doubt, _recipient.c.state.in_([Outcome.POSTED, Outcome.HELD]))),
    exists().where(
        _later.c.ordering_key == _table.c.ordering_key,
        _later.c.id > _table.c.id,
        _later.c.publication != _table.c.publication,
        _later.c.state != Outcome.SKIPPED,
    ),
    _table.c.ordering_key == bindparam("ordering_key"),
)
_KEYS = (
    select(_table.c.ordering_key)
    .where(_table.c.ordering_key.in_(bindparam("keys", expanding=True)))
    .order_by(_table.c.ordering_key, _table.c.id)
    .with_for_update(key_share=True)
)
_KEY_OF = select(_table.c.ordering_key).where(_table.c.id == bindparam("delivery"))


def lock(connection: Connection, *ordering_keys: str) -> set[str]:
    """Lock the deliveries of some ordering keys. Return the keys that have any.

    They are locked in the order of keys and ids, so that no two processes wait for each other.
    """
    return set(connection.execute(_KEYS, {"keys": [*ordering_keys]}).scalars())


def lock_key_of(connection: Connection, delivery: int) -> str:
    """Lock all deliveries with the ordering key of a delivery. Return the key, or an empty string."""
    ordering_key = connection.execute(_KEY_OF, {"delivery": delivery}).scalar() or ""
    if connection.dialect.name != "sqlite":  # a file has one writer at a time
        lock(connection, ordering_key)
    return ordering_key


def opening_not_posted(connection: Connection, ordering_key: str) -> bool:
    """Return True if nothing under this key is, may be, or is about to be posted."""
    return connection.execute(_POSTED, {"ordering_key": ordering_key}).first() is None


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
    people: Mapping[Outcome, int] = {}
    if row.has_recipients:
        waiting = update(_recipient).where(_recipient.c.delivery == row.id, _recipient.c.state == Outcome.WAITING)
        connection.execute(waiting.where(_recipient.c.in_doubt).values(state=Outcome.HELD))
        connection.execute(waiting.values(state=outcome, reason=reason))
        pages.update_states(connection, row.id)
        people = counts(connection, [row.id]).get(row.id, {})
    settle_cancelled(connection, row, outcome, reason, at, people)


def settle_cancelled(
    connection: Connection, row: Row[Any], outcome: Outcome, reason: str, at: int, people: Mapping[Outcome, int]
) -> None:
    """Settle a delivery that is not to be sent, given how many of its people have which outcome."""
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
    _log_held(logging.ERROR, row, "forged")
    cancel_pending(connection, row, Outcome.HELD, FORGED, now)


def _log_held(level: int, row: Row[Any], why: str) -> None:
    about = {"channel": row.channel, "delivery": row.id, "publication": row.publication}
    text = "Channel %s: publication %s, delivery %s: held [%s]"
    _log.log(level, text, row.channel, row.publication, row.id, why, extra=fields("held", **about, outcome="held"))


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


def _earliest(at: ColumnElement[Any], *which: ColumnElement[bool]) -> Select[Any]:
    """Return the query for the earliest of these times on each channel."""
    on_channels = _table.c.channel.in_(bindparam("channels", expanding=True))
    return select(_table.c.channel, func.min(at)).where(on_channels, *which).group_by(_table.c.channel)


_NEXT_READY = _earliest(_table.c.not_before, _NEXT_UP)
_NEXT_READABLE = _earliest(_table.c.not_before, _NEXT_UP, ~pages.POSTPONED)
# Without a lease and an owner, which only damage leaves behind, a delivery is recovered at once.
_NEXT_LEASE = _earliest(
    func.coalesce(_table.c.lease_until, 0), _table.c.state == Outcome.SENDING, _table.c.has_recipients.is_(False)
)
_NEXT_PAGE = union_all(  # that another worker may take, or whose lease expires
    _earliest(_table.c.not_before, pages.SHARED),
    _earliest(func.coalesce(_page.c.lease_until, 0), _page.c.state == Outcome.SENDING).join(
        _table, _table.c.id == _page.c.delivery
    ),
)
_ON_CHANNEL = (
    select(_table, _publication.c.incident)
    .join(_publication, _publication.c.id == _table.c.publication)
    .where(_table.c.channel == bindparam("channel"), _table.c.priority <= bindparam("least"))
    .order_by(_table.c.priority, _table.c.id)
    .limit(1)
)
_READY = _ON_CHANNEL.where(_NEXT_UP, _table.c.not_before <= bindparam("now"))
_NEXT = _READY.add_columns(last_settlement(_table)).with_for_update(key_share=True, skip_locked=True, of=_table)
# Another worker locks it for moments only, after each chunk of people: it is waited for.
_NEXT_SHARED = (
    _ON_CHANNEL.where(pages.SHARED).add_columns(last_settlement(_table)).with_for_update(key_share=True, of=_table)
)


def next_due(
    connection: Connection, rates: Mapping[str, Rate | None], now: int, *, postponed: bool = True
) -> dict[str, datetime]:
    """Return the next due time of each channel, honouring its rate. Channels with nothing to do are left out.

    A delivery that is being sent is due when its lease expires. Without *postponed*, deliveries that wait until their
    list is tried again are left out.
    """
    opens = {name: at for name, at in opens_at(connection, rates, now).items() if at is not None}
    earliest: dict[str, int] = {}
    for query in (_NEXT_READY if postponed else _NEXT_READABLE, _NEXT_LEASE, _NEXT_PAGE):
        for name, at in connection.execute(query, {"channels": list(opens), "now": now}):
            earliest[name] = min(at, earliest.get(name, at))
    return {name: moment(max(at, opens[name])) for name, at in earliest.items()}


def severe_is_ready(connection: Connection, channel: str, now: int) -> bool:
    """Return True if a delivery of severity Severe or more can be sent now."""
    return connection.execute(_READY, {"channel": channel, "now": now, "least": _SEVERE}).first() is not None


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
_WITHDRAWN = (
    select(schema.event.c.id)
    .where(schema.event.c.publication == bindparam("publication"), schema.event.c.kind == "taken_down")
    .limit(1)
)
_referred, _first = _table.alias("referred"), _publication.alias("first")
_opening = select(_first.c.id).where(_first.c.incident == _publication.c.incident).order_by(_first.c.sequence).limit(1)
_REACHED = (  # the post that it refers to: what it corrects, else the opening
    select(_referred.c.id)
    .join(_table, and_(*(_referred.c[name] == _table.c[name] for name in ("channel", "account", "language"))))
    .join(_publication, _publication.c.id == _table.c.publication)
    .where(_table.c.id == bindparam("delivery"), _referred.c.operation == Operation.POST)
    .where(_referred.c.publication == func.coalesce(_publication.c.corrects, _opening.scalar_subquery()))
    .where(_referred.c.state == Outcome.POSTED)
    .limit(1)
)
_IS_OWNED = and_(  # it is still this process's, in the attempt that it knows
    _table.c.id == bindparam("claimed_id"),
    _table.c.state == Outcome.SENDING,
    _table.c.owner == bindparam("claimed_by"),
    _table.c.attempts == bindparam("claimed_attempts"),
)
_ATTEMPT = insert(schema.attempt)
_LOCK_OWNED = select(_table.c.id).where(_IS_OWNED).with_for_update(key_share=True)
_CONFIRM = select(_table.c.id).where(_IS_OWNED, _table.c.lease_until > bindparam("now"))
_SEND = update(_table).where(_table.c.id == bindparam("taken")).values(state=Outcome.SENDING)
_TAKE = _SEND.values(owner=bindparam("by"), lease_until=bindparam("until"))


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
    """Claim the channel's next delivery, if any.

    An unreadable delivery does not block others: a damaged or forged one is held, and one of a newer policenotify, or
    of newer keys, is passed over.

    Raises:
        UnsupportedVersion: Only deliveries of a newer policenotify are left.
    """
    opens = opens_at(connection, {channel: rate}, now)[channel]
    if opens is None or opens > now:
        return None
    values = {"channel": channel, "now": now, "least": _SEVERE if severe_only else _LEAST}
    newer: UnsupportedVersion | None = None
    query, shared = _NEXT, _NEXT_SHARED
    while (row := connection.execute(query, values).first() or connection.execute(shared, values).first()) is not None:
        try:
            taken = _take(connection, keys, row, owner, now=now, lease=lease)
        except UnsupportedVersion as error:  # another host may know it
            newer, taken = error, None
        if isinstance(taken, ClaimedDelivery):
            return taken
        if taken is not None:  # it is settled
            continue
        query, shared = (each.where(_table.c.id != row.id) for each in (query, shared))
    if newer is not None:
        raise newer
    return None


def _take(
    connection: Connection, keys: Keys, row: Row[Any], owner: str, *, now: int, lease: timedelta
) -> ClaimedDelivery | Outcome | None:
    """Claim a delivery, or a page of it. Settle one that must not be sent, unless another worker is sending it.

    Returns:
        It, or how it was settled, or None if it is to be passed over.
    """
    skip = _skip_reason(connection, row, now)
    try:
        claimed = None if skip else replace(_claimed(connection, keys, row), owner=owner)
        authentic = is_authentic(keys, row) and not is_settled(row.last_settlement)
    except UnsupportedVersion:
        raise
    except ValueError:
        claimed, authentic, skip = None, True, (Outcome.HELD, DAMAGED)
        _log_held(logging.WARNING, row, "damaged")
    if row.state == Outcome.SENDING and (claimed is None or not authentic):
        return None
    if not authentic:  # nor is it skipped for what was changed
        hold_forged(connection, row, now)
        return Outcome.HELD
    if claimed is None:
        outcome, reason = skip or (Outcome.HELD, DAMAGED)
        cancel_pending(connection, row, outcome, reason, now)
        return outcome
    if row.has_recipients:
        return _take_page(connection, claimed, row, now, lease)
    connection.execute(_TAKE, {"taken": row.id, "by": owner, "until": now + span(lease)})
    return claimed


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
    connection.execute(_SEND, {"taken": row.id})
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
        TakenBack: It was withdrawn, cancelled or ended since it was claimed.
    """
    if claimed.operation is not Operation.DELETE and (over := why_over(connection, claimed.publication)):
        raise TakenBack(over)
    if claimed.page is not None:
        return pages.begin(connection, keys, claimed, request, wording, now=now, lease=lease)
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
    connection.execute(_ATTEMPT, row)
    return replace(
        claimed, attempts=number, request=request, wording=wording, first_tried_at=first, last_tried_at=moment(now)
    )


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
    if row.operation == Operation.DELETE:
        return _nothing_to_delete(connection, row.target)
    stale = ""
    if row.not_after is not None and row.not_after <= now:
        stale = EXPIRED
    elif _continues_missing_part(connection, row):
        stale = PREVIOUS_PART_MISSING
    if stale := stale or why_over(connection, row.publication):
        return Outcome.SUPERSEDED, stale
    if row.needs_opening and opening_not_posted(connection, row.ordering_key):
        return Outcome.SKIPPED, OPENING_MISSING
    return None


def why_over(connection: Connection, publication: str) -> str:
    """Return why nothing of a publication may be sent any more: it was withdrawn, or it is over. Empty if it may."""
    of_publication = {"publication": publication}
    if connection.execute(_WITHDRAWN, of_publication).first() is not None:
        return TAKEN_DOWN
    return INCIDENT_OVER if connection.execute(_CLOSED_BY, of_publication).first() is not None else ""


def _nothing_to_delete(connection: Connection, target: int | None) -> tuple[Outcome, str] | None:
    """Return the outcome and reason if the post to be deleted is not known to be out."""
    row = connection.execute(select(_table.c.state, _table.c.ref).where(_table.c.id == target)).first()
    if row is None or row.ref is not None:
        return None
    return Outcome.SUPERSEDED, (NOT_FOUND if row.state == Outcome.HELD else NEVER_APPEARED)


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
        over=row.in_doubt and row.operation != Operation.DELETE and bool(why_over(connection, row.publication)),
        reached=bool(row.reply) and connection.execute(_REACHED, {"delivery": row.id}).first() is not None,
        trace=row.trace or "",
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
