"""Recipients of lists: opaque keys, encrypted addresses, and what became of each person."""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress as suppress_error
from datetime import timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    func,
    insert,
    select,
    update,
)

from policenotify.channel import Recipient, RecipientOutcome
from policenotify.journal.database import schema
from policenotify.journal.keys import InvalidSeal, Keys
from policenotify.journal.persons.tokens import PERSON_DIGITS, make_token
from policenotify.journal.records import ClaimedDelivery, outcome_of, span, storable
from policenotify.log import fields
from policenotify.model.history import Outcome
from policenotify.model.receipt import ReasonCount, merged
from policenotify.translation import AnyText, Text, read_text, stored_text

_PURPOSE = "recipient"
CHANGED_ADDRESS = Text("The stored address was changed or is damaged, so nothing was sent to it.")
NOBODY = Text("Nobody on this channel's list may be written to.")
"""The reason of a delivery of which every recipient is suppressed."""
NOBODY_CONCERNED = Text(
    "This message concerns nobody on this channel's list, or nobody there consented to messages of this kind."
)
"""The reason of a delivery that has no recipient."""

_log = logging.getLogger("policenotify")
_recipient, _delivery, _person = schema.recipient, schema.delivery, schema.person
_OF_BATCH = and_(_recipient.c.delivery == bindparam("of_list"), _recipient.c.batch == bindparam("of_batch"))
_ADDED = select(
    bindparam("of_list", type_=_recipient.c.delivery.type),
    bindparam("of_batch", type_=_recipient.c.batch.type),
    _person.c.id,
    case(
        (schema.applies(bindparam("channel", type_=_delivery.c.channel.type), _person.c.key), Outcome.SUPPRESSED),
        else_=Outcome.WAITING,
    ),
    bindparam("doubt", type_=_recipient.c.in_doubt.type),
)
_ADD = insert(_recipient).from_select(
    ["delivery", "batch", "person", "state", "in_doubt"],
    _ADDED.where(_person.c.id.in_(bindparam("people", expanding=True))).order_by(_person.c.id),
)
_OF_KEYS = _person.c.key.in_(bindparam("keys", expanding=True))
_ERASED = _person.c.sealed.is_(None).label("erased")
_KNOWN = select(_person.c.id, _person.c.key, _person.c.key_version, _person.c.stored_at, _ERASED).where(_OF_KEYS)
_LOCK_KNOWN = _KNOWN.order_by(_person.c.key).with_for_update(key_share=True)
_A_DAY = span(timedelta(days=1))  # a list of thousands is not rewritten for each post of a day
_REFRESH = update(_person).where(_OF_KEYS, _person.c.stored_at < bindparam("stale")).values(stored_at=bindparam("at"))
_SEAL_AGAIN = (  # with the newest keys
    update(_person)
    .where(_person.c.key == bindparam("of_key"))
    .values({name: bindparam(name) for name in ("key_version", "sealed", "stored_at")})
)
_IDS = select(_person.c.id).where(_OF_KEYS)
_RECORD = (
    update(_recipient)
    .where(_OF_BATCH, _recipient.c.person.in_(_IDS), _recipient.c.state == Outcome.SENDING)
    .values(
        {name: bindparam(name) for name in ("state", "reason", "code")}
        | {"attempts": bindparam("of_attempt"), "gone": _recipient.c.gone + bindparam("more_gone")}
        | {"in_doubt": func.coalesce(bindparam("doubt", type_=_recipient.c.in_doubt.type), _recipient.c.in_doubt)}
    )
)
_RELEASE = update(_recipient).where(_OF_BATCH, _recipient.c.state == Outcome.SENDING).values(state=Outcome.WAITING)
_INTERRUPT = _RELEASE.values(in_doubt=True, attempts=bindparam("of_attempt"))
_STILL_WAITING = update(_recipient).where(_OF_BATCH, _recipient.c.state == Outcome.WAITING)
_PEOPLE = select(_recipient.c.person).where(_OF_BATCH).order_by(_recipient.c.person)
_WORDS = case((_recipient.c.code == "", _recipient.c.reason), else_="")  # with a code, one text stands for all
_COUNTED = (
    select(
        _recipient.c.state,
        _recipient.c.in_doubt,
        _recipient.c.code,
        func.min(_recipient.c.reason).label("reason"),
        func.count().label("number"),
    )
    .where(_OF_BATCH)
    .group_by(_recipient.c.state, _recipient.c.in_doubt, _recipient.c.code, _WORDS)
)
_BATCHES = (
    select(_delivery.c.id, _delivery.c.parent, _delivery.c.counts)
    .where(_delivery.c.parent.in_(bindparam("lists", expanding=True)))
    .order_by(_delivery.c.parent, _delivery.c.number)
)

KEY_SHOWN: Final = 12
"""Characters by which the keys of people differ, and the fewest by which one is named."""

MOST_REASONS: Final = 20
"""Different reasons that are kept of a batch. A server that words each answer differently does not fill the journal."""


def recipient_key(keys: Keys, address: str) -> str:
    """Return the opaque, stable key of the recipient behind an address.

    Mail addresses are compared without case, phone numbers by their digits, with `00` equal to `+`. A person is
    suppressed under the same key.
    """
    plain = address.strip().casefold()
    if "@" not in plain:
        plain = re.sub(r"\A00", "+", re.sub(r"[\s().\-/]", "", plain))
    return keys.tag(_PURPOSE, plain)[:PERSON_DIGITS]


def recipient_keys(keys: Keys, addresses: Iterable[str]) -> list[str]:
    """Return the keys of the recipients behind some addresses, in order, each once.

    Raises:
        TypeError: A single address, which would be read letter by letter.
    """
    if isinstance(addresses, str):
        raise TypeError("Pass a list of addresses")
    return sorted({recipient_key(keys, address) for address in addresses})


def store_people(connection: Connection, keys: Keys, addresses: Iterable[str], at: int) -> list[int]:
    """Store people by their addresses, which are encrypted, or refresh the date of these. Return their numbers.

    It goes in the order of their keys, so that no two processes deadlock. They are those of one batch: SQLite takes
    32,766 values in a statement (sqlite.org/limits.html).
    """
    by_key = {recipient_key(keys, address): address.strip() for address in addresses if address.strip()}
    if not by_key:
        return []
    names = sorted(by_key)
    known = {row.key: row for row in connection.execute(_LOCK_KNOWN, {"keys": names})}
    if any(row.stored_at < at - _A_DAY for row in known.values()):
        connection.execute(_REFRESH, {"keys": list(known), "at": at, "stale": at - _A_DAY})
    new, again = list[dict[str, object]](), list[dict[str, object]]()
    for name in names:
        if (row := known.get(name)) is None or row.erased or row.key_version < keys.version:
            version, sealed = keys.seal(_bound(name), by_key[name])
            columns = {"key_version": version, "sealed": sealed, "stored_at": at}
            (new if row is None else again).append({"key" if row is None else "of_key": name, **columns})
    schema.insert_new(connection, _person, new)
    if again:
        connection.execute(_SEAL_AGAIN, again)
    return [row.id for row in (connection.execute(_KNOWN, {"keys": names}) if new else known.values())]


def store_recipients(connection: Connection, delivery: Row[Any], batch: int, people: Sequence[int]) -> None:
    """Store people as recipients of a batch, in the order of their numbers.

    Those who are known to be suppressed on the channel are stored as suppressed. Of a delivery in doubt, as in a
    journal that was restored from a copy, each may have been written to.
    """
    of_batch = {"of_list": delivery.id, "of_batch": batch, "channel": delivery.channel, "doubt": delivery.in_doubt}
    connection.execute(_ADD, {**of_batch, "people": people})


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


_WAITING = (
    select(_recipient.c.person, _recipient.c.in_doubt, _person.c.key, _person.c.key_version, _person.c.sealed)
    .add_columns(schema.applies(_delivery.c.channel, _person.c.key).label("suppressed"))
    .join(_person, _person.c.id == _recipient.c.person)
    .join(_delivery, _delivery.c.id == _recipient.c.delivery)
    .where(_OF_BATCH, _recipient.c.state == Outcome.WAITING, _recipient.c.attempts < bindparam("attempt"))
    .order_by(_recipient.c.person)
    .limit(bindparam("count"))
)
_TAKE = (
    update(_recipient)
    .where(_OF_BATCH, _recipient.c.state == Outcome.WAITING, _recipient.c.attempts < bindparam("attempt"))
    .where(_recipient.c.person.between(bindparam("first"), bindparam("last")))
    .values(state=Outcome.SENDING)
)


def take(
    connection: Connection, keys: Keys, claimed: ClaimedDelivery, limit: int, *, hold_doubt: bool
) -> tuple[Recipient, ...]:
    """Mark the next recipients of a batch for an attempt and decrypt their addresses, none twice in one attempt.

    They are `sending` from now on, and in doubt if the process ends before it records what became of them. Recipients
    suppressed meanwhile are passed over, and with *hold_doubt* those in doubt are held. An address that was erased, or
    does not open in its row, is refused and forgotten, so that the next publication stores it again.
    """
    values = {**_of(claimed), "attempt": claimed.attempts, "count": limit}
    delivery, recipients = claimed.public_id, list[Recipient]()
    while not recipients and (rows := connection.execute(_WAITING, values).all()):
        others = defaultdict[Outcome, list[int]](list)
        for row in rows:
            if row.suppressed:
                others[Outcome.SUPPRESSED].append(row.person)
            elif row.in_doubt and hold_doubt:
                others[Outcome.HELD].append(row.person)
            elif (address := address_of(keys, row)) is None:
                others[Outcome.REFUSED].append(row.person)
            else:
                sign = partial(make_token, keys, delivery=delivery, recipient=row.key)
                recipients.append(Recipient(key=row.key, address=address, sign=sign))
        for state, marked in others.items():
            _mark(connection, claimed, marked, state=state)
        if changed := others[Outcome.REFUSED]:
            _refuse_changed(connection, claimed, changed)
        connection.execute(_TAKE, {**values, "first": rows[0].person, "last": rows[-1].person})
    return tuple(recipients)


def record(
    connection: Connection, claimed: ClaimedDelivery, outcomes: Iterable[RecipientOutcome], *, hold_doubt: bool
) -> int:
    """Record what became of recipients that were marked. Those without an outcome were not begun, and wait again.

    Returns:
        How many were not begun.
    """
    states = {
        "posted": Outcome.POSTED,
        "refused": Outcome.REFUSED,
        "unavailable": Outcome.WAITING,
        "unconfirmed": Outcome.HELD if hold_doubt else Outcome.WAITING,
    }
    alike = defaultdict[tuple[str, AnyText, AnyText, bool], list[str]](list)
    for each in outcomes:
        alike[each.outcome, storable(each.reason), storable(each.code), bool(each.gone)].append(each.key)
    for (outcome, reason, code, gone), keys in alike.items():
        values = {
            **_of(claimed),
            "of_attempt": claimed.attempts,
            "keys": keys,
            "state": states[outcome].value,
            "reason": reason,
            "code": code,
            "more_gone": int(outcome == "refused" and gone),
            # A refusal does not settle an earlier attempt in doubt, nor does an answer that nothing was sent.
            "doubt": None if outcome in {"refused", "unavailable"} else outcome == "unconfirmed",
        }
        connection.execute(_RECORD, values)
    return connection.execute(_RELEASE, _of(claimed)).rowcount


def interrupt(connection: Connection, delivery: int, batch: int, attempt: int) -> None:
    """Let the recipients of a batch whose process has ended wait again. Those who were marked are in doubt."""
    connection.execute(_INTERRUPT, {"of_list": delivery, "of_batch": batch, "of_attempt": attempt})


def settle_waiting(
    connection: Connection, delivery: int, batch: int, outcome: Outcome, reason: str, code: str = ""
) -> None:
    """Settle the recipients of a batch who wait. Those in doubt are held."""
    of_batch = {"of_list": delivery, "of_batch": batch}
    connection.execute(_STILL_WAITING.where(_recipient.c.in_doubt).values(state=Outcome.HELD), of_batch)
    connection.execute(_STILL_WAITING.values(state=outcome, reason=reason, code=code), of_batch)


def people_of(connection: Connection, delivery: int, batch: int) -> list[int]:
    """Return the numbers of the people of a batch, in order."""
    return list(connection.execute(_PEOPLE, {"of_list": delivery, "of_batch": batch}).scalars())


def _of(claimed: ClaimedDelivery) -> dict[str, object]:
    return {"of_list": claimed.parent, "of_batch": claimed.id}


def _mark(connection: Connection, claimed: ClaimedDelivery, people: Sequence[int], **values: object) -> None:
    of_them = update(_recipient).where(_OF_BATCH, _recipient.c.person.in_(people)).values(**values)
    connection.execute(of_them, _of(claimed))


def address_of(keys: Keys, person: Row[Any]) -> str | None:
    """Return the address of a person, given the stored row. None if it was erased, changed or is damaged."""
    with suppress_error(InvalidSeal):
        return keys.unseal(_bound(person.key), person.key_version, person.sealed or b"")
    return None


def _refuse_changed(connection: Connection, claimed: ClaimedDelivery, changed: Sequence[int]) -> None:
    delivery = claimed.public_id
    about = fields(delivery=delivery)
    _log.error("Delivery %d: the stored addresses of %d recipients were changed", delivery, len(changed), extra=about)
    _mark(connection, claimed, changed, reason=CHANGED_ADDRESS, code="changed")
    connection.execute(update(_person).where(_person.c.id.in_(changed)).values(sealed=None))


# --- counts


def count_batch(connection: Connection, delivery: int, batch: int) -> tuple[ReasonCount, ...]:
    """Count the people of a batch by outcome and reason. Those in doubt count as `unconfirmed`."""
    rows = connection.execute(_COUNTED, {"of_list": delivery, "of_batch": batch}).all()
    counted = (
        ReasonCount(
            outcome=outcome_of(row.state, in_doubt=row.in_doubt), code=row.code, reason=row.reason, count=row.number
        )
        for row in rows
    )
    return merged(counted, at_most=MOST_REASONS)


def counts(connection: Connection, lists: Iterable[int]) -> dict[int, tuple[ReasonCount, ...]]:
    """Count the people of some deliveries by outcome and reason, the most frequent first.

    It adds up a row for each batch. Only the people of batches that are being sent are counted. A purge leaves counts.
    """
    ids = list(lists)
    counted: dict[int, list[ReasonCount]] = {}
    for row in connection.execute(_BATCHES, {"lists": ids}).all() if ids else ():
        try:
            of_batch = count_batch(connection, row.parent, row.id) if row.counts is None else from_text(row.counts)
        except (TypeError, ValueError):  # damaged: the people are counted, so that it stops no list and no withdrawal
            of_batch = count_batch(connection, row.parent, row.id)
        counted.setdefault(row.parent, []).extend(of_batch)
    return {delivery: merged(counted[delivery]) for delivery in counted}


def outcomes(counted: Iterable[ReasonCount]) -> dict[Outcome, int]:
    """Return how many people have which outcome."""
    found: dict[Outcome, int] = {}
    for each in counted:
        found[each.outcome] = found.get(each.outcome, 0) + each.count
    return dict(sorted(found.items()))


def reasons_in(counted: Iterable[ReasonCount]) -> tuple[ReasonCount, ...]:
    """Return the reasons of those who did not simply get it."""
    return tuple(each for each in counted if (each.code or each.reason) and each.outcome is not Outcome.POSTED)


def to_text(counted: Iterable[ReasonCount]) -> str:
    """Return counts as they are stored."""
    return json.dumps(
        [[each.outcome, each.code, stored_text(each.reason), each.count] for each in counted], ensure_ascii=False
    )


def from_text(text: str) -> tuple[ReasonCount, ...]:
    """Read stored counts.

    Raises:
        ValueError: They cannot be read.
        TypeError: They cannot be read.
    """
    return tuple(
        ReasonCount(outcome=Outcome(outcome), code=code, reason=read_text(reason), count=count)
        for outcome, code, reason, count in json.loads(text)
    )


def forget_reasons(connection: Connection, of_them: ColumnElement[bool]) -> None:
    """Keep of the batches of some deliveries only how many people have which outcome."""
    batches = select(_delivery.c.id, _delivery.c.counts).where(of_them, _delivery.c.counts.is_not(None))
    for row in connection.execute(batches).all():
        counted = [ReasonCount(outcome=each, count=count) for each, count in outcomes(from_text(row.counts)).items()]
        kept = {"counts": to_text(counted), "held": 0}
        connection.execute(update(_delivery).where(_delivery.c.id == row.id).values(**kept))


def overall_outcome(outcomes: Mapping[Outcome, int]) -> Outcome:
    """Return the outcome of a delivery from those of its recipients."""
    found = {outcome for outcome, count in outcomes.items() if count}
    if not all(outcome.is_final for outcome in found):
        return Outcome.WAITING
    first = (Outcome.POSTED, Outcome.HELD, Outcome.SUPERSEDED, Outcome.REFUSED)
    return next((outcome for outcome in first if outcome in found), Outcome.SKIPPED)
