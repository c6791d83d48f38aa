"""What is old and over is forgotten: its words and its people go, that it was said and by whom stays."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, update

from policenotify.journal import audit, schema
from policenotify.journal.keys import Keys
from policenotify.journal.records import microseconds
from policenotify.journal.tombstones import counted_not, counts_left, what_is_left, whole
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus, Stage

if TYPE_CHECKING:
    from policenotify.journal.archive import Records

_PAGE = 20  # courses in one transaction: a desk that wants to publish waits some milliseconds, not seconds
_PEOPLE = 2_000  # people in one transaction
_PICTURES = 10  # likewise; what is erased is overwritten, and a picture is large
_MESSAGES = 500  # read at once
_UNCOMMITTED = 1_000  # numbers of events that may have been given to transactions which had not ended yet

_PICTURE = re.compile(r'"digest"\s*:\s*"([0-9a-f]{64})"')

_UNSETTLED = (Outcome.WAITING, Outcome.SENDING, Outcome.HELD)
_incident, _said, _delivery, _people = schema.incident, schema.publication, schema.delivery, schema.recipient
_part = _said.alias("part")  # the publications of a course


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """How much was forgotten, or would be.

    Attributes:
        incidents: Closed incidents.
        messages: Messages outside incidents with what sets them right, and drafts that a check refused.
        publications: All publications of both.
        deliveries: Their posts and mails.
        people: Recipients of their mails.
        events: Events whose bodies are forgotten.
        pictures: Pictures that no message shows any more.
        left: Incidents and messages old enough that are kept: something of them is still to be sent, or is held.
    """

    incidents: int = 0
    messages: int = 0
    publications: int = 0
    deliveries: int = 0
    people: int = 0
    events: int = 0
    pictures: int = 0
    left: int = 0

    @property
    def nothing(self) -> bool:
        """There is nothing to forget."""
        return not (self.publications or self.pictures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be forgotten.

    Attributes:
        before: What was over by then, in the journal's time.
        category: Only that category.
    """

    before: int
    category: str | None = None


def purge(journal: Records, before: datetime, actor: str, *, category: str | None, dry_run: bool) -> Purged:
    """Forget what was over by *before*; see [`Journal.purge`][policenotify.journal.journal.Journal.purge]."""
    wanted = Wanted(before=microseconds(before), category=category)
    with journal.read() as connection:
        planned = _planned(connection, wanted)
    if dry_run or planned.nothing:
        return planned
    said: dict[str, object] = {"before": before.astimezone(UTC).isoformat(), "category": category}
    journal.record(actor, "purge_begun", said)
    journal.seal()  # proves each body against its commitment a last time
    done: Counter[str] = Counter(left=planned.left)
    for kind in _DUE:
        after = ""
        while True:
            with journal.read() as connection:
                page = _page(connection, kind, wanted, after)
            if not page:
                break
            after = page[-1]
            done["people"] += _forget_people(journal, kind, page)
            with journal.write() as connection:
                done.update(_forget(connection, journal.keys, kind, wanted, page, journal.now()))
    done["pictures"] = _forget_pictures(journal)
    journal.erase_addresses()
    purged = Purged(**done)
    counts = {name: getattr(purged, name) for name in purged.__slots__}
    journal.record(actor, "purged", {**said, **counts})
    return purged


# --- what is due


def _of_incident() -> ColumnElement[bool]:
    return and_(_part.c.incident == _incident.c.id, _part.c.state == "published")


def _of_message() -> ColumnElement[bool]:
    sets_right = and_(_part.c.corrects == _said.c.id, _part.c.incident.is_(None), _part.c.state == "published")
    return or_(_part.c.id == _said.c.id, and_(sets_right, _said.c.state == "published"))


def _over(course: ColumnElement[bool], wanted: Wanted) -> ColumnElement[bool]:
    """All of a course is old enough, and not yet forgotten."""
    young = exists().where(course, _part.c.created_at > wanted.before)
    return and_(~young, exists().where(course, whole(_part)))


def _busy(course: ColumnElement[bool]) -> ColumnElement[bool]:
    """Something of a course is still to be sent, or is held for a person."""
    person = exists().where(_people.c.delivery == _delivery.c.id, _people.c.state.in_(_UNSETTLED))
    return exists().where(course, _delivery.c.publication == _part.c.id, or_(_delivery.c.state.in_(_UNSETTLED), person))


def _incidents(wanted: Wanted) -> tuple[Any, ColumnElement[bool], ColumnElement[bool]]:
    over = [
        _incident.c.course != IncidentStatus.OPEN,
        _incident.c.closed_at <= wanted.before,
        _over(_of_incident(), wanted),
    ]
    if wanted.category is not None:
        over.append(_incident.c.category == wanted.category)
    return _incident.c.id, and_(*over), _busy(_of_incident())


def _messages(wanted: Wanted) -> tuple[Any, ColumnElement[bool], ColumnElement[bool]]:
    first = or_(_said.c.state != "published", _said.c.stage == Stage.STANDALONE)
    over = [_said.c.incident.is_(None), first, _over(_of_message(), wanted)]
    if wanted.category is not None:
        over.append(about(wanted.category))
    return _said.c.id, and_(*over), _busy(_of_message())


_DUE = {"incidents": _incidents, "messages": _messages}
_COURSE = {"incidents": _of_incident, "messages": _of_message}


def about(category: str) -> ColumnElement[bool]:
    """Whether a publication is about a category; within a text the quotes of its JSON would be escaped."""
    return _said.c.message.contains(f'"category":"{category}"', autoescape=True)


def _page(connection: Connection, kind: str, wanted: Wanted, after: str) -> list[str]:
    """The next courses that are due, by their ids."""
    key, over, busy = _DUE[kind](wanted)
    query = select(key).where(over, ~busy, key > after).order_by(key).limit(_PAGE)
    return [str(one) for one in connection.execute(query).scalars()]


def _parts(kind: str, page: Sequence[str]) -> Any:  # noqa: ANN401 - a query of the toolkit's own long type
    """The ids of the publications of some courses, as a subquery."""
    key = _incident.c.id if kind == "incidents" else _said.c.id
    return select(_part.c.id).select_from(_part).join(key.table, _COURSE[kind]()).where(key.in_(page))


def _planned(connection: Connection, wanted: Wanted) -> Purged:
    found: Counter[str] = Counter()
    going: set[str] = set()
    for kind, due in _DUE.items():
        key, over, busy = due(wanted)
        found["left"] += connection.execute(select(func.count(key)).where(over, busy)).scalar_one()
        after = ""
        while page := _page(connection, kind, wanted, after):
            after, parts = page[-1], _parts(kind, page)
            mine = list(connection.execute(parts.where(whole(_part))).scalars())
            going.update(mine)
            found[kind] += len(page)
            found["publications"] += len(mine)
            found["deliveries"] += _count(connection, _delivery.c.id, _delivery.c.publication.in_(parts))
            of_them = select(_delivery.c.id).where(_delivery.c.publication.in_(parts))
            found["people"] += _count(connection, _people.c.key, _people.c.delivery.in_(of_them))
            event = schema.event
            found["events"] += _count(connection, event.c.id, event.c.publication.in_(parts), event.c.body != "")
    found["pictures"] = len(_unused(connection, going))
    return Purged(**found)


def _count(connection: Connection, what: Any, *where: ColumnElement[bool]) -> int:  # noqa: ANN401 - any column
    return int(connection.execute(select(func.count(what)).where(*where)).scalar_one())


# --- people


def _forget_people(journal: Records, kind: str, page: Sequence[str]) -> int:
    """Forget who the mails of some courses went to; how many had which outcome stays with the delivery."""
    with journal.read() as connection:
        query = select(_delivery.c.id).where(_delivery.c.publication.in_(_parts(kind, page)), _delivery.c.mass)
        deliveries = list(connection.execute(query).scalars())
    gone = 0
    for one in deliveries:
        while some := _forget_some(journal, one):
            gone += some
    return gone


def _forget_some(journal: Records, one: int) -> int:
    with journal.write() as connection:
        keys = select(_people.c.key).where(_people.c.delivery == one).order_by(_people.c.key).limit(_PEOPLE)
        if not (some := connection.execute(keys).scalars().all()):
            return 0
        states = select(_people.c.state, func.count()).where(_people.c.delivery == one).group_by(_people.c.state)
        counts: dict[Outcome, int] = {Outcome(state): count for state, count in connection.execute(states)}
        uncounted = update(_delivery).where(_delivery.c.id == one, counted_not())
        connection.execute(uncounted.values(request=counts_left(counts)))
        connection.execute(delete(_people).where(_people.c.delivery == one, _people.c.key <= some[-1]))
        return len(some)


# --- words


def _forget(
    connection: Connection, keys: Keys, kind: str, wanted: Wanted, page: Sequence[str], now: datetime
) -> Counter[str]:
    """Forget the words of some courses, unless another desk has gone on with one meanwhile."""
    key, over, busy = _DUE[kind](wanted)
    # A desk may just be going on with one. Who waited for a lock sees all of it only with the next statement.
    connection.execute(select(key).where(key.in_(page)).order_by(key).with_for_update()).all()
    courses = [str(one) for one in connection.execute(select(key).where(over, ~busy, key.in_(page))).scalars()]
    parts = _parts(kind, courses)
    ids = set(connection.execute(parts).scalars())
    rows = connection.execute(select(_said).where(_said.c.id.in_(ids), whole())).all()
    for row in rows:
        connection.execute(update(_said).where(_said.c.id == row.id).values(**what_is_left(row, keys, now)))
    of_them = _delivery.c.publication.in_(ids)
    deliveries = connection.execute(
        update(_delivery).where(of_them).values(standalone=None, reply=None, ref=None, reason="", remedy="")
    )
    connection.execute(update(_delivery).where(of_them, counted_not()).values(request=None))
    tries = schema.attempt
    mine = select(_delivery.c.id).where(of_them)
    connection.execute(update(tries).where(tries.c.delivery.in_(mine)).values(reason=""))
    return Counter(
        {
            kind: len(courses),
            "publications": len(rows),
            "deliveries": deliveries.rowcount,
            "events": _forget_bodies(connection, ids),
        }
    )


def _forget_bodies(connection: Connection, publications: Iterable[str]) -> int:
    """Forget what events said of some publications. Their commitments, which the seals chain, stay."""
    event = schema.event
    told = update(event).where(event.c.publication.in_(publications), event.c.body != "")
    return connection.execute(told.values(body="", salt="")).rowcount


# --- pictures


def _unused(connection: Connection, going: Iterable[str] = ()) -> set[str]:
    """The pictures that no message shows but those that are going."""
    unused = set(connection.execute(select(schema.blob.c.digest)).scalars())
    without, after = frozenset(going), ""
    while unused:
        query = select(_said.c.id, _said.c.message).where(_said.c.id > after, whole())
        rows = connection.execute(query.order_by(_said.c.id).limit(_MESSAGES)).all()
        if not rows:
            break
        after = rows[-1].id
        unused.difference_update(*(_PICTURE.findall(row.message) for row in rows if row.id not in without))
    return unused


def _forget_pictures(journal: Records) -> int:
    with journal.read() as connection:
        last = audit.newest_event(connection)
        unused = sorted(_unused(connection))
    gone, blob = 0, schema.blob
    for start in range(0, len(unused), _PICTURES):
        with journal.write() as connection:
            some = set(unused[start : start + _PICTURES]) - _shown_since(connection, last - _UNCOMMITTED)
            gone += connection.execute(delete(blob).where(blob.c.digest.in_(some))).rowcount
    return gone


def _shown_since(connection: Connection, event: int) -> set[str]:
    """The pictures of what was published since an event."""
    query = select(_said.c.message).join(schema.event, schema.event.c.publication == _said.c.id)
    texts = connection.execute(query.where(schema.event.c.id > event)).scalars()
    return {one for text in texts for one in _PICTURE.findall(text)}
