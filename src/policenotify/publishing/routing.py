"""Which channels get a message, and what it answers there: from a message and its history to legs.

What begins goes where the routes say. What follows goes to whoever got the beginning, wherever the routes point by
now: the journal decides, so that nobody goes on avoiding a street for ever. Only an update may reach further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from policenotify.channel import ChannelConfig, Operation
from policenotify.errors import SettingsError
from policenotify.model.cap import Severity
from policenotify.model.history import History, HistoryEntry, Outcome, PostedPart, Target
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location
from policenotify.model.message import Message
from policenotify.validation import did_you_mean

Contains = Callable[[str, str], bool]
"""Whether an area (`commune:34172`, `epci:243400017`, `dept:34`) contains the commune with this INSEE code."""

_BEGINS: Final = frozenset({Stage.OPENING, Stage.STANDALONE})
_NOT_OUT: Final = frozenset({Outcome.REFUSED, Outcome.SUPERSEDED, Outcome.SKIPPED, Outcome.DELETED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One rule of the installation: such messages go there. A message goes where any of the routes sends it.

    Attributes:
        to: Names or tags of channels.
        categories: Only these; empty: all.
        at_least: Only at this severity or above; `None`: at any.
        areas: Only in one of these: `commune:34172`, `epci:243400017`, `dept:34`; empty: anywhere, and nowhere in
            particular. A message that names only a department concerns each commune in it.
    """

    to: tuple[str, ...]
    categories: frozenset[str] = frozenset()
    at_least: Severity | None = None
    areas: tuple[str, ...] = ()

    def matches(self, message: Message, contains: Contains) -> bool:
        """Whether the route is for this (resolved) message."""
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
) -> tuple[Target, ...]:
    """Decide where a message goes, in which languages, and what it answers there.

    - OPENING, STANDALONE: to the channels of all routes that take it; without routes, to every channel. An exercise
      goes to all channels for exercises, whatever the routes say. Nothing begins on a retired channel.
    - UPDATE, END, CORRECTION, CANCELLATION: to every channel, in every language, that got something of the incident
      (whatever became of it there), even if it is retired, has another name (then a thread of its own begins), or
      the routes have changed. Where that is impossible the leg says why in `skip`. An UPDATE also goes to channels
      that the routes give it now.
    - CORRECTION, CANCELLATION: as the channel is set and its network can, by a post, by changing the post that was
      wrong, by taking posts back, or by two of these. The posts come first, then what happens to earlier ones.

    Args:
        message: The resolved message.
        history: What was said of the incident, or of the standalone publication that is corrected, before.
        channels: The installation's channels.
        routes: Its routes.
        contains: The tables of places.
        to: Names or tags of channels, instead of the routes. On a message that follows it adds channels; it never
            takes one away from those who got the beginning.

    Returns:
        The legs, in the order of the channels. Of a message below Severe that no route takes: none.

    Raises:
        SettingsError: `to` or a route names an unknown channel; a Severe or Extreme message, an exercise, or what
            `to` asks for would go nowhere.
    """
    if isinstance(to, str):  # one name, not its letters, each of which may be another channel's
        to = (to,)
    heard = _heard(history, channels) if message.stage not in _BEGINS else {}
    wanted: list[ChannelConfig] = []
    if not heard or message.stage is Stage.UPDATE or to is not None:
        wanted = _wanted(message, channels, routes, contains, to)
    if not wanted and not heard:
        _refuse_silence(message, to)
    known = {channel.name for channel in channels}
    legs: list[Target] = []
    for channel in channels:
        if channel.name in heard:
            legs += _following(message, history, channel, heard[channel.name])
        elif channel in wanted:
            legs += _beginning(message, channel)
    for name, said in heard.items():
        if name not in known:
            legs += _numbered(
                Target(
                    channel=name,
                    account=was.account,
                    language=was.language,
                    skip=f"{name!r} is not configured any more.",
                )
                for was in said
            )
    return tuple(legs)


def choose_targets_on(message: Message, history: History, channel: ChannelConfig) -> tuple[Target, ...]:
    """Return the legs of a message on one channel that it is meant for, and what they answer there.

    As `plan` does, for one channel that could not be used when the message was published.

    Args:
        message: The resolved message.
        history: The publications of the incident before that message.
        channel: The channel as it is now.
    """
    heard = _heard(history, [channel]).get(channel.name) if message.stage not in _BEGINS else None
    if heard:
        return tuple(_following(message, history, channel, heard))
    # How it is used may have been what could not be read.
    unfit = f"{channel.name!r} is retired; nothing begins on it." if channel.retired else ""
    if channel.exercise != message.exercise:
        unfit = f"{channel.name!r} is {'' if channel.exercise else 'not '}for exercises{' only' * channel.exercise}."
    return tuple(replace(leg, skip=unfit) for leg in _beginning(message, channel))


def has_reached(history: History, channel: ChannelConfig) -> bool:
    """Return whether something of the incident is, may be or will be with the channel's readers."""
    return any(
        _posted_as(was, channel) and was.outcome not in _NOT_OUT for entry in history.entries for was in entry.posts
    )


def _beginning(message: Message, channel: ChannelConfig) -> Iterator[Target]:
    return _numbered(_leg(channel, language) for language in _languages(message, channel))


def _wanted(
    message: Message,
    channels: Sequence[ChannelConfig],
    routes: Sequence[Route],
    contains: Contains,
    to: Sequence[str] | None,
) -> list[ChannelConfig]:
    """Whom a beginning goes to."""
    for number, route in enumerate(routes, start=1):
        _refuse_unknown(route.to, channels, f"routes: route {number}")
    fit = [channel for channel in channels if channel.exercise == message.exercise and not channel.retired]
    if to is not None:
        _refuse_unknown(to, channels, "to")
        _refuse_unfit(to, channels, message)
        return [channel for channel in fit if _meant(channel, to)]
    if message.exercise or not routes:
        return fit
    names = [name for route in routes if route.matches(message, contains) for name in route.to]
    return [channel for channel in fit if _meant(channel, names)]


def _meant(channel: ChannelConfig, names: Iterable[str]) -> bool:
    return any(name == channel.name or name in channel.tags for name in names)


def _refuse_unknown(names: Iterable[str], channels: Sequence[ChannelConfig], field: str) -> None:
    known = {name for channel in channels for name in (channel.name, *channel.tags)}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise SettingsError(f"Nothing was sent. {field}: no channel has the name or tag {name!r}. {hint}")


def _refuse_unfit(to: Iterable[str], channels: Iterable[ChannelConfig], message: Message) -> None:
    """Somebody who names a channel must hear that it cannot be had; a tag only means those that can."""
    for channel in channels:
        if channel.name not in to:
            continue
        if channel.exercise != message.exercise:
            kinds = "is not for exercises, and this is one" if message.exercise else "is for exercises only"
            raise SettingsError(f"Nothing was sent. to: channel {channel.name!r} {kinds}.")
        if channel.retired and message.stage in _BEGINS:
            raise SettingsError(f"Nothing was sent. to: channel {channel.name!r} is retired; nothing begins on it.")


def _refuse_silence(message: Message, to: Sequence[str] | None) -> None:
    severity = message.severity or Severity.UNKNOWN
    what = f"this {message.category} message of severity {severity}"
    if message.exercise and to is None:
        raise SettingsError(
            "Nothing was sent: this is an exercise, and no channel is for exercises. Set exercise = true on one."
        )
    if to is not None:
        kind = "this exercise" if message.exercise else what
        raise SettingsError(f"Nothing was sent: of the channels named, none may carry {kind}.")
    if severity.at_least(Severity.SEVERE):
        raise SettingsError(
            f"Nothing was sent: no route takes {what}, or its channels are retired or for exercises. "
            "Add a route for it, or name the channels in 'to'."
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


def _heard(history: History, channels: Sequence[ChannelConfig]) -> dict[str, list[PostedPart]]:
    """Who got something of the incident: channels in the order in which they did, each language once.

    Those who read an account are the same by whatever name its channel goes now.
    """
    known = {channel.name for channel in channels}
    now = {channel.account: channel.name for channel in channels if not channel.problem}
    heard: dict[str, dict[str, PostedPart]] = {}
    for entry in history.entries:
        for said in entry.posts:
            name = said.channel if said.channel in known else now.get(said.account, said.channel)
            heard.setdefault(name, {}).setdefault(said.language, said)
    return {channel: list(languages.values()) for channel, languages in heard.items()}


def _following(
    message: Message, history: History, channel: ChannelConfig, said: Sequence[PostedPart]
) -> Iterator[Target]:
    """One leg for each language that the channel got; an update also in others that both speak by now."""
    if channel.exercise != message.exercise:
        now = "for exercises only" if channel.exercise else "not for exercises any more"
        return _numbered(replace(_leg(channel, was.language), skip=f"{channel.name!r} is {now}.") for was in said)
    before = [was.language for was in said]
    spoken = [language for language in before if message.wording(language)] or [message.language]
    more = _languages(message, channel) if message.stage is Stage.UPDATE else []
    legs = [
        replace(_leg(channel, language), reply_to=_answers(message, history, channel, language))
        for language in dict.fromkeys((*spoken, *more))
    ]
    silent = [language for language in before if not message.wording(language)]
    if message.stage is Stage.CORRECTION and channel.capabilities.edits:
        legs = _corrected(legs, message, history, channel)
    if message.stage is Stage.CANCELLATION and channel.capabilities.deletes:
        legs = _taken_back(legs, history, channel)
    legs += [replace(_leg(channel, language), skip=f"The message does not speak {language!r}.") for language in silent]
    return _numbered(legs)


def _corrected(legs: Sequence[Target], message: Message, history: History, channel: ChannelConfig) -> list[Target]:
    """The legs of a correction on a channel that can edit: the posts, then the edits."""
    severe = (message.severity or Severity.UNKNOWN).at_least(Severity.SEVERE)
    how = channel.correction_policy(severe=severe)
    if how == "reply":
        return list(legs)
    edits = {leg: edit for leg in legs if (edit := _edit(leg, message, history, channel)) is not None}
    posts = [leg for leg in legs if how == "both" or leg not in edits]
    return [*posts, *edits.values()]


def _edit(leg: Target, message: Message, history: History, channel: ChannelConfig) -> Target | None:
    """The change of the post that was wrong; `None`: it is not out, or of several posts it may stand in any.

    A correction that was itself made by an edit has no post of its own: what it changed is changed again.
    """
    about = message.lifecycle.corrects
    while about and (entry := history.entry(about)):
        said = [was for was in entry.posts if _ours(was, channel, leg.language)]
        if [was.outcome for was in said] == [Outcome.POSTED]:
            return replace(leg, operation=Operation.EDIT, target=about, target_part=said[0].part)
        about = None if said else entry.message.lifecycle.corrects
    return None


def _taken_back(legs: Sequence[Target], history: History, channel: ChannelConfig) -> list[Target]:
    """The legs of a cancellation on a channel that can delete: the posts, then the deletions, the newest first."""
    if channel.on_cancellation == "reply":
        return list(legs)
    ours = [(entry, was) for entry in history.entries for was in entry.posts if _posted_as(was, channel)]
    deletions = [_deletion(channel, entry, was) for entry, was in reversed(ours) if was.outcome is Outcome.POSTED]
    known = all(was.outcome in _NOT_OUT | {Outcome.POSTED} for _, was in ours)
    if channel.on_cancellation == "delete" and deletions and known:
        return deletions
    # What it would hang under is going to be gone.
    return [*(replace(leg, reply_to=()) for leg in legs), *deletions]


def _deletion(channel: ChannelConfig, entry: HistoryEntry, was: PostedPart) -> Target:
    leg = replace(_leg(channel, was.language), operation=Operation.DELETE)
    return replace(leg, target=entry.publication, target_part=was.part)


def _posted_as(said: PostedPart, channel: ChannelConfig) -> bool:
    return (said.channel, said.account) == (channel.name, channel.account)


def _answers(message: Message, history: History, channel: ChannelConfig, language: str) -> tuple[str, ...]:
    """The publications that this account has said in this language, up to the one that is set right, if any."""
    if not channel.capabilities.replies:
        return ()
    answers: list[str] = []
    for entry in history.entries:
        if any(_ours(was, channel, language) for was in entry.posts):
            answers.append(entry.publication)
        if entry.publication == message.lifecycle.corrects:
            break
    return tuple(answers)


def _ours(said: PostedPart, channel: ChannelConfig, language: str) -> bool:
    return _posted_as(said, channel) and said.language == language


def _languages(message: Message, channel: ChannelConfig) -> list[str]:
    """What both the message and the channel's readers speak; at least the message's own language."""
    return [language for language in channel.languages if message.wording(language)] or [message.language]


def _leg(channel: ChannelConfig, language: str) -> Target:
    return Target(channel=channel.name, account=channel.account, language=language)


def _numbered(legs: Iterable[Target]) -> Iterator[Target]:
    return (replace(leg, part=part) for part, leg in enumerate(legs))
