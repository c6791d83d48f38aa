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
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policenotify.errors import SettingsError
from policenotify.translation import AnyText, Text

PRIVATE: Final = 0o037
"""Permissions that a file of secrets must not grant: writing to the group, and anything to others."""

SHARED: Final = 0o007
"""Permissions that the journal must not grant. A group may write to it together."""

READABLE: Final = 0o022
"""Permissions that a file without secrets must not grant: writing to anyone but its owner."""

SPOKEN: Final = 0o002
"""Permissions that a file of messages must not grant. A group may write it together, and anyone may read it."""

_WRITE = 0o022


@dataclass(frozen=True, slots=True)
class Exposure:
    """A file or folder that others may read or change.

    Attributes:
        path: The file or folder.
        problem: What is wrong with it.
        remedy: What to do, with the command.
    """

    path: Path
    problem: AnyText
    remedy: AnyText

    @property
    def text(self) -> Text:
        """What is wrong, and what to do, as one sentence."""
        return Text("{path} {problem}. {remedy}", path=self.path, problem=self.problem, remedy=self.remedy)

    def __str__(self) -> str:
        return str(self.text)


def exposures(path: Path, forbidden: int = PRIVATE, opened: os.stat_result | None = None) -> Iterator[Exposure]:
    """Yield what lets others read or change a file or folder, or the folders above it. A missing one has only those.

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
            raise SettingsError(Text.join(" ", (each.text for each in found)))
        return file.read()


def _of_one(path: Path, status: os.stat_result, forbidden: int) -> Iterator[Exposure]:
    mode, folder = stat.S_IMODE(status.st_mode), stat.S_ISDIR(status.st_mode)
    quoted = shlex.quote(str(path))
    if status.st_uid not in {0, os.geteuid()}:
        move = Text("move what is in it into a folder that only this user may change")
        take = move if folder else Text("take it over: chown {geteuid} {quoted}", geteuid=os.geteuid(), quoted=quoted)
        yield Exposure(
            path,
            Text("belongs to another user (uid {st_uid})", st_uid=status.st_uid),
            Text("Run as that user, or {take}", take=take),
        )
    granted = mode & forbidden & (_WRITE if folder else 0o777)
    if granted and mode & stat.S_ISVTX and folder:  # others need it as it is: /tmp
        move = Text("Move what is in it into a folder that only this user may change")
        yield Exposure(path, Text("is a folder for everyone (mode {mode})", mode=f"{mode:04o}"), move)
    elif granted:
        access = Text("may be changed by others") if folder else _access(granted)
        problem = Text("{access} (mode {mode})", access=access, mode=f"{mode:04o}")
        command = f"chmod {'go-w' if folder else '600'} {quoted}"
        yield Exposure(path, problem, Text("Close it: {command}", command=command))


def _access(granted: int) -> Text:
    writes, reads = granted & _WRITE, granted & 0o044
    if writes and reads:
        return Text("is open to others: they may read and change it")
    if writes:
        return Text("is open to others: they may change it")
    return Text("is open to others: they may read it") if reads else Text("is open to others: they may run it")
