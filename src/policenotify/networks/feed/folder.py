"""The items of a feed, and what is drawn from them.

```
items/<key>.json            items of current threads
archive/<thread>/<key>.json items of threads that have left the feeds, of which only the pages stay
media/ m/ i/ feed.atom …    drawn
.policenotify.json          whose feed it is
```
"""

from __future__ import annotations

import json
import re
from typing import Final

from pydantic import ValidationError

from policenotify.channel import Clock
from policenotify.errors import Blocked, Refused, UnsupportedVersion
from policenotify.formats.drawing import draw
from policenotify.formats.feed import Feed, Site, picture_path
from policenotify.formats.item import Item, ItemId
from policenotify.networks._http import parse_json
from policenotify.networks.feed.store import Store
from policenotify.translation import Text

_ITEMS: Final = "items"
_ARCHIVE: Final = "archive"
_OWNER: Final = ".policenotify.json"
_VERSION: Final = 1  # of that file
_ITEM: Final = re.compile(r".*/([0-9a-f]{64})\.json")


class Folder:
    """The items of one feed, in a folder that belongs to one account. The writing process holds `Store.exclusive`."""

    def __init__(self, store: Store, site: Site, *, account: str, clock: Clock) -> None:
        self._store = store
        self._site = site
        self._account = account
        self._clock = clock

    def check_owner(self, *, exercise: bool | None = None) -> None:
        """Check that the folder belongs to this feed, and is for such posts.

        Raises:
            Blocked: It holds another feed, or a newer policenotify wrote it.
            Refused: It is for exercises and the post is none, or the other way round.
        """
        content = self._store.read(_OWNER)
        if content is None:
            return
        owner = parse_json(content)
        owner = owner if isinstance(owner, dict) else {}
        if owner.get("schema_version", _VERSION) != _VERSION:
            raise _newer()
        if owner.get("account") != self._account:
            raise Blocked(
                Text(
                    "The feed's folder is not that of {account}, as its file {owner} shows.",
                    account=self._account,
                    owner=_OWNER,
                ),
                remedy=Text(
                    "Name another folder, correct the channel's url, or put the file back from a copy. Then: "
                    "policenotify doctor"
                ),
            )
        if exercise is not None and exercise is not owner.get("exercise"):
            raise Refused(
                Text("The feed's folder is for exercises alone, or for none."),
                remedy=Text("Give exercises a channel with a folder and an address of its own."),
            )

    def add(self, item: Item) -> None:
        """Write an item, unless it is there.

        Raises:
            Refused: A picture is missing.
            Unconfirmed: It may have been written.
        """
        if self.holds(item):
            return
        for picture in item.pictures:
            if self._store.read(picture_path(picture)) is None:
                raise Refused(
                    Text("A picture of the post is not in the feed's folder any more."),
                    remedy=Text("It will be prepared again."),
                    fallback="prepare",
                )
        owner = {"account": self._account, "exercise": item.message.exercise, "schema_version": _VERSION}
        content = json.dumps(owner, ensure_ascii=False, sort_keys=True, indent=1)
        self._store.replace(_OWNER, content.encode() + b"\n")
        self._store.create(_current(item), _bytes(item))

    def holds(self, item: Item) -> bool:
        """Return True if an item is there."""
        return any(self._store.read(path) is not None for path in (_current(item), _archived(item)))

    def withdraw(self, name: ItemId) -> bool:
        """Leave nothing of an item but that it was there. Return False if there is no such item."""
        items, _ = self._items(everything=True)
        found = next(((path, item) for path, item in items.items() if item.id == name), None)
        if found is None:
            return False
        path, item = found
        if item.withdrawn_at is None:
            # First, because nothing names them once the item has no pictures.
            shared = {picture.digest for each in items.values() if each.key != item.key for picture in each.pictures}
            for picture in item.pictures:
                if picture.digest not in shared:
                    self._store.remove(picture_path(picture))
            item = item.withdrawn(self._clock.now())
        # In the folder of current items, so that it is drawn again.
        self._store.replace(_current(item), _bytes(item))
        if path.startswith(_ARCHIVE):
            self._store.remove(path)
        return True

    def damaged(self, *, everything: bool = False) -> tuple[str, ...]:
        """Return the paths of items that cannot be read, with *everything* in the archive, too. No file shows them."""
        return self._items(everything=everything)[1]

    def draw(self, *, everything: bool = False) -> tuple[str, ...]:
        """Write the files that have changed, in the order of `draw`. Return their paths.

        With *everything* all threads are drawn, also those in the archive.
        """
        items, _ = self._items(everything=everything)
        feed = Feed(self._site, tuple(items.values()), self._clock.now())
        written = tuple(path for path, content in draw(feed).items() if self._store.replace(path, content))
        past = {thread.id for thread in feed.threads if thread.is_over(feed.now)}
        for path, item in items.items():
            if item.thread in past and not path.startswith(_ARCHIVE):
                self._store.replace(_archived(item), _bytes(item))
                self._store.remove(path)
        return written

    def _items(self, *, everything: bool = False) -> tuple[dict[str, Item], tuple[str, ...]]:
        """Return the items of current threads, or all of them, by their paths, and the paths that cannot be read."""
        current, damaged = self._in_folder(_ITEMS)
        threads = self._store.folders(_ARCHIVE) if everything else sorted({item.thread for item in current.values()})
        keys = {item.key for item in current.values()}
        for thread in threads:
            archived, unreadable = self._in_folder(f"{_ARCHIVE}/{thread}")
            # A process that was killed may have left an item in both places.
            current |= {path: item for path, item in archived.items() if item.key not in keys}
            damaged += unreadable
        return current, tuple(damaged)

    def _in_folder(self, folder: str) -> tuple[dict[str, Item], list[str]]:
        found: dict[str, Item] = {}
        damaged: list[str] = []
        for path in filter(_ITEM.fullmatch, self._store.files(folder)):
            try:
                found[path] = Item.read(self._store.read(path) or b"")
            except UnsupportedVersion:
                raise _newer() from None
            except ValidationError:
                damaged.append(path)
        return found, damaged


def _newer() -> Blocked:
    return Blocked(
        Text("A newer policenotify has written the feed's folder."),
        remedy=Text("Install that release here, too. Then: policenotify doctor"),
    )


def _current(item: Item) -> str:
    return f"{_ITEMS}/{item.key}.json"


def _archived(item: Item) -> str:
    return f"{_ARCHIVE}/{item.thread}/{item.key}.json"


def _bytes(item: Item) -> bytes:
    return item.model_dump_json().encode() + b"\n"
