"""The pages of messages and incidents, the index, and the page for frames.

Every text is escaped unless it is markup already (`Html`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from html import escape
from importlib.resources import files
from typing import Final

from policenotify.formats.cap.export import alert_ids
from policenotify.formats.feed import FILES, Entry, Feed, Site, Thread, picture_path
from policenotify.formats.period import AFTER_END
from policenotify.formats.places import place_words
from policenotify.formats.words import Words, words_in
from policenotify.formats.xml_text import timestamp
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.location import Location
from policenotify.model.message import Translation
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

# Controls, halves of surrogate pairs and non-characters: HTML, section 13.2.3.5.
_NO_HTML: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
_VOID: Final = frozenset({"img", "link", "meta"})
_ENDS_SCRIPT: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class Html(str):
    """A piece of markup, which is not escaped again."""

    __slots__ = ()


_NOT_FOR_SEARCH: Final = Html('<meta name="robots" content="noindex">')


def thread_files(feed: Feed, thread: Thread) -> Mapping[str, bytes]:
    """Return the pages of a thread: one for each message, and one for the incident."""
    entries = [feed.entry(thread, item) for item in thread.items]
    messages = {f"m/{entry.item.id}.html": _message_page(feed, thread, entry) for entry in entries}
    return {**messages, f"i/{thread.id}.html": _incident_page(feed, thread, entries)}


def index_files(feed: Feed) -> Mapping[str, bytes]:
    """Return the first page, and the style sheet of all pages."""
    site, words = feed.site, feed.site.words
    newest = [feed.entry(thread, thread.newest) for thread in feed.open]
    incidents = [
        _tag(
            "article",
            _tag("h3", _tag("a", entry.heading, href=f"i/{thread.id}.html")),
            _published(entry, site),
            _text(entry),
            class_="open",
            lang=entry.item.language,
            dir="auto",
        )
        for thread, entry in zip(feed.open, newest, strict=True)
    ]
    content = _join(
        _tag("h1", site.title),
        _exercise(words) if feed.exercise else "",
        _tag("section", _tag("h2", words.open_incidents), *(incidents or [_tag("p", words.no_open_incident)])),
    )
    if feed.entries:
        lines = [_line(entry, site, f"m/{entry.item.id}.html") for entry in feed.entries]
        content = _join(content, _tag("section", _tag("h2", words.all_messages), _tag("ul", *lines)))
    head = _join(
        _NOT_FOR_SEARCH if feed.exercise else "",
        _alternates(site),
        *_open_graph(site, feed.title, url=site.url, kind="website", language=site.language),
    )
    return {"style.css": style_sheet(), "index.html": _page(feed, site.language, feed.title, head, content, root="")}


def embed(feed: Feed) -> bytes:
    """Return the page for frames: the open incidents, then those that ended. It reloads itself each minute."""
    site, words = feed.site, feed.site.words
    ended = [thread for thread in feed.current if thread.final and thread.items[0].message.incident]
    lines = [
        _line(
            feed.entry(thread, thread.newest),
            site,
            f"i/{thread.id}.html",
            class_=_state(thread),
            target="_blank",
        )
        for thread in (*feed.open, *ended)[:MOST_EMBEDDED]
    ]
    content = _join(
        _tag("h1", _tag("a", site.title, href="index.html", target="_blank", rel="noopener")),
        _exercise(words) if feed.exercise else "",
        "" if feed.open else _tag("p", words.no_open_incident),
        _tag("ul", *lines) if lines else "",
    )
    head = _join(_tag("meta", http_equiv="refresh", content="60"), _NOT_FOR_SEARCH)
    return _document(site.language, feed.title, head, _tag("main", content, class_="embed"), root="")


def style_sheet() -> bytes:
    """Return the style sheet of all pages."""
    return (files(__package__) / "style.css").read_bytes()


def _message_page(feed: Feed, thread: Thread, entry: Entry) -> bytes:
    site, item = feed.site, entry.item
    words = words_in(item.language)
    incident = _tag("p", _tag("a", words.incident, href=f"../i/{thread.id}.html"), class_="more")
    if item.withdrawn_at:
        return _withdrawn_page(feed, item.language, item.withdrawn_at, incident)
    others = [other for other in item.message.wordings if other.language != item.language]
    article = _tag(
        "article",
        _exercise(words) if item.message.exercise else "",
        _tag("h1", entry.heading, dir="auto"),
        _published(entry, site),
        _amendment(thread, entry),
        _languages(words, others),
        _text(entry),
        *_pictures(entry),
        *(_translation(other) for other in others),
        class_=_state(thread),
    )
    head = _join(
        _tag("link", rel="canonical", href=entry.url),
        *(
            _tag("link", rel="alternate", hreflang=other.language, href=f"{entry.url}#{other.language}")
            for other in others
        ),
        _tag("link", rel="alternate", type="application/cap+xml", href=site.alert_url(item.id))
        if item.id in alert_ids(site, thread)
        else "",
        _alternates(site),
        *_open_graph(site, entry.heading, url=entry.url, kind="article", language=item.language, entry=entry),
        _for_search(site, thread, entry),
    )
    return _page(feed, item.language, entry.heading, head, _join(article, incident), root="../")


def _incident_page(feed: Feed, thread: Thread, entries: Sequence[Entry]) -> bytes:
    site, shown = feed.site, [entry for entry in entries if not entry.item.withdrawn_at]
    if not shown:
        last = entries[-1].item
        return _withdrawn_page(
            feed, last.language, max(item.withdrawn_at or item.published_at for item in thread.items)
        )
    first, newest = shown[0], shown[-1]
    words = words_in(first.item.language)
    articles = [
        _tag(
            "article",
            _tag("h2", _tag("a", entry.heading, href=f"../m/{entry.item.id}.html")),
            _published(entry, site),
            _text(entry),
            *_pictures(entry),
            class_=_state(thread),
            lang=entry.item.language,
            dir="auto",
        )
        for entry in reversed(shown)
    ]
    state = first.note if thread.final else ""
    content = _join(
        _exercise(words) if newest.item.message.exercise else "",
        _tag("h1", first.heading, dir="auto"),
        _tag("p", state, class_="banner") if state else "",
        *articles,
    )
    url = site.incident_url(thread.id)
    head = _join(
        _tag("link", rel="canonical", href=url),
        _alternates(site),
        *_open_graph(site, first.heading, url=url, kind="article", language=first.item.language, entry=newest),
        _for_search(site, thread, newest),
    )
    return _page(feed, first.item.language, first.heading, head, content, root="../")


def _withdrawn_page(feed: Feed, language: str, at: datetime, more: str = "") -> bytes:
    """Return what stands at the address of something that was taken down."""
    words = words_in(language)
    content = _join(_tag("h1", words.withdrawn), _tag("p", _time(at, words, feed.site), class_="when"), more)
    return _page(feed, language, words.withdrawn, _NOT_FOR_SEARCH, content, root="../")


def _page(feed: Feed, language: str, title: str, head: Html, content: Html, *, root: str) -> bytes:
    site, words = feed.site, words_in(language)
    feeds = [
        _tag("li", _tag("a", name, href=f"{root}{FILES[key]}"))
        for key, (name, _) in _FEEDS.items()
        if key in site.formats
    ]
    body = _join(
        _tag("header", _tag("p", _tag("a", site.publisher, href=f"{root}index.html"))),
        _tag("main", content),
        _tag("footer", _tag("nav", _tag("ul", *feeds), aria_label=words.feeds)) if feeds else "",
    )
    name = title if title == feed.title else f"{title} · {site.publisher}"
    return _document(language, name, head, body, root=root)


def _document(language: str, title: str, head: Html, body: Html, *, root: str) -> bytes:
    """Return a whole page, without the characters that HTML may not hold."""
    start = f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
    viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    head = _join(_tag("title", title), _tag("link", rel="stylesheet", href=f"{root}style.css"), head)
    return _NO_HTML.sub("", f"{start}{viewport}{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n").encode()


def _line(entry: Entry, site: Site, href: str, *, class_: str = "", target: str = "") -> Html:
    link = _tag("a", entry.heading, href=href, target=target, rel="noopener" if target else "")
    return _tag("li", link, " ", _published(entry, site, "span"), lang=entry.item.language, dir="auto", class_=class_)


def _text(entry: Entry) -> Html:
    """Return the text without the note, which a page shows apart."""
    return _tag("div", Html(replace(entry, text=entry.item.text).html), class_="text", dir="auto")


def _pictures(entry: Entry) -> Iterator[Html]:
    for picture in entry.item.pictures:
        size = {"width": str(picture.width), "height": str(picture.height)}
        yield _tag("p", _tag("img", src=f"../{picture_path(picture)}", alt=picture.alt, **size), class_="picture")


def _published(entry: Entry, site: Site, name: str = "p") -> Html:
    words = words_in(entry.item.language)
    before, after = words.published.split("{time}")
    return _tag(name, before, _time(entry.item.published_at, words, site), after, class_="when")


def _state(thread: Thread) -> str:
    """Return the class of an article about a thread."""
    return {IncidentStatus.OPEN: "open", IncidentStatus.STANDALONE: ""}.get(thread.status, "over")


def _time(moment: datetime, words: Words, site: Site) -> Html:
    # In seconds: the validator of the W3C refuses microseconds.
    local = moment.astimezone(site.zone)
    return _tag("time", words.date(moment, site.zone), datetime=local.isoformat(timespec="seconds"))


def _exercise(words: Words) -> Html:
    return _tag("p", _tag("strong", words.exercise), " ", words.exercise_note, class_="banner exercise")


def _amendment(thread: Thread, entry: Entry) -> Html:
    """Return what became of an item, with a link to the item that amends it."""
    by = thread.amendment(entry.item)
    if by is None:
        return Html()
    return _tag("p", entry.note, " ", _tag("a", by.title, href=f"{by.id}.html"), class_="banner")


def _languages(words: Words, others: Sequence[Translation]) -> Html:
    if not others:
        return Html()
    tags = [other.language for other in others]
    links = [_tag("li", _tag("a", _name(each), href=f"#{each}", lang=each, hreflang=each)) for each in tags]
    return _tag("nav", _tag("ul", *links), aria_label=words.languages)


def _translation(words: Translation) -> Html:
    known = words.known and (words.known.confirmed, words.known.unconfirmed)
    paragraphs = [words.description, *(known or ()), words.instruction]
    return _tag(
        "section",
        _tag("h2", words.headline),
        *(_tag("p", line) for paragraph in paragraphs if paragraph for line in paragraph.splitlines() if line),
        id=words.language,
        lang=words.language,
        dir="auto",
    )


def _name(language: str) -> str:
    return _LANGUAGES.get(language.partition("-")[0], language)


def _alternates(site: Site) -> Html:
    return _join(
        *(
            _tag("link", rel="alternate", type=kind, title=name, href=site.file_url(key))
            for key, (name, kind) in _FEEDS.items()
            if key in site.formats
        )
    )


def _open_graph(
    site: Site, title: str, *, url: str, kind: str, language: str, entry: Entry | None = None
) -> Iterator[Html]:
    """Yield what networks show of a link (ogp.me)."""
    properties = {"og:type": kind, "og:title": title, "og:url": url, "og:site_name": site.publisher}
    properties["og:locale"] = language.replace("-", "_")
    if entry:
        text = one_line(entry.text) or title
        summary = text if len(text) <= _SUMMARY else f"{text[: _SUMMARY - 1].rstrip()}…"
        properties["og:description"] = summary
        properties["article:published_time"] = timestamp(entry.item.published_at)
        properties["article:modified_time"] = timestamp(entry.updated_at)
        yield _tag("meta", name="description", content=summary)
        for picture in entry.item.pictures[:1]:
            properties["og:image"] = site.picture_url(picture)
            properties["og:image:alt"] = picture.alt
    for name, content in properties.items():
        yield _tag("meta", property=name, content=content)


def _for_search(site: Site, thread: Thread, entry: Entry) -> Html:
    """Return what search engines read. They would show an exercise as if it took place."""
    exercise = entry.item.message.exercise
    return _NOT_FOR_SEARCH if exercise else _data_block(_announcement(site, thread, entry))


def _announcement(site: Site, thread: Thread, entry: Entry) -> dict[str, object]:
    """Return a message as search engines read it (schema.org/SpecialAnnouncement)."""
    item, message = entry.item, entry.item.message
    announcement: dict[str, object] = {
        "@context": "https://schema.org",
        "@type": "SpecialAnnouncement",
        "name": entry.heading,
        "text": entry.text or entry.heading,
        "datePosted": timestamp(item.published_at),
        "dateModified": timestamp(entry.updated_at),
        "category": message.category,
        "url": entry.url,
        "inLanguage": item.language,
        "publisher": {"@type": "GovernmentOrganization", "name": item.sender or site.publisher},
    }
    period = thread.period
    over = thread.final.published_at if thread.final else period and period.ends_at
    if over and thread.final is item:
        over += AFTER_END
    if over:
        announcement["expires"] = timestamp(over)
    if place := _place(message.location):
        announcement["spatialCoverage"] = place
    if item.pictures:
        announcement["image"] = [site.picture_url(picture) for picture in item.pictures]
    return announcement


def _place(location: Location | None) -> dict[str, object] | None:
    if location is None or not (words := place_words(location)):
        return None
    place: dict[str, object] = {"@type": "Place", "name": words}
    if point := location.point:
        place["geo"] = {"@type": "GeoCoordinates", "latitude": point.latitude, "longitude": point.longitude}
    return place


def _tag(name: str, /, *content: str, **attributes: str) -> Html:
    """Return an element without its empty attributes.

    `class_` and `http_equiv` stand for names that Python cannot write.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items() if value
    )
    return Html(f"<{name}{written}>" + ("" if name in _VOID else f"{_join(*content)}</{name}>"))


def _join(*content: str) -> Html:
    """Return texts and markup one after the other."""
    return Html("".join(piece if isinstance(piece, Html) else escape(piece) for piece in content))


def _data_block(value: Mapping[str, object]) -> Html:
    """Return JSON-LD, which no text in it can end."""
    text = json.dumps(value, ensure_ascii=False).translate(_ENDS_SCRIPT)
    return Html(f'<script type="application/ld+json">{text}</script>')
