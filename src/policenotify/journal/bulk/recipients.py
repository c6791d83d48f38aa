"""Recipients of bulk deliveries: opaque keys, and addresses that are encrypted and erased in time."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress as suppress_error
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    select,
    text,
    update,
)

from policenotify.channel import Recipient
from policenotify.journal.database import schema
from policenotify.journal.keys import InvalidSeal, Keys
from policenotify.journal.persons.tokens import PERSON_DIGITS, make_token
from policenotify.journal.records import outcome_of, span
from policenotify.journal.verify import digest_of
from policenotify.log import fields
from policenotify.model.history import Outcome

_PURPOSE = "recipient"
CHANGED_ADDRESS = "The stored address was changed or is damaged, so nothing was sent to it."
NOBODY = "Nobody on this channel's list may be written to."
"""The reason of a delivery of which every recipient is suppressed."""
NOBODY_CONCERNED = (
    "This message concerns nobody on this channel's list, or nobody there consented to messages of this kind."
)
"""The reason of a delivery that has no recipient."""

_log = logging.getLogger("policenotify")
_recipient, _delivery, _person, _page = schema.recipient, schema.delivery, schema.person, schema.page
_OF_PAGE = and_(_recipient.c.delivery == bindparam("of_delivery"), _recipient.c.page == bindparam("of_page"))
_SUPPRESS = (
    update(_recipient)
    .where(
        _OF_PAGE,
        exists().where(
            _delivery.c.id == _recipient.c.delivery,
            _person.c.id == _recipient.c.person,
            schema.applies(_delivery.c.channel, _person.c.key),
        ),
    )
    .values(state=Outcome.SUPPRESSED)
)
_OF_KEYS = _person.c.key.in_(bindparam("keys", expanding=True))
_KNOWN = select(_person.c.id, _person.c.key, _person.c.key_version, _person.c.sealed.is_(None).label("erased")).where(
    _OF_KEYS
)
_LOCK_KNOWN = _KNOWN.order_by(_person.c.key).with_for_update(key_share=True)
_A_DAY = span(timedelta(days=1))  # a list of thousands is not rewritten for each post of a day
_REFRESH = update(_person).where(_OF_KEYS, _person.c.stored_at < bindparam("stale")).values(stored_at=bindparam("at"))
_SEAL_AGAIN = (  # with the newest keys
    update(_person)
    .where(_person.c.key == bindparam("of_key"))
    .values({name: bindparam(name) for name in ("key_version", "sealed", "stored_at")})
)
_ID = select(_person.c.id).where(_person.c.key == bindparam("of_key")).scalar_subquery()
OF_PERSON = and_(_OF_PAGE, _recipient.c.person == _ID)
"""The condition that a row is the one of a person in a page. Its values are `of_delivery`, `of_page` and `of_key`."""

IS_HALTED = exists().where(_delivery.c.id == bindparam("of_delivery"), _delivery.c.halt != "")
"""The condition that a person has paused or aborted a delivery. Its value is `of_delivery`."""

START = update(_recipient).where(OF_PERSON, ~IS_HALTED).values(attempts=bindparam("attempt"))
"""Marks that one person of a page is about to be sent to. Its values are those of `OF_PERSON`, and `attempt`."""

START_NEXT = (
    update(_recipient)
    .where(
        _OF_PAGE,
        _recipient.c.person == select(_person.c.id).where(_person.c.key == bindparam("next_key")).scalar_subquery(),
    )
    .values(attempts=bindparam("of_attempt"))
)
"""The same, with values of other names: `next_key` and `of_attempt`."""

_NEXT_ID = select(_person.c.id).where(_person.c.key == bindparam("next_key")).scalar_subquery()


def _of_the_tried(column: str, value: Any) -> Any:  # noqa: ANN401 - an expression of the toolkit
    return case((_recipient.c.attempts == bindparam("of_attempt"), value), else_=_recipient.c[column])


POSTED_AND_NEXT = (
    update(_recipient)
    .where(_OF_PAGE, _recipient.c.state == Outcome.SENDING, _recipient.c.person.in_([_ID, _NEXT_ID]))
    .values(
        attempts=bindparam("of_attempt"),
        state=_of_the_tried("state", literal(Outcome.POSTED.value)),
        in_doubt=_of_the_tried("in_doubt", literal(value=False)),
        reason=_of_the_tried("reason", bindparam("reason")),
        code=_of_the_tried("code", bindparam("code")),
    )
)
"""Records that one person, `of_key`, has it, and that the next one, `next_key`, is about to be sent to: two rows.

Only the first was tried in this attempt."""

_STATE = case(  # a recipient taken for an attempt but not yet sent to still waits
    (
        and_(_recipient.c.state == Outcome.SENDING, _recipient.c.attempts < _page.c.attempt),
        literal(Outcome.WAITING.value),
    ),
    else_=_recipient.c.state,
).label("current")
_COUNTS = (
    select(_recipient.c.delivery, _STATE, _recipient.c.in_doubt, func.count())
    .join(_page, and_(_page.c.delivery == _recipient.c.delivery, _page.c.number == _recipient.c.page))
    .where(_recipient.c.delivery.in_(bindparam("deliveries", expanding=True)))
    .group_by(_recipient.c.delivery, text("current"), _recipient.c.in_doubt)
)
_PAGE_COUNTS = (
    select(_recipient.c.state, _recipient.c.in_doubt, func.count())
    .where(_OF_PAGE)
    .group_by(_recipient.c.state, _recipient.c.in_doubt)
)
_SERVED = (
    select(_person.c.key)
    .join(_recipient, _recipient.c.person == _person.c.id)
    .where(_OF_PAGE, _recipient.c.state == Outcome.POSTED, _recipient.c.attempts <= bindparam("attempt"))
    .order_by(_person.c.key)
)

_BATCH = 500  # keys in one statement; SQLite allows 999 variables in its older builds (sqlite.org/limits.html)


def recipient_key(keys: Keys, address: str) -> str:
    """Return the opaque, stable key of the recipient behind an address.

    Mail addresses are compared without case, phone numbers by their digits, with `00` equal to `+`. A person is
    suppressed under the same key.
    """
    plain = address.strip().casefold()
    if "@" not in plain:
        plain = re.sub(r"\A00", "+", re.sub(r"[\s().\-/]", "", plain))
    return keys.tag(_PURPOSE, plain)[:PERSON_DIGITS]


@dataclass(frozen=True, slots=True)
class SealedPeople:
    """Some people, ready to be stored: their keys, and the encrypted addresses of those who are not stored yet.

    Attributes:
        keys: The keys of all of them, each once.
        sealed: By key, the version of the installation's keys, and the address encrypted with it.
    """

    keys: tuple[str, ...]
    sealed: Mapping[str, tuple[int, bytes]] = field(repr=False)


def seal_people(connection: Connection, keys: Keys, addresses: Iterable[str]) -> SealedPeople:
    """Compute the keys of some people, and encrypt the addresses that are not stored with the newest keys.

    It takes most of the time that storing them takes, so that it is done outside the transaction that writes.
    """
    by_key = {recipient_key(keys, address): address.strip() for address in addresses if address.strip()}
    names, current = sorted(by_key), set()
    for start in range(0, len(names), _BATCH):
        for row in connection.execute(_KNOWN, {"keys": names[start : start + _BATCH]}):
            if row.key_version >= keys.version and not row.erased:
                current.add(row.key)
    sealed = {name: keys.seal(_bound(name), by_key[name]) for name in names if name not in current}
    return SealedPeople(tuple(names), sealed)


def store_people(connection: Connection, people: SealedPeople, at: int) -> dict[str, int]:
    """Store people, or refresh the date of their addresses. Return their numbers by key.

    It goes in the order of the keys, so that no two processes deadlock. A person whose address was erased after
    `seal_people` is left out, and is found again when the list is read the next time.
    """
    numbers: dict[str, int] = {}
    for start in range(0, len(people.keys), _BATCH):
        batch = people.keys[start : start + _BATCH]
        known = {row.key: row for row in connection.execute(_LOCK_KNOWN, {"keys": batch})}
        if known:
            connection.execute(_REFRESH, {"keys": list(known), "at": at, "stale": at - _A_DAY})
        rows = []
        for key in batch:
            if key in people.sealed:
                version, sealed = people.sealed[key]
                rows.append({"key": key, "key_version": version, "sealed": sealed, "stored_at": at})
        schema.insert_new(connection, _person, [row for row in rows if row["key"] not in known])
        again = [
            {"of_key": row.pop("key"), **row}
            for row in rows
            if (old := known.get(str(row["key"]))) and (old.erased or old.key_version < row["key_version"])
        ]
        if again:
            connection.execute(_SEAL_AGAIN, again)
        stored = connection.execute(_KNOWN, {"keys": batch}) if rows else known.values()
        numbers.update({row.key: row.id for row in stored if not row.erased})
    return numbers


def store_recipients(connection: Connection, delivery: int, page: int, people: Collection[int], at: int) -> None:
    """Store people as recipients of a page, in the order of their numbers.

    Those who are known to be suppressed on the channel are stored as suppressed.
    """
    rows = [
        {"delivery": delivery, "page": page, "person": person, "state": Outcome.WAITING} for person in sorted(people)
    ]
    connection.execute(insert(_recipient), rows)
    connection.execute(_SUPPRESS, {"of_delivery": delivery, "of_page": page, "now": at})


def seal_addresses_again(connection: Connection, keys: Keys) -> int:
    """Encrypt all addresses with the newest keys. Return their number. Those that do not open are left."""
    sealed = []
    for row in connection.execute(
        select(_person).where(_person.c.key_version < keys.version, _person.c.sealed.is_not(None))
    ):
        with suppress_error(InvalidSeal):
            version, again = keys.seal(_bound(row.key), keys.unseal(_bound(row.key), row.key_version, row.sealed))
            sealed.append({"of_key": row.key, "key_version": version, "sealed": again, "stored_at": row.stored_at})
    if sealed:
        connection.execute(_SEAL_AGAIN, sealed)
    return len(sealed)


def _bound(key: str) -> str:
    """Return the purpose of a sealed address, which opens in the row of its recipient only."""
    return f"{_PURPOSE} {key}"


_TAKEN = (_person.c.key, _person.c.key_version, _person.c.sealed)


def _waiting() -> Select[Any]:
    suppressed = schema.applies(_delivery.c.channel, _person.c.key).label("suppressed")
    return (
        select(_recipient.c.person, _recipient.c.in_doubt, *_TAKEN, suppressed)
        .join(_person, _person.c.id == _recipient.c.person)
        .join(_delivery, _delivery.c.id == _recipient.c.delivery)
        .where(_OF_PAGE, _recipient.c.state == Outcome.WAITING, _recipient.c.attempts < bindparam("attempt"))
        .order_by(_recipient.c.person)
        .limit(bindparam("count"))
    )


_WAITING = _waiting()
_TAKE = (
    update(_recipient)
    .where(_OF_PAGE, _recipient.c.state == Outcome.WAITING, _recipient.c.attempts < bindparam("attempt"))
    .where(_recipient.c.person.between(bindparam("first"), bindparam("last")))
    .values(state=Outcome.SENDING)
)


def take_recipients(
    connection: Connection,
    keys: Keys,
    delivery: int,
    page: int,
    attempt: int,
    limit: int,
    *,
    hold_doubt: bool,
    now: int,
) -> tuple[Recipient, ...]:
    """Mark the next recipients of a page for an attempt and decrypt their addresses, none twice in one attempt.

    They are `sending` from now on. `start_recipient` marks each before it is sent to. Recipients suppressed meanwhile
    are passed over, and with *hold_doubt* those in doubt are held. An address that was erased, or does not open in its
    row, is refused and forgotten, so that the next publication stores it again.
    """
    values = {"of_delivery": delivery, "of_page": page, "attempt": attempt, "count": limit, "now": now}
    recipients: list[Recipient] = []
    while not recipients and (rows := connection.execute(_WAITING, values).all()):
        others: dict[Outcome, list[int]] = {}
        changed: list[int] = []
        for person, in_doubt, key, version, sealed, suppressed in rows:
            if suppressed:
                others.setdefault(Outcome.SUPPRESSED, []).append(person)
            elif in_doubt and hold_doubt:
                others.setdefault(Outcome.HELD, []).append(person)
            else:
                try:
                    address = keys.unseal(_bound(key), version, sealed or b"")
                except InvalidSeal:
                    changed.append(person)
                    continue
                sign = partial(make_token, keys, delivery=delivery, recipient=key)
                recipients.append(Recipient(key=key, address=address, sign=sign))
        for state, marked in others.items():
            _mark(connection, delivery, page, marked, state=state)
        if changed:
            _refuse_changed(connection, delivery, page, changed)
        connection.execute(_TAKE, {**values, "first": rows[0].person, "last": rows[-1].person})
    return tuple(recipients)


def _mark(connection: Connection, delivery: int, page: int, people: Sequence[int], **values: object) -> None:
    of_page = and_(_recipient.c.delivery == delivery, _recipient.c.page == page, _recipient.c.person.in_(people))
    connection.execute(update(_recipient).where(of_page).values(**values))


def address_of(keys: Keys, person: Row[Any]) -> str | None:
    """Return the address of a person, given the stored row. None if it was erased, changed or is damaged."""
    with suppress_error(InvalidSeal):
        return keys.unseal(_bound(person.key), person.key_version, person.sealed or b"")
    return None


def _refuse_changed(connection: Connection, delivery: int, page: int, changed: Sequence[int]) -> None:
    about = fields(delivery=delivery)
    _log.error("Delivery %d: the stored addresses of %d recipients were changed", delivery, len(changed), extra=about)
    _mark(connection, delivery, page, changed, state=Outcome.REFUSED, reason=CHANGED_ADDRESS, code="changed")
    connection.execute(update(_person).where(_person.c.id.in_(changed)).values(sealed=None))


def start_recipient(connection: Connection, delivery: int, page: int, attempt: int, key: str) -> bool:
    """Mark that one recipient of an attempt is about to be sent to. Return False if a person has halted the sending."""
    values = {"of_delivery": delivery, "of_page": page, "attempt": attempt, "of_key": key}
    return connection.execute(START, values).rowcount > 0


def release_recipients(connection: Connection, delivery: int, page: int, attempt: int, *, all_in_doubt: bool) -> None:
    """Return the recipients of an interrupted attempt to waiting. Those being sent to, or all, are in doubt."""
    of_page = and_(_recipient.c.delivery == delivery, _recipient.c.page == page)
    taken = update(_recipient).where(of_page, _recipient.c.state == Outcome.SENDING)
    started = taken if all_in_doubt else taken.where(_recipient.c.attempts == attempt)
    connection.execute(started.values(in_doubt=True))
    connection.execute(taken.values(state=Outcome.WAITING))


def served(connection: Connection, delivery: int, page: int, attempt: int) -> str:
    """Return a digest of the recipients of a page whom a delivery reached up to an attempt."""
    values = {"of_delivery": delivery, "of_page": page, "attempt": attempt}
    return digest_of(list(connection.execute(_SERVED, values).scalars()))


def counts(connection: Connection, deliveries: Iterable[int]) -> dict[int, dict[Outcome, int]]:
    """Return how many recipients of each delivery have which outcome. Those in doubt count as `unconfirmed`."""
    ids = list(deliveries)
    by_delivery: dict[int, dict[Outcome, int]] = {}
    for delivery, state, in_doubt, count in connection.execute(_COUNTS, {"deliveries": ids}) if ids else ():
        outcome = outcome_of(state, in_doubt=in_doubt)
        outcomes = by_delivery.setdefault(delivery, {})
        outcomes[outcome] = outcomes.get(outcome, 0) + count
    return by_delivery


def page_counts(connection: Connection, delivery: int, page: int) -> dict[Outcome, int]:
    """Return how many recipients of a page have which outcome. Those in doubt count as `unconfirmed`."""
    outcomes: dict[Outcome, int] = {}
    for state, in_doubt, count in connection.execute(_PAGE_COUNTS, {"of_delivery": delivery, "of_page": page}):
        outcome = outcome_of(state, in_doubt=in_doubt)
        outcomes[outcome] = outcomes.get(outcome, 0) + count
    return outcomes


def overall_outcome(outcomes: Mapping[Outcome, int]) -> Outcome:
    """Return the outcome of a delivery from those of its recipients."""
    for outcome in (Outcome.UNCONFIRMED, Outcome.WAITING, Outcome.SENDING):
        if outcomes.get(outcome):
            return Outcome.WAITING
    for outcome in (Outcome.POSTED, Outcome.HELD, Outcome.SUPERSEDED, Outcome.REFUSED):
        if outcomes.get(outcome):
            return outcome
    return Outcome.SKIPPED
