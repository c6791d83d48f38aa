"""Run campaigns: read the journal, decide, and publish or record each decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from policenotify.audiences.selection import areas_of, overlap
from policenotify.campaigns.approval import find_draft, is_approved, missing_approval, needs_approval
from policenotify.campaigns.forecast import ForecastEntry, forecast
from policenotify.campaigns.model import Campaign, Variant, fingerprint_of
from policenotify.campaigns.recurrence import SCHOOL_CALENDAR_END
from policenotify.campaigns.schedule import KEY_PREFIX, Occurrence
from policenotify.campaigns.scheduler import (
    LOOK_BACK,
    MEMORY,
    Action,
    ChannelsOf,
    Decision,
    PastPublication,
    SkipRecord,
    decide,
    due_window,
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
from policenotify.model.history import Outcome, RenderedPost
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.diagnosis import CALENDAR, school_calendar_end
from policenotify.publishing.publisher import Publisher
from policenotify.translation import AnyText, Text, text_of

EVENT_KIND = "campaign"
"""Kind of the journal's events about occurrences that were late, waited, or were skipped or merged."""

Texts = dict[tuple[str, str, str, str], str]
"""The name of the variant with that text, by (campaign, channel, title, text)."""

_AHEAD = timedelta(days=90)  # before the school calendar ends
_TRIED = timedelta(days=7)  # for which what is not out yet is tried again
_UNFINISHED = frozenset({Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED, Outcome.HELD})
_LOCKED = 60.0  # seconds for which one run excludes the others; meanwhile it only writes into the journal
# What can be wrong with one campaign. The others go on.
_CAMPAIGN_ERRORS = (MessageTooLong, InvalidImage, IdempotencyConflict, MessageRejected, DraftConflict, SettingsError)


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
        next_at: When the next occurrence is due, as far as that is known.
    """

    decisions: tuple[Decision, ...] = ()
    published: tuple[Publication, ...] = ()
    unfinished: tuple[Publication, ...] = ()
    problems: dict[str, AnyText]
    calendar: tuple[AnyText, ...] = ()
    silent: bool = False
    next_at: datetime | None = None


def run(publisher: Publisher, campaigns: Sequence[Campaign], *, actor: str, wait: timedelta | None = None) -> RunResult:
    """Publish what is due now, and try again what is not out yet.

    However often and on however many machines it runs, each occurrence is published once.

    Args:
        publisher: The installation's publisher.
        campaigns: The campaigns, as `order_campaigns` orders them.
        actor: The officer or system that runs them.
        wait: How long to deliver before returning. With zero the call returns when the messages are stored. By default
            as set for the publisher.

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
    with journal.lock("campaign run", seconds=_LOCKED):
        due, skips = due_window(campaigns, now), load_skips(publisher, campaigns, now)
        published = publisher.journal.publications.by_key_prefix(KEY_PREFIX, now - MEMORY)
        past = tuple(filter(None, map(_past, published)))
        channels_of = channels_for(publisher)
        valid = _valid_campaigns(campaigns, due, past, skips, channels_of, problems, now)
        inhibited = inhibited_campaigns(campaigns, load_alerts(publisher))
        decisions = list(
            decide(valid, due, now=now, past=past, skips=skips, inhibited=inhibited, channels_of=channels_of)
        )
        recorded = {(skip.campaign, skip.day) for skip in skips}
        named = {campaign.name: campaign for campaign in valid}
        for number, decision in enumerate(decisions):
            if journal.now() - now > timedelta(seconds=_LOCKED / 2):
                # This process was halted. Soon another one may decide, on other files. The rest stays due.
                del decisions[number:]
                break
            if decision.action is Action.PUBLISH:
                ids += _publish(publisher, named[decision.occurrence.campaign], decision, actor, problems)
            elif decision.action is not Action.WAIT or decision.occurrence.id not in recorded:
                _record(publisher, decision, actor, decision.action)
    ending = list(without_school_calendar(campaigns, now.date() + _AHEAD))
    reported = {
        body["campaign"] for body in journal.audit.events(EVENT_KIND, now - _TRIED) if body["action"] == CALENDAR
    }
    for name in sorted({*ending} - reported):  # for `doctor`, which knows no campaign
        day = SCHOOL_CALENDAR_END.isoformat()
        journal.audit.record(actor, EVENT_KIND, {"campaign": name, "day": day, "action": CALENDAR})
    unfinished = [
        each.id
        for each in published
        if now - each.at <= _TRIED and any(receipt.outcome in _UNFINISHED for receipt in each)
    ]
    wait = publisher.installation.wait if wait is None else wait
    if (ids or unfinished) and wait > timedelta(0):
        publisher.drain(wait)
    times = [occurrence.due for occurrence in due if occurrence.due > now]
    times += [decision.until for decision in decisions if decision.action is Action.WAIT and decision.until]
    return RunResult(
        decisions=tuple(decision for decision in decisions if decision.occurrence.campaign not in problems),
        published=tuple(publication for id_ in ids if (publication := publisher.operations.publication(id_))),
        unfinished=tuple(
            publication
            for id_ in unfinished
            if id_ not in ids and (publication := publisher.operations.publication(id_)) and not publication.ok
        ),
        problems=problems,
        calendar=tuple(school_calendar_end(name, SCHOOL_CALENDAR_END) for name in ending),
        silent=any(without_school_calendar(campaigns, now.date())),
        next_at=min(times, default=None),
    )


def without_school_calendar(campaigns: Sequence[Campaign], day: date) -> Iterator[str]:
    """Yield the campaigns that need the school calendar of a day beyond its end."""
    for campaign in campaigns:
        if campaign.needs_school_calendar and min(day, campaign.end or day) > SCHOOL_CALENDAR_END:
            yield campaign.name


def upcoming(publisher: Publisher, campaigns: Sequence[Campaign], first: date, last: date) -> tuple[ForecastEntry, ...]:
    """Return the forecast from now on, with what the journal has."""
    now = publisher.journal.now()
    return forecast(
        campaigns,
        first,
        last,
        now=now,
        past=load_past(publisher, now),
        skips=load_skips(publisher, campaigns, now),
        channels_of=channels_for(publisher),
    )


def channels_for(publisher: Publisher) -> ChannelsOf:
    """Return a function that previews each variant once, and returns its channels.

    The function raises what `Publisher.preview` raises, and `MessageRejected`.
    """
    known: dict[tuple[str, str], frozenset[str]] = {}
    texts: Texts = {}

    def channels_of(campaign: Campaign, variant: Variant) -> frozenset[str]:
        name = (campaign.name, variant.name)
        if name not in known:
            preview = publisher.preview(variant.message, to=campaign.to or None)
            if are_blocking(preview.findings) and not is_approved(find_draft(publisher, campaign, variant)):
                raise MessageRejected([finding for finding in preview.findings if finding.code != APPROVAL_MISSING])
            if not preview.posts:
                raise SettingsError(
                    Text("No route takes message {name!r}. Add one, or name its channels in 'to'.", name=variant.name)
                )
            if campaign.pacing.repeat_after and (problem := duplicate_text(campaign, variant, preview.posts, texts)):
                raise SettingsError(problem)
            known[name] = frozenset(post.target.channel for post in preview.posts)
        return known[name]

    return channels_of


def duplicate_text(campaign: Campaign, variant: Variant, posts: Iterable[RenderedPost], texts: Texts) -> AnyText:
    """Return what to change if another variant has the same text on a channel.

    Two messages that differ may have the same text in one language, or after they were shortened. The texts of this
    variant are added to *texts*.
    """
    for rendered in posts:
        target = rendered.target
        for post in (rendered.standalone, *rendered.continuations):
            first = texts.setdefault((campaign.name, target.channel, post.title, post.text), variant.name)
            if first != variant.name:
                return Text(
                    "Messages {first!r} and {name!r} read the very same on {channel} ({language}): "
                    "{text!r}. Change the words of one of them.",
                    first=first,
                    name=variant.name,
                    channel=target.channel,
                    language=target.language,
                    text=post.text,
                )
    return ""


def load_past(publisher: Publisher, now: datetime) -> tuple[PastPublication, ...]:
    """Return the publications of all campaigns from the journal."""
    published = publisher.journal.publications.by_key_prefix(KEY_PREFIX, now - MEMORY)
    return tuple(filter(None, map(_past, published)))


def load_skips(publisher: Publisher, campaigns: Sequence[Campaign], now: datetime) -> tuple[SkipRecord, ...]:
    """Return the journal's records of occurrences that still matter and were not published."""
    back = max((campaign.late_for for campaign in campaigns), default=timedelta(0)) + LOOK_BACK + timedelta(days=2)
    return tuple(
        SkipRecord(
            campaign=str(body["campaign"]),
            day=date.fromisoformat(str(body["day"])),
            action=Action(str(body["action"])),
        )
        for body in publisher.journal.audit.events(EVENT_KIND, now - back)
        if body.get("action") in {Action.WAIT, Action.SKIP, Action.MERGE}
    )


def load_alerts(publisher: Publisher) -> tuple[Message, ...]:
    """Return all messages of the open incidents, without exercises."""
    histories = [
        publisher.journal.incidents.history(line.id) for line in publisher.operations.incidents() if not line.exercise
    ]
    return tuple(
        entry.message.model_copy(update={"location": entry.message.location or history.entries[0].message.location})
        for history in histories
        for entry in history.entries
    )


def inhibited_campaigns(campaigns: Iterable[Campaign], alerts: Sequence[Message]) -> dict[str, str]:
    """Return the campaigns that open incidents inhibit, each with one of these.

    The *alerts* are the (resolved) messages of these incidents, each with the place of its incident.
    """
    return {
        campaign.name: alert.incident or ""
        for campaign in campaigns
        for alert in alerts
        if (alert.severity or Severity.UNKNOWN).at_least(campaign.inhibition.at_least)
        and _is_near(alert, campaign.inhibition_areas)
    }


def _is_near(alert: Message, areas: tuple[str, ...]) -> bool:
    """Return whether an alert and one of some areas share a place. Without a place it may be anywhere."""
    places = areas_of(alert.location) if alert.location else ()
    return not (areas and places) or any(overlap(place, area) for place in places for area in areas)


def parse_key(key: str) -> tuple[str, date, str] | None:
    """Return the campaign, day and variant of a publication's key, if it has them."""
    parts = key.removeprefix(KEY_PREFIX).split(" ") if key.startswith(KEY_PREFIX) else []
    try:
        name, day, variant = parts
        return name, date.fromisoformat(day), variant
    except ValueError:
        return None


def _past(publication: Publication) -> PastPublication | None:
    if (parts := parse_key(publication.key)) is None:
        return None
    return PastPublication(
        campaign=parts[0],
        day=parts[1],
        variant=parts[2],
        at=publication.at,
        channels=frozenset(receipt.channel for receipt in publication),
        fingerprint=fingerprint_of(publication.message),
    )


def _valid_campaigns(
    campaigns: Sequence[Campaign],
    due: Sequence[Occurrence],
    past: Sequence[PastPublication],
    skips: Sequence[SkipRecord],
    channels_of: ChannelsOf,
    problems: dict[str, AnyText],
    now: datetime,
) -> list[Campaign]:
    """Return the campaigns that are due and valid. Add the problems of the others."""
    done = {(publication.campaign, publication.day) for publication in past}
    done |= {(skip.campaign, skip.day) for skip in skips if skip.action is not Action.WAIT}
    names = {occurrence.campaign for occurrence in due if occurrence.due <= now and occurrence.id not in done}
    valid = []
    for campaign in campaigns:
        if campaign.name in names:
            try:
                for variant in campaign.messages:
                    channels_of(campaign, variant)
            except _CAMPAIGN_ERRORS as error:
                problems[campaign.name] = text_of(error)
            else:
                valid.append(campaign)
    return valid


def _publish(
    publisher: Publisher, campaign: Campaign, decision: Decision, actor: str, problems: dict[str, AnyText]
) -> tuple[str, ...]:
    """Publish a variant, and return the id of the publication, if any."""
    variant, key, draft = campaign.variant(decision.variant), decision.occurrence.key(decision.variant), None
    try:
        if needs_approval(publisher, campaign, variant):
            draft = find_draft(publisher, campaign, variant)
            if draft is None or not is_approved(draft):
                problems[campaign.name] = missing_approval(draft, variant)
                return ()
        publication = publisher.publish(
            variant.message,
            key=key,
            actor=actor,
            to=campaign.to or None,
            wait=timedelta(0),
            draft=draft.id if draft else None,
        )
    except _CAMPAIGN_ERRORS as error:
        problems[campaign.name] = text_of(error)
        return ()
    if decision.reason:
        _record(publisher, decision, actor, "late", publication=publication.id)
    return (publication.id,)


def _record(publisher: Publisher, decision: Decision, actor: str, action: str, **more: str) -> None:
    name, day = decision.occurrence.id
    body = {"campaign": name, "day": day.isoformat(), "action": action, "reason": decision.reason}
    publisher.journal.audit.record(actor, EVENT_KIND, {**body, **more})
