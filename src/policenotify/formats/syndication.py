"""What readers subscribe to: Atom 1.0 (RFC 4287), RSS 2.0 (rssboard.org/rss-specification) and JSON Feed 1.1.

Atom and RSS name places by GeoRSS, and Atom threads by RFC 4685.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.etree.ElementTree import Element

from policenotify.formats.cap.export import alert_ids
from policenotify.formats.feed import Entry, Feed, alert_path
from policenotify.formats.item import Item
from policenotify.formats.xml_text import add, document, root, timestamp

_ATOM = "http://www.w3.org/2005/Atom"
_GEORSS = "http://www.georss.org/georss"  # OGC 17-002r1
_THREAD = "http://purl.org/syndication/thread/1.0"  # RFC 4685, section 3
_TTL = "1"  # minutes: the least there is
_JSON_FEED = "https://jsonfeed.org/version/1.1"


def atom(feed: Feed) -> bytes:
    """Return the feed as Atom."""
    site = feed.site
    spaces = {"xmlns": _ATOM, "xmlns:georss": _GEORSS, "xmlns:thr": _THREAD}
    top = root("feed", {**spaces, "xml:lang": site.language})
    add(top, "id", site.url)
    add(top, "title", feed.title)
    add(top, "updated", timestamp(feed.updated_at))
    add(add(top, "author"), "name", site.publisher)
    add(top, "link", rel="self", type="application/atom+xml", href=site.file_url("atom"))
    add(top, "link", rel="alternate", type="text/html", href=site.url)
    for hub in site.hubs:
        add(top, "link", rel="hub", href=hub)
    with_alerts = frozenset().union(*(alert_ids(site, thread) for thread in feed.current))
    urns = {item.id: item.urn for item in feed.items}
    for entry in feed.entries:
        item, into = entry.item, add(top, "entry", **{"xml:lang": entry.item.language})
        add(into, "id", item.urn)
        add(into, "title", entry.title)
        add(into, "published", timestamp(item.published_at))
        add(into, "updated", timestamp(entry.updated_at))
        if item.sender:
            add(add(into, "author"), "name", item.sender)
        # The first one is the permalink of SimplePie and of others.
        add(into, "link", rel="alternate", type="text/html", href=entry.url)
        if item.id in with_alerts:
            add(into, "link", rel="related", type="application/cap+xml", href=site.url + alert_path(item.id))
        add(into, "link", rel="related", type="text/html", href=site.incident_url(item.thread))
        if answered := urns.get(item.answers or ""):
            add(into, "thr:in-reply-to", ref=answered, href=site.message_url(item.answers or ""), type="text/html")
        add(into, "category", term=item.message.category)
        _add_point(into, item)
        add(into, "content", feed.content(entry), type="html")
    return document(top)


def rss(feed: Feed) -> bytes:
    """Return the feed as RSS, with its own address."""
    site = feed.site
    top = root("rss", {"version": "2.0", "xmlns:atom": _ATOM, "xmlns:georss": _GEORSS})
    channel = add(top, "channel")
    add(channel, "title", feed.title)
    add(channel, "link", site.url)
    add(channel, "description", site.publisher)
    add(channel, "language", site.language)
    add(channel, "lastBuildDate", _rfc5322(feed.updated_at))
    add(channel, "ttl", _TTL)
    add(channel, "atom:link", rel="self", type="application/rss+xml", href=site.file_url("rss"))
    for hub in site.hubs:
        add(channel, "atom:link", rel="hub", href=hub)
    for entry in feed.entries:
        item, into = entry.item, add(channel, "item")
        add(into, "title", entry.title)
        add(into, "link", entry.url)
        add(into, "guid", item.urn, isPermaLink="false")
        add(into, "pubDate", _rfc5322(item.published_at))
        add(into, "category", item.message.category)
        _add_point(into, item)
        add(into, "description", feed.content(entry))
    return document(top)


def _add_point(into: Element, item: Item) -> None:
    if item.message.location and (point := item.message.location.point):
        add(into, "georss:point", f"{point.latitude} {point.longitude}")


def _rfc5322(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def json_feed(feed: Feed) -> bytes:
    """Return the feed as JSON Feed."""
    site = feed.site
    document: dict[str, object] = {
        "version": _JSON_FEED,
        "title": feed.title,
        "home_page_url": site.url,
        "feed_url": site.file_url("json"),
        "language": site.language,
        "authors": [{"name": site.publisher}],
    }
    if site.hubs:
        document["hubs"] = [{"type": "WebSub", "url": hub} for hub in site.hubs]
    document["items"] = [_item(entry, feed) for entry in feed.entries]
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def _item(entry: Entry, feed: Feed) -> dict[str, object]:
    item = entry.item
    shown: dict[str, object] = {
        "id": item.urn,
        "url": entry.url,
        "title": entry.title,
        "content_html": feed.content(entry),
        "content_text": entry.plain_text or entry.title,
        "date_published": timestamp(item.published_at),
        "date_modified": timestamp(entry.updated_at),
        "language": item.language,
        "tags": [item.message.category],
    }
    if item.sender:
        shown["authors"] = [{"name": item.sender}]
    if item.pictures:
        shown["image"] = feed.site.picture_url(item.pictures[0])
    return shown
