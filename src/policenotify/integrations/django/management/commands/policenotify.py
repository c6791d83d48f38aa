"""`manage.py policenotify COMMAND`: run the command line on the project's journal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from policenotify.errors import PolicenotifyError
from policenotify.integrations.django import signals
from policenotify.integrations.django.database import alias, check_journal, configured, journal_url
from policenotify.settings import read_settings


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    """Every command of `policenotify`, with the same arguments and exit codes, in this process and its streams."""

    help = "Run a command of policenotify on the project's journal: stop, resume, status, incidents, doctor, resolve …"
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Leave all arguments to the command line."""
        parser.add_argument("arguments", nargs=argparse.REMAINDER)

    def run_from_argv(self, argv: Sequence[str]) -> NoReturn:
        """Run the command line with the arguments as typed, and exit with its code."""
        try:
            code = _run(_without_djangos(argv[2:]))
        except CommandError as error:  # as Django's own commands end
            self.stderr.write(f"CommandError: {error}")
            code = error.returncode
        sys.exit(code)

    def print_help(self, prog_name: str, subcommand: str) -> None:  # noqa: ARG002 - Django's own
        """Print the help of the command line."""
        _run(["--help"])

    def handle(self, *, arguments: Sequence[str], **_options: Any) -> None:  # noqa: ANN401 - Django's own
        """Run the command line for `call_command`.

        Raises:
            CommandError: Its exit code, `returncode`, is not 0.
        """
        if code := _run(arguments):
            named = " ".join(["policenotify", *arguments[:1]])
            raise CommandError(f"{named} ended with exit code {code}", returncode=code)


def _without_djangos(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without `--settings` and `--pythonpath`, by which Django has found the project."""
    parser = CommandParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--settings")
    parser.add_argument("--pythonpath")
    others: list[str] = parser.parse_known_args(arguments)[1]
    return others


def _run(arguments: Sequence[str]) -> int:
    """Run a command on the project's journal, and return its exit code.

    Raises:
        CommandError: The project has no journal, or its settings name another one.
    """
    from policenotify.cli.app import run  # noqa: PLC0415 - the command line, which other commands do without
    from policenotify.cli.context import CliContext  # noqa: PLC0415 - likewise

    settings = configured("SETTINGS")
    try:
        url = journal_url(alias())
        try:
            read = read_settings(settings, secrets=False)
        except PolicenotifyError:  # the command itself reports it, and `doctor` in full
            pass
        else:
            check_journal(read)
    except PolicenotifyError as error:
        raise CommandError(str(error)) from error
    call = CliContext(
        settings=None if settings is None else str(settings),
        journal_url=url,
        on_event={signals.SUBSCRIBER: signals.send},
    )
    return run(list(arguments), call)
