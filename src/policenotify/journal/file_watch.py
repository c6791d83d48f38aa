"""Notice that the journal's files were deleted or replaced while they are open."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field

from policenotify.errors import JournalTakenAway

_Files = tuple[tuple[int, int] | None, ...]

_SUFFIXES = ("", "-wal", "-shm")
"""The database, its write-ahead log and the log's index: each process must have the same three open."""


@dataclass(slots=True)
class FileWatch:
    """Compares the files at the journal's path with those that this process has open.

    SQLite goes on writing into a file that was deleted, and no other process ever reads what it writes there
    (sqlite.org/howtocorrupt.html, section 4). The same holds for the log. While a connection is open nobody but a
    person or a program other than SQLite deletes any of the three.

    Attributes:
        path: The database.
    """

    path: str
    _known: _Files = ()
    _open: int = 0  # connections of this process
    _process: int = field(default_factory=os.getpid)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def opening(self) -> None:
        """See that SQLite is about to open the files that this process has open, or had.

        Raises:
            JournalTakenAway: They were deleted or replaced.
        """
        self.check()
        if self._known and (found := self._files())[0] != self._known[0]:
            raise self._taken_away(found)

    def opened(self) -> None:
        """Count a new connection, which must have the same files open as the others.

        Raises:
            JournalTakenAway: The files were deleted or replaced since the first connection.
        """
        with self._lock:
            found = self._files()
            if self._process != os.getpid():  # a forked child has none of its parent's connections
                self._open, self._process = 0, os.getpid()
            if None in found:  # of a connection that has just opened all three
                raise self._taken_away(found)
            if self._known and (self._known[0] != found[0] or (self._open and self._known != found)):
                raise self._taken_away(found)
            self._known, self._open = found, self._open + 1

    def closed(self) -> None:
        """Count a connection less: after the last one the log may be removed and made again."""
        with self._lock:
            self._open = max(0, self._open - 1)

    def check(self) -> None:
        """Compare the files.

        Raises:
            JournalTakenAway: They were deleted or replaced.
        """
        known = self._known
        if self._open and known != (found := self._files()):
            raise self._taken_away(found)

    def _files(self) -> _Files:
        return tuple(_identity(self.path + suffix) for suffix in _SUFFIXES)

    def _taken_away(self, found: _Files) -> JournalTakenAway:
        known = self._known or found
        changed = next((place for place, one in enumerate(found) if one is None or one != known[place]), 0)
        name = self.path + _SUFFIXES[changed]
        which = "The journal" if changed == 0 else "The journal's log"
        how = "was deleted or moved" if found[changed] is None else "was replaced by another file"
        return JournalTakenAway(f"{which} {name} {how} while it was in use.")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - asked before and after each transaction
    except OSError:
        return None
    return found.st_dev, found.st_ino
