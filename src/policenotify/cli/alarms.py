"""What an officer must know at a glance: everything stopped, nobody delivering, channels blocked, ends overdue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from policenotify.channel import ChannelConfig
from policenotify.cli import incident_lines, output
from policenotify.cli.commands.incidents import in_order
from policenotify.cli.context import plain
from policenotify.cli.exit_codes import Exit, worst
from policenotify.errors import Blocked, PublishingStopped
from policenotify.journal.records import QUIET, IncidentLine, Takeover
from policenotify.publishing.preparation import ChannelProblem, read_recipients

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_NAMED = 10  # incidents in one sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """The state of an installation, read from its journal.

    Attributes:
        now: When.
        stopped: Who stopped everything.
        seen: When somebody was last delivering.
        waiting: When each channel has something to do next.
        blocked: The channels on which nothing goes out until a person acts.
        incidents: The open incidents, overdue ones first, then by what is owed next; perhaps only the first of them.
        open: How many incidents are open.
        late: How many of them are overdue.
        gone: Channels that are not in the settings any more, and the open incidents that people read of there; none
            where something only waits for it.
        contested: Deliveries that were taken over twice within one lease, in the last hour.
        faults: Channels that cannot be used now, and why: what is meant for them waits.
    """

    now: datetime
    stopped: PublishingStopped | None
    seen: datetime | None
    waiting: Mapping[str, datetime]
    blocked: Mapping[str, Blocked]
    incidents: tuple[IncidentLine, ...]
    open: int
    late: int
    gone: Mapping[str, tuple[str, ...]]
    contested: tuple[Takeover, ...]
    faults: Mapping[str, ChannelProblem]

    @classmethod
    def read(cls, journal: Journal, channels: Iterable[ChannelConfig], *, most: int | None = None) -> Alarms:
        """Read them, and the lists of recipients; of the open incidents at most so many."""
        now, known = journal.now(), {channel.name: channel for channel in channels}
        found = {
            name: read_recipients(channel, journal.deliveries.had_recipients)[1] for name, channel in known.items()
        }
        faults = {name: fault for name, fault in found.items() if fault is not None}
        mended = {one.channel: now for one in journal.deliveries.unrendered(known.keys() - faults.keys())}
        carried = journal.incidents.open_by_channel()
        awaited = {one.name for one in journal.deliveries.channel_summaries() if one.oldest is not None}
        due = journal.deliveries.due(name for name, channel in known.items() if not channel.problem)
        return cls(
            now=now,
            stopped=journal.stopped(),
            seen=journal.workers.last_heartbeat(),
            waiting={**mended, **due},
            blocked=journal.channels.blocked(),
            incidents=tuple(
                in_order(journal.incidents.list() if most is None else journal.incidents.earliest_due(most), now)
            ),
            open=journal.incidents.count_open(),
            late=sum(due_at <= now for due_at, _ in journal.incidents.deadlines()),
            gone={name: carried.get(name, ()) for name in sorted((carried.keys() | awaited) - known.keys())},
            faults=faults,
            contested=journal.deliveries.repeated_takeovers(),
        )

    @property
    def nobody(self) -> bool:
        """Something waits, and nobody has been delivering for a while."""
        return bool(self.waiting) and (self.seen is None or self.now - self.seen > QUIET)

    def overdue(self, incident: IncidentLine) -> bool:
        """Whether the desk owes a word."""
        return incident_lines.overdue(incident, self.now) is not None

    def told_of(self, gone: str) -> str:
        """What a channel that is gone means, and what to do."""
        if not self.gone[gone]:
            return (
                f"{gone} is not in the settings any more, and messages wait for it. Put it back; with retired = true "
                "nothing new begins on it."
            )
        named, more = self.gone[gone][:_NAMED], len(self.gone[gone]) - _NAMED
        incidents = ", ".join([*named, *([f"{more:,} more incidents"] if more > 0 else [])])
        return (
            f"{gone} is not in the settings any more, and people read there of {incidents}, whose end "
            "would not reach them. Put it back with retired = true until that is over."
        )

    def told_of_takeovers(self, one: Takeover, zone: tzinfo) -> str:
        """Return what it means that a delivery was taken over twice, and what to do."""
        return (
            f"delivery {one.delivery} on {one.channel} was taken over twice within one lease, the last time "
            f"{output.moment(one.at, zone)}: workers end in the middle of it, or take it from each other. It may have "
            "been sent twice. Look into the workers' logs, and at the clocks of their machines."
        )

    @property
    def exit(self) -> Exit:
        """How a command that reports them exits."""
        return worst(
            Exit.NO_WORKER if self.nobody else Exit.OK,
            Exit.OVERDUE if self.late else Exit.OK,
            Exit.ATTENTION if self.stopped or self.blocked or self.gone or self.contested or self.faults else Exit.OK,
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
            "faults": {name: asdict(fault) for name, fault in self.faults.items()},
            "gone": {name: list(incidents) for name, incidents in self.gone.items()},
            "taken_over_again": [
                {
                    "delivery": one.delivery,
                    "channel": one.channel,
                    "publication": one.publication,
                    "at": one.at.isoformat(),
                }
                for one in self.contested
            ],
            "open_incidents": self.open,
            "overdue_incidents": self.late,
            "incidents": [incident_lines.document(one, self.now) for one in self.incidents],
        }

    def page(self, zone: tzinfo) -> Iterator[RenderableType]:
        """They as a person reads them: what is wrong first."""
        if self.stopped:
            yield Text(plain(f"STOPPED. {self.stopped}"), style="bold")
        if self.nobody:
            when = f"since {output.moment(self.seen, zone)}" if self.seen else "yet"
            named = ", ".join(sorted(self.waiting))
            yield Text(
                f"NOBODY IS DELIVERING: deliveries wait ({named}), and no runner was seen {when}. "
                "Run: policenotify drain, or see that policenotify worker runs",
                style="bold",
            )
        for name, one in self.blocked.items():
            yield Text(plain(f"BLOCKED: {name}. {one}"), style="bold")
            yield output.paragraph(f"Then: policenotify doctor, or policenotify resume {name}", "→ ")
        for name, fault in self.faults.items():
            yield Text(plain(f"CANNOT BE USED: {name}. {fault.reason}"), style="bold")
            yield output.paragraph(fault.remedy, "→ ")
        for name in self.gone:
            yield Text(plain(f"GONE: {self.told_of(name)}"), style="bold")
        for takeover in self.contested:
            yield Text(plain(f"TAKEN OVER TWICE: {self.told_of_takeovers(takeover, zone)}"), style="bold")
        left = self.open - len(self.incidents)
        told = f"{self.open:,} incidents are open, {self.late:,} of them overdue. The most urgent:"
        yield Text(told if left else "Open incidents:" if self.open else "No incident is open.", style="bold")
        for incident in self.incidents:
            yield from incident_lines.page(incident, self.now, zone)
        if left:
            yield output.line(f"  … and {left:,} more: policenotify incidents")
