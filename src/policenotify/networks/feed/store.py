"""Where the files of a feed are: a directory, in which every file is always whole."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from policenotify.channel import Clock
from policenotify.errors import Blocked, ChannelError, Unavailable, Unconfirmed
from policenotify.translation import Text

_LOCK: Final = ".lock"
_NEW: Final = ".new"
_PROBE: Final = 1_000_000  # bytes: as much as the largest file that a feed has
_WAIT: Final = 0.02  # seconds between two looks at the lock
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


class Store:
    """A directory that a web server serves.

    A file is written under another name, forced to the disk, and renamed. A reader gets the old file or the new one,
    and so does this machine after a power failure. Files that the feed does not know are never touched. Each method
    raises a `ChannelError` if the folder cannot be read or written.

    Args:
        folder: The directory. It must exist: on a share that is not mounted nothing is written.
        wait: Seconds to wait for another process that is writing.
        clock: The time.
    """

    def __init__(self, folder: Path, *, wait: float, clock: Clock) -> None:
        self._folder = folder
        self._wait = wait
        self._clock = clock

    def files(self, folder: str) -> list[str]:
        """Return the paths of the files in a folder."""
        return [f"{folder}/{entry.name}" for entry in self._entries(folder) if not entry.is_dir()]

    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders in a folder."""
        return [entry.name for entry in self._entries(folder) if entry.is_dir()]

    def _entries(self, folder: str) -> list[Path]:
        with self._named():
            try:
                return sorted((self._folder / folder).iterdir())
            except FileNotFoundError:
                self._folder.stat()  # an empty feed has no such folder, and one that is not mounted has no feed
                return []

    def read(self, path: str) -> bytes | None:
        """Return a file, or `None` if there is none."""
        with self._named():
            try:
                return (self._folder / path).read_bytes()
            except FileNotFoundError:
                self._folder.stat()
                return None

    def create(self, path: str, content: bytes) -> None:
        """Write a file that does not exist yet.

        Raises:
            Unconfirmed: It may have been written.
        """
        try:
            self._write(path, content)
        except ChannelError as error:
            try:
                written = self.read(path) is not None
            except ChannelError:
                written = True  # perhaps
            if not written:
                raise
            raise Unconfirmed(error.reason, remedy=error.remedy, code=error.code) from None

    def replace(self, path: str, content: bytes) -> bool:
        """Write a file, unless it has this content already. Return whether it was written."""
        if self.read(path) == content:
            return False
        self._write(path, content)
        return True

    def remove(self, path: str) -> None:
        """Remove a file, if it exists."""
        with self._named():
            target = self._folder / path
            target.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                _force(target.parent)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep all other writers out, of every process. The system releases the lock of a process that was killed."""
        with self._named():
            lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            with self._named():
                self._acquire(lock)
                with suppress(FileNotFoundError):  # left by a process that was killed
                    for left in (self._folder / _NEW).iterdir():
                        left.unlink()
            yield
        finally:
            os.close(lock)

    def is_open_to_all(self) -> bool:
        """Return True if any user of this machine may write into the folder."""
        with self._named():
            return bool(self._folder.stat().st_mode & stat.S_IWOTH)

    def check(self) -> None:
        """Prove that files can be written. Nothing is published."""
        with self.exclusive(), self._named():
            probe = self._folder / _NEW / "probe"
            self._fill(probe, bytes(_PROBE))
            probe.unlink()

    def _acquire(self, lock: int) -> None:
        end = self._clock.monotonic() + self._wait
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._clock.monotonic() >= end:
                    raise Unavailable(Text("Another process has been writing the feed for too long.")) from None
                self._clock.sleep(_WAIT)
            else:
                return

    def _write(self, path: str, content: bytes) -> None:
        with self._named():
            target, new = self._folder / path, self._folder / _NEW / path.replace("/", "-")
            self._fill(new, content)
            self._make(target.parent)
            new.replace(target)
            _force(target.parent)

    def _fill(self, path: Path, content: bytes) -> None:
        self._make(path.parent)
        # A web server of another user reads it, whatever the umask.
        with path.open("wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def _make(self, folder: Path) -> None:
        """Make a folder in the feed's folder, which must exist."""
        if folder == self._folder or folder.is_dir():
            return
        self._make(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir()
            folder.chmod(0o755)
            _force(folder.parent)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn an error of the system into one that a person can act on."""
        try:
            yield
        except OSError as error:
            raise self._error(error) from None

    def _error(self, error: OSError) -> ChannelError:
        folder, code = self._folder, errno.errorcode.get(error.errno or 0, "")
        if error.errno in _FULL:
            return Unavailable(
                Text("The disk of the feed's folder {folder} is full.", folder=folder),
                remedy=Text("Free some space on it."),
                code=code,
            )
        if error.errno in _MISSING:
            return Unavailable(
                Text("The feed's folder {folder} does not exist.", folder=folder),
                remedy=Text("Mount it, or create it."),
                code=code,
            )
        reason = Text("The feed's folder {folder} cannot be read or written.", folder=folder)
        if error.errno in _DENIED:
            remedy = Text("Give this user the folder, or mount it for writing. Then: policenotify doctor")
            return Blocked(reason, remedy=remedy, code=code)
        return Unavailable(reason, code=code)


def _force(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
