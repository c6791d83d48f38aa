"""Open what the settings describe: channels, routes, and the publisher."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from policenotify.channel import Clock, Configured
from policenotify.errors import MissingExtra, SettingsError, UnknownNetwork
from policenotify.keys import Keys
from policenotify.registry import configured
from policenotify.settings.languages import words_of
from policenotify.settings.model import OF_THE_CHANNEL, Settings
from policenotify.settings.reading import profiles_of, read_settings

if TYPE_CHECKING:
    from policenotify.plan import Route
    from policenotify.publisher import Publisher
    from policenotify.reminders import Reminder


def channels_of(settings: Settings) -> tuple[Configured, ...]:
    """The channels of this installation, ready to be opened. No I/O but for a look at the files of recipients.

    Raises:
        SettingsError: Something is wrong with them; one line for each.
        MissingExtra: A network's library is not installed.
    """
    ready: list[Configured] = []
    wrong: list[str] = []
    for name, channel in settings.channels.items():
        at = f"channels.{name}"
        how: dict[str, Any] = {field: getattr(channel, field) for field in OF_THE_CHANNEL - {"network", "recipients"}}
        if channel.recipients is not None:
            how["recipients"] = channel.recipients.reader(settings.place.parent, f"{at}.recipients")
        try:
            one = configured(name, channel.network, channel.options, **how)
            if one.recipients:
                one.recipients()
            ready.append(one)
        except MissingExtra:
            raise
        except UnknownNetwork as error:
            wrong.append(f"{at}.network: {error}")
        except SettingsError as error:
            wrong += [line if line.startswith(at) else f"{at}: {line}" for line in str(error).splitlines()]
    accounts: dict[tuple[str, str], str] = {}
    for one in ready:
        other = accounts.setdefault((one.network, one.account), one.name)
        if other != one.name:
            wrong.append(
                f"channels.{other} and channels.{one.name}: are the same account of {one.network!r}, which would say "
                "everything twice. Join them (a channel may have several tags), or give one another account."
            )
    if wrong:
        raise settings.error(wrong)
    return tuple(ready)


def routes_of(settings: Settings) -> tuple[Route, ...]:
    """What goes where in this installation."""
    from policenotify.plan import Route  # noqa: PLC0415 - who only reads settings needs no plan

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

    Args:
        path: The settings file; `None`: as `policenotify.settings.read_settings` finds it.
        journal: The path or URL of its journal, where it is not the one that the settings name.
        clock: Tells the time; `None`: the journal's own: on PostgreSQL the server's, else the machine's.
        on_overdue: Called with each reminder of a word that is owed, in the thread that drains.

    Raises:
        SettingsError: The settings or the keys are wrong.
        NewerVersion: The settings, the keys or the journal were made by a newer policenotify.
        JournalError: The journal cannot be opened.
    """
    from policenotify.journal import open_journal  # noqa: PLC0415 - who only reads settings needs no journal
    from policenotify.publisher import Publisher  # noqa: PLC0415 - the same

    settings = read_settings(path)
    channels, routes = channels_of(settings), routes_of(settings)
    profiles, words = profiles_of(settings), words_of(settings)
    with ExitStack() as unless_made:
        opened = open_journal(journal or settings.journal_url, keys=Keys.load(settings.keys_path), clock=clock)
        unless_made.callback(opened.close)
        made = Publisher(
            journal=opened,
            channels=channels,
            routes=routes,
            profiles=profiles,
            words=words,
            zone=settings.zone,
            sender=settings.sender,
            wait=settings.wait,
            clock=clock,
            reminding=settings.reminders.reminding(),
            on_overdue=on_overdue,
        )
        unless_made.pop_all()
    return made
