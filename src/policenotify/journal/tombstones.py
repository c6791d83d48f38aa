"""What is left of a publication that was purged, and how it is still found, read and answered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Row, bindparam, or_, select

from policenotify.errors import IdempotencyConflict, InvalidTransition
from policenotify.journal import schema
from policenotify.journal.keys import Keys
from policenotify.journal.publications import RULES
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.model.message import read as read_message
from policenotify.model.receipt import Publication

HEADLINE = "Contenu effacé le {day:%Y-%m-%d} (fin de conservation)."
"""What a purged publication says instead of its words."""

_MARK = '{"purged":'  # how the rules of a purged publication begin
_COUNTED = '{"people":'  # how the request of a mass delivery begins whose people were forgotten
_KEY, _DIGEST = "purged key", "purged digest"
_COUNTS: TypeAdapter[dict[str, dict[Outcome, int]]] = TypeAdapter(dict[str, dict[Outcome, int]])
_said, _delivery = schema.publication, schema.delivery
_FORGOTTEN = select(_delivery.c.id, _delivery.c.request).where(
    _delivery.c.id.in_(bindparam("deliveries", expanding=True)), _delivery.c.request.like(f"{_COUNTED}%")
)
_NAMED = select(_said.c.id, _said.c.key, _said.c.digest).where(_said.c.key.in_(bindparam("keys", expanding=True)))


def whole(said: Any = _said) -> ColumnElement[bool]:  # noqa: ANN401 - a table or its alias
    """Whether a publication was not purged."""
    unmarked: ColumnElement[bool] = said.c.rules.not_like(f"{_MARK}%")
    return unmarked


def purged_at(rules: str) -> str | None:
    """When a publication was purged, from its rules: ISO 8601; `None`: it is whole."""
    return RULES.validate_json(rules)["purged"] if rules.startswith(_MARK) else None


def purged_key(keys: Keys, key: str) -> str:
    """What a purged publication has instead of the caller's key."""
    return keys.tag(_KEY, key)


def what_is_left(row: Row[Any], keys: Keys, now: datetime) -> dict[str, object]:
    """What stays of a publication: nothing from which its words or the caller's key could be guessed."""
    said = read_message(row.message)
    left = Message(
        category=said.category,
        severity=said.severity,
        urgency=said.urgency,
        certainty=said.certainty,
        lifecycle=said.lifecycle,
        exercise=said.exercise,
        headline=HEADLINE.format(day=now),
    )
    return {
        "key": None if row.key is None else purged_key(keys, row.key),
        "digest": keys.tag(_DIGEST, row.digest),
        "message": left.model_dump_json(exclude_none=True),
        "findings": "[]",
        "rules": RULES.dump_json({"purged": now.astimezone(UTC).isoformat()}).decode(),
    }


def counts_left(people: dict[Outcome, int]) -> str:
    """How many people had which outcome, as a delivery has it when they are forgotten."""
    return _COUNTS.dump_json({"people": people}).decode()


def counted_not() -> ColumnElement[bool]:
    """Whether a delivery's people are still there, or it has none."""
    return or_(_delivery.c.request.is_(None), _delivery.c.request.not_like(f"{_COUNTED}%"))


def forgotten(connection: Connection, deliveries: Iterable[int]) -> dict[int, dict[Outcome, int]]:
    """How many people of each delivery had which outcome, where the people themselves were forgotten."""
    those = list(deliveries)
    found = connection.execute(_FORGOTTEN, {"deliveries": those}) if those else ()
    return {one: _COUNTS.validate_json(told)["people"] for one, told in found}


def counted(connection: Connection, found: Publication) -> Publication:
    """A publication with its counts of people, where the people themselves were forgotten."""
    told = forgotten(connection, [receipt.delivery for receipt in found if receipt.recipients is not None])
    if not told:
        return found
    receipts = tuple(
        receipt.model_copy(update={"recipients": told[receipt.delivery]}) if receipt.delivery in told else receipt
        for receipt in found
    )
    return found.model_copy(update={"receipts": receipts})


def repeated(connection: Connection, keys: Keys, key: str, digest: str) -> str | None:
    """The publication that the caller's key names, if it says the same, or said it before it was purged.

    Raises:
        IdempotencyConflict: It says something else.
    """
    known = {row.key: row for row in connection.execute(_NAMED, {"keys": [key, purged_key(keys, key)]})}
    for name, row in known.items():
        if row.digest != (digest if name == key else keys.tag(_DIGEST, digest)):
            raise IdempotencyConflict(key, row.id)
        return str(row.id)
    return None


def refuse_purged(connection: Connection, message: Message) -> None:
    """Nothing can follow what was forgotten: there are no words to set right, and no post to answer.

    Raises:
        InvalidTransition: The message follows something that was purged.
    """
    incident, corrects = message.incident, message.lifecycle.corrects
    if message.stage is Stage.OPENING or (incident is None and corrects is None):
        return
    mine = _said.c.incident == incident if incident is not None else _said.c.id == corrects
    query = select(_said.c.rules).where(mine, _said.c.rules.like(f"{_MARK}%")).limit(1)
    if (at := purged_at(connection.execute(query).scalar() or "")) is not None:
        what = f"Incident {incident!r}" if incident is not None else f"Publication {corrects}"
        raise InvalidTransition(
            f"{what} is over, and its content was purged on {at[:10]}: it cannot be set right any more. Say it anew.",
            incident=incident,
        )
