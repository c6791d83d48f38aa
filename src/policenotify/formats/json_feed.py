"""JSON Feed 1.1 (jsonfeed.org/version/1.1)."""

from __future__ import annotations

import json

from policenotify.formats.feed import Entry, Feed
from policenotify.formats.xml_text import timestamp

_VERSION = "https://jsonfeed.org/version/1.1"


def json_feed(feed: Feed) -> bytes:
    """Return the feed as JSON Feed."""
    site = feed.site
    document: dict[str, object] = {
        "version": _VERSION,
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
