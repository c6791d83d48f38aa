"""The queue of deliveries: which one is sent next, and its claim.

One claim query decides order, urgency, "not before", staleness and doubt; see `order` for the order.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)

from policenotify.channel import Operation, Post, PostRef, Request
from policenotify.errors import UnsupportedVersion
from policenotify.journal import meta
from policenotify.journal.attempts import Attempts
from policenotify.journal.authentication import is_authentic, is_whole_batch, read_ref
from policenotify.journal.channels import opens_at
from policenotify.journal.clock import Uptime
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.journal.lists.batches import Batches
from policenotify.journal.lists.control import log_held
from policenotify.journal.lists.recipients import people_of
from policenotify.journal.lists.state import UNREADABLE
from policenotify.journal.order import (
    EXPIRED,
    FORGED,
    PLACE,
    cancel_pending,
    opening_not_posted,
    over_by,
    why_over,
)
from policenotify.journal.records import (
    DAMAGED,
    ClaimedDelivery,
    microseconds,
    moment,
    outcome_of,
    priority,
    span,
    word,
)
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.rate import Rate
from policenotify.translation import AnyText, Text

OPENING_MISSING = Text(
    "The opening never appeared here, and this channel does not announce the end of what it did not announce."
)
PREVIOUS_PART_MISSING = Text("It continues another post, and that one is not out.")
NEVER_APPEARED = Text("The post to be deleted never appeared.")
NOT_FOUND = Text("Whether the post to be deleted is out is not known. Look for it, and delete it by hand.")

_SEVERE = priority(Severity.SEVERE)
_LEAST = max(priority(severity) for severity in Severity)
_PORTION = 5_000  # values in one query: SQLite takes 32,766 (sqlite.org/limits.html)
_table, _publication = schema.delivery, schema.publication
_before = _table.alias("before")
_UNSETTLED = select(_table.c.id).where(
    _table.c.parent.is_(None), _table.c.state.in_([Outcome.WAITING, Outcome.SENDING])
)
_STATES = select(_table.c.state, _table.c.in_doubt).where(_table.c.id.in_(bindparam("ids", expanding=True)))

POSTPONED = and_(_table.c.has_recipients, _table.c.not_before > bindparam("now"), _table.c.code == UNREADABLE)
"""The condition that a delivery waits until its list is tried again. Its value is `now`."""

# --- what is due

_NEXT_UP = and_(  # waiting, not halted, and nothing before it under its key is still to come
    _table.c.state == Outcome.WAITING,
    _table.c.halt == "",
    or_(_table.c.has_recipients.is_(False), _table.c.reading),  # else its batches are claimed
    ~exists().where(
        _before.c.ordering_key == _table.c.ordering_key,
        _before.c.id < PLACE,
        _before.c.parent.is_(None),  # it is not settled before its batches are
        or_(_before.c.state == Outcome.WAITING, _before.c.state == Outcome.SENDING),
    ),
)


def _earliest(at: ColumnElement[Any], *which: ColumnElement[bool]) -> Select[Any]:
    """Return the query for the earliest of these times on each channel."""
    on_channels = _table.c.channel.in_(bindparam("channels", expanding=True))
    return select(_table.c.channel, func.min(at)).where(on_channels, *which).group_by(_table.c.channel)


# A delivery whose lease has ended, or that has none because of damage, cannot be claimed until it is recovered. While a
# list is read, another drain looks again soon, too: each batch frees it.
_LEASE_ENDS = func.coalesce(_table.c.lease_until, 0)
_LOOK_SOON = or_(bindparam("now") >= _LEASE_ENDS, _table.c.reading & (bindparam("soon") < _LEASE_ENDS))
_NEXT_LEASE = _earliest(case((_LOOK_SOON, bindparam("soon")), else_=_LEASE_ENDS), _table.c.state == Outcome.SENDING)
_NEXT_DUE = _earliest(_table.c.not_before, _NEXT_UP).union_all(_NEXT_LEASE)
_NEXT_READABLE = _earliest(_table.c.not_before, _NEXT_UP, ~POSTPONED).union_all(_NEXT_LEASE)
_SOON = 1_000_000  # microseconds
_READY = (
    select(_table)
    .where(_table.c.channel == bindparam("channel"), _table.c.priority <= bindparam("least"))
    .where(_NEXT_UP, _table.c.not_before <= bindparam("now"), bindparam("beside") != PLACE)
    .order_by(_table.c.priority, _table.c.id)
    .limit(1)
)
_IS_READY = _READY.with_only_columns(_table.c.id)
_NEXT = _READY.with_for_update(key_share=True, skip_locked=True, of=_table)
_NEXT_BATCH = (  # before more people are read
    select(_table)
    .where(_table.c.parent == bindparam("of_list"), _table.c.state == Outcome.WAITING)
    .where(_table.c.halt == "", _table.c.not_before <= bindparam("now"))
    .order_by(_table.c.number)
    .limit(1)
    .with_for_update(key_share=True, skip_locked=True, of=_table)
)
_PARENT = select(_table).where(_table.c.id == bindparam("of_list"))
_FREE = select(_table.c.id).where(_table.c.id == bindparam("of_list")).with_for_update(key_share=True, skip_locked=True)

# --- claims

_referred, _first = _table.alias("referred"), _publication.alias("first")
_opening = select(_first.c.id).where(_first.c.incident == _publication.c.incident).order_by(_first.c.sequence).limit(1)
_REACHED = (  # the post that it refers to: what it corrects, else the opening. SQLite would search by its state.
    select(_referred.c.state)
    .join(_table, and_(*(_referred.c[name] == _table.c[name] for name in ("channel", "account", "language"))))
    .join(_publication, _publication.c.id == _table.c.publication)
    # A correction by an edit is read where the post that was wrong is.
    .where(_table.c.id == bindparam("delivery"), _referred.c.operation.in_([Operation.POST, Operation.EDIT]))
    .where(_referred.c.publication == func.coalesce(_publication.c.corrects, _opening.scalar_subquery()))
)
_TAKE = (
    update(_table)
    .where(_table.c.id == bindparam("taken"))
    .values(state=Outcome.SENDING, owner=bindparam("by"), lease_until=bindparam("until"), counts=None)
)


class _Busy(Exception):
    """Another process has locked the list of a batch, and may wait for the batch."""


class Deliveries(Attempts, Batches):
    """The queue of deliveries, their attempts and results, and their people.

    Methods that take a claimed delivery raise `LostLease` if another process has taken it over. They change nothing
    then.
    """

    def unsettled(self) -> frozenset[int]:
        """Return the ids of the deliveries that are waiting or being sent."""
        with self._journal.read() as connection:
            return frozenset(connection.execute(_UNSETTLED).scalars())

    def outcomes(self, deliveries: Collection[int]) -> Mapping[Outcome, int]:
        """Return how many of these deliveries have which outcome."""
        counts, ids = Counter[Outcome](), sorted(deliveries)
        with self._journal.read() as connection:
            for start in range(0, len(ids), _PORTION):
                for row in connection.execute(_STATES, {"ids": ids[start : start + _PORTION]}):
                    counts[outcome_of(row.state, in_doubt=row.in_doubt)] += 1
        return counts

    def due(self, rates: Mapping[str, Rate | None], *, postponed: bool = True) -> dict[str, datetime]:
        """Return the next due time of each of these channels, honouring its rate. Empty while everything is stopped.

        A delivery that is being sent is due when its lease expires. Channels with nothing to do are left out, and
        without *postponed*, deliveries that wait until their list is tried again.
        """
        with self._journal.read() as connection:
            if meta.stopped(connection, self._journal.id) is not None:
                return {}
            now = microseconds(self._journal.now())
            opens = {name: at for name, at in opens_at(connection, rates, now).items() if at is not None}
            earliest: dict[str, int] = {}
            values = {"channels": list(opens), "now": now, "soon": now + _SOON}
            for name, at in connection.execute(_NEXT_DUE if postponed else _NEXT_READABLE, values):
                earliest[name] = min(at, earliest.get(name, at))
            return {name: moment(max(at, opens[name])) for name, at in earliest.items()}

    def is_ready(self, channel: str, *, severe_only: bool = False, beside: int | None = None) -> bool:
        """Return True if a delivery other than *beside* is due, whether or not the channel may send now."""
        least = _SEVERE if severe_only else _LEAST
        with self._journal.read() as connection:
            now = microseconds(self._journal.now())
            values = {"channel": channel, "now": now, "least": least, "beside": beside or 0}
            return connection.execute(_IS_READY, values).first() is not None

    def claim(
        self,
        channel: str,
        owner: str,
        *,
        lease: timedelta,
        severe_only: bool = False,
        rate: Rate | None = None,
        beside: int | None = None,
    ) -> ClaimedDelivery | None:
        """Claim the channel's next delivery other than *beside*, if there is one and the rate allows it.

        An unreadable delivery does not block others: a damaged or forged one is held, and one of a newer policenotify,
        or of newer keys, is passed over.

        Raises:
            UnsupportedVersion: Only deliveries of a newer policenotify are left.
        """
        with self._journal.write(durable=False) as connection:
            if meta.stopped(connection, self._journal.id) is not None:
                return None
            now, keys = microseconds(self._journal.now()), self._journal.keys
            opens = opens_at(connection, {channel: rate}, now)[channel]
            if opens is None or opens > now:
                return None
            least = _SEVERE if severe_only else _LEAST
            values = {"channel": channel, "now": now, "least": least, "beside": beside or 0}
            newer: UnsupportedVersion | None = None
            query = _NEXT
            while (row := connection.execute(query, values).first()) is not None:
                try:
                    taken = _take(connection, keys, row, owner, now=now, lease=lease)
                except UnsupportedVersion as error:  # another host may know it
                    newer, query = error, query.where(_table.c.id != row.id)
                    continue
                except _Busy:  # who has locked the list goes on with it
                    query = query.where(_table.c.id != row.id)
                    continue
                if taken is not None:
                    return taken
            if newer is not None:
                raise newer
            return None


def _take(
    connection: Connection, keys: Keys, row: Row[Any], owner: str, *, now: int, lease: timedelta
) -> ClaimedDelivery | None:
    """Claim a delivery, or of one with recipients a batch that waits. Settle one that must not be sent.

    Raises:
        UnsupportedVersion: It was stored by a newer policenotify, or with newer keys.
    """
    if row.has_recipients:
        row = connection.execute(_NEXT_BATCH, {"of_list": row.id, "now": now}).first() or row
    whole = row if row.parent is None else connection.execute(_PARENT, {"of_list": row.parent}).one()
    skip = _skip_reason(connection, whole, now)
    try:
        claimed = None if skip else replace(_claimed(connection, keys, whole), owner=owner)
        authentic = is_authentic(keys, whole)
        if authentic and row is not whole:  # no person was added, moved or removed
            people = people_of(connection, whole.id, row.id)
            authentic = is_whole_batch(keys, whole.mac, row.number, people, row.mac)
    except UnsupportedVersion:
        raise
    except ValueError:
        claimed, authentic, skip = None, True, (Outcome.HELD, DAMAGED)
        log_held(logging.WARNING, row, "damaged")
    if not authentic or claimed is None:
        if connection.execute(_FREE, {"of_list": whole.id}).first() is None:
            raise _Busy
        if not authentic:  # nor is it skipped for what was changed
            log_held(logging.ERROR, row, "forged")
            skip = Outcome.HELD, FORGED
        cancel_pending(connection, row, *(skip or (Outcome.HELD, DAMAGED)), now)
        return None
    connection.execute(_TAKE, {"taken": row.id, "by": owner, "until": now + span(lease)})
    if row is whole:
        return claimed
    backoff = max(timedelta(microseconds=row.backoff), claimed.backoff)
    return replace(claimed, id=row.id, parent=whole.id, attempts=row.attempts, backoff=backoff)


def _skip_reason(connection: Connection, row: Row[Any], now: int) -> tuple[Outcome, AnyText] | None:
    """Return the outcome and reason if the delivery must not be sent, else None. Posts in doubt return None."""
    if row.in_doubt and not row.has_recipients:
        return None
    if row.operation == Operation.DELETE:
        post = connection.execute(select(_table.c.state, _table.c.ref).where(_table.c.id == row.target)).first()
        if post is None or post.ref is not None or post.state == Outcome.POSTED:
            return None  # without a place, a person has seen it: it is looked for
        return Outcome.SUPERSEDED, (NOT_FOUND if post.state == Outcome.HELD else NEVER_APPEARED)
    stale: AnyText = ""
    if row.not_after is not None and row.not_after <= now:
        stale = EXPIRED
    elif _continues_missing_part(connection, row):
        stale = PREVIOUS_PART_MISSING
    # Without its opening an end is skipped where the channel wants that, and what waits before an end is over.
    closed = over_by(connection, row.publication)
    unseen = bool(closed or row.needs_opening) and opening_not_posted(connection, row.ordering_key)
    if stale := stale or why_over(closed, by_end=unseen):
        return Outcome.SUPERSEDED, stale
    return (Outcome.SKIPPED, OPENING_MISSING) if row.needs_opening and unseen else None


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
        channel=row.channel,
        account=row.account,
        key=row.post_key,
        operation=word(Operation, row.operation),
        severe=row.priority <= _SEVERE,
        has_recipients=row.has_recipients,
        in_doubt=row.in_doubt,
        attempts=row.attempts,
        first_tried_at=moment(row.first_tried_at) if row.first_tried_at is not None else None,
        last_tried_at=moment(row.last_tried_at) if row.last_tried_at is not None else None,
        unseen_at=Uptime.read(row.unseen_at) if row.unseen_at else None,
        backoff=timedelta(microseconds=row.backoff),
        not_after=moment(row.not_after) if row.not_after is not None else None,
        standalone=Post.read(row.standalone) if row.standalone else None,
        reply=Post.read(row.reply) if row.reply else None,
        wording=row.wording,
        request_version=row.request_version,
        request=Request.read(row.request) if row.request else None,
        reply_to=_reply_to(connection, keys, row),
        target=_ref(connection, keys, row.target),
        over=row.in_doubt
        and row.operation != Operation.DELETE
        and bool(why_over(over_by(connection, row.publication), by_end=True)),
        reached=bool(row.reply)
        and Outcome.POSTED in connection.execute(_REACHED, {"delivery": row.id}).scalars().all(),
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
    openings = [parent for parent in rows if parent.publication == parents[0]]
    if not openings:
        return ()
    try:
        posted = {parent.publication: read_ref(keys, parent.post_key, parent.ref, parent.ref_mac) for parent in rows}
    except ValueError:
        if row.operation != Operation.POST:
            raise
        return ()  # it goes out on its own
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
