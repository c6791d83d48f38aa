"""Campaigns for tests, and a machine that runs them without a journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from policenotify.campaigns import (
    Action,
    Campaign,
    Decision,
    Occurrence,
    PastPublication,
    decide,
    inhibited_campaigns,
    occurrences,
    order_campaigns,
)
from policenotify.campaigns.scheduler import past_publication
from policenotify.model.message import Message


def tip(name: str) -> dict[str, Any]:
    return {"name": name, "message": {"category": "burglary_prevention", "headline": f"Conseil {name}"}}


def campaign(**changes: Any) -> Campaign:
    given = {
        "name": "ete",
        "messages": [tip("a"), tip("b"), tip("c")],
        "start": date(2026, 1, 1),
        "schedule": [{"cron": "0 18 * * *"}],
        "quiet": {"begins": "00:00", "ends": "00:00"},
        "pacing": {"spacing": "0m", "repeat_after": "0m"},
    }
    return Campaign.model_validate({**given, **changes})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_KNOWN: dict[int, tuple[Campaign, tuple[Occurrence, ...]]] = {}


def _all(mine: Campaign) -> tuple[Occurrence, ...]:
    """Return the occurrences of a campaign around its time, computed once for each version of it."""
    if id(mine) not in _KNOWN:
        _KNOWN[id(mine)] = mine, occurrences(mine, mine.start, mine.start + timedelta(days=20))
    return _KNOWN[id(mine)][1]


@dataclass
class Machine:
    """The publications and findings. A restart changes nothing."""

    past: list[PastPublication] = field(default_factory=list)
    notes: dict[tuple[str, date], Action] = field(default_factory=dict)

    def run(self, campaigns: Sequence[Campaign], now: datetime, alerts: Sequence[Message] = ()) -> tuple[Decision, ...]:
        campaigns = order_campaigns(campaigns)
        due = [one for mine in campaigns for one in _all(mine) if one.due < now + timedelta(days=1)]
        inhibited, made = inhibited_campaigns(campaigns, alerts), list[Decision]()
        for mine in campaigns:
            incident, skips = inhibited.get(mine.name, ""), dict(self.notes)
            for one in decide(mine, due, now=now, past=self.past, skips=skips, incident=incident):
                if one.action is Action.PUBLISH:
                    self.past.append(past_publication(mine, one, now))
                else:
                    self.notes[one.occurrence.id] = one.action
                made.append(one)
        return tuple(made)
