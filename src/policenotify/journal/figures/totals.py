"""Totals that only rise, added up from the events of the audit log.

An event states in its body what happened. A purge erases bodies, so it first adds what they count to a base in
`pn_meta`. The totals of a journal are its base and the events that still have a body.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)

from policenotify.journal import meta
from policenotify.journal.attempts import INTERRUPTED
from policenotify.journal.clock_change import SET
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.lists.control import BATCH_EVENT
from policenotify.journal.records import POST_BUCKETS, SEND_BUCKETS
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome

BASE: Final = "figures"
"""The fact in `pn_meta` that holds what purged events counted."""

Key: TypeAlias = tuple[str, ...]
"""The name of a total, then its labels. The last one of a distribution is the number of its bucket, or `sum`."""

SUM: Final = "sum"

_SECOND: Final = 1_000_000  # microseconds
_BATCH: Final = 5_000  # values in one query: SQLite takes 32,766 (sqlite.org/limits.html)
_VERDICTS: Final = ("approved", "returned", "rejected", "second_reading")
_delivery, _publication, _attempt = schema.delivery, schema.publication, schema.attempt
_OUTCOMES: Final = frozenset(map(str, Outcome))
_FINAL: Final = frozenset(str(outcome) for outcome in Outcome if outcome.is_final)
_SEVERITIES: Final = frozenset(map(str, Severity))


@dataclass(slots=True)
class Totals:
    """Totals by key, and when each channel last posted.

    Attributes:
        counts: How often, or for a `sum` how many microseconds.
        posted_at: Microseconds of the last post of each channel.
    """

    counts: Counter[Key] = field(default_factory=Counter)
    posted_at: dict[str, int] = field(default_factory=dict)

    def add(self, other: Totals) -> None:
        """Add other totals to these."""
        self.counts.update(other.counts)
        for channel, at in other.posted_at.items():
            self.posted_at[channel] = max(at, self.posted_at.get(channel, 0))

    def to_text(self) -> str:
        """Return them as the base is stored."""
        counts = sorted([*key, count] for key, count in self.counts.items())
        return json.dumps({"counts": counts, "posted_at": self.posted_at}, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None) -> Totals:
        """Read a stored base. Without one, nothing was purged.

        One that was damaged counts nothing, as after a counter's restart: no purge may fail because of it.
        """
        if not text:
            return cls()
        try:
            stored = json_object(text)
            counts = Counter({tuple(map(str, key)): int(count) for *key, count in stored["counts"]})
            return cls(counts, {str(channel): int(at) for channel, at in stored["posted_at"].items()})
        except (AttributeError, KeyError, TypeError, ValueError):
            return cls()


def add_purged(connection: Connection, publications: Iterable[str]) -> None:
    """Add what the events of some publications and drafts count to the base, before their bodies are erased."""
    event = schema.event
    ids, purged = sorted(publications), Totals()
    for start in range(0, len(ids), _BATCH):
        purged.add(count_events(connection, event.c.publication.in_(ids[start : start + _BATCH])))
    if not purged.counts:
        return
    schema.insert_new(connection, schema.meta, [{"name": BASE, "value": ""}])
    stored = select(schema.meta.c.value).where(schema.meta.c.name == BASE).with_for_update()
    base = Totals.from_text(connection.execute(stored).scalar())
    base.add(purged)
    meta.put(connection, BASE, base.to_text())


def count_events(connection: Connection, scope: ColumnElement[bool]) -> Totals:
    """Add up what some events count, those with an erased body left out."""
    event = schema.event
    totals = Totals()
    dialect, counted = connection.dialect.name, and_(scope, event.c.body != "")
    for row in connection.execute(_published(dialect, counted)):
        totals.counts["publications", row.category, row.stage, _severity(row.severity), row.kind] += row.number
    for row in connection.execute(_settled(dialect, counted)):
        _add_settled(totals, row)
    for row in connection.execute(_never_sent(counted)):
        totals.counts["deliveries", row.channel, row.operation, row.state] += row.number
    for row in connection.execute(_spoken(dialect, counted)):
        if row.kind in _VERDICTS:
            verdict = row.verdict if row.kind == "second_reading" else row.kind
            totals.counts["reviews", str(verdict)] += row.number
        elif row.kind == SET:
            totals.counts["clock_steps",] += row.number
        else:
            about = "incident" if row.kind == "overdue" else "second_reading"
            totals.counts["reminders", about, str(row.level)] += row.number
    return totals


def _add_settled(totals: Totals, row: Any) -> None:  # noqa: ANN401 - a row of the toolkit
    outcome = row.outcome if row.outcome in _OUTCOMES else ""
    if row.kind == INTERRUPTED:
        if row.begun:
            totals.counts["attempts", row.channel, Outcome.UNCONFIRMED.value] += row.number
        return
    if row.kind == "deleted":
        outcome = Outcome.DELETED.value
    if outcome in _FINAL and row.kind != BATCH_EVENT:
        totals.counts["deliveries", row.channel, row.operation, outcome] += row.number
    if row.kind in {"settled", BATCH_EVENT} and row.tried:
        totals.counts["attempts", row.channel, outcome] += row.number
    if row.sent is not None:
        key = ("send_duration", row.channel, row.operation)
        totals.counts[*key, str(row.sent)] += row.number
        totals.counts[*key, SUM] += int(row.sending)
    if row.waited is not None:
        key = ("time_to_post", row.channel, _severity(row.severity))
        totals.counts[*key, str(row.waited)] += row.number
        totals.counts[*key, SUM] += int(row.waiting)
        totals.posted_at[row.channel] = max(row.newest, totals.posted_at.get(row.channel, 0))


def _severity(stored: str | None) -> str:
    return stored if stored in _SEVERITIES else Severity.UNKNOWN.value


# --- queries


def _field(dialect: str, document: ColumnElement[str], name: str) -> ColumnElement[Any]:
    """Return the expression for a text or number in a stored JSON document."""
    if dialect == "postgresql":
        whole = case((document == "", "{}"), else_=document)  # conditions are not evaluated in their order
        return func.json_extract_path_text(cast(whole, JSON), name)
    return func.json_extract(document, f"$.{name}")


def _bucket(microseconds: ColumnElement[int], bounds: Sequence[float]) -> ColumnElement[Any]:
    """Return the expression for the number of the first bucket that holds a length. NULL has none."""
    within = [
        (microseconds <= literal(int(bound * _SECOND), BigInteger), literal(number))
        for number, bound in enumerate(bounds)
    ]
    return case((microseconds.is_(None), None), *within, else_=len(bounds))


def _published(dialect: str, counted: ColumnElement[bool]) -> Select[Any]:
    event = schema.event
    message = _publication.c.message
    category, severity = _field(dialect, message, "category"), _field(dialect, message, "severity")
    columns = (event.c.kind, _publication.c.stage, category.label("category"), severity.label("severity"))
    return (
        select(*columns, func.count().label("number"))
        .join(_publication, _publication.c.id == event.c.publication)
        .where(counted, event.c.kind.in_(("published", "refused_by_check")))
        .group_by(*columns)
    )


def _settled(dialect: str, counted: ColumnElement[bool]) -> Select[Any]:
    event = schema.event
    body = event.c.body
    outcome, number = _field(dialect, body, "outcome"), _field(dialect, body, "attempt")
    # The body is canonical JSON, in which a truth value looks the same on every database.
    begun, posted = body.contains('"begun":true'), and_(event.c.kind == "settled", outcome == Outcome.POSTED)
    posted = and_(posted, or_(number.is_not(None), _delivery.c.has_recipients))
    waiting = case((posted, _not_negative(event.c.at - _publication.c.created_at)))
    sending = _not_negative(_attempt.c.ended_at - _attempt.c.started_at)
    severity = case((posted, _field(dialect, _publication.c.message, "severity")))
    columns = (
        event.c.kind.label("kind"),
        event.c.channel.label("channel"),
        _delivery.c.operation.label("operation"),
        outcome.label("outcome"),
        number.is_not(None).label("tried"),
        begun.label("begun"),
        severity.label("severity"),
        _bucket(waiting, POST_BUCKETS).label("waited"),
        _bucket(sending, SEND_BUCKETS).label("sent"),
        waiting.label("waiting"),
        sending.label("sending"),
        event.c.at.label("at"),
    )
    each = (
        select(*columns)
        .join(_delivery, _delivery.c.id == event.c.delivery)
        .join(_publication, _publication.c.id == event.c.publication)
        .outerjoin(
            _attempt,
            and_(
                event.c.kind.in_(("settled", BATCH_EVENT)),
                _attempt.c.delivery == event.c.delivery,
                _attempt.c.number == cast(number, _attempt.c.number.type),
                _attempt.c.ended_at == event.c.at,  # else this result is of a look-up
            ),
        )
        .where(counted, event.c.kind.in_(("settled", BATCH_EVENT, "resolved", "deleted", INTERRUPTED)))
        .subquery()
    )
    labels = [each.c[name] for name in ("kind", "channel", "operation", "outcome", "tried", "begun", "severity")]
    labels += [each.c.waited, each.c.sent]
    sums = [func.sum(each.c.waiting).label("waiting"), func.sum(each.c.sending).label("sending")]
    return select(*labels, *sums, func.max(each.c.at).label("newest"), func.count().label("number")).group_by(*labels)


def _not_negative(length: ColumnElement[int]) -> ColumnElement[int]:
    """Return a length of time, or 0 where the clock was set back meanwhile."""
    return case((length < 0, 0), else_=length)


def _never_sent(counted: ColumnElement[bool]) -> Select[Any]:
    """Return the query for deliveries that were settled when they were stored, of which no event states that."""
    event = schema.event
    settled, rendered = event.alias("settled"), event.alias("rendered")
    of_delivery = (settled.c.publication == _delivery.c.publication, settled.c.delivery == _delivery.c.id)
    of_channel = (rendered.c.publication == _delivery.c.publication, rendered.c.channel == _delivery.c.channel)
    is_later = exists().where(*of_channel, rendered.c.kind == "rendered")
    labels = (_delivery.c.channel, _delivery.c.operation, _delivery.c.state)
    # An expression, so that SQLite begins with the few new events and not with all that was ever skipped.
    state = func.coalesce(_delivery.c.state, "")
    return (
        select(*labels, func.count(_delivery.c.id.distinct()).label("number"))
        .join(event, event.c.publication == _delivery.c.publication)
        .where(state.in_([Outcome.SKIPPED, Outcome.REFUSED]), counted)
        .where(
            or_(
                and_(event.c.kind == "published", ~is_later),
                and_(event.c.kind == "rendered", event.c.channel == _delivery.c.channel),
            )
        )
        .where(~exists().where(*of_delivery, settled.c.kind == "settled"))
        .group_by(*labels)
    )


def _spoken(dialect: str, counted: ColumnElement[bool]) -> Select[Any]:
    event = schema.event
    body = event.c.body
    level, verdict = _field(dialect, body, "level"), _field(dialect, body, "verdict")
    columns = (event.c.kind, level.label("level"), verdict.label("verdict"))
    kinds = event.c.kind.in_(("overdue", "second_reading_overdue", SET, *_VERDICTS))
    return select(*columns, func.count().label("number")).where(counted, kinds).group_by(*columns)
