"""An incident in a list: where, since when, and what the desk owes its readers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo

from rich.console import RenderableType

from policenotify.cli import output
from policenotify.journal.records import IncidentLine
from policenotify.model.lifecycle import IncidentStatus

_UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1)))


def overdue(one: IncidentLine, now: datetime) -> timedelta | None:
    """For how long a word has been owed; `None`: none is owed yet."""
    if one.status is not IncidentStatus.OPEN or one.due_at is None or one.due_at > now:
        return None
    return now - one.due_at


def long(span: timedelta) -> str:
    """A length of time, in its two largest units: `1 h 20 min`."""
    told = []
    for name, unit in _UNITS:
        count, span = divmod(span, unit)
        told += [f"{count} {name}"] if count else []
    return " ".join(told[:2]) or "less than a minute"


def document(one: IncidentLine, now: datetime) -> dict[str, object]:
    """It as JSON has it."""
    late = overdue(one, now)
    return {
        "id": one.id,
        "category": one.category,
        "course": one.status,
        "headline": one.headline,
        "place": one.place,
        "opened_at": one.opened_at.isoformat(),
        "due_at": one.due_at.isoformat() if one.due_at else None,
        "overdue": late is not None,
        "overdue_seconds": int(late.total_seconds()) if late is not None else None,
        "reminders": one.reminders,
        "reminded_at": one.reminded_at.isoformat() if one.reminded_at else None,
        "exercise": one.exercise,
    }


def page(one: IncidentLine, now: datetime, zone: tzinfo) -> Iterator[RenderableType]:
    """It as a person reads it."""
    late = overdue(one, now)
    marks = f"{'OVERDUE · ' if late is not None else ''}{'exercise · ' if one.exercise else ''}"
    where = f" · {one.place}" if one.place else ""
    yield output.line(f"  {marks}{one.id} · {one.category}{where}")
    yield output.paragraph(one.headline)
    opened = f"Opened {output.moment(one.opened_at, zone)}."
    if one.status is not IncidentStatus.OPEN:
        yield output.paragraph(f"{opened} It is {one.status}.")
        return
    owed = ""
    if one.due_at:
        by = output.moment(one.due_at, zone)
        owed = f" The next word is owed by {by}."
        if late is not None:
            owed = f" A word has been owed since {by}, for {long(late)}."
        if one.reminded_at:
            owed += f" Reminder {one.reminders} was raised {output.moment(one.reminded_at, zone)}."
    yield output.paragraph(opened + owed)
    if late is not None:
        yield output.paragraph(f'policenotify end {one.id} "…", or policenotify update {one.id} "…"', "→ ")
