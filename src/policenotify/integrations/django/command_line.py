"""Run the command line on the project's journal, from `manage.py`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from io import StringIO
from typing import Any, ClassVar, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from policenotify.errors import PolicenotifyError
from policenotify.integrations.django.database import alias, check_journal, configured, journal_url
from policenotify.settings import Settings, read_settings


class CommandLine(BaseCommand):  # type: ignore[misc]  # Django has no types
    """Passes its arguments to `policenotify`, and exits with the same code.

    Attributes:
        command: The arguments before those that were typed: the name of a command.
    """

    command: ClassVar[tuple[str, ...]] = ()
    requires_system_checks: tuple[str, ...] = ()

    def run_from_argv(self, argv: Sequence[str]) -> NoReturn:
        """Run the command line with the arguments as typed, unparsed by Django."""
        try:
            arguments = _without_djangos(argv[2:])
            with _project():
                _program()([*self.command, *arguments])
        except CommandError as error:  # as Django's own commands end
            self.stderr.write(f"CommandError: {error}")
            sys.exit(error.returncode)
        raise AssertionError("the command line exits by itself")  # pragma: no cover  # main() raises SystemExit

    def print_help(self, prog_name: str, subcommand: str) -> None:  # noqa: ARG002 - Django's own
        """Print the help of the command line."""
        self.handle(arguments=["--help"])

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:  # noqa: ANN401 - Django's own
        """Return a parser that leaves all arguments of `call_command` to the command line."""
        parser = super().create_parser(prog_name, subcommand, **options)
        parse = parser.parse_args

        def keep(args: Sequence[str] = (), _namespace: None = None) -> argparse.Namespace:
            found: argparse.Namespace = parse([])
            found.arguments = list(args)
            return found

        parser.parse_args = keep
        return parser

    def handle(self, *, arguments: Sequence[str], **_options: Any) -> None:  # noqa: ANN401 - Django's own
        """Run the command line for `call_command`.

        Raises:
            CommandError: Its exit code, `returncode`, is not 0.
        """
        out, err = StringIO(), StringIO()
        try:
            with _project(), redirect_stdout(out), redirect_stderr(err):
                _program()([*self.command, *arguments])
        except SystemExit as ended:
            if ended.code:
                text = " ".join(["policenotify", *self.command, "ended with exit code", str(int(ended.code))])
                raise CommandError(text, returncode=int(ended.code)) from None
        finally:
            # Django's streams would add a line feed to each piece that is written.
            self.stdout.write(out.getvalue(), ending="")
            self.stderr.write(err.getvalue(), ending="")


def _without_djangos(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without `--settings` and `--pythonpath`, by which Django has found the project."""
    parser = CommandParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--settings")
    parser.add_argument("--pythonpath")
    others: list[str] = parser.parse_known_args(arguments)[1]
    return others


def _program() -> Any:  # noqa: ANN401 - an entry point
    [program] = entry_points(group="console_scripts", name="policenotify")
    return program.load()


@contextmanager
def _project() -> Iterator[None]:
    """Name the project's journal and settings to the command line.

    Raises:
        CommandError: The project has no journal, or its settings name another one.
    """
    try:
        names = {"POLICENOTIFY_JOURNAL": journal_url(alias())}
        if (read := _settings()) is not None:
            check_journal(read)
    except PolicenotifyError as error:
        raise CommandError(str(error)) from error
    if configured("SETTINGS") is not None:
        names["POLICENOTIFY_SETTINGS"] = str(configured("SETTINGS"))
    with _environment(names):
        yield


def _settings() -> Settings | None:
    try:
        return read_settings(configured("SETTINGS"), tolerant=True, secrets=False)
    except PolicenotifyError:  # the command says so itself, and `doctor` in full
        return None


@contextmanager
def _environment(names: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
