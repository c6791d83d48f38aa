"""Steps 1 to 3 of a message's way, before anything is written: may it be said, where, and how does it read there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from policenotify.channel import ChannelConfig, Clock, Picture
from policenotify.checks import Check, CheckContext, run_checks
from policenotify.errors import InvalidImage, InvalidTransition, SettingsError
from policenotify.findings import Finding
from policenotify.journal import records
from policenotify.model import places
from policenotify.model.history import History, Pending, RenderedPost, Target
from policenotify.model.lifecycle import IncidentStatus, Stage, allowed_stages, next_status
from policenotify.model.message import Image, Message
from policenotify.model.receipt import Publication
from policenotify.publishing.defaults import resolve
from policenotify.publishing.fault import Fault, readers_of
from policenotify.publishing.images import picture
from policenotify.publishing.posts import post_key, worded
from policenotify.publishing.routing import Route, legs_on, plan, reached
from policenotify.render import RenderContext
from policenotify.render.locales import CategoryProfile, Locale, best_match, profile_of

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, as the ULID specification has it
_OWED = timedelta(hours=24)  # the deadline of an incident for which neither the message nor the category names one
_log = logging.getLogger("policenotify")


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
        locales: The fixed phrases of each language.
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
    locales: Mapping[str, Locale]
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
            locales=self.locales,
            now=at,
            zone=self.zone,
            mentions=frozenset().union(*(channel.mentions for channel in self.channels.values())),
            typed=message,
        )
        findings = run_checks(draft, self.checks)
        legs: tuple[Target, ...] = ()
        channels: dict[str, ChannelConfig] = {}
        if anyway or not any(finding.blocks for finding in findings):
            channels = {name: self._public(self.learned(channel)) for name, channel in self.channels.items()}
            legs = plan(resolved, history, tuple(channels.values()), self.routes, contains=places.contains, to=to)
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
        legs = legs_on(message, history, channel)
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
            rules={language: str(locale.version) for language, locale in sorted(self.locales.items())},
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
        return resolve(
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
        locale = best_match(language, self.locales)
        if locale is None:
            raise SettingsError(
                f"Nothing was sent: there are no fixed phrases for the language {language!r}. "
                f"Known: {', '.join(sorted(self.locales))}."
            )
        return RenderContext(
            message=message,
            language=language,
            locale=locale,
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
            with closing(channel.open(self.clock, self.journal.channels.state_store(channel.name))) as opened:
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
            self.journal.publications.ensure_not_purged(message)
            return self.journal.incidents.history(incident)
        if corrects is None:
            return History()
        self.journal.publications.ensure_not_purged(message)
        history = self.journal.incidents.history_of(corrects)
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
        details = records.describe_incidents(history, self.journal.incidents.list(), self.zone)
        return next_status(history.status, stage, incident=incident, details=details)

    def _picture(self, image: Image) -> Picture:
        if image.digest is not None:
            return self.journal.publications.picture(image.digest, image.alt)
        if image.path is None:
            return picture(image.data or b"", image.alt)
        place = Path(image.path)
        if place.exists() and not (place.is_file() or place.is_dir()):  # a device or a pipe may never end
            raise InvalidImage(f"Nothing was sent: {image.path!r} is no file with a picture.")
        try:
            data = place.read_bytes()
        except OSError as error:
            raise InvalidImage(
                f"Nothing was sent: the picture {image.path!r} cannot be read ({error.strerror})."
            ) from error
        return picture(data, image.alt)

    def set_apart(
        self, legs: Sequence[Target], channels: Mapping[str, ChannelConfig], history: History
    ) -> tuple[tuple[Target, ...], tuple[Pending, ...], dict[str, tuple[str, ...]]]:
        """Return the legs that can be worded, what waits for a channel, and who is to read it by channel."""
        readers: dict[str, tuple[str, ...]] = {}
        faults: dict[str, Fault] = {}
        for name in dict.fromkeys(leg.channel for leg in legs if not leg.skip):
            people, fault = readers_of(channels[name], self.journal.deliveries.had_recipients)
            # What follows still goes to those who got what it follows: the journal has them.
            if fault and (channels[name].problem or not reached(history, channels[name])):
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


def _pending(legs: Sequence[Target], faults: Mapping[str, Fault]) -> Iterator[Pending]:
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
