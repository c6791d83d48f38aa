"""The one door: check, plan, render, journal, deliver, and say what became of it."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from policenotify import places
from policenotify.attempt import patience
from policenotify.channel import Clock, Configured, Operation, Picture
from policenotify.checks import CHECKS, Check, Draft, check
from policenotify.delivery import LEASE, Delivery
from policenotify.errors import (
    IllegalCourse,
    InvalidPicture,
    JournalError,
    KeyReused,
    NotAllowed,
    PolicenotifyError,
    SettingsError,
    Stopped,
)
from policenotify.images import picture
from policenotify.journal import values
from policenotify.lifecycle import Course, Stage, next_course
from policenotify.message import Image, Message
from policenotify.plan import Route, plan
from policenotify.receipt import UNVERIFIED, Finding, History, Leg, Outcome, Publication, Receipt, Wording
from policenotify.reminders import Reminder, Reminders, Reminding, duty_message, duty_profile
from policenotify.render import Scene, render, resolve
from policenotify.slips import nearest
from policenotify.words import PROFILES, WORDS, Profile, Words, matching, profile_of
from policenotify.worker import Worker

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from policenotify.journal.kicking import Runner
    from policenotify.journal.store import Journal
    from policenotify.journal.values import IncidentLine

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, as the ULID specification has it
_log = logging.getLogger("policenotify")
_DESKS = 5  # how often a publication is decided anew when other desks are faster
_RUNNER = "runner"  # the actor of what the delivery itself does
_OWED = timedelta(hours=24)  # the deadline of an incident for which neither the message nor the category names one
_TURN = timedelta(seconds=5)  # for which a worker delivers before it looks up


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What `publish` would send.

    Attributes:
        message: The message as it would be journalled.
        findings: What the checks remark; blocking ones would keep it from going out.
        wordings: How it would read, on each channel and in each language.
        deletions: Which earlier posts would be taken back.
    """

    message: Message
    findings: tuple[Finding, ...] = ()
    wordings: tuple[Wording, ...] = ()
    deletions: tuple[Leg, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether it might go out."""
        return not any(finding.blocks for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A message whose pictures have been read, once: they are named by digest."""

    message: Message
    digest: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decided:
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


class Publisher:
    """Publishes messages on the channels of an installation.

    Usually made from the settings, by `policenotify.open_publisher()`. It may be used from several threads; nothing
    starts when it is made. Use it as a context manager, or call `close`.
    """

    def __init__(  # noqa: PLR0913 - what an installation is; all named at the call, most with a default
        self,
        *,
        journal: Journal,
        channels: Iterable[Configured],
        routes: Sequence[Route] = (),
        profiles: Mapping[str, Profile] = PROFILES,
        words: Mapping[str, Words] = WORDS,
        zone: tzinfo,
        sender: str,
        wait: timedelta = timedelta(seconds=20),
        clock: Clock | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        checks: Sequence[Check] = CHECKS,
        lease: timedelta = LEASE,
        patience: Callable[[timedelta], timedelta] = patience,
        reminding: Reminding | None = None,
        on_overdue: Callable[[Reminder], object] | None = None,
        runners: Iterable[Runner] = (),
    ) -> None:
        """Make a publisher.

        Args:
            journal: Where everything is written down.
            channels: The channels of the installation.
            routes: Which message goes where; none: every message goes everywhere.
            profiles: What each category means.
            words: The fixed phrases of each language.
            zone: The zone in which readers are told times.
            sender: The service's name.
            wait: For how long `publish` delivers before it returns.
            clock: Tells how much time passes, and channels what time it is; by default the journal's own, which alone
                says when something was said.
            entropy: Gives that many random bytes.
            checks: What is checked before anything is published.
            lease: For how long a claimed delivery stays its owner's without a word.
            patience: How long to wait before the next try of a post of a given age.
            reminding: When the desk is reminded of a word that it owes, and where.
            on_overdue: Called with each reminder that this process raises, in the thread that drains.
            runners: Engines of the host that deliver, and are told when something is published.

        Raises:
            SettingsError: Two channels are the same account, or a duty channel is none.
        """
        self.journal = journal
        self.channels = {channel.name: channel for channel in channels}
        _refuse_shared_accounts(self.channels.values())
        self.routes = tuple(routes)
        self.profiles = profiles
        self.words = words
        self.zone = zone
        self.sender = sender
        self.wait = wait
        self.clock = clock or journal.clock
        self._entropy = entropy
        self._checks = checks
        self.runners = list(runners)
        self._delivery = Delivery(
            journal=journal, channels=self.channels, clock=self.clock, lease=lease, patience=patience
        )
        reminding = reminding or Reminding()
        for name in reminding.to:
            if name not in self.channels:
                raise SettingsError(f"reminders.to: {name!r} is no channel. {nearest(name, self.channels)}")
        self._reminders = Reminders(journal=journal, reminding=reminding, on_overdue=on_overdue)
        self._reminded: frozenset[str] = frozenset()  # what the duty channels have been told, or never will be
        self._worker = Worker(_Background(journal, self._delivery, self._look_after, self._next_at), clock=self.clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give what is under way some seconds to finish, and let go of the journal. May be called twice."""
        self._worker.stop()
        self._delivery.close()
        self.journal.close()

    # --- saying something

    def preview(self, message: Message, *, to: Sequence[str] | None = None) -> Preview:
        """Exactly what `publish` would send now, without writing or sending anything.

        Raises:
            IllegalCourse: Its stage may not follow in its incident.
            CannotFit: What must be said does not fit a channel.
            InvalidPicture: A picture cannot be used.
            SettingsError: No channel is meant, or an unknown one.
        """
        at = self.journal.now()
        made = self._decide(self._given(message), to=to, publication=self._ulid(at), at=at, anyway=True)
        deletions = tuple(leg for leg in made.wordless if not leg.skip)
        return Preview(message=made.message, findings=made.findings, wordings=made.wordings, deletions=deletions)

    def publish(
        self,
        message: Message,
        *,
        key: str,
        actor: str,
        to: Sequence[str] | None = None,
        wait: timedelta | None = None,
        connection: Connection | None = None,
    ) -> Publication:
        """Say it: write it into the journal, deliver it, and return what became of it.

        Never lost; never twice where the network gives a key or a readable timeline; otherwise your documented
        choice (`on_unknown` of the channel).

        Args:
            message: What to say.
            key: Your own name for this publication, 1 to 200 characters: the same key publishes once, however often
                you ask; you get the receipt of the first time.
            actor: Who says it: an officer's service name or a system's.
            to: Names or tags of the channels that an opening or standalone message goes to; by default the routes
                decide. What follows goes to whoever got the opening.
            wait: For how long to deliver before returning; zero: return when it is journalled. By default as set
                for the publisher. What is not delivered by then is waiting in the journal, and the receipt says so.
            connection: Your own transaction on the journal's database (of a `Session`: `session.connection()`), in
                which it is then written, and nothing of it is delivered: it is said if you commit, and was never said
                if you roll back. All that it depends on is read there, too. What fails (a message that may not go
                out, a key that was used) leaves your transaction usable; the draft of a message that a check forbids
                is kept if you commit. On SQLite begin it with `BEGIN IMMEDIATE`: one that has only read so far may
                find that another process has written since, and then has to be begun anew.

        Raises:
            ValueError: The key or the actor has no name, or there is something to wait for in your own transaction.
            NotAllowed: A check forbids it; the draft is kept.
            IllegalCourse: Its stage may not follow in its incident, or another desk was faster.
            KeyReused: The key names another message.
            CannotFit: What must be said does not fit a channel.
            InvalidPicture: A picture cannot be used.
            Stopped: Everything is stopped.
            SettingsError: No channel is meant, or an unknown one.
            JournalError: The journal cannot be written; nothing was sent that is not in it. If it fails only after the
                message was written, the message waits there: ask again with the same key.

        In all other cases nothing was sent.
        """
        _check_names(key, actor)
        if connection is not None and wait:
            raise ValueError("wait: nothing can be delivered before you commit; leave it out. Nothing was sent")
        with self.journal.joined(connection) if connection is not None else nullcontext():
            given = self._given(message)
            first = self.journal.repeated(key, given.digest)
            written = first or self._write(given, key=key, actor=actor, to=to)
            if connection is not None:
                return self._told(written, repeated=written == first)
        if not first:
            self.wake()
        wait = self.wait if wait is None else wait
        if wait > timedelta(0):
            self._delivery.drain(wait, publication=written)
        return self._told(written, repeated=written == first)

    def incident(self, incident: str) -> Publication:
        """The last publication of an incident, perhaps of another process a week ago: builds what may follow.

        Raises:
            IllegalCourse: There is no such incident; says which are open.
        """
        history = self.journal.history(incident)
        if not history.entries:
            raise IllegalCourse(f"There is no incident {incident!r}. {history.known()}", incident=incident)
        return self._told(history.entries[-1].publication)

    def publication(self, wanted: str) -> Publication | None:
        """A publication and what became of it, by its id or by your key; `None`: there is none."""
        return self._told(wanted) if self.journal.publication(wanted) else None

    def incidents(self, *, only_open: bool = True) -> tuple[IncidentLine, ...]:
        """The incidents, the latest first, with what is owed."""
        return self.journal.incidents(only_open=only_open)

    def wake(self) -> None:
        """Tell the worker and the runners that something waits: after you have committed a transaction of your own.

        Without it they find what you published when they next look for themselves.
        """
        from policenotify.journal import kicking  # noqa: PLC0415 - brings the SQL toolkit

        self._worker.wake()
        kicking.wake(self.runners)

    def drain(self, budget: timedelta) -> datetime | None:
        """Deliver what is due, for at most that long; returns when something is due next. For timers and cron.

        The desk is reminded of each incident whose update or end is overdue, and addresses that nothing needs any more
        are erased.
        """
        self._look_after()
        return self._delivery.drain(budget)

    def _look_after(self) -> None:
        """What is done before each drain: erase addresses that nothing needs any more, and remind of what is owed."""
        self.journal.erase_addresses()
        standing = self._reminders.standing()
        for reminder in standing:
            if reminder.key not in self._reminded:
                self._tell_duty(reminder)
        self._reminded &= {reminder.key for reminder in standing}

    def _next_at(self) -> datetime | None:
        """When something is to be delivered, or the desk to be reminded, next; `None`: nothing waits and is owed."""
        return min(filter(None, (self._delivery.next_due(), self._reminders.next_at())), default=None)

    def worker(self) -> Worker:
        """Who delivers in the background of this process: to be started, or used as a context manager.

        It is one for each publisher, and runs only from its `start` to its `stop`. `close` stops it.
        """
        return self._worker

    # --- deciding

    def _write(self, given: _Given, *, key: str, actor: str, to: Sequence[str] | None) -> str:
        from policenotify.journal.publish import CourseChanged  # noqa: PLC0415 - brings the SQL toolkit

        for desk in range(_DESKS):
            at = self.journal.now()
            publication = self._ulid(at)
            made = self._decide(given, to=to, publication=publication, at=at)
            draft = self._draft(made, publication, key=key, actor=actor, at=at)
            if any(finding.blocks for finding in made.findings):
                self.journal.keep_refused(draft)
                raise NotAllowed(made.findings, publication)
            if not draft.drafted:
                raise SettingsError(
                    f"Nothing was sent: no route takes this {made.message.category} message. "
                    "Add a route for it, or name the channels in 'to'."
                )
            try:
                return self.journal.publish(draft, self.runners)
            except CourseChanged:
                if desk == _DESKS - 1:
                    raise
        raise AssertionError  # pragma: no cover  # the loop returns or raises

    def _decide(
        self, given: _Given, *, to: Sequence[str] | None, publication: str, at: datetime, anyway: bool = False
    ) -> _Decided:
        """Steps 1 to 3; a message that a check forbids is planned and worded only where that is wanted *anyway*."""
        message, pictures = given.message, given.pictures
        history = self._history(message)
        incident = message.incident or (publication if message.stage is Stage.OPENING else None)
        course = self._course(message, history, incident)
        profile = profile_of(message.category, self.profiles)
        resolved = self._resolved(message, profile, incident)
        draft = Draft(
            message=resolved,
            profile=profile,
            history=history,
            is_commune=lambda code: places.commune(code) is not None,
            words=self.words,
            now=at,
            zone=self.zone,
            mentions=frozenset().union(*(channel.mentions for channel in self.channels.values())),
        )
        findings = check(draft, self._checks)
        legs: tuple[Leg, ...] = ()
        channels: dict[str, Configured] = {}
        if anyway or not any(finding.blocks for finding in findings):
            channels = {name: self._public(self._learned(channel)) for name, channel in self.channels.items()}
            legs = plan(resolved, history, tuple(channels.values()), self.routes, contains=places.contains, to=to)
        wordless = tuple(leg for leg in legs if leg.skip or leg.operation is Operation.DELETE)
        said = [leg for leg in legs if leg not in wordless]
        scenes = {
            language: self._scene(language, resolved, profile, history, pictures, at=at)
            for language in {leg.language for leg in said}
        }
        wordings = tuple(
            render(scenes[leg.language], leg, channel=channels[leg.channel], key=_post_key(publication, leg))
            for leg in said
        )
        wordings = _numbered(wordings, publication, at)
        return _Decided(
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

    def _public(self, channel: Configured) -> Configured:
        """The channel as the public's messages have it: nothing of theirs begins on a duty channel."""
        return replace(channel, retired=True) if channel.name in self._reminders.reminding.to else channel

    def _learned(self, channel: Configured) -> Configured:
        """The channel with what it knows of its server by now; what cannot be read silences nobody."""
        if not channel.learns:
            return channel
        try:
            with closing(channel.open(self.clock, self.journal.keep(channel.name))) as opened:
                return replace(channel, abilities=opened.abilities)
        except Exception as error:  # noqa: BLE001 - a stranger's channel may fail in any way
            _log.warning("Channel %s is taken for what it claims at first: %s.", channel.name, type(error).__name__)
            return channel

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
        if not history.entries and stage is not Stage.OPENING:
            lines = tuple(str(line) for line in self.journal.incidents())
            history = replace(history, open_incidents=lines)
        return next_course(history.course, stage, incident=incident, known=history.known())

    def _resolved(self, message: Message, profile: Profile, incident: str | None) -> Message:
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

    def _scene(
        self,
        language: str,
        message: Message,
        profile: Profile,
        history: History,
        pictures: tuple[Picture, ...],
        *,
        at: datetime,
    ) -> Scene:
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

    def _given(self, message: Message) -> _Given:
        pictures = tuple(self._picture(image) for image in message.images)
        images = tuple(Image(alt=one.alt, digest=one.digest) for one in pictures)
        message = message.model_copy(update={"images": images})
        return _Given(message=message, digest=message.digest(), pictures=pictures)

    def _picture(self, image: Image) -> Picture:
        if image.digest is not None:
            return self.journal.picture(image.digest, image.alt)
        if image.path is None:
            return picture(image.data or b"", image.alt)
        try:
            data = Path(image.path).read_bytes()
        except OSError as error:
            raise InvalidPicture(
                f"Nothing was sent: the picture {image.path!r} cannot be read ({error.strerror})."
            ) from error
        return picture(data, image.alt)

    # --- journalling

    def _draft(self, made: _Decided, publication: str, *, key: str, actor: str, at: datetime) -> values.Draft:
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
        return values.Drafted(leg=leg, post_key=_post_key(publication, leg))

    def _tell_duty(self, reminder: Reminder) -> None:
        """Journal the message to the duty channels, once for all processes; they are the only ones it can go to."""
        reminding = self._reminders.reminding
        channels = [self.channels[name] for name in reminding.to]
        channels = [self._learned(channel) for channel in channels if channel.exercise == reminder.exercise]
        try:
            if channels:
                self._publish_to_duty(reminder, channels)
        except Stopped:
            return  # to be said when all goes on
        except KeyReused:
            pass  # another process, with other settings, has said it
        except JournalError:
            raise
        except PolicenotifyError as error:
            _log.error("The duty channel is not told of %s: %s", reminder.incident, error)  # its trace tells nothing
        self._reminded |= {reminder.key}

    def _publish_to_duty(self, reminder: Reminder, channels: Sequence[Configured]) -> None:
        at, language = self.journal.now(), channels[0].languages[0]
        publication = self._ulid(at)
        reminding = self._reminders.reminding
        words = matching(language, self.words) or next(iter(self.words.values()))
        message = duty_message(reminder, language=language, words=words, phrases=reminding.words, zone=self.zone)
        profile = duty_profile(reminding, reminder.level)
        message = self._resolved(message, profile, None)
        legs = [Leg(channel=one.name, account=one.account, language=language) for one in channels]
        scene = self._scene(language, message, profile, History(), (), at=at)
        wordings = tuple(
            render(scene, leg, channel=channel, key=_post_key(publication, leg))
            for leg, channel in zip(legs, channels, strict=True)
        )
        made = _Decided(
            message=message,
            digest=message.digest(),
            profile=profile,
            history=History(),
            course=Course.STANDALONE,
            sequence=0,
            findings=(),
            pictures=(),
            wordings=_numbered(wordings, publication, at),
            wordless=(),
        )
        self.journal.publish(self._draft(made, publication, key=reminder.key, actor=_RUNNER, at=at))

    # --- telling

    def _told(self, wanted: str, *, repeated: bool = False) -> Publication:
        """The publication as the journal has it; what waits says who will send it."""
        found = self.journal.publication(wanted)
        if found is None:
            raise KeyError(wanted)
        waiting = self._waiting_note() if any(not receipt.outcome.settled for receipt in found.receipts) else ""
        receipts = []
        for receipt in found.receipts:
            note = self._how_far_known(receipt) if receipt.outcome.settled else f"{waiting}{self._held_up(receipt)}"
            receipts.append(receipt.model_copy(update={"note": note}))
        return found.model_copy(update={"receipts": tuple(receipts), "repeated": repeated})

    def _held_up(self, receipt: Receipt) -> str:
        """When the next post may leave on its channel, where that is not now."""
        how = self.channels.get(receipt.channel)
        at = self.journal.opens_at(receipt.channel, how.rate if how else None)
        return f" Nothing leaves on its channel before {at.astimezone(self.zone):%Y-%m-%d %H:%M:%S}." if at else ""

    def _how_far_known(self, receipt: Receipt) -> str:
        channel = self.channels.get(receipt.channel)
        told = channel is None or channel.abilities.acceptance == "verified"
        return "" if told or receipt.outcome is not Outcome.POSTED else UNVERIFIED

    def _waiting_note(self) -> str:
        seen = self.journal.runner_seen()
        when = f"{seen.astimezone(self.zone):%Y-%m-%d %H:%M:%S}" if seen else "never"
        if self._worker.running or self.journal.worker_seen():
            return f"A worker sends it; it was last seen at {when}."
        return f"The next publish or `policenotify drain` sends it; the last one ran at {when}."

    def _ulid(self, at: datetime) -> str:
        number = (int(at.timestamp() * 1000) << 80) | int.from_bytes(self._entropy(10))
        return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


@dataclass(frozen=True, slots=True)
class _Background:
    """What the worker does, and how it learns that there is something to do."""

    journal: Journal
    delivery: Delivery
    look_after: Callable[[], None]
    next_at: Callable[[], datetime | None]

    def drain(self, enough: Callable[[], bool]) -> None:
        self.look_after()
        self.delivery.drain(_TURN, enough=enough, stays=True)

    def rest(self) -> float | None:
        due = self.next_at()
        return None if due is None else (due - self.journal.now()).total_seconds()

    def mark(self) -> object:
        return self.journal.mark()

    def finish(self, patience: float) -> bool:
        finished = self.delivery.finish(patience=patience)
        with suppress(JournalError):  # it will be seen by its silence
            self.journal.left_runner()
        return finished


def _numbered(wordings: Sequence[Wording], publication: str, at: datetime) -> tuple[Wording, ...]:
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
                    "key": _post_key(publication, replace(leg, part=part + number)),
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


def _post_key(publication: str, leg: Leg) -> str:
    named = "\n".join((publication, leg.account, leg.language, str(leg.part), leg.operation))
    return hashlib.sha256(named.encode()).hexdigest()


def _refuse_shared_accounts(channels: Iterable[Configured]) -> None:
    """Two channels of one account would say everything twice to the same readers."""
    names: dict[tuple[str, str], str] = {}
    for channel in channels:
        first = names.setdefault((channel.network, channel.account), channel.name)
        if first != channel.name:
            raise SettingsError(f"The channels {first!r} and {channel.name!r} are the same account; keep one of them.")


def _check_names(key: str, actor: str) -> None:
    for name, value in (("key", key), ("actor", actor)):
        if not value.strip() or len(value) > 200 or not value.isprintable():  # noqa: PLR2004 - the column's width
            raise ValueError(f"{name}: 1 to 200 printable characters are needed; nothing was sent")
