"""The folder of a channel of files, in which every file is always whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from policenotify.errors import Blocked, ChannelError, Unavailable, Unconfirmed
from policenotify.transport import before_publishing

_NEW: Final = ".new"
_SUFFIXES: Final = ("json", "txt")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


class PostFolder:
    """A folder of posts.

    A file is written under another name, forced to the disk, and then linked or renamed. A link is made once only, so
    that of several processes that write the same post one does. A process that was killed leaves at most a file in the
    hidden folder `.new`.

    Args:
        folder: The directory. It must exist: on a share that is not mounted nothing is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, id_: str) -> str:
        """Return the address of a post's text."""
        return (self._folder / f"{id_}.txt").as_uri()

    def holds(self, id_: str) -> bool:
        """Return True if both files of the post are there. After a crash between them it is written again."""
        with self._named():
            try:
                for suffix in _SUFFIXES:
                    (self._folder / f"{id_}.{suffix}").stat()
            except FileNotFoundError:
                self._folder.stat()  # a folder that is not mounted proves nothing
                return False
            return True

    def add(self, id_: str, document: bytes, shown: bytes) -> None:
        """Write a post that is not there yet. The document makes it count."""
        target = self._folder / f"{id_}.json"
        with self._named(), self._filled(document) as new, self._filled(shown) as text:
            before_publishing()
            try:
                with suppress(FileExistsError):
                    os.link(new, target)
            except OSError:
                if target.exists():
                    raise _unconfirmed() from None
                raise
            try:
                text.replace(target.with_suffix(".txt"))
                _force(self._folder)
            except OSError:
                raise _unconfirmed() from None

    def change(self, id_: str, document: bytes, shown: bytes) -> None:
        """Write over a post."""
        target = self._folder / f"{id_}.json"
        with self._named(), self._filled(document) as new, self._filled(shown) as text:
            before_publishing()
            new.replace(target)
            try:
                text.replace(target.with_suffix(".txt"))
                _force(self._folder)
            except OSError:
                raise _unconfirmed() from None

    def replace(self, name: str, content: bytes) -> None:
        """Write a file beside the posts, such as `pictures/….png`."""
        target = self._folder / name
        with self._named(), self._filled(content) as new:
            target.parent.mkdir(exist_ok=True)
            new.replace(target)

    def remove(self, id_: str) -> None:
        """Remove a post, if it is there."""
        with self._named():
            self._folder.stat()
            before_publishing()
            for suffix in _SUFFIXES:
                (self._folder / f"{id_}.{suffix}").unlink(missing_ok=True)
            _force(self._folder)

    def check(self) -> None:
        """Prove that files can be written and linked."""
        with self._named(), self._filled(b"") as probe:
            link = probe.with_name(f"{probe.name}.link")
            os.link(probe, link)
            link.unlink()

    @contextmanager
    def _filled(self, content: bytes) -> Iterator[Path]:
        """Yield a file with a content, and remove it unless it was renamed."""
        folder = self._folder / _NEW
        with suppress(FileExistsError):
            folder.mkdir()
        new = folder / uuid4().hex
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            yield new
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn an error of the system into one that a person can act on. Nothing was published then."""
        try:
            yield
        except OSError as error:
            raise self._error(error) from None

    def _error(self, error: OSError) -> ChannelError:
        folder, code = self._folder, errno.errorcode.get(error.errno or 0, "")
        if error.errno in _FULL:
            return Unavailable(f"The disk of the folder {folder} is full.", remedy="Free some space on it.", code=code)
        if error.errno in _DENIED:
            remedy = "Give this user the folder, or mount it for writing. Then: policenotify doctor"
            return Blocked(f"The folder {folder} may not be written.", remedy=remedy, code=code)
        if error.errno in _MISSING:
            return Unavailable(f"The folder {folder} does not exist.", remedy="Mount it, or create it.", code=code)
        return Unavailable(f"The folder {folder} could not be written.", code=code)


def _unconfirmed() -> Unconfirmed:
    return Unconfirmed("The post was written, and the disk then reported an error.")


def _force(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
