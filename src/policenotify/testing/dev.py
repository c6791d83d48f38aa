"""Fake networks to develop against: their settings, how they fail, and a page of what their readers see."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias, cast, get_args

from policenotify.audiences.function import FunctionAudience
from policenotify.channel import ChannelConfig
from policenotify.cli.report.builder import draw_networks
from policenotify.cli.report.file import DEV_POLICY, dev_html
from policenotify.cli.report.source import ReaderPost
from policenotify.errors import SettingsError
from policenotify.networks.registry import configure_channel
from policenotify.render.locales import LOCALES
from policenotify.settings import write_settings
from policenotify.settings.loader import FILE_NAME
from policenotify.settings.new_installation import JOURNAL_NAME, KEYS_NAME
from policenotify.testing.servers.bluesky import FakeBlueskyServer
from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest
from policenotify.testing.servers.mail import FakeMailServer
from policenotify.testing.servers.mastodon import FakeMastodonServer
from policenotify.testing.servers.sms import FakeSmsServer
from policenotify.testing.servers.webhook import FakeWebhookServer
from policenotify.testing.servers.x import FakeXServer

Mode: TypeAlias = Literal["normal", "slow", "down", "refusing", "forgetful"]
"""How a network behaves: `slow` answers after `SLOW` seconds, `down` refuses every connection, `refusing` rejects each
post for good, and `forgetful` accepts each post and shows none."""

MODES: Final[tuple[Mode, ...]] = get_args(Mode)

SLOW: Final = 3.0
"""Seconds: long enough to be noticed, and below every network's timeout."""

READERS: Final = ("redaction@journal.example", "standard@mairie.example")
"""Recipients of the mails."""

PHONES: Final = ("+33639980001", "+33639980002", "+33639980003")
"""Recipients of the SMS. ARCEP reserves 06 39 98 00 00 to 99 for films."""

_HEAD: Final = f"""# Fake networks on this machine, for development. All secrets in this file are fake.
schema_version = 1
sender = "Police nationale"
zone = "Europe/Paris"
journal = "{JOURNAL_NAME}"
keys = "{KEYS_NAME}"
wait = 5            # seconds that a publication waits for the networks
"""


def _posts(server: FakeXServer | FakeMastodonServer | FakeBlueskyServer) -> list[ReaderPost]:
    return [
        ReaderPost(
            id=post.id,
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
    shown = enumerate(server.phone(PHONES[0]))
    return [ReaderPost(id=str(number), text=each.text, readers=texts.count(each.text)) for number, each in shown]


def _mails(server: FakeMailServer) -> list[ReaderPost]:
    """Return the mails of the first recipient."""
    subjects = [mail.message["Subject"] for mail in server.mails]
    posts = []
    for message in (mail.message for mail in server.mailbox(READERS[0])):
        plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
        posts.append(
            ReaderPost(
                id=str(message["Message-ID"]),
                text=plain.get_content() if plain else "",
                parent=message["In-Reply-To"] and str(message["In-Reply-To"]),
                title=str(message["Subject"]),
                html=html.get_content() if html else "",
                readers=subjects.count(message["Subject"]),
            )
        )
    return posts


def _items(server: FakeWebhookServer) -> list[ReaderPost]:
    return [
        ReaderPost(id=item["key"][:16], text=item["text"], title=item["title"], parent=item["answers"])
        for item in server.items
        if item["withdrawn_at"] is None
    ]


@dataclass(frozen=True, slots=True)
class FakeNetwork:
    """A network that can be faked.

    Attributes:
        server: Makes a server, which does not listen yet, with the clock `now`.
        posts: Returns what a reader of the server sees now, oldest first.
        settings: The channel in the settings, without its recipients.
        refusal: Path and status by which it rejects each post. A mail server refuses every recipient.
        people: The recipients, on a network with recipients.
    """

    server: Callable[..., Any]
    posts: Callable[[Any], list[ReaderPost]]
    settings: str
    refusal: tuple[str, int] = ("", 0)
    people: tuple[str, ...] = ()


_X = """network = "x"
handle = "{0.handle}"
service = "{0.url}"
consumer_key = "{0.consumer[0]}"
consumer_secret = "{0.consumer[1]}"
access_token = "{0.access[0]}"
access_token_secret = "{0.access[1]}"
"""
_MASTODON = """network = "mastodon"
server = "{0.url}"
handle = "{0.handle}"
token = "{0.token}"
"""
_BLUESKY = """network = "bluesky"
handle = "{0.handle}"
password = "{0.password}"
service = "{0.url}"
"""
_SMS = """network = "sms"
url = "json://{0.user}:{0.password}@127.0.0.1:{0.port}{0.JSON}?:to={{recipient}}&:from={{sender}}"
sender = "POLICE34"
"""
_MAIL = """network = "email"
url = "mailto://127.0.0.1:{0.port}/?from=alerte@police34.example&mode=insecure"
list_id = "alerte.police34.example"
unsubscribe = "https://police34.example/stop/{{recipient}}"
"""
_WEBHOOK = """network = "webhook"
url = "{0.url}/police"
secret = "{0.secret}"
"""

FAKE_NETWORKS: Final = {
    "x": FakeNetwork(FakeXServer, _posts, _X, ("/2/tweets", 403)),
    "mastodon": FakeNetwork(FakeMastodonServer, _posts, _MASTODON, ("/api/v1/statuses", 422)),
    "bluesky": FakeNetwork(FakeBlueskyServer, _posts, _BLUESKY, ("/xrpc/com.atproto.repo.putRecord", 400)),
    "sms": FakeNetwork(FakeSmsServer, _messages, _SMS, ("/", 400), PHONES),
    "mail": FakeNetwork(FakeMailServer, _mails, _MAIL, people=READERS),
    "webhook": FakeNetwork(FakeWebhookServer, _items, _WEBHOOK, ("/", 422)),
}
"""All of them by the name of their channel, in the order of their ports."""


class DevNetwork:
    """A fake network with one account, whose server runs.

    Args:
        channel: The name of the channel in the settings.
        port: The port of its server on 127.0.0.1. 0: a free one.
        now: The server's time.

    Attributes:
        channel: The name of the channel.
        server: The server.
    """

    def __init__(self, channel: str, port: int, now: Callable[[], datetime]) -> None:
        self.channel: str = channel
        self._fake = FAKE_NETWORKS[channel]
        self._mode: Mode = "normal"
        self.server: Any = self._fake.server(now=now).start(port)

    @property
    def toml(self) -> str:
        """The channel on it in the settings."""
        people = f"recipients = {json.dumps(self._fake.people)}\n" if self._fake.people else ""
        return f"[channels.{self.channel}]\n{self._fake.settings.format(self.server)}{people}"

    @property
    def config(self) -> ChannelConfig:
        """A channel on it, for a publisher in this process. Raises `MissingExtra` without its client library."""
        options = tomllib.loads(self.toml)["channels"][self.channel]
        people = options.pop("recipients", None)
        audiences = (FunctionAudience(name=self.channel, function=lambda: people),) if people else ()
        return configure_channel(self.channel, options.pop("network"), options, audiences=audiences, locales=LOCALES)

    @property
    def posts(self) -> list[ReaderPost]:
        """What a reader sees now, oldest first."""
        return self._fake.posts(self.server)

    @property
    def mode(self) -> Mode:
        """How it behaves. A change applies from the next call on."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        if mode not in MODES:
            raise ValueError(f"{mode!r} is not a mode: {', '.join(MODES)}")
        self.server.recover()
        self.server.latency = SLOW if mode == "slow" else 0.0
        self.server.drops_posts = mode == "forgetful"
        if mode == "down":
            self.server.refuse_connections()
        elif mode == "refusing" and isinstance(self.server, FakeMailServer):
            self.server.refuse("*", 550, "5.7.1 Message rejected by policy")
        elif mode == "refusing":
            self.server.disturb(self._refused)
        self._mode = mode

    def _refused(self, request: RecordedRequest) -> tuple[Answer, bool] | None:
        path, status = self._fake.refusal
        if request.method != "POST" or not request.path.startswith(path):
            return None
        return Answer.json({"error": "InvalidRequest", "detail": "not permitted"}, status), False


class DevNetworks:
    """Fake servers of all networks on 127.0.0.1, as a context manager.

    ```python
    with DevNetworks() as networks:
        networks.install("desk")                    # settings, keys and journal
        networks["x"].mode = "down"
        ...                                         # the application, with these settings
        assert networks["mastodon"].posts[0].text.startswith("[#Accident")
    ```

    Args:
        port_base: The port before those of the networks, in their order. 0: each gets a free one.
        channels: The networks, of `x`, `mastodon`, `bluesky`, `sms`, `mail` and `webhook`. By default all.
        now: The servers' time.

    Attributes:
        settings: The settings file that `install` wrote.
    """

    settings: Path

    def __init__(
        self,
        *,
        port_base: int = 0,
        channels: Collection[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        names = [name for name in FAKE_NETWORKS if not channels or name in channels]
        self._ports = {name: port_base and port_base + number for number, name in enumerate(names, 1)}
        self._now = now
        self._networks: dict[str, DevNetwork] = {}

    def __enter__(self) -> Self:
        """Start the servers.

        Raises:
            MissingExtra: The library of a server is not installed.
            OSError: A port is in use. No server runs then.
        """
        with ExitStack() as started:
            started.callback(self.close)
            for name, port in self._ports.items():
                self._networks[name] = DevNetwork(name, port, self._now)
            started.pop_all()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[DevNetwork]:
        return iter(self._networks.values())

    def __getitem__(self, channel: str) -> DevNetwork:
        return self._networks[channel]

    def close(self) -> None:
        """Stop all servers. May be called twice."""
        for network in self:
            network.server.close()

    @property
    def toml(self) -> str:
        """The settings of an installation on these networks."""
        return "\n".join((_HEAD, *(network.toml for network in self)))

    def install(self, directory: str | os.PathLike[str]) -> Path:
        """Create an installation on these networks: its settings, keys and journal. Return the settings file.

        An installation that has these settings already stays as it is.

        Raises:
            SettingsError: There are other settings, or the directory cannot be written.
            JournalError: The journal cannot be created there.
        """
        file = Path(directory) / FILE_NAME
        if not file.exists():
            write_settings(directory)
            file.write_text(self.toml, encoding="utf-8")  # it keeps its mode: for its owner only
        elif file.read_text(encoding="utf-8") != self.toml:
            raise SettingsError(f"{file} has other settings. Nothing was written: choose another directory.")
        self.settings = file
        return file


_LOCAL: Final = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
_RELOAD: Final = 5  # seconds
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"{DEV_POLICY}; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # without a referrer, the origin of a form would be null
    "Cache-Control": "no-store",
}


@contextmanager
def dev_page(networks: DevNetworks, port: int = 0, *, language: str = "en") -> Iterator[str]:
    """Serve a page on 127.0.0.1 with what readers see and a form by which networks fail, and yield its address.

    A page of another site can neither read it nor send its form: each call must name this host, and a change must come
    from a page of it.

    Raises:
        OSError: The port is in use.
    """

    def answer(request: RecordedRequest) -> Answer:
        host, again = request.headers["Host"] or "", "still" not in request.query
        changes = request.method == "POST"
        if not _LOCAL.fullmatch(host) or (changes and request.headers["Origin"] != f"http://{host}"):
            return Answer(403)
        if changes:
            try:
                [(channel, [mode])] = request.form().items()
                networks[channel].mode = cast("Mode", mode)
            except (KeyError, ValueError):
                return Answer(400)
            return Answer.redirect("/" if again else "/?still", 303)
        devices = draw_networks(((each.config, each.posts) for each in networks), "Police nationale")
        modes = {each.channel: each.mode for each in networks}
        page = dev_html(devices, language, modes=modes, reload=_RELOAD if again else 0)
        return Answer(200, page.encode(), _HEADERS)

    with FakeServer().start(port) as server:
        server.on("GET", "/", answer)
        server.on("POST", "/", answer)
        yield f"{server.url}/"
