"""The fake networks: servers, settings of a channel on each, and what its readers see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from policenotify.cli.report.source import ReaderPost
from policenotify.testing.servers.bluesky import FakeBlueskyServer, VisibleBlueskyPost
from policenotify.testing.servers.http import Answer, RecordedRequest
from policenotify.testing.servers.mail import FakeMailServer, Mail
from policenotify.testing.servers.mastodon import FakeMastodonServer
from policenotify.testing.servers.sms import FakeSmsServer
from policenotify.testing.servers.webhook import FakeWebhookServer
from policenotify.testing.servers.x import FakeXServer

READERS: Final = ("redaction@journal.example", "standard@mairie.example")
"""Recipients of the mails."""

PHONES: Final = ("+33639980001", "+33639980002", "+33639980003")
"""Recipients of the SMS. ARCEP reserves 06 39 98 00 00 to 99 for films."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FakeNetwork:
    """A network that can be faked.

    Attributes:
        channel: The name of the channel in the settings.
        server: Returns a new server, which does not listen yet.
        settings: The channel in the settings, without its recipients. The secrets are fake.
        posts: Returns what a reader of the server sees now, oldest first.
        refusal: Path, status and body by which it rejects each post for good. A mail server refuses every recipient.
        people: The recipients, on a network with recipients.
    """

    channel: str
    server: Callable[[Callable[[], datetime]], Any]
    settings: str
    posts: Callable[[Any], list[ReaderPost]]
    refusal: tuple[str, int, Mapping[str, str | int]] = ("/", 0, {})
    people: tuple[str, ...] = ()

    def refuse(self, server: Any) -> None:  # noqa: ANN401 - the servers have no common type
        """Let the server reject each post for good."""
        path, status, body = self.refusal
        if not status:
            server.refuse("*", 550, "5.7.1 Message rejected by policy")
            return
        answer = (Answer.json(body, status), False)

        def choose(request: RecordedRequest) -> tuple[Answer, bool] | None:
            return answer if request.method == "POST" and request.path.startswith(path) else None

        server.disturb(choose)


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


FAKE_NETWORKS: Final = (
    FakeNetwork(
        channel="x",
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
        refusal=("/2/tweets", 403, {"detail": "You are not permitted to perform this action."}),
    ),
    FakeNetwork(
        channel="mastodon",
        server=lambda now: FakeMastodonServer("police34", now=now),
        settings="""network = "mastodon"
server = "{0.url}"
handle = "{0.handle}"
token = "{0.token}"
""",
        posts=_posts,
        refusal=("/api/v1/statuses", 422, {"error": "Validation failed: Text is not allowed on this server"}),
    ),
    FakeNetwork(
        channel="bluesky",
        server=lambda now: FakeBlueskyServer("police34.example", now=now),
        settings="""network = "bluesky"
handle = "{0.handle}"
password = "{0.password}"
service = "{0.url}"
""",
        posts=_posts,
        refusal=("/xrpc/com.atproto.repo.putRecord", 400, {"error": "InvalidRequest"}),
    ),
    FakeNetwork(
        channel="sms",
        server=lambda now: FakeSmsServer(now=now),
        settings="""network = "sms"
url = "json://{0.user}:{0.password}@127.0.0.1:{0.port}{0.JSON}?:to={{recipient}}&:from={{sender}}"
sender = "POLICE34"
""",
        posts=_messages,
        refusal=("/", 400, {"error": "invalid recipient"}),
        people=PHONES,
    ),
    FakeNetwork(
        channel="mail",
        server=lambda now: FakeMailServer(now=now),
        settings="""network = "email"
url = "mailto://127.0.0.1:{0.port}/?from=alerte@police34.example&mode=insecure"
list_id = "alerte.police34.example"
unsubscribe = "https://police34.example/stop/{{recipient}}"
""",
        posts=_mails,
        people=READERS,
    ),
    FakeNetwork(
        channel="webhook",
        server=lambda now: FakeWebhookServer(now=now),
        settings="""network = "webhook"
url = "{0.url}/police"
secret = "{0.secret}"
""",
        posts=_items,
        refusal=("/", 422, {"error": "the newsroom does not take this item"}),
    ),
)
"""All of them, in the order of their ports."""
