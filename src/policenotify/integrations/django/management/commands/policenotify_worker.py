"""`manage.py policenotify_worker`: deliver for a while, or until a signal."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from policenotify.errors import PolicenotifyError
from policenotify.integrations.django import publisher

_DAY = timedelta(days=1).total_seconds()


def _seconds(text: str) -> float:
    """Return the seconds of a budget."""
    seconds = float(text)
    if not 0 <= seconds <= _DAY:
        raise ArgumentTypeError(f"{text} is not a number of seconds up to {_DAY:.0f}")
    return seconds


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    """Delivers without Celery or Procrastinate: as a service, or from cron."""

    help = "Deliver published messages until SIGTERM or SIGINT. Posts under way then finish."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add `--budget`."""
        budget = "Deliver what is due for at most that many seconds, then exit."
        parser.add_argument("--budget", type=_seconds, metavar="SECONDS", help=budget)

    def handle(self, *, budget: float | None, **_options: Any) -> None:  # noqa: ANN401 - Django's own
        """Deliver."""
        ending = threading.Event()
        before = {number: signal.signal(number, lambda *_: ending.set()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            with publisher() as current:
                if budget is not None:
                    current.drain(timedelta(seconds=budget))
                    return
                with current.worker() as worker:
                    worker.on_failure = ending.set
                    ending.wait()
                    failure = worker.failure
                if failure is not None:
                    raise failure
        except PolicenotifyError as error:
            raise CommandError(str(error)) from error
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
