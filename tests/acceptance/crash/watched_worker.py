"""A worker in a process of its own, forked from one that has all loaded: how it ended, and which alarms it raised.

For each line that it reads (JSON: the file for alarms and the user to be, or "wait") it starts a worker and says its
process id, or waits for its end and says how it ended.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from policenotify.cli.exit_codes import Exit
from policenotify.errors import JournalError, JournalTakenAway
from tests.acceptance.crash.installation_process import Installation, warm_up

_FOREVER = 120.0  # seconds: no worker of a test is needed for longer


class Workers:
    """The process that forks them, seen from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, alarms: Path, user: int = 0) -> int:
        """Start a worker; *user*: as whom, if not as this one."""
        return int(self._ask([str(alarms), user]))

    def wait(self) -> int:
        """Wait for its end, and return its exit code."""
        return int(self._ask("wait"))

    def _ask(self, what: object) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@contextmanager
def workers(installation: Installation) -> Iterator[Workers]:
    """Workers of one installation."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
        [sys.executable, "-m", __name__, installation.to_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    ) as process:
        yield Workers(process)


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


def _main(installation: Installation) -> None:
    warm_up()
    worker = 0
    for line in sys.stdin:
        if (asked := json.loads(line)) == "wait":
            print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]), flush=True)  # noqa: T201 - how it answers
            continue
        if (worker := os.fork()) == 0:
            code = 99
            try:
                code = _work(installation, *asked)
            except BaseException:  # noqa: BLE001 - a forked process must not go on in its parent's loop
                traceback.print_exc()
            os._exit(code)
        print(worker, flush=True)  # noqa: T201 - the same


if __name__ == "__main__":
    _main(Installation.from_json(sys.argv[1]))
