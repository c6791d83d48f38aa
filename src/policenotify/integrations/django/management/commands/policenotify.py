"""`manage.py policenotify COMMAND`: run the command line on the project's journal."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from policenotify.errors import PolicenotifyError
from policenotify.integrations.django.database import alias, configured, journal_url


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    """Passes all its arguments to `policenotify`, and exits with the same code."""

    help = "Run a command of policenotify on the project's journal: stop, resume, status, incidents, doctor, resolve …"
    requires_system_checks: tuple[str, ...] = ()

    def run_from_argv(self, argv: Sequence[str]) -> NoReturn:
        """Run the command line with the arguments as typed, unparsed by Django."""
        self._run(argv[2:])

    def add_arguments(self, parser: CommandParser) -> None:
        """Accept any arguments, for `call_command`."""
        parser.add_argument("arguments", nargs=argparse.REMAINDER)

    def handle(self, *, arguments: Sequence[str], **_options: Any) -> NoReturn:  # noqa: ANN401 - Django's own
        """Run the command line."""
        self._run(arguments)

    def _run(self, arguments: Sequence[str]) -> NoReturn:
        try:
            settings = {"POLICENOTIFY_JOURNAL": journal_url(alias())}
        except PolicenotifyError as error:
            raise CommandError(str(error)) from error
        if configured("SETTINGS") is not None:
            settings["POLICENOTIFY_SETTINGS"] = str(configured("SETTINGS"))
        [program] = entry_points(group="console_scripts", name="policenotify")
        with _environment(settings):
            program.load()(arguments)
        raise AssertionError("the command line exits by itself")  # pragma: no cover  # main() raises SystemExit


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
