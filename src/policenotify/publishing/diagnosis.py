"""Check a journal, and every channel with its network. Nothing is posted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from policenotify.audiences.model import Audience
from policenotify.audiences.summary import summarize
from policenotify.channel import ChannelConfig
from policenotify.errors import Blocked, JournalError, NotAllowed, PolicenotifyError
from policenotify.journal.records import MASS_REFUSAL
from policenotify.model.diagnosis import DiagnosisLine, note, right, wrong
from policenotify.model.receipt import UNVERIFIED, local_time
from policenotify.model.status import Alarm, InstallationStatus
from policenotify.publishing.status import (
    clock_was_set,
    problem_of,
    read_status,
    removed_channel,
    waiting_drafts,
)

if TYPE_CHECKING:
    from datetime import tzinfo

    from policenotify.journal.journal import Journal

_UNVERIFIED = f"{UNVERIFIED[0].lower()}{UNVERIFIED[1:-1]}"


def check_journal(
    journal: Journal, configs: Mapping[str, ChannelConfig], actor: str, zone: tzinfo
) -> Iterator[DiagnosisLine]:
    """Check the journal, the credentials and recipients of each channel, and the alarms.

    A blocked channel that works again is resumed in the name of *actor*.
    """
    try:
        yield _soundness(journal)
        blocked = journal.channels.blocked()
        for config in configs.values():
            yield from _channel(config, journal, actor, block=blocked.get(config.name))
        yield from _alarms(read_status(journal, configs), zone)
    except JournalError as error:
        yield wrong("journal", error, Alarm.JOURNAL)


def check_people(check: str, audience: Audience, *, may_be_empty: bool) -> DiagnosisLine:
    """Read an audience to its end, and return what is in it."""
    try:
        summary = summarize(audience)
    except Exception as error:  # noqa: BLE001 - a host's own function may fail, and quote an address
        return wrong(check, error if isinstance(error, PolicenotifyError) else f"Unexpected: {type(error).__name__}.")
    parts = [f"{summary.people} people"]
    parts += [f"{summary.consents} with a proof of consent"] if summary.consents else []
    parts += [f"{summary.doubles} named more than once"] if summary.doubles else []
    parts += [f"{summary.wrong} wrong rows"] if summary.wrong else []
    detail = ", ".join(parts)
    if summary.wrong:
        detail += f": {' '.join(f'line {row.line}: {row.reason}' for row in summary.first_wrong)}"
        detail += " …" if summary.wrong > len(summary.first_wrong) else ""
    if not summary.people and not may_be_empty:
        return wrong(check, f"{detail}. It would reach nobody.")
    return note(check, detail) if summary.wrong or not summary.people else right(check, detail)


def _soundness(journal: Journal) -> DiagnosisLine:
    with journal.read() as connection:
        # The answer is "ok" or what is wrong (sqlite.org/pragma.html#pragma_quick_check).
        sound = connection.dialect.name != "sqlite" or connection.exec_driver_sql("PRAGMA quick_check").scalar() == "ok"
    if not sound:
        raise JournalError("The journal's file is damaged. Stop all that uses it, put it aside, and restore a copy.")
    journal.check_writable()
    return right("journal", f"can be read and written; {journal.audit.verify()} sealed batches, all unchanged")


def _channel(config: ChannelConfig, journal: Journal, actor: str, *, block: Blocked | None) -> Iterator[DiagnosisLine]:
    problem = problem_of(config, journal.deliveries.had_recipients)
    if config.problem:
        yield wrong(f"channel {config.name}", problem)
        return
    yield _account(config, journal, actor, block=block)
    if problem is not None:
        yield wrong(f"recipients of {config.name}", problem)
        return
    for audience in config.audiences:
        own = audience.name == config.name
        check = f"recipients of {config.name}" if own else f"audience {audience.name} on {config.name}"
        yield check_people(check, audience, may_be_empty=config.retired)


def _account(config: ChannelConfig, journal: Journal, actor: str, *, block: Blocked | None) -> DiagnosisLine:
    check = f"channel {config.name}"
    try:
        channel = config.open(journal.clock, journal.channels.state_store(config.name))
        try:
            account = channel.whoami()
        finally:
            channel.close()
    except PolicenotifyError as error:
        return wrong(check, error)
    except Exception as error:  # noqa: BLE001 - an outside network may raise anything; its text may hold a secret
        name = type(error).__name__
        return wrong(check, f"Unexpected: {name}. Report it to the author of the network {config.network!r}.")
    detail = " ".join(filter(None, (f"is {account.name} on {config.network}", account.url and f"({account.url})")))
    if config.capabilities.acceptance == "unverified":
        detail += f"; what it posts is {_UNVERIFIED}"
    if block is not None and block.code == MASS_REFUSAL:  # its login works, and its answers about recipients do not
        return wrong(check, block)
    if block is not None:
        try:
            journal.resume(actor, config.name)
        except NotAllowed as error:
            return wrong(check, error)
        resumed = "It was blocked, and is resumed"
        detail = f"{detail}. {resumed}"
    return note(check, f"{detail}. {account.note}") if account.note else right(check, detail)


def _alarms(status: InstallationStatus, zone: tzinfo) -> Iterator[DiagnosisLine]:
    if status.stopped:
        yield wrong("stop", status.stopped)
    seen = f"last seen {local_time(status.last_heartbeat, zone)}" if status.last_heartbeat else "never seen"
    if status.no_worker:
        detail = f"deliveries wait, and no worker runs ({seen}). Run: policenotify drain, from a timer"
        yield wrong("worker", detail, Alarm.NO_WORKER)
    else:
        yield right("worker", f"{seen}; it is delivering" if status.waiting else f"{seen}; nothing is due")
    for step in status.clock_steps:
        yield wrong("clock", clock_was_set(step, zone))
    yield from _channel_alarms(status)
    for reading in status.second_readings:
        due = local_time(reading.due_at, zone)
        detail = f"It is owed by {due}. Read it: policenotify drafts {reading.publication}"
        overdue = reading.due_at <= status.at
        yield wrong("second reading", detail, Alarm.OVERDUE) if overdue else note("second reading", detail)
    if status.submitted_drafts:
        yield note("drafts", waiting_drafts(status))
    for incident in status.incidents:
        if incident.overdue:
            detail = f'{incident.headline}: its next message is overdue. policenotify end {incident.id} "…"'
            yield wrong(f"incident {incident.id}", detail, Alarm.OVERDUE)


def _channel_alarms(status: InstallationStatus) -> Iterator[DiagnosisLine]:
    for name, problems in status.other_worker_problems.items():
        for problem in problems:
            yield wrong(f"channel {name}", f"The process that delivers on {problem.host} cannot use it: {problem}")
    for name, incidents in status.removed_channels.items():
        yield wrong(f"channel {name}", removed_channel(name, incidents))
