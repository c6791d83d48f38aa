"""What is found wrong with campaigns before their first word leaves: their messages, and a year of their calendar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from policenotify.campaigns import Campaign, ForecastEntry
from policenotify.campaigns.runner import Texts, duplicate_text, upcoming
from policenotify.cli import output
from policenotify.errors import InvalidImage, MessageTooLong, SettingsError
from policenotify.publishing.publisher import Publisher

_AHEAD = timedelta(days=366)  # for which a calendar is checked: every public holiday once


@dataclass(slots=True)
class Checked:
    """What a check has found.

    Attributes:
        occurrences: How many are planned in the year ahead; none is counted where a message cannot be said.
        problems: What keeps something from being said.
        remarks: What is said otherwise, or later, than it is written.
    """

    occurrences: int = 0
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def checked(campaigns: Sequence[Campaign], publisher: Publisher) -> Checked:
    """Word every message on every channel; if all can be said, go through the calendar of a year."""
    found = Checked()
    _word(campaigns, publisher, found)
    found.remarks += _unknown(campaigns)
    if not found.problems:
        planned = _year(campaigns, publisher)
        found.occurrences = len(planned)
        _find_room(campaigns, planned, found)
    return found


def _word(campaigns: Sequence[Campaign], publisher: Publisher, found: Checked) -> None:
    """What keeps messages from being said, and what the checks remark of the others."""
    remarks: list[str] = []
    texts: Texts = {}
    for one in campaigns:
        found.problems += [
            f"{one.name}: pacing.channels names {name!r}, which is no channel."
            for name in sorted(set(one.pacing.channels) - set(publisher.channels))
        ]
        for alternative in one.messages:
            named = f"{one.name} · {alternative.name}"
            try:
                seen = publisher.preview(alternative.message, to=one.to or None)
            except (MessageTooLong, InvalidImage, SettingsError) as error:
                found.problems.append(f"{named}: {error}")
                continue
            if not seen.posts and not seen.pending:
                found.problems.append(f"{named}: no route takes it. Add one, or name its channels in 'to'.")
            if one.pacing.repeat_after and (same := duplicate_text(one, alternative, seen.posts, texts)):
                found.problems.append(f"{one.name}: {same}")
            found.problems += [f"{named}: {leg.channel}: {leg.refused}" for leg in seen.refusals]
            found.problems += [f"{named}: {finding}" for finding in seen.findings if finding.blocks]
            remarks += [f"{named}: {finding}" for finding in seen.findings if not finding.blocks]
            remarks += [
                f"{named}: waits on {target.channel}: {target.problem} {target.remedy}" for target in seen.pending
            ]
            remarks += [f"{named}: left out on {w.target.channel}: {what}" for w in seen.posts for what in w.omitted]
    found.remarks += dict.fromkeys(remarks)


def _unknown(campaigns: Sequence[Campaign]) -> Iterator[str]:
    """Who is yielded to, but not looked at with the others."""
    names = {one.name for one in campaigns}
    for one in campaigns:
        for name in sorted(one.yields_to - names):
            yield f"{one.name}: yields to {name!r}, which is not checked with it."


def _year(campaigns: Sequence[Campaign], publisher: Publisher) -> tuple[ForecastEntry, ...]:
    today = publisher.journal.now().astimezone(publisher.zone).date()
    first = max(today, min(one.start for one in campaigns))
    return upcoming(publisher, campaigns, first, first + _AHEAD)


def _find_room(campaigns: Sequence[Campaign], planned: Sequence[ForecastEntry], found: Checked) -> None:
    """What finds no room in the calendar, and what is moved."""
    for one in campaigns:
        mine = [plan for plan in planned if plan.occurrence.campaign == one.name]
        if not mine:
            found.remarks.append(f"{one.name}: nothing is due in the year ahead.")
        for plan in mine:
            day = plan.occurrence.day
            if plan.at is None and not plan.reason.startswith("a later one"):
                found.problems.append(f"{one.name} · {day}: would never be said: {plan.reason}.")
            elif plan.at != plan.occurrence.due:
                when = f"waits until {output.moment(plan.at, one.zone)}" if plan.at else "is merged"
                found.remarks.append(f"{one.name} · {day}: {when}: {plan.reason}.")
