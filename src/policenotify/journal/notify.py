"""Who delivers elsewhere, and is told that something waits."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from sqlalchemy import Connection

_log = logging.getLogger("policenotify")


class Runner(Protocol):
    """An engine of the host that delivers: it calls `drain`, here or on another machine.

    It also looks for itself now and then, so that a word that is lost, or said twice, does no harm.
    """

    def enqueue(self, connection: Connection) -> None:
        """Something is to be delivered; what is written on *connection* is committed together with it."""

    def on_commit(self) -> None:
        """It was committed."""


def enqueue(connection: Connection, runners: Iterable[Runner]) -> None:
    """Tell the runners inside the transaction; one that fails keeps nothing from being published."""
    for runner in runners:
        try:
            with connection.begin_nested():
                runner.enqueue(connection)
        except Exception as error:  # noqa: BLE001 - a host's engine may fail in any way
            _not_told(runner, error)


def notify_runners(runners: Iterable[Runner]) -> None:
    """Tell the runners after the commit; the message is safe, whatever becomes of the word."""
    for runner in runners:
        try:
            runner.on_commit()
        except Exception as error:  # noqa: BLE001 - the same
            _not_told(runner, error)


def _not_told(runner: Runner, error: Exception) -> None:
    said = "%s was not told that something waits (%s); it is delivered when it next looks for itself."
    _log.error(said, type(runner).__name__, type(error).__name__)  # a trace would hold values
