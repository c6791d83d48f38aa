"""`policenotify pause`, `abort` and `held`: steer a sending to many people, and see who is in doubt."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.lookup import find_publication
from policenotify.model.history import Outcome
from policenotify.model.receipt import local_time

if TYPE_CHECKING:
    from policenotify.journal.bulk.controls import Steered

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

    It takes effect between two people, within a second. Posts on other networks are not paused. The end of the
    incident is still sent at once to everybody who has the opening.

    \b
    Examples:
      policenotify pause 2026-4711
      policenotify pause 2026-4711 --channel sms --reason "Erreur de date"
    """
    actor = call.actor
    with call.journal() as (settings, journal):
        found = find_publication(journal, which, settings.zone)
        done = journal.sendings.pause(found.id, actor, channel=channel, reason=" ".join(reason.split()))
    text = f"Paused on {', '.join(done.channels)}. To go on: policenotify resume {found.id}"
    return _answered(call, done, text)


@click.command("abort", epilog=exit_codes("1 never published; 6 no journal"))
@_NAME
@_CHANNEL
@_REASON
@common
@pass_context
def abort(call: CliContext, which: str, channel: str | None, reason: str) -> Exit:
    """Abort the sending of a publication to the people who still wait, in all processes, for good.

    Nothing is published by it, and no message is taken back: everybody who has the message keeps it, and still gets the
    end of the incident. People in doubt are held. If you are not sure, pause it first.

    \b
    Examples:
      policenotify abort 2026-4711 --reason "Mauvaise liste"
      policenotify abort campaign-2026-12-01 --channel sms
    """
    actor = call.actor
    with call.journal() as (settings, journal):
        found = find_publication(journal, which, settings.zone)
        done = journal.sendings.abort(found.id, actor, channel=channel, reason=" ".join(reason.split()))
    text = f"Aborted on {', '.join(done.channels)}. {done.people} people who were known do not get it."
    return _answered(call, done, text)


def _answered(call: CliContext, done: Steered, text: str) -> Exit:
    document = {"publication": done.publication, "channels": done.channels, "people": done.people, "actor": call.actor}
    none = "Nothing was changed: nobody waits for it there, or it was done before."
    call.emit(document, Text(output.plain(text if done.channels else none)))
    return Exit.OK


@click.command(
    "held", epilog=exit_codes("2 no such delivery; 3 somebody is held, or a list cannot be read; 6 no journal")
)
@click.argument("delivery", type=int, shell_complete=completion.held_deliveries)
@click.option("--show-addresses", is_flag=True, help="On a terminal only; the journal records who saw them.")
@common
@pass_context
def held(call: CliContext, delivery: int, show_addresses: bool) -> Exit:  # noqa: FBT001 - click hands options over so
    """Show the people of a delivery who are in doubt: each may or may not have the message.

    Of a delivery that waits because its list cannot be read, it shows why, and what to do.

    The number of the DELIVERY is in its receipt. A person is named by a key, which `resolve --recipient` takes.

    \b
    Examples:
      policenotify held 42
      policenotify held 42 --show-addresses
    """
    if show_addresses and (call.json or not sys.stdout.isatty()):
        raise click.UsageError("Addresses are shown on a terminal only: leave out --show-addresses.")
    with call.journal() as (settings, journal):
        if show_addresses:
            people = journal.sendings.in_doubt_with_addresses(delivery, call.actor)
        else:
            people = journal.sendings.in_doubt(delivery)
        zone = settings.zone
        lists = [each for each in journal.deliveries.waiting_for_lists() if each.delivery == delivery]
    lines: list[RenderableType] = []
    for person in people:
        since = f"since {local_time(person.tried_at, zone)}" if person.tried_at else ""
        words = (person.key[:_SHOWN], person.address or "", person.outcome, since, person.reason)
        lines.append(output.line("  ".join(filter(None, words))))
    document = [
        {
            "key": person.key,
            "outcome": person.outcome,
            "tried_at": person.tried_at and person.tried_at.isoformat(),
            "reason": person.reason,
            "code": person.code,
        }
        for person in people
    ]
    held_now = sum(person.outcome is Outcome.HELD for person in people)
    answer: dict[str, object] = {"delivery": delivery, "people": document}
    lines = lines or [Text("Nobody is in doubt.")]
    for each in lists:
        answer["waits_for_list"] = {"channel": each.channel, "reason": each.reason, "remedy": each.remedy}
        lines += [Text(output.plain(f"It waits: {each.reason}")), output.paragraph(each.remedy, "→ ")]
    call.emit(answer, *lines)
    return Exit.ATTENTION if held_now or lists else Exit.OK
