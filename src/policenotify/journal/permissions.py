"""Who may read or change an installation's files, checked as OpenSSH checks its own (`secure_permissions`).

A file belongs to this user or to root. Others have no access to it, and may change none of its folders. A folder such
as `/tmp`, in which each user may change only his own files (sticky), is allowed above the file's folder.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from policenotify.errors import SettingsError
from policenotify.translation import Text

PRIVATE: Final = 0o037
"""Permissions that a file of secrets must not grant: writing to the group, and anything to others."""

SHARED: Final = 0o007
"""Permissions that the journal must not grant. A group may write to it together."""

READABLE: Final = 0o022
"""Permissions that a file without secrets must not grant: writing to anyone but its owner."""

SPOKEN: Final = 0o002
"""Permissions that a file of messages must not grant. A group may write it together, and anyone may read it."""

_WRITE = 0o022


def exposures(path: Path, forbidden: int = PRIVATE, opened: os.stat_result | None = None) -> Iterator[Text]:
    """Yield what lets others read or change a file or folder, or the folders above it, and how to end that.

    A missing file has only the folders.

    Args:
        path: The file or folder.
        forbidden: The permissions that it must not grant.
        opened: The status of the very file that is read.
    """
    if os.name != "posix":
        return
    with suppress(OSError, RuntimeError, ValueError):  # a wrong path is reported where it is opened
        place = path.resolve()
        folders = () if opened and not stat.S_ISREG(opened.st_mode) else place.parents  # a pipe has none
        for each in (place, *folders):
            try:
                status = opened if opened and each == place else each.stat()
            except FileNotFoundError:  # it will be made for its owner only
                continue
            if each in {place, place.parent} or not status.st_mode & stat.S_ISVTX:
                yield from _of_one(path if each == place else each, status, forbidden)


def read_closed(path: Path, forbidden: int = PRIVATE) -> bytes:
    """Read a file that others may not read or change.

    Raises:
        SettingsError: Others may. The text names the command that closes it.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        if found := [*exposures(path, forbidden, os.fstat(file.fileno()))]:
            raise SettingsError(Text.join(". ", found))
        return file.read()


def _of_one(path: Path, status: os.stat_result, forbidden: int) -> Iterator[Text]:
    mode, folder = stat.S_IMODE(status.st_mode), stat.S_ISDIR(status.st_mode)
    quoted, move = shlex.quote(str(path)), Text("move what is in it into a folder that only this user may change")
    if status.st_uid not in {0, os.geteuid()}:
        take = move if folder else Text("take it over: chown {geteuid} {quoted}", geteuid=os.geteuid(), quoted=quoted)
        yield Text(
            "{path} belongs to another user (uid {st_uid}). Run as that user, or {take}",
            path=path,
            st_uid=status.st_uid,
            take=take,
        )
    if mode & forbidden & (_WRITE if folder else 0o777):
        command = f"chmod {'go-w' if folder else '600'} {quoted}"
        close = Text("close it: {command}", command=command)
        yield Text(
            "{path} is open to others (mode {mode}); {close}",
            path=path,
            mode=f"{mode:04o}",
            close=move if folder and mode & stat.S_ISVTX else close,  # others need /tmp as it is
        )
