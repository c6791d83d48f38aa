"""Open an installation: its publisher, and the checks of its settings."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from policenotify.channel import ChannelConfig, Clock
from policenotify.errors import (
    JournalError,
    MissingExtra,
    SettingsError,
    UnsupportedVersion,
)
from policenotify.journal.permissions import exposures
from policenotify.model.status import Alarm, Diagnosis, DiagnosisLine, note, right, wrong
from policenotify.networks.registry import check_networks
from policenotify.publishing.routing import shared_accounts
from policenotify.settings.factory import channels_of, may_of
from policenotify.settings.languages import locales_of, missing_labels, profiles_of
from policenotify.settings.loader import read_settings
from policenotify.settings.model import Settings
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from policenotify.delivery.event_reader import OnEvent
    from policenotify.publishing.publisher import Publisher


class SettingsFile:
    """The settings file of an installation, read again at each call. See `SettingsSource`.

    Args:
        place: The file. If `None`, as `read_settings` finds it.
    """

    def __init__(self, place: str | os.PathLike[str] | None = None) -> None:
        self._place = place

    def reopen(self, name: str) -> ChannelConfig | None:
        """See `SettingsSource.reopen`."""
        try:
            channels = channels_of(read_settings(self._place))
        except (SettingsError, UnsupportedVersion):  # the file is being edited
            return None
        return next((channel for channel in channels if channel.name == name), None)

    def problem(self) -> AnyText:
        """See `SettingsSource.problem`."""
        try:
            return shared_accounts(channels_of(read_settings(self._place)))
        except (SettingsError, UnsupportedVersion) as error:
            return error.text

    def examine(self) -> Iterator[DiagnosisLine]:
        """See `SettingsSource.examine`."""
        try:
            settings = read_settings(self._place)
        except (SettingsError, UnsupportedVersion) as error:
            yield wrong("settings", error, Alarm.SETTINGS)
            yield from _networks(frozenset())
            return
        yield right("settings", str(settings.place))
        yield from _open_lists(settings)
        yield from _languages(settings)
        yield from _networks({channel.network for channel in settings.channels.values()})
        if fault := shared_accounts(channels_of(settings)):
            yield wrong("channels", fault, Alarm.SETTINGS)
        yield _keys(settings)


def open_publisher(
    path: str | os.PathLike[str] | None = None,
    *,
    journal: str | None = None,
    clock: Clock | None = None,
    on_event: Mapping[str, OnEvent] | None = None,
) -> Publisher:
    """Open the publisher of an installation.

    A channel whose settings, secret or library are wrong does not stop the others. `Operations.blocked` names it.
    Its messages wait in the journal and are sent once it is repaired: every publisher looks again each minute.

    Args:
        path: The settings file. If `None`, as `read_settings` finds it.
        journal: The path or URL of another journal than the one in the settings.
        clock: The clock. If `None`, that of the journal: on PostgreSQL the server's, else the machine's.
        on_event: Callbacks by the names of their subscribers, each called with every event of the journal; see
            `Publisher.events`.

    Raises:
        SettingsError: The settings are wrong as a whole, or the keys are.
        UnsupportedVersion: The settings, the keys or the journal were written by a newer policenotify.
        JournalError: The journal cannot be opened.
    """
    from policenotify.journal import open_journal  # noqa: PLC0415 - reading settings needs no journal
    from policenotify.publishing.installation import Installation  # noqa: PLC0415 - the same
    from policenotify.publishing.publisher import Publisher  # noqa: PLC0415 - the same

    settings = read_settings(path)
    channels = channels_of(settings)
    options = installation_options(settings)
    with ExitStack() as on_error:
        opened = open_journal(journal or settings.journal_url, keys=settings.load_keys(), clock=clock)
        on_error.callback(opened.close)
        publisher = Publisher(
            Installation(
                journal=opened,
                channels=channels,
                clock=clock,
                on_event=on_event,
                settings=SettingsFile(settings.place),
                may=may_of(settings),
                **options,
            )
        )
        on_error.pop_all()
    return publisher


def installation_options(settings: Settings) -> dict[str, Any]:
    """Return the arguments of an `Installation` that stand in its settings, but for channels and `may`.

    Raises:
        SettingsError: A language file, a law or a list of words is wrong.
    """
    from policenotify.checks import Vocabulary, checks_of  # noqa: PLC0415 - reading settings needs no checks
    from policenotify.checks.words import WordListChange  # noqa: PLC0415 - the same

    return {
        "routes": settings.routes,
        "profiles": profiles_of(settings),
        "locales": locales_of(settings),
        "zone": settings.zone,
        "sender": settings.sender,
        "links": settings.links,
        "checks": checks_of(settings.law),
        "words": Vocabulary({name: WordListChange(**change.model_dump()) for name, change in settings.words.items()}),
        "wait": settings.wait,
        "reminders": settings.reminders,
        "approval": settings.approval,
    }


def diagnose(path: str | os.PathLike[str] | None = None, *, journal: str | None = None, actor: str) -> Diagnosis:
    """Check an installation as `Operations.doctor` does, even one that `open_publisher` cannot open."""
    try:
        publisher = open_publisher(path, journal=journal)
    except (SettingsError, UnsupportedVersion, JournalError) as error:
        lines = [*SettingsFile(path).examine()]
        if all(line.alarm is not Alarm.SETTINGS for line in lines):
            settings = isinstance(error, SettingsError) and not isinstance(error, MissingExtra)
            about, alarm = ("settings", Alarm.SETTINGS) if settings else ("journal", Alarm.JOURNAL)
            lines.append(wrong(about, error, alarm))
        return Diagnosis(lines=tuple(lines))
    with publisher:
        return publisher.operations.doctor(actor=actor)


def _keys(settings: Settings) -> DiagnosisLine:
    try:
        keys = settings.load_keys()
    except (SettingsError, UnsupportedVersion) as error:
        return wrong("keys", error, Alarm.SETTINGS)
    where = Text("file mode {s_imode}", s_imode=f"{stat.S_IMODE(settings.keys_path.stat().st_mode):04o}")
    return right(
        "keys",
        Text("fingerprint {fingerprint} (the same on every host), {where}", fingerprint=keys.fingerprint, where=where),
    )


def _open_lists(settings: Settings) -> Iterator[DiagnosisLine]:
    """Yield the lists of people that others may read. They are used all the same, so that an alert goes out."""
    recipients = [channel.recipients for channel in settings.channels.values() if channel.recipients]
    for file in filter(None, (each.path for each in (*recipients, *settings.audiences.values()))):
        for exposure in exposures(settings.place.parent / file):
            yield wrong(Text("file {name}", name=file.name), exposure)


def _languages(settings: Settings) -> Iterator[DiagnosisLine]:
    used = {tag for channel in settings.channels.values() for tag in channel.languages}
    for tag, locale in locales_of(settings).items():
        if tag in settings.languages or tag in used:
            origin = str(settings.languages[tag]) if tag in settings.languages else Text("as shipped")
            detail = Text("{origin}, version {version}", origin=origin, version=locale.version)
            yield right(Text("language {tag}", tag=tag), detail)
    if missing := list(missing_labels(profiles_of(settings), settings)):
        yield note(
            "categories",
            Text("without a label, so that another language's is used: {missing}", missing=", ".join(missing)),
        )


def _networks(used: Iterable[str]) -> Iterator[DiagnosisLine]:
    for network, problem in check_networks():
        check = Text("network {name}", name=network.name)
        if not problem:
            yield right(check, Text("of the package {package}", package=network.package))
        elif network.name in used:
            yield wrong(check, problem)
        else:
            yield note(check, Text("{problem} No channel uses it.", problem=problem))
