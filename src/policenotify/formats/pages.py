"""The pages of messages and incidents, the index, and the page for frames, drawn by Jinja."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from policenotify.formats.cap.export import alert_ids
from policenotify.formats.feed import FILES, Entry, Feed, Thread, alert_path, picture_path
from policenotify.formats.xml_text import printable, timestamp
from policenotify.model.lifecycle import IncidentStatus
from policenotify.text.characters import one_line

MOST_EMBEDDED: Final = 10
"""Incidents of the page for frames."""

_SUMMARY: Final = 200  # characters of a description: about what search engines and networks show
_FEEDS: Final[Mapping[str, tuple[str, str]]] = {
    "atom": ("Atom", "application/atom+xml"),
    "rss": ("RSS", "application/rss+xml"),
    "json": ("JSON Feed", "application/feed+json"),
    "geojson": ("GeoJSON", "application/geo+json"),
    "calendar": ("iCalendar", "text/calendar"),
}
"""The name and the media type of each format that a page links to."""

_LANGUAGES: Final[Mapping[str, str]] = {
    "ar": "العربية", "br": "Brezhoneg", "ca": "Català", "co": "Corsu", "de": "Deutsch", "en": "English",
    "es": "Español", "eu": "Euskara", "fr": "Français", "it": "Italiano", "nl": "Nederlands", "oc": "Occitan",
    "pl": "Polski", "pt": "Português", "ro": "Română", "ru": "Русский", "tr": "Türkçe", "uk": "Українська",
    "zh": "中文",
}  # fmt: skip
"""Languages by their own names. Others are shown by their tags."""


def thread_files(feed: Feed, thread: Thread) -> Mapping[str, bytes]:
    """Return the pages of a thread: one for each message, and one for the incident."""
    entries = [feed.entry(thread, item) for item in thread.items]
    messages = {f"m/{entry.item.id}.html": _message_page(feed, thread, entry) for entry in entries}
    return {**messages, f"i/{thread.id}.html": _incident_page(feed, thread, entries)}


def index_files(feed: Feed) -> Mapping[str, bytes]:
    """Return the first page, and the style sheet of all pages."""
    newest = [(thread, feed.entry(thread, thread.newest), _past_end(feed, thread)) for thread in feed.open]
    index = _page("index", feed, feed.site.language, feed.title, root="", open=newest)
    return {"style.css": (files(__package__) / "style.css").read_bytes(), "index.html": index}


def embed(feed: Feed) -> bytes:
    """Return the page for frames: the open incidents, then those that ended. It reloads itself each minute."""
    ended = [thread for thread in feed.current if thread.final and thread.items[0].message.incident]
    threads = [
        (thread, feed.entry(thread, thread.newest), _state(thread), _past_end(feed, thread))
        for thread in (*feed.open, *ended)[:MOST_EMBEDDED]
    ]
    return _page("embed", feed, feed.site.language, feed.title, root="", threads=threads)


def _message_page(feed: Feed, thread: Thread, entry: Entry) -> bytes:
    site, item = feed.site, entry.item
    if item.withdrawn_at:
        return _withdrawn_page(feed, item.language, item.withdrawn_at, thread)
    return _page(
        "message",
        feed,
        item.language,
        entry.heading,
        thread=thread,
        entry=entry,
        by=thread.amendment(item),
        state=_state(thread),
        alert=site.url + alert_path(item.id) if item.id in alert_ids(site, thread) else "",
    )


def _incident_page(feed: Feed, thread: Thread, entries: Sequence[Entry]) -> bytes:
    shown = [entry for entry in entries if not entry.item.withdrawn_at]
    if not shown:
        return _withdrawn_page(feed, entries[-1].item.language, thread.changed_at)
    first, newest = shown[0], shown[-1]
    return _page(
        "incident",
        feed,
        first.item.language,
        first.heading,
        url=feed.site.incident_url(thread.id),
        entries=shown,
        newest=newest,
        note=first.note if thread.final else "",
        state=_state(thread),
    )


def _withdrawn_page(feed: Feed, language: str, at: datetime, thread: Thread | None = None) -> bytes:
    title = feed.site.locale(language).feed.withdrawn
    return _page("withdrawn", feed, language, title, at=at, thread=thread)


def _page(name: str, feed: Feed, language: str, title: str, *, root: str = "../", **values: object) -> bytes:
    site = feed.site
    feeds = [(*_FEEDS[key], FILES[key], site.file_url(key)) for key in _FEEDS if key in site.formats]
    common = {"site": site, "words": site.locale(language), "language": language, "feeds": feeds, "root": root}
    html = _TEMPLATES.get_template(f"{name}.html.j2").render(**common, feed=feed, title=title, **values)
    return printable(html).encode()


def _state(thread: Thread) -> str:
    """Return the class of an article about a thread."""
    return {IncidentStatus.OPEN: "open", IncidentStatus.STANDALONE: ""}.get(thread.status, "over")


def _past_end(feed: Feed, thread: Thread) -> str:
    """Return that an open thread is past its stated end, or an empty text."""
    is_past = thread.final is None and thread.period is not None and thread.period.is_past(feed.now)
    return feed.site.locale(thread.newest.language).feed.past_end if is_past else ""


def _summary(entry: Entry) -> str:
    text = one_line(entry.text) or entry.heading
    return text if len(text) <= _SUMMARY else f"{text[: _SUMMARY - 1].rstrip()}…"


_TEMPLATES: Final = Environment(
    loader=PackageLoader("policenotify.formats"), autoescape=True, undefined=StrictUndefined, auto_reload=False
)
_TEMPLATES.filters |= {
    "language_name": lambda tag: _LANGUAGES.get(tag.partition("-")[0], tag),
    "path": picture_path,
    "summary": _summary,
    "timestamp": timestamp,
}
