"""Which day a time was understood to be of, where it was typed without its day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from rich.console import RenderableType

from policenotify.cli import output, times
from policenotify.cli.message import TIMES, Typed
from policenotify.model.message import Message
from policenotify.render.locales import LOCALES


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """A time that was typed, and what it was taken for.

    Attributes:
        field: The message's field.
        option: The option that sets it.
        typed: What was typed.
        at: The moment that it was taken for.
        zone: In whose time it was typed.
        day: `today`, `tomorrow`, `yesterday`, or empty for any other day.
        warning: What to know of an hour that was taken for one of another day; else empty.
    """

    field: str
    option: str
    typed: str
    at: datetime
    zone: tzinfo
    day: str
    warning: str = ""

    def __str__(self) -> str:
        there = self.at.astimezone(self.zone)
        day = f" ({self.day})" if self.day else ""
        weekday = LOCALES["en"].weekdays[there.weekday()]
        return f"{self.option} {self.typed}: {weekday} {there:%Y-%m-%d %H:%M}{day}"


def understood(typed: Typed, message: Message, *, now: datetime, zone: tzinfo) -> tuple[Understood, ...]:
    """Return what each time that was typed was taken for.

    Args:
        typed: What was typed, by the names of the parameters.
        message: What was made of it.
        now: The time.
        zone: In whose time it was typed.
    """
    return tuple(_understood(typed, message, now, zone))


def _understood(typed: Typed, message: Message, now: datetime, zone: tzinfo) -> Iterator[Understood]:
    for field, option in TIMES.items():
        at: datetime | None = getattr(message, field)
        if not typed[option] or at is None:
            continue
        away = (at.astimezone(zone).date() - now.astimezone(zone).date()) // timedelta(days=1)
        day = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(away, "")
        moved = times.is_hour(typed[option]) and away != 0
        warning = (
            f"No day was given, and {typed[option].strip()} is taken as {day}'s. If another time is meant, write its "
            "day (2026-11-24T18:30) or count from now (+30m). An update corrects what is published already."
        )
        yield Understood(
            field=field,
            option=f"--{option.replace('_', '-')}",
            typed=typed[option].strip(),
            at=at,
            zone=zone,
            day=day,
            warning=warning if moved else "",
        )


def document(found: Sequence[Understood]) -> list[dict[str, str]]:
    """Return the times for a JSON document."""
    return [
        {
            "field": one.field,
            "typed": one.typed,
            "at": one.at.astimezone(one.zone).isoformat(),
            "day": one.day,
            "warning": one.warning,
        }
        for one in found
    ]


def page(found: Sequence[Understood]) -> Iterator[RenderableType]:
    """Yield a line for each time, and a warning where it may not be the day that was meant."""
    for one in found:
        yield output.line(f"Time: {one}", "bold" if one.warning else "")
        if one.warning:
            yield output.paragraph(one.warning, "! ")
