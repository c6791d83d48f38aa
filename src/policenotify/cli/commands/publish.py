"""`policenotify publish`, `update`, `end`, `correct` and `cancel`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from policenotify.cli import completion, end_if_interrupted
from policenotify.cli.context import CliContext, common, pass_context, printable_name
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.options import (
    Typed,
    delivery_options,
    followup_options,
    opening_options,
    reopen_option,
    single_value,
    to_option,
)
from policenotify.cli.usage import UsageError, typed_reason
from policenotify.translation import AnyText, Text, text_of

if TYPE_CHECKING:
    from policenotify.cli.output import Part
    from policenotify.cli.results import PublishAnswer, TypedTime
    from policenotify.model.message import Message
    from policenotify.model.receipt import Publication
    from policenotify.publishing.publisher import Publisher

_EXITS = exit_codes("1 not published; 3 a channel needs attention; 6 no journal")


@click.command("publish", epilog=_EXITS)
@opening_options
@to_option
@delivery_options
@single_value("--draft", metavar="DRAFT", help="Publish this draft.", shell_complete=completion.open_drafts)
@common
@pass_context
def publish(call: CliContext, /, to: tuple[str, ...], draft: str | None, **typed: Any) -> Exit:  # noqa: ANN401 - as click gives them
    """Publish an opening or standalone message; its category decides which.

    Give it by options, as a JSON file (- reads standard input), or some fields by each; a field that is given twice
    is an error. The same content is published once; to publish it again on purpose, give another --key.

    Times: 18h30 (the next one), +30min, demain 18h30, vendredi 9h, 26/11/2026 18:30, 2026-11-24T18:30, in the zone of
    the settings.

    \b
    Examples:
      policenotify publish --category traffic_accident --incident 2026-4711 \\
          --commune 34172 --street "avenue de Toulouse" \\
          --headline "Accident de la circulation" \\
          --instruction "Évitez le secteur." --next-update +30m
      policenotify publish --category scam_cyber --to press \\
          --headline "Faux conseiller bancaire" --instruction "Raccrochez."
      policenotify publish message.json --key campaign-2026-12-01
      policenotify publish - --json < message.json
      policenotify publish --draft 01KJPKTHJ05RY0M0Y11SW8SXYJ
    """
    from policenotify.cli.message import first_message

    if draft is not None:
        if to or any(value for name, value in typed.items() if name not in {"wait", "urgent"}):
            raise UsageError(Text("A draft is published as it is: leave out all but --wait and --urgent."))
        return _publish_draft(call, draft, typed)
    return _publish(call, typed, lambda publisher: first_message(typed, publisher), to=to or None)


@click.command("update", epilog=_EXITS)
@click.argument("incident", shell_complete=completion.open_incidents)
@click.argument("headline", required=False)
@followup_options
@delivery_options
@common
@pass_context
def update(call: CliContext, /, incident: str, headline: str | None, **typed: object) -> Exit:
    """Publish an update of an incident.

    It goes to every channel that carried the opening, into its thread. Place, category and severity stay unless you
    change them.

    \b
    Examples:
      policenotify update 2026-4711 "Une voie rouverte" --next-update +30m
      policenotify update 2026-4711 "Le feu gagne" --severity Extreme \\
          --instruction "Restez chez vous, fermez les fenêtres." \\
          --next-update +1h
      policenotify update 2026-4711 --file - < update.json
    """
    return _follow(call, "update", incident, headline, typed)


@click.command("end", epilog=_EXITS)
@click.argument("incident", shell_complete=completion.open_incidents)
@click.argument("headline", required=False)
@followup_options
@delivery_options
@common
@pass_context
def end(call: CliContext, /, incident: str, headline: str | None, **typed: object) -> Exit:
    """Publish the end of an incident on every channel that carried its opening.

    \b
    Examples:
      policenotify end 2026-4711 "Fin d'intervention" \\
          --description "Circulation rétablie."
      policenotify end 2026-4711 "Fin d'intervention" --starts -10m \\
          --description "Circulation rétablie."
    """
    return _follow(call, "end", incident, headline, typed)


@click.command("correct", epilog=_EXITS)
@click.argument("which", metavar="INCIDENT|PUBLICATION|KEY", shell_complete=completion.open_incidents)
@click.argument("headline", required=False)
@reopen_option
@followup_options
@delivery_options
@common
@pass_context
def correct(call: CliContext, /, which: str, headline: str | None, **typed: object) -> Exit:
    """Correct an earlier publication on every channel that carried it.

    An incident's id means its last publication; any other is named by its own id or key (see: policenotify status).
    Where the network can edit, the wrong post is changed, if its channel is set so (on_correction). Place, category
    and severity stay unless you give them again; description, instruction and times do not. An end that was wrong is
    corrected with --reopen: the incident goes on, and its end is owed again.

    \b
    Examples:
      policenotify correct 2026-4711 "Accident avenue de Lodève" \\
          --street "avenue de Lodève" --instruction "Évitez le secteur."
      policenotify correct campaign-2026-12-01 "Faux conseiller bancaire" \\
          --description "Le numéro à appeler est le 0 805 805 817."
      policenotify correct 2026-4711 "Le pont reste fermé" --reopen \\
          --instruction "N'empruntez pas le pont." --next-update +1h
    """
    return _follow(call, "correction", which, headline, typed)


@click.command("cancel", epilog=_EXITS)
@click.argument("which", metavar="INCIDENT|PUBLICATION|KEY", shell_complete=completion.open_incidents)
@click.argument("headline", required=False)
@followup_options
@delivery_options
@common
@pass_context
def cancel(call: CliContext, /, which: str, headline: str | None, **typed: object) -> Exit:
    """Cancel a whole incident, or a standalone publication, that should not have been published.

    A cancellation is final: nothing may follow. Where the network can delete, earlier posts are deleted, if their
    channel is set so (on_cancellation). An incident that was real and is over is ended instead: policenotify end.

    \b
    Examples:
      policenotify cancel 2026-4711 "Fausse alerte" \\
          --description "Il n'y a pas eu d'accident avenue de Toulouse."
      policenotify cancel campaign-2026-12-01 "Message publié par erreur"
    """
    return _follow(call, "cancellation", which, headline, typed)


def _follow(call: CliContext, stage: str, name: str, headline: str | None, typed: Typed) -> Exit:
    from policenotify.cli.message import next_message
    from policenotify.model.lifecycle import Stage

    return _publish(call, typed, lambda publisher: next_message(Stage(stage), name, headline, typed, publisher))


def _publish(
    call: CliContext, typed: Typed, make: Callable[[Publisher], Message], *, to: tuple[str, ...] | None = None
) -> Exit:
    from policenotify.cli.bar import shown_while_sending
    from policenotify.cli.commands.draft import submit_message
    from policenotify.cli.message import default_key, spans_of
    from policenotify.cli.times import confirm_times, typed_times
    from policenotify.errors import IdempotencyConflict

    with closing(call.publisher()) as publisher:
        message = call.message = make(publisher)
        times = typed_times(typed, message, now=publisher.journal.now(), zone=publisher.installation.zone)
        spans, actor = spans_of(typed), call.actor
        key = printable_name("--key", typed["key"]) if typed["key"] is not None else default_key(message, spans)
        confirm_times(call, times, publisher.journal.now())
        wait = None if typed["wait"] is None else timedelta(seconds=typed["wait"])
        if typed["reason"] and not typed["submit"]:
            raise UsageError(Text("--reason is for the readers of a draft: with --submit. To publish now: --urgent."))
        if typed["submit"]:
            return submit_message(call, publisher, message, typed, key=key, to=to)
        end_if_interrupted()
        call.may_have_published = True
        try:
            with typed_reason(), shown_while_sending(call, publisher, key):
                publication = publisher.publish(
                    message,
                    key=key,
                    actor=actor,
                    to=to,
                    wait=wait,
                    urgent=typed["urgent"] or "",
                )
        except IdempotencyConflict:
            first = publisher.operations.publication(key)
            if typed["key"] is not None or first is None:
                raise
            # The default key holds the content; only what +30m means has changed.
            publication = first.model_copy(update={"repeated": True})
        return _answered(call, publisher, publication, () if publication.repeated else times)


def _publish_draft(call: CliContext, draft: str, typed: Typed) -> Exit:

    wait = None if typed["wait"] is None else timedelta(seconds=typed["wait"])
    with closing(call.publisher()) as publisher:
        call.message, call.may_have_published = publisher.drafts.get(draft).message, True
        with typed_reason():
            done = publisher.drafts.publish(draft, actor=call.actor, urgent=typed["urgent"] or "", wait=wait)
        return _answered(call, publisher, done, ())


def _answered(call: CliContext, publisher: Publisher, publication: Publication, times: tuple[TypedTime, ...]) -> Exit:
    from policenotify.cli.results import PublishAnswer
    from policenotify.model.documents import PublicationResult

    channels = {receipt.channel for receipt in publication}
    answer = PublishAnswer(
        repeated=publication.repeated,
        publication=PublicationResult.of(publication),
        times=times,
        channel_problems={
            name: problem for name, problem in publisher.operations.channel_problems().items() if name in channels
        },
    )
    call.emit(answer, *_page(answer, publisher))
    return Exit.OK if publication.ok and not answer.channel_problems else Exit.ATTENTION


def _page(answer: PublishAnswer, publisher: Publisher) -> list[Part]:

    from policenotify.cli import output
    from policenotify.cli.times import time_lines
    from policenotify.model.receipt import local_time

    publication, zone = answer.publication, publisher.installation.zone
    lines = [output.line(Text("Publication: {id}", id=publication.id))]
    if publication.incident:
        lines.append(output.line(Text("Incident: {incident}", incident=publication.incident)))
    if (corrects := publication.message.lifecycle.corrects) and (wrong := publisher.operations.publication(corrects)):
        lines.append(output.line(Text("Refers to: {id} · {about}", id=wrong.id, about=output.about(wrong, zone))))
    # The receipt of a channel that was out of use at publication has the problem already.
    unrendered = {receipt.channel for receipt in publication if receipt.unrendered}
    problems = [
        output.paragraph(text_of(problem), "! ")
        for name, problem in answer.channel_problems.items()
        if name not in unrendered
    ]
    head = _headline(answer, local_time(publication.at, zone))
    return [
        output.prose(head, style="bold"),
        *lines,
        *output.receipts(publication, zone),
        *problems,
        *time_lines(answer.times),
    ]


def _headline(answer: PublishAnswer, at: AnyText) -> AnyText:
    publication = answer.publication
    if answer.repeated:
        return Text(
            "Already published at {at} by {actor}: nothing was published a second time. To publish the "
            "same again on purpose, give another --key.",
            at=at,
            actor=publication.actor,
        )
    if publication.published == "no" and all(receipt.outcome.is_final for receipt in publication):
        return Text("Stored, but it is published on no channel.")
    headings = {
        "yes": Text("Published."),
        "partly": Text("Published, but not everywhere."),
        "no": Text("Stored, but not published on any channel yet."),
        "unknown": Text("Stored; whether it is published everywhere is not known yet."),
    }
    return headings[publication.published]
