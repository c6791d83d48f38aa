"""`policenotify feed`: draw a feed again from its items."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from policenotify.cli import output
from policenotify.cli.context import CliContext, group
from policenotify.cli.exit_codes import Exit
from policenotify.errors import ChannelError, SettingsError
from policenotify.journal.clock import SystemClock
from policenotify.networks.registry import NoStateStore
from policenotify.settings import channels_of
from policenotify.translation import AnyText, Text


@group("feed", exits="1 settings wrong; 3 a folder cannot be written")
def feed() -> None:
    """Maintain the channels on the network `feed`.

    \b
    Examples:
      policenotify feed rebuild
    """


@feed.command(
    "rebuild",
    short_help="Write all files of a feed again.",
    exits="1 settings wrong; 3 a folder cannot be written",
)
def rebuild(call: CliContext) -> Exit:
    """Write all files of all feeds again from their items.

    The journal is not needed. Only files whose content has changed are written. Run it after an update of policenotify,
    after a restore, and from a timer, so that ended incidents leave the feeds on a quiet day, too.

    \b
    Examples:
      policenotify feed rebuild
    """
    changed: dict[str, list[str]] = {}
    problems: dict[str, AnyText] = {}
    for config in channels_of(call.read_settings()):
        if config.network != "feed":
            continue
        if config.blocked:
            raise SettingsError(config.blocked)
        try:
            channel: Any = config.open(SystemClock(), NoStateStore())  # a `PublicFeed`, imported with its network
            with closing(channel):
                changed[config.name] = list(channel.rebuild())
        except ChannelError as error:
            problems[config.name] = error.text
    page = [output.line(f"{name}  {path}") for name, paths in changed.items() for path in paths]
    if not problems:
        count = sum(map(len, changed.values()))
        page.append(output.prose(Text.counted("{count} file has changed.", "{count} files have changed.", count=count)))
    for name, problem in problems.items():
        page.append(output.prose(Text("{name} could not be written: {problem}", name=name, problem=problem)))
    call.emit({"changed": changed, "problems": problems}, *page)
    return Exit.ATTENTION if problems else Exit.OK
