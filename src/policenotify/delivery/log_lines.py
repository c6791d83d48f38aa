"""Log records of deliveries: never with a text, a person, or the words of a network's answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC

from policenotify.delivery.telemetry import note
from policenotify.errors import PolicenotifyError
from policenotify.journal.records import AttemptResult, ClaimedDelivery
from policenotify.log import fields, shown_code
from policenotify.model.history import Outcome

_log = logging.getLogger("policenotify")
_UNSETTLED = (Outcome.WAITING, Outcome.UNCONFIRMED, Outcome.SENDING)
_FAILED = frozenset({Outcome.REFUSED, Outcome.HELD, Outcome.UNCONFIRMED})


def noted(result: AttemptResult) -> AttemptResult:
    """Return the result of a step, after adding it to the step's span."""
    code = shown_code(result.code)
    about = {"policenotify.outcome": result.outcome.value, **({"policenotify.code": code} if code else {})}
    note(about, failed=(code or result.outcome.value) if result.outcome in _FAILED else "")
    return result


def log_outcome(claimed: ClaimedDelivery, code: str, counts: Mapping[Outcome, int]) -> None:
    """Log how many posts, or people, have which outcome, once none waits: a warning if one is refused or held."""
    found = {outcome: count for outcome, count in counts.items() if count}
    if not found or any(outcome in found for outcome in _UNSETTLED):
        return
    shown = ", ".join(f"{count} {outcome}" if claimed.has_recipients else outcome for outcome, count in found.items())
    settled = (Outcome.POSTED, Outcome.HELD, Outcome.SUPERSEDED, Outcome.REFUSED, *found)
    overall = next(outcome for outcome in settled if outcome in found)
    _log.log(
        logging.WARNING if found.keys() & {Outcome.REFUSED, Outcome.HELD} else logging.INFO,
        "Channel %s: publication %s, delivery %s: %s%s",
        *_names(claimed),
        shown,
        _brackets(code),
        extra=_fields(claimed, overall, overall),
    )


def log_delayed(claimed: ClaimedDelivery, result: AttemptResult) -> None:
    """Log that an attempt has failed and the delivery waits. Why is in the journal: a network's words may quote it."""
    _log.warning(
        "Channel %s: publication %s, delivery %s: %s%s: the attempt has failed.%s It goes on at %s by itself. "
        "If that lasts: policenotify doctor",
        *_names(claimed),
        result.outcome,
        _brackets(result.code),
        " It may be out already." if result.outcome is Outcome.UNCONFIRMED else "",
        f"{result.not_before.astimezone(UTC):%H:%M:%S} UTC" if result.not_before else "once",
        extra=_fields(claimed, "delayed", result.outcome),
    )


def log_blocked(channel: str, code: str = "") -> None:
    """Log that nothing more is sent on a channel until a person acts. Why is in the journal: it may quote a value."""
    _log.error(
        "Channel %s is blocked%s: nothing more is sent on it until a person acts. What to do: policenotify doctor",
        channel,
        _brackets(code),
        extra=fields("blocked", channel=channel),
    )


def shown_error(error: BaseException) -> str:
    """Return the text of our own error, else only its class: another's text may hold an address, and a trace values."""
    return str(error) if isinstance(error, PolicenotifyError) else f"{type(error).__name__} escaped."


def _brackets(code: str) -> str:
    return f" [{shown}]" if (shown := shown_code(code)) else ""


def _names(claimed: ClaimedDelivery) -> tuple[object, ...]:
    return claimed.channel, claimed.publication, claimed.public_id


def _fields(claimed: ClaimedDelivery, event: str, outcome: Outcome) -> dict[str, object]:
    channel, publication, delivery = claimed.channel, claimed.publication, claimed.public_id
    return fields(event, channel=channel, delivery=delivery, publication=publication, outcome=outcome)
