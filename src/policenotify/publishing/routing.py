"""Choose the channels of a message and the posts it answers.

An opening goes where the routes send it, or to the channels that the caller names. What follows goes to the channels of
the opening, wherever the routes send it now, so that no reader goes on avoiding a street. An update may reach further
channels, unless the caller named those of the opening: then only the caller adds others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from policenotify.channel import ChannelConfig, Operation
from policenotify.errors import SettingsError
from policenotify.model.cap import Severity
from policenotify.model.channel_settings import Name
from policenotify.model.history import History, HistoryEntry, Outcome, PostedPart, Target
from policenotify.model.lifecycle import FrozenModel, Stage
from policenotify.model.location import Location
from policenotify.model.message import CategoryCode, Message
from policenotify.translation import AnyText, Text
from policenotify.validation import did_you_mean

Contains = Callable[[str, str], bool]
"""Returns whether an area (`commune:34172`, `epci:243400017`, `dept:34`) contains the commune with an INSEE code."""

_FINAL: Final = frozenset({Stage.END, Stage.CANCELLATION})
BEGINNINGS: Final = frozenset({Stage.OPENING, Stage.STANDALONE})
"""The stages that follow nothing."""

_NOT_OUT: Final = frozenset({Outcome.REFUSED, Outcome.SUPERSEDED, Outcome.SKIPPED, Outcome.DELETED})
# What is in doubt is looked for first, and deleted if it is found. What waits may be sent before this is stored.
_MAY_BE_OUT: Final = frozenset({Outcome.POSTED, Outcome.SENDING, Outcome.UNCONFIRMED, Outcome.WAITING})


def _area(value: str) -> str:
    if not re.fullmatch(r"commune:\d[\dAB]\d{3}|epci:\d{9}|dept:(\d[\dAB]|\d{3})", value):
        raise ValueError(
            Text(
                "{value!r} is not an area; write one such as 'dept:34', 'commune:34172' or 'epci:243400017'",
                value=value,
            )
        )
    return value


AreaCode = Annotated[str, AfterValidator(_area)]
"""An area by its code in the COG: `commune:34172`, `epci:243400017`, `dept:34`."""


class Route(FrozenModel):
    """A rule that sends some messages to some channels. All rules that match count.

    Attributes:
        categories: Category codes. Empty means all.
        at_least: The lowest severity. Without it, all.
        areas: `commune:34172`, `epci:243400017` or `dept:34`, by their codes in the COG. Empty means everywhere, and
            messages without a place. A message that names only a department concerns each commune in it.
        to: Channels or tags.
    """

    categories: frozenset[CategoryCode] = frozenset()
    at_least: Severity | None = None
    areas: tuple[AreaCode, ...] = ()
    to: tuple[Name, ...] = Field(min_length=1)

    def matches(self, message: Message, contains: Contains) -> bool:
        """Return whether the route is for this (resolved) message."""
        if self.categories and message.category not in self.categories:
            return False
        if self.at_least and not (message.severity or Severity.UNKNOWN).at_least(self.at_least):
            return False
        return not self.areas or any(_concerns(message.location, area, contains) for area in self.areas)


def choose_targets(
    message: Message,
    history: History,
    channels: Sequence[ChannelConfig],
    routes: Sequence[Route],
    *,
    contains: Contains,
    to: Sequence[str] | None = None,
    deletes_images: bool = False,
) -> tuple[Target, ...]:
    """Choose the channels and languages of a message, and what it answers there.

    - OPENING, STANDALONE: the channels of all routes that match, or every channel without routes. An exercise goes to
      all channels for exercises, whatever the routes. A retired channel gets no beginning.
    - UPDATE, END, CORRECTION, CANCELLATION: every channel, in every language, that got something of the incident,
      whatever its outcome there. That includes retired channels, renamed ones (with a new thread), and those that the
      routes no longer name. Where it is impossible, `skip` has the reason. An UPDATE also goes to channels that
      the routes name now, unless the beginning was narrowed by *to*.
    - CORRECTION, CANCELLATION: a post, an edit of the wrong post, deletions, or two of these, by the channel's settings
      and capabilities. The posts come first.

    The history is the incident, or the standalone publication that is corrected. The names or tags in *to* stand for
    the routes of a beginning. To what follows they only add channels, and nothing else adds one to a beginning that was
    narrowed. With *deletes_images* an END or CANCELLATION deletes
    the posts with images, where the network can.

    Returns:
        The targets, in the order of the channels. There is none if no route matches a message below Severe.

    Raises:
        SettingsError: *to* or a route names an unknown channel. Or no channel is left for a Severe or Extreme message,
            for an exercise, of those in *to*, or of those on which the incident began.
    """
    if isinstance(to, str):  # one name, not its letters, each of which may be another channel's
        to = (to,)
    follows = message.stage not in BEGINNINGS
    reached = _reached(history, channels) if follows else {}
    routed: list[ChannelConfig] = []
    by_routes = history.narrowed_to is None and (not reached or message.stage is Stage.UPDATE) and not history.damage
    if not follows or to is not None or by_routes:
        routed = _routed(message, channels, routes, contains, to)
    known = {channel.name for channel in channels}
    began = reached.keys() | {*(history.narrowed_to or ())}
    if follows and not routed and (began or history.damage) and not known & reached.keys():
        _refuse_gone(began)
    if not routed and not reached:
        _refuse_silence(message, to)
    added_by = "" if not follows else "routes" if to is None else "to"
    targets: list[Target] = []
    for channel in channels:
        if channel.name in reached:
            targets += _following(message, history, channel, reached[channel.name], deletes_images=deletes_images)
        elif channel in routed:
            languages = _languages(message, channel)
            targets += _numbered(replace(_target(channel, language), added_by=added_by) for language in languages)
    for name, parts in reached.items():
        if name not in known:
            skip = Text("{name!r} is not configured any more.", name=name)
            targets += _numbered(
                Target(channel=name, account=part.account, language=part.language, skip=skip) for part in parts
            )
    return tuple(targets)


def _routed(
    message: Message,
    channels: Sequence[ChannelConfig],
    routes: Sequence[Route],
    contains: Contains,
    to: Sequence[str] | None,
) -> list[ChannelConfig]:
    """Return the channels of a beginning."""
    for number, route in enumerate(routes, start=1):
        _refuse_unknown(route.to, channels, Text("routes: route {number}", number=number))
    usable = [channel for channel in channels if channel.exercise == message.exercise and not channel.retired]
    if to is not None:
        _refuse_unknown(to, channels, "to")
        _refuse_unfit(to, channels, message)
        return [channel for channel in usable if _is_named(channel, to)]
    if message.exercise or not routes:
        return usable
    names = [name for route in routes if route.matches(message, contains) for name in route.to]
    return [channel for channel in usable if _is_named(channel, names)]


def _is_named(channel: ChannelConfig, names: Iterable[str]) -> bool:
    return any(name == channel.name or name in channel.tags for name in names)


def _refuse_unknown(names: Iterable[str], channels: Sequence[ChannelConfig], field: AnyText) -> None:
    known = {name for channel in channels for name in (channel.name, *channel.tags)}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise SettingsError(
                Text(
                    "Nothing was sent. {field}: no channel has the name or tag {name!r}. {hint}",
                    field=field,
                    name=name,
                    hint=hint,
                )
            )


def _refuse_unfit(to: Iterable[str], channels: Iterable[ChannelConfig], message: Message) -> None:
    """Refuse a named channel that is not for this message. A tag means only those that are."""
    for channel in channels:
        if channel.exercise != message.exercise:
            why = Text("is for exercises only") if channel.exercise else Text("is not for exercises, and this is one")
        elif channel.retired and message.stage in BEGINNINGS:
            why = Text("is retired; nothing begins on it")
        else:
            continue
        if channel.name in to:
            raise SettingsError(Text("Nothing was sent. to: channel {name!r} {why}.", name=channel.name, why=why))


def _refuse_gone(names: Collection[str]) -> None:
    """Refuse what follows in an incident none of whose channels is known, or in the settings any more."""
    if not names:
        raise SettingsError(
            Text(
                "Nothing was sent: the journal cannot tell any more where it was published. Name the channels in 'to'."
            )
        )
    raise SettingsError(
        Text(
            "Nothing was sent: the incident began on {names}, which the settings do not have any more, and nothing of "
            "it goes elsewhere by itself. Name the channels in 'to'.",
            names=Text.join(", ", [repr(name) for name in sorted(names)]),
        )
    )


def _refuse_silence(message: Message, to: Sequence[str] | None) -> None:
    """Refuse a message that no one would get, unless it is below Severe and the routes decide so."""
    severity = message.severity or Severity.UNKNOWN
    if message.exercise or to is not None or severity.at_least(Severity.SEVERE):
        raise SettingsError(
            Text(
                "Nothing was sent: no channel takes this {category} message of severity {severity}. Retired ones do "
                "not count; an exercise goes to those with exercise = true, and nothing else does. Add a route for "
                "it, or name the channels in 'to'.",
                category=message.category,
                severity=severity,
            )
        )


def _concerns(place: Location | None, area: str, contains: Contains) -> bool:
    if place is None:
        return False
    kind, _, code = area.partition(":")
    if place.commune:
        inside = contains(area, place.commune)
    elif place.epci:
        inside = code == place.epci if kind != "commune" else contains(f"epci:{place.epci}", code)
        inside = inside or (kind == "dept" and code == place.department)
    else:
        inside = bool(place.department) and kind == "commune" and contains(f"dept:{place.department}", code)
        inside = inside or (kind == "dept" and code == place.department)
    return inside or (kind == "dept" and code in place.also_departments)


def _reached(history: History, channels: Sequence[ChannelConfig]) -> dict[str, list[PostedPart]]:
    """Return the first post in each language on each channel, in order.

    An account has the same readers whatever the name of its channel is now.
    """
    known = {channel.name for channel in channels}
    names = {channel.account: channel.name for channel in channels if not channel.blocked}
    reached: dict[str, dict[str, PostedPart]] = {}
    for part in history.posts:
        name = part.channel if part.channel in known else names.get(part.account, part.channel)
        reached.setdefault(name, {}).setdefault(part.language, part)
    return {channel: list(languages.values()) for channel, languages in reached.items()}


def _following(
    message: Message, history: History, channel: ChannelConfig, parts: Sequence[PostedPart], *, deletes_images: bool
) -> Iterator[Target]:
    """Yield a target for each language of the channel so far; more for an update."""
    if channel.exercise != message.exercise:
        only, no_more = Text("{name!r} is for exercises only."), Text("{name!r} is not for exercises any more.")
        skip = (only if channel.exercise else no_more).filled(name=channel.name)
        return _numbered(replace(_target(channel, part.language), skip=skip) for part in parts)
    before = [part.language for part in parts]
    spoken = [language for language in before if message.wording(language)] or [message.language]
    more = _languages(message, channel) if message.stage is Stage.UPDATE else []
    targets = [
        replace(_target(channel, language), reply_to=_reply_to(message, history, channel, language))
        for language in dict.fromkeys((*spoken, *more))
    ]
    if message.stage is Stage.CORRECTION and channel.capabilities.edits:
        targets = _correction(targets, message, history, channel)
    if message.stage is Stage.CANCELLATION and channel.capabilities.deletes:
        targets = _cancellation(targets, history, channel)
    shows = channel.capabilities.images > 0
    if deletes_images and shows and message.stage in _FINAL and channel.capabilities.deletes:
        targets = _with_deletions(targets, _with_images(history), channel)
    targets += [
        replace(_target(channel, language), skip=Text("The message has no text in {language!r}.", language=language))
        for language in before
        if not message.wording(language)
    ]
    return _numbered(targets)


def _correction(targets: list[Target], message: Message, history: History, channel: ChannelConfig) -> list[Target]:
    """Return the posts of a correction on a channel that can edit, then the edits."""
    policy = channel.on_correction.choice(severe=(message.severity or Severity.UNKNOWN).at_least(Severity.SEVERE))
    if policy == "reply":
        return targets
    edits = {target: edit for target in targets if (edit := _edit(target, message, history, channel)) is not None}
    posts = [target for target in targets if policy == "both" or target not in edits]
    return [*posts, *edits.values()]


def _edit(target: Target, message: Message, history: History, channel: ChannelConfig) -> Target | None:
    """Return the edit of the wrong post, if it is the only one here and is out.

    A correction by an edit has no post of its own, so what it edited is edited again.
    """
    publication = message.lifecycle.corrects
    while publication and (entry := history.entry(publication)):
        parts = [part for part in entry.posts if _is_on(part, channel) and part.language == target.language]
        if [part.outcome for part in parts] == [Outcome.POSTED]:
            return replace(target, operation=Operation.EDIT, target=publication, target_part=parts[0].part)
        publication = None if parts else entry.message.lifecycle.corrects
    return None


def _cancellation(targets: list[Target], history: History, channel: ChannelConfig) -> list[Target]:
    """Return the posts of a cancellation, then its deletions."""
    if channel.on_cancellation == "reply":
        return targets
    parts = [(entry, part) for entry in history.entries for part in entry.posts if _is_on(part, channel)]
    certain = all(part.outcome in _NOT_OUT | {Outcome.POSTED} for _, part in parts)
    planned = _with_deletions(targets, parts, channel)
    if channel.on_cancellation == "delete" and certain:
        return [target for target in planned if target.operation is Operation.DELETE] or targets
    return planned


def _with_deletions(
    targets: list[Target], parts: Iterable[tuple[HistoryEntry, PostedPart]], channel: ChannelConfig
) -> list[Target]:
    """Return the posts of an end or cancellation, then the deletions of what may be out, newest first."""
    planned = {(target.target, target.target_part) for target in targets}
    deletions = [
        replace(
            _target(channel, part.language),
            operation=Operation.DELETE,
            target=entry.publication,
            target_part=part.part,
        )
        for entry, part in reversed([*parts])
        if _is_on(part, channel) and part.outcome in _MAY_BE_OUT and (entry.publication, part.part) not in planned
    ]
    # The posts that it would answer are deleted.
    return [*(replace(target, reply_to=()) for target in targets), *deletions] if deletions else targets


def _with_images(history: History) -> list[tuple[HistoryEntry, PostedPart]]:
    """Return the posts that have images, those that a correction with images has edited included."""
    pictured: set[str] = set()
    for entry in history.entries:
        publication = entry.publication if entry.message.images else None
        while publication and publication not in pictured and (known := history.entry(publication)):
            pictured.add(publication)
            publication = known.message.lifecycle.corrects
    return [(entry, part) for entry in history.entries if entry.publication in pictured for part in entry.posts]


def channels_with_images(
    history: History, channels: Sequence[ChannelConfig], targets: Sequence[Target]
) -> tuple[str, ...]:
    """Return the channels on which images are, or may come out, that none of these targets deletes."""
    planned = {
        (target.channel, target.target, target.target_part)
        for target in targets
        if target.operation is Operation.DELETE
    }
    without = {channel.name for channel in channels if not channel.capabilities.images}
    left = {
        part.channel
        for entry, part in _with_images(history)
        if part.outcome not in _NOT_OUT and (part.channel, entry.publication, part.part) not in planned
    }
    return tuple(sorted(left - without))


def _is_on(part: PostedPart, channel: ChannelConfig) -> bool:
    return (part.channel, part.account) == (channel.name, channel.account)


def _reply_to(message: Message, history: History, channel: ChannelConfig, language: str) -> tuple[str, ...]:
    """Return this account's publications, up to the one that is corrected."""
    if not channel.capabilities.replies:
        return ()
    publications: list[str] = []
    for entry in history.entries:
        if any(_is_on(part, channel) and part.language == language for part in entry.posts):
            publications.append(entry.publication)
        if entry.publication == message.lifecycle.corrects:
            break
    return tuple(publications)


def _languages(message: Message, channel: ChannelConfig) -> list[str]:
    """Return the channel's languages that the message has, or else the message's own language.

    A structured post holds the message in all its languages, so one is enough.
    """
    spoken = [language for language in channel.languages if message.wording(language)] or [message.language]
    return spoken[:1] if channel.capabilities.structured else spoken


def _target(channel: ChannelConfig, language: str) -> Target:
    return Target(channel=channel.name, account=channel.account, language=language)


def _numbered(targets: Iterable[Target]) -> Iterator[Target]:
    return (replace(target, part=part) for part, target in enumerate(targets))


def shared_accounts(channels: Iterable[ChannelConfig]) -> AnyText:
    """Return which two channels have one account and the same audiences, whose readers would get everything twice."""
    names: dict[tuple[str, ...], str] = {}
    for channel in channels:
        if not channel.blocked and (first := names.setdefault(channel.readers, channel.name)) != channel.name:
            return Text(
                "channels.{first} and channels.{name}: are the same account of {network!r}, so everything would be "
                "posted twice. Join them (a channel may have several tags), or give one another account or (apprise) "
                "another label, or on a network that writes to people other audiences.",
                first=first,
                name=channel.name,
                network=channel.network,
            )
    return ""
