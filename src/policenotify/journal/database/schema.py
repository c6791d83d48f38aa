"""The journal's tables. Times are whole microseconds since 1970 in UTC, JSON is canonical text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    Executable,
    ForeignKey,
    Index,
    Insert,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    exists,
    literal,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.event import listens_for

from policenotify.journal.database.columns import Microseconds, Name, OfficerText, RowNumber, YesNo

SCHEMA_VERSION = 1
"""Version of these tables. It is stored in `pn_meta` and compared at every opening."""

metadata: MetaData = MetaData()


@listens_for(metadata, "before_create")
def _add_options(_: MetaData, connection: Connection, **_options: object) -> None:
    """Give tables and indexes the options of their database. PostgreSQL's dialect is imported only there."""
    for table in metadata.tables.values():
        if connection.dialect.name == "sqlite":
            table.dialect_options["sqlite"]["strict"] = True
            continue
        for index in table.indexes:
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]
        # No index of recipients holds what changes, so that a changed row stays on its disk page.
        if table is recipient:
            table.dialect_options["postgresql"]["with"] = {"fillfactor": 70}


meta: Table = Table(
    "pn_meta",
    metadata,
    Column("name", Name(64), primary_key=True),
    Column("value", Text, nullable=False),
    comment="Facts about the whole journal: schema version, keys' fingerprint, stop.",
)

incident: Table = Table(
    "pn_incident",
    metadata,
    Column("id", Name(64), primary_key=True),
    Column("headline", Text, nullable=False),  # what holds now, like place, category, severity, exercise and channels
    Column("place", Text, nullable=False),
    Column("category", Name(64), nullable=False),
    Column("severity", Name(8), nullable=False),
    Column("channels", Text, nullable=False),  # on which it goes on: names, as JSON
    Column("status", Name(16), nullable=False),
    Column("next_sequence", Integer, nullable=False),
    Column("follows", Name(64)),
    Column("exercise", YesNo, nullable=False),
    Column("opened_at", Microseconds, nullable=False),
    Column("closed_at", Microseconds),
    Column("due_at", Microseconds),  # deadline of the next message
    Column("reminders", Integer, nullable=False, server_default=text("0")),  # raised since that deadline passed
    Column("reminded_at", Microseconds),
    Index("pn_incident_open", "status", "due_at"),
    comment="One event. Its row lock makes the order of sequence the order of commit.",
)

publication: Table = Table(
    "pn_publication",
    metadata,
    Column("id", Name(26), primary_key=True),
    Column("key", Name(200), unique=True),  # NULL for a draft that a check refused
    Column("state", Name(20), nullable=False),
    Column("incident", ForeignKey("pn_incident.id")),
    Column("sequence", Integer),
    Column("stage", Name(16), nullable=False),
    Column("category", Name(64), nullable=False),  # as in the message, like severity, so that both can be counted
    Column("severity", Name(8), nullable=False),
    Column("corrects", Name(26)),
    Column("digest", Name(64), nullable=False),  # of the message as the caller passed it
    Column("message", Text, nullable=False),  # with all defaults filled in
    Column("findings", Text, nullable=False),
    Column("rules", Text, nullable=False),  # versions of settings and locales
    Column("narrowed_to", Text),  # channels that the caller named for its beginning, as JSON; null: the routes chose
    Column("actor", Name(200), nullable=False),
    Column("created_at", Microseconds, nullable=False),
    UniqueConstraint("incident", "sequence", name="pn_publication_sequence"),
    Index("pn_publication_corrects", "corrects"),
    Index("pn_publication_counts", "category", "stage", "severity", "state"),
    Index(
        "pn_publication_one_opening",
        "incident",
        unique=True,
        sqlite_where=text("stage = 'opening' AND state = 'published'"),
    ),
    CheckConstraint("state IN ('published', 'refused_by_check')", name="pn_publication_state"),
    comment="One message as published, or a draft that a check refused.",
)

draft: Table = Table(
    "pn_draft",
    metadata,
    Column("id", Name(26), primary_key=True),
    Column("key", Name(200), unique=True),  # of the publication to come; NULL for one that was published urgently
    Column("incident", Name(64)),  # of its message
    Column("for_keys", Name(200), nullable=False),  # the beginning of the keys that it counts for, again and again
    Column("category", Name(64), nullable=False),
    Column("exercise", YesNo, nullable=False),
    Column("state", Name(12), nullable=False),
    Column("typed", Name(64), nullable=False),  # Message.digest() of the newest revision
    Column("submitted_by", Name(200), nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    Column("expires_at", Microseconds),
    Column("publication", ForeignKey("pn_publication.id"), index=True),
    Column("due_at", Microseconds),  # of the second reading that is owed after an urgent publication
    Column("authenticated", YesNo, nullable=False),  # and who reads it must be
    Column("content", Text, nullable=False),  # all of it as JSON, with its revisions and reviews
    Column("mac", Name(80), nullable=False),  # of all of these
    Column("reminders", Integer, nullable=False, server_default=text("0")),
    Column("reminded_at", Microseconds),
    Index("pn_draft_state", "state", "expires_at"),
    Index("pn_draft_due", "due_at"),
    comment="A message that others read before it is published, or after an urgent publication.",
)

delivery: Table = Table(
    "pn_delivery",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("publication", ForeignKey("pn_publication.id"), nullable=False, index=True),
    Column("channel", Name(64), nullable=False),
    Column("account", Text, nullable=False),
    Column("language", Name(35), nullable=False),
    Column("part", Integer, nullable=False),
    Column("operation", Name(8), nullable=False),
    Column("target", ForeignKey("pn_delivery.id")),  # the delivery whose post is edited or deleted
    Column("parent", ForeignKey("pn_delivery.id")),  # of a batch: the delivery whose people it has
    Column("number", Integer),  # of a batch, from 0
    Column("post_key", Name(64), nullable=False, unique=True),
    Column("ordering_key", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("priority", Integer, nullable=False),  # 0 is the most urgent
    Column("state", Name(12), nullable=False),
    Column("in_doubt", YesNo, nullable=False, default=False),
    Column("has_recipients", YesNo, nullable=False, default=False),
    Column("reading", YesNo, nullable=False, server_default=text("false")),  # people of its lists are to be stored
    Column("cursor", Text),  # how far its lists were read, as JSON
    Column("counts", Text),  # of a batch: its people by outcome and reason, as JSON, unless it is being sent
    Column("held", Integer, nullable=False, server_default=text("0")),  # of a batch: people whom a person must settle
    Column("halt", Name(12), nullable=False, server_default=text("''")),  # paused, aborted, or what the others get
    Column("needs_opening", YesNo, nullable=False, default=False),  # skipped if the opening was never posted
    Column("not_before", Microseconds, nullable=False),
    Column("not_after", Microseconds),
    Column("attempts", Integer, nullable=False, default=0),
    Column("first_tried_at", Microseconds),
    Column("last_tried_at", Microseconds),
    Column("owner", Text),
    Column("lease_until", Microseconds),
    Column("reply_to", Text, nullable=False),  # ids of the publications above it in the thread
    Column("standalone", Text),  # the wording, frozen at publish, like reply
    Column("reply", Text),
    Column("wording", Name(12), nullable=False, default=""),  # which of the two was sent
    Column("request_version", Integer, nullable=False, default=0),
    Column("request", Text),  # frozen before the first attempt
    Column("mac", Name(80), nullable=False, default=""),  # of what is to be sent, see `authentication`
    Column("request_mac", Name(80), nullable=False, default=""),
    Column("ref", Text),
    Column("ref_mac", Name(80), nullable=False, default=""),
    Column("reason", OfficerText(), nullable=False, default=""),
    Column("remedy", OfficerText(), nullable=False, default=""),
    Column("code", Text, nullable=False, default=""),
    Column("settled_at", Microseconds),
    Column("unseen_at", Name(80)),  # first look-up since the last attempt that did not find it: boot and uptime
    Column("backoff", Microseconds, nullable=False, server_default=text("0")),  # the last wait after a failure
    UniqueConstraint("parent", "number", name="pn_delivery_batch"),
    Index("pn_delivery_due", "state", "channel", "priority", "id", "operation", "parent"),  # the last ones are counted
    Index("pn_delivery_people", "state", "channel", sqlite_where=text("has_recipients")),
    Index("pn_delivery_order", "ordering_key", "id"),  # ids rise in sending order; a batch has its parent's place
    Index("pn_delivery_held", "publication", "held", sqlite_where=text("held > 0")),
    comment="One (publication, channel, language, part, operation), or a batch of its people: what is claimed.",
)

attempt: Table = Table(
    "pn_attempt",
    metadata,
    Column("delivery", ForeignKey("pn_delivery.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("started_at", Microseconds, nullable=False),
    Column("ended_at", Microseconds),
    Column("outcome", Name(12)),
    Column("reason", OfficerText(), nullable=False, default=""),
    Column("code", Text, nullable=False, default=""),
    comment="Committed before anything is sent: an attempt without an end is in doubt.",
)

person: Table = Table(
    "pn_person",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("key", Name(32), nullable=False, unique=True),
    Column("key_version", Integer, nullable=False),
    Column("sealed", LargeBinary),  # the address, encrypted; NULL once erased, and the key is random then
    Column("stored_at", Microseconds, nullable=False),
    Index(
        "pn_person_stored",
        "stored_at",
        sqlite_where=text("sealed IS NOT NULL"),
    ),
    comment="People; their addresses are erased 30 days after the last incident that reached them has closed.",
)

recipient: Table = Table(
    "pn_recipient",
    metadata,
    Column("delivery", ForeignKey("pn_delivery.id"), primary_key=True),
    Column(
        "batch", RowNumber, primary_key=True, autoincrement=False
    ),  # a delivery, too; to check it would cost an index
    Column("person", ForeignKey("pn_person.id"), primary_key=True),
    Column("state", Name(12), nullable=False),
    Column("in_doubt", YesNo, nullable=False, default=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("reason", OfficerText(), nullable=False, default=""),
    Column("code", Text, nullable=False, default=""),
    Column("gone", Integer, nullable=False, server_default=text("0")),  # answers that this person does not exist
    Index("pn_recipient_person", "person", "delivery", unique=True),
    Index("pn_recipient_gone", "delivery", "gone", sqlite_where=text("gone > 0")),
    sqlite_with_rowid=False,  # the rows of a batch lie together
    comment="One person of a delivery with recipients, in one of its batches.",
)

EVERYWHERE = "*"
"""The channel of a suppression that holds for all channels. No channel has that name."""

suppression: Table = Table(
    "pn_suppression",
    metadata,
    Column("channel", Name(64), primary_key=True),  # or EVERYWHERE
    Column("key", Name(32), primary_key=True),  # of the person
    Column("source", Name(16), nullable=False),
    Column("evidence", OfficerText(), nullable=False),
    Column("at", Microseconds, nullable=False),  # from when on nothing is sent
    comment="People who must not be written to, on a channel or on all.",
)

report: Table = Table(
    "pn_report",
    metadata,
    Column("delivery", ForeignKey("pn_delivery.id"), primary_key=True),
    Column("key", Name(32), primary_key=True),  # of the person
    Column("kind", Name(12), primary_key=True),
    Column("channel", Name(64), nullable=False),
    Column("status", Name(32), nullable=False),
    Column("at", Microseconds, nullable=False, index=True),
    Index("pn_report_key", "key", "channel"),
    comment="What came back about a person, from the network at once or afterwards. Kept for 30 days.",
)


def applies(channel: ColumnElement[str], key: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that a person is suppressed on a channel."""
    return exists().where(suppression.c.channel.in_([channel, literal(EVERYWHERE)]), suppression.c.key == key)


channel: Table = Table(
    "pn_channel",
    metadata,
    Column("name", Name(64), primary_key=True),
    Column("tat", Microseconds),  # the limiter's theoretical arrival time (generic cell rate algorithm)
    Column("paused_until", Microseconds),
    Column("blocked_at", Microseconds),
    Column("reason", OfficerText(), nullable=False, default=""),
    Column("remedy", OfficerText(), nullable=False, default=""),
    Column("code", Text, nullable=False, default=""),
    comment="Block, pause and limiter of a channel, shared by all processes.",
)

channel_state: Table = Table(
    "pn_channel_state",
    metadata,
    Column("channel", Name(64), primary_key=True),
    Column("name", Name(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    comment="Sessions and rotating tokens, encrypted, changed by compare-and-swap.",
)

lock: Table = Table(
    "pn_lock",
    metadata,
    Column("name", Name(200), primary_key=True),
    Column("owner", Name(32), nullable=False),
    Column("lease_until", Microseconds, nullable=False),
    Column("length", Microseconds, nullable=False),  # how long it was asked for
    comment="Exclusive locks across processes; a row exists while a lock is held.",
)

blob: Table = Table(
    "pn_blob",
    metadata,
    Column("digest", Name(64), primary_key=True),
    Column("media_type", Name(64), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    comment="Images, named by their SHA-256.",
)

picture: Table = Table(
    "pn_picture",
    metadata,
    Column("owner", Name(26), primary_key=True),  # a publication or draft
    Column("digest", ForeignKey("pn_blob.digest"), primary_key=True, index=True),
    comment="Which publications and drafts show an image. One that none shows is erased.",
)

runner: Table = Table(
    "pn_runner",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("seen_at", Microseconds, nullable=False),
    Column("is_worker", YesNo, nullable=False, server_default=text("false")),  # it runs until it is stopped
    Column("blocked", Text),  # as JSON, the channels that are blocked for it; null: it sends its own publications only
    comment="Heartbeats of the processes that deliver.",
)

event: Table = Table(
    "pn_event",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("at", Microseconds, nullable=False),
    Column("actor", Name(200), nullable=False),
    Column("kind", Name(40), nullable=False),
    Column("publication", Name(26), index=True),  # or the draft
    Column("delivery", RowNumber),
    Column("channel", Name(64)),
    Column("body", Text, nullable=False),
    Column("salt", Name(32), nullable=False),
    Column("commitment", Name(64), nullable=False),
    Column("xid", RowNumber, nullable=False, server_default=text("0")),  # the server's number of its transaction
    Index("pn_event_order", "xid", "id"),
    sqlite_autoincrement=True,  # numbers are never reused
    comment="Who did what and when. Rows are only added. A purge empties body and salt.",
)

seal: Table = Table(
    "pn_seal",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=False),  # counted from 1
    Column("last_xid", RowNumber, nullable=False),  # the place of its last event, with last_event
    Column("last_event", RowNumber, nullable=False),
    Column("digest", Name(64), nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at", Microseconds, nullable=False),
    comment="Closed batches of events, chained and signed.",
)


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> int:
    """Insert those rows whose key does not exist, waiting for concurrent inserts of the same keys.

    Pass many rows in the order of their key, so that two processes do not wait for each other.

    Returns:
        How many were inserted, if one row was passed.
    """
    if not rows:
        return 0
    return connection.execute(_insertion(connection.dialect.name, table), rows if rows[1:] else rows[0]).rowcount


@cache
def _insertion(dialect: str, table: Table) -> Executable:
    statement: Insert
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - a journal in a file does not need it

        statement = postgresql.insert(table).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(table).on_conflict_do_nothing()
    # psycopg counts the rows of a single insert, but SQLAlchemy keeps the count only on request.
    return statement.execution_options(preserve_rowcount=True)
