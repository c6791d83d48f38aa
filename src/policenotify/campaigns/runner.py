"""Say what is due: the journal is read, it is decided, and what is decided is written into the journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

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
from policenotify.errors import IdempotencyConflict, InvalidImage, MessageRejected, MessageTooLong, SettingsError
from policenotify.journal.records import PublicationSummary
from policenotify.model import places
from policenotify.model.history import RenderedPost
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.publisher import Publisher

EVENT_KIND = "campaign"
"""Kind of the journal's events that say what became of an occurrence: late, waiting, skipped, merged."""

Texts = dict[tuple[str, str, str, str], str]
"""Which message it is that reads so: (campaign, channel, title, text) → the message's name."""

_ALONE = 60.0  # seconds for which one run keeps the others out; it only writes into the journal meanwhile
_WRONG = (
    MessageTooLong,
    InvalidImage,
    IdempotencyConflict,
    MessageRejected,
    SettingsError,
)  # with one campaign; the others go on


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What one run has done.

    Attributes:
        decisions: What became of each occurrence that was due.
        published: What was published, in the order of the decisions to say it.
        problems: Why a campaign could not be said, by its name; nothing of it is lost.
        next_at: When something is due next, as far as that is known.
    """

    decisions: tuple[Decision, ...] = ()
    published: tuple[Publication, ...] = ()
    problems: dict[str, str]
    next_at: datetime | None = None


def run(publisher: Publisher, campaigns: Sequence[Campaign], *, actor: str, wait: timedelta | None = None) -> RunResult:
    """Publish what is due now. Run it as often as you like, on as many machines: each occurrence is said once.

    Args:
        publisher: The installation's publisher.
        campaigns: As `together` orders them.
        actor: Who runs it.
        wait: For how long to deliver before returning; zero: return when it is journalled. By default as set for the
            publisher.

    Raises:
        PublishingStopped: Everything is stopped; nothing was said.
        JournalError: The journal is not available; nothing was said that is not in it.
    """
    journal = publisher.journal
    now = journal.now()  # on a server its clock is everybody's
    if (stopped := journal.stopped()) is not None:
        raise stopped
    problems: dict[str, str] = {}
    ids: list[str] = []
    with journal.channels.state_store("campaign run").lease("run", seconds=_ALONE):
        due, past, notes = due_window(campaigns, now), load_past(publisher, now), load_skips(publisher, campaigns, now)
        reach = reach_for(publisher)
        sound = _sound(campaigns, due, past, notes, reach, problems, now)
        made = list(
            decide(
                [campaign for campaign in campaigns if campaign.name in sound],
                due,
                now=now,
                past=past,
                skips=notes,
                inhibited=inhibited_campaigns(campaigns, load_alerts(publisher), places.contains, communes_in),
                reach=reach,
            )
        )
        remarked = {(note.campaign, note.day) for note in notes}
        for number, one in enumerate(made):
            if journal.now() - now > timedelta(seconds=_ALONE / 2):  # stalled: soon others may decide, on another file
                del made[number:]  # it is due still
                break
            if one.action is Action.PUBLISH:
                ids += _said(publisher, sound[one.occurrence.campaign], one, actor, problems)
            elif one.action is not Action.WAIT or one.occurrence.id not in remarked:
                _remark(publisher, one, actor, one.action)
    wait = publisher.wait if wait is None else wait
    if ids and wait > timedelta(0):
        publisher.drain(wait)
    return RunResult(
        decisions=tuple(one for one in made if one.occurrence.campaign not in problems),
        published=tuple(found for one in ids if (found := publisher.publication(one))),
        problems=problems,
        next_at=_next_at(due, made, now),
    )


def upcoming(publisher: Publisher, campaigns: Sequence[Campaign], first: date, last: date) -> tuple[ForecastEntry, ...]:
    """What will be said from day *first* to day *last*, from now on; see `forecast`."""
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
    """Where the publisher would send each alternative; each is asked once.

    The function raises what `Publisher.preview` raises, and `MessageRejected`.
    """
    known: dict[tuple[str, str], frozenset[str]] = {}
    texts: Texts = {}

    def reach(campaign: Campaign, alternative: Variant) -> frozenset[str]:
        named = (campaign.name, alternative.name)
        if named not in known:
            seen = publisher.preview(alternative.message, to=campaign.to or None)
            if not seen.allowed:
                raise MessageRejected(seen.findings)
            if not seen.posts and not seen.pending:
                raise SettingsError(
                    f"No route takes message {alternative.name!r}. Add one, or name its channels in 'to'."
                )
            if campaign.pacing.repeat_after and (same := duplicate_text(campaign, alternative, seen.posts, texts)):
                raise SettingsError(same)
            legs = (*(wording.target for wording in seen.posts), *seen.pending)
            known[named] = frozenset(leg.channel for leg in legs)
        return known[named]

    return reach


def duplicate_text(campaign: Campaign, alternative: Variant, wordings: Iterable[RenderedPost], texts: Texts) -> str:
    """What is wrong if another of the campaign's messages reads the very same somewhere; empty: nothing.

    Two messages that differ may read the same where one language, or what fits, is all that is told of them.

    Args:
        campaign: The campaign.
        alternative: One of its messages.
        wordings: How it reads.
        texts: How the others read; this one is added.
    """
    for wording in wordings:
        for post in (wording.standalone, *wording.continuations):
            leg = wording.target
            first = texts.setdefault((campaign.name, leg.channel, post.title, post.text), alternative.name)
            if first != alternative.name:
                return (
                    f"Messages {first!r} and {alternative.name!r} read the very same on {leg.channel} "
                    f"({leg.language}): {post.text!r}. Change the words of one of them."
                )
    return ""


def load_past(publisher: Publisher, now: datetime) -> tuple[PastPublication, ...]:
    """What was said of all campaigns, as the journal has it."""
    return tuple(filter(None, map(_past, publisher.journal.publications.by_key_prefix(KEY_PREFIX, now - MEMORY))))


def load_skips(publisher: Publisher, campaigns: Sequence[Campaign], now: datetime) -> tuple[SkipRecord, ...]:
    """What the journal remarked of occurrences that still matter."""
    back = max((campaign.late_for for campaign in campaigns), default=timedelta(0)) + LOOK_BACK + timedelta(days=2)
    return tuple(
        SkipRecord(
            campaign=str(body["campaign"]),
            day=date.fromisoformat(str(body["day"])),
            action=Action(str(body["became"])),
        )
        for body in publisher.journal.audit.events(EVENT_KIND, now - back)
        if body.get("became") in {Action.WAIT, Action.SKIP, Action.MERGE}
    )


def load_alerts(publisher: Publisher) -> tuple[Message, ...]:
    """What was said of the open incidents, an update that made one graver too; exercises silence nobody."""
    histories = [publisher.journal.incidents.history(line.id) for line in publisher.incidents() if not line.exercise]
    return tuple(
        entry.message.model_copy(update={"location": entry.message.location or history.entries[0].message.location})
        for history in histories
        for entry in history.entries
    )


def communes_in(epci: str) -> tuple[str, ...]:
    """The communes of an EPCI, by their codes; none of one that was dissolved."""
    return tuple(one.code for one in places.communes_of(epci)) if places.epci(epci) else ()


def parse_key(key: str) -> tuple[str, date, str] | None:
    """Campaign, day and alternative of a publication's key; `None`: it is no campaign's."""
    parts = key.removeprefix(KEY_PREFIX).split(" ") if key.startswith(KEY_PREFIX) else []
    try:
        name, day, alternative = parts
        return name, date.fromisoformat(day), alternative
    except ValueError:
        return None


def _past(said: PublicationSummary) -> PastPublication | None:
    parts = parse_key(said.key)
    if parts is None:
        return None
    channels = frozenset(one.channel for one in said.deliveries)
    words = fingerprint_of(said.message)
    return PastPublication(
        campaign=parts[0], day=parts[1], variant=parts[2], at=said.at, channels=channels, fingerprint=words
    )


def _sound(
    campaigns: Sequence[Campaign],
    due: Sequence[Occurrence],
    past: Sequence[PastPublication],
    notes: Sequence[SkipRecord],
    reach: Reach,
    problems: dict[str, str],
    now: datetime,
) -> dict[str, Campaign]:
    """The campaigns with something due that can be said as they are written; why the others cannot."""
    done = {(one.campaign, one.day) for one in past}
    done |= {(note.campaign, note.day) for note in notes if note.action is not Action.WAIT}
    busy = {one.campaign for one in due if one.due <= now and one.id not in done}
    sound = {}
    for campaign in campaigns:
        if campaign.name in busy:
            try:
                for alternative in campaign.messages:
                    reach(campaign, alternative)
            except _WRONG as error:
                problems[campaign.name] = str(error)
            else:
                sound[campaign.name] = campaign
    return sound


def _said(
    publisher: Publisher, campaign: Campaign, one: Decision, actor: str, problems: dict[str, str]
) -> tuple[str, ...]:
    alternative = campaign.variant(one.variant)
    key = one.occurrence.key(one.variant)
    try:
        publication = publisher.publish(
            alternative.message, key=key, actor=actor, to=campaign.to or None, wait=timedelta(0)
        )
    except _WRONG as error:
        problems[campaign.name] = str(error)
        return ()
    if one.reason:
        _remark(publisher, one, actor, "late", publication=publication.id)
    return (publication.id,)


def _remark(publisher: Publisher, one: Decision, actor: str, became: str, **more: str) -> None:
    occurrence = one.occurrence
    body = {"campaign": occurrence.campaign, "day": occurrence.day.isoformat(), "became": became, "reason": one.reason}
    publisher.journal.audit.record(actor, EVENT_KIND, {**body, **more})


def _next_at(due: Sequence[Occurrence], made: Sequence[Decision], now: datetime) -> datetime | None:
    coming = [one.due for one in due if one.due > now]
    coming += [one.until for one in made if one.action is Action.WAIT and one.until]
    return min(coming, default=None)
