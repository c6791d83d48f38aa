"""The rows of the journal that cannot be read, by table and key. Each of them stops nothing but itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Row, Select, literal, select

from policenotify.channel import Operation, Post, PostRef, Request
from policenotify.journal.database import schema
from policenotify.journal.drafts.rows import read_draft
from policenotify.journal.incidents import entry_of, line_of
from policenotify.journal.lists.receipts import FINDINGS
from policenotify.journal.lists.recipients import from_text
from policenotify.journal.records import DamagedRow, moment, stored, word
from policenotify.journal.tombstones import RULES
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus

_ROWS = 500  # rows read at once
_incident, _publication, _delivery, _draft = schema.incident, schema.publication, schema.delivery, schema.draft
_OVER = (IncidentStatus.ENDED, IncidentStatus.CANCELLED)


def damaged_rows(connection: Connection, *, only_open: bool = False) -> Iterator[str]:
    """Yield the rows of incidents, publications, deliveries and drafts that cannot be read: `pn_publication 01K4…`.

    Args:
        connection: A transaction on the journal.
        only_open: Only those of incidents that are not over, so that few are read.
    """
    for query, read in _queries(only_open=only_open):
        with connection.execute(query.execution_options(yield_per=_ROWS)) as rows:
            for row in rows:
                try:
                    read(row)
                except DamagedRow as error:
                    yield error.row


def _queries(*, only_open: bool) -> Iterator[tuple[Select[Any], Callable[[Row[Any]], object]]]:
    """Yield the query for the rows of each table, and what reads one of them."""
    is_open = _incident.c.status.not_in(_OVER)
    of_open = select(_publication.c.id).join(_incident, _incident.c.id == _publication.c.incident).where(is_open)
    incidents = select(_incident, literal(0).label("level"))
    publications = select(_publication, literal(0).label("withdrawn")).where(_publication.c.state == "published")
    deliveries = select(_delivery)
    if only_open:
        yield incidents.where(is_open), line_of
        yield publications.where(_publication.c.id.in_(of_open)), _read_publication
        yield deliveries.where(_delivery.c.publication.in_(of_open), _delivery.c.parent.is_(None)), _read_delivery
        return
    yield incidents, line_of
    yield publications, _read_publication
    yield deliveries, _read_delivery
    yield select(_draft), lambda row: read_draft(row, moment(row.changed_at))


def _read_publication(row: Row[Any]) -> None:
    entry_of(row, 1)
    with stored(_publication.name, row.id):
        FINDINGS.validate_json(row.findings)
        RULES.validate_json(row.rules)


def _read_delivery(row: Row[Any]) -> None:
    with stored(_delivery.name, row.id):
        word(Outcome, row.state)
        word(Operation, row.operation)
        for text, read in ((row.ref, PostRef.read), (row.request, Request.read), (row.counts, from_text)):
            if text:
                read(text)
        for text in filter(None, (row.standalone, row.reply)):
            Post.read(text)
