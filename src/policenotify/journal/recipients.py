"""Recipients of bulk deliveries: opaque keys, and addresses that are encrypted and erased in time."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress as suppress_error
from datetime import timedelta
from functools import partial
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
    select,
    text,
    update,
)

from policenotify.channel import Recipient
from policenotify.journal.database import schema
from policenotify.journal.keys import InvalidSeal, Keys
from policenotify.journal.records import outcome_of, span
from policenotify.journal.tokens import PERSON_DIGITS, make_token
from policenotify.journal.verify import digest_of
from policenotify.model.history import Outcome

_PURPOSE = "recipient"
CHANGED_ADDRESS = "The stored address was changed or is damaged, so nothing was sent to it."
_log = logging.getLogger("policenotify")
_recipient, _delivery, _address, _suppression = schema.recipient, schema.delivery, schema.address, schema.suppression
_OF_DELIVERIES = _recipient.c.delivery.in_(bindparam("deliveries", expanding=True))
_SUPPRESS = (
    update(_recipient)
    .where(
        _OF_DELIVERIES,
        exists().where(
            _delivery.c.id == _recipient.c.delivery,
            _address.c.key == _recipient.c.key,
            schema.applies(_delivery.c.channel, _address.c.suppression),
        ),
    )
    .values(state=Outcome.SUPPRESSED)
)
_WITH_WAITING = select(_recipient.c.delivery).where(_OF_DELIVERIES, _recipient.c.state == Outcome.WAITING).distinct()
_OF_KEYS = _address.c.key.in_(bindparam("keys", expanding=True))
_KNOWN = (
    select(_address.c.key, _address.c.key_version)
    .where(_OF_KEYS)
    .order_by(_address.c.key)
    .with_for_update(key_share=True)
)
_A_DAY = span(timedelta(days=1))  # a list of thousands is not rewritten for each post of a day
_REFRESH = update(_address).where(_OF_KEYS, _address.c.stored_at < bindparam("stale")).values(stored_at=bindparam("at"))
_SET_SUPPRESSION = update(_address).where(_address.c.key == bindparam("of_key")).values(suppression=bindparam("by_key"))
_SEAL_AGAIN = (  # with the newest keys
    update(_address)
    .where(_address.c.key == bindparam("of_key"))
    .values({name: bindparam(name) for name in ("key_version", "sealed", "stored_at")})
)
_START = (
    update(_recipient)
    .where(_recipient.c.delivery == bindparam("of_delivery"), _recipient.c.key == bindparam("of_key"))
    .values(attempts=bindparam("attempt"))
)
_STATE = case(  # a recipient taken for an attempt but not yet sent to still waits
    (
        and_(_recipient.c.state == Outcome.SENDING, _recipient.c.attempts < _delivery.c.attempts),
        literal(Outcome.WAITING.value),
    ),
    else_=_recipient.c.state,
).label("current")
_COUNTS = (
    select(_recipient.c.delivery, _STATE, _recipient.c.in_doubt, func.count())
    .join(_delivery, _delivery.c.id == _recipient.c.delivery)
    .where(_OF_DELIVERIES)
    .group_by(_recipient.c.delivery, text("current"), _recipient.c.in_doubt)
)
NOBODY = "Nobody on this channel's list may be written to."
"""The reason of a delivery of which every recipient is suppressed."""

_BATCH = 500  # keys in one statement; SQLite allows 999 variables in its older builds (sqlite.org/limits.html)


def recipient_key(keys: Keys, address: str) -> str:
    """Return the opaque, stable key of the recipient behind an address.

    Mail addresses are compared without case, phone numbers by their digits, with `00` equal to `+`. The first digit of
    a phone number's key is 8 to f.
    """
    plain = address.strip().casefold()
    number = "@" not in plain
    if number:
        plain = re.sub(r"\A00", "+", re.sub(r"[\s().\-/]", "", plain))
    key = keys.tag(_PURPOSE, plain)
    return f"{int(key[0], 16) % 8 + 8 * number:x}{key[1:]}"


def store_recipients(
    connection: Connection,
    keys: Keys,
    addresses: Mapping[int, Iterable[str]],
    ordering_keys: Mapping[int, str],
    at: int,
) -> set[int]:
    """Store who receives some deliveries: their own recipients, and those of earlier deliveries of the incident.

    Args:
        connection: The transaction. `store_addresses` has stored the addresses in it.
        keys: The installation's keys.
        addresses: For each delivery the addresses of its own recipients.
        ordering_keys: The ordering keys of those deliveries that others precede.
        at: The time.

    Returns:
        The deliveries without a recipient who may receive them. They are skipped.
    """
    rows = [
        {"delivery": delivery, "key": key, "state": Outcome.WAITING}
        for delivery, listed in addresses.items()
        for key in sorted(_by_key(keys, listed))
    ]
    if rows:
        connection.execute(insert(_recipient), rows)
    for delivery, ordering_key in ordering_keys.items():
        _add_earlier_recipients(connection, delivery, ordering_key)
    deliveries = {"deliveries": list(addresses)}
    connection.execute(_SUPPRESS, {**deliveries, "now": at})
    empty = addresses.keys() - set(connection.execute(_WITH_WAITING, deliveries).scalars())
    if empty:
        remedy = literal("See who: policenotify people list --suppressed ") + _delivery.c.channel
        connection.execute(
            update(_delivery)
            .where(_delivery.c.id.in_(empty))
            .values(state=Outcome.SKIPPED, reason=NOBODY, remedy=remedy, settled_at=at)
        )
    return empty


def _add_earlier_recipients(connection: Connection, delivery: int, ordering_key: str) -> None:
    own = _recipient.alias("own")
    earlier = (
        select(literal(delivery), _recipient.c.key, literal(Outcome.WAITING.value))
        .distinct()
        .join(_delivery, _delivery.c.id == _recipient.c.delivery)
        .where(_delivery.c.ordering_key == ordering_key, _delivery.c.id != delivery)
        .where(exists().where(_address.c.key == _recipient.c.key))
        .where(~exists().where(own.c.delivery == delivery, own.c.key == _recipient.c.key))
    )
    if connection.dialect.name == "postgresql":  # keep the addresses from being erased meanwhile
        keep = select(_address.c.key).where(_address.c.key.in_(earlier.with_only_columns(_recipient.c.key)))
        connection.execute(keep.with_for_update(read=True, key_share=True)).all()
    connection.execute(insert(_recipient).from_select(["delivery", "key", "state"], earlier))


def _by_key(keys: Keys, addresses: Iterable[str]) -> dict[str, str]:
    return {recipient_key(keys, address): address.strip() for address in addresses if address.strip()}


def store_addresses(connection: Connection, keys: Keys, addresses: Iterable[str], at: int) -> None:
    """Store addresses, or refresh their date, in the order of their keys so that no two processes deadlock."""
    by_key = _by_key(keys, addresses)
    names = sorted(by_key)
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        versions = {row.key: row.key_version for row in connection.execute(_KNOWN, {"keys": batch})}
        if versions:
            connection.execute(_REFRESH, {"keys": list(versions), "at": at, "stale": at - _A_DAY})
        rows = []
        for key in batch:
            if versions.get(key, 0) < keys.version:
                version, sealed = keys.seal(_bound(key), by_key[key])
                rows.append({"key": key, "key_version": version, "sealed": sealed, "stored_at": at})
        schema.insert_new(connection, _address, [row for row in rows if row["key"] not in versions])
        if again := [{"of_key": row.pop("key"), **row} for row in rows if row["key"] in versions]:
            connection.execute(_SEAL_AGAIN, again)


def seal_addresses_again(connection: Connection, keys: Keys) -> int:
    """Encrypt all addresses with the newest keys. Return their number. Those that do not open are left."""
    sealed = []
    for row in connection.execute(select(_address).where(_address.c.key_version < keys.version)):
        with suppress_error(InvalidSeal):
            version, again = keys.seal(_bound(row.key), keys.unseal(_bound(row.key), row.key_version, row.sealed))
            sealed.append({"of_key": row.key, "key_version": version, "sealed": again, "stored_at": row.stored_at})
    if sealed:
        connection.execute(_SEAL_AGAIN, sealed)
    return len(sealed)


def _bound(key: str) -> str:
    """Return the purpose of a sealed address, which opens in the row of its recipient only."""
    return f"{_PURPOSE} {key}"


_TAKEN = (_address.c.key_version, _address.c.sealed, _address.c.suppression, _delivery.c.channel)


def _waiting() -> Select[Any]:
    suppressed = schema.applies(_delivery.c.channel, _address.c.suppression).label("suppressed")
    return (
        select(_recipient.c.key, _recipient.c.in_doubt, *_TAKEN, suppressed)
        .join(_address, _address.c.key == _recipient.c.key)
        .join(_delivery, _delivery.c.id == _recipient.c.delivery)
        .where(_recipient.c.delivery == bindparam("of_delivery"), _recipient.c.state == Outcome.WAITING)
        .where(_recipient.c.attempts < bindparam("attempt"))
        .order_by(_recipient.c.key)
        .limit(bindparam("count"))
    )


_WAITING = _waiting()


def take_recipients(
    connection: Connection, keys: Keys, delivery: int, attempt: int, limit: int, *, hold_doubt: bool, now: int
) -> tuple[Recipient, ...]:
    """Mark the next recipients for an attempt and decrypt their addresses, none twice in one attempt.

    They are `sending` from now on. `start_recipient` marks each before it is sent to. Recipients suppressed meanwhile
    are passed over, and with *hold_doubt* those in doubt are held. An address that does not open in its row is
    refused and forgotten, so that the next publication stores it again.
    """
    values = {"of_delivery": delivery, "attempt": attempt, "count": limit, "now": now}
    recipients: list[Recipient] = []
    while not recipients and (rows := connection.execute(_WAITING, values).all()):
        by_state: dict[Outcome, list[str]] = {}
        changed: list[str] = []
        unknown = [row.key for row in rows if row.suppression is None]
        found = _suppressed_among(connection, keys, rows[0].channel, unknown, now)
        for row in rows:
            held, suppressed = row.in_doubt and hold_doubt, row.suppressed or row.key in found
            state = Outcome.SUPPRESSED if suppressed else Outcome.HELD if held else Outcome.SENDING
            if state is Outcome.SENDING:
                try:
                    address = keys.unseal(_bound(row.key), row.key_version, row.sealed)
                    sign = partial(make_token, keys, delivery=delivery, recipient=row.key)
                    recipients.append(Recipient(key=row.key, address=address, sign=sign))
                except InvalidSeal:
                    changed.append(row.key)
                    continue
            by_state.setdefault(state, []).append(row.key)
        for state, marked in by_state.items():
            of_delivery = update(_recipient).where(_recipient.c.delivery == delivery, _recipient.c.key.in_(marked))
            connection.execute(of_delivery.values(state=state))
        if changed:
            _refuse_changed(connection, delivery, changed)
    return tuple(recipients)


def addresses_of(connection: Connection, keys: Keys, recipients: Collection[str]) -> list[str]:
    """Return the addresses of some recipients, as far as they are still stored and unchanged."""
    stored = select(_address.c.key, _address.c.key_version, _address.c.sealed).where(_address.c.key.in_(recipients))
    addresses: list[str] = []
    for row in connection.execute(stored):
        with suppress_error(InvalidSeal):
            addresses.append(keys.unseal(_bound(row.key), row.key_version, row.sealed))
    return addresses


def store_suppression_keys(connection: Connection, keys: Keys, recipients: Iterable[str]) -> dict[str, str]:
    """Store by which key each of some recipients would be suppressed. Return the keys by recipient.

    One takes milliseconds to compute, so that it is stored beside the address and erased with it.
    """
    tags = {key: suppression_key(keys, key) for key in sorted(recipients)}
    if tags:
        connection.execute(_SET_SUPPRESSION, [{"of_key": key, "by_key": tag} for key, tag in tags.items()])
    return tags


def _suppressed_among(
    connection: Connection, keys: Keys, channel: str, recipients: Sequence[str], now: int
) -> set[str]:
    """Return who of some recipients, whose key of suppression is not stored yet, is suppressed on a channel."""
    if not recipients or connection.execute(select(func.max(_suppression.c.key))).scalar() is None:
        return set()
    tags = store_suppression_keys(connection, keys, recipients)
    listed = _suppression.c.key.in_(tags.values())
    query = select(_suppression.c.key).where(listed, schema.applies(literal(channel), _suppression.c.key))
    found = set(connection.execute(query, {"now": now}).scalars())
    return {key for key, tag in tags.items() if tag in found}


def suppression_key(keys: Keys, recipient: str) -> str:
    """Return the key under which a recipient is suppressed.

    That of a phone number takes milliseconds, so that no number can be found from it in minutes, although all numbers
    can be tried. Mail addresses cannot be listed like that, and a list of 100,000 must not take a quarter of an hour.

    Args:
        keys: The installation's keys.
        recipient: The recipient's key, or the part of it that a token holds.
    """
    person = recipient[:PERSON_DIGITS]
    is_number = int(person[0], 16) >= 8  # noqa: PLR2004 - see `recipient_key`
    return keys.slow_tag("suppression", person) if is_number else keys.tag("suppression", person)


def _refuse_changed(connection: Connection, delivery: int, changed: Sequence[str]) -> None:
    _log.error("Delivery %d: the stored addresses of %d recipients were changed", delivery, len(changed))
    of_delivery = update(_recipient).where(_recipient.c.delivery == delivery, _recipient.c.key.in_(changed))
    connection.execute(of_delivery.values(state=Outcome.REFUSED, reason=CHANGED_ADDRESS, code="changed"))
    connection.execute(delete(_address).where(_address.c.key.in_(changed)))


def start_recipient(connection: Connection, delivery: int, attempt: int, key: str) -> None:
    """Mark that one recipient of an attempt is about to be sent to."""
    connection.execute(_START, {"of_delivery": delivery, "attempt": attempt, "of_key": key})


def release_recipients(connection: Connection, delivery: int, attempt: int, *, all_in_doubt: bool) -> None:
    """Return the recipients of an interrupted attempt to waiting. Those being sent to, or all, are in doubt."""
    taken = update(_recipient).where(_recipient.c.delivery == delivery, _recipient.c.state == Outcome.SENDING)
    started = taken if all_in_doubt else taken.where(_recipient.c.attempts == attempt)
    connection.execute(started.values(in_doubt=True))
    connection.execute(taken.values(state=Outcome.WAITING))


def served(connection: Connection, delivery: int, attempt: int) -> str:
    """Return a digest of the recipients that a delivery reached up to an attempt."""
    reached = and_(_recipient.c.state == Outcome.POSTED, _recipient.c.attempts <= attempt)
    query = select(_recipient.c.key).where(_recipient.c.delivery == delivery, reached).order_by(_recipient.c.key)
    return digest_of(list(connection.execute(query).scalars()))


def counts(connection: Connection, deliveries: Iterable[int]) -> dict[int, dict[Outcome, int]]:
    """Return how many recipients of each delivery have which outcome. Those in doubt count as `unconfirmed`."""
    ids = list(deliveries)
    by_delivery: dict[int, dict[Outcome, int]] = {}
    for delivery, state, in_doubt, count in connection.execute(_COUNTS, {"deliveries": ids}) if ids else ():
        outcome = outcome_of(state, in_doubt=in_doubt)
        outcomes = by_delivery.setdefault(delivery, {})
        outcomes[outcome] = outcomes.get(outcome, 0) + count
    return by_delivery


def overall_outcome(outcomes: Mapping[Outcome, int]) -> Outcome:
    """Return the outcome of a delivery from those of its recipients."""
    for outcome in (Outcome.UNCONFIRMED, Outcome.WAITING, Outcome.SENDING):
        if outcomes.get(outcome):
            return Outcome.WAITING
    for outcome in (Outcome.POSTED, Outcome.HELD, Outcome.SUPERSEDED, Outcome.REFUSED):
        if outcomes.get(outcome):
            return outcome
    return Outcome.SKIPPED
