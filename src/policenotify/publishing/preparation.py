"""Check a message, choose its channels and render its posts. Nothing is stored in the journal."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from itertools import takewhile
from typing import TYPE_CHECKING

from policenotify.channel import ChannelConfig, Clock, Operation, Picture
from policenotify.checks import SHIPPED, CheckContext, Rule, Vocabulary, check_links, run_checks
from policenotify.delivery.telemetry import span, traceparent
from policenotify.errors import InvalidTransition, MessageTooLong, PolicenotifyError, SettingsError
from policenotify.findings import Finding, Level, are_blocking, images_left
from policenotify.journal.records import LISTED, NewPublication, describe_incidents
from policenotify.log import fields
from policenotify.model import places
from policenotify.model.cap import Severity
from policenotify.model.history import History, RenderedPost, Target
from policenotify.model.lifecycle import IncidentStatus, Stage, allowed_stages, next_status
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.defaults import fill_defaults, speak
from policenotify.publishing.images import load_images
from policenotify.publishing.reach import check_limits
from policenotify.publishing.routing import (
    Route,
    channels_with_images,
    choose_targets,
    choose_targets_on,
)
from policenotify.publishing.status import MEND, problem_of
from policenotify.render import RenderContext, render
from policenotify.render.locales import CategoryProfile, Locale, best_match, profile_of
from policenotify.translation import Text, quoted

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, as in the ULID specification
_DEADLINE = timedelta(hours=24)  # of an incident whose deadline neither the message nor the category gives
_OTHERS = 200  # open incidents with which the place of an end is compared, the newest
_log = logging.getLogger("policenotify")


@dataclass(slots=True, kw_only=True)
class Preparer:
    """Turns messages into publications that are ready to be stored.

    Attributes:
        duty_channels: The names of the channels on which only reminders begin.
        zone: The zone of the times in posts.
        sender: The service's name.
        clock: The clock for channels that read their capabilities from a server.
        entropy: Returns that many random bytes.
        words: The word lists of the checks.
    """

    journal: Journal
    channels: Mapping[str, ChannelConfig]
    duty_channels: tuple[str, ...]
    routes: Sequence[Route]
    profiles: Mapping[str, CategoryProfile]
    locales: Mapping[str, Locale]
    zone: tzinfo
    sender: str
    clock: Clock
    checks: Sequence[Rule]
    entropy: Callable[[int], bytes]
    links: tuple[str, ...] = ()
    words: Vocabulary = SHIPPED

    def prepare(
        self,
        message: Message,
        pictures: Sequence[Picture] = (),
        *,
        key: str,
        actor: str,
        to: Sequence[str] | None = None,
        file_names: Sequence[str] = (),
        despite_findings: bool = False,
    ) -> NewPublication:
        """Check a message, choose its channels and render its posts.

        Args:
            message: The message, its images named by digest.
            pictures: Those images, as `load_images` returns them.
            key: The caller's key.
            actor: The officer or system that publishes.
            to: Names or tags of channels, instead of the routes.
            file_names: The names of the files of the images, empty for an image without one.
            despite_findings: Render the posts even if a finding blocks. Otherwise there are none then.

        Raises:
            InvalidTransition: The stage is not allowed now in this incident.
            MessageTooLong: The message fits none of the channels.
            SettingsError: No channel is chosen, or *to* names an unknown one.
        """
        at = self.journal.now()
        publication = ulid(at, self.entropy(10))
        incident = message.incident or (publication if message.stage is Stage.OPENING else None)
        history = self._history(message)
        status = self._status_after(message, history, incident)
        _refuse_mixed_exercise(message, history)
        profile = profile_of(message.category, self.profiles)
        resolved = self._fill_defaults(message, profile, incident, history, at)
        context = self._check_context(message, resolved, profile, history, at, file_names)
        lifetime = at + profile.lifetime if profile.lifetime else None
        # An end, a correction and a cancellation are published however late. Anything else would be stale.
        stale_at = lifetime if message.stage in {Stage.OPENING, Stage.UPDATE, Stage.STANDALONE} else None
        with span("check"):
            findings = run_checks(context, self.checks)
        new = NewPublication(
            id=publication,
            key=key,
            digest=message.digest(),
            message=resolved,
            status=status,
            expected_sequence=len(history.entries) + 1 if incident else 0,
            actor=actor,
            at=at,
            not_after=resolved.expires_at or stale_at,
            due_at=(resolved.next_update_at or lifetime or at + _DEADLINE) if status is IncidentStatus.OPEN else None,
            findings=findings,
            rules={language: str(locale.version) for language, locale in sorted(self.locales.items())},
            pictures=tuple(
                picture.model_copy(update={"alt": image.alt})
                for picture, image in zip(pictures, resolved.images, strict=True)
            ),
            typed=message,
            earlier=tuple(entry.message for entry in history.entries),
            trace=traceparent(),
            skips_without_opening=frozenset(
                name for name, channel in self.channels.items() if channel.without_opening == "skip"
            ),
        )
        if not despite_findings and are_blocking(new.findings):
            return new
        channels = {name: self.discover_capabilities(channel) for name, channel in self.channels.items()}
        for name in self.duty_channels:  # no message of the desk begins there
            channels[name] = channels[name].model_copy(update={"retired": True})
        with span("plan"):
            targets = choose_targets(
                resolved,
                history,
                tuple(channels.values()),
                self.routes,
                contains=places.contains,
                to=to,
                deletes_images=self._deletes_images(resolved, history),
            )
        if self._deletes_images(resolved, history):
            left = channels_with_images(history, tuple(channels.values()), targets)
            new = replace(new, findings=(*new.findings, images_left(left))) if left else new
        targets, pending = _set_apart(targets, channels)
        with span("render", attributes={"policenotify.channels": len({target.channel for target in targets})}):
            posts, without_post = self._render(
                targets, channels, new, history, new.pictures, may_be_empty=bool(pending)
            )
        many = {post.target.channel for post in posts if channels[post.target.channel].capabilities.recipients}
        limits = check_limits(resolved, posts, channels, self._had_recipients)
        new = replace(new, findings=(*new.findings, *limits, *self._check_links(posts, new.findings)))
        return replace(new, posts=posts, targets=(*without_post, *pending), with_recipients=frozenset(many))

    def resolve_alone(self, message: Message) -> Message:
        """Return a message as it would be published without what it takes from its incident."""
        profile = profile_of(message.category, self.profiles)
        return self._fill_defaults(message, profile, message.incident, History(), self.journal.now())

    def severity_of(self, category: str) -> Severity:
        """Return the severity of a category. `Unknown` for one that the installation has no more."""
        return self.profiles[category].severity if category in self.profiles else Severity.UNKNOWN

    def _check_links(self, posts: Sequence[RenderedPost], known: Sequence[Finding]) -> Iterator[Finding]:
        """Yield what is wrong with links that a network has made: the transliteration of an SMS, `ｅｖｉｌ.com`."""
        seen = {(finding.code, finding.reason) for finding in known}
        for wording in posts:
            for post in filter(None, (wording.standalone, wording.reply, *wording.continuations)):
                for finding in check_links(post.text, self.links, field=wording.target.channel):
                    if (finding.code, finding.reason) not in seen:
                        seen.add((finding.code, finding.reason))
                        yield finding

    def without_people(self, new: NewPublication) -> Iterator[Target]:
        """Yield what of a publication would wait, because the people of its channel cannot be read now."""
        first = {post.target.channel: post.target for post in reversed(new.posts)}
        for name in sorted(new.with_recipients):
            problem = None if first[name].reply_to else problem_of(self.channels[name], self._had_recipients)
            if problem is not None:
                yield replace(first[name], account="", problem=problem.reason, remedy=problem.remedy)

    def _had_recipients(self, channel: str) -> bool:
        return self.journal.deliveries.had_recipients(channel)

    def check_file_names(self, message: Message, file_names: Sequence[str]) -> tuple[Finding, ...]:
        """Return what blocks, or needs a second person, in the names of the files of the images."""
        if not any(file_names):
            return ()
        profile = profile_of(message.category, self.profiles)
        context = self._check_context(message, message, profile, History(), self.journal.now(), file_names)
        fields, found = {name for _, name, _ in context.file_names}, run_checks(context, self.checks)
        return tuple(finding for finding in found if finding.field in fields and finding.level is not Level.ADVISE)

    def _check_context(
        self,
        typed: Message,
        resolved: Message,
        profile: CategoryProfile,
        history: History,
        at: datetime,
        file_names: Sequence[str],
    ) -> CheckContext:
        names = enumerate(file_names)
        return CheckContext(
            message=resolved,
            profile=profile,
            history=history,
            is_commune=lambda code: places.commune(code) is not None,
            is_place_name=places.is_name,
            communes_named=lambda name: frozenset(each.code for each in places.communes_named(name)),
            locales=self.locales,
            now=at,
            zone=self.zone,
            mentions=frozenset().union(*(channel.mentions for channel in self.channels.values())),
            links=self.links,
            traffic=frozenset().union(*(each.capabilities.traffic for each in self.channels.values())),
            typed=typed,
            words=self.words,
            file_names=tuple((typed.language, f"images.{number}.path", name) for number, name in names if name),
            open_places=self._open_places(resolved) if resolved.stage is Stage.END else (),
        )

    def _open_places(self, message: Message) -> tuple[str, ...]:
        """Return the places of the other open incidents."""
        others = self.journal.incidents.list(limit=_OTHERS)
        return tuple(each.place for each in others if each.id != message.incident and each.exercise == message.exercise)

    def prepare_pending(
        self, publication: Publication, channel: ChannelConfig
    ) -> tuple[tuple[RenderedPost, ...], tuple[Target, ...]]:
        """Render a publication for a channel that could not be used at the time.

        Returns:
            The posts, and the targets without one.

        Raises:
            MessageTooLong: The message does not fit the channel in any language.
            SettingsError: Its language is not configured any more.
        """
        message = publication.message
        history = self._history(message)
        earlier = tuple(takewhile(lambda entry: entry.publication != publication.id, history.entries))
        history = replace(history, entries=earlier)
        channel = self.discover_capabilities(channel)
        _, pictures = load_images(message, self.journal.publications.picture)
        deletes_images = self._deletes_images(message, history)
        targets = choose_targets_on(message, history, channel, others=self.channels, deletes_images=deletes_images)
        return self._render(targets, {channel.name: channel}, publication, history, pictures)

    def _deletes_images(self, message: Message, history: History) -> bool:
        """Return True if a message ends an incident of which a category, at any time, wants its images deleted."""
        codes = {message.category, *(entry.message.category for entry in history.entries)}
        wanted = any(self.profiles[code].deletes_images for code in codes & self.profiles.keys())
        return wanted and message.stage in {Stage.END, Stage.CANCELLATION}

    def _fill_defaults(
        self, message: Message, profile: CategoryProfile, incident: str | None, history: History, now: datetime
    ) -> Message:
        """Return the message with what its category, the tables of places and its incident add."""
        where = message.location
        commune = places.commune(where.commune) if where and where.commune else None
        code = (where.department if where else None) or (commune.department if commune else None)
        department = places.department_name(code) if code else None
        filled = fill_defaults(
            message,
            profile,
            sender=self.sender,
            commune_name=commune.name if commune else None,
            department_name=department,
            department=code,
            incident=incident,
            history=history,
            now=now,
        )
        return speak(filled, history, self.locales)

    def _render(
        self,
        targets: Sequence[Target],
        channels: Mapping[str, ChannelConfig],
        publication: NewPublication | Publication,
        history: History,
        pictures: tuple[Picture, ...],
        *,
        may_be_empty: bool = False,
    ) -> tuple[tuple[RenderedPost, ...], tuple[Target, ...]]:
        """Render the targets. A channel on which the text does not fit, or that fails, does not affect the others.

        Returns:
            The posts, and the targets without one: skipped, deletions, and those that cannot be rendered, with the
            reason and numbered after the posts of their channel.

        Raises:
            MessageTooLong: The text fits none of the channels, nothing else is to be done, and it may not be empty.
            SettingsError: In the same case, a language has no fixed phrases or a network fails.
        """
        without_post = tuple(target for target in targets if target.skip or target.operation is Operation.DELETE)
        to_render = [target for target in targets if target not in without_post]
        contexts: dict[str, RenderContext] = {}
        fitting: list[RenderedPost] = []
        failures: dict[Target, PolicenotifyError] = {}
        for target in to_render:
            channel, key, language = channels[target.channel], target.post_key(publication.id), target.language
            try:
                if language not in contexts:
                    contexts[language] = self._render_context(language, publication, history, pictures)
                fitting.append(render(contexts[language], target, channel=channel, key=key))
            except PolicenotifyError as error:
                failures[target] = error
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a network of another package may fail in any way
                name = type(error).__name__
                about = fields(channel=channel.name)
                _log.error(
                    "Channel %s: its network fails to measure or spell a text (%s).", channel.name, name, extra=about
                )
                failures[target] = SettingsError(
                    Text(
                        "Nothing was sent: the network {network!r} of {name!r} fails on this text "
                        "({name_2}). Report it to the author of its package, and reach these readers in "
                        "another way.",
                        network=channel.network,
                        name=channel.name,
                        name_2=name,
                    )
                )
        deletes = any(target.operation is Operation.DELETE for target in without_post)
        if failures and not (fitting or deletes or may_be_empty):
            raise next(iter(failures.values()))
        posts = number_posts(fitting, publication.id, publication.at)
        return posts, (*without_post, *_refused_targets(failures, posts))

    def _render_context(
        self, language: str, publication: NewPublication | Publication, history: History, pictures: tuple[Picture, ...]
    ) -> RenderContext:
        message, locale = publication.message, best_match(language, self.locales)
        if locale is None:
            raise SettingsError(
                Text(
                    "Nothing was sent: there are no fixed phrases for the language {language!r}. Known: {locales}.",
                    language=language,
                    locales=", ".join(sorted(self.locales)),
                )
            )
        name = message.location.commune_name if message.location else None
        return RenderContext(
            message=message,
            language=language,
            locale=locale,
            profile=profile_of(message.category, self.profiles),
            now=publication.at,
            zone=self.zone,
            sender=self.sender,
            history=history,
            pictures=pictures,
            reference=self.journal.keys.reference(message.incident) if message.incident else "",
            thread=self.journal.keys.tag("thread", message.incident)[:16] if message.incident else "",
            is_shared=places.is_shared(name or ""),
        )

    def discover_capabilities(self, channel: ChannelConfig) -> ChannelConfig:
        """Return the channel with the capabilities that its server is known to have."""
        if not channel.discovers_capabilities:
            return channel
        try:
            with closing(channel.open(self.clock, self.journal.channels.state_store(channel.name))) as opened:
                return channel.model_copy(update={"capabilities": opened.capabilities})
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a network of another package may fail in any way
            name, about = type(error).__name__, fields(channel=channel.name)
            _log.warning("Channel %s: its default capabilities are used (%s).", channel.name, name, extra=about)
            return channel

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
            raise InvalidTransition(Text("There is no publication {corrects}.", corrects=corrects), incident=None)
        return history

    def _status_after(self, message: Message, history: History, incident: str | None) -> IncidentStatus:
        stage, corrects, reopens = message.stage, message.lifecycle.corrects, bool(message.lifecycle.reopens)
        if incident is None:
            first = history.opening
            if first is not None and first.stage is not Stage.STANDALONE:
                raise InvalidTransition(
                    Text(
                        "Publication {publication} belongs to incident {incident!r}; name that one.",
                        publication=first.publication,
                        incident=first.message.incident,
                    ),
                    incident=first.message.incident,
                )
            return next_status(history.status, stage, incident=None)
        if corrects is not None and history.entries and history.entry(corrects) is None:
            raise InvalidTransition(
                Text("Publication {corrects} is not of incident {incident!r}.", corrects=corrects, incident=incident),
                incident=incident,
            )
        if reopens and not any(history.is_end(entry) for entry in history.entries if entry.publication == corrects):
            raise InvalidTransition(
                Text(
                    "Publication {corrects} is not the end of incident {incident!r}, and only a wrong end is "
                    "taken back.",
                    corrects=corrects,
                    incident=incident,
                ),
                incident=incident,
            )
        if stage in allowed_stages(history.status):
            return next_status(history.status, stage, incident=incident, reopens=reopens)
        incidents = self.journal.incidents
        details = describe_incidents(history, incidents.list(limit=LISTED), self.zone, count=incidents.count_open())
        return next_status(history.status, stage, incident=incident, details=details)


def _set_apart(
    targets: Sequence[Target], channels: Mapping[str, ChannelConfig]
) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """Return the targets to render, and those that wait until their channel can be used."""
    pending: dict[str, Target] = {}
    for target in targets:
        problem = None if target.skip else channels[target.channel].problem
        if problem and target.channel not in pending:
            # How many posts the channel needs is not known yet, so there is one target for it.
            pending[target.channel] = Target(
                channel=target.channel,
                account="",
                language=target.language,
                problem=Text(
                    "The channel {channel!r} cannot be used: {problem}", channel=target.channel, problem=problem
                ),
                remedy=MEND,
            )
    usable = tuple(target for target in targets if target.skip or target.channel not in pending)
    return usable, tuple(pending.values())


def ulid(at: datetime, randomness: bytes) -> str:
    """Return a ULID of that time: the id of a publication or draft."""
    number = (int(at.timestamp() * 1000) << 80) | int.from_bytes(randomness)
    return "".join(_ULID_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def _refuse_mixed_exercise(message: Message, history: History) -> None:
    """Refuse an exercise that follows a real message, and the reverse."""
    first = history.opening
    if first is None or first.message.exercise == message.exercise:
        return
    incident = first.message.incident
    it = (
        Text("Publication {publication}", publication=first.publication)
        if incident is None
        else Text("Incident {incident}", incident=quoted(incident))
    )
    raise InvalidTransition(
        Text("{it} is an exercise, and so is all that follows: exercise=True.", it=it)
        if first.message.exercise
        else Text("{it} is no exercise, and neither is what follows: exercise=False.", it=it),
        incident=incident,
    )


def _refused_targets(failures: Mapping[Target, PolicenotifyError], posts: Sequence[RenderedPost]) -> Iterator[Target]:
    parts = Counter(post.target.channel for post in posts for _ in (post.standalone, *post.continuations))
    for target, error in failures.items():
        reason = error.text
        if isinstance(error, MessageTooLong):
            reason = Text(
                "Nothing was sent here: what, where and the first thing to do take {used} of {limit}. "
                "Shorten the headline, the street or the first sentence of the instruction, and publish "
                "that on this channel.",
                used=error.used,
                limit=error.limit,
            )
        yield replace(target, part=parts[target.channel], refused=reason)
        parts[target.channel] += 1


def number_posts(rendered: Sequence[RenderedPost], publication: str, at: datetime) -> tuple[RenderedPost, ...]:
    """Return the posts with their part, key and time.

    A continuation moves the later parts of its channel up. An edit cannot add posts. One whose text needs
    continuations becomes a post, unless that language has one already.
    """
    posts = [each for each in rendered if each.target.operation is Operation.POST]
    posted = {(each.target.channel, each.target.language) for each in posts}
    for each in rendered:
        target = each.target
        if target.operation is Operation.EDIT and not each.continuations:
            posts.append(each)
        elif target.operation is Operation.EDIT and (target.channel, target.language) not in posted:
            posts.append(replace(each, target=replace(target, operation=Operation.POST, target="")))
    parts: Counter[str] = Counter()
    numbered = []
    for each in posts:
        part = parts[each.target.channel]
        target = replace(each.target, part=part)
        standalone, *continuations = (
            post.model_copy(
                update={
                    "key": replace(target, part=part + number).post_key(publication),
                    # Each post of a publication has a time of its own, so that timelines keep their order.
                    "created_at": at + timedelta(milliseconds=part + number),
                }
            )
            for number, post in enumerate((each.standalone, *each.continuations))
        )
        parts[target.channel] += 1 + len(continuations)
        same = {"key": standalone.key, "created_at": standalone.created_at}
        reply = each.reply and each.reply.model_copy(update=same)
        numbered.append(
            replace(each, target=target, standalone=standalone, reply=reply, continuations=tuple(continuations))
        )
    return tuple(numbered)
