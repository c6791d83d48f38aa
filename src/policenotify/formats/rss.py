"""RSS 2.0 (rssboard.org/rss-specification), with the address of the feed itself and places."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from policenotify.formats.feed import Feed
from policenotify.formats.xml_text import add, document, root

_ATOM = "http://www.w3.org/2005/Atom"
_GEORSS = "http://www.georss.org/georss"  # OGC 17-002r1
_TTL = "1"  # minutes: the least there is


def rss(feed: Feed) -> bytes:
    """Return the feed as RSS."""
    site = feed.site
    top = root("rss", {"version": "2.0", "xmlns:atom": _ATOM, "xmlns:georss": _GEORSS})
    channel = add(top, "channel")
    add(channel, "title", feed.title)
    add(channel, "link", site.url)
    add(channel, "description", site.publisher)
    add(channel, "language", site.language)
    add(channel, "lastBuildDate", _date(feed.updated_at))
    add(channel, "ttl", _TTL)
    add(channel, "atom:link", rel="self", type="application/rss+xml", href=site.file_url("rss"))
    for hub in site.hubs:
        add(channel, "atom:link", rel="hub", href=hub)
    for entry in feed.entries:
        item, into = entry.item, add(channel, "item")
        add(into, "title", entry.title)
        add(into, "link", entry.url)
        add(into, "guid", item.urn, isPermaLink="false")
        add(into, "pubDate", _date(item.published_at))
        add(into, "category", item.message.category)
        location = item.message.location
        if location is not None and location.point is not None:
            add(into, "georss:point", f"{location.point.latitude} {location.point.longitude}")
        add(into, "description", feed.content(entry))
    return document(top)


def _date(moment: datetime) -> str:
    """Return a time as RFC 5322 has it."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)
