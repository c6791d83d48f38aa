"""`manage.py policenotify_worker`: deliver, for a while or until told to end."""

from __future__ import annotations

import signal
import threading
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from policenotify.errors import PolicenotifyError
from policenotify.integrations.django.publishing import publisher


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    """For who has no engine of his own: run it as a service, or with a budget from cron."""

    help = "Deliver what is published, until SIGTERM or SIGINT; what is under way then is finished."

    def add_arguments(self, parser: CommandParser) -> None:
        """Its options."""
        told = "End after that many seconds; what is due earlier than that is delivered."
        parser.add_argument("--budget", type=float, metavar="SECONDS", help=told)

    def handle(self, *, budget: float | None, **_options: Any) -> None:  # noqa: ANN401 - Django's own
        """Do it."""
        ending = threading.Event()
        before = {number: signal.signal(number, lambda *_: ending.set()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            with publisher() as mine:
                if budget is not None:
                    mine.drain(timedelta(seconds=budget))
                    return
                with mine.worker() as running:
                    running.on_failure = ending.set
                    ending.wait()
                    failure = running.failure
                if failure is not None:
                    raise failure
        except PolicenotifyError as error:
            raise CommandError(str(error)) from error
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
