"""Open what the settings describe: channels, routes, and the publisher."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policenotify.audiences.model import Audience
from policenotify.channel import Capabilities, Channel, ChannelConfig, Clock, StateStore
from policenotify.errors import MissingExtra, SettingsError, UnknownNetwork, UnsupportedVersion, forget_locals
from policenotify.networks.registry import configure_channel
from policenotify.settings.init import exposed_audience, exposed_secret
from policenotify.settings.languages import locales_of, profiles_of
from policenotify.settings.loader import read_settings
from policenotify.settings.model import AUDIENCE_FAULT, OF_THE_CHANNEL, ChannelSettings, Settings
from policenotify.text import Budget

if TYPE_CHECKING:
    from policenotify.delivery.event_reader import OnEvent
    from policenotify.journal.database.transactions import May
    from policenotify.publishing.publisher import Publisher
    from policenotify.publishing.reminders import Reminder
    from policenotify.publishing.routing import Route


@forget_locals
def channels_of(settings: Settings, *, tolerant: bool = False) -> tuple[ChannelConfig, ...]:
    """Return the channels of this installation, without asking any network.

    Args:
        settings: The settings.
        tolerant: Return a channel with errors, too: its `problem` is the reason why it cannot be used. Files of
            recipients are then not read, for they are read at each publication. Otherwise any error is raised.

    Raises:
        SettingsError: Something is wrong with them, or two have the same account and audiences. There is one line for
            each.
        MissingExtra: A network's library is not installed.
    """
    channels: list[ChannelConfig] = []
    errors: list[str] = []
    for name in settings.channels:
        try:
            channel = _channel(settings, name, readable=not tolerant)
        except SettingsError as error:
            lines = _lines(name, error)
            if tolerant:
                channel = _unusable(settings, name, settings.fault(lines))
            elif isinstance(error, MissingExtra):
                raise
            else:
                errors += lines
                continue
        channels.append(channel)
    readers: dict[tuple[str, ...], str] = {}
    for channel in channels:
        other = channel.name
        if not channel.problem:
            other = readers.setdefault(channel.readers, channel.name)
        if other != channel.name:
            errors.append(
                f"channels.{other} and channels.{channel.name}: are the same account of {channel.network!r}, so "
                "everything would be posted twice. Join them (a channel may have several tags), or give one another "
                "account, or on a network that writes to people other audiences."
            )
    if errors:
        raise settings.error(errors)
    return tuple(channels)


def _channel(settings: Settings, name: str, *, readable: bool) -> ChannelConfig:
    """Return a channel. If *readable*, its audiences must be."""
    if fault := settings.faults.get(name) or exposed_secret(settings, name):
        raise SettingsError(fault)
    channel = settings.channels[name]
    fields = _fields(channel)
    fields["audiences"] = tuple(audience_of(settings, each) for each in channel.audiences)
    if channel.recipients is not None:
        fields["audiences"] = (channel.recipients.audience(name, settings.place.parent),)
    configured = configure_channel(name, channel.network, channel.options, **fields)
    for audience in configured.audiences if readable else ():
        audience.revision()
    return configured


def audience_of(settings: Settings, name: str) -> Audience:
    """Return an audience of this installation. Nothing of it is read.

    Raises:
        SettingsError: It is wrong, or its URL is written in settings that others may read.
    """
    if fault := settings.faults.get(f"{AUDIENCE_FAULT}{name}") or exposed_audience(settings, name):
        raise SettingsError(fault)
    return settings.audiences[name].audience(name, settings.place.parent, profiles_of(settings))


def _fields(channel: ChannelSettings) -> dict[str, Any]:
    return {field: getattr(channel, field) for field in OF_THE_CHANNEL - {"network", "recipients", "audiences"}}


def _lines(name: str, error: SettingsError) -> list[str]:
    """Return the errors of a channel, each with its place in the settings."""
    at = f"channels.{name}"
    if isinstance(error, UnknownNetwork):
        return [f"{at}.network: {error}"]
    return [line if line.startswith((at, "audiences.")) else f"{at}: {line}" for line in str(error).splitlines()]


def _unusable(settings: Settings, name: str, problem: str) -> ChannelConfig:
    """Return a channel that cannot be used, without any capability."""

    def fail(clock: Clock, keep: StateStore) -> Channel:  # noqa: ARG001 - the form of `ChannelConfig.open`
        raise SettingsError(problem)

    channel = settings.channels[name]
    return ChannelConfig(
        name=name,
        network=channel.network,
        account="",
        capabilities=Capabilities(budget=Budget(0)),
        open=fail,
        problem=problem,
        **{**_fields(channel), "tags": channel.likely_tags},
    )


def routes_of(settings: Settings) -> tuple[Route, ...]:
    """Return the routes of this installation."""
    from policenotify.publishing.routing import Route  # noqa: PLC0415 - reading settings needs no routing

    return tuple(
        Route(categories=route.categories, at_least=route.at_least, areas=route.areas, to=route.to)
        for route in settings.routes
    )


def may_of(settings: Settings) -> May | None:
    """Return the rule that decides who may do what, if the settings name one.

    Raises:
        SettingsError: It cannot be imported. Without it no command may go on.
    """
    if settings.may is None:
        return None
    module, _, name = settings.may.partition(":")
    try:
        rule: May = getattr(import_module(module), name)
    except Exception as error:  # another author's module may fail in any way
        reason = f"may: {settings.may!r} cannot be imported ({type(error).__name__}). Install it for this Python"
        raise settings.error([reason]) from error
    return rule


@forget_locals
def open_publisher(
    path: str | os.PathLike[str] | None = None,
    *,
    journal: str | None = None,
    clock: Clock | None = None,
    on_overdue: Callable[[Reminder], object] | None = None,
    on_event: Mapping[str, OnEvent] | None = None,
) -> Publisher:
    """Open the publisher of an installation.

    A channel whose settings, secret or library are wrong does not stop the others. `Publisher.channel_problems` names
    it. Its messages wait in the journal and are sent once it is repaired: every publisher checks for that again.

    Args:
        path: The settings file. If `None`, as `read_settings` finds it.
        journal: The path or URL of another journal than the one in the settings.
        clock: The clock. If `None`, that of the journal: on PostgreSQL the server's, else the machine's.
        on_overdue: Called with each reminder of an overdue incident, in the thread that drains.
        on_event: Callbacks by the names of their subscribers, each called with every event of the journal; see
            [`EventReader`][policenotify.delivery.event_reader.EventReader].

    Raises:
        SettingsError: The settings are wrong as a whole, or the keys are.
        UnsupportedVersion: The settings, the keys or the journal were written by a newer policenotify.
        JournalError: The journal cannot be opened.
    """
    from policenotify.checks import Vocabulary  # noqa: PLC0415 - reading settings needs no checks
    from policenotify.journal import open_journal  # noqa: PLC0415 - reading settings needs no journal
    from policenotify.publishing.publisher import Publisher  # noqa: PLC0415 - the same

    settings = read_settings(path, tolerant=True)
    channels, routes = channels_of(settings, tolerant=True), routes_of(settings)
    profiles, locales = profiles_of(settings), locales_of(settings)
    with ExitStack() as on_error:
        opened = open_journal(journal or settings.journal_url, keys=settings.load_keys(), clock=clock)
        on_error.callback(opened.close)
        publisher = Publisher(
            journal=opened,
            channels=channels,
            routes=routes,
            profiles=profiles,
            locales=locales,
            zone=settings.zone,
            sender=settings.sender,
            links=settings.links,
            names=settings.names,
            words=Vocabulary({name: change.change() for name, change in settings.words.items()}),
            wait=settings.wait,
            clock=clock,
            reminders=settings.reminders.policy(),
            approval=[approval.rule() for approval in settings.approval],
            on_overdue=on_overdue,
            on_event=on_event,
            reopen=partial(_read_channel, settings.place),
            pictures=settings.pictures_path,
            may=may_of(settings),
        )
        on_error.pop_all()
    return publisher


def _read_channel(place: Path, name: str) -> ChannelConfig | None:
    """Return a channel from the current settings, `None` if they are wrong."""
    try:
        settings = read_settings(place, tolerant=True)
        channels = channels_of(settings, tolerant=True)
    except (SettingsError, UnsupportedVersion):  # the file is being edited
        return None
    return next((channel for channel in channels if channel.name == name), None)
