"""Checks of the times: that one is stated, and that they lie ahead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from policenotify.checks.check import CALLS_TO_ACT, FIVE_CONTENTS, CheckContext, Remark, check
from policenotify.findings import Level
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Stage
from policenotify.text.comparison import fold

NEXT_UPDATE: Final = timedelta(hours=1)
"""The proposed time until the next update."""

_HOUR: Final = timedelta(hours=1)
_NIGHT: Final = timedelta(hours=12)  # a desk may promise news for the morning


@check(
    "PN104",
    basis=f"{FIVE_CONTENTS}: time, the one most often missing.",
    field="next_update_at",
    levels=(Level.ERROR, Level.WARNING),
)
def time_stated(context: CheckContext) -> Iterator[Remark]:
    """Require a start, an end or the next update."""
    message = context.message
    stated = message.starts_at or message.expires_at or message.next_update_at
    if context.of_incident and message.stage in CALLS_TO_ACT and not stated:
        # An instruction is never held back because a time is missing.
        advises = bool(fold(message.instruction)) or not context.severity.at_least(Severity.SEVERE)
        proposed = context.local(context.now + NEXT_UPDATE)
        yield Remark(
            "Readers do not know since when or until when it holds, nor when they will hear more.",
            f"Give next_update_at, by default in an hour: {proposed} (--next-update +1h). "
            "Else give starts_at or expires_at.",
            level=Level.WARNING if advises else Level.ERROR,
        )


@check(
    "PN108",
    basis="CAP 1.2, section 3.2.2 (expires): after that time the message does not hold.",
    field="expires_at",
)
def not_expired(context: CheckContext) -> Iterator[Remark]:
    """Refuse an expiry in the past."""
    expires_at = context.message.expires_at
    if expires_at and expires_at <= context.now:
        yield Remark(
            f"It held until {context.local(expires_at)}, and that is past.",
            "Give a later time, or do not publish it.",
        )


@check(
    "PN109",
    basis="A broken promise of news makes people look for it elsewhere.",
    field="next_update_at",
    levels=(Level.ERROR, Level.WARNING),
)
def next_update_ahead(context: CheckContext) -> Iterator[Remark]:
    """Refuse a next update in the past, and warn of one that is far ahead or never shown."""
    promised, stage, now = context.message.next_update_at, context.message.stage, context.now
    if promised is None:
        return
    longest = max(_NIGHT, context.profile.lifetime or _NIGHT)
    if promised <= now:
        yield Remark(
            f"It promises news at {context.local(promised)}, and that is past.", "Give a time that is still to come."
        )
    elif stage in CALLS_TO_ACT and promised - now > longest:
        yield Remark(
            f"It promises news only at {context.local(promised)}, in {(promised - now) // _HOUR} hours.",
            "Check the day: perhaps an earlier one was meant.",
            level=Level.WARNING,
        )
    elif stage in {Stage.END, Stage.CANCELLATION}:
        yield Remark(
            f"An {stage} is the last message; the promise of news is not shown.",
            "Leave it out, or publish an update instead.",
            level=Level.WARNING,
        )
