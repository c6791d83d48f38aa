"""The journal's tables. Times are whole microseconds since 1970 in UTC, JSON is canonical text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Executable,
    ForeignKey,
    Index,
    Insert,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

SCHEMA_VERSION = 1
"""Version of these tables. It is stored in `pn_meta` and compared at every opening."""

metadata: MetaData = MetaData()

# SQLite numbers rows itself only in a column of type INTEGER.
_RowId = BigInteger().with_variant(Integer(), "sqlite")
_When = BigInteger

meta: Table = Table(
    "pn_meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    comment="Facts about the whole journal: schema version, keys' fingerprint, stop.",
)

incident: Table = Table(
    "pn_incident",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("category", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("next_sequence", Integer, nullable=False),
    Column("follows", String(64)),
    Column("exercise", Boolean, nullable=False),
    Column("opened_at", _When, nullable=False),
    Column("closed_at", _When),
    Column("due_at", _When),  # deadline of the next message
    Column("reminders", Integer, nullable=False, server_default=text("0")),  # raised since that deadline passed
    Column("reminded_at", _When),
    Index("pn_incident_open", "status", "due_at"),
    comment="One event. Its row lock makes the order of sequence the order of commit.",
)

publication: Table = Table(
    "pn_publication",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("key", String(200), unique=True),  # NULL for a draft that a check refused
    Column("state", String(20), nullable=False),
    Column("incident", ForeignKey("pn_incident.id")),
    Column("sequence", Integer),
    Column("stage", String(16), nullable=False),
    Column("corrects", String(26)),
    Column("digest", String(64), nullable=False),  # of the message as the caller passed it
    Column("message", Text, nullable=False),  # with all defaults filled in
    Column("findings", Text, nullable=False),
    Column("rules", Text, nullable=False),  # versions of settings and locales
    Column("actor", String(200), nullable=False),
    Column("created_at", _When, nullable=False),
    UniqueConstraint("incident", "sequence", name="pn_publication_sequence"),
    Index("pn_publication_corrects", "corrects"),
    Index(
        "pn_publication_one_opening",
        "incident",
        unique=True,
        sqlite_where=text("stage = 'opening' AND state = 'published'"),
        postgresql_where=text("stage = 'opening' AND state = 'published'"),
    ),
    CheckConstraint("state IN ('published', 'refused_by_check')", name="pn_publication_state"),
    comment="One message as published, or a draft that a check refused.",
)

draft: Table = Table(
    "pn_draft",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("key", String(200), unique=True),  # of the publication to come; NULL for one that was published urgently
    Column("to", Text, nullable=False),
    Column("category", String(64), nullable=False),
    Column("exercise", Boolean, nullable=False),
    Column("state", String(12), nullable=False),
    Column("revision", Integer, nullable=False),  # the newest
    Column("reason", Text, nullable=False),
    Column("submitted_by", String(200), nullable=False),
    Column("created_at", _When, nullable=False),
    Column("changed_at", _When, nullable=False),
    Column("expires_at", _When),
    Column("publication", ForeignKey("pn_publication.id"), index=True),
    Column("published_by", String(200), nullable=False),
    Column("urgent", Text, nullable=False),  # why it was published before it was read
    Column("due_at", _When),  # of the second reading that is owed then
    Column("mac", String(80), nullable=False),  # of all of these, the revisions and the reviews
    Column("reminders", Integer, nullable=False, server_default=text("0")),
    Column("reminded_at", _When),
    Index("pn_draft_state", "state", "expires_at"),
    Index("pn_draft_due", "due_at"),
    comment="A message that others read before it is published, or after an urgent publication.",
)

revision: Table = Table(
    "pn_revision",
    metadata,
    Column("draft", ForeignKey("pn_draft.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),  # Message.digest()
    Column("message", Text, nullable=False),
    Column("author", String(200), nullable=False),
    Column("at", _When, nullable=False),
    comment="The versions of a draft. No one who wrote one may approve any.",
)

review: Table = Table(
    "pn_review",
    metadata,
    Column("draft", ForeignKey("pn_draft.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("reader", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", _When, nullable=False),
    comment="What readers decided about a revision.",
)

delivery: Table = Table(
    "pn_delivery",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("publication", ForeignKey("pn_publication.id"), nullable=False, index=True),
    Column("channel", String(64), nullable=False),
    Column("account", Text, nullable=False),
    Column("language", String(35), nullable=False),
    Column("part", Integer, nullable=False),
    Column("operation", String(8), nullable=False),
    Column("target", ForeignKey("pn_delivery.id")),  # the delivery whose post is edited or deleted
    Column("post_key", String(64), nullable=False, unique=True),
    Column("ordering_key", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("priority", Integer, nullable=False),  # 0 is the most urgent
    Column("state", String(12), nullable=False),
    Column("in_doubt", Boolean, nullable=False, default=False),
    Column("has_recipients", Boolean, nullable=False, default=False),
    Column("needs_opening", Boolean, nullable=False, default=False),  # skipped if the opening was never posted
    Column("not_before", _When, nullable=False),
    Column("not_after", _When),
    Column("attempts", Integer, nullable=False, default=0),
    Column("first_tried_at", _When),
    Column("last_tried_at", _When),
    Column("owner", Text),
    Column("lease_until", _When),
    Column("reply_to", Text, nullable=False),  # ids of the publications above it in the thread
    Column("standalone", Text),  # the wording, frozen at publish, like reply
    Column("reply", Text),
    Column("wording", String(12), nullable=False, default=""),  # which of the two was sent
    Column("request_version", Integer, nullable=False, default=0),
    Column("request", Text),  # frozen before the first attempt
    Column("mac", String(80), nullable=False, default=""),  # of what is to be sent, see `authentication`
    Column("request_mac", String(80), nullable=False, default=""),
    Column("ref", Text),
    Column("ref_mac", String(80), nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("remedy", Text, nullable=False, default=""),
    Column("code", Text, nullable=False, default=""),
    Column("settled_at", _When),
    Column("unseen_at", _When),  # first look-up since the last attempt that did not find it
    Column("backoff", BigInteger, nullable=False, server_default=text("0")),  # the last wait after a failure
    Index("pn_delivery_due", "state", "channel", "priority", "id"),
    Index("pn_delivery_order", "ordering_key", "id"),  # ids rise in sending order
    comment="One (publication, channel, language, part, operation): the unit that is claimed.",
)

attempt: Table = Table(
    "pn_attempt",
    metadata,
    Column("delivery", ForeignKey("pn_delivery.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("started_at", _When, nullable=False),
    Column("ended_at", _When),
    Column("outcome", String(12)),
    Column("reason", Text, nullable=False, default=""),
    Column("code", Text, nullable=False, default=""),
    comment="Committed before anything is sent: an attempt without an end is in doubt.",
)

recipient: Table = Table(
    "pn_recipient",
    metadata,
    Column("delivery", ForeignKey("pn_delivery.id"), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("state", String(12), nullable=False),
    Column("in_doubt", Boolean, nullable=False, default=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("reason", Text, nullable=False, default=""),
    Column("code", Text, nullable=False, default=""),
    Column("gone", Integer, nullable=False, server_default=text("0")),  # answers that this person does not exist
    Index("pn_recipient_state", "delivery", "state", "key"),
    Index(
        "pn_recipient_held",
        "delivery",
        sqlite_where=text("state = 'held'"),
        postgresql_where=text("state = 'held'"),
    ),
    comment="One person of a delivery with recipients.",
)

address: Table = Table(
    "pn_address",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("key_version", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("stored_at", _When, nullable=False, index=True),
    Column("suppression", String(64)),  # the key under which it would be suppressed, once that was computed
    comment="Addresses, encrypted; erased 30 days after the last incident that reached them has closed.",
)

suppression: Table = Table(
    "pn_suppression",
    metadata,
    Column("channel", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", _When, nullable=False),  # when the network first reported it
    Column("confirmed_at", _When),  # when it did so again on another day; nothing is suppressed before
    comment="Recipients who must not be written to again on a channel.",
)

channel: Table = Table(
    "pn_channel",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("tat", _When),  # the limiter's theoretical arrival time (generic cell rate algorithm)
    Column("paused_until", _When),
    Column("blocked_at", _When),
    Column("reason", Text, nullable=False, default=""),
    Column("remedy", Text, nullable=False, default=""),
    Column("code", Text, nullable=False, default=""),
    Column("facts", Text, nullable=False, default="{}"),
    comment="Block, pause, limiter and facts of a channel, shared by all processes.",
)

channel_state: Table = Table(
    "pn_channel_state",
    metadata,
    Column("channel", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    comment="Sessions and rotating tokens, encrypted, changed by compare-and-swap.",
)

lock: Table = Table(
    "pn_lock",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("owner", String(32), nullable=False),
    Column("lease_until", _When, nullable=False),
    Column("length", BigInteger, nullable=False),  # how long it was asked for
    comment="Exclusive locks across processes; a row exists while a lock is held.",
)

blob: Table = Table(
    "pn_blob",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("media_type", String(64), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("stored_at", _When, nullable=False),
    comment="Images, named by their SHA-256.",
)

runner: Table = Table(
    "pn_runner",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("seen_at", _When, nullable=False),
    Column("is_worker", Boolean, nullable=False, server_default=text("false")),  # it runs until it is stopped
    comment="Heartbeats of the processes that deliver.",
)

event: Table = Table(
    "pn_event",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("at", _When, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("publication", String(26), index=True),  # or the draft
    Column("delivery", _RowId),
    Column("channel", String(64)),
    Column("body", Text, nullable=False),
    Column("salt", String(32), nullable=False),
    Column("commitment", String(64), nullable=False),
    Column("follows", Text, nullable=False),  # the newest events before it that its transaction saw
    Column("mac", String(80), nullable=False),  # keyed code over all but the number, body and salt, and theirs
    sqlite_autoincrement=True,  # numbers are never reused
    comment="Who did what and when. Rows are only added. A purge empties body and salt.",
)

seal: Table = Table(
    "pn_seal",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("first_event", _RowId, nullable=False),
    Column("last_event", _RowId, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at", _When, nullable=False),
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
    statement: Insert = (postgresql if dialect == "postgresql" else sqlite).insert(table).on_conflict_do_nothing()
    # psycopg counts the rows of a single insert, but SQLAlchemy keeps the count only on request.
    return statement.execution_options(preserve_rowcount=True)
