"""`policenotify people` and `bounce`: who is written to, who is not any more, and what is held about a person."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import tzinfo

import click

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, command, group
from policenotify.cli.exit_codes import Exit
from policenotify.cli.output import Part
from policenotify.cli.usage import UsageError, typed_reason
from policenotify.errors import PolicenotifyError
from policenotify.formats.mail_report import MOST_BYTES
from policenotify.model.person import PersonRecord, Suppression
from policenotify.model.receipt import local_time
from policenotify.publishing.people import People
from policenotify.translation import Text

_MOST = 20  # suppressions on a screen
_SHOWN = 12  # characters of a key; `release` takes them
_PIECE = 65_536  # bytes of a mail that are read at once
_channel_option = click.option(
    "--channel", metavar="CHANNEL", shell_complete=completion.channels, help="Only this channel. Default: all."
)


@group("people", exits="6 no journal")
def people() -> None:
    """Show and change who is written to, and answer a person's request for access or erasure.

    \b
    Examples:
      policenotify people list
      policenotify people suppress ana@journal.example --reason "By telephone."
      policenotify people export ana@journal.example
    """


@contextmanager
def _opened(call: CliContext) -> Iterator[tuple[tzinfo, People]]:
    """Open what the commands work on, with the zone of its times."""
    with call.operations() as operations:
        yield operations.zone, People(operations.journal, operations.channel_configs, operations.journal.clock)


@people.command("list", short_help="Show how many people each channel is for.", exits="6 no journal")
@click.argument("channel", required=False, shell_complete=completion.channels)
def list_(call: CliContext, channel: str | None) -> None:
    """Show how many people each channel is for, and who is not written to. Only one CHANNEL, or all.

    The journal knows people only by a key, so none is shown by address. Who is on a list is in the list: change it
    there.

    \b
    Examples:
      policenotify people list
      policenotify people list presse --json
    """
    with _opened(call) as (zone, people):
        found, counts = people.suppressed(channel), people.counts(channel)
    lines = [
        output.line(Text.join("  ", (name, Text.counted("{count} person", "{count} people", count=count))))
        if count is not None
        else output.prose(Text("The list of {name} cannot be read.", name=name))
        for name, count in counts.items()
    ]
    total = Text.counted("{count} suppression.", "{count} suppressions.", count=len(found))
    shown = [output.line(_line(each, zone)) for each in found[:_MOST]]
    more = [output.line("  …  --json")] if found[_MOST:] else []
    suppressed = [each.model_dump(mode="json") for each in found]
    call.emit({"people": counts, "suppressed": suppressed}, *lines, output.prose(total), *shown, *more)


def _line(each: Suppression, zone: tzinfo) -> Text:
    since = Text("since {since}", since=local_time(each.since, zone))
    return Text.join("  ", (each.channel or "*", each.key[:_SHOWN], each.source, since, each.evidence))


@people.command(
    "suppress",
    short_help="Stop writing to an address at once.",
    exits="1 not allowed, or no such channel; 6 no journal",
)
@click.argument("address")
@click.option("--reason", metavar="TEXT", required=True, help="Why. It is kept, so write no name and no address.")
@_channel_option
def suppress(call: CliContext, address: str, reason: str, channel: str | None) -> None:
    """Stop writing to an ADDRESS at once, also in incidents that are open.

    \b
    Examples:
      policenotify people suppress ana@journal.example --reason "By telephone."
      policenotify people suppress 0612345678 --reason "By telephone." --channel sms
    """
    actor = call.actor
    with _opened(call) as (_, people), typed_reason():
        newly = people.suppress(address, actor=actor, reason=reason, channel=channel)
    done = Text("Nothing is sent to this person any more.") if newly else Text("This person was suppressed already.")
    document = {"channel": channel, "suppressed": newly, "actor": actor}
    call.emit(document, output.prose(done))


@people.command("release", short_help="Write again to an address.", exits="1 no such channel; 6 no journal")
@click.argument("address", required=False)
@_channel_option
@click.option("--all", "everybody", is_flag=True, help="Everybody on the channel.")
def release(call: CliContext, address: str | None, channel: str | None, *, everybody: bool) -> None:
    """Write again to an ADDRESS, or to the person behind a key that `people list` shows.

    It takes effect with the next publication. The journal records who decided it. Write to a person who left only if
    the person asks for it.

    \b
    Examples:
      policenotify people release ana@journal.example
      policenotify people release --channel presse --all
    """
    if (address is None) is not everybody or (everybody and channel is None):
        raise UsageError(Text("Name one person, or give --channel and --all."))
    actor = call.actor
    with _opened(call) as (_, people):
        count = people.release(address, actor=actor, channel=channel)
    done = (
        Text.counted("{count} suppression ended.", "{count} suppressions ended.", count=count)
        if count
        else Text("Nobody like that is suppressed.")
    )
    call.emit({"released": count, "channel": channel, "actor": actor}, output.prose(done))


@people.command("export", short_help="Show what the journal holds about a person.", exits="1 not allowed; 6 no journal")
@click.argument("address")
def export(call: CliContext, address: str) -> None:
    """Show everything that the journal holds about the person of an ADDRESS, for a request for access (article 15).

    The list that names the person is yours, and is not searched.

    \b
    Examples:
      policenotify people export ana@journal.example
    """
    with _opened(call) as (zone, people):
        record = people.export(address, actor=call.actor)
    call.emit(record, *_record_lines(record, zone))


def _record_lines(record: PersonRecord, zone: tzinfo) -> Iterator[Part]:
    if record.is_empty:
        yield output.prose(Text("The journal holds nothing about this person."))
    if record.address_stored_at:
        stored = local_time(record.address_stored_at, zone)
        yield output.prose(Text("The address is stored, encrypted, as of {stored}.", stored=stored))
    for each in record.deliveries:
        when, what = local_time(each.published_at, zone), each.headline or each.category
        yield output.line(Text.join("  ", (when, each.channel, each.outcome, what, each.publication, each.reason)))
    for report in record.reports:
        when = local_time(report.at, zone)
        yield output.line(Text.join("  ", (when, report.channel, report.kind, report.status, report.publication)))
    for suppression in record.suppressions:
        yield output.line(Text("No longer written to: {line}", line=_line(suppression, zone)))


@people.command("erase", short_help="Erase the address of a person.", exits="1 nothing was erased; 6 no journal")
@click.argument("address")
def erase(call: CliContext, address: str) -> None:
    """Erase the ADDRESS of a person, and what links the person to publications. It cannot be undone.

    For a request under article 17 of the GDPR (RGPD). How many people a publication reached stays. If the person
    left, it stays recorded under a key, so that no list brings the person back. Updates and ends of open incidents do
    not reach the person any more.

    \b
    Examples:
      policenotify people erase ana@journal.example
    """
    with _opened(call) as (_, people):
        erased = people.erase(address, actor=call.actor)
    head = Text("The address was erased") if erased.address else Text("No address was stored")
    text = Text.counted(
        "{head}, and {count} publication is not linked to the person any more.",
        "{head}, and {count} publications are not linked to the person any more.",
        head=head,
        count=erased.deliveries,
    )
    page = [output.prose(text)]
    if erased.kept:
        kept = Text("That the person unsubscribed stays recorded, under a key, so that no list brings the person back.")
        page.append(output.prose(kept))
    if erased.listed:
        named = ", ".join(erased.listed)
        page.append(output.prose(Text("Still on the list of: {named}. Remove the person there.", named=named)))
    call.emit({**erased.model_dump(mode="json"), "actor": call.actor}, *page)


@command("bounce", exits="75 the journal or the settings are not available: the relay tries again")
@click.argument("recipients", nargs=-1)
def bounce(call: CliContext, recipients: tuple[str, ...]) -> Exit:
    """Read a mail that came back on standard input, and record what it reports about its recipient.

    For the pipe of a mail relay. RECIPIENTS are the envelope's: `bounce+TOKEN@police.example`. Without them the headers
    Delivered-To, X-Original-To, Envelope-To and To are searched. A mail that reports nothing, or names no mail of this
    installation, changes nothing.

    \b
    Examples:
      policenotify bounce < mail
      policenotify bounce bounce+ahamib5l@police.example < mail
    """
    mail = _read_mail()
    try:
        with _opened(call) as (_, people):
            done = people.bounce(mail, recipients)
    except PolicenotifyError as error:
        click.echo(str(error), err=True)
        return Exit.TRY_AGAIN
    text = f"{done.kind} {done.status}".strip() + f": {done.result or 'ignored'}"
    call.answer({"kind": done.kind, "status": done.status, "result": done.result}, f"{text}\n")
    return Exit.OK


def _read_mail() -> bytes:
    """Read the mail to its end, as a relay takes a closed pipe for a failure. Only its beginning is kept."""
    mail = bytearray()
    while piece := sys.stdin.buffer.read(_PIECE):
        mail += piece[: max(MOST_BYTES - len(mail), 0)]
    return bytes(mail)
