"""Purge old publications: their text and recipients are erased, what was published when and by whom is kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from policenotify.errors import NotErasable
from policenotify.journal import audit
from policenotify.journal.database import schema
from policenotify.journal.database.engine import ERASING
from policenotify.journal.database.transactions import Repository
from policenotify.journal.drafts.rows import drafts_to_erase, erase_drafts, old_drafts, remove_drafts
from policenotify.journal.incidents import store_state
from policenotify.journal.keys import Keys
from policenotify.journal.lists.recipients import forget_reasons
from policenotify.journal.pictures import forget_pictures
from policenotify.journal.records import microseconds, span
from policenotify.journal.tombstones import is_whole, message_of, purged_key, without_content
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus
from policenotify.translation import Text

KEPT_AFTER = timedelta(days=30)
"""How long addresses are kept after the last incident that reached them was closed."""

_PORTION: Final = 5_000  # values in one statement: SQLite takes 32,766 (sqlite.org/limits.html)
_THREADS: Final = 10  # in one transaction, for which writers wait: what is erased is overwritten, and images are large
_UNSETTLED = (Outcome.WAITING, Outcome.SENDING, Outcome.HELD)
_incident, _publication, _delivery, _recipient = schema.incident, schema.publication, schema.delivery, schema.recipient
_person = schema.person
_UNNAMED = ~exists().where(_recipient.c.person == _person.c.id)
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """How much was purged, or would be.

    Attributes:
        publications: Those of closed incidents, and messages outside incidents with their corrections.
        drafts: Drafts that were never published, which are removed.
        kept: Incidents and messages that are old enough but have a delivery that is pending or held.
    """

    publications: int = 0
    drafts: int = 0
    kept: int = 0


class Retention(Repository):
    """Purging, and erasing addresses."""

    def erase_addresses(self) -> int:
        """Erase the addresses that no incident needs any more, and who they were: 5,000 at a time. Return their number.

        The keys of these recipients in settled deliveries are replaced by random ones: a telephone number could be
        found from its key by trying all numbers. How many had which outcome stays.
        """
        recent = microseconds(self._journal.now()) - span(KEPT_AFTER)
        ahead = recent + 2 * span(KEPT_AFTER)  # later than any time that is not of a clock that was far ahead
        stored, over = _person.c.stored_at, func.coalesce(_incident.c.closed_at, _publication.c.created_at)
        old = select(_person.c.id).where(_person.c.sealed.is_not(None), or_(stored <= recent, stored > ahead))
        with self._journal.read() as connection:
            if connection.execute(old.limit(1)).first() is None and not self._journal.log_holds_erased:
                return 0
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
        with self._journal.write() as connection:
            # Addresses that another process is just using are passed over until the next time.
            unneeded = old.where(_person.c.id.not_in(needed)).limit(_PORTION).with_for_update(skip_locked=True)
            erased = connection.execute(unneeded).scalars().all()
            forget(connection, erased)
        if erased or self._journal.log_holds_erased:
            self._journal.clear_log()
        return len(erased)

    def purge(self, before: datetime, actor: str, *, category: str | None = None, dry_run: bool = False) -> Purged:
        """Erase text and recipients of everything that was over by *before*.

        Purged are closed incidents whose publications are all that old, and messages outside incidents, but nothing
        with a delivery that is pending or held. What was published, when and by whom is kept. Event bodies are erased
        with their salts: the seals, which chain the commitments, still verify. Some are purged in each transaction,
        so that desks go on publishing. With a *category*, only that one is purged. A *dry_run* only counts.

        Raises:
            JournalError: On PostgreSQL, this user may not erase. Nothing was.
        """
        journal, at = self._journal, microseconds(before)
        with journal.read() as connection:
            found = connection.execute(_old(at, category)).all()
            drafts = connection.execute(old_drafts(at, category)).scalars().all()
        if dry_run:
            return _report(found, drafts)
        if not (_whole(found) or drafts):
            journal.clear_log(ERASING)  # an earlier purge may have been killed before it did
            return _report(found, drafts)
        journal.authorize(actor, "purge")
        body: dict[str, object] = {"before": before.astimezone(UTC).isoformat(), "category": category}
        with journal.write() as connection:
            audit.record(connection, journal.now(), actor, "purge_begun", body)
            drafts = remove_drafts(connection, old_drafts(at, category))
            _empty_events(connection, drafts)  # refused here to those who may not erase
        done = [row for row in found if row.busy]
        for threads in _portions([row.thread for row in found if not row.busy], _THREADS):
            with journal.write() as connection:
                _lock(connection, threads)
                rows = connection.execute(_old(at, category).where(_of_threads(threads))).all()
                _erase_content(connection, journal.keys, _whole(rows), journal.now())
            done += [row for row in rows if not row.busy]
        self.erase_addresses()
        purged = _report(done, drafts)
        with journal.write() as connection:
            audit.record(connection, journal.now(), actor, "purged", {**body, **asdict(purged)})
        journal.clear_log(ERASING)
        return purged

    def erase(self, name: str, actor: str, reason: str) -> Purged:
        """Erase text, images and addresses of an incident that is over, of a message outside incidents, or of a draft.

        With them go drafts of the incident, and drafts of the same words, that were never published. What was
        published, when and by whom is kept, as after a purge. The posts on the networks stay. It is one transaction.

        Args:
            name: The id of an incident, or the id or key of a message outside incidents or of a draft. With a message
                go its corrections.
            actor: Who erases.
            reason: Why. It is kept, and must hold no name.

        Raises:
            NotErasable: There is none, the incident is open, or something is to be sent, in doubt or held.
            JournalError: On PostgreSQL, this user may not erase. Nothing was.
        """
        journal = self._journal
        journal.authorize(actor, "erase")
        with journal.write() as connection:
            now = journal.now()
            rows = _to_erase(connection, journal.keys, name)
            ids = _whole(rows)
            drafts = remove_drafts(connection, drafts_to_erase(name, ids))
            if not rows and not drafts:
                raise NotErasable(
                    Text(
                        "There is no incident, publication or draft {name!r}. To list them: policenotify status.",
                        name=name,
                    )
                )
            _empty_events(connection, drafts)
            _erase_content(connection, journal.keys, ids, now)
            erased = _report(rows, drafts)
            audit.record(connection, now, actor, "erased", {"of": sorted(ids), "reason": reason, **asdict(erased)})
        journal.clear_log(ERASING)
        return erased


# --- what is old


_THREAD = func.coalesce(_publication.c.incident, _publication.c.corrects, _publication.c.id)
"""A thread is purged as a whole: an incident, or a message outside incidents with its corrections."""

_BUSY = exists().where(
    _delivery.c.publication == _publication.c.id, or_(_delivery.c.state.in_(_UNSETTLED), _delivery.c.held > 0)
)


def _threads() -> Select[Any]:
    """Return the query for threads, each with its publications that were not purged."""
    columns: dict[str, ColumnElement[Any]] = {
        "thread": _THREAD,
        "open": _any(_incident.c.status == IncidentStatus.OPEN),
        "busy": _any(_BUSY),
        "whole": func.aggregate_strings(case((is_whole(), _publication.c.id)), " "),
    }
    return (
        select(*(column.label(name) for name, column in columns.items()))
        .select_from(_publication)
        .outerjoin(_incident, _incident.c.id == _publication.c.incident)
        .where(_publication.c.state == "published")
        .group_by(_THREAD)
        .order_by(_THREAD)
    )


def _old(before: int, category: str | None) -> Select[Any]:
    """Return the query for the threads that are over, all of them old enough and some of it not yet purged."""
    query = _threads().having(
        func.max(_publication.c.created_at) <= before,
        func.coalesce(func.max(_incident.c.closed_at), 0) <= before,
        _any(_incident.c.status == IncidentStatus.OPEN) == 0,
        _any(is_whole()) == 1,
    )
    if category is None:
        return query
    return query.having(_any(func.coalesce(_incident.c.category, _publication.c.category) == category) == 1)


def _any(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.max(case((condition, 1), else_=0))


def _of_threads(threads: Sequence[str]) -> ColumnElement[bool]:
    by_index = or_(*(_publication.c[name].in_(threads) for name in ("incident", "corrects", "id")))
    return and_(by_index, _THREAD.in_(threads))


def _lock(connection: Connection, threads: Sequence[str]) -> None:
    """Lock some threads. After waiting, only the next statement sees what the other process has published."""
    for table in (_incident, _publication):
        locked = select(table.c.id).where(table.c.id.in_(threads)).order_by(table.c.id)
        connection.execute(locked.with_for_update()).all()


def _whole(rows: Iterable[Row[Any]]) -> list[str]:
    """Return the publications of those threads that may be purged."""
    return [publication for row in rows if not row.busy for publication in (row.whole or "").split()]


def _report(rows: Iterable[Row[Any]], drafts: Collection[str]) -> Purged:
    return Purged(publications=len(_whole(rows)), drafts=len(drafts), kept=sum(row.busy for row in rows))


def _portions(values: Sequence[_Value], length: int = _PORTION) -> Iterator[Sequence[_Value]]:
    for start in range(0, len(values), length):
        yield values[start : start + length]


def _to_erase(connection: Connection, keys: Keys, name: str) -> Sequence[Row[Any]]:
    """Return the thread that a name means, locked. Nothing if there is none.

    Raises:
        NotErasable: It means two, or is a part of an incident. Or the incident is open, or something of it is not
            settled.
    """
    named = or_(_publication.c.id == name, _publication.c.key.in_([name, purged_key(keys, name)]))
    thread, incident = connection.execute(select(_THREAD, _publication.c.incident).where(named)).first() or (name, None)
    is_incident = connection.execute(select(_incident.c.id).where(_incident.c.id == name)).first() is not None
    if is_incident and thread != name:
        raise NotErasable(
            Text(
                "{name!r} is an incident, and also the key of a publication that does not belong to it. What is "
                "erased cannot be restored. To erase the publication, give its id.",
                name=name,
            )
        )
    if incident is not None and incident != name:
        raise NotErasable(
            Text(
                "{name!r} is a part of incident {incident!r}. Erase the incident as a whole: policenotify "
                "journal erase {incident}",
                name=name,
                incident=incident,
            )
        )
    _lock(connection, [thread])
    rows = connection.execute(_threads().where(_of_threads([thread]))).all()
    if any(row.open for row in rows):
        raise NotErasable(
            Text(
                "Incident {name!r} is open, and its readers wait for the end. End it (policenotify end "
                "{name}) or cancel it first. To take posts down now: policenotify withdraw",
                name=name,
            )
        )
    if any(row.busy for row in rows):
        raise NotErasable(
            Text(
                "A post of it is to be sent, or nobody knows whether it is out. Take back what waits "
                "(policenotify withdraw), settle what is held (policenotify resolve), then erase again."
            )
        )
    return rows


# --- texts and people


def forget(connection: Connection, people: Sequence[int]) -> None:
    """Erase the addresses of some people, and who they were. Those whom nothing names any more are removed."""
    of_them = _person.c.id.in_(people)
    connection.execute(delete(_person).where(of_them, _UNNAMED))
    # 32 random hexadecimal digits, others for each row.
    on_server = func.replace(func.concat(func.gen_random_uuid()), "-", "")
    key = func.lower(func.hex(func.randomblob(16))) if connection.dialect.name == "sqlite" else on_server
    connection.execute(update(_person).where(of_them).values(sealed=None, key=key))


def _erase_content(connection: Connection, keys: Keys, ids: Collection[str], now: datetime) -> None:
    """Erase the texts and recipients of some publications, of their deliveries and drafts, and their events' bodies."""
    for row in connection.execute(select(_publication).where(_publication.c.id.in_(ids), is_whole())).all():
        kept = {"key": row.key and purged_key(keys, row.key)}
        kept |= without_content(message_of(connection, row), keys, row.digest, now)
        connection.execute(update(_publication).where(_publication.c.id == row.id).values(**kept))
    of_ids = select(_publication.c.incident).where(_publication.c.id.in_(ids), _publication.c.incident.is_not(None))
    for incident in connection.execute(of_ids.distinct()).scalars().all():
        store_state(connection, incident)
    of_them = _delivery.c.publication.in_(ids)
    deliveries = select(_delivery.c.id).where(of_them)
    # Who the recipients were. How many had which outcome is kept by batch.
    to_people = _recipient.c.delivery.in_(deliveries.where(_delivery.c.has_recipients))
    people = connection.execute(select(_recipient.c.person).where(to_people).distinct()).scalars().all()
    connection.execute(delete(_recipient).where(to_people))
    for some in _portions(people):  # those who are not needed elsewhere
        unused = select(_person.c.id).where(_person.c.id.in_(some)).with_for_update(skip_locked=True)
        free = connection.execute(unused).scalars().all()  # whom no other process is just writing to
        connection.execute(delete(_person).where(_person.c.id.in_(free), _UNNAMED))
    texts = dict.fromkeys(("standalone", "reply", "ref", "request", "cursor"))
    connection.execute(update(_delivery).where(of_them).values(**texts, reason="", remedy=""))
    forget_reasons(connection, of_them)
    own = schema.attempt.c.delivery.in_(deliveries)
    connection.execute(update(schema.attempt).where(own).values(reason=""))
    owners = [*ids, *erase_drafts(connection, keys, ids, now)]
    forget_pictures(connection, owners)
    _empty_events(connection, owners)


def _empty_events(connection: Connection, publications: Collection[str]) -> None:
    """Erase the bodies of events. Their commitments, which the seals chain, are kept."""
    event = schema.event
    with_body = update(event).where(event.c.publication.in_(publications), event.c.body != "")
    connection.execute(with_body.values(body="", salt=""))
