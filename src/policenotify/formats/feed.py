"""A feed: its items in threads, and its entries as readers get them.

Feed readers show a new entry, and few of them show a changed one. So each stage is an entry of its own, *and* the
entry that it ends, corrects or cancels is amended, for those who arrive late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from typing import Final

from policenotify.formats.item import Item
from policenotify.formats.words import Words, words_in
from policenotify.model.lifecycle import IncidentStatus, Stage

KEPT: Final = timedelta(hours=48)
"""How long a thread stays in the feeds after its end: CAP profiles ask for 24 to 48 hours (Google Public Alerts)."""

MOST_ENTRIES: Final = 100
"""Entries of one file: 135 KiB, against the 900 KB that Google accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a feed is served, and by whom.

    Attributes:
        url: The address of its folder, with the slash at the end.
        title: Its title.
        publisher: The service's name.
        language: BCP 47.
        zone: The readers' time zone.
        hubs: WebSub hubs that are told of each change.
    """

    url: str
    title: str
    publisher: str
    language: str
    zone: tzinfo
    hubs: tuple[str, ...] = ()

    @property
    def words(self) -> Words:
        """The words of its language."""
        return words_in(self.language)

    def message_url(self, item: str) -> str:
        """Return the page of an item."""
        return f"{self.url}m/{item}.html"

    def incident_url(self, thread: str) -> str:
        """Return the page of an incident."""
        return f"{self.url}i/{thread}.html"


@dataclass(frozen=True)
class Thread:
    """The items of one incident, or of one standalone message and its corrections, in order.

    Attributes:
        id: The thread's id.
        items: Its items, oldest first, with the withdrawn ones. Never empty.
    """

    id: str
    items: tuple[Item, ...]

    @property
    def newest(self) -> Item:
        """Its last item that is not withdrawn, or its last."""
        return next((item for item in reversed(self.items) if not item.withdrawn_at), self.items[-1])

    @cached_property
    def final(self) -> Item | None:
        """The item that ended or cancelled it."""
        stages = {Stage.END, Stage.CANCELLATION}
        return next((item for item in self.items if item.stage in stages and not item.withdrawn_at), None)

    @property
    def status(self) -> IncidentStatus:
        """Its status, as far as its items show it."""
        if self.final is not None:
            cancelled = self.final.stage is Stage.CANCELLATION
            return IncidentStatus.CANCELLED if cancelled else IncidentStatus.ENDED
        standalone = self.items[0].message.incident is None
        return IncidentStatus.STANDALONE if standalone else IncidentStatus.OPEN

    def amendment(self, item: Item) -> Item | None:
        """Return the later item by which readers must see this one: what ended it, cancelled it or corrected it."""
        position = self.items.index(item)
        later = [each for each in self.items[position + 1 :] if not each.withdrawn_at]
        if self.final in later and item.stage not in {Stage.END, Stage.CANCELLATION}:
            return self.final
        corrections = (each for each in reversed(later) if each.stage is Stage.CORRECTION and each.answers == item.id)
        return next(corrections, None)

    def is_over(self, now: datetime) -> bool:
        """Return True if it has left the feeds: 48 hours after its end, or after a standalone message's validity."""
        last = max(item.withdrawn_at or item.published_at for item in self.items)
        if self.status is IncidentStatus.OPEN:
            return all(item.withdrawn_at for item in self.items) and now >= last + KEPT
        if self.status is IncidentStatus.STANDALONE:
            expires = max((item.message.expires_at for item in self.items if item.message.expires_at), default=last)
            return now >= max(last, expires) + KEPT
        return now >= last + KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An item as readers see it now.

    Attributes:
        item: The item.
        url: Its page.
        title: Its title, with what became of it: `[TERMINÉ] …`.
        text: Its text, which begins with what became of it: `Terminé à 18h55.`
        note: That first sentence alone. Empty for an item that nothing amends.
        updated_at: When it was published or last amended. No two entries of a feed share it.
    """

    item: Item
    url: str
    title: str
    text: str
    note: str
    updated_at: datetime


@dataclass(frozen=True)
class Feed:
    """All that the formats are drawn from.

    Attributes:
        site: Where it is served.
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
        for item in sorted(self.items, key=lambda item: (item.published_at, item.key)):
            by_id.setdefault(item.thread, []).append(item)
        threads = (Thread(id=name, items=tuple(items)) for name, items in by_id.items())
        return tuple(sorted(threads, key=lambda thread: (thread.items[-1].published_at, thread.id), reverse=True))

    @cached_property
    def current(self) -> tuple[Thread, ...]:
        """The threads that have not left the feeds."""
        return tuple(thread for thread in self.threads if not thread.is_over(self.now))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The entries of the current threads, the last updated first, at most 100. Withdrawn items have none."""
        items = [(thread, item) for thread in self.current for item in thread.items if not item.withdrawn_at]
        entries = [self.entry(thread, item) for thread, item in items]
        entries.sort(key=lambda entry: (entry.updated_at, entry.item.key))
        return tuple(reversed(list(_distinct(entries))))[:MOST_ENTRIES]

    def entry(self, thread: Thread, item: Item) -> Entry:
        """Return an item as readers see it now."""
        words, by = words_in(item.language), thread.amendment(item)
        title, note, updated = item.title, "", item.published_at
        if by is not None:
            mark, phrase = {
                Stage.END: (words.ended, words.ended_at),
                Stage.CANCELLATION: (words.cancelled, words.cancelled_at),
            }.get(by.stage, (words.corrected, words.corrected_at))
            ended = by.message.starts_at if by.stage is Stage.END and by.message.starts_at else by.published_at
            note = phrase.format(time=words.time(ended, self.site.zone, seen_from=item.published_at))
            title = f"[{mark}] {title}"
            # Later than what amends it, and than the items before it in the thread.
            updated = by.published_at + timedelta(microseconds=1 + len(thread.items) - thread.items.index(item))
        return Entry(
            item=item,
            url=self.site.message_url(item.id),
            title=title,
            text="\n\n".join(filter(None, (note, item.text))),
            note=note,
            updated_at=updated,
        )


def _distinct(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield the entries with strictly growing times: a validator takes two equal ones for an error."""
    before: datetime | None = None
    for entry in entries:
        at = entry.updated_at if before is None or entry.updated_at > before else before + timedelta(microseconds=1)
        before = at
        yield replace(entry, updated_at=at)
