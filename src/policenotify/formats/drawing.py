"""Draw the files of a feed, in the order in which they are to be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from policenotify.formats import pages
from policenotify.formats.atom import atom
from policenotify.formats.calendar import calendar
from policenotify.formats.cap.export import alert_files
from policenotify.formats.cifs import cifs
from policenotify.formats.datex import datex
from policenotify.formats.feed import FILES, Feed, Thread
from policenotify.formats.geojson import geojson
from policenotify.formats.json_feed import json_feed
from policenotify.formats.roads import TRAFFIC_FORMATS
from policenotify.formats.rss import rss

OfThread: TypeAlias = Callable[[Feed, Thread], Mapping[str, bytes]]
"""Returns the files of one thread, which depend on nothing else, by their paths."""

OfFeed: TypeAlias = Callable[[Feed], Mapping[str, bytes]]
"""Returns the files of the whole feed by their paths."""


def _one(name: str, write: Callable[[Feed], bytes]) -> OfFeed:
    return lambda feed: {FILES[name]: write(feed)}


# A link is never written before the page that it leads to: pages, alerts, feeds, and the index at last.
_OF_THREADS: Final[Mapping[str, OfThread]] = {
    "pages": pages.thread_files,
    "cap": alert_files,
}
_OF_FEEDS: Final[Mapping[str, OfFeed]] = {
    "atom": _one("atom", atom),
    "rss": _one("rss", rss),
    "json": _one("json", json_feed),
    "geojson": _one("geojson", geojson),
    "calendar": _one("calendar", calendar),
    "cifs": cifs,
    "datex": _one("datex", datex),
    "embed": _one("embed", pages.embed),
    "index": pages.index_files,
}

FORMATS: Final = (*_OF_THREADS, *_OF_FEEDS)
"""All formats."""

ALWAYS: Final = frozenset({"pages", "index"})
"""Formats that every feed has, because its links lead to them."""

DEFAULT: Final = tuple(name for name in FORMATS if name not in TRAFFIC_FORMATS)
"""The formats of a feed that names none. Traffic partners take theirs by agreement."""


def draw(feed: Feed) -> dict[str, bytes]:
    """Return the files of a feed by their paths, in the order of writing. Its site names the formats."""
    formats = feed.site.formats | ALWAYS
    files: dict[str, bytes] = {}
    for name, of_thread in _OF_THREADS.items():
        for thread in feed.threads if name in formats else ():
            files.update(of_thread(feed, thread))
    for name, of_feed in _OF_FEEDS.items():
        if name in formats:
            files.update(of_feed(feed))
    return files
