"""The files of a feed that may be served, each with its ETag."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MEDIA_TYPES: Final = {
    "feed.json": "application/feed+json",
    ".atom": "application/atom+xml; charset=utf-8",
    ".cap.xml": "application/cap+xml",
    ".css": "text/css; charset=utf-8",
    ".geojson": "application/geo+json",
    ".html": "text/html; charset=utf-8",
    ".ics": "text/calendar; charset=utf-8",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".png": "image/png",
    ".rss": "application/rss+xml; charset=utf-8",
    ".xml": "application/xml",
}
"""The media type of each kind of file. Nothing else is served."""

ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""Precompressed files beside a file, the best first."""

MOST_KEPT: Final = 64_000_000
"""Bytes of files that are kept in memory: the feeds and pages of a city, and some pictures."""

# The items, the archive, locks, files being written and all that begins with a dot stay out.
_PUBLIC: Final = re.compile(r"(?:(?:m|i|media)/)?[A-Za-z0-9][A-Za-z0-9_-]*(\.cap\.xml|\.[a-z]+)")


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file as it is sent.

    Attributes:
        content: Its bytes, in its encoding.
        etag: A strong validator: a digest of the bytes (RFC 9110, section 8.8.3).
        modified_at: Seconds since 1970.
        media_type: The type without the encoding.
        encoding: `gzip`, `br` or empty.
    """

    content: bytes
    etag: str
    modified_at: float
    media_type: str
    encoding: str = ""


class FeedFolder:
    """A feed's folder. A file is read again when its inode, time or size has changed.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._files: dict[str, tuple[tuple[int, int, int], ServedFile]] = {}
        self._kept = 0

    def find(self, path: str, encodings: Collection[str] = ()) -> ServedFile | None:
        """Return a public file, in the best of the encodings that it has.

        A precompressed file that is older than the file itself is left out: its writer was interrupted.
        """
        public = _PUBLIC.fullmatch(path)
        media_type = public and (MEDIA_TYPES.get(path) or MEDIA_TYPES.get(public[1]))
        plain = self._read(path, media_type) if media_type else None
        if plain is None:
            return None
        for encoding, suffix in ENCODINGS.items():
            if encoding in encodings:
                file = self._read(f"{path}{suffix}", plain.media_type, encoding)
                if file and file.modified_at >= plain.modified_at:
                    return file
        return plain

    def written_at(self) -> float | None:
        """Return when a file was last written, in seconds since 1970. `None`: no feed is there."""
        try:
            with os.scandir(self._folder) as entries:
                names = {entry.name: entry.stat().st_mtime for entry in entries if entry.is_file()}
        except OSError:
            return None
        return max(time for name, time in names.items() if name[0] != ".") if "index.html" in names else None

    def _read(self, path: str, media_type: str, encoding: str = "") -> ServedFile | None:
        name = self._folder / path
        try:
            found = os.lstat(name)
            key = (found.st_ino, found.st_mtime_ns, found.st_size)
            known = self._files.get(path)
            if known and known[0] == key:
                return known[1]
            if not stat.S_ISREG(found.st_mode):
                return None
            content = name.read_bytes()
        except OSError:
            return None
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        file = ServedFile(content, etag, found.st_mtime, media_type, encoding)
        self._kept += len(content)
        if self._kept > MOST_KEPT:
            self._files.clear()
            self._kept = len(content)
        self._files[path] = (key, file)
        return file
