"""A worker in a forked process: its exit code shows how it ended, and a file holds the alarms that it raised."""

from __future__ import annotations

import logging
import os
from threading import Event

from policenotify.cli.exit_codes import Exit
from policenotify.errors import JournalError, JournalTakenAway
from tests.acceptance.crash.installation_process import Installation
from tests.acceptance.crash.process_pool import serve

_FOREVER = 120.0  # seconds: no worker of a test is needed for longer


def _work(installation: Installation, alarms: str, user: int) -> int:
    logging.basicConfig(filename=alarms, level=logging.ERROR, format="%(levelname)s %(message)s", force=True)
    if user:
        os.setgid(user)
        os.setuid(user)
    try:
        publisher = installation.publisher()
    except JournalTakenAway:
        return Exit.TAKEN_AWAY
    except JournalError:
        return Exit.NO_JOURNAL
    ended, worker = Event(), publisher.worker()
    worker.on_failure = ended.set
    with worker:
        ended.wait(_FOREVER)
        return Exit.TAKEN_AWAY if worker.failure is not None else Exit.REJECTED


if __name__ == "__main__":
    serve(_work)
