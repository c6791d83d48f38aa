"""A list of addresses in a text file, changed one person at a time.

The file is replaced as a whole, so that a publication that reads it meanwhile gets the old list or the new one.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Final

from policenotify.errors import SettingsError
from policenotify.journal.permissions import read_closed
from policenotify.translation import Text

_COMMENT: Final = re.compile(r"(?:^|\s)#")
_NOT_AN_ADDRESS: Final = re.compile(r"[\x00-\x1f\x7f#\u2028\u2029]")
_SPACES: Final = re.compile(r"\s+")


def add_person(path: Path, address: str, *, source: str, at: date, same: Callable[[str], object]) -> bool:
    """Add an address to a list, with the proof of consent in the comment of its line.

    Args:
        path: The file.
        address: The address or number.
        source: Where the person asked for the messages: a form, a counter.
        at: When.
        same: Returns a value that is equal for two forms of one address.

    Returns:
        False if the list has the person already. It is then left as it is.

    Raises:
        SettingsError: The file cannot be read or written, others may read it, or this is not one address.
    """
    address = address.strip()
    if not address or _NOT_AN_ADDRESS.search(address):
        raise SettingsError(Text("This is not an address or a number. The list was left as it was."))
    with _edited(path) as lines:
        if any(same(known) == same(address) for known in map(_address, lines) if known):
            return False
        note = _SPACES.sub(" ", source.replace("#", " ")).strip()
        lines.append(f"{address}  # consent {at.isoformat()}: {note}")
    return True


def remove_person(path: Path, address: str, *, same: Callable[[str], object]) -> int:
    """Remove an address from a list, in all its forms. Return how many lines were removed.

    Raises:
        SettingsError: The file cannot be read or written, or others may read it.
    """
    with _edited(path) as lines:
        kept = [line for line in lines if not (known := _address(line)) or same(known) != same(address)]
        removed = len(lines) - len(kept)
        lines[:] = kept
    return removed


def _address(line: str) -> str:
    return _COMMENT.split(line)[0].strip()


@contextmanager
def _edited(path: Path) -> Iterator[list[str]]:
    """Hand over the lines of a file, and replace it if they have changed. One process at a time."""
    place = path.resolve()
    try:
        with _locked(place):
            try:
                lines = read_closed(place).decode("utf-8-sig").splitlines()
            except UnicodeDecodeError:
                raise SettingsError(Text("The file {path} is not UTF-8. It was left as it was.", path=path)) from None
            before = list(lines)
            yield lines
            if lines != before:
                _replace(place, "".join(f"{line}\n" for line in lines).encode())
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SettingsError(
            Text("The file {path} cannot be changed ({why}). It was left as it was.", path=path, why=why)
        ) from None


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Hold a lock on the folder of a file, which stays when the file is replaced."""
    if os.name != "posix":
        yield
        return
    import fcntl  # noqa: PLC0415 - POSIX only

    folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _replace(place: Path, content: bytes) -> None:
    status = place.stat()
    descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)  # for its owner only
    try:
        with os.fdopen(descriptor, "wb") as file:
            if os.name == "posix":
                with suppress(PermissionError):  # only root may set another owner, or a group that the user is not in
                    os.fchown(file.fileno(), status.st_uid, status.st_gid)
                os.fchmod(file.fileno(), status.st_mode & 0o777)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(place)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
