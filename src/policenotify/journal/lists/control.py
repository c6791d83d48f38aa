"""Settle, end and halt the sending to the people of a delivery.

A delivery with recipients waits until its last batch is settled. A person may halt it, and a newer message or a
withdrawal ends it: from then on no batch of it is claimed or made, and a worker that sends one stops after the people
whom it has marked. People who have the message keep it, and get the end of its incident.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Row, Update, bindparam, func, select, update

from policenotify.channel import PostRef, Request
from policenotify.journal.audit import record_delivery
from policenotify.journal.authentication import ref_mac, request_mac
from policenotify.journal.database import schema
from policenotify.journal.lists.recipients import (
    NOBODY,
    NOBODY_CONCERNED,
    count_batch,
    counts,
    outcomes,
    overall_outcome,
    settle_waiting,
    to_text,
)
from policenotify.journal.lists.state import UNREADABLE, read_cursor
from policenotify.journal.persons.reports import record_refusals
from policenotify.journal.records import AttemptResult, microseconds, moment, span, stored
from policenotify.log import fields
from policenotify.model.history import Outcome
from policenotify.model.receipt import ReasonCount
from policenotify.translation import AnyText, Text

PAUSED: Final = "paused"
ABORTED: Final = "aborted"
BATCH_EVENT: Final = "batch_settled"
"""The kind of event that records the result of an attempt at a batch."""

CORRECT: Final = Text("See which: policenotify doctor. Who is added gets the next message.")
"""The remedy for rows that were left out."""

_log = logging.getLogger("policenotify")
_UNSETTLED = (Outcome.WAITING, Outcome.SENDING)
_REMEDIES = (  # the worst outcome first
    ((Outcome.WAITING, Outcome.UNCONFIRMED), Text("It will be tried again.")),
    ((Outcome.REFUSED,), Text("Reach them in another way. Correct the list where an address or a number is wrong.")),
)
_table = schema.delivery
_OF_LIST = _table.c.id == bindparam("of_list")
_ROW = select(_table).where(_OF_LIST)
_BATCHES = _table.c.parent == bindparam("of_list")
_OPEN = select(_table.c.id).where(_BATCHES, _table.c.state.in_(_UNSETTLED)).limit(1)
_NEXT_WAITING = select(func.min(_table.c.not_before)).where(_BATCHES, _table.c.state == Outcome.WAITING)
_WAITING = select(_table).where(_BATCHES, _table.c.state == Outcome.WAITING).order_by(_table.c.number)


def row_of(connection: Connection, delivery: int) -> Row[Any]:
    """Return a delivery."""
    return connection.execute(_ROW, {"of_list": delivery}).one()


def change(connection: Connection, delivery: int, **columns: object) -> None:
    """Change columns of a delivery."""
    connection.execute(_change(tuple(columns)), {"of_list": delivery, **columns})


@cache
def _change(columns: tuple[str, ...]) -> Update:
    return update(_table).where(_OF_LIST).values({name: bindparam(name) for name in columns})


def is_ended(halt: str) -> bool:
    """Return True if nothing more is sent of a delivery with this halt."""
    return halt not in {"", PAUSED}


def end_outcome(halt: str) -> Outcome:
    """Return what the people get who still wait when a delivery ends."""
    return Outcome.SUPERSEDED if halt == ABORTED else Outcome(halt)


def log_held(level: int, row: Row[Any], why: str) -> None:
    """Log that a delivery is held."""
    channel, publication, delivery = row.channel, row.publication, row.parent or row.id
    about = fields("held", channel=channel, delivery=delivery, publication=publication, outcome="held")
    text = "Channel %s: publication %s, delivery %s: held [%s]"
    _log.log(level, text, channel, publication, delivery, why, extra=about)


# --- settling


def settle_batch(
    connection: Connection, batch: Row[Any], at: int, *, not_before: int | None = None, backoff: int = 0
) -> Outcome:
    """Release a batch: it is settled, or waits for those of its people who wait. Return its outcome."""
    counted = count_batch(connection, batch.parent, batch.id)
    people = outcomes(counted)
    outcome = overall_outcome(people)
    columns: dict[str, object] = {
        "state": outcome,
        "owner": None,
        "lease_until": None,
        "not_before": batch.not_before if not_before is None else not_before,
        "backoff": backoff,
        "counts": to_text(counted),
        "held": people.get(Outcome.HELD, 0),
        "settled_at": at if outcome.is_final else None,
    }
    change(connection, batch.id, **columns)
    return outcome


def record_batch(connection: Connection, batch: Row[Any], at: int, outcome: Outcome, **body: object) -> None:
    """Record the outcome of a batch."""
    record_delivery(connection, batch, moment(at), BATCH_EVENT, {"list": batch.parent, "outcome": outcome, **body})


def recount(
    connection: Connection, delivery: int, at: int, batches: Collection[int] | None = None, *, due: bool = False
) -> None:
    """Count the people of batches again, some or all, after their states were changed. Those being sent are left alone.

    Batches whose people wait again go on, at once if they are *due*.
    """
    query = select(_table).where(_BATCHES, _table.c.state != Outcome.SENDING)
    if batches is not None:
        query = query.where(_table.c.id.in_(batches))
    for batch in connection.execute(query, {"of_list": delivery}).all():
        not_before = at if due or batch.state != Outcome.WAITING else batch.not_before
        outcome = settle_batch(connection, batch, at, not_before=not_before, backoff=batch.backoff)
        if outcome != batch.state:
            record_batch(connection, batch, at, outcome)


def settle(connection: Connection, delivery: int, at: int) -> Mapping[Outcome, int]:
    """Settle a delivery of which nothing is left to be read or sent. If it has ended, first its batches that wait.

    A batch that a worker has claimed is settled by that worker. The last of both settles the delivery.

    Returns:
        How many people have which outcome. Empty if something is left.
    """
    row = row_of(connection, delivery)
    ended = end_outcome(row.halt) if is_ended(row.halt) else None
    if ended is not None and row.state in _UNSETTLED:
        for batch in connection.execute(_WAITING, {"of_list": delivery}).all():
            settle_waiting(connection, delivery, batch.id, ended, row.reason, row.code)
            record_batch(connection, batch, at, settle_batch(connection, batch, at))
    if row.state != Outcome.WAITING or (row.reading and ended is None):
        return {}
    if connection.execute(_OPEN, {"of_list": delivery}).first() is not None:
        return {}
    counted = counts(connection, [delivery]).get(delivery, ())
    words, people = _final_words(row, counted), outcomes(counted)
    outcome = overall_outcome(people) if people else ended or Outcome.SKIPPED
    stated: dict[str, object] = {"outcome": outcome, "code": words["code"], "reason": words["reason"]}
    columns: dict[str, object] = {**words, "state": outcome, "settled_at": at, "in_doubt": outcome is Outcome.HELD}
    if row.request and (ref := _sent_as(connection, row)):
        columns |= ref
        stated["attempt"] = row.attempts
    change(connection, delivery, **columns)
    record_delivery(connection, row, moment(at), "settled", stated)
    record_refusals(connection, row, moment(at), refused=Outcome.REFUSED in people)
    return people


def _sent_as(connection: Connection, row: Row[Any]) -> dict[str, str] | None:
    """Return where the post is that people got, unless the request was changed."""
    keys = connection.get_execution_options()["policenotify_keys"]
    if request_mac(keys, row.post_key, row.request_version, row.request) != row.request_mac:
        return None
    with stored(_table.name, row.id):
        request = Request.read(row.request)
    ref = PostRef(account=request.account, id=request.key).model_dump_json()
    return {"ref": ref, "ref_mac": ref_mac(keys, row.post_key, ref)}


def go_on(connection: Connection, row: Row[Any], result: AttemptResult, at: int) -> None:
    """Note on a delivery of which something is left what an attempt at one of its batches means."""
    if row.code == UNREADABLE and row.not_before > at:  # it waits until its lists are tried again
        return
    due = microseconds(result.not_before) if result.not_before else at
    if result.of_people:  # others may be due at once, although these people wait
        due = at if row.reading else connection.execute(_NEXT_WAITING, {"of_list": row.id}).scalar() or at
    columns: dict[str, object] = {"not_before": due, "backoff": 0 if result.of_people else span(result.backoff)}
    if row.halt == "":
        given = {"reason": result.reason, "remedy": result.remedy, "code": result.code}
        columns |= _words(row, counts(connection, [row.id]).get(row.id, ()), given)
    change(connection, row.id, **columns)


def held_words(delivery: int, channel: str, held: int, total: int) -> dict[str, AnyText]:
    """Return the reason and the remedy of a delivery of which some people are held."""
    return {
        "reason": Text(
            "{held} of {total} may or may not have it, and the network cannot be asked.", held=held, total=total
        ),
        "remedy": Text(
            "Find out on {channel!r} whether they have it, then: policenotify resolve {delivery}",
            channel=channel,
            delivery=delivery,
        ),
    }


def _words(row: Row[Any], counted: Collection[ReasonCount], given: dict[str, AnyText]) -> dict[str, AnyText]:
    """Return reason, remedy and code: who is held, what was given, or the most frequent failure of its people."""
    people = outcomes(counted)
    total = sum(people.values())
    if (held := people.get(Outcome.HELD, 0)) and row.halt != Outcome.HELD:
        words = held_words(row.id, row.channel, held, total)
        if given["reason"] and people.get(Outcome.WAITING):
            words["reason"] = Text.join(" ", (given["reason"], words["reason"]))
        return {**given, **words}
    if given["reason"]:
        return given
    for states, remedy in _REMEDIES:
        worst = next((each for each in counted if each.outcome in states and each.reason), None)
        if worst is not None:
            return {
                "reason": Text("{count} of {total}: {reason}", count=worst.count, total=total, reason=worst.reason),
                "remedy": remedy,
                "code": worst.code,
            }
    return given


def _final_words(row: Row[Any], counted: Collection[ReasonCount]) -> dict[str, AnyText]:
    given: dict[str, AnyText] = {"reason": "", "remedy": "", "code": ""}
    if is_ended(row.halt):
        given = {"reason": row.reason, "remedy": row.remedy, "code": row.code}
    words, people = _words(row, counted, given), {each.outcome for each in counted}
    if not words["reason"] and not people:
        words["reason"] = NOBODY_CONCERNED
    elif not words["reason"] and people <= {Outcome.SUPPRESSED}:
        words |= {
            "reason": NOBODY,
            "remedy": Text("See who: policenotify people list {channel}", channel=row.channel),
        }
    if wrong := read_cursor(row.cursor).wrong:
        left_out = Text("Rows of the list that were left out: {wrong}.", wrong=wrong)
        words["reason"] = Text.join(" ", (words["reason"], left_out))
        words["remedy"] = words["remedy"] or CORRECT
    return words


# --- halting


def end(
    connection: Connection, row: Row[Any], halt: str, reason: AnyText, *, remedy: AnyText = "", code: str = ""
) -> None:
    """Let nothing more be sent of a delivery: its people who wait get the outcome *halt*. `settle` settles them.

    What has ended before stays as it is.
    """
    if not is_ended(row.halt):
        halt_list(connection, row.id, halt, reason=reason, remedy=remedy, code=code)


def halt_list(connection: Connection, delivery: int, halt: str, **columns: object) -> None:
    """Halt a delivery and its batches that are not settled, or let them go on. Change columns of the delivery, too."""
    change(connection, delivery, halt=halt, **columns)
    batches = update(_table).where(_BATCHES, _table.c.state.in_(_UNSETTLED)).values(halt=halt)
    if "not_before" in columns:
        batches = batches.values(not_before=columns["not_before"])
    connection.execute(batches, {"of_list": delivery})
