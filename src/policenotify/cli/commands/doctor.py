"""`policenotify doctor`: prove an installation without posting anything."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import click
from rich.table import Table
from rich.text import Text

from policenotify.channel import ChannelConfig
from policenotify.cli import output
from policenotify.cli.acceptance import channels_in
from policenotify.cli.alarms import Alarms
from policenotify.cli.context import CliContext, common, pass_call, plain
from policenotify.cli.exit_codes import Exit, exit_codes, worst
from policenotify.errors import JournalError, PolicenotifyError, SettingsError, UnsupportedVersion
from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from policenotify.networks.registry import check_networks
from policenotify.publishing.fault import Fault, readers_of
from policenotify.settings import Settings, exposed_files, languages_of, missing_labels, profiles_of, read_settings

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal


_EXITS = exit_codes("1 settings or keys wrong; 3 a channel is; 4 overdue; 5 nobody delivers; 6 no journal")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at.

    Attributes:
        what: The thing.
        state: How it is.
        told: More, and what to do.
        exit: How the command exits, were this all.
    """

    what: str
    state: Literal["ok", "note", "WRONG"]
    told: str
    exit: Exit = Exit.OK


@click.command("doctor", epilog=_EXITS)
@common
@pass_call
def doctor(call: CliContext) -> Exit:
    """Prove the installation: settings, keys, journal, every channel's credentials. Nothing is posted.

    A channel that was blocked and works again is let go on.

    \b
    Examples:
      policenotify doctor
      policenotify doctor --json
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    lines = list(_examined(call))
    found = worst(*(line.exit for line in lines))
    table = Table("what", "state", "more", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for line in lines:
        table.add_row(plain(line.what), line.state, Text(plain(line.told), overflow="fold"))
    told = "All in order." if found is Exit.OK else "Not all is in order: see what is marked WRONG."
    document = {"in_order": found is Exit.OK, "lines": [_document(line) for line in lines]}
    call.emit(document, table, Text(told, style="bold"))
    return found


def _document(line: Line) -> dict[str, object]:
    return {**asdict(line), "exit": int(line.exit)}


def _examined(call: CliContext) -> Iterator[Line]:
    try:
        settings = read_settings(call.settings, tolerant=True)
    except (SettingsError, UnsupportedVersion) as error:
        yield Line("settings", "WRONG", str(error), Exit.REJECTED)
        yield from _networks(frozenset())
        return
    yield Line("settings", "ok", str(settings.place))
    for file in exposed_files(settings):
        yield Line(f"file {file.path.name}", "note", str(file))
    yield from _languages(settings)
    yield from _networks({channel.network for channel in settings.channels.values()})
    try:
        keys = Keys.load(settings.keys_path)
    except (SettingsError, UnsupportedVersion) as error:
        yield Line("keys", "WRONG", str(error), Exit.REJECTED)
        return
    mode = stat.S_IMODE(settings.keys_path.stat().st_mode)
    yield Line("keys", "ok", f"fingerprint {keys.fingerprint} (the same on every host), file mode {mode:04o}")
    try:
        journal = open_journal(settings.journal_url, keys=keys)
    except (JournalError, UnsupportedVersion) as error:
        yield Line("journal", "WRONG", str(error), Exit.NO_JOURNAL)
        return
    try:
        yield from _journal(journal)
        channels, wrong = channels_in(settings)
        if wrong:
            yield Line("channels", "WRONG", wrong, Exit.REJECTED)
        yield from _channels(channels, journal, call.actor)
        yield from _running(Alarms.read(journal, channels), settings)
    except JournalError as error:
        yield Line("journal", "WRONG", str(error), Exit.NO_JOURNAL)
    finally:
        journal.close()


def _languages(settings: Settings) -> Iterator[Line]:
    spoken = {tag for channel in settings.channels.values() for tag in channel.languages}
    for tag, one in languages_of(settings).items():
        if one.file or tag in spoken:
            yield Line(f"language {tag}", "note" if one.lent else "ok", str(one))
    if lacking := list(missing_labels(profiles_of(settings), settings)):
        told = f"not named, so that another language's name stands in: {', '.join(lacking)}"
        yield Line("categories", "note", told)


def _networks(used: Iterable[str]) -> Iterator[Line]:
    for network, problem in check_networks():
        what = f"network {network.name}"
        if not problem:
            yield Line(what, "ok", f"of the package {network.package}")
        elif network.name in used:
            yield Line(what, "WRONG", problem, Exit.ATTENTION)
        else:
            yield Line(what, "note", f"{problem} No channel uses it.")


def _journal(journal: Journal) -> Iterator[Line]:
    with journal.read() as connection:
        # It answers "ok" or with what is wrong (sqlite.org/pragma.html#pragma_quick_check).
        sound = connection.dialect.name != "sqlite" or connection.exec_driver_sql("PRAGMA quick_check").scalar() == "ok"
    if not sound:
        raise JournalError("The journal's file is damaged. Stop all that uses it, put it aside, and restore a copy.")
    sealed = journal.audit.verify()
    yield Line("journal", "ok", f"opens, and can be read; {sealed} sealed batches, all unchanged")


def _channels(channels: Iterable[ChannelConfig], journal: Journal, actor: str) -> Iterator[Line]:
    blocked = journal.channels.blocked()
    for how in channels:
        people, fault = readers_of(how, journal.deliveries.had_recipients)
        if how.problem:
            yield Line(f"channel {how.name}", "WRONG", str(fault), Exit.ATTENTION)
            continue
        yield _asked(how, journal, actor, was_blocked=how.name in blocked)
        if how.recipients is not None:
            yield _recipients(how.name, people, fault)


def _asked(how: ChannelConfig, journal: Journal, actor: str, *, was_blocked: bool) -> Line:
    what = f"channel {how.name}"
    try:
        channel = how.open(journal.clock, journal.channels.state_store(how.name))
        try:
            account = channel.whoami()
        finally:
            channel.close()
    except PolicenotifyError as error:
        return Line(what, "WRONG", str(error), Exit.ATTENTION)
    except Exception as error:  # noqa: BLE001 - a stranger's network may raise anything; its text may hold a secret
        told = f"Unexpected: {type(error).__name__}. Report it to the author of the network {how.network!r}."
        return Line(what, "WRONG", told, Exit.ATTENTION)
    named = " ".join(filter(None, (f"is {account.name} on {how.network}", account.url and f"({account.url})")))
    if how.capabilities.acceptance == "unverified":
        named += f"; what it posts is {output.UNVERIFIED}"
    if was_blocked:
        journal.resume(actor, how.name)
        named += "; it was blocked, and goes on now"
    return Line(what, "note", f"{named}. {account.note}") if account.note else Line(what, "ok", named)


def _recipients(name: str, people: tuple[str, ...], fault: Fault | None) -> Line:
    what, count = f"recipients of {name}", len(set(people))
    if fault is not None:
        return Line(what, "WRONG", str(fault), Exit.ATTENTION)
    return Line(what, "ok" if count else "note", f"{count}{'' if count else ': nobody would get it'}")


def _running(alarms: Alarms, settings: Settings) -> Iterator[Line]:
    if alarms.stopped:
        yield Line("stop", "WRONG", str(alarms.stopped), Exit.ATTENTION)
    seen = f"last seen {output.moment(alarms.seen, settings.zone)}" if alarms.seen else "never seen"
    if alarms.nobody:
        told = f"deliveries wait, and nobody delivers ({seen}). Run: policenotify drain, from a timer"
        yield Line("runner", "WRONG", told, Exit.NO_WORKER)
    else:
        yield Line("runner", "ok", f"{seen}; {'it is delivering' if alarms.waiting else 'nothing is due'}")
    for name in alarms.gone:
        yield Line(f"channel {name}", "WRONG", alarms.told_of(name), Exit.ATTENTION)
    for one in alarms.contested:
        yield Line(f"channel {one.channel}", "WRONG", alarms.told_of_takeovers(one, settings.zone), Exit.ATTENTION)
    for incident in alarms.incidents:
        if alarms.overdue(incident):
            told = f'{incident.headline}: its end is owed. policenotify end {incident.id} "…"'
            yield Line(f"incident {incident.id}", "WRONG", told, Exit.OVERDUE)
