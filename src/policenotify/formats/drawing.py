"""Draw the files of a feed, in the order in which they are to be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from policenotify.formats import pages
from policenotify.formats.calendar import calendar
from policenotify.formats.cap.export import alert_files
from policenotify.formats.feed import FILES, Feed, Thread
from policenotify.formats.geojson import geojson
from policenotify.formats.roads import TRAFFIC_FORMATS
from policenotify.formats.syndication import atom, json_feed, rss
from policenotify.formats.traffic import cifs, datex

# A link is never written before the page that it leads to: pages, alerts, feeds, and the index at last.
_WRITERS: Final[Mapping[str, Callable[[Feed], Mapping[str, bytes]]]] = {
    "pages": lambda feed: _of_threads(feed, pages.thread_files),
    "cap": lambda feed: _of_threads(feed, alert_files),
    "atom": lambda feed: {FILES["atom"]: atom(feed)},
    "rss": lambda feed: {FILES["rss"]: rss(feed)},
    "json": lambda feed: {FILES["json"]: json_feed(feed)},
    "geojson": lambda feed: {FILES["geojson"]: geojson(feed)},
    "calendar": lambda feed: {FILES["calendar"]: calendar(feed)},
    "cifs": cifs,
    "datex": lambda feed: {FILES["datex"]: datex(feed)},
    "embed": lambda feed: {FILES["embed"]: pages.embed(feed)},
    "index": pages.index_files,
}

FORMATS: Final = tuple(_WRITERS)
"""All formats."""

ALWAYS: Final = frozenset({"pages", "index"})
"""Formats that every feed has, because its links lead to them."""

DEFAULT: Final = tuple(name for name in FORMATS if name not in TRAFFIC_FORMATS)
"""The formats of a feed that names none. Traffic partners take theirs by agreement."""


def draw(feed: Feed) -> dict[str, bytes]:
    """Return the files of a feed by their paths, in the order of writing. Its site names the formats."""
    formats = feed.site.formats | ALWAYS
    return {path: file for name in FORMATS if name in formats for path, file in _WRITERS[name](feed).items()}


def _of_threads(feed: Feed, write: Callable[[Feed, Thread], Mapping[str, bytes]]) -> dict[str, bytes]:
    return {path: file for thread in feed.threads for path, file in write(feed, thread).items()}
