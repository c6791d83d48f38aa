"""Steps 1 to 3 of a message's way, before anything is written: may it be said, where, and how does it read there."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from policenotify.channel import ChannelConfig, Clock, Operation, Picture
from policenotify.checks import Check, CheckContext, check
from policenotify.errors import (
    InvalidImage,
    InvalidTransition,
    JournalError,
    MessageTooLong,
    PolicenotifyError,
    SettingsError,
)
from policenotify.findings import Finding
from policenotify.journal import records
from policenotify.model import places
from policenotify.model.history import History, Pending, RenderedPost, Target
from policenotify.model.lifecycle import IncidentStatus, Stage, allowed_stages, next_status
from policenotify.model.message import Image, Message
from policenotify.model.receipt import Publication
from policenotify.publishing.defaults import fill_defaults
from policenotify.publishing.images import prepare_picture
from policenotify.publishing.routing import Route, choose_targets, choose_targets_on, has_reached
from policenotify.render import RenderContext, render
from policenotify.render.locales import CategoryProfile, Locale, matching, profile_of

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.journal.records import UnrenderedDelivery

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, as the ULID specification has it
_OWED = timedelta(hours=24)  # the deadline of an incident for which neither the message nor the category names one
_log = logging.getLogger("policenotify")
_ANEW = "If it is still true, publish it again with another key."
_AGAIN = 10.0  # seconds, at least, between two looks at the settings of what could not be used
_THEN = "What is meant for it waits, and then goes out by itself. To look: policenotify doctor"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelProblem:
    """Why a channel cannot be used at present.

    Attributes:
        reason: What is wrong, in an officer's words.
        remedy: What to do now.
    """

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason} {self.remedy}"


def channel_problem(channel: ChannelConfig, had_people: Callable[[str], bool]) -> ChannelProblem | None:
    """Return why a channel cannot be used at present, or `None` if it can. Reads its list of recipients.

    Args:
        channel: The channel.
        had_people: Returns whether an earlier delivery on the channel of that name had recipients.
    """
    return read_recipients(channel, had_people)[1]


def read_recipients(
    channel: ChannelConfig, had_people: Callable[[str], bool]
) -> tuple[tuple[str, ...], ChannelProblem | None]:
    """Return who is on the channel's list now, and why the channel cannot be used, if so.

    An emptied list is a fault, because a failed export looks like that. A list that never had people is not, nor is
    the list of a retired channel.
    """
    name = channel.name
    if channel.problem:
        reason = f"The channel {name!r} cannot be used: {channel.problem}"
        return (), ChannelProblem(reason=reason, remedy=f"Mend it in the settings. {_THEN}")
    if channel.recipients is None:
        return (), None
    try:
        people = tuple(channel.recipients())
    except Exception as error:  # noqa: BLE001 - a host's own function may raise anything, and quote an address
        why = str(error) if isinstance(error, SettingsError) else f"{type(error).__name__}."
        reason = f"The list of recipients of {name!r} cannot be read: {why}"
        return (), ChannelProblem(reason=reason, remedy=f"Make it readable. {_THEN}")
    if people or channel.retired or not had_people(name):
        return people, None
    reason = f"The list of recipients of {name!r} is empty, and had people before."
    remedy = f"Restore the list; if it is meant to be empty, set retired = true. {_THEN}"
    return (), ChannelProblem(reason=reason, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedMessage:
    """A message whose pictures have been read, once: they are named by digest."""

    message: Message
    digest: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPublication:
    """A message after steps 1 to 3, before anything is written."""

    message: Message
    digest: str
    profile: CategoryProfile
    history: History
    course: IncidentStatus
    sequence: int
    findings: tuple[Finding, ...]
    pictures: tuple[Picture, ...]
    wordings: tuple[RenderedPost, ...]
    wordless: tuple[Target, ...]
    pending: tuple[Pending, ...] = ()
    readers: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)


@dataclass(slots=True, kw_only=True)
class Preparer:
    """Decides on messages; it reads the journal, and writes nothing.

    Attributes:
        journal: What was said before, and what time it is.
        channels: The channels of the installation, by name.
        duty: The names of those on which nothing of the public's ever begins.
        routes: Which message goes where; none: every message goes everywhere.
        profiles: What each category means.
        words: The fixed phrases of each language.
        zone: The zone in which readers are told times.
        sender: The service's name.
        clock: Is handed to channels that know their server.
        checks: What is checked.
        entropy: Gives that many random bytes.
    """

    journal: Journal
    channels: Mapping[str, ChannelConfig]
    duty: tuple[str, ...]
    routes: Sequence[Route]
    profiles: Mapping[str, CategoryProfile]
    words: Mapping[str, Locale]
    zone: tzinfo
    sender: str
    clock: Clock
    checks: Sequence[Check]
    entropy: Callable[[int], bytes]

    def given(self, message: Message) -> LoadedMessage:
        """The message with its pictures read, stripped and shrunk.

        Raises:
            InvalidImage: One cannot be used.
        """
        pictures = tuple(self._picture(image) for image in message.images)
        images = tuple(Image(alt=one.alt, digest=one.digest) for one in pictures)
        message = message.model_copy(update={"images": images})
        return LoadedMessage(message=message, digest=message.digest(), pictures=pictures)

    def decide(
        self, given: LoadedMessage, *, to: Sequence[str] | None, publication: str, at: datetime, anyway: bool = False
    ) -> PreparedPublication:
        """Steps 1 to 3; a message that a check forbids is planned and worded only where that is wanted *anyway*."""
        message, pictures = given.message, given.pictures
        history = self._history(message)
        incident = message.incident or (publication if message.stage is Stage.OPENING else None)
        course = self._course(message, history, incident)
        _refuse_mixed(message, history)
        profile = profile_of(message.category, self.profiles)
        resolved = self.resolved(message, profile, incident, history)
        pictures = tuple(
            one.model_copy(update={"alt": image.alt}) for one, image in zip(pictures, resolved.images, strict=True)
        )
        draft = CheckContext(
            message=resolved,
            profile=profile,
            history=history,
            is_commune=lambda code: places.commune(code) is not None,
            words=self.words,
            now=at,
            zone=self.zone,
            mentions=frozenset().union(*(channel.mentions for channel in self.channels.values())),
            typed=message,
        )
        findings = check(draft, self.checks)
        legs: tuple[Target, ...] = ()
        channels: dict[str, ChannelConfig] = {}
        if anyway or not any(finding.blocks for finding in findings):
            channels = {name: self._public(self.learned(channel)) for name, channel in self.channels.items()}
            legs = choose_targets(
                resolved, history, tuple(channels.values()), self.routes, contains=places.contains, to=to
            )
        legs, pending, readers = self.set_apart(legs, channels, history)
        scene = partial(self.scene, message=resolved, profile=profile, history=history, pictures=pictures, at=at)
        wordings, wordless = worded(legs, channels, scene, publication, at, elsewhere=bool(pending))
        return PreparedPublication(
            message=resolved,
            digest=given.digest,
            profile=profile,
            history=history,
            course=course,
            sequence=len(history.entries) + 1 if incident else 0,
            findings=findings,
            pictures=pictures,
            wordings=wordings,
            wordless=wordless,
            pending=pending,
            readers=readers,
        )

    def late(
        self, publication: Publication, channel: ChannelConfig, readers: tuple[str, ...]
    ) -> tuple[records.NewDelivery, ...]:
        """Word a publication for a channel that could not be used when it was published, as of that time.

        Raises:
            MessageTooLong: The text fits the channel in no language.
            SettingsError: Its category or language is not known here any more.
        """
        message, history = publication.message, self._before(publication)
        profile = profile_of(message.category, self.profiles)
        channel = self.learned(channel)
        pictures = tuple(self._picture(image) for image in message.images)
        scene = partial(
            self.scene, message=message, profile=profile, history=history, pictures=pictures, at=publication.at
        )
        legs = choose_targets_on(message, history, channel)
        wordings, wordless = worded(legs, {channel.name: channel}, scene, publication.id, publication.at)
        people = {channel.name: readers}
        return (
            *(drafted for wording in wordings for drafted in self._drafted(wording, people)),
            *(self._unworded(publication.id, leg) for leg in wordless),
        )

    def draft(
        self, made: PreparedPublication, publication: str, *, key: str, actor: str, at: datetime
    ) -> records.NewPublication:
        """What is written into the journal of it."""
        message, stage = made.message, made.message.stage
        lifetime = at + made.profile.lifetime if made.profile.lifetime else None
        # An end, and what sets right or takes back, is owed however late; the rest would be stale.
        stale = lifetime if stage in {Stage.OPENING, Stage.UPDATE, Stage.STANDALONE} else None
        owed = message.next_update_at or lifetime or at + _OWED
        return records.NewPublication(
            id=publication,
            key=key,
            digest=made.digest,
            message=message,
            status=made.course,
            expected_sequence=made.sequence,
            actor=actor,
            at=at,
            not_after=message.expires_at or stale,
            due_at=owed if made.course is IncidentStatus.OPEN else None,
            findings=made.findings,
            rules={language: str(words.version) for language, words in sorted(self.words.items())},
            deliveries=(
                *(drafted for wording in made.wordings for drafted in self._drafted(wording, made.readers)),
                *(self._unworded(publication, leg) for leg in made.wordless),
                *(self._unworded(publication, one.target, one.reason, one.remedy) for one in made.pending),
            ),
            pictures=made.pictures,
            skips_without_opening=frozenset(
                name for name, how in self.channels.items() if how.without_opening == "skip"
            ),
        )

    def ulid(self, at: datetime) -> str:
        """An id for a publication of that time: a ULID."""
        number = (int(at.timestamp() * 1000) << 80) | int.from_bytes(self.entropy(10))
        return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))

    def resolved(self, message: Message, profile: CategoryProfile, incident: str | None, history: History) -> Message:
        """The message with what the profile, the tables of places and its incident know."""
        where = message.location
        commune = places.commune(where.commune) if where and where.commune else None
        code = (where.department if where else None) or (commune.department if commune else None)
        department = places.department(code) if code else None
        return fill_defaults(
            message,
            profile,
            sender=self.sender,
            commune_name=commune.name if commune else None,
            department_name=department.name if department else None,
            department=code,
            incident=incident,
            earlier=[entry.message for entry in history.entries],
        )

    def scene(
        self,
        language: str,
        *,
        message: Message,
        profile: CategoryProfile,
        history: History,
        pictures: tuple[Picture, ...],
        at: datetime,
    ) -> RenderContext:
        """All that decides how it reads in a language.

        Raises:
            SettingsError: There are no fixed phrases for it.
        """
        words = matching(language, self.words)
        if words is None:
            raise SettingsError(
                f"Nothing was sent: there are no fixed phrases for the language {language!r}. "
                f"Known: {', '.join(sorted(self.words))}."
            )
        return RenderContext(
            message=message,
            language=language,
            words=words,
            profile=profile,
            now=at,
            zone=self.zone,
            sender=self.sender,
            history=history,
            pictures=pictures,
            reference=self.journal.keys.reference(message.incident) if message.incident else "",
        )

    def learned(self, channel: ChannelConfig) -> ChannelConfig:
        """The channel with what it knows of its server by now; what cannot be read silences nobody."""
        if not channel.discovers_capabilities:
            return channel
        try:
            with closing(channel.open(self.clock, self.journal.state_store(channel.name))) as opened:
                return replace(channel, capabilities=opened.capabilities)
        except Exception as error:  # noqa: BLE001 - a stranger's channel may fail in any way
            _log.warning("Channel %s is taken for what it claims at first: %s.", channel.name, type(error).__name__)
            return channel

    def _public(self, channel: ChannelConfig) -> ChannelConfig:
        """The channel as the public's messages have it: nothing of theirs begins on a duty channel."""
        return replace(channel, retired=True) if channel.name in self.duty else channel

    def _history(self, message: Message) -> History:
        incident, corrects = message.incident, message.lifecycle.corrects
        if incident is not None:
            self.journal.refuse_purged(message)
            return self.journal.history(incident)
        if corrects is None:
            return History()
        self.journal.refuse_purged(message)
        history = self.journal.history_of(corrects)
        if history is None:
            raise InvalidTransition(f"There is no publication {corrects}.", incident=None)
        return history

    def _course(self, message: Message, history: History, incident: str | None) -> IncidentStatus:
        stage, corrects = message.stage, message.lifecycle.corrects
        if incident is None:
            first = history.opening
            if first is not None and first.stage is not Stage.STANDALONE:
                raise InvalidTransition(
                    f"Publication {first.publication} belongs to incident {first.message.incident!r}; name that one.",
                    incident=first.message.incident,
                )
            return next_status(history.status, stage, incident=None)
        if corrects is not None and history.entries and history.entry(corrects) is None:
            raise InvalidTransition(f"Publication {corrects} is not of incident {incident!r}.", incident=incident)
        if stage in allowed_stages(history.status):
            return next_status(history.status, stage, incident=incident)
        open_now = (one.in_zone(self.zone) for one in self.journal.incidents())
        known = history.known(open_now, zone=self.zone)
        return next_status(history.status, stage, incident=incident, known=known)

    def _picture(self, image: Image) -> Picture:
        if image.digest is not None:
            return self.journal.picture(image.digest, image.alt)
        if image.path is None:
            return prepare_picture(image.data or b"", image.alt)
        place = Path(image.path)
        if place.exists() and not (place.is_file() or place.is_dir()):  # a device or a pipe may never end
            raise InvalidImage(f"Nothing was sent: {image.path!r} is no file with a picture.")
        try:
            data = place.read_bytes()
        except OSError as error:
            raise InvalidImage(
                f"Nothing was sent: the picture {image.path!r} cannot be read ({error.strerror})."
            ) from error
        return prepare_picture(data, image.alt)

    def set_apart(
        self, legs: Sequence[Target], channels: Mapping[str, ChannelConfig], history: History
    ) -> tuple[tuple[Target, ...], tuple[Pending, ...], dict[str, tuple[str, ...]]]:
        """Return the legs that can be worded, what waits for a channel, and who is to read it by channel."""
        readers: dict[str, tuple[str, ...]] = {}
        faults: dict[str, ChannelProblem] = {}
        for name in dict.fromkeys(leg.channel for leg in legs if not leg.skip):
            people, fault = read_recipients(channels[name], self.journal.had_people)
            # What follows still goes to those who got what it follows: the journal has them.
            if fault and (channels[name].problem or not has_reached(history, channels[name])):
                faults[name] = fault
            readers[name] = people
        worded = tuple(leg for leg in legs if leg.skip or leg.channel not in faults)
        return worded, tuple(_pending(legs, faults)), readers

    def _before(self, publication: Publication) -> History:
        """Return the history as it was when that message was published."""
        history = self._history(publication.message)
        entries = tuple(takewhile(lambda entry: entry.publication != publication.id, history.entries))
        return replace(history, entries=entries)

    def _drafted(self, wording: RenderedPost, readers: Mapping[str, tuple[str, ...]]) -> Iterator[records.NewDelivery]:
        how = self.channels[wording.target.channel]
        for number, post in enumerate((wording.standalone, *wording.continuations)):
            yield records.NewDelivery(
                target=replace(wording.target, part=wording.target.part + number),
                post_key=post.key,
                standalone=post,
                reply=wording.reply if number == 0 else None,
                recipients=readers[how.name] if how.capabilities.recipients else None,
            )

    @staticmethod
    def _unworded(publication: str, leg: Target, reason: str = "", remedy: str = "") -> records.NewDelivery:
        return records.NewDelivery(target=leg, post_key=post_key(publication, leg), reason=reason, remedy=remedy)


def _pending(legs: Sequence[Target], faults: Mapping[str, ChannelProblem]) -> Iterator[Pending]:
    """Yield one for each channel that cannot be used now: how many posts it takes there is not known yet."""
    first: dict[str, Target] = {}
    for leg in legs:
        if leg.channel in faults and not leg.skip:
            first.setdefault(leg.channel, leg)
    for name, leg in first.items():
        waits = Target(channel=name, account="", language=leg.language)
        yield Pending(target=waits, reason=faults[name].reason, remedy=faults[name].remedy)


def _refuse_mixed(message: Message, history: History) -> None:
    """An exercise's messages are all marked as such, and no other is: the public would read an exercise as true.

    Raises:
        InvalidTransition: What it follows is an exercise, and it is none; or the other way round.
    """
    first = history.opening
    if first is None or first.message.exercise == message.exercise:
        return
    incident = first.message.incident
    it = f"Publication {first.publication}" if incident is None else f"Incident {incident!r}"
    kind, mark = ("an exercise", "True") if first.message.exercise else ("no exercise", "False")
    raise InvalidTransition(f"{it} is {kind}, and so is all that follows: exercise={mark}.", incident=incident)


def worded(
    legs: Sequence[Target],
    channels: Mapping[str, ChannelConfig],
    scene: Callable[[str], RenderContext],
    publication: str,
    at: datetime,
    *,
    elsewhere: bool = False,
) -> tuple[tuple[RenderedPost, ...], tuple[Target, ...]]:
    """Word the legs; one on which the text does not fit silences no other.

    Args:
        legs: Which.
        channels: The channels of the legs, by name.
        scene: Returns all that decides how it reads in a language.
        publication: Id of the publication.
        at: When it is published.
        elsewhere: It also waits for a channel that cannot be used now, and may fit there.

    Returns:
        The wordings, and the legs without one: skipped, deletions, and those that are refused, with the reason,
        numbered behind the posts of their channel.

    Raises:
        MessageTooLong: It fits on none of the channels, and nothing else is to be done.
    """
    wordless = tuple(leg for leg in legs if leg.skip or leg.operation is Operation.DELETE)
    posts = [leg for leg in legs if leg not in wordless]
    scenes = {language: scene(language) for language in {leg.language for leg in posts}}
    fitting: list[RenderedPost] = []
    unfit: dict[Target, MessageTooLong] = {}
    for leg in posts:
        key = post_key(publication, leg)
        try:
            fitting.append(render(scenes[leg.language], leg, channel=channels[leg.channel], key=key))
        except MessageTooLong as error:
            unfit[leg] = error
    deletes = any(leg.operation is Operation.DELETE for leg in wordless)
    if unfit and not (fitting or deletes or elsewhere):
        raise next(iter(unfit.values()))
    wordings = numbered(fitting, publication, at)
    return wordings, (*wordless, *_refused(unfit, wordings))


def _refused(unfit: Mapping[Target, MessageTooLong], wordings: Sequence[RenderedPost]) -> tuple[Target, ...]:
    taken = Counter(
        wording.target.channel for wording in wordings for _ in (wording.standalone, *wording.continuations)
    )
    refused = []
    for leg, cannot in unfit.items():
        reason = (
            f"Nothing was sent here: what, where and the first thing to do take {cannot.used} of {cannot.limit}. "
            "Shorten the headline, the street or the first sentence of the instruction, and publish that on this "
            "channel."
        )
        refused.append(replace(leg, part=taken[leg.channel], refused=reason))
        taken[leg.channel] += 1
    return tuple(refused)


def numbered(wordings: Sequence[RenderedPost], publication: str, at: datetime) -> tuple[RenderedPost, ...]:
    """The wordings, with the place of each post among those of its channel: where one goes on, the next ones move up.

    An edit that would go on in further posts is none: it is said below.
    """
    posts = [wording for wording in wordings if wording.target.operation is Operation.POST]
    said = {(wording.target.channel, wording.target.language) for wording in posts}
    for wording in wordings:
        leg = wording.target
        if leg.operation is Operation.EDIT and not wording.continuations:
            posts.append(wording)
        elif leg.operation is Operation.EDIT and (leg.channel, leg.language) not in said:
            posts.append(replace(wording, target=replace(leg, operation=Operation.POST, target="")))
    taken: dict[str, int] = {}
    numbered = []
    for wording in posts:
        part = taken.get(wording.target.channel, 0)
        taken[wording.target.channel] = part + 1 + len(wording.continuations)
        leg = replace(wording.target, part=part)
        standalone, *further = (
            post.model_copy(
                update={
                    "key": post_key(publication, replace(leg, part=part + number)),
                    # Each post of a publication has a time of its own, so that timelines keep their order.
                    "created_at": at + timedelta(milliseconds=part + number),
                }
            )
            for number, post in enumerate((wording.standalone, *wording.continuations))
        )
        same = {"key": standalone.key, "created_at": standalone.created_at}
        reply = wording.reply and wording.reply.model_copy(update=same)
        numbered.append(replace(wording, target=leg, standalone=standalone, reply=reply, continuations=tuple(further)))
    return tuple(numbered)


def post_key(publication: str, leg: Target) -> str:
    """The key of a post: the same for the same words to the same account.

    The channel is named too, since two networks may call our account alike, and so may a channel that is gone.
    """
    named = "\n".join((publication, leg.channel, leg.account, leg.language, str(leg.part), leg.operation))
    return hashlib.sha256(named.encode()).hexdigest()


@dataclass(slots=True, kw_only=True)
class PendingDeliveries:
    """Words what waits for a channel as soon as that can be used.

    Attributes:
        journal: Where it waits.
        channels: The channels of the installation, by name; one that was mended takes the place of the wrong one.
        deciding: How it reads.
        clock: Measures how much time passes.
        reopen: Makes a channel again from the settings as they are now; `None`: they cannot be read.
    """

    journal: Journal
    channels: dict[str, ChannelConfig]
    deciding: Preparer
    clock: Clock
    reopen: Callable[[str], ChannelConfig | None] | None = None
    _asked_at: float | None = field(default=None, init=False)
    _blocked: set[str] = field(default_factory=set, init=False)  # at the last look

    def channel_problems(self) -> dict[str, ChannelProblem]:
        """Return the channels that cannot be used now, and why. Reads the lists of recipients."""
        found = {name: channel_problem(channel, self.journal.had_people) for name, channel in self.channels.items()}
        return {name: fault for name, fault in found.items() if fault is not None}

    def look_after(self) -> None:
        """Mend the channels that can be, and word what waits for them."""
        self._mend()
        usable = [name for name, channel in self.channels.items() if not channel.problem]
        closed: set[str] = set()
        for one in self.journal.unworded(usable):
            if one.channel not in closed and not self._word(one):
                closed.add(one.channel)

    def _mend(self) -> None:
        """Make again what could not be used, and what was blocked: its secret may be a new one."""
        if self.reopen is None:
            return
        blocked = set(self.journal.blocked())
        names, self._blocked = self._blocked - blocked, blocked
        now = self.clock.monotonic()
        if self._asked_at is None or now >= self._asked_at + _AGAIN:
            wrong = {name for name, channel in self.channels.items() if channel.problem}
            names, self._asked_at = names | wrong, now
        for name in sorted(names & self.channels.keys()):
            self._make_again(self.channels[name], self.reopen(name))

    def _make_again(self, channel: ChannelConfig, mended: ChannelConfig | None) -> None:
        if mended is None or (channel.account and mended.account not in {"", channel.account}):
            return  # what was worded for one account is not for another
        others = (one for one in self.channels.values() if one.name != channel.name)
        same = next((one.name for one in others if (one.network, one.account) == (mended.network, mended.account)), "")
        if same and not mended.problem:
            mended = replace(channel, problem=f"channels.{channel.name}: is the same account as channels.{same}.")
        if channel.problem and not mended.problem:
            _log.warning("Channel %s can be used again.", channel.name)
        self.channels[channel.name] = mended

    def _word(self, one: UnrenderedDelivery) -> bool:
        """Word a delivery; returns whether its channel can be used."""
        channel = self.channels[one.channel]
        readers, fault = read_recipients(channel, self.journal.had_people)
        publication = self.journal.publication(one.publication)
        if fault is not None or publication is None:
            return fault is None
        try:
            drafted = self.deciding.late(publication, channel, readers)
        except JournalError:
            raise
        except Exception as error:  # noqa: BLE001 - what cannot be worded must not stop what is published now
            why = (
                str(error) if isinstance(error, PolicenotifyError) else f"It cannot be worded: {type(error).__name__}."
            )
            _log.error("Publication %s on %s: %s", one.publication, one.channel, why)  # a trace would hold values
            self.journal.refuse_unworded(one, f"{why} {_ANEW}")
        else:
            self.journal.word(one, drafted)
        return True
