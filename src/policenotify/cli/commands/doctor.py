"""`policenotify doctor`: check an installation without posting anything."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from policenotify.audiences.model import Audience
from policenotify.audiences.summary import summarize
from policenotify.channel import ChannelConfig
from policenotify.cli import output
from policenotify.cli.alarms import removed_channel, repeated_takeover, waiting_drafts
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes, worst
from policenotify.cli.lookup import configured_channels
from policenotify.cli.results import DoctorAnswer, DoctorLine
from policenotify.errors import Blocked, JournalError, NotAllowed, PolicenotifyError, SettingsError, UnsupportedVersion
from policenotify.journal import open_journal
from policenotify.journal.records import MASS_REFUSAL
from policenotify.model.receipt import local_time
from policenotify.networks.registry import check_networks
from policenotify.publishing.preparation import problem_of
from policenotify.publishing.results import InstallationStatus
from policenotify.settings import (
    Settings,
    audience_of,
    exposed_files,
    languages_of,
    may_of,
    missing_labels,
    profiles_of,
    read_settings,
)

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_EXITS = exit_codes(
    "1 settings or keys wrong; 3 a channel is, or others may read a file; 4 overdue; 5 no worker; 6 no journal"
)


@click.command("doctor", epilog=_EXITS)
@common
@pass_context
def doctor(call: CliContext) -> Exit:
    """Check the installation: settings, keys, journal, every channel's credentials. Nothing is posted.

    A blocked channel that works again is resumed. One that reported too many recipients as not existing is not.

    \b
    Examples:
      policenotify doctor
      policenotify doctor --json
    """
    lines = tuple(_check(call))
    exit_code = worst(*(line.exit for line in lines))
    head = [call.say(name) for name in ("check", "state", "detail")]
    table = Table(*head, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for line in lines:
        detail = Text(output.plain(call.say(line.detail)), overflow="fold")
        table.add_row(output.plain(call.say(line.check)), call.say(line.state), detail)
    ok = exit_code is Exit.OK
    summary = "Everything is right." if ok else "Something is wrong: see the lines marked WRONG."
    call.emit(DoctorAnswer(ok=ok, lines=lines), table, Text(summary, style="bold"))
    return exit_code


def _ok(check: str, detail: str) -> DoctorLine:
    return DoctorLine(check=check, state="ok", detail=detail)


def _note(check: str, detail: str) -> DoctorLine:
    return DoctorLine(check=check, state="note", detail=detail)


def _wrong(check: str, problem: object, exit_code: Exit = Exit.ATTENTION) -> DoctorLine:
    return DoctorLine(check=check, state="WRONG", detail=str(problem), exit=exit_code)


def _check(call: CliContext) -> Iterator[DoctorLine]:
    try:
        settings = read_settings(call.settings, tolerant=True)
    except (SettingsError, UnsupportedVersion) as error:
        yield _wrong("settings", error, Exit.REJECTED)
        yield from _networks(frozenset())
        return
    yield _ok("settings", str(settings.place))
    for exposure, content in exposed_files(settings).items():
        yield _wrong(f"file {exposure.path.name}", f"{exposure} It holds {content}.")
    yield from _languages(settings)
    yield from _networks({channel.network for channel in settings.channels.values()})
    try:
        keys = settings.load_keys()
    except (SettingsError, UnsupportedVersion) as error:
        yield _wrong("keys", error, Exit.REJECTED)
        return
    where = "not in a file"
    if settings.keys_source.is_file():
        where = f"file mode {stat.S_IMODE(settings.keys_source.stat().st_mode):04o}"
    yield _ok("keys", f"fingerprint {keys.fingerprint} (the same on every host), {where}")
    try:
        journal = open_journal(settings.journal_url, keys=keys)
    except (JournalError, UnsupportedVersion) as error:
        yield _wrong("journal", error, Exit.NO_JOURNAL)
        return
    try:
        journal.may = may_of(settings)
    except SettingsError as error:
        journal.close()
        yield _wrong("may", error, Exit.REJECTED)
        return
    try:
        yield from _journal(journal)
        channels, wrong = configured_channels(settings)
        if wrong:
            yield _wrong("channels", wrong, Exit.REJECTED)
        yield from _channels(channels, journal, call.actor)
        yield from _unused_audiences(settings)
        yield from _alarms(InstallationStatus.read(journal, channels), settings)
    except JournalError as error:
        yield _wrong("journal", error, Exit.NO_JOURNAL)
    finally:
        journal.close()


def _languages(settings: Settings) -> Iterator[DoctorLine]:
    used = {tag for channel in settings.channels.values() for tag in channel.languages}
    for tag, language in languages_of(settings).items():
        if language.file or tag in used:
            check = f"language {tag}"
            yield _note(check, str(language)) if language.lent else _ok(check, str(language))
    if missing := list(missing_labels(profiles_of(settings), settings)):
        yield _note("categories", f"without a label, so that another language's is used: {', '.join(missing)}")


def _networks(used: Iterable[str]) -> Iterator[DoctorLine]:
    for network, problem in check_networks():
        check = f"network {network.name}"
        if not problem:
            yield _ok(check, f"of the package {network.package}")
        elif network.name in used:
            yield _wrong(check, problem)
        else:
            yield _note(check, f"{problem} No channel uses it.")


def _journal(journal: Journal) -> Iterator[DoctorLine]:
    with journal.read() as connection:
        # The answer is "ok" or what is wrong (sqlite.org/pragma.html#pragma_quick_check).
        sound = connection.dialect.name != "sqlite" or connection.exec_driver_sql("PRAGMA quick_check").scalar() == "ok"
    if not sound:
        raise JournalError("The journal's file is damaged. Stop all that uses it, put it aside, and restore a copy.")
    yield _ok("journal", f"opens, and can be read; {journal.audit.verify()} sealed batches, all unchanged")


def _channels(channels: Iterable[ChannelConfig], journal: Journal, actor: str) -> Iterator[DoctorLine]:
    blocked = journal.channels.blocked()
    for config in channels:
        problem = problem_of(config, journal.deliveries.had_recipients)
        if config.problem:
            yield _wrong(f"channel {config.name}", problem)
            continue
        yield _account(config, journal, actor, block=blocked.get(config.name))
        if problem is not None:
            yield _wrong(f"recipients of {config.name}", problem)
            continue
        for audience in config.audiences:
            own = audience.name == config.name
            check = f"recipients of {config.name}" if own else f"audience {audience.name} on {config.name}"
            yield _people(check, audience, may_be_empty=config.retired)


def _unused_audiences(settings: Settings) -> Iterator[DoctorLine]:
    used = {name for channel in settings.channels.values() for name in channel.audiences}
    for name in settings.audiences:
        if name not in used:
            try:
                line = _people(f"audience {name}", audience_of(settings, name), may_be_empty=True)
            except SettingsError as error:
                line = _wrong(f"audience {name}", error)
            yield line
            yield _note(f"audience {name}", "No channel uses it.")


def _people(check: str, audience: Audience, *, may_be_empty: bool) -> DoctorLine:
    """Read an audience to its end, and return what is in it."""
    try:
        summary = summarize(audience)
    except Exception as error:  # noqa: BLE001 - a host's own function may fail, and quote an address
        return _wrong(check, error if isinstance(error, PolicenotifyError) else f"Unexpected: {type(error).__name__}.")
    parts = [f"{summary.people} people"]
    parts += [f"{summary.consents} with a proof of consent"] if summary.consents else []
    parts += [f"{summary.doubles} named more than once"] if summary.doubles else []
    parts += [f"{summary.wrong} wrong rows"] if summary.wrong else []
    detail = ", ".join(parts)
    if summary.wrong:
        detail += f": {' '.join(f'line {row.line}: {row.reason}' for row in summary.first_wrong)}"
        detail += " …" if summary.wrong > len(summary.first_wrong) else ""
    if not summary.people and not may_be_empty:
        return _wrong(check, f"{detail}. It would reach nobody.")
    return _note(check, detail) if summary.wrong or not summary.people else _ok(check, detail)


def _account(config: ChannelConfig, journal: Journal, actor: str, *, block: Blocked | None) -> DoctorLine:
    check = f"channel {config.name}"
    try:
        channel = config.open(journal.clock, journal.channels.state_store(config.name))
        try:
            account = channel.whoami()
        finally:
            channel.close()
    except PolicenotifyError as error:
        return _wrong(check, error)
    except Exception as error:  # noqa: BLE001 - an outside network may raise anything; its text may hold a secret
        name = type(error).__name__
        return _wrong(check, f"Unexpected: {name}. Report it to the author of the network {config.network!r}.")
    detail = " ".join(filter(None, (f"is {account.name} on {config.network}", account.url and f"({account.url})")))
    if config.capabilities.acceptance == "unverified":
        detail += f"; what it posts is {output.UNVERIFIED}"
    if block is not None and block.code == MASS_REFUSAL:  # its login works, and its answers about recipients do not
        return _wrong(check, block)
    if block is not None:
        try:
            journal.resume(actor, config.name)
        except NotAllowed as error:
            return _wrong(check, error)
        resumed = "It was blocked, and is resumed"
        detail = f"{detail}. {resumed}"
    return _note(check, f"{detail}. {account.note}") if account.note else _ok(check, detail)


def _alarms(status: InstallationStatus, settings: Settings) -> Iterator[DoctorLine]:
    if status.stopped:
        yield _wrong("stop", status.stopped)
    seen = f"last seen {local_time(status.last_heartbeat, settings.zone)}" if status.last_heartbeat else "never seen"
    if status.no_worker:
        detail = f"deliveries wait, and no worker runs ({seen}). Run: policenotify drain, from a timer"
        yield _wrong("worker", detail, Exit.NO_WORKER)
    else:
        yield _ok("worker", f"{seen}; it is delivering" if status.waiting else f"{seen}; nothing is due")
    for name, incidents in status.removed_channels.items():
        yield _wrong(f"channel {name}", removed_channel(name, incidents))
    for takeover in status.taken_over_again:
        yield _wrong(f"channel {takeover.channel}", repeated_takeover(takeover, settings.zone))
    for reading in status.second_readings:
        due = local_time(reading.due_at, settings.zone)
        detail = f"It is owed by {due}. Read it: policenotify drafts {reading.publication}"
        overdue = reading.due_at <= status.at
        yield _wrong("second reading", detail, Exit.OVERDUE) if overdue else _note("second reading", detail)
    if status.submitted_drafts:
        yield _note("drafts", waiting_drafts(status))
    for incident in status.incidents:
        if incident.overdue:
            detail = f'{incident.headline}: its next message is overdue. policenotify end {incident.id} "…"'
            yield _wrong(f"incident {incident.id}", detail, Exit.OVERDUE)
