"""The people who are not written to, and what the journal holds about one person: shown for a request, and erased."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, func, or_, select, true, update

from policenotify.errors import NotErasable
from policenotify.journal.audit import record
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.database.engine import ERASING
from policenotify.journal.database.transactions import Repository
from policenotify.journal.lists.recipients import KEY_SHOWN, recipient_keys
from policenotify.journal.records import DamagedValue, microseconds, moment, outcome_of
from policenotify.journal.retention import forget
from policenotify.journal.tombstones import UNREADABLE
from policenotify.model.history import Outcome
from policenotify.model.person import ErasedPerson, PersonDelivery, PersonRecord, PersonReport, Source, Suppression
from policenotify.translation import AnyText, Text

_WEIGHTS: Final = [*Source]
_UNDER_WAY = (Outcome.WAITING, Outcome.SENDING)
_recipient, _person, _delivery = schema.recipient, schema.person, schema.delivery
_publication, _suppression, _report = schema.publication, schema.suppression, schema.report


class Suppressions(Repository):
    """The people who are not written to, by channel."""

    def list(self, channel: str | None = None) -> tuple[Suppression, ...]:
        """Return who is suppressed now: on one channel, also by what holds for all, or on any."""
        found = true() if channel is None else _suppression.c.channel.in_([channel, schema.EVERYWHERE])
        with self._journal.read() as connection:
            return _suppressions(connection, found)

    def add(self, addresses: Iterable[str], channel: str | None, actor: str, *, evidence: str) -> bool:
        """Stop writing to a person, at once, by a decision of the service. The addresses are spelled as channels do.

        Returns:
            False if the person was suppressed so, or for a weightier reason, already.
        """
        self._journal.authorize(actor, "suppress")
        keys = recipient_keys(self._journal.keys, addresses)
        source = Source.OPERATOR
        with self._journal.write() as connection:
            now = self._journal.now()
            return suppress(connection, now, channel=channel, keys=keys, source=source, evidence=evidence, actor=actor)

    def release(self, channel: str | None, recipients: Collection[str] | None, actor: str) -> int:
        """Write again to a suppressed person, or to all of a channel.

        Args:
            channel: The channel's name, `"*"` for the suppressions that hold for all channels, or `None` for any.
            recipients: Addresses, numbers, or beginnings of keys. `None` stands for everybody.
            actor: Who decided it.

        Returns:
            How many suppressions were ended.
        """
        found = true() if channel is None else _suppression.c.channel == channel
        if recipients is not None:
            same = _suppression.c.key.in_(recipient_keys(self._journal.keys, recipients))
            begins = (
                _suppression.c.key.startswith(each, autoescape=True) for each in recipients if len(each) >= KEY_SHOWN
            )
            found = and_(found, or_(same, *begins))
        self._journal.authorize(actor, "release")
        with self._journal.write() as connection:
            return release(connection, self._journal.now(), found, actor)


def _suppressions(connection: Connection, found: ColumnElement[bool]) -> tuple[Suppression, ...]:
    rows = connection.execute(select(_suppression).where(found).order_by(_suppression.c.channel, _suppression.c.key))
    return tuple(
        Suppression(
            channel=None if row.channel == schema.EVERYWHERE else row.channel,
            key=row.key,
            source=Source(row.source),
            evidence=row.evidence,
            since=moment(row.at),
        )
        for row in rows
    )


def suppress(
    connection: Connection,
    now: datetime,
    *,
    channel: str | None,
    keys: Iterable[str],
    source: Source,
    evidence: AnyText,
    actor: str,
) -> bool:
    """Store that some people are not written to from now on. Repeating it changes nothing.

    Returns:
        False if all were suppressed so already, for a reason that weighs as much.
    """
    name = channel or schema.EVERYWHERE
    columns = {"source": source.value, "evidence": evidence, "at": microseconds(now)}
    newly = [key for key in keys if _store(connection, {"channel": name, "key": key, **columns})]
    if newly:
        body = {"recipients": newly, "source": source.value}
        record(connection, now, actor, "suppressed", body, channel=name)
    return bool(newly)


def _store(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Store a suppression, unless one holds that weighs as much. Return whether it was stored."""
    if schema.insert_new(connection, _suppression, [row]):
        return True
    same = and_(_suppression.c.channel == row["channel"], _suppression.c.key == row["key"])
    stored = connection.execute(select(_suppression.c.source).where(same).with_for_update()).scalar_one()
    if _WEIGHTS.index(Source(row["source"])) <= _WEIGHTS.index(Source(stored)):
        return False
    connection.execute(update(_suppression).where(same).values(row))
    return True


def release(connection: Connection, now: datetime, found: ColumnElement[bool], actor: str) -> int:
    """End some suppressions, and forget the reports that led to them. Return how many."""
    rows = connection.execute(select(_suppression.c.channel, _suppression.c.key).where(found)).all()
    connection.execute(delete(_report).where(_report.c.key.in_(select(_suppression.c.key).where(found))))
    connection.execute(delete(_suppression).where(found))
    for channel in sorted({row.channel for row in rows}):
        keys = [row.key for row in rows if row.channel == channel]
        record(connection, now, actor, "released", {"recipients": keys}, channel=channel)
    return len(rows)


# --- one person


class StoredPeople(Repository):
    """What the journal holds about people, by their address."""

    def export(self, addresses: Iterable[str], actor: str) -> PersonRecord:
        """Return everything that the journal holds about a person, by the spellings that channels have of the address.

        The journal records that it was exported, not whose.
        """
        journal = self._journal
        journal.authorize(actor, "export")
        keys = recipient_keys(journal.keys, addresses)
        with journal.read() as connection:
            exported = PersonRecord(
                address_stored_at=_stored_at(connection, keys),
                deliveries=tuple(map(_delivery_of, _deliveries(connection, keys))),
                reports=tuple(_reports(connection, keys)),
                suppressions=_suppressions(connection, _suppression.c.key.in_(keys)),
            )
        with journal.write() as connection:
            record(connection, journal.now(), actor, "person_exported", {"deliveries": len(exported.deliveries)})
        return exported

    def erase(self, addresses: Iterable[str], actor: str) -> ErasedPerson:
        """Erase a person's address in these spellings, and what links the person to deliveries.

        How many people a delivery reached stays. A suppression stays if the person left, for without it the next list
        would bring the person back. Any other is erased.

        Raises:
            NotErasable: A publication is still being delivered to the person.
        """
        journal = self._journal
        journal.authorize(actor, "erase")
        keys = recipient_keys(journal.keys, addresses)
        with journal.write() as connection:
            _check_settled(connection, keys)
            stored = _stored_at(connection, keys) is not None
            unlinked = len(_deliveries(connection, keys))
            # In the order of their keys, as lists are stored: so no two processes deadlock.
            people = select(_person.c.id).where(_person.c.key.in_(keys)).order_by(_person.c.key).with_for_update()
            forget(connection, connection.execute(people).scalars().all())
            connection.execute(delete(_report).where(_report.c.key.in_(keys)))
            wishes = [source.value for source in Source if source.opted_out]
            other = and_(_suppression.c.key.in_(keys), _suppression.c.source.not_in(wishes))
            ended = release(connection, journal.now(), other, actor)
            kept = _suppressions(connection, _suppression.c.key.in_(keys))
            erased = ErasedPerson(address=stored, deliveries=unlinked, ended=ended, kept=kept)
            body = {"deliveries": unlinked, "ended": ended, "kept": len(kept)}
            record(connection, journal.now(), actor, "person_erased", body)
        journal.clear_log(ERASING)
        return erased


def _check_settled(connection: Connection, keys: Sequence[str]) -> None:
    query = (
        select(_delivery.c.publication, _delivery.c.channel)
        .join(_recipient, _recipient.c.delivery == _delivery.c.id)
        .join(_person, _person.c.id == _recipient.c.person)
        .where(_person.c.key.in_(keys), _delivery.c.state.in_(_UNDER_WAY))
        .limit(1)
    )
    if (row := connection.execute(query).first()) is not None:
        raise NotErasable(
            Text(
                "Publication {publication} is still being delivered on {channel}, also to this person. "
                "Nothing was erased. Stop writing to the person now: policenotify people suppress. Erase "
                "when it is delivered: policenotify status",
                publication=row.publication,
                channel=row.channel,
            )
        )


def _stored_at(connection: Connection, keys: Sequence[str]) -> datetime | None:
    sealed = _person.c.key.in_(keys), _person.c.sealed.is_not(None)
    stored = connection.execute(select(func.max(_person.c.stored_at)).where(*sealed)).scalar()
    return None if stored is None else moment(stored)


def _deliveries(connection: Connection, keys: Sequence[str]) -> Sequence[Row[Any]]:
    of_person = _recipient.c.state, _recipient.c.in_doubt, _recipient.c.reason, _recipient.c.code
    of_publication = _publication.c.id, _publication.c.incident, _publication.c.stage, _publication.c.category
    query: Select[Any] = (
        select(
            *of_person,
            *of_publication,
            _publication.c.message,
            _publication.c.created_at,
            _delivery.c.channel,
            _delivery.c.language,
        )
        .join(_person, _person.c.id == _recipient.c.person)
        .join(_delivery, _delivery.c.id == _recipient.c.delivery)
        .join(_publication, _publication.c.id == _delivery.c.publication)
        .where(_person.c.key.in_(keys))
        .order_by(_delivery.c.id)
    )
    return connection.execute(query).all()


def _delivery_of(row: Row[Any]) -> PersonDelivery:
    try:
        headline = str(json_object(row.message).get("headline") or "")
    except DamagedValue:  # the status names it
        headline = UNREADABLE
    return PersonDelivery(
        publication=row.id,
        incident=row.incident,
        category=row.category,
        stage=row.stage,
        headline=headline,
        published_at=moment(row.created_at),
        channel=row.channel,
        language=row.language,
        outcome=outcome_of(row.state, in_doubt=row.in_doubt),
        reason=row.reason,
        code=row.code,
    )


def _reports(connection: Connection, keys: Sequence[str]) -> Iterable[PersonReport]:
    shown = _delivery.c.publication, _report.c.channel, _report.c.kind, _report.c.status, _report.c.at
    query = select(*shown).join(_delivery, _delivery.c.id == _report.c.delivery).where(_report.c.key.in_(keys))
    for row in connection.execute(query.order_by(_report.c.at)).mappings().all():
        yield PersonReport(**{**row, "at": moment(row["at"])})
