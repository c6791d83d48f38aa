"""Steps 1 to 3 of a message's way, before anything is written: may it be said, where, and how does it read there."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from policenotify import places
from policenotify.channel import Clock, Configured, Operation, Picture
from policenotify.checks import Check, Draft, check
from policenotify.errors import CannotFit, IllegalCourse, InvalidPicture, SettingsError
from policenotify.images import picture
from policenotify.journal import values
from policenotify.lifecycle import Course, Stage, may_follow, next_course
from policenotify.message import Image, Message
from policenotify.plan import Route, plan
from policenotify.receipt import Finding, History, Leg, Wording
from policenotify.render import Scene, render, resolve
from policenotify.words import Profile, Words, matching, profile_of

if TYPE_CHECKING:
    from policenotify.journal.store import Journal

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, as the ULID specification has it
_OWED = timedelta(hours=24)  # the deadline of an incident for which neither the message nor the category names one
_log = logging.getLogger("policenotify")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A message whose pictures have been read, once: they are named by digest."""

    message: Message
    digest: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A message after steps 1 to 3, before anything is written."""

    message: Message
    digest: str
    profile: Profile
    history: History
    course: Course
    sequence: int
    findings: tuple[Finding, ...]
    pictures: tuple[Picture, ...]
    wordings: tuple[Wording, ...]
    wordless: tuple[Leg, ...]


@dataclass(slots=True, kw_only=True)
class Deciding:
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
    channels: Mapping[str, Configured]
    duty: tuple[str, ...]
    routes: Sequence[Route]
    profiles: Mapping[str, Profile]
    words: Mapping[str, Words]
    zone: tzinfo
    sender: str
    clock: Clock
    checks: Sequence[Check]
    entropy: Callable[[int], bytes]

    def given(self, message: Message) -> Given:
        """The message with its pictures read, stripped and shrunk.

        Raises:
            InvalidPicture: One cannot be used.
        """
        pictures = tuple(self._picture(image) for image in message.images)
        images = tuple(Image(alt=one.alt, digest=one.digest) for one in pictures)
        message = message.model_copy(update={"images": images})
        return Given(message=message, digest=message.digest(), pictures=pictures)

    def decide(
        self, given: Given, *, to: Sequence[str] | None, publication: str, at: datetime, anyway: bool = False
    ) -> Decided:
        """Steps 1 to 3; a message that a check forbids is planned and worded only where that is wanted *anyway*."""
        message, pictures = given.message, given.pictures
        history = self._history(message)
        incident = message.incident or (publication if message.stage is Stage.OPENING else None)
        course = self._course(message, history, incident)
        _refuse_mixed(message, history)
        profile = profile_of(message.category, self.profiles)
        resolved = self.resolved(message, profile, incident)
        draft = Draft(
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
        legs: tuple[Leg, ...] = ()
        channels: dict[str, Configured] = {}
        if anyway or not any(finding.blocks for finding in findings):
            channels = {name: self._public(self.learned(channel)) for name, channel in self.channels.items()}
            legs = plan(resolved, history, tuple(channels.values()), self.routes, contains=places.contains, to=to)
        wordless = tuple(leg for leg in legs if leg.skip or leg.operation is Operation.DELETE)
        said = [leg for leg in legs if leg not in wordless]
        scenes = {
            language: self.scene(language, resolved, profile, history, pictures, at=at)
            for language in {leg.language for leg in said}
        }
        wordings, refused = worded(said, scenes, channels, publication, at)
        deletes = any(leg.operation is Operation.DELETE for leg in wordless)
        if refused and not wordings and not deletes:
            raise refused[0][1]
        wordless += tuple(leg for leg, _ in refused)
        return Decided(
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
        )

    def draft(self, made: Decided, publication: str, *, key: str, actor: str, at: datetime) -> values.Draft:
        """What is written into the journal of it."""
        message, stage = made.message, made.message.stage
        lifetime = at + made.profile.lifetime if made.profile.lifetime else None
        # An end, and what sets right or takes back, is owed however late; the rest would be stale.
        stale = lifetime if stage in {Stage.OPENING, Stage.UPDATE, Stage.STANDALONE} else None
        owed = message.next_update_at or lifetime or at + _OWED
        return values.Draft(
            id=publication,
            key=key,
            digest=made.digest,
            message=message,
            course=made.course,
            expected_sequence=made.sequence,
            actor=actor,
            at=at,
            not_after=message.expires_at or stale,
            due_at=owed if made.course is Course.OPEN else None,
            findings=made.findings,
            rules={language: str(words.version) for language, words in sorted(self.words.items())},
            drafted=(
                *(drafted for wording in made.wordings for drafted in self._drafted(wording)),
                *(self._unworded(publication, leg) for leg in made.wordless),
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

    def resolved(self, message: Message, profile: Profile, incident: str | None) -> Message:
        """The message with what the profile and the tables of places know."""
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
        )

    def scene(
        self,
        language: str,
        message: Message,
        profile: Profile,
        history: History,
        pictures: tuple[Picture, ...],
        *,
        at: datetime,
    ) -> Scene:
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
        return Scene(
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

    def learned(self, channel: Configured) -> Configured:
        """The channel with what it knows of its server by now; what cannot be read silences nobody."""
        if not channel.learns:
            return channel
        try:
            with closing(channel.open(self.clock, self.journal.keep(channel.name))) as opened:
                return replace(channel, abilities=opened.abilities)
        except Exception as error:  # noqa: BLE001 - a stranger's channel may fail in any way
            _log.warning("Channel %s is taken for what it claims at first: %s.", channel.name, type(error).__name__)
            return channel

    def _public(self, channel: Configured) -> Configured:
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
            raise IllegalCourse(f"There is no publication {corrects}.", incident=None)
        return history

    def _course(self, message: Message, history: History, incident: str | None) -> Course:
        stage, corrects = message.stage, message.lifecycle.corrects
        if incident is None:
            first = history.opening
            if first is not None and first.stage is not Stage.STANDALONE:
                raise IllegalCourse(
                    f"Publication {first.publication} belongs to incident {first.message.incident!r}; name that one.",
                    incident=first.message.incident,
                )
            return next_course(history.course, stage, incident=None)
        if corrects is not None and history.entries and history.entry(corrects) is None:
            raise IllegalCourse(f"Publication {corrects} is not of incident {incident!r}.", incident=incident)
        if stage in may_follow(history.course):
            return next_course(history.course, stage, incident=incident)
        known = history.known(self.journal.incidents())
        return next_course(history.course, stage, incident=incident, known=known)

    def _picture(self, image: Image) -> Picture:
        if image.digest is not None:
            return self.journal.picture(image.digest, image.alt)
        if image.path is None:
            return picture(image.data or b"", image.alt)
        place = Path(image.path)
        if place.exists() and not (place.is_file() or place.is_dir()):  # a device or a pipe may never end
            raise InvalidPicture(f"Nothing was sent: {image.path!r} is no file with a picture.")
        try:
            data = place.read_bytes()
        except OSError as error:
            raise InvalidPicture(
                f"Nothing was sent: the picture {image.path!r} cannot be read ({error.strerror})."
            ) from error
        return picture(data, image.alt)

    def _drafted(self, wording: Wording) -> Iterator[values.Drafted]:
        how, refused = self.channels[wording.leg.channel], ""
        wanted: tuple[str, ...] = ()
        try:
            wanted = tuple(how.recipients()) if how.recipients else ()
        except SettingsError as error:  # a list that cannot be read must not silence the other channels
            refused = f"The list of recipients cannot be read: {error}"
        for number, post in enumerate((wording.standalone, *wording.further)):
            yield values.Drafted(
                leg=replace(wording.leg, part=wording.leg.part + number),
                post_key=post.key,
                standalone=post,
                reply=wording.reply if number == 0 else None,
                addresses=wanted if how.abilities.recipients else None,
                refused=refused,
            )

    @staticmethod
    def _unworded(publication: str, leg: Leg) -> values.Drafted:
        return values.Drafted(leg=leg, post_key=post_key(publication, leg), refused=leg.refused)


def _refuse_mixed(message: Message, history: History) -> None:
    """An exercise's messages are all marked as such, and no other is: the public would read an exercise as true.

    Raises:
        IllegalCourse: What it follows is an exercise, and it is none; or the other way round.
    """
    first = history.opening
    if first is None or first.message.exercise == message.exercise:
        return
    incident = first.message.incident
    it = f"Publication {first.publication}" if incident is None else f"Incident {incident!r}"
    kind, mark = ("an exercise", "True") if first.message.exercise else ("no exercise", "False")
    raise IllegalCourse(f"{it} is {kind}, and so is all that follows: exercise={mark}.", incident=incident)


def worded(
    legs: Iterable[Leg],
    scenes: Mapping[str, Scene],
    channels: Mapping[str, Configured],
    publication: str,
    at: datetime,
) -> tuple[tuple[Wording, ...], tuple[tuple[Leg, CannotFit], ...]]:
    """Word the legs; one on which it cannot be said silences no other.

    Args:
        legs: Which.
        scenes: What is said, by language.
        channels: The channels of the legs, by name.
        publication: Id of the publication.
        at: When it is said.

    Returns:
        The wordings, and the legs that are refused with the reason, numbered behind the posts of their channel.
    """
    fitting: list[Wording] = []
    unfit: dict[Leg, CannotFit] = {}
    for leg in legs:
        key = post_key(publication, leg)
        try:
            fitting.append(render(scenes[leg.language], leg, channel=channels[leg.channel], key=key))
        except CannotFit as error:
            unfit[leg] = error
    wordings = numbered(fitting, publication, at)
    taken = Counter(wording.leg.channel for wording in wordings for _ in (wording.standalone, *wording.further))
    refused = []
    for leg, cannot in unfit.items():
        reason = (
            f"Nothing was sent here: what, where and the first thing to do take {cannot.used} of {cannot.limit}. "
            "Shorten the headline, the street or the first sentence of the instruction, and publish that on this "
            "channel."
        )
        refused.append((replace(leg, part=taken[leg.channel], refused=reason), cannot))
        taken[leg.channel] += 1
    return wordings, tuple(refused)


def numbered(wordings: Sequence[Wording], publication: str, at: datetime) -> tuple[Wording, ...]:
    """The wordings, with the place of each post among those of its channel: where one goes on, the next ones move up.

    An edit that would go on in further posts is none: it is said below.
    """
    posts = [wording for wording in wordings if wording.leg.operation is Operation.POST]
    said = {(wording.leg.channel, wording.leg.language) for wording in posts}
    for wording in wordings:
        leg = wording.leg
        if leg.operation is Operation.EDIT and not wording.further:
            posts.append(wording)
        elif leg.operation is Operation.EDIT and (leg.channel, leg.language) not in said:
            posts.append(replace(wording, leg=replace(leg, operation=Operation.POST, target="")))
    taken: dict[str, int] = {}
    numbered = []
    for wording in posts:
        part = taken.get(wording.leg.channel, 0)
        taken[wording.leg.channel] = part + 1 + len(wording.further)
        leg = replace(wording.leg, part=part)
        standalone, *further = (
            post.model_copy(
                update={
                    "key": post_key(publication, replace(leg, part=part + number)),
                    # Each post of a publication has a time of its own, so that timelines keep their order.
                    "created_at": at + timedelta(milliseconds=part + number),
                }
            )
            for number, post in enumerate((wording.standalone, *wording.further))
        )
        same = {"key": standalone.key, "created_at": standalone.created_at}
        reply = wording.reply and wording.reply.model_copy(update=same)
        numbered.append(replace(wording, leg=leg, standalone=standalone, reply=reply, further=tuple(further)))
    return tuple(numbered)


def post_key(publication: str, leg: Leg) -> str:
    """The key of a post: the same for the same words to the same account.

    The channel is named too, since two networks may call our account alike, and so may a channel that is gone.
    """
    named = "\n".join((publication, leg.channel, leg.account, leg.language, str(leg.part), leg.operation))
    return hashlib.sha256(named.encode()).hexdigest()
