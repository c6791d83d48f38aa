"""Publications with their receipts, as the journal has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, bindparam, select

from policenotify.channel import Operation, PostRef
from policenotify.findings import Finding
from policenotify.journal.database import schema
from policenotify.journal.lists import recipients
from policenotify.journal.lists.control import ABORTED, PAUSED
from policenotify.journal.lists.state import read_cursor
from policenotify.journal.records import DAMAGED, DamagedRow, moment, outcome_of, stored, word
from policenotify.journal.tombstones import message_of
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.receipt import Publication, ReasonCount, Receipt
from policenotify.translation import read_text, stored_text

FINDINGS: TypeAdapter[tuple[Finding, ...]] = TypeAdapter(tuple[Finding, ...])
"""Findings, as the journal stores them."""

_delivery, _publication = schema.delivery, schema.publication
_DELIVERIES = (
    select(_delivery, _publication.c.stage)
    .join(_publication, _publication.c.id == _delivery.c.publication)
    .where(_delivery.c.publication == bindparam("publication"), _delivery.c.parent.is_(None))
    .order_by(_delivery.c.channel, _delivery.c.part, _delivery.c.id)
)
_BEING_SENT = select(_delivery.c.parent).where(
    _delivery.c.parent.in_(bindparam("lists", expanding=True)), _delivery.c.state == Outcome.SENDING
)
_CHANNELS = select(schema.channel)


def stored_findings(findings: Iterable[Finding]) -> str:
    """Return the findings of a publication as they are stored: their texts are read in any language later."""
    stored = (replace(each, reason=stored_text(each.reason), remedy=stored_text(each.remedy)) for each in findings)
    return FINDINGS.dump_json(tuple(stored)).decode()


def findings_of(row: Row[Any]) -> tuple[Finding, ...]:
    """Return what the checks remarked of a publication. Nothing if that cannot be read."""
    try:
        found = FINDINGS.validate_json(row.findings)
    except ValueError:  # the status names it
        return ()
    return tuple(
        replace(each, reason=read_text(str(each.reason)), remedy=read_text(str(each.remedy))) for each in found
    )


def receipts_of(connection: Connection, publication: str) -> tuple[Receipt, ...]:
    """Return the receipts of a publication, by channel and part.

    It reads a row for each batch of 1,000 people, and the people of those batches that are being sent.
    """
    rows = connection.execute(_DELIVERIES, {"publication": publication}).all()
    lists = [row for row in rows if row.has_recipients]
    people = recipients.counts(connection, [row.id for row in lists])
    waiting = [row.id for row in lists if row.state == Outcome.WAITING]
    sent = set(connection.execute(_BEING_SENT, {"lists": waiting}).scalars()) if waiting else set[int]()
    wait = any(row.state == Outcome.WAITING for row in rows)
    channels = {channel.name: channel for channel in connection.execute(_CHANNELS)} if wait else {}
    found = []
    for row in rows:
        outcome = outcome_of(row.state, in_doubt=row.in_doubt)
        outcome = Outcome.SENDING if outcome is Outcome.WAITING and row.id in sent else outcome  # one of its batches is
        try:
            with stored(_delivery.name, row.id):
                found.append(_receipt(row, outcome, people.get(row.id, ()), channels.get(row.channel)))
        except DamagedRow:  # the status names it
            found.append(_damaged_receipt(row))
    return tuple(found)


def publication_of(connection: Connection, row: Row[Any]) -> Publication:
    """Return a publication with its receipts from its row. A draft that a check refused has no key.

    Of a message that cannot be read is left what a purge would leave.

    Raises:
        DamagedRow: Even that cannot be read.
    """
    with stored(_publication.name, row.id):
        at, findings = moment(row.created_at), findings_of(row)
    return Publication(
        id=row.id,
        key=row.key or "",
        message=message_of(connection, row),
        sequence=row.sequence or 0,
        at=at,
        actor=row.actor,
        findings=findings,
        receipts=receipts_of(connection, row.id),
    )


def _damaged_receipt(row: Row[Any]) -> Receipt:
    return Receipt(
        channel=row.channel,
        language=row.language,
        part=row.part,
        outcome=Outcome.HELD,
        delivery=row.id,
        reason=DAMAGED,
        attempts=row.attempts,
    )


def _receipt(row: Row[Any], outcome: Outcome, people: tuple[ReasonCount, ...], channel: Row[Any] | None) -> Receipt:
    waits = outcome in {Outcome.WAITING, Outcome.UNCONFIRMED}
    blocked = channel if waits and channel is not None and channel.blocked_at is not None else None
    tried = row.attempts or row.reason
    paused = channel.paused_until if channel is not None and channel.paused_until else 0
    return Receipt(
        channel=row.channel,
        language=row.language,
        operation=word(Operation, row.operation),
        part=row.part,
        outcome=outcome,
        delivery=row.id,
        ref=PostRef.read(row.ref) if row.ref else None,
        reason=blocked.reason if blocked else row.reason,
        remedy="" if outcome is Outcome.SENDING else blocked.remedy if blocked else row.remedy,
        code=blocked.code if blocked else row.code,
        retry_at=moment(max(row.not_before, paused)) if tried and waits and not blocked else None,
        attempts=row.attempts,
        standalone=row.wording == "standalone" and row.stage not in {Stage.OPENING, Stage.STANDALONE},
        recipients=recipients.outcomes(people) if row.has_recipients else None,
        reasons=recipients.reasons_in(people),
        expanded=outcome.is_final or not row.has_recipients or not row.reading,
        wrong_rows=read_cursor(row.cursor).wrong,
        paused=row.halt == PAUSED and not outcome.is_final,
        aborted=row.halt == ABORTED,
    )
