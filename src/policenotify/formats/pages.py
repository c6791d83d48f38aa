"""The pages of messages and incidents, and the index."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from policenotify.formats.feed import Feed, Thread


def thread_files(feed: Feed, thread: Thread) -> Mapping[str, bytes]:
    """Return the pages of a thread: one for each message, and one for the incident."""
    entries = [feed.entry(thread, item) for item in thread.items]
    files = {f"m/{entry.item.id}.html": _page(entry.title, entry.html) for entry in entries}
    whole = "".join(f"<h2>{escape(entry.title)}</h2>{entry.html}" for entry in entries)
    return {**files, f"i/{thread.id}.html": _page(entries[0].title, whole)}


def index_files(feed: Feed) -> Mapping[str, bytes]:
    """Return the first page."""
    links = "".join(f'<p><a href="{entry.url}">{escape(entry.title)}</a></p>' for entry in feed.entries)
    return {"index.html": _page(feed.title, links)}


def _page(title: str, body: str) -> bytes:
    title = escape(title)
    return f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>{body}\n".encode()
