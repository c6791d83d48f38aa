"""The command `policenotify`: its subcommands, each imported when it is asked for, and how it ends."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from policenotify.cli.context import CliContext, common, plain
from policenotify.cli.exit_codes import Exit, exit_table
from policenotify.errors import MissingExtra

COMMANDS = {
    "init": ("init:init", "Make a new installation."),
    "migrate": ("migrate:migrate", "Make or upgrade the journal's tables."),
    "doctor": ("doctor:doctor", "Prove the installation; nothing is posted."),
    "preview": ("preview:preview", "Show each post as its readers would read it."),
    "publish": ("publish:publish", "Say a first message."),
    "update": ("publish:update", "Say that an incident's situation has changed."),
    "end": ("publish:end", "Say that an incident is over."),
    "correct": ("publish:correct", "Set right what was said."),
    "cancel": ("publish:cancel", "Take back what should not have been said."),
    "campaign": ("campaign:campaign", "Say a dated series of messages on time."),
    "status": ("status:status", "Show what is open, owed, and what became of it."),
    "incidents": ("incidents:incidents", "Show the open incidents and what is owed."),
    "drain": ("delivery:drain", "Deliver what is due: for cron and timers."),
    "worker": ("worker:worker", "Deliver what is due, until it is told to end."),
    "stop": ("delivery:stop", "Halt everything at once."),
    "resume": ("delivery:resume", "Go on after a stop, or with a blocked channel."),
    "resolve": ("delivery:resolve", "Say what became of a post that is held."),
    "journal": ("journal:journal", "Hand out, prove, purge what was said."),
    "networks": ("networks:networks", "Show the networks and their options."),
    "schema": ("schema:schema", "Print the JSON Schema of a message, the settings …"),
    "completion": ("completion:completion", "Print the script that completes in your shell."),
    "demo": ("demo:demo", "Show an evening of a police desk; needs no account."),
}
"""Where each command is (`module:name` in this package) and what it does, in the order of the help.

What it does is said here, so that help and completion import no command.
"""

COMPLETE_VARIABLE = "_POLICENOTIFY_COMPLETE"
"""The environment variable by which a shell asks for suggestions; click's own name for it."""


class _Commands(click.Group):
    """The subcommands, by name; one that lacks an extra says so when it is called, and hides no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        try:
            command: click.Command = getattr(import_module(f"policenotify.cli.commands.{module}"), name)
        except ImportError as error:
            return _missing(cmd_name, error)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from policenotify.validation import did_you_mean

            ctx.fail(f"No such command {args[0]!r}. {did_you_mean(args[0], COMMANDS, known='There are')}")
        name, command, rest = super().resolve_command(ctx, args)
        ctx.ensure_object(CliContext).command = name or ""
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - likewise
        with formatter.section("Commands"):
            formatter.write_dl([(name, does) for name, (_, does) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        named = [CompletionItem(name, help=does) for name, (_, does) in COMMANDS.items() if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]


def _missing(name: str, cause: ImportError) -> click.Command:
    def refuse() -> None:
        raise MissingExtra(f"The command {name!r} ({cause.name} is not installed)", "all") from cause

    anything = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    return click.Command(name, callback=refuse, context_settings=anything)


@click.group(cls=_Commands, epilog=exit_table(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="policenotify", message="%(prog)s %(version)s")
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
    """


def run(args: Sequence[str]) -> int:
    """Run a command.

    Args:
        args: Its arguments.

    Returns:
        How to exit: an [`Exit`][policenotify.cli.exit_codes.Exit].
    """
    call = CliContext(json="--json" in args, debug="--debug" in args)
    try:
        done = program.main(
            list(args), prog_name="policenotify", complete_var=COMPLETE_VARIABLE, obj=call, standalone_mode=False
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told calmly
        if COMPLETE_VARIABLE in os.environ:
            return Exit.REJECTED  # an officer who pressed the key reads no error in the midst of his line
        from policenotify.cli.errors import trouble

        if call.debug:
            traceback.print_exc()
        found = trouble(error, begun=call.begun, command=call.command)
        in_words = plain(found.page(call.command))
        if call.json:
            _out(json.dumps(found.document(), ensure_ascii=False, indent=2), otherwise=in_words)
        else:
            click.echo(in_words, err=True)
        return found.exit
    return done if isinstance(done, int) else Exit.OK


def _out(document: str, *, otherwise: str) -> None:
    """Print a document; where standard output takes none, a full disk for instance, say it in words beside it."""
    try:
        click.echo(document)
    except OSError:
        # What is left in the buffer would fail again when Python ends, and change how we exit (library `signal`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo(otherwise, err=True)
