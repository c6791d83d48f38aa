"""`policenotify init`: make a new installation."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from policenotify.cli import output
from policenotify.cli.context import CliContext, common, pass_call
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.settings import write_settings


@click.command("init", epilog=exit_codes("1 nothing was made"))
@click.argument("directory", default=".", type=click.Path(file_okay=False))
@click.option("--django", is_flag=True, help="The journal is in a Django project's database.")
@common
@pass_call
def init(call: CliContext, directory: str, django: bool) -> Exit:  # noqa: FBT001 - click hands options over so
    """Make a new installation: its settings, keys and journal, and a place for passwords.

    Nothing that is there is written over.

    \b
    Examples:
      policenotify init
      policenotify init /etc/policenotify
      policenotify init --django
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    written = [str(path) for path in write_settings(directory, django=django)]
    place = Path(directory)
    settings = place / "policenotify.toml"
    named = "" if place.absolute() == Path.cwd() else f" --settings {settings}"
    steps = [
        f"Fill in {settings} (who speaks, which accounts) and put each password into a file in {place / 'secrets'}.",
        f"Put a copy of {place / 'policenotify.keys'} into a safe: without it the journal cannot be read.",
        "Make the journal's tables: python manage.py migrate. Then prove it all: python manage.py policenotify doctor"
        if django
        else f"Prove it all without posting anything: policenotify doctor{named}",
    ]
    made = [output.line(f"  {path}") for path in written]
    to_do = [output.paragraph(step, f"{number}. ") for number, step in enumerate(steps, 1)]
    document = {"written": written, "next": steps}
    call.emit(document, Text("Made:", style="bold"), *made, Text("Next:", style="bold"), *to_do)
    return Exit.OK
