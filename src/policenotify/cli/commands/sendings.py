"""`policenotify sending` and `resolve`: watch and steer a sending to many people, and settle what is in doubt."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import click

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, command, group, note
from policenotify.cli.exit_codes import Exit
from policenotify.cli.output import Part
from policenotify.cli.usage import UsageError
from policenotify.journal.journal import Journal
from policenotify.model.decision import Steered
from policenotify.model.history import Outcome
from policenotify.model.progress import Progress, pace
from policenotify.model.receipt import Publication, Receipt, local_time
from policenotify.publishing.alarms import duration
from policenotify.publishing.operations import Operations, find_publication
from policenotify.settings import Settings
from policenotify.translation import AnyText, Text

_SHOWN = 12  # characters of a key; `resolve` takes them
_LINE_EVERY = 10.0  # seconds between two lines
_WINDOW = timedelta(seconds=30)  # over which a rate is measured
_EXITS = "1 never published; 6 no journal"
_NAME = click.argument("which", metavar="INCIDENT|PUBLICATION|KEY")
_CHANNEL = click.option("--channel", metavar="NAME", shell_complete=completion.channels, help="Only this channel.")
_REASON = click.option(
    "--reason",
    default="",
    metavar="TEXT",
    callback=lambda _context, _parameter, typed: " ".join(typed.split()),
    help="Recorded in the journal.",
)


@group("sending", exits=_EXITS)
def sending() -> None:
    """Watch, pause, resume or abort a sending to many people.

    \b
    Examples:
      policenotify sending progress
      policenotify sending pause 2026-4711
    """


@sending.command(
    "progress",
    short_help="Show how far it is.",
    exits="1 never published; 3 a person must act; 6 no journal",
)
@click.argument("which", required=False, metavar="[INCIDENT|PUBLICATION|KEY]")
@click.option("--once", is_flag=True, help="Show it once and exit.")
def progress(call: CliContext, which: str | None, *, once: bool) -> Exit:
    """Show how far a sending to many people is, until it is settled: counts, rate, time left, and reasons.

    It shows what any process sends, and sends nothing itself. Without a name it shows the newest publication that is
    not finished. Every ten seconds it prints a line for each list. With --json it answers once.

    \b
    Examples:
      policenotify sending progress
      policenotify sending progress 2026-4711
      policenotify sending progress 2026-4711 --json | jq '.deliveries[].recipients.refused'
    """
    with call.journal() as (settings, journal):
        publication = _publication(journal, which, settings)
        if publication is None:
            call.emit({"publication": None}, output.prose(Text("Nothing was published yet.")))
            return Exit.OK
        found = journal.sendings.progress(publication.id)
        if found.bulk and not (once or call.json):
            found = _followed(call, journal, found)
        zone = settings.zone
    head = [
        output.heading(publication, zone),
        output.line(Text.join(" · ", (publication.id, local_time(found.at, zone)))),
    ]
    call.emit(found, *head, *_summary(found))
    return Exit.ATTENTION if any(map(_needs_person, found.deliveries)) else Exit.OK


@sending.command("pause", short_help="Pause it until it is resumed.", exits=_EXITS)
@_NAME
@_CHANNEL
@_REASON
def pause(call: CliContext, which: str, channel: str | None, reason: str) -> None:
    """Pause the sending of a publication to the people who still wait, in all processes, until it is resumed.

    It takes effect after the people who are being sent to, at most 25. Posts on other networks are not paused. The end
    of the incident is still sent at once to everybody who has the opening.

    \b
    Examples:
      policenotify sending pause 2026-4711
      policenotify sending pause 2026-4711 --channel sms --reason "Erreur de date"
    """
    with _named(call, which) as (operations, found):
        done = operations.pause_sending(found, actor=call.actor, channel=channel, reason=reason)
    text = Text("Paused on {channels}. To go on: policenotify sending resume {id}", channels=_names(done), id=found)
    _answered(call, done, text)


@sending.command("resume", short_help="Resume it after a pause.", exits=_EXITS)
@_NAME
@_CHANNEL
@_REASON
def resume(call: CliContext, which: str, channel: str | None, reason: str) -> None:
    """Resume the sending of a publication that was paused.

    \b
    Examples:
      policenotify sending resume 2026-4711 --channel sms
    """
    with _named(call, which) as (operations, found):
        done = operations.resume_sending(found, actor=call.actor, channel=channel)
        if reason:
            operations.journal.audit.record(call.actor, "remarked", {"reason": reason, "publication": found})
    _answered(call, done, Text("Resumed on {channels}.", channels=_names(done)))


@sending.command("abort", short_help="Abort it for good.", exits=_EXITS)
@_NAME
@_CHANNEL
@_REASON
def abort(call: CliContext, which: str, channel: str | None, reason: str) -> None:
    """Abort the sending of a publication to the people who still wait, in all processes, for good.

    This publishes nothing, and no message is taken back: everybody who has the message keeps it, and still gets the
    end of the incident. People in doubt are held. If you are not sure, pause it first.

    \b
    Examples:
      policenotify sending abort 2026-4711 --reason "Mauvaise liste"
      policenotify sending abort campaign-2026-12-01 --channel sms
    """
    with _named(call, which) as (operations, found):
        done = operations.abort_sending(found, actor=call.actor, channel=channel, reason=reason)
    text = Text.counted(
        "Aborted on {channels}. {count} person who was known does not get it.",
        "Aborted on {channels}. {count} people who were known do not get it.",
        channels=_names(done),
        count=done.people,
    )
    _answered(call, done, text)


@contextmanager
def _named(call: CliContext, which: str) -> Iterator[tuple[Operations, str]]:
    """Open the installation, and yield it with the id of the publication that is named."""
    with call.operations() as operations:
        yield operations, find_publication(operations.journal, which, operations.zone).id


def _names(done: Steered) -> str:
    return ", ".join(done.channels)


def _answered(call: CliContext, done: Steered, text: AnyText) -> None:
    none = Text("Nothing was changed: nobody waits for it there, or it was done before.")
    call.emit(done, output.line(text) if done.channels else output.prose(none))


@command("resolve", exits="3 something is held, or a list cannot be read; 6 no journal")
@click.argument("delivery", type=int, required=False, shell_complete=completion.held)
@click.option("--posted/--not-posted", default=None, help="It is published; or it is not: send it again.")
@click.option(
    "--recipient", "recipients", multiple=True, metavar="ADDRESS|KEY", help="Only this person; may be given again."
)
@click.option("--show-addresses", is_flag=True, help="On a terminal only; the journal records who saw them.")
def resolve(
    call: CliContext, delivery: int | None, *, posted: bool | None, recipients: tuple[str, ...], show_addresses: bool
) -> Exit:
    """Settle what may or may not be published, after looking on the network whether the post is there.

    Alone it lists the deliveries that a person must settle. With a DELIVERY alone it shows the people who are in doubt,
    by keys, and why a list that it waits for cannot be read. The journal records who settled what: for all people in
    doubt, or only for those named by address, number or key.

    \b
    Examples:
      policenotify resolve
      policenotify resolve 42
      policenotify resolve 42 --show-addresses
      policenotify resolve 42 --posted
      policenotify resolve 42 --recipient 3f9a1c0b77de --posted
      policenotify resolve 42 --not-posted      (the next drain sends it again)
    """
    if show_addresses and (call.json or not sys.stdout.isatty()):
        raise UsageError(Text("Addresses are shown on a terminal only: leave out --show-addresses."))
    if posted is None and recipients:
        raise UsageError(Text("Give --posted or --not-posted for the people you name."))
    if delivery is None:
        if show_addresses or posted is not None:
            raise UsageError(Text("Give the number of a delivery. To list them: policenotify resolve"))
        return _held_deliveries(call)
    return _in_doubt(call, delivery, show_addresses) if posted is None else _settle(call, delivery, posted, recipients)


def _settle(call: CliContext, delivery: int, posted: bool, recipients: tuple[str, ...]) -> Exit:  # noqa: FBT001 - as typed
    actor = call.actor
    with call.operations() as operations:
        done = operations.resolve(delivery, actor=actor, posted=posted, people=recipients)
    result = Text("counts as posted") if posted else Text("is sent again by the next publish or drain")
    if done.outcome is Outcome.SUPERSEDED:
        result = Text("is not sent again: a newer message of its incident is published by now")
    text = Text("Delivery {delivery} {result}.", delivery=delivery, result=result)
    if done.people:
        text = Text.counted(
            "Delivery {delivery} {result} for {count} person.",
            "Delivery {delivery} {result} for {count} people.",
            delivery=delivery,
            count=done.people,
            result=result,
        )
    call.emit(done, output.prose(text))
    return Exit.OK


def _in_doubt(call: CliContext, delivery: int, show_addresses: bool) -> Exit:  # noqa: FBT001 - as typed
    with call.operations() as operations:
        found = operations.held_people(delivery)
        if show_addresses:
            people = operations.journal.sendings.in_doubt(delivery, shown_to=call.actor)
            found = found.model_copy(update={"people": people})
        zone = operations.zone
    lines: list[Part] = []
    for person in found.people:
        since = Text("since {at}", at=local_time(person.tried_at, zone)) if person.tried_at else ""
        words = (person.key[:_SHOWN], person.address or "", Text.word(person.outcome), since, person.reason)
        lines.append(output.line(Text.join("  ", words)))
    lines = lines or [output.prose(Text("Nobody is in doubt."))]
    if (waits := found.waits_for_list) is not None:
        lines += [output.prose(Text("It waits: {reason}", reason=waits.reason)), output.paragraph(waits.remedy, "→ ")]
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
        lines.append(output.paragraph(each.headline))
        if each.reason:
            lines.append(output.paragraph(each.reason))
        how = "" if each.people else " --posted"
        lines.append(output.paragraph(f"policenotify resolve {each.delivery}{how}", "→ "))
    call.emit({"deliveries": found}, *lines or [output.prose(Text("Nothing is held."))])
    return Exit.ATTENTION if found else Exit.OK


def _publication(journal: Journal, which: str | None, settings: Settings) -> Publication | None:
    """Return the publication that is named, else the newest that is not finished, else the last one."""
    if which is not None:
        return find_publication(journal, which, settings.zone)
    if unfinished := [*journal.publications.unfinished_ids()]:
        return journal.publications.get(unfinished[-1])
    return next(iter(journal.publications.latest(1)), None)


def _needs_person(found: Receipt) -> bool:
    """Return whether a person must act on a delivery, or has paused it. What waits may be sent by any process."""
    missed = found.count(Outcome.REFUSED, Outcome.UNCONFIRMED, Outcome.HELD)
    in_doubt = found.outcome is Outcome.UNCONFIRMED
    return bool(missed) or in_doubt or (found.outcome.is_final and not found.outcome.ok) or found.paused


def _followed(call: CliContext, journal: Journal, found: Progress) -> Progress:
    """Print the progress as lines until it is settled. Return the last one."""
    samples = [found]
    while not found.is_settled:
        for delivery in found.bulk:
            note(output.plain(call.say(progress_line(delivery, samples))))
        journal.clock.sleep(_LINE_EVERY)
        found = journal.sendings.progress(found.publication)
        samples = [*(sample for sample in samples if sample.at >= found.at - _WINDOW), found]
    return found


def progress_line(found: Receipt, samples: Sequence[Progress] = ()) -> Text:
    """Return the counts of a delivery, its rate over the samples, and how long it still takes."""
    people = output.counts(found.recipients) or Text("nobody yet")
    more: list[AnyText] = [
        Text("{channel} ({language}): {people}", channel=found.channel, language=found.language, people=people)
    ]
    if found.paused or found.aborted:
        more.append(Text("paused") if found.paused else Text("aborted"))
    elif not found.outcome.is_final:
        now = pace(samples, found.delivery)
        more.append(Text("{rate:.1f} per second", rate=now.rate) if now.rate else "")
        if not found.expanded:
            more.append(Text("the list is still being read"))
        elif now.left:
            more.append(Text("time left: {duration}", duration=duration(now.left)))
    return Text.join("; ", more)


def _summary(found: Progress) -> Iterator[Part]:
    """Yield the deliveries with recipients, each with its most frequent reasons."""
    for delivery in found.bulk:
        yield output.line(progress_line(delivery))
        if delivery.reason and not delivery.reasons:
            yield output.paragraph(delivery.reason)
        for reason in delivery.reasons[: output.TOP]:
            yield output.paragraph(output.reason_line(reason))
        if delivery.count(Outcome.HELD):
            yield output.paragraph(Text("Who is held: policenotify resolve {delivery}", delivery=delivery.delivery))
    if not found.bulk:
        yield output.prose(Text("It is sent to no list of people."))
