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
from policenotify.journal.lists.control import PAUSED, being_sent, list_outcome
from policenotify.journal.records import moment, word
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.message import read as read_message
from policenotify.model.progress import ReasonCount
from policenotify.model.receipt import Publication, Receipt
from policenotify.translation import read_text, stored_text

_FINDINGS: TypeAdapter[tuple[Finding, ...]] = TypeAdapter(tuple[Finding, ...])

_delivery = schema.delivery
_DELIVERIES = (
    select(_delivery)
    .where(_delivery.c.publication == bindparam("publication"), _delivery.c.parent.is_(None))
    .order_by(_delivery.c.channel, _delivery.c.part)
)
_CHANNELS = select(schema.channel)


def stored_findings(findings: Iterable[Finding]) -> str:
    """Return the findings of a publication as they are stored: their texts are read in any language later."""
    stored = (replace(each, reason=stored_text(each.reason), remedy=stored_text(each.remedy)) for each in findings)
    return _FINDINGS.dump_json(tuple(stored)).decode()


def _findings(stored: str) -> tuple[Finding, ...]:
    found = _FINDINGS.validate_json(stored)
    return tuple(
        replace(each, reason=read_text(str(each.reason)), remedy=read_text(str(each.remedy))) for each in found
    )


def publication_of(connection: Connection, row: Row[Any]) -> Publication:
    """Return a publication with its receipts from its row. A draft that a check refused has no key."""
    rows = connection.execute(_DELIVERIES, {"publication": row.id}).all()
    with_recipients = [delivery.id for delivery in rows if delivery.has_recipients]
    counted = recipients.counts(connection, with_recipients)
    waiting = [delivery.id for delivery in rows if delivery.state == Outcome.WAITING]
    sent = being_sent(connection, waiting)
    channels = {channel.name: channel for channel in connection.execute(_CHANNELS)} if waiting else {}
    return Publication(
        id=row.id,
        key=row.key or "",
        message=read_message(row.message),
        sequence=row.sequence or 0,
        at=moment(row.created_at),
        actor=row.actor,
        findings=_findings(row.findings),
        receipts=tuple(
            _receipt(
                delivery,
                counted.get(delivery.id, ()),
                channels.get(delivery.channel),
                sending=delivery.id in sent,
                stage=row.stage,
            )
            for delivery in rows
        ),
    )


def _receipt(
    row: Row[Any],
    people: tuple[ReasonCount, ...],
    channel: Row[Any] | None,
    *,
    sending: bool,
    stage: str,
) -> Receipt:
    outcome = list_outcome(row, sending=sending)
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
        standalone=row.wording == "standalone" and stage not in {Stage.OPENING, Stage.STANDALONE},
        recipients=recipients.outcomes(people) if row.has_recipients else None,
        reasons=recipients.reasons_in(people),
        paused=waits and row.halt == PAUSED,
    )
