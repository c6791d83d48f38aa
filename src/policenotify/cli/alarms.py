"""What an officer must know at a glance: everything stopped, nobody delivering, channels blocked, ends overdue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import pages
from policenotify.cli.call import plain
from policenotify.cli.exits import Exit, worst
from policenotify.errors import Blocked, Stopped
from policenotify.journal.values import IncidentLine

if TYPE_CHECKING:
    from policenotify.journal.store import Journal

QUIET = timedelta(minutes=2)
"""How long nobody may deliver while something waits, before it is an alarm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """The state of an installation, read from its journal.

    Attributes:
        now: When.
        stopped: Who stopped everything.
        seen: When somebody was last delivering.
        waiting: When each channel has something to do next.
        blocked: The channels on which nothing goes out until a person acts.
        incidents: The open incidents, overdue ones first, then by what is owed next.
    """

    now: datetime
    stopped: Stopped | None
    seen: datetime | None
    waiting: Mapping[str, datetime]
    blocked: Mapping[str, Blocked]
    incidents: tuple[IncidentLine, ...]

    @classmethod
    def read(cls, journal: Journal, channels: Iterable[str]) -> Alarms:
        """Read them."""
        never = datetime.max.replace(tzinfo=journal.now().tzinfo)
        return cls(
            now=journal.now(),
            stopped=journal.stopped(),
            seen=journal.runner_seen(),
            waiting=journal.due(channels),
            blocked=journal.blocked(),
            incidents=tuple(sorted(journal.incidents(), key=lambda one: (one.due_at or never, one.opened_at))),
        )

    @property
    def nobody(self) -> bool:
        """Something waits, and nobody has been delivering for a while."""
        return bool(self.waiting) and (self.seen is None or self.now - self.seen > QUIET)

    def overdue(self, incident: IncidentLine) -> bool:
        """Whether the desk owes a word."""
        return incident.due_at is not None and incident.due_at <= self.now

    @property
    def exit(self) -> Exit:
        """How a command that reports them exits."""
        late = any(self.overdue(one) for one in self.incidents)
        return worst(
            Exit.NOBODY if self.nobody else Exit.IN_ORDER,
            Exit.OVERDUE if late else Exit.IN_ORDER,
            Exit.ATTENTION if self.stopped or self.blocked else Exit.IN_ORDER,
        )

    def document(self) -> dict[str, object]:
        """They as JSON has them."""
        return {
            "at": self.now.isoformat(),
            "stopped": str(self.stopped) if self.stopped else None,
            "runner_seen": self.seen.isoformat() if self.seen else None,
            "nobody_delivering": self.nobody,
            "waiting": {name: at.isoformat() for name, at in self.waiting.items()},
            "blocked": {
                name: {"reason": one.reason, "remedy": one.remedy, "code": one.code}
                for name, one in self.blocked.items()
            },
            "incidents": [
                {
                    "id": one.id,
                    "category": one.category,
                    "headline": one.headline,
                    "place": one.place,
                    "opened_at": one.opened_at.isoformat(),
                    "due_at": one.due_at.isoformat() if one.due_at else None,
                    "overdue": self.overdue(one),
                    "exercise": one.exercise,
                }
                for one in self.incidents
            ],
        }

    def page(self, zone: tzinfo) -> Iterator[RenderableType]:
        """They as a person reads them: what is wrong first."""
        if self.stopped:
            yield Text(plain(f"STOPPED. {self.stopped}"), style="bold")
        if self.nobody:
            when = f"since {pages.moment(self.seen, zone)}" if self.seen else "yet"
            named = ", ".join(sorted(self.waiting))
            yield Text(
                f"NOBODY IS DELIVERING: deliveries wait ({named}), and no runner was seen {when}. "
                "Run: policenotify drain",
                style="bold",
            )
        for name, one in self.blocked.items():
            yield Text(plain(f"BLOCKED: {name}. {one}"), style="bold")
            yield pages.paragraph(f"Then: policenotify doctor, or policenotify resume {name}", "→ ")
        yield Text("Open incidents:" if self.incidents else "No incident is open.", style="bold")
        for incident in self.incidents:
            yield from self._incident(incident, zone)

    def _incident(self, one: IncidentLine, zone: tzinfo) -> Iterator[RenderableType]:
        marks = f"{'OVERDUE · ' if self.overdue(one) else ''}{'exercise · ' if one.exercise else ''}"
        where = f" · {one.place}" if one.place else ""
        yield pages.line(f"  {marks}{one.id} · {one.category}{where}")
        yield pages.paragraph(one.headline)
        opened = f"Opened {pages.moment(one.opened_at, zone)}."
        owed = f" The next word is owed by {pages.moment(one.due_at, zone)}." if one.due_at else ""
        yield pages.paragraph(opened + owed)
        if self.overdue(one):
            yield pages.paragraph(f'policenotify end {one.id} "…", or policenotify update {one.id} "…"', "→ ")
