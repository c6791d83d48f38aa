"""What was said under keys of one kind, and what was remarked of it: what a series of messages goes by."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from policenotify.channel import PostRef
from policenotify.journal import schema
from policenotify.journal.records import DeliverySummary, PublicationSummary, microseconds, moment
from policenotify.model.history import Outcome
from policenotify.model.message import read as read_message

_said, _delivery = schema.publication, schema.delivery


def publications_by_key_prefix(connection: Connection, prefix: str, since: datetime) -> tuple[PublicationSummary, ...]:
    """The publications since a moment whose key begins so, the oldest first."""
    mine = (_said.c.key.startswith(prefix, autoescape=True), _said.c.created_at >= microseconds(since))
    deliveries: defaultdict[str, list[DeliverySummary]] = defaultdict(list)
    columns = (_delivery.c.publication, _delivery.c.channel, _delivery.c.language, _delivery.c.state, _delivery.c.ref)
    for row in connection.execute(
        select(*columns).join(_said, _said.c.id == _delivery.c.publication).where(*mine).order_by(_delivery.c.id)
    ):
        ref = PostRef.read(row.ref) if row.ref else None
        deliveries[row.publication].append(
            DeliverySummary(channel=row.channel, language=row.language, outcome=Outcome(row.state), ref=ref)
        )
    rows = connection.execute(select(_said).where(*mine).order_by(_said.c.created_at, _said.c.id))
    return tuple(
        PublicationSummary(
            publication=row.id,
            key=row.key,
            at=moment(row.created_at),
            message=read_message(row.message),
            deliveries=tuple(deliveries[row.id]),
        )
        for row in rows
        if row.key.startswith(prefix)  # SQLite's LIKE takes no notice of case
    )


def events_of_kind(connection: Connection, kind: str, since: datetime) -> tuple[dict[str, Any], ...]:
    """The bodies of the events of a kind since a moment, the oldest first; not of those that were purged."""
    table = schema.event
    rows = connection.execute(
        select(table.c.body)
        .where(table.c.kind == kind, table.c.at >= microseconds(since), table.c.body != "")
        .order_by(table.c.id)
    )
    return tuple(json.loads(row.body) for row in rows)
