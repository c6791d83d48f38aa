"""`policenotify publish`, `update`, `end`, `correct` and `cancel`: say it."""

from __future__ import annotations

from typing import Any

import click

from policenotify.cli import completion
from policenotify.cli.context import CliContext, common, pass_call
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.options import beginning, following, how, to_option

_EXITS = exit_codes("1 not published; 3 a channel needs attention; 6 no journal")


@click.command("publish", epilog=_EXITS)
@beginning
@to_option
@how
@common
@pass_call
def publish(call: CliContext, /, to: tuple[str, ...], **typed: Any) -> Exit:  # noqa: ANN401 - what was typed
    """Say a first message: it opens an incident, or stands alone, as its category has it.

    Give it by options, as a JSON file (- reads standard input), or some fields by each; a field that is given twice
    is an error. The same words twice are published once; to say them again on purpose, give another --key.

    Times: 18h30, 18:30 (the next one), +30m, 2026-11-24T18:30, in the zone of the settings.

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
    """
    from policenotify.cli.publish_result import say_first

    return say_first(call, typed, to)


@click.command("update", epilog=_EXITS)
@click.argument("incident", shell_complete=completion.open_incidents)
@click.argument("headline", required=False)
@following
@how
@common
@pass_call
def update(call: CliContext, /, incident: str, headline: str | None, **typed: Any) -> Exit:  # noqa: ANN401 - what was typed
    """Say that the situation of an incident has changed.

    It goes to every channel that got the opening, into its thread. Place, category and severity stay unless you
    change them.

    \b
    Examples:
      policenotify update 2026-4711 "Une voie rouverte" --next-update +30m
      policenotify update 2026-4711 "Le feu gagne" --severity Extreme \\
          --instruction "Restez chez vous, fermez les fenêtres." \\
          --next-update +1h
      policenotify update 2026-4711 --file - < update.json
    """
    from policenotify.cli.publish_result import say_next
    from policenotify.model.lifecycle import Stage

    return say_next(call, Stage.UPDATE, incident, headline, typed)


@click.command("end", epilog=_EXITS)
@click.argument("incident", shell_complete=completion.open_incidents)
@click.argument("headline", required=False)
@following
@how
@common
@pass_call
def end(call: CliContext, /, incident: str, headline: str | None, **typed: Any) -> Exit:  # noqa: ANN401 - what was typed
    """Say that an incident is over, to everybody who got its opening.

    \b
    Examples:
      policenotify end 2026-4711 "Fin d'intervention" \\
          --description "Circulation rétablie."
      policenotify end 2026-4711 "Fin d'intervention" --starts -10m \\
          --description "Circulation rétablie."
    """
    from policenotify.cli.publish_result import say_next
    from policenotify.model.lifecycle import Stage

    return say_next(call, Stage.END, incident, headline, typed)


@click.command("correct", epilog=_EXITS)
@click.argument("which", metavar="INCIDENT|PUBLICATION|KEY", shell_complete=completion.open_incidents)
@click.argument("headline", required=False)
@following
@how
@common
@pass_call
def correct(call: CliContext, /, which: str, headline: str | None, **typed: Any) -> Exit:  # noqa: ANN401 - what was typed
    """Set right what was said, to everybody who got it.

    An incident's id means its last publication; any other is named by its own id or key (see: policenotify status).
    Where the network can edit, the wrong post is changed, as its channel is set (on_correction). What you do not
    give again of place, category and severity stays; description, instruction and times do not.

    \b
    Examples:
      policenotify correct 2026-4711 "Accident avenue de Lodève" \\
          --street "avenue de Lodève" --instruction "Évitez le secteur."
      policenotify correct campaign-2026-12-01 "Faux conseiller bancaire" \\
          --description "Le numéro à appeler est le 0 805 805 817."
    """
    from policenotify.cli.publish_result import say_next
    from policenotify.model.lifecycle import Stage

    return say_next(call, Stage.CORRECTION, which, headline, typed)


@click.command("cancel", epilog=_EXITS)
@click.argument("which", metavar="INCIDENT|PUBLICATION|KEY", shell_complete=completion.open_incidents)
@click.argument("headline", required=False)
@following
@how
@common
@pass_call
def cancel(call: CliContext, /, which: str, headline: str | None, **typed: Any) -> Exit:  # noqa: ANN401 - what was typed
    """Take back what should not have been said: a whole incident, or a publication that stands alone.

    It is final: nothing may follow. Where the network can delete, earlier posts are taken back, as their channel is
    set (on_cancellation). What was right and is over is ended, not cancelled: policenotify end.

    \b
    Examples:
      policenotify cancel 2026-4711 "Fausse alerte" \\
          --description "Il n'y a pas eu d'accident avenue de Toulouse."
      policenotify cancel campaign-2026-12-01 "Message publié par erreur"
    """
    from policenotify.cli.publish_result import say_next
    from policenotify.model.lifecycle import Stage

    return say_next(call, Stage.CANCELLATION, which, headline, typed)
