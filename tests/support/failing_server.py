"""A PostgreSQL server of its own, on a small disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import suppress

import psycopg

from tests.support.patience import PATIENCE
from tests.support.postgresql import Server

_DISK = "150m"
_FILLER = "filler"


class FailingServer(Server):
    """A server whose disk can be full.

    Attributes:
        small: It has a disk of its own, which only root can give it.
    """

    layout = ("--wal-segsize=1",)  # so that a full disk is noticed after a megabyte
    durable = True
    small = False

    def prepare(self) -> None:
        if os.geteuid() == 0:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=755", "none", str(self.folder)]
            self.small = not subprocess.run(mount, check=False, capture_output=True).returncode  # noqa: S603 - fixed words

    def fill_disk(self) -> None:
        """Leave not one byte on the server's disk."""
        assert self.small
        for size in (1 << 16, 1):
            with (self.folder / _FILLER).open("ab", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(size))

    def fail(self) -> None:
        """Write until the server cannot go on: it has no room for its log of transactions. A large one is stopped."""
        if not self.small:
            self.stop()
            return
        with suppress(psycopg.Error):
            while True:
                self.ask("SELECT pg_logical_emit_message(false, 'test', repeat('x', 100000))")
        until = time.monotonic() + PATIENCE
        while self._runs():  # it tries to recover, and ends
            assert time.monotonic() < until
            time.sleep(0.05)

    def repair(self) -> None:
        """Free the disk, and start the server as an operator does."""
        (self.folder / _FILLER).unlink(missing_ok=True)
        if self._runs():
            self.stop()
        self.start()

    def _runs(self) -> bool:
        return (self.folder / "data" / "postmaster.pid").exists()

    def end(self) -> None:
        if self._runs():
            self.stop()
        if self.small:
            subprocess.run(["umount", "-l", str(self.folder)], check=False)  # noqa: S603, S607 - fixed words
        shutil.rmtree(self.folder)
