"""The command `policenotify`. Each subcommand is imported when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from policenotify.cli.context import CliContext, Group, note
from policenotify.cli.documents import json_text
from policenotify.cli.exit_codes import Exit, exit_table
from policenotify.cli.language import metavars

GROUPS = {
    "Commands": {
        "publish": ("publish:publish", "Publish an opening or standalone message."),
        "update": ("publish:update", "Publish an update of an incident."),
        "end": ("publish:end", "Publish the end of an incident."),
        "correct": ("publish:correct", "Correct an earlier publication."),
        "cancel": ("publish:cancel", "Cancel an incident or a standalone publication."),
        "withdraw": ("draft:withdraw", "Take back a draft, or delete posts."),
        "preview": ("preview:preview", "Show each post as its readers would read it."),
        "status": ("status:status", "Show alarms, open incidents, channels and outcomes."),
        "incidents": ("status:incidents", "Show the open incidents and their deadlines."),
        "drafts": ("draft:drafts", "Show drafts and owed second readings."),
        "doctor": ("status:doctor", "Check the installation; nothing is posted."),
        "stop": ("delivery:stop", "Stop all publishing and delivery at once."),
        "resume": ("delivery:resume", "Resume after a stop or a blocked channel."),
    },
    "Read before it is published": {
        "approve": ("draft:approve", "Approve a draft of another person."),
        "return": ("draft:return_", "Return a draft to its author."),
        "reject": ("draft:reject", "Reject a draft, or object to a publication."),
        "import-cap": ("draft:import_cap", "Store an alert of another service as a draft."),
    },
    "Sent to people": {
        "sending": ("sendings:sending", "Watch, pause or abort a sending to many people."),
        "resolve": ("sendings:resolve", "Settle what may or may not be published."),
        "people": ("people:people", "Show and change who is written to."),
        "bounce": ("people:bounce", "Record what a mail reports that came back."),
    },
    "Campaigns": {
        "campaign": ("campaign:campaign", "Publish a dated series of messages on time."),
    },
    "Operation": {
        "worker": ("delivery:worker", "Deliver due messages until stopped."),
        "drain": ("delivery:drain", "Deliver due messages once and exit."),
        "metrics": ("metrics:metrics", "Print metrics for Prometheus."),
        "feed": ("feed:feed", "Draw the files of a feed again."),
        "journal": ("journal:journal", "Export, verify and purge the journal."),
        "rotate-keys": ("journal:rotate_keys", "Make new keys; the old ones still decrypt."),
    },
    "Installation": {
        "init": ("init:init", "Create a new installation."),
        "migrate": ("init:migrate", "Create or upgrade the journal's tables."),
        "networks": ("networks:networks", "Show the networks and their options."),
        "schema": ("schema:schema", "Print the JSON Schema of a message, the settings …"),
        "demo": ("demo:demo", "Run a demonstration; needs no account."),
        "dev": ("dev:dev", "Start fake networks for development."),
    },
}
"""Module, name and summary of each command, by the headings of the help and in its order.

The summary is repeated here, so that help and completion import no command.
"""

COMMANDS = {name: command for commands in GROUPS.values() for name, command in commands.items()}
"""All commands by name."""

_PAGE = "For the officer on duty, in French: docs/fr/permanence.md"

COMPLETE_VARIABLE = "_POLICENOTIFY_COMPLETE"
"""The environment variable by which a shell asks for suggestions, named by click."""


class _Commands(Group):
    """The subcommands by name. One that lacks an extra fails only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        ctx.ensure_object(CliContext).command = cmd_name
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        try:
            command: click.Command = getattr(import_module(f"policenotify.cli.commands.{module}"), name)
        except ImportError as error:  # also a library that is there, and does not load
            from policenotify.cli.errors import missing_extra

            raise missing_extra(cmd_name, str(error.name)) from error
        return command

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_usage(ctx, formatter)
        _write_group(formatter, next(iter(GROUPS)))  # before all else: the first screen of a terminal
        self.format_help_text(ctx, formatter)
        for heading in [*GROUPS][1:]:
            _write_group(formatter, heading)
        click.Command.format_options(self, ctx, formatter)  # a group's own would list the commands once more
        self.format_epilog(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        say = ctx.ensure_object(CliContext).say
        commands = [
            CompletionItem(name, help=say(summary))
            for name, (_, summary) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]


def _write_group(formatter: click.HelpFormatter, heading: str) -> None:
    with formatter.section(heading):
        formatter.write_dl([(name, summary) for name, (_, summary) in GROUPS[heading].items()])


@click.group(
    cls=_Commands, epilog=f"{exit_table()}\n\n{_PAGE}", context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="policenotify", message="%(prog)s %(version)s")
def program() -> None:
    """Publish a message once, on every network, in the thread of its incident.

    Never lost; never twice where the network gives a key or a readable timeline; otherwise your documented choice.

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


def run(args: Sequence[str], call: CliContext | None = None) -> int:
    """Run a command and return its [`Exit`][policenotify.cli.exit_codes.Exit] code.

    An application that runs it hands over its *call*, whose journal and settings are used.
    """
    call = call or CliContext()
    call.json, call.debug = "--json" in args, "--debug" in args
    try:
        done = program.main(
            list(args), prog_name="policenotify", complete_var=COMPLETE_VARIABLE, obj=call, standalone_mode=False
        )
    except Exception as error:  # noqa: BLE001 - every error ends in a report
        if COMPLETE_VARIABLE in os.environ:
            return Exit.REJECTED  # an error would be printed into the line that the officer is typing
        from policenotify.cli.errors import error_report
        from policenotify.cli.output import plain

        if call.debug:
            import traceback  # few commands fail

            note(traceback.format_exc())
        report = error_report(error, may_have_published=call.may_have_published, command=call.command)
        text = plain(call.say(report.page(call.command, call.message)))
        if report.exit is Exit.USAGE:
            text = metavars(text, call.language)
        if call.json:
            _out(json_text({"error": report.model_dump(mode="json", fallback=str)}), otherwise=text)
        else:
            note(text)
        return report.exit
    if call.interrupted:
        return Exit.INTERRUPTED
    return done if isinstance(done, int) else Exit.OK


def _out(document: str, *, otherwise: str) -> None:
    """Print a document, or a text on standard error if standard output fails."""
    try:
        click.echo(document)
    except OSError:
        # What is left in the buffer would fail again when Python ends, and change the exit code (library `signal`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        note(otherwise)
