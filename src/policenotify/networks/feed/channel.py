"""A feed: one item for each post in a store, and files for readers that are drawn from the items."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, ClassVar, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from policenotify.channel import Account, Capabilities, Post, PostRef, Request, Services
from policenotify.errors import (
    Blocked,
    ChannelError,
    JournalError,
    MissingExtra,
    Refused,
    SettingsError,
    Unavailable,
    Unconfirmed,
    UnsupportedVersion,
)
from policenotify.formats.drawing import DEFAULT, FORMATS
from policenotify.formats.feed import FILES, Site, picture_path
from policenotify.formats.item import Item
from policenotify.formats.roads import TRAFFIC_FORMATS
from policenotify.model.channel_settings import Zone
from policenotify.model.languages import best_match
from policenotify.networks._http import open_session
from policenotify.networks.feed.folder import Folder
from policenotify.networks.feed.store import Store
from policenotify.networks.options import CallSeconds, ChannelOptions, PublicUrl
from policenotify.text import Budget
from policenotify.translation import AnyText, Text
from policenotify.validation import did_you_mean

_PUT_BACK: Final = Text("Put it back from a copy. Then: policenotify feed rebuild")
_TOPICS: Final = ("atom", "rss", "json")  # the files that name the hubs
_HUB_SECONDS: Final = 2.0  # to connect, and again to answer: the post is out already, and its receipt waits
_ID: Final = re.compile(r"[0-9a-f]{16}")
_log = logging.getLogger("policenotify")
_LANGUAGE: Final = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$"


class PublicFeed:
    """A feed of files that any web server can serve.

    One JSON file in `items/` is one post, and all other files are drawn from the items: Atom, RSS, JSON Feed, a page
    for each message and incident. `policenotify feed rebuild` draws them again.

    Each stage is an entry of its own, and the opening is amended, too: few readers show a changed entry. Entries leave
    48 hours after the end. Their pages stay for ever. A deleted post becomes an entry without words.

    Raises:
        MissingExtra: It has hubs, and the extra `webhook` is not installed.
        SettingsError: The installation has no phrases for its language.
    """

    default_capabilities: ClassVar[Capabilities] = Capabilities(
        budget=Budget(25_000),  # headline, description and instruction of a message at their longest, and the place
        title=True,
        replies=True,
        images=10,  # all that a message may have
        idempotency_window=timedelta(days=36_500),  # an item is never written twice
        lookup_delay=timedelta(0),  # a file is read as it was written
        deletes=True,
        structured=True,
        hashtags=False,
    )

    class Options(ChannelOptions):
        """A site."""

        url: PublicUrl
        """The public address of the folder, such as `https://alertes.police.example/`."""
        publisher: str
        """The service's name, such as `Police nationale de l'Hérault`."""
        folder: Path
        """The directory that the web server serves, such as `/srv/alertes`. It must exist."""
        title: str = ""
        """The feed's title. By default the publisher."""
        formats: tuple[str, ...] = DEFAULT
        """The files that are drawn. Traffic partners take `cifs` and `datex` by agreement only."""
        language: Annotated[str, Field(pattern=_LANGUAGE)] = "fr"
        """The language of its title and first page, BCP 47. Each entry is in its own."""
        zone: Zone = ZoneInfo("Europe/Paris")
        """The readers' time zone."""
        hubs: tuple[PublicUrl, ...] = ()
        """WebSub hubs to notify of each change. They need the extra `webhook`."""
        cap_sender: Annotated[str, Field(pattern=r"^[^\s,&<]*$")] = ""
        """The sender of CAP alerts, such as `alerte@police34.example`. Without one there are none."""
        timeout: CallSeconds = 10.0
        """Seconds to wait for another process that is writing."""

        @field_validator("folder")
        @classmethod
        def _is_absolute(cls, folder: Path) -> Path:
            if not folder.is_absolute():
                raise SettingsError(
                    Text("must be an absolute path, because each process has its own working directory")
                )
            return folder

        @field_validator("formats")
        @classmethod
        def _are_formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
            for name in formats:
                if name not in FORMATS:
                    raise SettingsError(
                        Text(
                            "{name!r} is not a format. {did_you_mean}",
                            name=name,
                            did_you_mean=did_you_mean(name, FORMATS),
                        )
                    )
            return formats

    def __init__(self, options: Options, services: Services) -> None:
        if options.hubs and find_spec("requests") is None:
            raise MissingExtra(Text("The notification of hubs"), "webhook")
        if best_match(options.language, services.locales) is None:
            raise SettingsError(
                Text(
                    "language: there are no phrases for {language!r}. {did_you_mean} "
                    'Add a file: [languages] {language} = "words/{language}.toml"',
                    language=options.language,
                    did_you_mean=did_you_mean(options.language, services.locales),
                )
            )
        parts = urlsplit(options.url)
        self.account: str = (parts.netloc.lower() + parts.path).rstrip("/")
        self._site = Site(
            url=options.url.rstrip("/") + "/",
            title=options.title or options.publisher,
            publisher=options.publisher,
            language=options.language,
            zone=options.zone,
            locales=services.locales,
            hubs=options.hubs,
            formats=frozenset(options.formats),
            cap_sender=options.cap_sender,
        )
        traffic = self._site.formats & TRAFFIC_FORMATS
        self.capabilities: Capabilities = replace(self.default_capabilities, traffic=traffic)
        self._state, self._wait = services.store, options.timeout
        self._clock = services.clock
        self._files = Store(options.folder, wait=options.timeout, clock=services.clock)
        self._folder = Folder(self._files, self._site, account=self.account, clock=services.clock)

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Write the pictures, to which nothing leads yet, and freeze the item. See `Channel.prepare`.

        Raises:
            Refused: The folder is for exercises and the post is none, or the other way round.
        """
        item = Item.of(post, reply_to, account=self.account)
        self._folder.check_owner(exercise=post.exercise)
        if post.pictures:
            with self._exclusive():
                for picture in post.pictures:
                    self._files.replace(picture_path(picture), picture.data)
        return Request(account=self.account, key=post.key, body={"item": item.model_dump(mode="json")})

    def send(self, request: Request) -> PostRef:
        """Write the item, and draw all that changes. See `SupportsSend.send`.

        Raises:
            Refused: With `fallback="prepare"`: a picture that was prepared is not there any more.
            Blocked: The folder may not be written, holds another feed, or was written by a newer policenotify.
            Unavailable: The folder is not there, the disk is full, or another process is writing for too long.
            Unconfirmed: The item was written, and the rest perhaps not.
        """
        item = self._item(request)
        with self._exclusive(exercise=item.message.exercise):
            self._folder.add(item)
            self._draw_certainly_written()
        self._notify_hubs()
        return self._ref(item)

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:  # noqa: ARG002 - a key belongs to one post
        """Look the item up by its key. What a process that was killed has not drawn is drawn.

        See `SupportsLookup.find`.
        """
        item = self._item(request)
        if not self._folder.holds(item):
            return None
        with self._exclusive():
            self._folder.draw()
        return self._ref(item)

    def delete(self, ref: PostRef) -> None:
        """Leave an item without words in place of the post, and remove its pictures. See `SupportsDelete.delete`."""
        if ref.account != self.account or not _ID.fullmatch(ref.id):
            raise Refused(Text("The post is not one of {account}; nothing was deleted.", account=self.account))
        with self._exclusive():
            if self._folder.withdraw(ref.id):
                self._draw_certainly_written()
        self._notify_hubs()

    def whoami(self) -> Account:
        """Prove that the folder can be written, and draw an empty feed in an empty one. See `Channel.whoami`."""
        self._folder.check_owner()
        self._files.check()
        if self._files.read(FILES["index"]) is None:
            with self._exclusive():
                self._folder.draw(everything=True)
        notes = []
        if urlsplit(self._site.url).scheme == "http":
            notes.append(Text("Its address is not encrypted: readers may get forged alerts. Serve it by https."))
        if self._files.is_open_to_all():
            notes.append(Text("Any user of this machine may write into its folder. Take that right away: chmod o-w"))
        if damaged := self._folder.damaged():
            notes.append(Text.join(" ", (_damage(damaged), _PUT_BACK)))
        return Account(id=self.account, name=self._site.title, url=self._site.url, note=Text.join(" ", notes))

    def rebuild(self) -> tuple[str, ...]:
        """Draw everything again from the items alone. Return the paths of the files that changed.

        Raises:
            Blocked: As for `send`, or an item cannot be read. Everything else was drawn then.
        """
        with self._exclusive():
            written = self._folder.draw(everything=True)
            damaged = self._folder.damaged(everything=True)
        if written:
            self._notify_hubs()
        if damaged:
            raise Blocked(_damage(damaged), remedy=_PUT_BACK)
        return written

    def close(self) -> None:
        """No file stays open."""

    def _notify_hubs(self) -> None:
        """Let each hub know which files have changed (W3C Recommendation *WebSub*; PubSubHubbub 0.3, section 7.1).

        A failure is only logged, because readers also poll.
        """
        topics = [self._site.file_url(name) for name in _TOPICS if name in self._site.formats]
        form = {"hub.mode": "publish", "hub.url": topics}
        for hub in self._site.hubs if topics else ():
            try:
                with open_session(_HUB_SECONDS, plain=hub.startswith("http:")) as session:
                    result = str(session.ask(partial(session.post, hub, data=form), where="the hub").status)
            except ChannelError as error:
                result = error.code
            if not result.startswith("2"):
                host = urlsplit(hub).hostname
                _log.warning("The WebSub hub %s was not notified (%s). Readers poll as well.", host, result)

    def _item(self, request: Request) -> Item:
        try:
            return Item.read(json.dumps(request.body["item"]))
        except UnsupportedVersion as error:
            raise Blocked(error.text) from None

    def _ref(self, item: Item) -> PostRef:
        return PostRef(
            account=self.account, id=item.id, url=self._site.message_url(item.id), extra={"thread": item.thread}
        )

    def _draw_certainly_written(self) -> None:
        try:
            self._folder.draw()
        except ChannelError as error:
            raise Unconfirmed(error.reason, remedy=error.remedy, code=error.code) from None

    @contextmanager
    def _exclusive(self, *, exercise: bool | None = None) -> Iterator[None]:
        """Let one process at a time write: of this installation by the lease, and of another one by a file's lock.

        Nothing is written into the folder of another feed. See `Folder.check_owner`.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self._state.lease("draw", seconds=self._wait))
            except JournalError:
                raise Unavailable(Text("Another process has been writing the feed for too long.")) from None
            stack.enter_context(self._files.exclusive())
            self._folder.check_owner(exercise=exercise)
            yield


def _damage(paths: tuple[str, ...]) -> AnyText:
    return Text.counted(
        "{count} of the feed's items cannot be read, so that it may show as open what is over: {paths}.",
        "{count} of the feed's items cannot be read, so that it may show as open what is over: {paths}.",
        count=len(paths),
        paths=paths[0],
    )
