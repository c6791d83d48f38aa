"""`policenotify publish`, `update` and `end`: say it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any, TypeVar

import click
from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import pages
from policenotify.cli.call import Call, common, pass_call, printable_name
from policenotify.cli.exits import Exit
from policenotify.cli.fields import Typed, beginning, default_key, first_message, following, next_message, spans_of
from policenotify.errors import KeyReused
from policenotify.lifecycle import Stage
from policenotify.message import Message
from policenotify.publisher import Publisher
from policenotify.receipt import Publication

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _once(command: _Command) -> _Command:
    for option in (
        click.option("--wait", type=click.FloatRange(min=0), metavar="SECONDS", help="How long to wait for networks."),
        click.option("--key", metavar="KEY", help="Your name for it: one key publishes once.  [default: by content]"),
    ):
        command = option(command)
    return command


@click.command("publish", short_help="Say a first message.")
@beginning
@click.option("--to", multiple=True, metavar="NAME", help="A channel or tag, instead of the routes.")
@_once
@common
@pass_call
def publish(call: Call, /, to: tuple[str, ...], **typed: Any) -> Exit:  # noqa: ANN401 - what was typed
    """Say a first message: it opens an incident, or stands alone, as its category has it.

    Give it by options or as a JSON file (- reads standard input). The same words twice are published once; to say
    them again on purpose, give another --key.

    Times: 18h30, 18:30 (the next one), +30m, 2026-11-24T18:30, in the zone of the settings.

    \b
    Examples:
      policenotify publish --category traffic_accident --incident 2026-4711 \\
          --commune 34172 --street "avenue de Toulouse" \\
          --headline "Accident de la circulation" \\
          --instruction "Évitez le secteur." --next-update 18h30
      policenotify publish --category scam_cyber --to press \\
          --headline "Faux conseiller bancaire" --instruction "Raccrochez."
      policenotify publish message.json --key campaign-2026-12-01
      policenotify publish - --json < message.json
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    with closing(call.publisher()) as publisher:
        return _say(call, publisher, first_message(typed, publisher), typed, to=to or None)


@click.command("update", short_help="Say that an incident's situation has changed.")
@click.argument("incident")
@click.argument("headline")
@following
@_once
@common
@pass_call
def update(call: Call, /, incident: str, headline: str, **typed: Any) -> Exit:  # noqa: ANN401 - what was typed
    """Say that the situation of an incident has changed.

    It goes to every channel that got the opening, into its thread. Place, category and severity stay unless you
    change them.

    \b
    Examples:
      policenotify update 2026-4711 "Une voie rouverte" --next-update +30m
      policenotify update 2026-4711 "Le feu gagne" --severity Extreme \\
          --instruction "Restez chez vous, fermez les fenêtres."
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    with closing(call.publisher()) as publisher:
        return _say(call, publisher, next_message(Stage.UPDATE, incident, headline, typed, publisher), typed)


@click.command("end", short_help="Say that an incident is over.")
@click.argument("incident")
@click.argument("headline")
@following
@_once
@common
@pass_call
def end(call: Call, /, incident: str, headline: str, **typed: Any) -> Exit:  # noqa: ANN401 - what was typed
    """Say that an incident is over, to everybody who got its opening.

    \b
    Examples:
      policenotify end 2026-4711 "Fin d'intervention" \\
          --description "Circulation rétablie."
      policenotify end 2026-4711 "Fin d'intervention" --starts 17h50 \\
          --description "Circulation rétablie."
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    with closing(call.publisher()) as publisher:
        return _say(call, publisher, next_message(Stage.END, incident, headline, typed, publisher), typed)


def _say(
    call: Call, publisher: Publisher, message: Message, typed: Typed, *, to: tuple[str, ...] | None = None
) -> Exit:
    spans, actor = spans_of(typed), call.actor
    key = printable_name("--key", typed["key"]) if typed["key"] is not None else default_key(message, spans)
    wait = None if typed["wait"] is None else timedelta(seconds=typed["wait"])
    call.begun = True
    try:
        publication = publisher.publish(message, key=key, actor=actor, to=to, wait=wait)
    except KeyReused:
        first = publisher.publication(key)
        if typed["key"] is not None or first is None:
            raise
        # Word for word the same, but for what +30m meant then and means now.
        publication = first.model_copy(update={"repeated": True})
    document = {"repeated": publication.repeated, "publication": pages.document(publication)}
    call.tell(document, *_page(publication, publisher))
    return Exit.IN_ORDER if publication.in_order else Exit.ATTENTION


def _page(publication: Publication, publisher: Publisher) -> list[RenderableType]:
    at = pages.moment(publication.at, publisher.zone)
    if publication.repeated:
        told = (
            f"Already published at {at} by {publication.actor}: nothing was said a second time. "
            "To say the same again on purpose, give another --key."
        )
    else:
        told = {
            "yes": "Published.",
            "partly": "Published, but not everywhere.",
            "no": "Written down, but on no channel yet.",
            "unknown": "Written down; whether it is out everywhere is not known yet.",
        }[pages.published(publication)]
    incident = [pages.line(f"Incident: {publication.incident}")] if publication.incident else []
    return [
        Text(told, style="bold"),
        pages.line(f"Publication: {publication.id}"),
        *incident,
        *pages.receipts(publication, publisher.zone),
    ]
