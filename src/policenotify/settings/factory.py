"""Open what the settings describe: channels, routes, and the publisher."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policenotify.channel import Capabilities, Channel, ChannelConfig, Clock, StateStore
from policenotify.errors import MissingExtra, SettingsError, UnknownNetwork, UnsupportedVersion
from policenotify.journal.keys import Keys
from policenotify.networks.registry import configured
from policenotify.settings.languages import words_of
from policenotify.settings.loader import profiles_of, read_settings
from policenotify.settings.model import OF_THE_CHANNEL, ChannelSettings, Settings
from policenotify.text import Budget

if TYPE_CHECKING:
    from policenotify.publishing.publisher import Publisher
    from policenotify.publishing.reminders import Reminder
    from policenotify.publishing.routing import Route


def channels_of(settings: Settings, *, tolerant: bool = False) -> tuple[ChannelConfig, ...]:
    """Return the channels of this installation, ready to be opened. No network is asked.

    Args:
        settings: The settings.
        tolerant: Return a channel that is wrong, too: its `problem` tells why it cannot be used. Files of recipients
            are then left alone, for they are read at each publication. Otherwise anything that is wrong is an error.

    Raises:
        SettingsError: Something is wrong with them, one line for each; or two are the same account.
        MissingExtra: A network's library is not installed.
    """
    ready: list[ChannelConfig] = []
    wrong: list[str] = []
    for name in settings.channels:
        try:
            one = _channel(settings, name)
            if one.recipients and not tolerant:
                one.recipients()
        except SettingsError as error:
            lines = _lines(name, error)
            if tolerant:
                one = _unusable(settings, name, settings.fault(lines))
            elif isinstance(error, MissingExtra):
                raise
            else:
                wrong += lines
                continue
        ready.append(one)
    accounts: dict[tuple[str, str], str] = {}
    for one in ready:
        other = one.name if one.problem else accounts.setdefault((one.network, one.account), one.name)
        if other != one.name:
            wrong.append(
                f"channels.{other} and channels.{one.name}: are the same account of {one.network!r}, which would say "
                "everything twice. Join them (a channel may have several tags), or give one another account."
            )
    if wrong:
        raise settings.error(wrong)
    return tuple(ready)


def _channel(settings: Settings, name: str) -> ChannelConfig:
    if fault := settings.faults.get(name):
        raise SettingsError(fault)
    channel = settings.channels[name]
    how = _how(channel)
    if channel.recipients is not None:
        how["recipients"] = channel.recipients.reader(settings.place.parent, f"channels.{name}.recipients")
    return configured(name, channel.network, channel.options, **how)


def _how(channel: ChannelSettings) -> dict[str, Any]:
    return {field: getattr(channel, field) for field in OF_THE_CHANNEL - {"network", "recipients"}}


def _lines(name: str, error: SettingsError) -> list[str]:
    """What is wrong with a channel, each line beginning with the place in the settings."""
    at = f"channels.{name}"
    if isinstance(error, UnknownNetwork):
        return [f"{at}.network: {error}"]
    return [line if line.startswith(at) else f"{at}: {line}" for line in str(error).splitlines()]


def _unusable(settings: Settings, name: str, problem: str) -> ChannelConfig:
    """A channel that cannot be used now: as far as it is known, and able to do nothing."""

    def opened(clock: Clock, keep: StateStore) -> Channel:  # noqa: ARG001 - the form of `ChannelConfig.open`
        raise SettingsError(problem)

    channel = settings.channels[name]
    return ChannelConfig(
        name=name,
        network=channel.network,
        account="",
        capabilities=Capabilities(budget=Budget(0)),
        open=opened,
        problem=problem,
        **{**_how(channel), "tags": channel.likely_tags},
    )


def routes_of(settings: Settings) -> tuple[Route, ...]:
    """What goes where in this installation."""
    from policenotify.publishing.routing import Route  # noqa: PLC0415 - who only reads settings needs no plan

    return tuple(
        Route(categories=route.categories, at_least=route.at_least, areas=route.areas, to=route.to)
        for route in settings.routes
    )


def open_publisher(
    path: str | os.PathLike[str] | None = None,
    *,
    journal: str | None = None,
    clock: Clock | None = None,
    on_overdue: Callable[[Reminder], object] | None = None,
) -> Publisher:
    """Open the publisher of an installation: its keys, journal, channels, routes, categories and words.

    A channel whose settings, secret or library are wrong does not affect the others. `Publisher.channel_problems`
    names it. Its deliveries wait in the journal until the settings are mended, which every publisher checks again.

    Args:
        path: The settings file; `None`: as `policenotify.settings.read_settings` finds it.
        journal: The path or URL of its journal, where it is not the one that the settings name.
        clock: Tells the time; `None`: the journal's own: on PostgreSQL the server's, else the machine's.
        on_overdue: Called with each reminder of a word that is owed, in the thread that drains.

    Raises:
        SettingsError: The settings are wrong as a whole, or the keys are.
        UnsupportedVersion: The settings, the keys or the journal were made by a newer policenotify.
        JournalError: The journal cannot be opened.
    """
    from policenotify.journal import open_journal  # noqa: PLC0415 - who only reads settings needs no journal
    from policenotify.publishing.publisher import Publisher  # noqa: PLC0415 - the same

    settings = read_settings(path, tolerant=True)
    channels, routes = channels_of(settings, tolerant=True), routes_of(settings)
    profiles, words = profiles_of(settings), words_of(settings)
    with ExitStack() as unless_made:
        opened = open_journal(journal or settings.journal_url, keys=Keys.load(settings.keys_path), clock=clock)
        unless_made.callback(opened.close)
        made = Publisher(
            journal=opened,
            channels=channels,
            routes=routes,
            profiles=profiles,
            locales=words,
            zone=settings.zone,
            sender=settings.sender,
            wait=settings.wait,
            clock=clock,
            reminders=settings.reminders.policy(),
            on_overdue=on_overdue,
            reopen=_Reopening(settings.place),
        )
        unless_made.pop_all()
    return made


class _Reopening:
    """Makes a channel again from the settings as they are now, for a publisher that could not use it."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __call__(self, name: str) -> ChannelConfig | None:
        try:
            settings = read_settings(self._place, tolerant=True)
            channels = channels_of(settings, tolerant=True)
        except (SettingsError, UnsupportedVersion):  # being edited just now
            return None
        return next((one for one in channels if one.name == name), None)
