"""`policenotify doctor`: check an installation without posting anything."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text as RichText

from policenotify.cli import output
from policenotify.cli.alarms import exit_of
from policenotify.cli.context import CliContext, command
from policenotify.cli.exit_codes import Exit
from policenotify.translation import Text

_EXITS = (
    "1 settings or keys wrong; 3 a channel is wrong, or others may read a file; 4 overdue; 5 no worker; 6 no journal"
)


@command("doctor", exits=_EXITS)
def doctor(call: CliContext) -> Exit:
    """Check the installation: settings, keys, journal, every channel's credentials. Nothing is posted.

    A blocked channel that works again is resumed. One that reported too many recipients as not existing is not.

    \b
    Examples:
      policenotify doctor
      policenotify doctor --json
    """
    from policenotify.settings import diagnose

    found = diagnose(call.settings, journal=call.journal_url, actor=call.actor)
    head = [call.say(name) for name in (Text("check"), Text("state"), Text("detail"))]
    table = Table(*head, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for line in found.lines:
        detail = RichText(output.plain(call.say(line.detail)), overflow="fold")
        table.add_row(output.plain(call.say(line.check)), call.say(Text.word(line.state)), detail)
    summary = Text("Everything is right.") if found.ok else Text("Something is wrong: see the lines marked WRONG.")
    call.emit(found, table, output.prose(summary, "bold"))
    return exit_of(found.alarms)
