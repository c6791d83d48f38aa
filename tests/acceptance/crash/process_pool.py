"""A process with all loaded, of which desks are forked: each starts in a moment, and is killed alone.

For each line that it reads (what `work` is given, as JSON) it starts a desk, says its process id, waits for its end,
and says how it ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL

from tests.acceptance.crash.installation_process import Installation, warm_up, work


class Nursery:
    """The nursery, seen from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._desk = 0

    def start(self, first: int, last: int, *, until_done: bool) -> None:
        """Start a desk that publishes these turns."""
        self._say([first, last, until_done])
        self._desk = int(self._hear())

    def kill(self) -> int:
        """Kill the desk, and return its exit code: -9, unless it had died by itself."""
        os.kill(self._desk, SIGKILL)  # until it is waited for, nobody else has its number
        return self.wait()

    def wait(self) -> int:
        """Wait for the desk's own end, and return its exit code."""
        self._say("wait")
        return int(self._hear())

    def _say(self, what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def nursery(installation: Installation) -> Iterator[Nursery]:
    """Desks of one installation."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
        [sys.executable, "-m", __name__, installation.to_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    ) as process:
        yield Nursery(process)


def _main(installation: Installation) -> None:
    warm_up()
    desk = 0
    for line in sys.stdin:
        if (asked := json.loads(line)) == "wait":
            print(os.waitstatus_to_exitcode(os.waitpid(desk, 0)[1]), flush=True)  # noqa: T201 - how it answers
            continue
        if (desk := os.fork()) == 0:
            _be_a_desk(installation, *asked)
        print(desk, flush=True)  # noqa: T201 - the same


def _be_a_desk(installation: Installation, first: int, last: int, until_done: bool) -> None:  # noqa: FBT001 - of JSON
    code = 1
    try:
        work(installation, first, last, until_done=until_done)
        code = 0
    except BaseException:  # noqa: BLE001 - a forked process must not go on in its parent's loop
        traceback.print_exc()
    os._exit(code)


if __name__ == "__main__":
    _main(Installation.from_json(sys.argv[1]))
