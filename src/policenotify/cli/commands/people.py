"""`policenotify people`: who is written to, who is not any more, and what is held about a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.output import Part
from policenotify.cli.usage import BadParameter, UsageError, typed_reason
from policenotify.errors import SettingsError
from policenotify.model.person import PersonRecord, Suppression
from policenotify.model.receipt import local_time
from policenotify.settings import configured_channels
from policenotify.translation import Text, text_of
from policenotify.validation import did_you_mean

if TYPE_CHECKING:
    from policenotify.publishing.people import People
    from policenotify.settings import Settings

_SHOWN = 12  # characters of a key; `release` takes them
_channel_option = click.option(
    "--channel", metavar="CHANNEL", shell_complete=completion.channels, help="Only this channel. Default: all."
)


@click.group("people", epilog=exit_codes("6 no journal"))
@common
def people() -> None:
    """Show and change who is written to, and answer a person's request for access or erasure.

    \b
    Examples:
      policenotify people list --suppressed
      policenotify people add presse ana@journal.example --source "by form"
      policenotify people suppress ana@journal.example --reason "By telephone."
      policenotify people export ana@journal.example
    """


@contextmanager
def _opened(call: CliContext) -> Iterator[tuple[Settings, People, datetime]]:
    """Open what the commands work on, and the time now."""
    from policenotify.publishing.people import People

    with call.journal() as (settings, journal):
        channels = {channel.name: channel for channel in configured_channels(settings)[0]}
        yield settings, People(journal, channels, journal.clock), journal.now()


@people.command("list", short_help="Show how many people each channel is for.", epilog=exit_codes("6 no journal"))
@click.argument("channel", required=False, shell_complete=completion.channels)
@click.option("--suppressed", is_flag=True, help="Show who is not written to, one by one.")
@common
@pass_context
def list_(call: CliContext, channel: str | None, *, suppressed: bool) -> Exit:
    """Show how many people each channel is for, and how many of all are not written to. Only one CHANNEL, or all.

    The journal knows people only by a key, so none is shown by address.

    \b
    Examples:
      policenotify people list
      policenotify people list --suppressed presse --json
    """
    with _opened(call) as (settings, people, _):
        found, counts = people.suppressed(channel), people.counts(channel)
    listed = [_document(each) for each in found]
    if suppressed:
        lines = [output.line(_line(each, settings.zone)) for each in found] or [
            output.prose(Text("Nobody is suppressed."))
        ]
        call.emit({"suppressed": listed}, *lines)
        return Exit.OK
    lines = [
        output.line(Text.join("  ", (name, Text.counted("{count} person", "{count} people", count=count))))
        for name, count in counts.items()
        if count is not None
    ]
    lines += [
        output.prose(Text("The list of {name} cannot be read.", name=name))
        for name, count in counts.items()
        if count is None
    ]
    call.emit(
        {"people": counts, "suppressed": listed},
        *lines,
        output.prose(
            Text.counted(
                "{count} suppression. To show them: policenotify people list --suppressed",
                "{count} suppressions. To show them: policenotify people list --suppressed",
                count=len(found),
            )
        ),
    )
    return Exit.OK


def _document(suppression: Suppression) -> dict[str, object]:
    return suppression.model_dump(mode="json")


def _line(each: Suppression, zone: tzinfo) -> Text:
    since = Text("since {since}", since=local_time(each.since, zone))
    if each.until:
        since = Text("{since} until {until}", since=since, until=local_time(each.until, zone))
    return Text.join("  ", (each.channel or "*", each.key[:_SHOWN], each.source, since, each.evidence))


@people.command(
    "add", short_help="Add an address to a list.", epilog=exit_codes("1 the list cannot be changed; 6 no journal")
)
@click.argument("name", metavar="CHANNEL|AUDIENCE", shell_complete=completion.channels)
@click.argument("address")
@click.option("--source", metavar="TEXT", required=True, help="Where the person asked for it: the proof of consent.")
@common
@pass_context
def add(call: CliContext, name: str, address: str, source: str) -> Exit:
    """Add an ADDRESS to a list that is a text file: of a channel, or an audience. The proof of consent is kept there.

    Date and source stand in a comment of the line.

    \b
    Examples:
      policenotify people add presse ana@journal.example --source "by form"
    """
    from policenotify.settings.text_list import add_person

    with _opened(call) as (settings, people, now):
        today = now.astimezone(settings.zone).date()
        file, channels = _list(settings, name)
        added = add_person(file, address, source=source, at=today, same=people.same)
        silent = any(people.is_suppressed(address, channel) for channel in channels)
    done = (
        Text("Added to the list of {name}.", name=name)
        if added
        else Text("The list of {name} has this person already.", name=name)
    )
    notes = (
        [output.prose(Text("But this person is suppressed. To write again: policenotify people release"))]
        if silent
        else []
    )
    call.emit({"list": name, "added": added, "suppressed": silent}, output.prose(done), *notes)
    return Exit.OK


@people.command(
    "remove",
    short_help="Remove an address from a list.",
    epilog=exit_codes("1 the list cannot be changed; 6 no journal"),
)
@click.argument("name", metavar="CHANNEL|AUDIENCE", shell_complete=completion.channels)
@click.argument("address")
@common
@pass_context
def remove(call: CliContext, name: str, address: str) -> Exit:
    """Remove an ADDRESS from a list that is a text file: of a channel, or an audience.

    The updates and the end of an open incident still reach who got its opening. To stop these too: people suppress.

    \b
    Examples:
      policenotify people remove presse ana@journal.example
    """
    from policenotify.settings.text_list import remove_person

    with _opened(call) as (settings, people, _):
        removed = remove_person(_list(settings, name)[0], address, same=people.same)
    done = (
        Text("Removed from the list of {name}.", name=name)
        if removed
        else Text("The list of {name} does not have this person.", name=name)
    )
    call.emit({"list": name, "removed": removed}, output.prose(done))
    return Exit.OK


def _list(settings: Settings, name: str) -> tuple[Path, list[str]]:
    """Return the text file of a channel or an audience, and the channels that it is for.

    Raises:
        SettingsError: There is none of that name, or its people do not come from one text file.
    """
    channels = settings.channels
    if name in settings.audiences:
        files = {settings.audiences[name].file}
        users = [each for each, channel in channels.items() if name in channel.audiences]
    elif name in channels:
        own = channels[name].recipients
        files, users = {own.file if own else None}, [name]
        if own is None:
            files = {settings.audiences[each].file for each in channels[name].audiences}
    else:
        known = {*channels, *settings.audiences}
        raise SettingsError(
            Text(
                "{name!r} is neither a channel nor an audience. {did_you_mean}",
                name=name,
                did_you_mean=did_you_mean(name, known),
            )
        )
    [file, *others] = [*files] or [None]
    if file is None or others:
        raise SettingsError(
            Text(
                "The people of {name!r} do not come from one text file. Nothing was changed. Name an "
                "audience that is one, or change them where they come from: in the settings, the table, or "
                "the program.",
                name=name,
            )
        )
    return settings.place.parent / file, users


@people.command(
    "suppress",
    short_help="Stop writing to an address at once.",
    epilog=exit_codes("1 not allowed, or no such channel; 6 no journal"),
)
@click.argument("address")
@click.option("--reason", metavar="TEXT", required=True, help="Why. It is kept, so write no name and no address.")
@click.option("--until", metavar="TIME", help="When it ends by itself: 31/12, +30d. Default: never.")
@_channel_option
@common
@pass_context
def suppress(call: CliContext, address: str, reason: str, until: str | None, channel: str | None) -> Exit:
    """Stop writing to an ADDRESS at once, also in incidents that are open.

    \b
    Examples:
      policenotify people suppress ana@journal.example --reason "By telephone."
      policenotify people suppress 0612345678 --reason "Away until May." --until 01/05
    """
    from policenotify.cli.times import parse_future

    actor = call.actor
    with _opened(call) as (settings, people, now):
        try:
            end = parse_future(until, now=now, zone=settings.zone) if until else None
        except ValueError as error:
            raise BadParameter(Text("{text}.", text=text_of(error)), param_hint="--until") from None
        with typed_reason():
            newly = people.suppress(address, actor=actor, reason=reason, channel=channel, until=end)
    done = Text("Nothing is sent to this person any more.") if newly else Text("This person was suppressed already.")
    document = {"channel": channel, "suppressed": newly, "until": end.isoformat() if end else None, "actor": actor}
    call.emit(document, output.prose(done))
    return Exit.OK


@people.command(
    "release", short_help="Write again to an address.", epilog=exit_codes("1 no such channel; 6 no journal")
)
@click.argument("address", required=False)
@_channel_option
@click.option("--all", "everybody", is_flag=True, help="Everybody on the channel.")
@common
@pass_context
def release(call: CliContext, address: str | None, channel: str | None, *, everybody: bool) -> Exit:
    """Write again to an ADDRESS, or to the person behind a key that `list --suppressed` shows.

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
    with _opened(call) as (_, people, _):
        count = people.release(address, actor=actor, channel=channel)
    done = (
        Text.counted("{count} suppression ended.", "{count} suppressions ended.", count=count)
        if count
        else Text("Nobody like that is suppressed.")
    )
    call.emit({"released": count, "channel": channel, "actor": actor}, output.prose(done))
    return Exit.OK


@people.command(
    "export", short_help="Show what the journal holds about a person.", epilog=exit_codes("1 not allowed; 6 no journal")
)
@click.argument("address")
@common
@pass_context
def export(call: CliContext, address: str) -> Exit:
    """Show everything that the journal holds about the person of an ADDRESS: a request for access (article 15).

    The list that names the person is yours, and is not searched. With --json in the form for another program.

    \b
    Examples:
      policenotify people export ana@journal.example
      policenotify people export ana@journal.example --json
    """
    with _opened(call) as (settings, people, _):
        record = people.export(address, actor=call.actor)
    call.emit(record, *_record_lines(record, settings.zone))
    return Exit.OK


def _record_lines(record: PersonRecord, zone: tzinfo) -> Iterator[Part]:
    if record.is_empty:
        yield output.prose(Text("The journal holds nothing about this person."))
        return
    stored = record.address_stored_at
    yield output.prose(
        Text("The address is stored, encrypted, as of {stored}.", stored=local_time(stored, zone))
        if stored
        else Text("No address is stored.")
    )
    yield output.prose(
        Text.counted(
            "{count} publication was for this person:",
            "{count} publications were for this person:",
            count=len(record.deliveries),
        ),
        style="bold",
    )
    for delivery in record.deliveries:
        when, what = local_time(delivery.published_at, zone), delivery.headline or delivery.category
        words = (when, delivery.channel, delivery.outcome, what, delivery.publication, delivery.reason)
        yield output.line(Text.join("", ("  ", Text.join("  ", words))))
    for report in record.reports:
        status = f" ({report.status})" if report.status else ""
        when = local_time(report.at, zone)
        yield output.line(
            Text(
                "  {when}  {channel}  came back: {kind}{status}  {publication}",
                when=when,
                channel=report.channel,
                kind=report.kind,
                status=status,
                publication=report.publication,
            )
        )
    if not record.suppressions:
        yield output.prose(Text("The person is written to."))
    for suppression in record.suppressions:
        yield output.line(Text("No longer written to: {line}", line=_line(suppression, zone)))


@people.command(
    "erase", short_help="Erase the address of a person.", epilog=exit_codes("1 nothing was erased; 6 no journal")
)
@click.argument("address")
@common
@pass_context
def erase(call: CliContext, address: str) -> Exit:
    """Erase the ADDRESS of a person, and what links the person to publications. It cannot be undone.

    For a request under article 17 of the GDPR (RGPD). How many people a publication reached stays. If the person
    left, it stays recorded under a key, so that no list brings the person back. Updates and ends of open incidents do
    not reach the person any more.

    \b
    Examples:
      policenotify people erase ana@journal.example
    """
    with _opened(call) as (_, people, _):
        erased = people.erase(address, actor=call.actor)
    head = Text("The address was erased") if erased.address else Text("No address was stored")
    lines = [
        output.line(
            Text.counted(
                "{head}, and {count} publication is not linked to the person any more.",
                "{head}, and {count} publications are not linked to the person any more.",
                head=head,
                count=erased.deliveries,
            )
        )
    ]
    if erased.ended:
        lines.append(
            output.prose(
                Text.counted("{count} suppression was erased.", "{count} suppressions were erased.", count=erased.ended)
            )
        )
    if erased.kept:
        lines.append(
            output.prose(
                Text(
                    "That the person unsubscribed stays recorded, under a key, so that no list brings the person back."
                )
            )
        )
    if erased.listed:
        named = ", ".join(erased.listed)
        lines.append(
            output.prose(
                Text("Still on the list of: {named}. Remove the person: policenotify people remove", named=named)
            )
        )
    call.emit({**erased.model_dump(mode="json"), "actor": call.actor}, *lines)
    return Exit.OK
