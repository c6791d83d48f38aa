"""`policenotify init` and `migrate`: set up an installation."""

from __future__ import annotations

from pathlib import Path

import click

from policenotify.cli import output
from policenotify.cli.context import CliContext, command
from policenotify.translation import Text


@command("init", exits="1 nothing was created")
@click.argument("directory", default=".", type=click.Path(file_okay=False))
@click.option("--django", is_flag=True, help="The journal is in a Django project's database.")
def init(call: CliContext, directory: str, django: bool) -> None:  # noqa: FBT001 - click hands options over so
    """Create a new installation: its settings, keys and journal, and a folder for passwords.

    The settings have the desk's language. Their only channel is the console, which prints each post. No existing file
    is overwritten.

    \b
    Examples:
      policenotify init
      policenotify init /etc/policenotify
      policenotify init --django
    """
    from policenotify.settings import write_settings

    written = [str(path) for path in write_settings(directory, django=django, language=call.language)]
    folder = Path(directory)
    settings = folder / "policenotify.toml"
    option = "" if folder.absolute() == Path.cwd() else f" --settings {settings}"
    steps = [
        Text("Add your accounts to {settings}: policenotify networks NAME", settings=settings),
        Text("Put each password into a file in {folder}, with mode 600.", folder=folder / "secrets"),
        Text(
            "Put a copy of {folder} into a safe: without it the journal cannot be read.",
            folder=folder / "policenotify.keys",
        ),
        Text(
            "Create the journal's tables: python manage.py migrate. Then check it all: python manage.py "
            "policenotify doctor"
        )
        if django
        else Text("Check it all without posting anything: policenotify doctor{option}", option=option),
    ]
    call.emit({"written": written, "next": steps}, *output.steps(written, steps))


@command("migrate", exits="1 settings or keys wrong; 6 no journal")
@click.option("--grant-to", metavar="ROLE", help="Also grant ROLE what it needs of the tables on PostgreSQL.")
def migrate(call: CliContext, grant_to: str | None) -> None:
    """Create the journal's tables. Tables that are there stay as they are.

    Run it once for a journal that `init` has not created: on PostgreSQL, or in another file. No other command creates
    one.

    \b
    Examples:
      policenotify migrate
      policenotify migrate --grant-to policenotify_app
    """
    from policenotify.journal.database.migrate import migrate as migrate_journal

    settings = call.read_settings()
    created = migrate_journal(settings.journal_url, keys=settings.load_keys(), grant_to=grant_to)
    text = Text("The journal's tables are created.")
    if not created:
        text = Text("The journal has its tables already: nothing was changed.")
    call.emit({"created": created}, output.prose(text))
