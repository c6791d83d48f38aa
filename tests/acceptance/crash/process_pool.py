"""Processes of an installation, forked from one that has loaded everything, so that each starts in a moment.

The forking process reads JSON lines. For the arguments of a task it forks a process and answers with its id.
For "wait" it waits for the end of that process and answers with its exit code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import Any

from tests.acceptance.crash.installation_process import Installation, warm_up, work


class ProcessPool:
    """The forking process, seen from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._child = 0

    def start(self, *arguments: object, **options: object) -> int:
        """Fork a process that runs the task with these arguments, and return its id."""
        self._child = int(self._request([arguments, options]))
        return self._child

    def kill(self) -> int:
        """Kill the process, and return its exit code: -9, unless it had ended before."""
        os.kill(self._child, SIGKILL)  # its number is not given to another process until it is waited for
        return self.wait()

    def wait(self) -> int:
        """Wait for the end of the process, and return its exit code."""
        return int(self._request("wait"))

    def _request(self, request: object) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"The forking process ended with {self._process.wait()}. Its own words are on standard error."
        return answer


@contextmanager
def process_pool(installation: Installation, module: str = __name__) -> Iterator[ProcessPool]:
    """Start a pool for an installation. *module* calls `serve` with its task."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
        [sys.executable, "-m", module, installation.to_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    ) as process:
        yield ProcessPool(process)


def serve(task: Callable[..., int]) -> None:
    """Fork processes that run *task* with the installation and the arguments, and exit with the code it returns."""
    installation = Installation.from_json(sys.argv[1])
    warm_up()
    child = 0
    for line in sys.stdin:
        if (request := json.loads(line)) == "wait":
            answer = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        else:
            if (child := os.fork()) == 0:
                _run(task, installation, *request)
            answer = child
        print(answer, flush=True)  # noqa: T201 - read by `ProcessPool`


def _run(task: Callable[..., int], installation: Installation, arguments: list[Any], options: dict[str, Any]) -> None:
    code = 99
    try:
        code = task(installation, *arguments, **options)
    except BaseException:  # noqa: BLE001 - a forked process must not go on in its parent's loop
        traceback.print_exc()
    os._exit(code)


def _publish(installation: Installation, first: int, last: int, *, until_done: bool) -> int:
    work(installation, first, last, until_done=until_done)
    return 0


if __name__ == "__main__":
    serve(_publish)
