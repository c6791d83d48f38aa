"""Atom 1.0 (RFC 4287), with threads (RFC 4685) and places (GeoRSS)."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from policenotify.formats.cap.export import alert_ids
from policenotify.formats.feed import Entry, Feed
from policenotify.formats.xml_text import add, document, root, timestamp

_ATOM = "http://www.w3.org/2005/Atom"
_GEORSS = "http://www.georss.org/georss"  # OGC 17-002r1
_THREAD = "http://purl.org/syndication/thread/1.0"  # RFC 4685, section 3


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
        into = add(top, "entry", **{"xml:lang": entry.item.language})
        _entry(into, entry, feed, urns, has_alert=entry.item.id in with_alerts)
    return document(top)


def _entry(into: Element, entry: Entry, feed: Feed, urns: Mapping[str, str], *, has_alert: bool) -> None:
    item, site = entry.item, feed.site
    add(into, "id", item.urn)
    add(into, "title", entry.title)
    add(into, "published", timestamp(item.published_at))
    add(into, "updated", timestamp(entry.updated_at))
    if item.sender:
        add(add(into, "author"), "name", item.sender)
    # The first one is the permalink of SimplePie and of others.
    add(into, "link", rel="alternate", type="text/html", href=entry.url)
    if has_alert:
        add(into, "link", rel="related", type="application/cap+xml", href=site.alert_url(item.id))
    add(into, "link", rel="related", type="text/html", href=site.incident_url(item.thread))
    if answered := urns.get(item.answers or ""):
        add(into, "thr:in-reply-to", ref=answered, href=site.message_url(item.answers or ""), type="text/html")
    add(into, "category", term=item.message.category)
    location = item.message.location
    if location is not None and location.point is not None:
        add(into, "georss:point", f"{location.point.latitude} {location.point.longitude}")
    add(into, "content", feed.content(entry), type="html")
