"""The fake networks, one for each network that posts to a server."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final

from policenotify.testing.dev.network import DevNetwork, HttpDevNetwork, ShownPost
from policenotify.testing.servers.bluesky import FakeBlueskyServer
from policenotify.testing.servers.http import Answer, FakeServer
from policenotify.testing.servers.mail import FakeMailServer, Mail
from policenotify.testing.servers.mastodon import FakeMastodonServer
from policenotify.testing.servers.push import FakePushServer
from policenotify.testing.servers.sms import FakeSmsServer
from policenotify.testing.servers.webhook import FakeWebhookServer
from policenotify.testing.servers.x import FakeXServer

READERS: Final = ("redaction@journal.example", "standard@mairie.example")
"""Recipients of the mails."""

PHONES: Final = ("+33639980001", "+33639980002", "+33639980003")
"""Recipients of the SMS. ARCEP reserves 06 39 98 00 00 to 99 for films."""


class XDevNetwork(HttpDevNetwork[FakeXServer]):
    """X."""

    channel = "x"
    network = "x"
    title = "X"
    modules: ClassVar[tuple[str, ...]] = ("tweepy", "requests", "requests_oauthlib")
    publishes: ClassVar[tuple[str, str]] = ("POST", "/2/tweets")
    refusal: ClassVar[Answer] = Answer.json(
        {"title": "Forbidden", "detail": "You are not permitted to perform this action.", "status": 403}, 403
    )

    def _make(self) -> FakeXServer:
        return FakeXServer("police34", now=self._now)

    @property
    def options(self) -> Mapping[str, str]:
        """Keys of the app and tokens of the account (OAuth 1.0a)."""
        names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
        credentials = dict(zip(names, (*self.server.consumer, *self.server.access), strict=True))
        return {"handle": self.server.handle, "service": self.server.url, **credentials}

    @property
    def posts(self) -> Sequence[ShownPost]:
        """The account's posts."""
        return [
            ShownPost(id=post.id, text=post.text, parent=post.parent, images=post.images) for post in self.server.posts
        ]


class MastodonDevNetwork(HttpDevNetwork[FakeMastodonServer]):
    """A Mastodon server."""

    channel = "mastodon"
    network = "mastodon"
    title = "Mastodon"
    modules: ClassVar[tuple[str, ...]] = ("mastodon", "requests")
    publishes: ClassVar[tuple[str, str]] = ("POST", "/api/v1/statuses")
    refusal: ClassVar[Answer] = Answer.json({"error": "Validation failed: Text is not allowed on this server"}, 422)

    def _make(self) -> FakeMastodonServer:
        return FakeMastodonServer("police34", now=self._now)

    @property
    def options(self) -> Mapping[str, str]:
        """A token."""
        return {"server": self.server.url, "handle": self.server.handle, "token": self.server.token}

    @property
    def posts(self) -> Sequence[ShownPost]:
        """The account's posts."""
        return [
            ShownPost(id=post.id, text=post.text, parent=post.parent, warning=post.warning, images=post.images)
            for post in self.server.posts
        ]


class BlueskyDevNetwork(HttpDevNetwork[FakeBlueskyServer]):
    """A server of Bluesky."""

    channel = "bluesky"
    network = "bluesky"
    title = "Bluesky"
    modules: ClassVar[tuple[str, ...]] = ("atproto", "httpx")
    publishes: ClassVar[tuple[str, str]] = ("POST", "/xrpc/com.atproto.repo.putRecord")
    refusal: ClassVar[Answer] = Answer.json({"error": "InvalidRequest", "message": "Unacceptable text in record"}, 400)

    def _make(self) -> FakeBlueskyServer:
        return FakeBlueskyServer("police34.example", now=self._now)

    @property
    def options(self) -> Mapping[str, str]:
        """An app password."""
        return {"handle": self.server.handle, "password": self.server.password, "service": self.server.url}

    @property
    def posts(self) -> Sequence[ShownPost]:
        """The account's posts."""
        return [
            ShownPost(id=post.uri, text=post.text, parent=post.parent, card=post.card, images=post.images)
            for post in self.server.posts
        ]


class SmsDevNetwork(HttpDevNetwork[FakeSmsServer]):
    """An SMS gateway, and the telephone of the first recipient."""

    channel = "sms"
    network = "sms"
    title = "SMS"
    modules: ClassVar[tuple[str, ...]] = ("apprise", "phonenumbers", "requests")
    people: ClassVar[tuple[str, ...]] = PHONES
    publishes: ClassVar[tuple[str, str]] = ("POST", FakeSmsServer.JSON)
    refusal: ClassVar[Answer] = Answer.json({"error": "invalid recipient"}, 400)

    def _make(self) -> FakeSmsServer:
        return FakeSmsServer(now=self._now)

    @property
    def options(self) -> Mapping[str, str]:
        """The URL of a gateway that takes JSON."""
        gateway = self.server.url.replace("http://", f"json://{self.server.user}:{self.server.password}@")
        return {"url": f"{gateway}{self.server.JSON}?:to={{recipient}}&:from={{sender}}", "sender": "POLICE34"}

    @property
    def posts(self) -> Sequence[ShownPost]:
        """The messages of the first recipient's telephone."""
        sent = self.server.messages
        return [
            ShownPost(id=str(number), text=each.text, readers=sum(other.text == each.text for other in sent))
            for number, each in enumerate(self.server.phone(self.people[0]))
        ]


class MailDevNetwork(DevNetwork[FakeMailServer]):
    """A mail server, and the mailbox of the first recipient."""

    channel = "mail"
    network = "email"
    title = "E-mail"
    modules: ClassVar[tuple[str, ...]] = ("apprise", "email_validator", "aiosmtpd")
    people: ClassVar[tuple[str, ...]] = READERS

    @property
    def port(self) -> int:
        """The port of its server."""
        return self.server.port

    @property
    def options(self) -> Mapping[str, str]:
        """The URL of the server, without a login."""
        return {
            "url": f"mailto://{self.server.host}:{self.server.port}/?from=alerte@police34.example&mode=insecure",
            "list_id": "alerte.police34.example",
            "unsubscribe": "https://police34.example/stop/{recipient}",
        }

    @property
    def posts(self) -> Sequence[ShownPost]:
        """The mails of the first recipient."""
        sent = [str(mail.message["Subject"]) for mail in self.server.mails]
        return [_shown_mail(mail, sent) for mail in self.server.mailbox(self.people[0])]

    def _make(self) -> FakeMailServer:
        return FakeMailServer(now=self._now)

    def _set_delay(self, seconds: float) -> None:
        self.server.delay("DATA", seconds)

    def _refuse(self) -> None:
        self.server.refuse("*", 550, "5.7.1 Message rejected by policy")


def _shown_mail(mail: Mail, subjects: Sequence[str]) -> ShownPost:
    message = mail.message
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    return ShownPost(
        id=str(message["Message-ID"]),
        text=plain.get_content() if plain else "",
        parent=message["In-Reply-To"] and str(message["In-Reply-To"]),
        title=str(message["Subject"]),
        html=html.get_content() if html else "",
        readers=subjects.count(str(message["Subject"])),
    )


class PushDevNetwork(HttpDevNetwork[FakePushServer]):
    """An ntfy server, for the network `apprise`."""

    channel = "ntfy"
    network = "apprise"
    title = "ntfy (apprise)"
    modules: ClassVar[tuple[str, ...]] = ("apprise", "requests")
    refusal: ClassVar[Answer] = Answer.json(
        {"code": 40014, "http": 400, "error": "invalid request: message rejected"}, 400
    )

    def _make(self) -> FakePushServer:
        return FakePushServer()

    @property
    def options(self) -> Mapping[str, str]:
        """The URL of a topic."""
        place = self.server.url.removeprefix("http://")
        return {"url": f"ntfy://{self.server.user}:{self.server.password}@{place}/alertes"}

    @property
    def posts(self) -> Sequence[ShownPost]:
        """What the subscribers of the topic see."""
        return [ShownPost(id=each.id, text=each.text, title=each.title) for each in self.server.messages]


class WebhookDevNetwork(HttpDevNetwork[FakeWebhookServer]):
    """A newsroom's system."""

    channel = "webhook"
    network = "webhook"
    title = "Webhook"
    modules: ClassVar[tuple[str, ...]] = ("requests",)
    refusal: ClassVar[Answer] = Answer.json({"error": "the newsroom does not take this item"}, 422)

    def _make(self) -> FakeWebhookServer:
        return FakeWebhookServer(now=self._now)

    @property
    def options(self) -> Mapping[str, str]:
        """The address and the secret of its calls."""
        return {"url": f"{self.server.url}/police", "secret": self.server.secret}

    @property
    def posts(self) -> Sequence[ShownPost]:
        """The items that were not taken down."""
        return [
            ShownPost(id=item["key"][:16], text=item["text"], title=item["title"], parent=item["answers"])
            for item in self.server.items
            if item["withdrawn_at"] is None
        ]


class FeedDevNetwork(HttpDevNetwork[FakeServer]):
    """A feed in a folder. Nothing calls its server, so that its modes change nothing."""

    channel = "feed"
    network = "feed"
    title = "Flux (Atom, RSS, JSON)"
    refusal: ClassVar[Answer] = Answer(404)
    url: str = "https://alertes.police34.example/"
    """The public address of the feed's pages."""

    def _make(self) -> FakeServer:
        return FakeServer()

    @cached_property
    def folder(self) -> Path:
        """The folder, which stays the same for a port and a user."""
        folder = Path(tempfile.gettempdir()) / f"policenotify-feed-{os.getuid()}-{self.port}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    @property
    def options(self) -> Mapping[str, str]:
        """The folder."""
        return {"url": self.url, "publisher": "Police nationale", "folder": str(self.folder)}

    def reset(self) -> None:
        """Empty the folder."""
        super().reset()
        shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)

    def close(self) -> None:
        """Stop the server and remove the folder. May be called twice."""
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def posts(self) -> Sequence[ShownPost]:
        """The entries of the feed, oldest first."""
        file = self.folder / "feed.json"
        entries = json.loads(file.read_bytes())["items"] if file.exists() else []
        return [
            ShownPost(id=entry["id"], title=entry["title"], text=entry["content_text"], card=(entry["url"], "", ""))
            for entry in reversed(entries)
        ]


KINDS: Final[tuple[type[DevNetwork[Any]], ...]] = (
    XDevNetwork,
    MastodonDevNetwork,
    BlueskyDevNetwork,
    SmsDevNetwork,
    MailDevNetwork,
    PushDevNetwork,
    WebhookDevNetwork,
    FeedDevNetwork,
)
"""All of them, in the order of their ports."""
