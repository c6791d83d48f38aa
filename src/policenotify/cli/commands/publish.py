"""`policenotify publish`, `update`, `end`, `correct` and `cancel`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from policenotify.cli import completion, output
from policenotify.cli.commands.draft import show_draft, store_draft
from policenotify.cli.context import CliContext, command, printable_name
from policenotify.cli.exit_codes import Exit
from policenotify.cli.keys import default_key
from policenotify.cli.message import first_message, next_message
from policenotify.cli.options import (
    Typed,
    delivery_options,
    followup_options,
    publish_options,
    reopen_option,
    to_option,
)
from policenotify.cli.output import Part
from policenotify.cli.times import TypedTime, confirm_times, time_lines, typed_times
from policenotify.cli.usage import UsageError, typed_reason
from policenotify.errors import IdempotencyConflict
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Publication, local_time
from policenotify.model.status import Problem
from policenotify.publishing.publisher import Publisher
from policenotify.translation import AnyText, Text, text_of

_EXITS = "1 not published; 3 a channel needs attention; 6 no journal"


@command("publish", exits=_EXITS)
@publish_options
@to_option
@delivery_options
def publish(call: CliContext, /, to: tuple[str, ...], **typed: Any) -> Exit:  # noqa: ANN401 - as click gives them
    """Publish an opening or standalone message; its category decides which. Or publish a DRAFT.

    Give it by options, as a JSON file (- reads standard input), or some fields by each; a field that is given twice
    is an error. Typed again within ten minutes it publishes nothing twice; a script that may try again later gives a
    --key.

    Times: 18h30 (the next one), +30min, demain 18h30, 26/11/2026 18:30, 2026-11-24T18:30, in the zone of the settings.

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
      policenotify publish message.json --draft
      policenotify publish 01KJPKTHJ05RY0M0Y11SW8SXYJ
    """
    if isinstance(typed["file"], str):
        return _publish_draft(call, typed["file"], {**typed, "to": to})
    return _publish(call, typed, lambda publisher: first_message(typed, publisher), to=to or None)


@command("update", exits=_EXITS)
@click.argument("incident", shell_complete=completion.incidents)
@click.argument("headline", required=False)
@followup_options
@delivery_options
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
    return _follow(call, Stage.UPDATE, incident, headline, typed)


@command("end", exits=_EXITS)
@click.argument("incident", shell_complete=completion.incidents)
@click.argument("headline", required=False)
@followup_options
@delivery_options
def end(call: CliContext, /, incident: str, headline: str | None, **typed: object) -> Exit:
    """Publish the end of an incident on every channel that carried its opening.

    \b
    Examples:
      policenotify end 2026-4711 "Fin d'intervention" \\
          --description "Circulation rétablie."
      policenotify end 2026-4711 "Fin d'intervention" --starts -10m \\
          --description "Circulation rétablie."
    """
    return _follow(call, Stage.END, incident, headline, typed)


@command("correct", exits=_EXITS)
@click.argument("which", metavar="INCIDENT|PUBLICATION|KEY", shell_complete=completion.incidents)
@click.argument("headline", required=False)
@reopen_option
@followup_options
@delivery_options
def correct(call: CliContext, /, which: str, headline: str | None, **typed: object) -> Exit:
    """Correct an earlier publication on every channel that carried it.

    An incident's id means its last publication; any other is named by its own id or key (see: policenotify status).
    Where the network can edit, the wrong post is changed, if its channel is set so (on_correction). Place, category
    and severity stay unless you give them again, and the instruction if the headline stays the same; description and
    times do not. An end that was wrong is corrected with --reopen: the incident goes on, and its end is owed again.

    \b
    Examples:
      policenotify correct 2026-4711 "Accident avenue de Lodève" \\
          --street "avenue de Lodève" --instruction "Évitez le secteur."
      policenotify correct campaign-2026-12-01 "Faux conseiller bancaire" \\
          --description "Le numéro à appeler est le 0 805 805 817."
      policenotify correct 2026-4711 "Le pont reste fermé" --reopen \\
          --instruction "N'empruntez pas le pont." --next-update +1h
    """
    return _follow(call, Stage.CORRECTION, which, headline, typed)


@command("cancel", exits=_EXITS)
@click.argument("which", metavar="INCIDENT|PUBLICATION|KEY", shell_complete=completion.incidents)
@click.argument("headline", required=False)
@followup_options
@delivery_options
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
    return _follow(call, Stage.CANCELLATION, which, headline, typed)


def _follow(call: CliContext, stage: Stage, name: str, headline: str | None, typed: Typed) -> Exit:
    return _publish(call, typed, lambda publisher: next_message(stage, name, headline, typed, publisher))


def _publish(
    call: CliContext, typed: Typed, make: Callable[[Publisher], Message], *, to: tuple[str, ...] | None = None
) -> Exit:
    with call.publisher() as publisher:
        message = call.message = make(publisher)
        now, actor = publisher.journal.now(), call.actor
        times = typed_times(typed, message, now=now, zone=publisher.installation.zone)
        typed_key = None if typed["key"] is None else printable_name("--key", typed["key"])
        confirm_times(call, times, now)
        if typed["draft"] or typed["submit"] or typed["revises"]:
            return store_draft(call, publisher, message, typed, to=to)
        if typed["reason"]:
            raise UsageError(Text("--reason is for the readers of a draft: with --submit. To publish now: --urgent."))
        key = typed_key or default_key(message, typed, publisher)
        call.may_have_published = True
        try:
            with typed_reason():
                publication = publisher.publish(
                    message, key=key, actor=actor, to=to, wait=typed["wait"], urgent=typed["urgent"] or ""
                )
        except IdempotencyConflict:
            first = publisher.operations.publication(key)
            if typed_key is not None or first is None:
                raise
            # The default key holds the content; only what +30m means has changed.
            publication = first.model_copy(update={"repeated": True})
        return _answered(call, publisher, publication, () if publication.repeated else times)


def _publish_draft(call: CliContext, draft: str, typed: Typed) -> Exit:
    allowed = {"file", "submit", "reason"} if typed["submit"] else {"file", "wait", "urgent"}
    if any(value for name, value in typed.items() if name not in allowed):
        raise UsageError(
            Text("A draft is published as it is: give only --wait and --urgent, or --submit with its --reason.")
        )
    with call.publisher() as publisher:
        call.message = publisher.drafts.get(draft).message
        with typed_reason():
            if typed["submit"]:
                submitted = publisher.drafts.submit(draft, actor=call.actor, reason=typed["reason"] or "")
                return show_draft(call, submitted, publisher)
            call.may_have_published = True
            done = publisher.drafts.publish(draft, actor=call.actor, urgent=typed["urgent"] or "", wait=typed["wait"])
        return _answered(call, publisher, done, ())


def _answered(call: CliContext, publisher: Publisher, publication: Publication, times: tuple[TypedTime, ...]) -> Exit:
    channels = {receipt.channel for receipt in publication}
    blocked = publisher.operations.blocked(channels)
    document = {"repeated": publication.repeated, "publication": publication, "times": times, "blocked": blocked}
    call.emit(document, *_page(publication, blocked, publisher), *time_lines(times))
    return Exit.OK if publication.ok and not blocked else Exit.ATTENTION


def _page(publication: Publication, blocked: Mapping[str, Problem], publisher: Publisher) -> list[Part]:
    zone = publisher.installation.zone
    lines = [output.line(Text("Publication: {id}", id=publication.id))]
    if publication.incident:
        lines.append(output.line(Text("Incident: {incident}", incident=publication.incident)))
    if (corrects := publication.message.lifecycle.corrects) and (wrong := publisher.operations.publication(corrects)):
        lines.append(output.line(Text("Refers to: {id} · {about}", id=wrong.id, about=output.about(wrong, zone))))
    waiting = {receipt.channel for receipt in publication if not receipt.outcome.is_final}  # its note states why
    wrong_channels = [output.paragraph(text_of(why), "! ") for name, why in blocked.items() if name not in waiting]
    head = _headline(publication, local_time(publication.at, zone))
    return [
        output.prose(head, style="bold"),
        *lines,
        *output.receipts(publication, zone),
        *wrong_channels,
    ]


def _headline(publication: Publication, at: AnyText) -> AnyText:
    if publication.repeated:
        return Text(
            "Already published at {at} by {actor}: nothing was published a second time. To publish the same again "
            "now, give another --key.",
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
