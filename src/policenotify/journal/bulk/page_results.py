"""Results of attempts at a page of people. Only the process that owns the page may record its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, or_, select, update

from policenotify.channel import RecipientOutcome
from policenotify.errors import Blocked
from policenotify.journal.audit import record_delivery
from policenotify.journal.bulk import pages
from policenotify.journal.bulk.expansion import CORRECT, left_out_rows
from policenotify.journal.bulk.halts import unless_aborted, with_pause
from policenotify.journal.bulk.recipients import (
    NOBODY,
    NOBODY_CONCERNED,
    OF_PERSON,
    counts,
    overall_outcome,
    page_counts,
)
from policenotify.journal.database import schema
from policenotify.journal.persons.suppressions import mass_fault, suppress_reported
from policenotify.journal.queue import lock_key_of, supersede_partial_sends
from policenotify.journal.records import AttemptResult, ClaimedDelivery, microseconds, span, storable
from policenotify.journal.results import end_attempt, post_columns, settlement
from policenotify.model.history import Outcome

_table, _recipient, _expansion = schema.delivery, schema.recipient, schema.expansion
RECORD = (
    update(_recipient)
    .where(OF_PERSON, _recipient.c.state == Outcome.SENDING)
    .values(
        {name: bindparam(name) for name in ("state", "reason", "code")}
        | {"attempts": bindparam("of_attempt"), "gone": _recipient.c.gone + bindparam("more_gone")}
    )
)
"""Records the outcome of one person who was sent to; see `recorded`."""

RECORD_DOUBT = RECORD.values(in_doubt=bindparam("in_doubt"))
"""Records whether it is in doubt as well."""

_UNSETTLED = update(_recipient).where(
    _recipient.c.delivery == bindparam("of_delivery"),
    _recipient.c.page == bindparam("of_page"),
    or_(_recipient.c.state == Outcome.WAITING, _recipient.c.state == Outcome.SENDING),
)
_ALL_WAITING = update(_recipient).where(
    _recipient.c.delivery == bindparam("of_delivery"), _recipient.c.state == Outcome.WAITING
)
_RETRY_LATER = _UNSETTLED.values(state=Outcome.WAITING)
_COMMON_REASON = (
    select(_recipient.c.reason, _recipient.c.code, func.count())
    .where(_recipient.c.delivery == bindparam("of_delivery"))
    .where(_recipient.c.state.in_(bindparam("states", expanding=True)), _recipient.c.reason != "")
    .group_by(_recipient.c.reason, _recipient.c.code)
    .order_by(func.count().desc(), _recipient.c.reason)
    .limit(1)
)
_REMEDIES = (  # the worst outcome first
    ((Outcome.WAITING, Outcome.UNCONFIRMED), "It will be tried again."),
    ((Outcome.REFUSED,), "Reach them in another way. Correct the list where an address or a number is wrong."),
)
MORE_TO_READ = "More people of the list are still to be read."
"""Added to the reason of a delivery of which only a part of the people is stored, and counted."""

_FOR_ALL = {Outcome.REFUSED, Outcome.HELD, Outcome.SUPERSEDED}


def recorded(claimed: ClaimedDelivery, outcome: RecipientOutcome, *, hold_doubt: bool) -> dict[str, object]:
    """Return the values by which `RECORD`, or with `in_doubt` `RECORD_DOUBT`, records the outcome of one person."""
    state = {
        "posted": Outcome.POSTED,
        "refused": Outcome.REFUSED,
        "unavailable": Outcome.WAITING,
        "unconfirmed": Outcome.HELD if hold_doubt else Outcome.WAITING,
    }[outcome.outcome]
    values: dict[str, object] = {
        "of_delivery": claimed.id,
        "of_page": claimed.page,
        "of_attempt": claimed.attempts,
        "of_key": outcome.key,
        "state": state.value,
        "reason": storable(outcome.reason),
        "code": storable(outcome.code),
        "more_gone": int(state is Outcome.REFUSED and bool(outcome.gone)),
    }
    if outcome.outcome in {"refused", "unavailable"}:  # that does not settle an earlier attempt in doubt
        return values
    return {**values, "in_doubt": outcome.outcome == "unconfirmed"}


def record_recipients(
    connection: Connection,
    claimed: ClaimedDelivery,
    outcomes: Iterable[RecipientOutcome],
    *,
    now: datetime,
    hold_doubt: bool,
    lease: timedelta,
) -> Blocked | None:
    """Record the outcomes of some recipients and renew the lease.

    Returns:
        The error of the whole channel, if it reports so many recipients as not existing that it is at fault. They wait
        again.
    """
    pages.change(connection, claimed, lease_until=microseconds(now) + span(lease))
    gone = False
    for outcome in outcomes:
        values = recorded(claimed, outcome, hold_doubt=hold_doubt)
        connection.execute(RECORD_DOUBT if "in_doubt" in values else RECORD, values)
        gone = gone or bool(outcome.gone)
    fault = mass_fault(connection, claimed) if gone else None
    if fault is not None:
        pages.update_states(connection, claimed.id)
    return fault


def record_page_result(
    connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, *, now: datetime
) -> Mapping[Outcome, int]:
    """Record the result of an attempt at a page and release it. Settle the delivery with its last page.

    A result of the whole delivery, such as a refusal of its content, also counts for its other people who wait.

    Returns:
        How many recipients have which outcome, once the delivery is settled. Empty before that.
    """
    ordering_key, at = lock_key_of(connection, claimed.id), microseconds(now)
    pages.lock_owned(connection, claimed)
    given, result = result, unless_aborted(connection, claimed, result)
    # Of an aborted delivery, `finish_abort` settles the other pages, some at a time.
    for_all = result.outcome in _FOR_ALL and result is given
    waits = result.outcome not in _FOR_ALL
    of_page = {"of_delivery": claimed.id, "of_page": claimed.page}
    if waits:
        connection.execute(_RETRY_LATER, of_page)
    else:
        _settle_all(connection, claimed, result, of_page, others=for_all)
    not_before = microseconds(result.not_before) if result.not_before else at
    pages.release(connection, claimed, not_before=not_before, backoff=span(result.backoff))
    if for_all:
        pages.update_states(connection, claimed.id)
    left = pages.progress(connection, claimed.id)
    goes_on = left.sending or not left.expanded or (left.waiting and left.not_before <= at)
    if goes_on and result.of_people:  # a count of all would cost a scan for each page
        people = page_counts(connection, claimed.id, claimed.page or 0)
    else:
        people = counts(connection, [claimed.id]).get(claimed.id, {})
        result = _with_reason(connection, claimed, result, people)
    if left.is_over:
        outcome = overall_outcome(people) if people or waits else result.outcome
        result = _with_left_out(connection, claimed, replace(result, outcome=outcome, not_before=None))
        suppress_reported(connection, claimed, now)
    else:
        result = with_pause(connection, claimed, _with_more(result, left))
    _record_delivery(connection, claimed, result, left, now)
    supersede_partial_sends(connection, ordering_key, at)
    return people if left.is_over else {}


def _settle_all(
    connection: Connection,
    claimed: ClaimedDelivery,
    result: AttemptResult,
    of_page: Mapping[str, object],
    *,
    others: bool,
) -> None:
    """Settle the people of the page, and the *others* of the delivery who wait, and store no further ones."""
    settled = {"state": result.outcome, "reason": result.reason, "code": result.code}
    of_delivery = {"of_delivery": claimed.id}
    connection.execute(_UNSETTLED.where(_recipient.c.in_doubt).values(state=Outcome.HELD), of_page)
    connection.execute(_UNSETTLED.values(**settled), of_page)
    if others:
        connection.execute(_ALL_WAITING.where(_recipient.c.in_doubt).values(state=Outcome.HELD), of_delivery)
        connection.execute(_ALL_WAITING.values(**settled), of_delivery)
    connection.execute(update(_expansion).where(_expansion.c.delivery == claimed.id).values(expanded=True))


def _record_delivery(
    connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, left: pages.PagesLeft, now: datetime
) -> None:
    """Record what an attempt at a page means for its delivery."""
    at = microseconds(now)
    state = Outcome.SENDING if left.sending else result.outcome if left.is_over else Outcome.WAITING
    columns: dict[str, object] = {"state": state, "settled_at": at if left.is_over else None}
    if not left.is_over and result.of_people:
        # Others may be due at once, although these people wait.
        due = left.not_before if left.waiting and left.expanded else at
        columns |= {"not_before": due, "backoff": 0}
    elif not left.is_over:
        due = microseconds(result.not_before) if result.not_before else at
        columns |= {"not_before": due, "backoff": span(result.backoff)}
    if left.is_over or result.reason or not left.sending:
        columns |= {"reason": result.reason, "remedy": result.remedy, "code": result.code}
    if left.is_over and result.outcome is Outcome.HELD:
        columns["in_doubt"] = True
    columns |= post_columns(connection, claimed, result)
    connection.execute(update(_table).where(_table.c.id == claimed.id).values(**columns))
    outcome = result.outcome if left.is_over else Outcome.WAITING
    result = replace(result, outcome=outcome)
    end_attempt(connection, claimed, result, at)
    body = settlement(claimed, result)
    body["pages"] = pages.statement(connection, claimed.id, claimed.page or 0, claimed.attempts)
    record_delivery(connection, claimed, now, "settled", body)


def _with_left_out(connection: Connection, claimed: ClaimedDelivery, result: AttemptResult) -> AttemptResult:
    """Add the rows of the audiences that name no person to the reason."""
    if not (left_out := left_out_rows(connection, claimed.id)):
        return result
    return replace(result, reason=f"{result.reason} {left_out}".strip(), remedy=result.remedy or CORRECT)


def _with_more(result: AttemptResult, left: pages.PagesLeft) -> AttemptResult:
    """Add to the reason that more people are still to be read from the audiences."""
    if not result.reason or left.expanded:
        return result
    return replace(result, reason=f"{result.reason} {MORE_TO_READ}")


def _with_reason(
    connection: Connection, claimed: ClaimedDelivery, result: AttemptResult, recipients: Mapping[Outcome, int]
) -> AttemptResult:
    """Fill in reason and remedy from the most frequent recipient failure if the result has none."""
    total = sum(recipients.values())
    if (held := recipients.get(Outcome.HELD, 0)) and result.outcome is not Outcome.HELD:
        reason = f"{held} of {total} may or may not have it, and the network cannot be asked."
        if recipients.get(Outcome.WAITING) and result.reason:
            reason = f"{result.reason} {reason}"
        remedy = f"Ask on {claimed.channel!r} whether they have it, then: policenotify resolve {claimed.id}"
        return replace(result, reason=reason, remedy=remedy)
    if result.reason:
        return result
    for states, remedy in _REMEDIES:
        if not any(recipients.get(state) for state in states):
            continue
        if row := connection.execute(_COMMON_REASON, {"of_delivery": claimed.id, "states": states}).first():
            reason, code, count = row
            return replace(result, reason=f"{count} of {total}: {reason}", code=code, remedy=remedy)
    if not recipients:
        return replace(result, reason=NOBODY_CONCERNED)
    if recipients.keys() <= {Outcome.SUPPRESSED}:
        remedy = f"See who: policenotify people list --suppressed {claimed.channel}"
        return replace(result, reason=NOBODY, remedy=remedy)
    return result
