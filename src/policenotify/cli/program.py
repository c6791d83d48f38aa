"""The command `policenotify`: its subcommands, each imported when it is asked for, and how it ends."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

import click

from policenotify.cli.call import Call, common, plain
from policenotify.cli.exits import MEANINGS, Exit
from policenotify.cli.trouble import trouble
from policenotify.errors import MissingExtra

COMMANDS = {
    "init": "start:init",
    "doctor": "doctor:doctor",
    "preview": "preview:preview",
    "publish": "saying:publish",
    "update": "saying:update",
    "end": "saying:end",
    "status": "status:status",
    "drain": "running:drain",
    "stop": "running:stop",
    "resume": "running:resume",
    "resolve": "running:resolve",
    "demo": "demo:demo",
}
"""Where each command is: `module:name` in this package, in the order of the help."""

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())


class _Commands(click.Group):
    """The subcommands, by name; one that lacks an extra says so when it is called, and hides no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        try:
            command: click.Command = getattr(import_module(f"policenotify.cli.{module}"), name)
        except ImportError as error:
            return _missing(cmd_name, error)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        ctx.ensure_object(Call).command = name or ""
        return name, command, rest


def _missing(name: str, cause: ImportError) -> click.Command:
    def refuse() -> None:
        raise MissingExtra(f"The command {name!r} ({cause.name} is not installed)", "all") from cause

    anything = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    return click.Command(name, callback=refuse, context_settings=anything, short_help="(needs an extra)")


@click.group(cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("policenotify"), message="%(prog)s %(version)s")
@common
def program() -> None:
    """Say a thing once: every network hears it, in the thread of its incident, never lost and never doubled.

    \b
    Examples:
      policenotify init
      policenotify publish --category traffic_accident --incident 2026-4711 \\
          --commune 34172 --road A9 --headline "Accident de la circulation" \\
          --instruction "Évitez le secteur."
      policenotify end 2026-4711 "Fin d'intervention" \\
          --description "Circulation rétablie."
      policenotify status
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped


def run(args: Sequence[str]) -> int:
    """Run a command.

    Args:
        args: Its arguments.

    Returns:
        How to exit: an [`Exit`][policenotify.cli.exits.Exit].
    """
    call = Call(json="--json" in args, debug="--debug" in args)
    try:
        done = program.main(list(args), prog_name="policenotify", obj=call, standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told calmly
        if call.debug:
            traceback.print_exc()
        found = trouble(error, begun=call.begun, command=call.command)
        if call.json:
            click.echo(json.dumps(found.document(), ensure_ascii=False, indent=2))
        else:
            click.echo(plain(found.page(call.command)), err=True)
        return found.exit
    return done if isinstance(done, int) else Exit.IN_ORDER
