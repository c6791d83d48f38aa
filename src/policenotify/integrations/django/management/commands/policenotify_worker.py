"""`manage.py policenotify_worker`: deliver for a while, or until a signal."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from policenotify.delivery.service import GRACE, Supervisor, ended_by_signals
from policenotify.errors import PolicenotifyError
from policenotify.integrations.django import publisher

_ATTENTION, _TAKEN_AWAY = 3, 7  # the exit codes of `policenotify worker`
_DAY = timedelta(days=1).total_seconds()


def _seconds(text: str) -> float:
    """Return the seconds of a budget."""
    seconds = float(text)
    if not 0 <= seconds <= _DAY:
        raise ArgumentTypeError(f"{text} is not a number of seconds up to {_DAY:.0f}")
    return seconds


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    """Delivers without Celery or Procrastinate: as a service, which systemd may watch, or from cron."""

    help = "Deliver published messages until SIGTERM or SIGINT. Posts under way then finish."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add `--budget`."""
        budget = "Deliver what is due for at most that many seconds, then exit."
        parser.add_argument("--budget", type=_seconds, metavar="SECONDS", help=budget)

    def handle(self, *, budget: float | None, **_options: Any) -> None:  # noqa: ANN401 - Django's own
        """Deliver."""
        try:
            if budget is not None:
                with publisher() as current, ended_by_signals(current.interrupt):
                    current.drain(timedelta(seconds=budget))
                return
            with ended_by_signals() as signals, publisher() as current:
                running = current.worker()
                end = Supervisor().serve(running.start(), signals, current.monitor.line)
        except PolicenotifyError as error:
            raise CommandError(str(error)) from error
        if end.failure is not None:
            raise CommandError(str(end.failure), returncode=_TAKEN_AWAY) from end.failure
        if not end.finished:
            left = f"A post was still under way after {GRACE:g} s. The next worker finds out about it."
            raise CommandError(left, returncode=_ATTENTION)
