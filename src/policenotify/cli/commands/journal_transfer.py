"""`policenotify journal move`: from a file to a server, or back."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from policenotify.cli import output
from policenotify.cli.context import CliContext, common, pass_call
from policenotify.cli.exit_codes import Exit, exit_codes


@click.command(
    "move",
    short_help="Move it to another database, as from a file to a server.",
    epilog=exit_codes("1 settings or keys wrong; 6 it was not moved"),
)
@click.argument("to")
@common
@pass_call
def move(call: CliContext, to: str) -> Exit:
    """Move the journal TO a path or URL that holds none, with all that is in it.

    As a whole or not at all: every row is read back and compared, and the
    sealed batches are proved there. The old journal is closed for good, and
    says where it went, so that nobody delivers from both. Whoever wants to
    write meanwhile waits. Nothing may just be being sent.

    Then put the new place into the settings, on every machine.

    \b
    Examples:
      policenotify journal move postgresql://policenotify@db.example/desk
      policenotify journal move back.db
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    from policenotify.journal.keys import Keys  # noqa: PLC0415 - likewise
    from policenotify.journal.migrate import move as move_all  # noqa: PLC0415 - help needs none of these
    from policenotify.settings import read_settings  # noqa: PLC0415 - likewise

    settings = read_settings(call.settings, tolerant=True)
    to = to if "://" in to else str(Path(to).absolute())
    done = move_all(settings.journal_url, to, keys=Keys.load(settings.keys_path), actor=call.actor)
    rows = {name.removeprefix("pn_"): count for name, count in done.rows.items()}
    told = [
        output.line(f"The journal is at {done.to} now:", style="bold"),
        output.line(f"  {rows['publication']} publications with {rows['delivery']} deliveries, {rows['event']} events"),
        output.line(f"  {sum(done.rows.values())} rows read back and compared, {done.seals} sealed batches proved"),
        Text("Put it into the settings of every machine (journal = …), then: policenotify doctor"),
    ]
    if done.stopped:
        told.append(Text("Everything is stopped, as it was. To go on: policenotify resume"))
    document = {"to": done.to, "rows": rows, "seals": done.seals, "stopped": done.stopped, "actor": call.actor}
    call.emit(document, *told)
    return Exit.OK
