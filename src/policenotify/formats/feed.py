"""A feed: its items in threads, and its entries as readers get them.

Feed readers show a new entry, and few of them show a changed one. So each stage is an entry of its own, *and* the
text of the entry that it ends, corrects or cancels is amended, for those who arrive late. No amendment changes a title:
sfeed lists an entry twice that comes with another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from html import escape
from typing import Final

from policenotify.formats.item import Item, ItemId
from policenotify.formats.period import Period
from policenotify.model.languages import best_match
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.locale import Locale
from policenotify.model.message import Translation
from policenotify.model.post import Picture

KEPT: Final = timedelta(hours=48)
"""How long a thread stays in the feeds after its end: CAP profiles ask for 24 to 48 hours (Google Public Alerts)."""

MOST_ENTRIES: Final = 100
"""Entries of one file."""

FILES: Final[Mapping[str, str]] = {
    "atom": "feed.atom",
    "rss": "feed.rss",
    "json": "feed.json",
    "geojson": "alerts.geojson",
    "calendar": "agenda.ics",
    "cifs": "cifs.xml",
    "cifs_json": "cifs.json",
    "datex": "datex.xml",
    "index": "index.html",
    "embed": "embed.html",
}
"""The file of each format that draws the whole feed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a feed is served, and by whom.

    Attributes:
        url: The address of its folder, with the slash at the end.
        publisher: The service's name.
        zone: The readers' time zone.
        locales: The fixed phrases of the installation, by BCP 47 tag. Never empty.
        hubs: WebSub hubs to notify of each change.
        formats: The formats that are drawn, for the links among them.
        cap_sender: The sender of CAP alerts. Without one there are none.
    """

    url: str
    title: str
    publisher: str
    language: str
    zone: tzinfo
    locales: Mapping[str, Locale]
    hubs: tuple[str, ...] = ()
    formats: frozenset[str] = frozenset()
    cap_sender: str = ""

    def locale(self, language: str) -> Locale:
        """Return the phrases of a language, else of the site's, else the first ones."""
        known = self.locales
        return best_match(language, known) or best_match(self.language, known) or next(iter(known.values()))

    def description(self, words: Translation) -> str:
        """Return the description, what is known and, marked as such, what is not yet. A line each, or empty."""
        lines = [words.description]
        if words.known:
            lines.append(words.known.confirmed or "")
        if words.known and words.known.unconfirmed:
            lines.append(self.locale(words.language).unconfirmed.format(text=words.known.unconfirmed))
        return "\n".join(filter(None, lines))

    def lines(self, words: Translation) -> tuple[str, ...]:
        """Return the text below the headline of a translation, line by line."""
        return tuple(filter(None, f"{self.description(words)}\n{words.instruction}".splitlines()))

    def message_url(self, item: str) -> str:
        """Return the page of an item."""
        return f"{self.url}m/{item}.html"

    def incident_url(self, thread: str) -> str:
        """Return the page of an incident."""
        return f"{self.url}i/{thread}.html"

    def picture_url(self, picture: Picture) -> str:
        """Return the address of a picture."""
        return self.url + picture_path(picture)

    def file_url(self, name: str) -> str:
        """Return the address of a format's file. See `FILES`."""
        return self.url + FILES[name]


def alert_path(item: ItemId) -> str:
    """Return the path of an item's CAP alert in the feed's folder."""
    return f"cap/{item}.xml"


def picture_path(picture: Picture) -> str:
    """Return the path of a picture in the feed's folder."""
    return f"media/{picture.digest}.{'jpg' if picture.media_type == 'image/jpeg' else 'png'}"


@dataclass(frozen=True)
class Thread:
    """The items of one incident, or of one standalone message and its corrections, in order.

    Attributes:
        items: Its items, oldest first, with the withdrawn ones. Never empty.
    """

    id: str
    items: tuple[Item, ...]

    @property
    def newest(self) -> Item:
        """Its last item that is not withdrawn, or its last."""
        return next((item for item in reversed(self.items) if not item.withdrawn_at), self.items[-1])

    @property
    def changed_at(self) -> datetime:
        """When its last item was published or withdrawn."""
        return max(item.withdrawn_at or item.published_at for item in self.items)

    @property
    def version(self) -> int:
        """A number that grows with each item, and with each one that is withdrawn."""
        return len(self.items) + sum(item.withdrawn_at is not None for item in self.items)

    @cached_property
    def final(self) -> Item | None:
        """The item that ended or cancelled it, unless a correction took that back.

        One that is withdrawn counts: its words are gone, and the end stays.
        """
        final = None
        for item in self.items:
            if item.stage in {Stage.END, Stage.CANCELLATION}:
                final = final or item
            elif item.message.lifecycle.reopens:
                final = None
        return final

    @property
    def status(self) -> IncidentStatus:
        """Its status, as far as its items show it."""
        if self.final is not None:
            cancelled = self.final.stage is Stage.CANCELLATION
            return IncidentStatus.CANCELLED if cancelled else IncidentStatus.ENDED
        standalone = self.items[0].message.incident is None
        return IncidentStatus.STANDALONE if standalone else IncidentStatus.OPEN

    @cached_property
    def period(self) -> Period | None:
        """When it holds, as last published."""
        return Period.of(self.items, self.final)

    def amendment(self, item: Item) -> Item | None:
        """Return the later item by which readers must see this one: what ended it, cancelled it or corrected it."""
        position = self.items.index(item)
        later = self.items[position + 1 :]
        if self.final in later and item.stage not in {Stage.END, Stage.CANCELLATION}:
            return self.final
        told = (each for each in reversed(later) if not each.withdrawn_at)
        corrections = (each for each in told if each.stage is Stage.CORRECTION and each.answers == item.id)
        return next(corrections, None)

    def is_over(self, now: datetime) -> bool:
        """Return True if it has left the feeds: 48 hours after its end, or else after its stated end.

        A standalone message without one leaves 48 hours after its beginning. An open incident without one stays.
        """
        last = self.changed_at
        if self.final is None and self.period is not None:
            if self.status is IncidentStatus.OPEN and self.period.ends_at is None:
                return False
            last = max(last, self.period.ends_at or self.period.starts_at)
        return now >= last + KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An item as readers see it now.

    Attributes:
        item: The item. A withdrawn one has no words.
        site: Where its feed is served.
        title: Its title. Only that of a withdrawn item differs from the item's own.
        mark: What became of it: `TERMINÉ`. Empty for an item that nothing amends.
        note: The same as a sentence: `Terminé à 18h55.`
        updated_at: When it was published or last amended.
    """

    item: Item
    site: Site
    title: str
    mark: str
    note: str
    updated_at: datetime

    @property
    def url(self) -> str:
        """The address of its page."""
        return self.site.message_url(self.item.id)

    @property
    def heading(self) -> str:
        """Its title with what became of it, for pages and calendars, where titles may change."""
        return f"{self.mark} – {self.title}" if self.mark else self.title

    @property
    def translations(self) -> tuple[Translation, ...]:
        """Its words in the other languages of its message."""
        return tuple(words for words in self.item.message.wordings if words.language != self.item.language)

    @property
    def text(self) -> str:
        """Its text, which begins with what became of it."""
        return "\n\n".join(filter(None, (self.note, self.item.text)))

    @property
    def plain_text(self) -> str:
        """Its text, then its words in the other languages."""
        others = ("\n".join((words.headline, *self.site.lines(words))) for words in self.translations)
        return "\n\n".join(filter(None, (self.text, *others)))

    def translation_html(self, words: Translation) -> str:
        """Return one of its translations as HTML."""
        lines = "".join(f"<p>{escape(line)}</p>" for line in self.site.lines(words))
        return f'<div lang="{escape(words.language)}" dir="auto"><h2>{escape(words.headline)}</h2>{lines}</div>'

    @property
    def body(self) -> str:
        """The item's own text in HTML: in paragraphs, with its links."""
        parts, end = [], 0
        for span in self.item.spans:
            if span.kind == "url":
                parts.append(escape(self.item.text[end : span.start]))
                words = escape(self.item.text[span.start : span.end])
                parts.append(f'<a href="{escape(span.value)}">{words}</a>')
                end = span.end
        paragraphs = "".join((*parts, escape(self.item.text[end:]))).split("\n\n")
        return "".join(f"<p>{paragraph.replace(chr(10), '<br>')}</p>" for paragraph in paragraphs if paragraph)


@dataclass(frozen=True)
class Feed:
    """All that the formats are drawn from.

    Attributes:
        items: All items, in any order: one for each message.
        now: The time of drawing.
    """

    site: Site
    items: tuple[Item, ...]
    now: datetime

    @cached_property
    def threads(self) -> tuple[Thread, ...]:
        """All threads, the one with the newest item first."""
        by_id: dict[str, list[Item]] = {}
        for item in self.items:
            by_id.setdefault(item.thread, []).append(item)
        threads = (Thread(id=name, items=_in_order(items)) for name, items in by_id.items())
        return tuple(sorted(threads, key=lambda thread: (thread.items[-1].published_at, thread.id), reverse=True))

    @cached_property
    def current(self) -> tuple[Thread, ...]:
        """The threads that have not left the feeds."""
        return tuple(thread for thread in self.threads if not thread.is_over(self.now))

    @property
    def open(self) -> tuple[Thread, ...]:
        """The threads of open incidents, without those that are withdrawn whole.

        One whose stated end has passed is marked, because no message has ended it, until it leaves the feeds.
        """
        return tuple(thread for thread in self.current if thread.status is IncidentStatus.OPEN and thread.period)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The entries of the current threads, the last updated first, at most 100.

        A withdrawn item stays for 48 hours without its words, because readers replace what they have stored.
        """
        entries = [
            self.entry(thread, item)
            for thread in self.current
            for item in thread.items
            if not item.withdrawn_at or self.now < item.withdrawn_at + KEPT
        ]
        entries.sort(key=lambda entry: (entry.updated_at, entry.item.key), reverse=True)
        return tuple(entries[:MOST_ENTRIES])

    def content(self, entry: Entry) -> str:
        """Return the text of an entry as HTML, with its other languages and its pictures."""
        others = map(entry.translation_html, entry.translations)
        note = f"<p>{escape(entry.note)}</p>" if entry.note else ""
        return "".join((note, entry.body, *others, *map(self._image, entry.item.pictures))) or escape(entry.title)

    @property
    def exercise(self) -> bool:
        """Whether it holds exercises. A feed never holds both."""
        return any(item.message.exercise for item in self.items)

    @property
    def title(self) -> str:
        """Its title, marked if it is a feed of exercises."""
        mark = self.site.locale(self.site.language).exercise
        return f"[{mark}] {self.site.title}" if self.exercise else self.site.title

    @property
    def updated_at(self) -> datetime:
        """When anything in it last changed: of an empty feed, the day of drawing."""
        today = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return max((entry.updated_at for entry in self.entries), default=today)

    def _image(self, picture: Picture) -> str:
        alt, size = escape(picture.alt), f'width="{picture.width}" height="{picture.height}"'
        return f'<p><img src="{escape(self.site.picture_url(picture))}" alt="{alt}" {size}></p>'

    def entry(self, thread: Thread, item: Item) -> Entry:
        """Return an item as readers see it now."""
        locale, by = self.site.locale(item.language), thread.amendment(item)
        title, mark, note, updated = item.title, "", "", item.published_at
        if item.withdrawn_at:
            title, updated = locale.feed.withdrawn, item.withdrawn_at
        elif by is not None:
            mark, phrase = getattr(locale.feed, by.stage), getattr(locale.feed, f"{by.stage}_at")
            ended = by.message.starts_at if by.stage is Stage.END and by.message.starts_at else by.published_at
            note = locale.fill(phrase, ended, item.published_at, self.site.zone)
            # Later than what amends it, and than the items before it in the thread.
            later = timedelta(microseconds=1 + len(thread.items) - thread.items.index(item))
            updated = max(by.published_at, item.published_at) + later
        return Entry(
            item=item,
            site=self.site,
            title=title,
            mark=mark,
            note=note,
            updated_at=updated,
        )


def _in_order(items: Sequence[Item]) -> tuple[Item, ...]:
    """Return the items of a thread by time, but none before one that it answers: a clock may be set back."""
    by_id = {item.id: item for item in items}

    def place(item: Item) -> tuple[datetime, int, str]:
        chain = {item.id: item}
        while (before := by_id.get(item.answers or "")) and before.id not in chain:
            chain[before.id] = item = before
        return max(each.published_at for each in chain.values()), len(chain), next(iter(chain.values())).key

    return tuple(sorted(items, key=place))
