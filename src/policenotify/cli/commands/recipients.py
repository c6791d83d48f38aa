"""`policenotify recipients`: who is not written to any more, and how to take that back."""

from __future__ import annotations

import click
from rich.text import Text

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.errors import SettingsError
from policenotify.model.receipt import local_time
from policenotify.validation import did_you_mean

_SHOWN = 12  # characters of a key; `lift` takes them


@click.group("recipients", epilog=exit_codes("6 no journal"))
@common
def recipients() -> None:
    """Show the recipients who are not written to any more, and write to them again.

    \b
    Examples:
      policenotify recipients suppressed
      policenotify recipients lift presse --all
    """


@recipients.command("suppressed", epilog=exit_codes("6 no journal"))
@click.argument("channel", required=False, shell_complete=completion.channels)
@common
@pass_context
def suppressed(call: CliContext, channel: str | None) -> Exit:
    """Show who is not written to any more, on one CHANNEL or on all.

    A recipient is suppressed on a channel once its network has reported on two days that the address does not exist.
    The journal knows the recipient only by a key.

    \b
    Examples:
      policenotify recipients suppressed
      policenotify recipients suppressed presse --json
    """
    with call.journal() as (settings, journal):
        found, zone = journal.suppressions.list(channel), settings.zone
    document = [
        {"channel": one.channel, "key": one.key, "reason": one.reason, "since": one.confirmed_at.isoformat()}
        for one in found
    ]
    lines = [
        output.line(f"{one.channel}  {one.key[:_SHOWN]}  since {local_time(one.confirmed_at, zone)}  {one.reason}")
        for one in found
    ]
    call.emit({"suppressed": document}, *lines or [Text("Nobody is suppressed.")])
    return Exit.OK


@recipients.command(
    "lift", short_help="Write again to a recipient.", epilog=exit_codes("2 nobody is named; 6 no journal")
)
@click.argument("channel", shell_complete=completion.channels)
@click.argument("recipient", required=False)
@click.option("--all", "everybody", is_flag=True, help="Lift all suppressions of the channel.")
@common
@pass_context
def lift(call: CliContext, channel: str, recipient: str | None, everybody: bool) -> Exit:  # noqa: FBT001 - click hands options over so
    """Write again to a RECIPIENT of a CHANNEL: an address, or a key that `suppressed` shows.

    It takes effect with the next publication. The journal records who lifted it.

    \b
    Examples:
      policenotify recipients lift presse redaction@journal.example
      policenotify recipients lift presse --all
    """
    if (recipient is None) is not everybody:
        raise click.UsageError("Name one recipient, or give --all.")
    actor = call.actor
    with call.journal() as (settings, journal):
        count = journal.suppressions.lift(channel, recipient, actor)
        if not count and channel not in settings.channels:
            raise SettingsError(f"{channel!r} is not a channel. {did_you_mean(channel, settings.channels)}")
    done = f"{count} suppressions lifted on {channel}." if count else f"Nobody like that is suppressed on {channel}."
    call.emit({"lifted": count, "channel": channel, "actor": actor}, Text(done))
    return Exit.OK
