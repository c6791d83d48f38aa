"""`policenotify migrate`: make the journal's tables, or bring older ones to this version."""

from __future__ import annotations

import click
from rich.text import Text

from policenotify.cli.context import CliContext, common, pass_call
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.journal.keys import Keys
from policenotify.journal.migrate import migrate as bring_up
from policenotify.settings import read_settings


@click.command("migrate", epilog=exit_codes("1 settings or keys wrong; 6 no journal"))
@common
@pass_call
def migrate(call: CliContext) -> Exit:
    """Make the journal's tables, or bring older ones to this version; what is right stays as it is.

    Run it after an upgrade that asks for it, and once at the start for a journal that `init` has not made: on
    PostgreSQL, or in another file. No other command makes one. Stop what publishes and delivers before, and take a
    copy.

    \b
    Examples:
      policenotify migrate
    """
    settings = read_settings(call.settings, tolerant=True)
    done = bring_up(settings.journal_url, keys=Keys.load(settings.keys_path), actor=call.actor)
    if done.before is None:
        told = f"The journal's tables are made, in version {done.after}."
    elif done.before == done.after:
        told = f"The journal's tables are of version {done.after} already: nothing was to be done."
    else:
        told = f"The journal's tables were brought from version {done.before} to {done.after}."
    call.emit({"before": done.before, "after": done.after}, Text(told))
    return Exit.OK
