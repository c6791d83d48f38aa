"""Serve a feed's folder (GET and HEAD, ETag and 304, health) and the links to leave."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from policenotify.errors import MissingExtra
from policenotify.translation import Text
from policenotify.web.people import PeopleService
from policenotify.web.people import routes as people_routes

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

CACHE: Final = "public, max-age=30"
"""Readers obey it: feed2exec polls no sooner than this."""

_POLICY: Final = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
_HEADERS: Final = {
    "Content-Security-Policy": f"{_POLICY}; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_FRAMED: Final = "embed.html"
_TAG: Final = re.compile(r'"[^"]*"')
_SETTLED: Final = 2.0  # seconds after which a file's time tells two versions apart (RFC 9110, section 8.8.2.2)

MEDIA_TYPES: Final = {
    "feed.json": "application/feed+json",
    "cap/": "application/cap+xml",
    ".atom": "application/atom+xml; charset=utf-8",
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

MOST_KEPT: Final = 64_000_000
"""Bytes of files that are kept in memory: the feeds and pages of a city, and some pictures."""

# The items, the archive, locks, files being written and all that begins with a dot stay out.
_PUBLIC: Final = re.compile(r"((?:m|i|cap|media)/)?[A-Za-z0-9][A-Za-z0-9_-]*(\.[a-z]+)")


def app(
    folder: str | os.PathLike[str] | None = None,
    *,
    people: PeopleService | None = None,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """Return an ASGI application that serves a feed's folder, the links by which people leave, or both.

    `/health` answers 200 with the time of the last change, or 503 if no feed is there.

    Args:
        folder: The folder of the feed. Its items, its archive and its hidden files are not served.
        people: The `people` of a publisher, for `/stop/TOKEN`. Without it the server knows files only.
        clock: The time in seconds since 1970.

    Raises:
        ValueError: There is nothing to serve.
        MissingExtra: Starlette is not installed.
    """
    if folder is None and people is None:
        raise ValueError("app: name a folder, or the people of a publisher")
    try:
        from starlette.applications import Starlette  # noqa: PLC0415 - an extra
        from starlette.exceptions import HTTPException  # noqa: PLC0415 - an extra
        from starlette.responses import JSONResponse, PlainTextResponse, Response  # noqa: PLC0415 - an extra
        from starlette.routing import Route  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise MissingExtra(Text("The feed's web server"), "web") from None
    files = FeedFolder(folder) if folder is not None else None

    async def serve(request: Request) -> Response:
        path = request.path_params["path"] or "index.html"
        # Read here: the files are small, in memory after the first time, and a thread costs more.
        file = None if files is None else files.find(path)
        if file is None:
            raise HTTPException(404)
        headers = _headers(path, file, now=clock())
        if _is_current(request, file, headers):
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.media_type, headers=headers)

    async def health(_: Request) -> Response:
        headers = {**_HEADERS, "Cache-Control": "no-store"}
        if files is None:
            return JSONResponse({"status": "ok"}, headers=headers)
        written_at = files.written_at()
        if written_at is None:
            return JSONResponse({"status": "gone"}, status_code=503, headers=headers)
        written = datetime.fromtimestamp(written_at, UTC).isoformat(timespec="seconds")
        return JSONResponse({"status": "ok", "written": written}, headers=headers)

    async def refuse(_: Request, error: Exception) -> Response:
        status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
        headers = {**_HEADERS, "Cache-Control": "no-store", **(headers or {})}
        return PlainTextResponse(f"{status}\n", status_code=status, headers=headers)

    routes = [
        Route("/health", health, methods=["GET"]),
        *(people_routes(people) if people is not None else ()),
        Route("/{path:path}", serve, methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: refuse, 500: refuse})


def _headers(path: str, file: ServedFile, *, now: float) -> dict[str, str]:
    headers = {**_HEADERS, "Cache-Control": CACHE, "ETag": file.etag}
    if path == _FRAMED:
        headers["Content-Security-Policy"] = f"{_POLICY}; frame-ancestors *"
    # Two versions may be of the same second, which would hide the later one.
    if now - file.modified_at >= _SETTLED:
        headers["Last-Modified"] = formatdate(file.modified_at, usegmt=True)
    if not file.media_type.startswith("text/html"):
        headers["Access-Control-Allow-Origin"] = "*"  # maps and calendars of other sites
    return headers


def _is_current(request: Request, file: ServedFile, headers: Mapping[str, str]) -> bool:
    """Return True if the reader has this version already (RFC 9110, sections 13.1.2, 13.1.3 and 13.2.2)."""
    tags = request.headers.getlist("if-none-match")
    if tags:
        return any(value.strip() == "*" or file.etag in _TAG.findall(value) for value in tags)
    since = request.headers.get("if-modified-since")
    if since is None or "Last-Modified" not in headers:
        return False
    try:
        return int(file.modified_at) <= parsedate_to_datetime(since).replace(tzinfo=UTC).timestamp()  # always GMT
    except (ValueError, OverflowError):
        return False


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file as it is sent.

    Attributes:
        content: Its bytes.
        etag: A strong validator: a digest of the bytes (RFC 9110, section 8.8.3).
        modified_at: Seconds since 1970.
        media_type: Its media type.
    """

    content: bytes
    etag: str
    modified_at: float
    media_type: str


class FeedFolder:
    """A feed's folder. A file is read again when its inode, time or size has changed.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._files: dict[str, tuple[tuple[int, int, int], ServedFile]] = {}
        self._kept = 0

    def find(self, path: str) -> ServedFile | None:
        """Return a public file."""
        public = _PUBLIC.fullmatch(path)
        media_type = public and (MEDIA_TYPES.get(path) or MEDIA_TYPES.get(public[1]) or MEDIA_TYPES.get(public[2]))
        return self._read(path, media_type) if media_type else None

    def written_at(self) -> float | None:
        """Return when a file was last written, in seconds since 1970. `None`: no feed is there."""
        try:
            with os.scandir(self._folder) as entries:
                names = {entry.name: entry.stat().st_mtime for entry in entries if entry.is_file()}
        except OSError:
            return None
        return max(time for name, time in names.items() if name[0] != ".") if "index.html" in names else None

    def _read(self, path: str, media_type: str) -> ServedFile | None:
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
        file = ServedFile(content, etag, found.st_mtime, media_type)
        self._kept += len(content)
        if self._kept > MOST_KEPT:
            self._files.clear()
            self._kept = len(content)
        self._files[path] = (key, file)
        return file
