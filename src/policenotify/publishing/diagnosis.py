"""Check a journal, and every channel with its network. Nothing is posted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from policenotify.audiences.model import Audience, WrongRow
from policenotify.channel import ChannelConfig
from policenotify.errors import Blocked, JournalError, NotAllowed, PolicenotifyError
from policenotify.journal.records import MASS_REFUSAL
from policenotify.model.receipt import local_time
from policenotify.model.status import Alarm, DiagnosisLine, InstallationStatus, note, right, wrong
from policenotify.publishing.alarms import alarms, waiting_drafts
from policenotify.publishing.status import read_status, why_blocked
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from datetime import tzinfo

    from policenotify.journal.journal import Journal

_LISTED = 10  # wrong rows that are named
_UNVERIFIED = Text("accepted by the gateway, not verified")


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
        status = read_status(journal, configs)
        known = {"state": "ready", "reason": "", "remedy": ""}  # by the checks before
        channels = [each.model_copy(update=known) if each.name in configs else each for each in status.channels]
        found = {"channels": tuple(channels), "damaged": journal.damaged_rows()}
        yield from _alarms(status.model_copy(update=found), zone)
    except JournalError as error:
        yield wrong("journal", error, Alarm.JOURNAL)


def check_people(check: AnyText, audience: Audience, *, may_be_empty: bool) -> DiagnosisLine:
    """Read an audience to its end, and return what is in it."""
    known: set[int] = set()  # 64 bits for each address, so that a million addresses need no gigabyte
    doubles = wrong_rows = consents = 0
    rows: list[AnyText] = []  # the first wrong ones
    try:
        for row in audience.rows():
            if isinstance(row, WrongRow):
                wrong_rows += 1
                if wrong_rows <= _LISTED:
                    rows.append(Text("line {line}: {reason}", line=row.line, reason=row.reason))
                continue
            people = len(known)
            known.add(hash(row.address.casefold()))
            doubles += len(known) == people
            consents += len(known) > people and row.consent is not None
    except Exception as error:  # noqa: BLE001 - an outside network may raise anything; its text may hold a secret
        unexpected = Text("Unexpected: {kind}.", kind=type(error).__name__)
        return wrong(check, error if isinstance(error, PolicenotifyError) else unexpected)
    parts = [Text.counted("{count} person", "{count} people", count=len(known))]
    parts += [Text("{consents} with a proof of consent", consents=consents)] if consents else []
    parts += [Text("{doubles} named more than once", doubles=doubles)] if doubles else []
    parts += [Text("{wrong} wrong rows", wrong=wrong_rows)] if wrong_rows else []
    detail = Text.join(", ", parts)
    if wrong_rows:
        more = ["…"] if wrong_rows > _LISTED else []
        detail = Text("{detail}: {rows}", detail=detail, rows=Text.join(" ", [*rows, *more]))
    if not known and not may_be_empty:
        return wrong(check, Text("{detail}. It would reach nobody.", detail=detail))
    return note(check, detail) if wrong_rows or not known else right(check, detail)


def _soundness(journal: Journal) -> DiagnosisLine:
    with journal.read() as connection:
        # The answer is "ok" or what is wrong (sqlite.org/pragma.html#pragma_quick_check).
        sound = connection.dialect.name != "sqlite" or connection.exec_driver_sql("PRAGMA quick_check").scalar() == "ok"
    if not sound:
        raise JournalError(
            Text("The journal's file is damaged. Stop all that uses it, put it aside, and restore a copy.")
        )
    journal.check_writable()
    return right(
        "journal",
        Text.counted(
            "can be read and written; {count} sealed batch, unchanged",
            "can be read and written; {count} sealed batches, all unchanged",
            count=journal.audit.verify(),
        ),
    )


def _channel(config: ChannelConfig, journal: Journal, actor: str, *, block: Blocked | None) -> Iterator[DiagnosisLine]:
    problem = why_blocked(config, journal.deliveries.had_recipients)
    if config.blocked:
        yield wrong(Text("channel {name}", name=config.name), problem)
        return
    yield _account(config, journal, actor, block=block)
    recipients = Text("recipients of {name}", name=config.name)
    if problem is not None:
        yield wrong(recipients, problem)
        return
    for audience in config.audiences:
        check = recipients
        if audience.name != config.name:
            check = Text("audience {name} on {name_2}", name=audience.name, name_2=config.name)
        yield check_people(check, audience, may_be_empty=config.retired)


def _account(config: ChannelConfig, journal: Journal, actor: str, *, block: Blocked | None) -> DiagnosisLine:
    check = Text("channel {name}", name=config.name)
    try:
        with closing(config.open(journal.clock, journal.channels.state_store(config.name))) as channel:
            account = channel.whoami()
    except PolicenotifyError as error:
        return wrong(check, error)
    except Exception as error:  # noqa: BLE001 - an outside network may raise anything; its text may hold a secret
        text = Text("Unexpected: {name}. Report it to the author of the network {network!r}.")
        return wrong(check, text.filled(name=type(error).__name__, network=config.network))
    detail = Text("is {name} on {network}", name=account.name, network=config.network)
    if account.url:
        detail = Text("{detail} ({url})", detail=detail, url=account.url)
    if config.capabilities.acceptance == "unverified":
        detail = Text("{detail}; what it posts is {unverified}", detail=detail, unverified=_UNVERIFIED)
    if block is not None and block.code == MASS_REFUSAL:  # its login works, and its answers about recipients do not
        return wrong(check, block)
    if block is not None:
        try:
            journal.resume(actor, config.name)
        except NotAllowed as error:
            return wrong(check, error)
        detail = Text("{detail}. It was blocked, and is resumed", detail=detail)
    if account.note:
        return note(check, Text("{detail}. {note}", detail=detail, note=account.note))
    return right(check, detail)


def _alarms(status: InstallationStatus, zone: tzinfo) -> Iterator[DiagnosisLine]:
    for alarm in alarms(status, zone):
        yield wrong(alarm.about, Text.join(" ", (alarm.text, alarm.remedy)), alarm.kind)
    if not status.no_worker:
        seen = status.last_heartbeat
        last = Text("last seen {last_heartbeat}", last_heartbeat=local_time(seen, zone)) if seen else Text("never seen")
        doing = Text("{seen}; it is delivering", seen=last)
        yield right("worker", doing if status.waiting else Text("{seen}; nothing is due", seen=last))
    for reading in status.second_readings:
        if reading.due_at > status.at:
            due, publication = local_time(reading.due_at, zone), reading.publication
            owed = Text("It is owed by {due}. Read it: policenotify drafts {publication}")
            yield note(Text("second reading"), owed.filled(due=due, publication=publication))
    if status.submitted_drafts:
        yield note("drafts", waiting_drafts(status))
