"""Other programs on the loopback: start them, wait for them, end them by process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_STARTS = 60.0  # seconds: longer than any of them takes on a busy machine
_ENDS = 10.0


class CannotBeHad(Exception):
    """The server is not installed here or cannot be run. The text names the remedy."""


def program(name: str, package: str) -> str:
    """Where a program is.

    Raises:
        CannotBeHad: It is not installed.
    """
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        raise CannotBeHad(f"there is no {name}: {package}")
    return found


def output_of(*command: str | Path) -> str:
    """Return the output of a program."""
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_STARTS)  # noqa: S603 - named by us
    return done.stdout.strip()


def listens(port: int) -> bool:
    """Return whether connections are accepted there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_until(true: Callable[[], object], what: str, seconds: float = _STARTS) -> None:
    """Look again and again.

    Raises:
        TimeoutError: It has not come true within the time.
    """
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} seconds")
        time.sleep(0.02)


class Running:
    """A program that runs until it is ended. Its output goes to a file in its folder."""

    def __init__(self, *command: str | Path, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self._log = folder / f"{Path(command[0]).name}.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - named by us
                command,
                cwd=folder,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o022,  # as the system starts it, whatever that of the tests is
            )

    @property
    def output(self) -> str:
        """Return its output so far."""
        return self._log.read_text("utf-8", "replace")

    def until(self, ready: Callable[[], object]) -> None:
        """Wait until it is ready.

        Raises:
            RuntimeError: It has ended, or does not become ready.
        """
        try:
            wait_until(lambda: self._process.poll() is not None or ready(), self._log.stem)
        except TimeoutError as error:
            raise RuntimeError(f"{error}\n{self.output}") from error
        if self._process.poll() is not None:
            raise RuntimeError(f"{self._log.stem} ended with {self._process.returncode}:\n{self.output}")

    def end(self) -> None:
        """Stop it and its children, by force after a time. May be called twice."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_ENDS)
                return


def ended(running: Sequence[Running], folder: Path) -> None:
    """End them, the last one first, and remove their folder."""
    for each in reversed(running):
        each.end()
    shutil.rmtree(folder, ignore_errors=True)
