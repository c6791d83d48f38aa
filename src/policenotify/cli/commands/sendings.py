"""`policenotify pause`, `abort` and `held`: steer a sending to many people, and see who is in doubt."""

from __future__ import annotations

import sys

import click

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.lookup import find_publication
from policenotify.cli.output import Part
from policenotify.cli.usage import UsageError
from policenotify.model.decision import Steered
from policenotify.model.receipt import local_time
from policenotify.translation import AnyText, Text

_SHOWN = 12  # characters of a key; `resolve` takes them
_NAME = click.argument("which", metavar="INCIDENT|PUBLICATION|KEY", shell_complete=completion.waiting_sendings)
_CHANNEL = click.option("--channel", metavar="NAME", shell_complete=completion.channels, help="Only this channel.")
_REASON = click.option("--reason", default="", metavar="TEXT", help="Recorded in the journal.")


@click.command("pause", epilog=exit_codes("1 never published; 6 no journal"))
@_NAME
@_CHANNEL
@_REASON
@common
@pass_context
def pause(call: CliContext, which: str, channel: str | None, reason: str) -> Exit:
    """Pause the sending of a publication to the people who still wait, in all processes, until `resume`.

    It takes effect after the people who are being sent to, at most 25. Posts on other networks are not paused. The end
    of the incident is still sent at once to everybody who has the opening.

    \b
    Examples:
      policenotify pause 2026-4711
      policenotify pause 2026-4711 --channel sms --reason "Erreur de date"
    """
    actor = call.actor
    with call.operations() as operations:
        found = find_publication(operations.journal, which, operations.zone)
        done = operations.pause_sending(found.id, actor=actor, channel=channel, reason=" ".join(reason.split()))
    text = Text(
        "Paused on {channels}. To go on: policenotify resume {id}", channels=", ".join(done.channels), id=found.id
    )
    return _answered(call, done, text)


@click.command("abort", epilog=exit_codes("1 never published; 6 no journal"))
@_NAME
@_CHANNEL
@_REASON
@common
@pass_context
def abort(call: CliContext, which: str, channel: str | None, reason: str) -> Exit:
    """Abort the sending of a publication to the people who still wait, in all processes, for good.

    This publishes nothing, and no message is taken back: everybody who has the message keeps it, and still gets the
    end of the incident. People in doubt are held. If you are not sure, pause it first.

    \b
    Examples:
      policenotify abort 2026-4711 --reason "Mauvaise liste"
      policenotify abort campaign-2026-12-01 --channel sms
    """
    actor = call.actor
    with call.operations() as operations:
        found = find_publication(operations.journal, which, operations.zone)
        done = operations.abort_sending(found.id, actor=actor, channel=channel, reason=" ".join(reason.split()))
    text = Text.counted(
        "Aborted on {channels}. {count} person who was known does not get it.",
        "Aborted on {channels}. {count} people who were known do not get it.",
        channels=", ".join(done.channels),
        count=done.people,
    )
    return _answered(call, done, text)


def _answered(call: CliContext, done: Steered, text: AnyText) -> Exit:
    none = Text("Nothing was changed: nobody waits for it there, or it was done before.")
    call.emit(done, output.prose(text if done.channels else none))
    return Exit.OK


@click.command("held", epilog=exit_codes("3 something is held, or a list cannot be read; 6 no journal"))
@click.argument("delivery", type=int, required=False, shell_complete=completion.held_deliveries)
@click.option("--show-addresses", is_flag=True, help="On a terminal only; the journal records who saw them.")
@common
@pass_context
def held(call: CliContext, delivery: int | None, show_addresses: bool) -> Exit:  # noqa: FBT001 - click hands options over so
    """Show the deliveries that a person must settle; of one DELIVERY, the people who are in doubt.

    Each may or may not be out. Look on the network, then: policenotify resolve. A person is named by a key, which
    `resolve --recipient` takes.

    Of a delivery that waits because its list cannot be read, it shows why, and what to do.

    \b
    Examples:
      policenotify held
      policenotify held 42
      policenotify held 42 --show-addresses
    """
    if show_addresses and (call.json or not sys.stdout.isatty()):
        raise UsageError(Text("Addresses are shown on a terminal only: leave out --show-addresses."))
    if delivery is None:
        if show_addresses:
            raise UsageError(Text("Give the number of a delivery: policenotify held 42 --show-addresses"))
        return _held_deliveries(call)
    with call.operations() as operations:
        found = operations.held_people(delivery)
        if show_addresses:
            people = operations.journal.sendings.in_doubt_with_addresses(delivery, call.actor)
            found = found.model_copy(update={"people": people})
        zone = operations.zone
    lines: list[Part] = []
    for person in found.people:
        since = Text("since {at}", at=local_time(person.tried_at, zone)) if person.tried_at else ""
        words = (person.key[:_SHOWN], person.address or "", Text.word(person.outcome), since, person.reason)
        lines.append(output.line(Text.join("  ", words)))
    lines = lines or [output.prose(Text("Nobody is in doubt."))]
    if (waits := found.waits_for_list) is not None:
        lines += [
            output.prose(Text("It waits: {reason}", reason=waits.reason)),
            output.paragraph(waits.remedy, "→ "),
        ]
    call.emit(found, *lines)
    return Exit.ATTENTION if found.held or waits else Exit.OK


def _held_deliveries(call: CliContext) -> Exit:
    with call.operations() as operations:
        found, zone = operations.held(), operations.zone
    lines: list[Part] = []
    for each in found:
        where = f"{each.delivery}  {each.channel} ({each.language})"
        people = Text.counted("{count} person", "{count} people", count=each.people) if each.people else ""
        lines.append(output.line(Text.join(" · ", (where, local_time(each.published_at, zone), people))))
        lines.append(output.quoted(each.headline))
        if each.reason:
            lines.append(output.paragraph(each.reason))
        look = (
            Text("policenotify held {delivery}", delivery=each.delivery)
            if each.people
            else Text("policenotify resolve {delivery} --posted", delivery=each.delivery)
        )
        lines.append(output.paragraph(look, "→ "))
    call.emit({"deliveries": found}, *lines or [output.prose(Text("Nothing is held."))])
    return Exit.ATTENTION if found else Exit.OK
