"""Run campaigns: read the journal, decide, and publish or record each decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from policenotify.audiences.selection import areas_of, overlap
from policenotify.campaigns.approval import find_approval
from policenotify.campaigns.calendar import ForecastEntry, forecast
from policenotify.campaigns.model import Campaign, fingerprint_of
from policenotify.campaigns.recurrence import SCHOOL_CALENDAR_END
from policenotify.campaigns.schedule import KEY_PREFIX
from policenotify.campaigns.scheduler import (
    LOOK_BACK,
    MEMORY,
    Action,
    Decision,
    PastPublication,
    decide,
    due_window,
    past_publication,
)
from policenotify.errors import (
    DraftConflict,
    IdempotencyConflict,
    InvalidImage,
    MessageRejected,
    MessageTooLong,
    SettingsError,
)
from policenotify.findings import APPROVAL_MISSING, are_blocking
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.publisher import Publisher
from policenotify.translation import AnyText, Text, text_of

EVENT_KIND = "campaign"
"""Kind of the journal's events about occurrences that were late, waited, or were skipped or merged."""

_AHEAD = timedelta(days=90)  # before the school calendar ends
_TRIED = timedelta(days=7)  # for which what is not out yet is tried again
_UNFINISHED = frozenset({Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED, Outcome.HELD})
_LOCKED = 60.0  # seconds for which one run excludes the others, so that the pace is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The result of one run.

    Attributes:
        decisions: The decision on each occurrence that was due.
        published: The publications, in the order of the decisions.
        unfinished: Earlier publications of campaigns that are not out everywhere. This run has tried them again.
        problems: Why a campaign could not be published, by its name. Its occurrences stay due.
        calendar: What ends with the school calendar, within 90 days or already.
        silent: It has ended already.
    """

    decisions: tuple[Decision, ...] = ()
    published: tuple[Publication, ...] = ()
    unfinished: tuple[Publication, ...] = ()
    problems: dict[str, AnyText]
    calendar: tuple[AnyText, ...] = ()
    silent: bool = False


def run(publisher: Publisher, campaigns: Sequence[Campaign], *, actor: str, wait: timedelta | None = None) -> RunResult:
    """Publish what is due now, and try again what is not out yet.

    However often and on however many machines it runs, each occurrence is published once. The campaigns are ordered by
    `order_campaigns`. *wait* is how long to deliver before returning, as of `Publisher.publish`.

    Raises:
        PublishingStopped: Publishing is stopped. Nothing was published.
        JournalError: The journal is not available. Nothing was published that is not in it.
    """
    journal = publisher.journal
    now = journal.now()
    if (stopped := journal.stopped()) is not None:
        raise stopped
    problems: dict[str, AnyText] = {}
    ids: list[str] = []
    decisions: list[Decision] = []
    with journal.lock("campaign run", seconds=_LOCKED):
        due, skips = due_window(campaigns, now), _load_skips(publisher, campaigns, now)
        published = journal.publications.by_key_prefix(KEY_PREFIX, now - MEMORY)
        past = [*filter(None, map(_past, published))]
        inhibited = inhibited_campaigns(campaigns, _load_alerts(publisher))
        for campaign in campaigns:
            incident = inhibited.get(campaign.name, "")
            for decision in decide(campaign, due, now=now, past=past, skips=skips, incident=incident):
                if decision.action is Action.PUBLISH:
                    try:
                        ids += _publish(publisher, campaign, decision, actor)
                    # What can be wrong with one campaign. The others go on.
                    except (MessageTooLong, InvalidImage, MessageRejected, DraftConflict, SettingsError) as error:
                        problems[campaign.name] = text_of(error)
                        break
                    past.append(past_publication(campaign, decision, now))
                elif decision.action is not Action.WAIT or decision.occurrence.id not in skips:
                    _record(publisher, decision, actor, decision.action)
                decisions.append(decision)
    unfinished = [
        each.id
        for each in published
        if now - each.at <= _TRIED and any(receipt.outcome in _UNFINISHED for receipt in each)
    ]
    wait = publisher.installation.wait if wait is None else wait
    if (ids or unfinished) and wait > timedelta(0):
        publisher.drain(wait)
    return RunResult(
        decisions=tuple(decisions),
        published=tuple(publication for id_ in ids if (publication := publisher.operations.publication(id_))),
        unfinished=tuple(
            publication
            for id_ in unfinished
            if id_ not in ids and (publication := publisher.operations.publication(id_)) and not publication.ok
        ),
        problems=problems,
        calendar=tuple(without_school_calendar(campaigns, now.date() + _AHEAD)),
        silent=any(without_school_calendar(campaigns, now.date())),
    )


def without_school_calendar(campaigns: Sequence[Campaign], day: date) -> Iterator[AnyText]:
    """Yield what becomes of each campaign that needs the school calendar of a day beyond its end."""
    for campaign in campaigns:
        if campaign.needs_school_calendar and min(day, campaign.end or day) > SCHOOL_CALENDAR_END:
            yield Text(
                "{campaign}: the school calendar is known until {end}. After that day it publishes and leaves out "
                "nothing by it. Install a newer policenotify before.",
                campaign=campaign.name,
                end=SCHOOL_CALENDAR_END.isoformat(),
            )


def upcoming(publisher: Publisher, campaigns: Sequence[Campaign], first: date, last: date) -> tuple[ForecastEntry, ...]:
    """Return the forecast, without what the journal has."""
    published = publisher.journal.publications.by_key_prefix(KEY_PREFIX, publisher.journal.now() - MEMORY)
    return forecast(campaigns, first, last, past=filter(None, map(_past, published)))


def _load_skips(publisher: Publisher, campaigns: Sequence[Campaign], now: datetime) -> dict[tuple[str, date], Action]:
    """Return what the journal has of occurrences that still matter and were not published."""
    back = max((campaign.late_for for campaign in campaigns), default=timedelta(0)) + LOOK_BACK + timedelta(days=2)
    skips: dict[tuple[str, date], Action] = {}
    for body in publisher.journal.audit.events(EVENT_KIND, now - back):
        if body.get("action") in {Action.WAIT, Action.SKIP, Action.MERGE}:
            occurrence = str(body["campaign"]), date.fromisoformat(str(body["day"]))
            if skips.get(occurrence, Action.WAIT) is Action.WAIT:
                skips[occurrence] = Action(str(body["action"]))
    return skips


def _load_alerts(publisher: Publisher) -> tuple[Message, ...]:
    """Return all messages of the open incidents, without exercises."""
    alerts: list[Message] = []
    for line in publisher.operations.incidents():
        if line.exercise:
            continue
        history = publisher.journal.incidents.history(line.id)
        if history.damage:
            alerts.append(publisher.operations.incident(line.id).message)  # without a place it may be anywhere
        for entry in history.entries:
            place = entry.message.location or history.entries[0].message.location
            alerts.append(entry.message.changed(location=place))
    return tuple(alerts)


def inhibited_campaigns(campaigns: Iterable[Campaign], alerts: Sequence[Message]) -> dict[str, str]:
    """Return the campaigns that open incidents inhibit, each with one of these.

    The *alerts* are the (resolved) messages of these incidents, each with the place of its incident.
    """
    return {
        campaign.name: alert.incident or ""
        for campaign in campaigns
        for alert in alerts
        if (alert.severity or Severity.UNKNOWN).at_least(campaign.inhibition.at_least) and _is_near(alert, campaign)
    }


def _is_near(alert: Message, campaign: Campaign) -> bool:
    """Return whether an alert is where a campaign heeds it. Without a place each of them may be anywhere."""
    about = [areas_of(variant.message.location) if variant.message.location else () for variant in campaign.messages]
    areas = campaign.inhibition.areas or (sum(about, ()) if all(about) else ())
    places = areas_of(alert.location) if alert.location else ()
    return not (areas and places) or any(overlap(place, area) for place in places for area in areas)


def _past(publication: Publication) -> PastPublication | None:
    """Return a publication by its key, if that is one of a campaign. An older key names the message, too."""
    try:
        name, day, *_ = publication.key.removeprefix(KEY_PREFIX).split(" ")
        return PastPublication(
            campaign=name,
            day=date.fromisoformat(day),
            at=publication.at,
            fingerprint=fingerprint_of(publication.message),
        )
    except ValueError:
        return None


def _publish(publisher: Publisher, campaign: Campaign, decision: Decision, actor: str) -> tuple[str, ...]:
    """Publish a variant, and return the id of the publication, if any."""
    variant, to = campaign.variant(decision.variant), campaign.to or None
    preview = publisher.preview(variant.message, to=to)
    findings = preview.findings
    if not preview.posts:  # it would be settled, and no one would get it
        raise SettingsError(
            Text("No route takes message {name!r}. Add one, or name its channels in 'to'.", name=variant.name)
        )
    draft, missing = find_approval(publisher, campaign, variant, findings)
    if missing and are_blocking(findings):
        raise MessageRejected([finding for finding in findings if finding.code != APPROVAL_MISSING])
    if missing:
        raise SettingsError(missing)
    try:
        publication = publisher.publish(
            variant.message,
            key=decision.occurrence.key,
            actor=actor,
            to=to,
            wait=timedelta(0),
            draft=draft.id if draft else None,
        )
    except IdempotencyConflict:  # another machine, by another version of the file, has published it
        return ()
    if decision.reason:
        _record(publisher, decision, actor, "late", publication=publication.id)
    return (publication.id,)


def _record(publisher: Publisher, decision: Decision, actor: str, action: str, **more: str) -> None:
    name, day = decision.occurrence.id
    body = {"campaign": name, "day": day.isoformat(), "action": action, "reason": decision.reason}
    publisher.journal.audit.record(actor, EVENT_KIND, {**body, **more})
