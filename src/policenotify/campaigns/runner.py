"""Run campaigns: read the journal, decide, and publish or record each decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from policenotify.campaigns.approval import find_draft, is_approved, missing_approval, needs_approval
from policenotify.campaigns.forecast import ForecastEntry, forecast
from policenotify.campaigns.model import Campaign, Variant, fingerprint_of
from policenotify.campaigns.schedule import KEY_PREFIX, Occurrence
from policenotify.campaigns.scheduler import (
    LOOK_BACK,
    MEMORY,
    Action,
    Decision,
    PastPublication,
    Reach,
    SkipRecord,
    decide,
    due_window,
    inhibited_campaigns,
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
from policenotify.journal.records import PublicationSummary
from policenotify.model import places
from policenotify.model.history import RenderedPost
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.publisher import Publisher
from policenotify.translation import AnyText, Text, text_of

EVENT_KIND = "campaign"
"""Kind of the journal's events about occurrences that were late, waited, or were skipped or merged."""

Texts = dict[tuple[str, str, str, str], str]
"""The name of the variant with that text, by (campaign, channel, title, text)."""

_LOCKED = 60.0  # seconds for which one run excludes the others; meanwhile it only writes into the journal
# What can be wrong with one campaign. The others go on.
_CAMPAIGN_ERRORS = (MessageTooLong, InvalidImage, IdempotencyConflict, MessageRejected, DraftConflict, SettingsError)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The result of one run.

    Attributes:
        decisions: The decision on each occurrence that was due.
        published: The publications, in the order of the decisions.
        problems: Why a campaign could not be published, by its name. Its occurrences stay due.
        next_at: When the next occurrence is due, as far as that is known.
    """

    decisions: tuple[Decision, ...] = ()
    published: tuple[Publication, ...] = ()
    problems: dict[str, AnyText]
    next_at: datetime | None = None


def run(publisher: Publisher, campaigns: Sequence[Campaign], *, actor: str, wait: timedelta | None = None) -> RunResult:
    """Publish what is due now.

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
        due, past, skips = due_window(campaigns, now), load_past(publisher, now), load_skips(publisher, campaigns, now)
        reach = reach_for(publisher)
        valid = _valid_campaigns(campaigns, due, past, skips, reach, problems, now)
        inhibited = inhibited_campaigns(campaigns, load_alerts(publisher), places.contains, communes_in)
        decisions = list(decide(valid, due, now=now, past=past, skips=skips, inhibited=inhibited, reach=reach))
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
    wait = publisher.installation.wait if wait is None else wait
    if ids and wait > timedelta(0):
        publisher.drain(wait)
    times = [occurrence.due for occurrence in due if occurrence.due > now]
    times += [decision.until for decision in decisions if decision.action is Action.WAIT and decision.until]
    return RunResult(
        decisions=tuple(decision for decision in decisions if decision.occurrence.campaign not in problems),
        published=tuple(publication for id_ in ids if (publication := publisher.operations.publication(id_))),
        problems=problems,
        next_at=min(times, default=None),
    )


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
        reach=reach_for(publisher),
    )


def reach_for(publisher: Publisher) -> Reach:
    """Return a function that previews each variant once, and returns its channels.

    The function raises what `Publisher.preview` raises, and `MessageRejected`.
    """
    known: dict[tuple[str, str], frozenset[str]] = {}
    texts: Texts = {}

    def reach(campaign: Campaign, variant: Variant) -> frozenset[str]:
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

    return reach


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
    summaries = publisher.journal.publications.by_key_prefix(KEY_PREFIX, now - MEMORY)
    return tuple(past for summary in summaries if (past := _past(summary)) is not None)


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


def communes_in(epci: str) -> tuple[str, ...]:
    """Return the codes of the communes of an EPCI, none if it was dissolved."""
    return tuple(commune.code for commune in places.communes_of(epci))


def parse_key(key: str) -> tuple[str, date, str] | None:
    """Return the campaign, day and variant of a publication's key, if it has them."""
    parts = key.removeprefix(KEY_PREFIX).split(" ") if key.startswith(KEY_PREFIX) else []
    try:
        name, day, variant = parts
        return name, date.fromisoformat(day), variant
    except ValueError:
        return None


def _past(summary: PublicationSummary) -> PastPublication | None:
    if (parts := parse_key(summary.key)) is None:
        return None
    return PastPublication(
        campaign=parts[0],
        day=parts[1],
        variant=parts[2],
        at=summary.at,
        channels=frozenset(delivery.channel for delivery in summary.deliveries),
        fingerprint=fingerprint_of(summary.message),
    )


def _valid_campaigns(
    campaigns: Sequence[Campaign],
    due: Sequence[Occurrence],
    past: Sequence[PastPublication],
    skips: Sequence[SkipRecord],
    reach: Reach,
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
                    reach(campaign, variant)
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
