"""The fake networks, one for each network that posts to a server, and a feed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Self

from policenotify.cli.report.source import ReaderPost
from policenotify.testing.dev.network import Kind
from policenotify.testing.servers.bluesky import FakeBlueskyServer, VisibleBlueskyPost
from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest
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


class FakeFeed(FakeServer):
    """A folder for a feed, which stays the same for a port and a user. Nothing calls its server."""

    @property
    def folder(self) -> Path:
        """The folder."""
        return Path(tempfile.gettempdir()) / f"policenotify-feed-{os.getuid()}-{self.url.rpartition(':')[2]}"

    def start(self, port: int = 0) -> Self:
        """Reserve the port, and create the folder."""
        super().start(port)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        return self

    def close(self) -> None:
        """Free the port, and remove the folder. May be called twice."""
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _refusal(status: int, body: Mapping[str, str | int], path: str = "/") -> Callable[[FakeServer], None]:
    """Return what lets a server answer each call that publishes with a status and a body."""
    refusal = (Answer.json(body, status), False)

    def chosen(request: RecordedRequest) -> tuple[Answer, bool] | None:
        return refusal if request.method == "POST" and request.path.startswith(path) else None

    return lambda server: server.disturb(chosen)


def _posts(server: FakeXServer | FakeMastodonServer | FakeBlueskyServer) -> list[ReaderPost]:
    return [
        ReaderPost(
            id=post.uri if isinstance(post, VisibleBlueskyPost) else post.id,
            text=post.text,
            parent=post.parent,
            warning=getattr(post, "warning", ""),
            card=getattr(post, "card", None),
            images=tuple((image.alt, image.data) for image in post.images),
        )
        for post in server.posts
    ]


def _messages(server: FakeSmsServer) -> list[ReaderPost]:
    """Return the messages of the first recipient's telephone."""
    texts = [each.text for each in server.messages]
    return [
        ReaderPost(id=str(number), text=each.text, readers=texts.count(each.text))
        for number, each in enumerate(server.phone(PHONES[0]))
    ]


def _mails(server: FakeMailServer) -> list[ReaderPost]:
    """Return the mails of the first recipient."""
    subjects = [str(mail.message["Subject"]) for mail in server.mails]
    return [_mail(mail, subjects.count(str(mail.message["Subject"]))) for mail in server.mailbox(READERS[0])]


def _mail(mail: Mail, readers: int) -> ReaderPost:
    message = mail.message
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    return ReaderPost(
        id=str(message["Message-ID"]),
        text=plain.get_content() if plain else "",
        parent=message["In-Reply-To"] and str(message["In-Reply-To"]),
        title=str(message["Subject"]),
        html=html.get_content() if html else "",
        readers=readers,
    )


def _items(server: FakeWebhookServer) -> list[ReaderPost]:
    return [
        ReaderPost(id=item["key"][:16], text=item["text"], title=item["title"], parent=item["answers"])
        for item in server.items
        if item["withdrawn_at"] is None
    ]


def _entries(feed: FakeFeed) -> list[ReaderPost]:
    file = feed.folder / "feed.json"
    entries = json.loads(file.read_bytes())["items"] if file.exists() else []
    return [
        ReaderPost(id=entry["id"], title=entry["title"], text=entry["content_text"], card=(entry["url"], "", ""))
        for entry in reversed(entries)
    ]


KINDS: Final = (
    Kind(
        channel="x",
        modules=("tweepy", "requests", "requests_oauthlib"),
        server=lambda now: FakeXServer("police34", now=now),
        settings="""network = "x"
handle = "{0.handle}"
service = "{0.url}"
consumer_key = "{0.consumer[0]}"
consumer_secret = "{0.consumer[1]}"
access_token = "{0.access[0]}"
access_token_secret = "{0.access[1]}"
""",
        posts=_posts,
        refuse=_refusal(403, {"detail": "You are not permitted to perform this action."}, "/2/tweets"),
    ),
    Kind(
        channel="mastodon",
        modules=("mastodon", "requests"),
        server=lambda now: FakeMastodonServer("police34", now=now),
        settings="""network = "mastodon"
server = "{0.url}"
handle = "{0.handle}"
token = "{0.token}"
""",
        posts=_posts,
        refuse=_refusal(422, {"error": "Validation failed: Text is not allowed on this server"}, "/api/v1/statuses"),
    ),
    Kind(
        channel="bluesky",
        modules=("atproto", "httpx"),
        server=lambda now: FakeBlueskyServer("police34.example", now=now),
        settings="""network = "bluesky"
handle = "{0.handle}"
password = "{0.password}"
service = "{0.url}"
""",
        posts=_posts,
        refuse=_refusal(400, {"error": "InvalidRequest"}, "/xrpc/com.atproto.repo.putRecord"),
    ),
    Kind(
        channel="sms",
        modules=("apprise", "phonenumbers", "requests"),
        server=lambda now: FakeSmsServer(now=now),
        settings="""network = "sms"
url = "json://{0.user}:{0.password}@127.0.0.1:{port}{0.JSON}?:to={{recipient}}&:from={{sender}}"
sender = "POLICE34"
""",
        posts=_messages,
        refuse=_refusal(400, {"error": "invalid recipient"}),
        people=PHONES,
    ),
    Kind(
        channel="mail",
        modules=("apprise", "email_validator", "aiosmtpd"),
        server=lambda now: FakeMailServer(now=now),
        settings="""network = "email"
url = "mailto://127.0.0.1:{port}/?from=alerte@police34.example&mode=insecure"
list_id = "alerte.police34.example"
unsubscribe = "https://police34.example/stop/{{recipient}}"
""",
        posts=_mails,
        refuse=lambda server: server.refuse("*", 550, "5.7.1 Message rejected by policy"),
        people=READERS,
    ),
    Kind(
        channel="ntfy",
        modules=("apprise", "requests"),
        server=lambda _: FakePushServer(),
        settings="""network = "apprise"
url = "ntfy://{0.user}:{0.password}@127.0.0.1:{port}/alertes"
""",
        posts=lambda server: [ReaderPost(id=each.id, text=each.text, title=each.title) for each in server.messages],
        refuse=_refusal(400, {"code": 40014, "error": "invalid request: message rejected"}),
    ),
    Kind(
        channel="webhook",
        modules=("requests",),
        server=lambda now: FakeWebhookServer(now=now),
        settings="""network = "webhook"
url = "{0.url}/police"
secret = "{0.secret}"
""",
        posts=_items,
        refuse=_refusal(422, {"error": "the newsroom does not take this item"}),
    ),
    Kind(
        channel="feed",
        server=lambda _: FakeFeed(),
        settings="""network = "feed"
url = "{site}"
publisher = "Police nationale"
folder = "{0.folder}"
""",
        posts=_entries,
        refuse=None,
    ),
)
"""All of them, in the order of their ports."""
