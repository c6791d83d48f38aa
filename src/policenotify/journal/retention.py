"""Purge old publications: their text and recipients are erased, what was published when and by whom is kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, exists, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from policenotify.errors import JournalError, NotErasable
from policenotify.journal import audit
from policenotify.journal.database import schema
from policenotify.journal.database.engine import explain
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.drafts.retention import (
    drafts_to_erase,
    erase_drafts,
    names_incident,
    old_drafts,
    remove_drafts,
)
from policenotify.journal.keys import Keys
from policenotify.journal.queue import cancel_pending, lock
from policenotify.journal.records import microseconds, span, word
from policenotify.journal.tombstones import (
    Selection,
    counts_to_store,
    is_about,
    is_whole,
    purged_key,
    recipients_not_purged,
    tombstone,
)
from policenotify.journal.vacuum import truncate_log, vacuum_file, vacuum_server
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus, Stage

KEPT_AFTER = timedelta(days=30)
"""How long addresses are kept after the last incident that reached them was closed."""

_ERASED_EVERY = timedelta(hours=1)
_KEYS = 5_000  # values in one statement: SQLite takes 32,766 (sqlite.org/limits.html)
_OLDEST = select(func.min(schema.person.c.stored_at)).where(schema.person.c.sealed.is_not(None))
_PAGE = 20  # threads in one transaction, so that publishing waits for milliseconds only
_RECIPIENTS = 2_000  # rows in one transaction
_PICTURES = 10  # rows in one transaction; erased images are overwritten, and they are large
_MESSAGES = 500  # rows read at once
_UNCOMMITTED = 1_000  # event numbers that transactions still open may have been given

_PICTURE = re.compile(r'"digest"\s*:\s*"([0-9a-f]{64})"')

_UNSETTLED = (Outcome.WAITING, Outcome.SENDING, Outcome.HELD)
_incident, _publication, _delivery, _recipient = schema.incident, schema.publication, schema.delivery, schema.recipient
_revision, _person = schema.revision, schema.person
_DRAFTED = select(_revision.c.message)
_part = _publication.alias("part")  # the publications of a thread: an incident, or a message with its corrections


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """How much was purged, or would be.

    Attributes:
        incidents: Closed incidents.
        messages: Messages outside incidents with their corrections, and drafts that a check refused.
        publications: All publications of both.
        deliveries: Their deliveries.
        recipients: Their recipients.
        events: Events whose bodies are erased.
        pictures: Images that no message contains any more.
        drafts: Drafts that were never published, which are removed.
        kept: Incidents and messages that are old enough but have a delivery that is pending or held.
    """

    incidents: int = 0
    messages: int = 0
    publications: int = 0
    deliveries: int = 0
    recipients: int = 0
    events: int = 0
    pictures: int = 0
    drafts: int = 0
    kept: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to purge."""
        return not (self.publications or self.pictures or self.drafts)


class Retention:
    """Purging, and erasing addresses."""

    def __init__(self, journal: Transactions, engine: Engine) -> None:
        self._journal = journal
        self._engine = engine
        self._erased_at: float | None = None  # by `erase_when_due`
        self._log_holds_erased = False  # the write-ahead log could not be truncated yet

    def erase_when_due(self) -> None:
        """Erase addresses, at most once an hour in this process. For processes that publish and never drain."""
        at = self._journal.clock.monotonic()
        if self._erased_at is not None and at - self._erased_at < _ERASED_EVERY.total_seconds():
            return
        self._erased_at = at
        with self._journal.read() as connection:
            oldest = connection.execute(_OLDEST).scalar()
        if oldest is not None and oldest <= microseconds(self._journal.now()) - span(KEPT_AFTER):
            self.erase_addresses()

    def erase_addresses(self) -> int:
        """Erase the addresses that no incident needs any more, and who they were. Return their number.

        The keys of these recipients in settled deliveries are replaced by random ones: a telephone number could be
        found from its key by trying all numbers. How many had which outcome stays.
        """
        erased = self._erase_addresses()
        if (erased or self._log_holds_erased) and self._engine.dialect.name == "sqlite":
            self._log_holds_erased = not truncate_log(self._engine)
        return erased

    def _erase_addresses(self) -> int:
        with self._journal.write() as connection:
            recent = microseconds(self._journal.now()) - span(KEPT_AFTER)
            ahead = recent + 2 * span(KEPT_AFTER)  # later than any time that is not of a clock that was far ahead
            over = func.coalesce(_incident.c.closed_at, _publication.c.created_at)
            needed = (
                select(_recipient.c.person)
                .join(_delivery, _delivery.c.id == _recipient.c.delivery)
                .join(_publication, _publication.c.id == _delivery.c.publication)
                .outerjoin(_incident, _incident.c.id == _publication.c.incident)
                .where(
                    or_(
                        _incident.c.status == IncidentStatus.OPEN,
                        and_(over > recent, over <= ahead),
                        _delivery.c.state.in_([Outcome.WAITING, Outcome.SENDING]),
                    )
                )
            )
            stored = _person.c.stored_at
            # Addresses that another process is just using are passed over until the next time.
            old = select(_person.c.id).where(
                or_(stored <= recent, stored > ahead), _person.c.sealed.is_not(None), _person.c.id.not_in(needed)
            )
            erased = list(connection.execute(old.with_for_update(skip_locked=True)).scalars())
            for start in range(0, len(erased), _KEYS):
                forget(connection, erased[start : start + _KEYS])
        return len(erased)

    def purge(self, before: datetime, actor: str, *, category: str | None = None, dry_run: bool = False) -> Purged:
        """Erase text and recipients of everything that was over by *before*.

        Purged are closed incidents whose publications are all that old, messages outside incidents, and drafts that a
        check refused, but nothing with a delivery that is pending or held. What was published, when and by whom is
        kept. Event bodies are erased with their salts: the seals, which chain the commitments, still verify. Each
        transaction is short.

        Args:
            before: The latest time at which all of it must have been published and closed.
            actor: Who purges.
            category: Only that category, or None for all.
            dry_run: Only count.
        """
        journal = self._journal
        selection = Selection(before=microseconds(before), category=category)
        with journal.read() as connection:
            planned = _plan(connection, selection)
        if dry_run or planned.is_empty:
            return planned
        journal.authorize(actor, "purge")
        body: dict[str, object] = {"before": before.astimezone(UTC).isoformat(), "category": category}
        with journal.write() as connection:
            audit.record(connection, journal.now(), actor, "purge_begun", body)
        done: Counter[str] = Counter(kept=planned.kept)
        for kind in _CONDITIONS:
            after = ""
            while True:
                with journal.read() as connection:
                    page = _page(connection, kind, selection, after)
                if not page:
                    break
                after = page[-1]
                done["recipients"] += _purge_recipients(journal, kind, page)
                with journal.write() as connection:
                    done.update(_purge_text(connection, journal.keys, kind, selection, page, journal.now()))
        with journal.write() as connection:
            drafts = remove_drafts(connection, old_drafts(selection))
            done.update({"drafts": len(drafts), "events": _purge_bodies(connection, drafts)})
        done["pictures"] = _purge_pictures(journal)
        self.erase_addresses()
        purged = Purged(**done)
        with journal.write() as connection:
            audit.record(connection, journal.now(), actor, "purged", {**body, **asdict(purged)})
        return purged

    def erase(self, name: str, actor: str, reason: str) -> Purged:
        """Erase text, images and addresses of an incident that is over, or of one publication or draft.

        With them go drafts and refused messages of the incident, and drafts of the same words, that were never
        published. What was published, when and by whom is kept, as after a purge. The posts on the networks stay.

        Args:
            name: The id of an incident, or the id or key of a publication or draft. With a message outside incidents go
                its corrections. The opening of an open incident cannot be erased.
            actor: Who erases.
            reason: Why. It is kept, and must hold no name.

        Raises:
            NotErasable: There is none, the incident is open, or a post is being sent or in doubt.
        """
        journal = self._journal
        journal.authorize(actor, "erase")
        with journal.write() as connection:
            ids = _cancel_erased(connection, _to_erase(connection, journal.keys, name), microseconds(journal.now()))
            audit.record(connection, journal.now(), actor, "erasure_begun", {"of": sorted(ids), "reason": reason})
        done: Counter[str] = Counter()
        for delivery in _with_recipients(journal, _delivery.c.publication.in_(ids)):
            while count := _purge_some_recipients(journal, delivery, addresses=True):
                done["recipients"] += count
        with journal.write() as connection:
            _cancel_erased(connection, ids, microseconds(journal.now()))
            done.update(
                _erase_content(
                    connection,
                    journal.keys,
                    ids,
                    journal.now(),
                    drafts=remove_drafts(connection, drafts_to_erase(name, ids)),
                )
            )
        done["pictures"] = _purge_pictures(journal)
        erased = Purged(**done)
        with journal.write() as connection:
            audit.record(connection, journal.now(), actor, "purged", {"of": sorted(ids), **asdict(erased)})
        if self._engine.dialect.name == "sqlite":
            self._log_holds_erased = not truncate_log(self._engine)
        return erased

    def vacuum(self) -> tuple[int, int]:
        """Give erased space back to the disk. Return the size in bytes before and after.

        Raises:
            JournalError: Other processes use the journal for longer than this may wait.
        """
        engine = self._engine
        try:
            return vacuum_file(engine) if engine.dialect.name == "sqlite" else vacuum_server(engine)
        except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
            raise JournalError(
                f"The journal could not be vacuumed: {explain(error)}. Nothing in it was lost or changed. "
                "Try again later."
            ) from error


# --- selecting threads


def _of_incident() -> ColumnElement[bool]:
    return and_(_part.c.incident == _incident.c.id, _part.c.state == "published")


def _of_message() -> ColumnElement[bool]:
    corrects = and_(_part.c.corrects == _publication.c.id, _part.c.incident.is_(None), _part.c.state == "published")
    return or_(_part.c.id == _publication.c.id, and_(corrects, _publication.c.state == "published"))


def _is_old(in_thread: ColumnElement[bool], selection: Selection) -> ColumnElement[bool]:
    """Return the condition that all of a thread is old enough, and some of it not yet purged."""
    young = exists().where(in_thread, _part.c.created_at > selection.before)
    return and_(~young, exists().where(in_thread, is_whole(_part)))


def _is_busy(in_thread: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that a thread has a delivery that is pending or held."""
    recipient = exists().where(_recipient.c.delivery == _delivery.c.id, _recipient.c.state.in_(_UNSETTLED))
    unsettled = or_(_delivery.c.state.in_(_UNSETTLED), recipient)
    return exists().where(in_thread, _delivery.c.publication == _part.c.id, unsettled)


def _incidents(selection: Selection) -> tuple[Any, ColumnElement[bool], ColumnElement[bool]]:
    conditions = [
        _incident.c.status != IncidentStatus.OPEN,
        _incident.c.closed_at <= selection.before,
        _is_old(_of_incident(), selection),
    ]
    if selection.category is not None:
        conditions.append(_incident.c.category == selection.category)
    return _incident.c.id, and_(*conditions), _is_busy(_of_incident())


def _messages(selection: Selection) -> tuple[Any, ColumnElement[bool], ColumnElement[bool]]:
    first = or_(_publication.c.state != "published", _publication.c.stage == Stage.STANDALONE)
    conditions = [_publication.c.incident.is_(None), first, _is_old(_of_message(), selection)]
    if selection.category is not None:
        conditions.append(is_about(selection.category))
    return _publication.c.id, and_(*conditions), _is_busy(_of_message())


_CONDITIONS = {"incidents": _incidents, "messages": _messages}
_IN_THREAD = {"incidents": _of_incident, "messages": _of_message}


def _page(connection: Connection, kind: str, selection: Selection, after: str) -> list[str]:
    """Return the ids of the next threads to purge."""
    key, old, busy = _CONDITIONS[kind](selection)
    query = select(key).where(old, ~busy, key > after).order_by(key).limit(_PAGE)
    return [str(thread) for thread in connection.execute(query).scalars()]


def _parts(kind: str, page: Sequence[str]) -> Any:  # noqa: ANN401 - a query of the toolkit's own long type
    """Return the query for the ids of the publications of some threads."""
    key = _incident.c.id if kind == "incidents" else _publication.c.id
    return select(_part.c.id).select_from(_part).join(key.table, _IN_THREAD[kind]()).where(key.in_(page))


def _plan(connection: Connection, selection: Selection) -> Purged:
    planned: Counter[str] = Counter()
    ids: set[str] = set()
    event = schema.event
    for kind, conditions in _CONDITIONS.items():
        key, old, busy = conditions(selection)
        planned["kept"] += connection.execute(select(func.count(key)).where(old, busy)).scalar_one()
        after = ""
        while page := _page(connection, kind, selection, after):
            after, parts = page[-1], _parts(kind, page)
            publications = list(connection.execute(parts.where(is_whole(_part))).scalars())
            ids.update(publications)
            deliveries = select(_delivery.c.id).where(_delivery.c.publication.in_(parts))
            counted = {
                "deliveries": select(func.count()).select_from(deliveries.subquery()),
                "recipients": select(func.count(_recipient.c.person)).where(_recipient.c.delivery.in_(deliveries)),
                "events": select(func.count(event.c.id)).where(event.c.publication.in_(parts), event.c.body != ""),
            }
            planned.update({name: connection.execute(query).scalar_one() for name, query in counted.items()})
            planned.update({kind: len(page), "publications": len(publications)})
    planned["drafts"] = len(connection.execute(old_drafts(selection)).all())
    planned["pictures"] = len(_unused_pictures(connection, ids))
    return Purged(**planned)


# --- recipients


def _purge_recipients(journal: Transactions, kind: str, page: Sequence[str]) -> int:
    """Erase the recipients of some threads. How many had which outcome is kept with the delivery."""
    purged = 0
    for delivery in _with_recipients(journal, _delivery.c.publication.in_(_parts(kind, page))):
        while count := _purge_some_recipients(journal, delivery):
            purged += count
    return purged


def _with_recipients(journal: Transactions, of_them: ColumnElement[bool]) -> list[int]:
    with journal.read() as connection:
        return list(connection.execute(select(_delivery.c.id).where(of_them, _delivery.c.has_recipients)).scalars())


def _purge_some_recipients(journal: Transactions, delivery: int, *, addresses: bool = False) -> int:
    """Erase some recipients of a delivery; their addresses too, unless another delivery has them."""
    of_delivery = _recipient.c.delivery == delivery
    with journal.write() as connection:
        query = select(_recipient.c.person).where(of_delivery).order_by(_recipient.c.page, _recipient.c.person)
        if not (people := connection.execute(query.limit(_RECIPIENTS)).scalars().all()):
            for table in (schema.page, schema.expansion):
                connection.execute(delete(table).where(table.c.delivery == delivery))
            return 0
        states = select(_recipient.c.state, func.count()).where(of_delivery).group_by(_recipient.c.state)
        counts: dict[Outcome, int] = {word(Outcome, state): count for state, count in connection.execute(states)}
        uncounted = update(_delivery).where(_delivery.c.id == delivery, recipients_not_purged())
        connection.execute(uncounted.values(request=counts_to_store(counts)))
        connection.execute(delete(_recipient).where(of_delivery, _recipient.c.person.in_(people)))
        unused = and_(_person.c.id.in_(people), ~exists().where(_recipient.c.person == _person.c.id))
        if not addresses:  # they are kept for a while
            unused = and_(unused, _person.c.sealed.is_(None))
        connection.execute(delete(_person).where(unused))
        return len(people)


def forget(connection: Connection, people: Sequence[int]) -> None:
    """Erase the addresses of some people, and who they were. Those whom nothing names any more are removed."""
    of_them = _person.c.id.in_(people)
    connection.execute(delete(_person).where(of_them, ~exists().where(_recipient.c.person == _person.c.id)))
    erased = {"sealed": None, "key": _random_key(connection)}
    connection.execute(update(_person).where(of_them).values(**erased))


# --- erasing one incident or publication


def _to_erase(connection: Connection, keys: Keys, name: str) -> set[str]:
    """Return the ids of the publications that a name means, with the incident locked.

    Raises:
        NotErasable: There is none, or its incident is open.
    """
    named = or_(_publication.c.id == name, _publication.c.key.in_([name, purged_key(keys, name)]))
    row = connection.execute(select(_publication).where(named)).first()
    incident = name if row is None else row.incident
    locked = connection.execute(select(_incident).where(_incident.c.id == incident).with_for_update()).first()
    is_open = locked is not None and locked.status == IncidentStatus.OPEN
    if row is None and locked is None and connection.execute(drafts_to_erase(name, ())).first() is not None:
        return set()
    if row is None and locked is None:
        raise NotErasable(f"There is no incident, publication or draft {name!r}. To list them: policenotify status.")
    if is_open and (row is None or row.sequence == 1):
        raise NotErasable(
            f"Incident {incident!r} is open, and its readers wait for the end. End it (policenotify end {incident}) or "
            "cancel it first. To take posts down now: policenotify withdraw"
        )
    if row is None:
        refused = and_(_publication.c.state != "published", names_incident(_publication, name))
        of_incident = select(_publication.c.id).where(or_(_publication.c.incident == incident, refused))
        return set(connection.execute(of_incident).scalars())
    corrections = select(_publication.c.id).where(_publication.c.corrects == row.id, _publication.c.incident.is_(None))
    return {row.id, *connection.execute(corrections).scalars()}


def _cancel_erased(connection: Connection, ids: set[str], at: int) -> set[str]:
    """Cancel what waits of some publications. Return their ids.

    Raises:
        NotErasable: A post is being sent, or may be out.
    """
    of_them = select(_delivery).where(_delivery.c.publication.in_(ids), _delivery.c.state.in_(_UNSETTLED))
    rows = connection.execute(of_them.order_by(_delivery.c.id)).all()
    lock(connection, *{row.ordering_key for row in rows})
    rows = connection.execute(of_them.order_by(_delivery.c.id)).all()
    if busy := [row.id for row in rows if row.state != Outcome.WAITING or row.in_doubt]:
        raise NotErasable(
            f"Delivery {busy[0]} is being sent, or nobody knows whether it is out. Wait a minute, or settle it "
            "(policenotify resolve), then erase again."
        )
    for row in rows:
        cancel_pending(connection, row, Outcome.SUPERSEDED, "Its content was erased.", at)
    return ids


# --- text


def _purge_text(
    connection: Connection, keys: Keys, kind: str, selection: Selection, page: Sequence[str], now: datetime
) -> Counter[str]:
    """Erase the text of some threads, except those to which something was published meanwhile."""
    key, old, busy = _CONDITIONS[kind](selection)
    # After waiting for a lock, only the next statement sees what the other process has published.
    connection.execute(select(key).where(key.in_(page)).order_by(key).with_for_update()).all()
    threads = [str(thread) for thread in connection.execute(select(key).where(old, ~busy, key.in_(page))).scalars()]
    erased = _erase_content(connection, keys, set(connection.execute(_parts(kind, threads)).scalars()), now)
    return Counter({kind: len(threads), **erased})


def _erase_content(
    connection: Connection,
    keys: Keys,
    ids: set[str],
    now: datetime,
    *,
    drafts: Sequence[str] = (),
) -> Counter[str]:
    """Erase the text of some publications, their deliveries and their drafts.

    The events of removed *drafts* go as well.
    """
    rows = connection.execute(select(_publication).where(_publication.c.id.in_(ids), is_whole())).all()
    for row in rows:
        of_row = update(_publication).where(_publication.c.id == row.id)
        connection.execute(of_row.values(**tombstone(row, keys, now)))
    of_them = _delivery.c.publication.in_(ids)
    deliveries = connection.execute(
        update(_delivery).where(of_them).values(standalone=None, reply=None, ref=None, reason="", remedy="")
    )
    connection.execute(update(_delivery).where(of_them, recipients_not_purged()).values(request=None))
    attempt = schema.attempt
    own = attempt.c.delivery.in_(select(_delivery.c.id).where(of_them))
    connection.execute(update(attempt).where(own).values(reason=""))
    about = ids | erase_drafts(connection, keys, ids, now) | set(drafts)
    counts = {
        "drafts": len(drafts),
        "publications": len(rows),
        "deliveries": deliveries.rowcount,
        "events": _purge_bodies(connection, about),
    }
    return Counter(counts)


def _purge_bodies(connection: Connection, publications: Collection[str]) -> int:
    """Erase the bodies of events. Their commitments, which the seals chain, are kept."""
    event = schema.event
    with_body = update(event).where(event.c.publication.in_(publications), event.c.body != "")
    return connection.execute(with_body.values(body="", salt="")).rowcount


# --- images


def _unused_pictures(connection: Connection, purged: Iterable[str] = ()) -> set[str]:
    """Return the images that no message contains except those that are being purged."""
    unused = set(connection.execute(select(schema.blob.c.digest)).scalars())
    ignored, after = frozenset(purged), ""
    while unused:
        query = select(_publication.c.id, _publication.c.message).where(_publication.c.id > after, is_whole())
        rows = connection.execute(query.order_by(_publication.c.id).limit(_MESSAGES)).all()
        if not rows:
            break
        after = rows[-1].id
        unused.difference_update(*(_PICTURE.findall(row.message) for row in rows if row.id not in ignored))
    if unused:
        unused.difference_update(*map(_PICTURE.findall, connection.execute(_DRAFTED).scalars()))
    return unused


def _purge_pictures(journal: Transactions) -> int:
    with journal.read() as connection:
        last = audit.newest_event(connection)
        unused = sorted(_unused_pictures(connection))
    purged, blob = 0, schema.blob
    for start in range(0, len(unused), _PICTURES):
        with journal.write() as connection:
            batch = set(unused[start : start + _PICTURES]) - _published_since(connection, last - _UNCOMMITTED)
            purged += connection.execute(delete(blob).where(blob.c.digest.in_(batch))).rowcount
    return purged


def _published_since(connection: Connection, event: int) -> set[str]:
    """Return the images of publications since an event."""
    query = select(_publication.c.message).join(schema.event, schema.event.c.publication == _publication.c.id)
    drafted = select(_revision.c.message).join(schema.event, schema.event.c.publication == _revision.c.draft)
    recent = schema.event.c.id > event
    messages = [one for each in (query, drafted) for one in connection.execute(each.where(recent)).scalars()]
    return {digest for message in messages for digest in _PICTURE.findall(message)}


# --- space


def _random_key(connection: Connection) -> ColumnElement[str]:
    """Return an expression for 32 random hexadecimal digits, others for each row."""
    if connection.dialect.name == "sqlite":
        return func.lower(func.hex(func.randomblob(16)))
    return func.replace(func.concat(func.gen_random_uuid()), "-", "")
