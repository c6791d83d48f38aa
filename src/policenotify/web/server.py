"""Serve a feed's folder (GET and HEAD, ETag and 304, health) and the links to leave."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from policenotify.web.people import PeopleService
from policenotify.web.people import routes as people_routes

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

# The items, the archive, locks, files being written and all that begins with a dot stay out.
_PUBLIC: Final = re.compile(r"((?:m|i|cap|media)/)?[A-Za-z0-9][A-Za-z0-9_-]*(\.[a-z]+)")
_POLICY: Final = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
_SETTLED: Final = 2.0  # seconds after which a file's time tells two versions apart (RFC 9110, section 8.8.2.2)


def media_type_of(path: str) -> str | None:
    """Return the media type of a public file. `None`: it is not served."""
    public = _PUBLIC.fullmatch(path)
    return public and (MEDIA_TYPES.get(path) or MEDIA_TYPES.get(public[1]) or MEDIA_TYPES.get(public[2]))


class FeedFiles(StaticFiles):
    """The public files of a feed's folder."""

    async def check_config(self) -> None:
        """Let a folder that is not there have no files."""

    def get_path(self, scope: Scope) -> str:
        """Return the path as it was asked for, so that one with `..` is not a public file."""
        return scope["path_params"]["path"] or "index.html"

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find a public file."""
        return super().lookup_path(path) if media_type_of(path) else ("", None)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return a file with its headers, or 304 to a reader that has it."""
        path = self.get_path(scope)
        framed = "*" if path == "embed.html" else "'none'"
        headers = {
            "Cache-Control": "public, max-age=30",  # readers obey it: feed2exec polls no sooner than this
            "Content-Security-Policy": f"{_POLICY}; frame-ancestors {framed}",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        if not path.endswith(".html"):
            headers["Access-Control-Allow-Origin"] = "*"  # maps and calendars of other sites
        response = FileResponse(
            full_path, status_code, headers, media_type=media_type_of(path), stat_result=stat_result
        )
        if time.time() - stat_result.st_mtime < _SETTLED:  # another version of the same second would be hidden
            del response.headers["last-modified"]
        has_it = self.is_not_modified(response.headers, Headers(scope=scope))
        return NotModifiedResponse(response.headers) if has_it else response


def app(folder: str | os.PathLike[str] | None = None, *, people: PeopleService | None = None) -> Starlette:
    """Return an ASGI application that serves a feed's folder, the links by which people leave, or both.

    `/health` answers 200, or 503 if no feed is there.

    Args:
        folder: The folder of the feed. Its items, its archive and its hidden files are not served.
        people: The `people` of a publisher, for `/stop/TOKEN`. Without it the server knows files only.

    Raises:
        ValueError: There is nothing to serve.
    """
    if folder is None and people is None:
        raise ValueError("app: name a folder, or the people of a publisher")

    def health(_: Request) -> Response:
        is_there = folder is None or Path(folder, "index.html").is_file()
        text, status = ("ok\n", 200) if is_there else ("gone\n", 503)
        return PlainTextResponse(text, status, {"Cache-Control": "no-store"})

    routes = [Route("/health", health, methods=["GET"]), *(people_routes(people) if people is not None else ())]
    if folder is not None:
        routes.append(Route("/{path:path}", FeedFiles(directory=folder, check_dir=False)))
    return Starlette(routes=routes)
