"""Who a mass delivery goes to: opaque keys everywhere, the addresses encrypted and for a while."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from policenotify.channel import Recipient
from policenotify.journal import schema
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus

KEPT_AFTER = timedelta(days=30)
"""How long addresses are kept after the last incident that reached them has closed."""

_PURPOSE = "recipient"
_ADD_PEOPLE = insert(schema.recipient)
_OF_THOSE = schema.recipient.c.delivery.in_(bindparam("deliveries", expanding=True))
_SUPPRESS = (
    update(schema.recipient)
    .where(_OF_THOSE, exists().where(schema.suppression.c.key == schema.recipient.c.key))
    .values(state=Outcome.SUPPRESSED)
)
_TOLD = select(schema.recipient.c.delivery).where(_OF_THOSE, schema.recipient.c.state == Outcome.WAITING).distinct()
_THOSE = schema.address.c.key.in_(bindparam("those", expanding=True))
_KNOWN = select(schema.address.c.key).where(_THOSE).order_by(schema.address.c.key).with_for_update(key_share=True)
_A_DAY = 24 * 3_600 * 1_000_000  # a list of thousands is not written anew for each of the day's posts
_KEEP = (
    update(schema.address)
    .where(_THOSE, schema.address.c.stored_at < bindparam("stale"))
    .values(stored_at=bindparam("at"))
)
_ASK = (
    update(schema.recipient)
    .where(schema.recipient.c.delivery == bindparam("its"), schema.recipient.c.key == bindparam("whose"))
    .values(attempts=bindparam("our"))
)
_STATE = case(  # who is marked for an attempt, and not asked yet, still waits
    (
        and_(schema.recipient.c.state == Outcome.SENDING, schema.recipient.c.attempts < schema.delivery.c.attempts),
        literal(Outcome.WAITING.value),
    ),
    else_=schema.recipient.c.state,
).label("now_is")
_COUNTS = (
    select(schema.recipient.c.delivery, _STATE, schema.recipient.c.doubt, func.count())
    .join(schema.delivery, schema.delivery.c.id == schema.recipient.c.delivery)
    .where(_OF_THOSE)
    .group_by(schema.recipient.c.delivery, text("now_is"), schema.recipient.c.doubt)
)
_AT_ONCE = 500  # keys in one statement; SQLite allows 999 variables in its older builds (sqlite.org/limits.html)


def recipient_key(keys: Keys, address: str) -> str:
    """The opaque, stable name of the person behind an address.

    Mailboxes and domains are compared without case; telephone numbers by their digits, `00` being as good as `+`.
    """
    plain = address.strip().casefold()
    if "@" not in plain:
        plain = re.sub(r"\A00", "+", re.sub(r"[\s().\-/]", "", plain))
    return keys.tag(_PURPOSE, plain)


def store_recipients(
    connection: Connection, keys: Keys, wanted: Mapping[int, Iterable[str]], lanes: Mapping[int, str], at: int
) -> None:
    """Give deliveries their people: those who want to hear now, and whoever an earlier post of the lane was for.

    The addresses of those who want to hear now have been stored before.

    Args:
        connection: The transaction.
        keys: The installation's.
        wanted: For each delivery the addresses of those who want to hear now.
        lanes: The lanes of those deliveries that have others before them.
        at: The time.
    """
    people = [
        {"delivery": delivery, "key": key, "state": Outcome.WAITING}
        for delivery, addresses in wanted.items()
        for key in sorted(_by_key(keys, addresses))
    ]
    if people:
        connection.execute(_ADD_PEOPLE, people)
    for delivery, lane in lanes.items():
        _add_who_heard(connection, delivery, lane)
    those = {"deliveries": list(wanted)}
    connection.execute(_SUPPRESS, those)
    nobody = wanted.keys() - set(connection.execute(_TOLD, those).scalars())
    if nobody:
        connection.execute(
            update(schema.delivery)
            .where(schema.delivery.c.id.in_(nobody))
            .values(state=Outcome.SKIPPED, reason="Nobody on this channel's list may be written to.", settled_at=at)
        )


def _add_who_heard(connection: Connection, delivery: int, lane: str) -> None:
    table, earlier, mine = schema.recipient, schema.delivery, schema.recipient.alias("mine")
    heard = (
        select(literal(delivery), table.c.key, literal(Outcome.WAITING.value))
        .distinct()
        .join(earlier, earlier.c.id == table.c.delivery)
        .where(earlier.c.lane == lane, earlier.c.id != delivery)
        .where(exists().where(schema.address.c.key == table.c.key))
        .where(~exists().where(mine.c.delivery == delivery, mine.c.key == table.c.key))
    )
    if connection.dialect.name == "postgresql":  # nobody erases them meanwhile
        keep = select(schema.address.c.key).where(schema.address.c.key.in_(heard.with_only_columns(table.c.key)))
        connection.execute(keep.with_for_update(read=True, key_share=True)).all()
    connection.execute(insert(table).from_select(["delivery", "key", "state"], heard))


def _by_key(keys: Keys, addresses: Iterable[str]) -> dict[str, str]:
    return {recipient_key(keys, address): address.strip() for address in addresses if address.strip()}


def store_addresses(connection: Connection, keys: Keys, addresses: Iterable[str], at: int) -> None:
    """Keep these addresses from now on, in the order of their keys: two desks would else wait for each other."""
    wanted = _by_key(keys, addresses)
    table, names = schema.address, sorted(wanted)
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        known = set(connection.execute(_KNOWN, {"those": some}).scalars())
        if known:
            connection.execute(_KEEP, {"those": list(known), "at": at, "stale": at - _A_DAY})
        rows = []
        for key in some:
            if key not in known:
                version, sealed = keys.seal(_PURPOSE, wanted[key])
                rows.append({"key": key, "key_version": version, "sealed": sealed, "stored_at": at})
        schema.insert_new(connection, table, rows)


def _waiting() -> Select[Any]:
    table, known, never = schema.recipient, schema.address, schema.suppression
    return (
        select(table.c.key, table.c.doubt, known.c.key_version, known.c.sealed, never.c.key.label("never"))
        .join(known, known.c.key == table.c.key)
        .outerjoin(never, never.c.key == table.c.key)
        .where(table.c.delivery == bindparam("its"), table.c.state == Outcome.WAITING)
        .where(table.c.attempts < bindparam("our"))
        .order_by(table.c.key)
        .limit(bindparam("most"))
    )


_WAITING = _waiting()


def next_people(
    connection: Connection, keys: Keys, delivery: int, attempt: int, limit: int, *, hold_doubt: bool
) -> tuple[Recipient, ...]:
    """Mark the next people for an attempt, and decrypt their addresses; nobody twice in one attempt.

    They are `sending` from now on. Who is really being asked is marked by [`ask`][policenotify.journal.recipients.ask].

    Who has been suppressed since is passed over, and so is, where *hold_doubt*, who may have it already.
    """
    table, some = schema.recipient, {"its": delivery, "our": attempt, "most": limit}
    people: list[Recipient] = []
    while not people and (rows := connection.execute(_WAITING, some).all()):
        marked: dict[Outcome, list[str]] = {Outcome.SUPPRESSED: [], Outcome.HELD: [], Outcome.SENDING: []}
        for row in rows:
            held = Outcome.HELD if row.doubt and hold_doubt else Outcome.SENDING
            marked[Outcome.SUPPRESSED if row.never else held].append(row.key)
            if not row.never and held is Outcome.SENDING:
                people.append(Recipient(key=row.key, address=keys.unseal(_PURPOSE, row.key_version, row.sealed)))
        for state, them in marked.items():
            if not them:
                continue
            connection.execute(
                update(table).where(table.c.delivery == delivery, table.c.key.in_(them)).values(state=state)
            )
    return tuple(people)


def ask(connection: Connection, delivery: int, attempt: int, person: str) -> None:
    """Mark that the network is about to be asked for one of the people of an attempt."""
    connection.execute(_ASK, {"its": delivery, "our": attempt, "whose": person})


def release(connection: Connection, delivery: int, attempt: int, *, all_in_doubt: bool) -> None:
    """Let the people of an interrupted attempt wait again. In doubt is who was being asked, or everybody."""
    table = schema.recipient
    marked = update(table).where(table.c.delivery == delivery, table.c.state == Outcome.SENDING)
    asked = marked if all_in_doubt else marked.where(table.c.attempts == attempt)
    connection.execute(asked.values(doubt=True))
    connection.execute(marked.values(state=Outcome.WAITING))


def suppress(connection: Connection, people: Sequence[str], reason: str, at: int) -> None:
    """Never write to these people again."""
    table = schema.suppression
    if not people:
        return
    known = set(connection.execute(select(table.c.key).where(table.c.key.in_(people))).scalars())
    rows = [{"key": key, "reason": reason, "at": at} for key in sorted(people) if key not in known]
    schema.insert_new(connection, table, rows)


def counts(connection: Connection, deliveries: Iterable[int]) -> dict[int, dict[Outcome, int]]:
    """How many people of each delivery have which outcome; people in doubt count as `unconfirmed`."""
    found: dict[int, dict[Outcome, int]] = {}
    those = list(deliveries)
    for delivery, state, doubt, count in connection.execute(_COUNTS, {"deliveries": those}) if those else ():
        outcome = Outcome.UNCONFIRMED if doubt and state == Outcome.WAITING else Outcome(state)
        people = found.setdefault(delivery, {})
        people[outcome] = people.get(outcome, 0) + count
    return found


def of_people(found: Mapping[Outcome, int]) -> Outcome:
    """What a mass delivery has come to, from what became of its people."""
    for outcome in (Outcome.UNCONFIRMED, Outcome.WAITING, Outcome.SENDING):
        if found.get(outcome):
            return Outcome.WAITING
    for outcome in (Outcome.POSTED, Outcome.HELD, Outcome.SUPERSEDED, Outcome.REFUSED):
        if found.get(outcome):
            return outcome
    return Outcome.SKIPPED


def erase(connection: Connection, now: int) -> int:
    """Erase the addresses that nothing needs any more; returns how many."""
    person, one, said, course = schema.recipient, schema.delivery, schema.publication, schema.incident
    recent = now - int(KEPT_AFTER.total_seconds() * 1_000_000)
    needed = (
        select(person.c.key)
        .join(one, one.c.id == person.c.delivery)
        .join(said, said.c.id == one.c.publication)
        .outerjoin(course, course.c.id == said.c.incident)
        .where(
            or_(
                course.c.course == IncidentStatus.OPEN,
                func.coalesce(course.c.closed_at, said.c.created_at) > recent,
                one.c.state.in_([Outcome.WAITING, Outcome.SENDING]),
            )
        )
    )
    table = schema.address
    # Whom another desk is just writing to is passed over, and looked at the next time.
    gone = select(table.c.key).where(table.c.stored_at <= recent, table.c.key.not_in(needed))
    return connection.execute(delete(table).where(table.c.key.in_(gone.with_for_update(skip_locked=True)))).rowcount
