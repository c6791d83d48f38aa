"""What remains of a purged publication."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, or_, select

from policenotify.errors import IdempotencyConflict, InvalidTransition
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.journal.records import stored
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.model.message import read_stored as read_message
from policenotify.translation import Text

HEADLINE = "Contenu effacé le {day:%Y-%m-%d} (fin de conservation)."
"""The text of a purged publication."""

REFUSED = "Message refusé le {day:%Y-%m-%d}, texte non conservé."
"""The text of a message that was refused."""

UNREADABLE = "Message illisible dans le journal."
"""The text of a message that cannot be read any more."""

RULES: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])

_MARK = '{"purged":'  # begins the rules of a purged publication
_KEY = "purged key"
DIGEST = "purged digest"
"""The purpose of the keyed hash that replaces a digest."""

_incident, _publication, _delivery = schema.incident, schema.publication, schema.delivery
_KEYED = select(_publication.c.id, _publication.c.key, _publication.c.digest).where(
    _publication.c.key.in_(bindparam("keys", expanding=True))
)


def is_whole() -> ColumnElement[bool]:
    """Return the condition that a publication was not purged."""
    return _publication.c.rules.not_like(f"{_MARK}%")


def purged_at(rules: str) -> str | None:
    """Return when a publication was purged (ISO 8601), from its rules. `None` if it was not, or they cannot be read."""
    try:
        return RULES.validate_json(rules)["purged"] if rules.startswith(_MARK) else None
    except ValueError:  # the status names it
        return None


def purged_key(keys: Keys, key: str) -> str:
    """Return what replaces the caller's key of a purged publication."""
    return keys.tag(_KEY, key)


def tombstone_of(message: Message, now: datetime, *, headline: str = HEADLINE) -> Message:
    """Return what is left of a purged message."""
    return Message(
        category=message.category,
        severity=message.severity,
        urgency=message.urgency,
        certainty=message.certainty,
        lifecycle=message.lifecycle,
        exercise=message.exercise,
        headline=headline.format(day=now),
    )


def message_of(connection: Connection, row: Row[Any]) -> Message:
    """Return the message of a publication. If it cannot be read, it is what a purge would leave.

    Raises:
        DamagedRow: Even that cannot be read.
    """
    try:
        return read_message(row.message)
    except ValueError:  # the status names it
        exercise = select(_incident.c.exercise).where(_incident.c.id == row.incident)
        with stored(_publication.name, row.id):
            return Message(
                category=row.category,
                severity=Severity(row.severity),
                lifecycle=Lifecycle(stage=Stage(row.stage), incident=row.incident, corrects=row.corrects),
                exercise=bool(connection.execute(exercise).scalar()),
                headline=UNREADABLE,
            )


def without_content(
    message: Message, keys: Keys, digest: str, now: datetime, *, headline: str = HEADLINE
) -> dict[str, object]:
    """Return the columns that hold a message's content, as they are once it is purged, or at once if it is refused."""
    return {
        "digest": keys.tag(DIGEST, digest),
        "message": tombstone_of(message, now, headline=headline).model_dump_json(exclude_none=True),
        "findings": "[]",
        "rules": RULES.dump_json({"purged": now.astimezone(UTC).isoformat()}).decode(),
    }


def repeated(connection: Connection, keys: Keys, key: str, digest: str) -> str | None:
    """Return the publication that the caller's key already names, purged or not.

    Raises:
        IdempotencyConflict: The key names another message.
    """
    known = {row.key: row for row in connection.execute(_KEYED, {"keys": [key, purged_key(keys, key)]})}
    for name, row in known.items():
        if row.digest != (digest if name == key else keys.tag(DIGEST, digest)):
            raise IdempotencyConflict(key, row.id)
        return str(row.id)
    return None


def ensure_not_purged(connection: Connection, message: Message) -> None:
    """Check that a message neither corrects a purged publication nor follows a purged opening.

    An update of an open incident may be erased, and its end is published all the same.

    Raises:
        InvalidTransition: It does: there is no text left to correct, and no post to reply to.
    """
    incident, corrects = message.incident, message.lifecycle.corrects
    if message.stage is Stage.OPENING or (incident is None and corrects is None):
        return
    opening = and_(_publication.c.incident == incident, _publication.c.sequence == 1)
    earlier = _publication.c.id == corrects if corrects is not None else opening
    if incident is not None and corrects is not None:
        earlier = or_(earlier, opening)
    query = select(_publication.c.rules).where(earlier, ~is_whole()).limit(1)
    if (at := purged_at(connection.execute(query).scalar() or "")) is not None:
        subject = f"Incident {incident!r}" if incident is not None else f"Publication {corrects}"
        raise InvalidTransition(
            Text(
                "{subject} is over, and its content was purged on {at}: it cannot be corrected any more. "
                "Publish a new message.",
                subject=subject,
                at=at[:10],
            ),
            incident=incident,
        )
