"""An installation on five fake networks: X, Mastodon, Bluesky, mail and SMS."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import trustme

from policenotify.channel import ChannelConfig
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.networks.registry import configure_channel
from policenotify.publishing.publisher import Publisher
from policenotify.testing import FakeBlueskyServer, FakeMailServer, FakeMastodonServer, FakeSmsServer, FakeXServer
from tests.support.audiences import listed
from tests.support.installation import open_journal_publisher, soon
from tests.support.network_options import bluesky_options, mail_options, mastodon_options, sms_options, x_options

ADDRESSES = ("redaction@journal.example", "standard.secret@mairie.example", "t.dupont@habitant.example")
NUMBERS = ("+33639980001", "+33639980002", "+33639980003")  # ARCEP: numbers reserved for fiction
NETWORKS = ("x", "mastodon", "bluesky", "email", "sms")
NOWHERE = "https://network.invalid"  # RFC 6761, section 6.4: a name that never exists


class AheadClock(SystemClock):
    """The machine's clock, so and so much ahead."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


class _UntrustedServer(ThreadingTCPServer):
    """A server with a certificate of an untrusted authority."""

    context: ssl.SSLContext


class _Handshake(BaseRequestHandler):
    server: _UntrustedServer

    def handle(self) -> None:
        with suppress(OSError), self.server.context.wrap_socket(self.request, server_side=True) as secured:
            secured.recv(1)


@dataclass
class Five:
    folder: Path
    x: FakeXServer
    mastodon: FakeMastodonServer
    bluesky: FakeBlueskyServer
    mail: FakeMailServer
    sms: FakeSmsServer
    keys: Keys = field(default_factory=lambda: Keys.create(secrets.token_bytes))
    clock: AheadClock = field(default_factory=AheadClock)
    theirs: AheadClock = field(default_factory=AheadClock)  # of X, Mastodon and Bluesky
    opened: list[Publisher] = field(default_factory=list)
    timeout: float = 5.0
    login: tuple[str, str] | None = None  # at the mail server
    untrusted_server: _UntrustedServer | None = None

    def options(self, network: str) -> dict[str, Any]:
        """The options of our channel on a network."""
        made: Mapping[str, Callable[[], dict[str, Any]]] = {
            "x": lambda: x_options(self.x),
            "mastodon": lambda: mastodon_options(self.mastodon),
            "bluesky": lambda: bluesky_options(self.bluesky),
            # A fault meets the first person.
            "email": lambda: {**mail_options(self.mail, self.login), "sessions": 1},
            "sms": lambda: {**sms_options(self.sms), "parallel": 1},
        }
        return {"timeout": self.timeout, **made[network]()}

    def renewable(self) -> dict[str, Any]:
        """Our channel on X, by tokens that are renewed (OAuth 2)."""
        signing = {"consumer_key", "consumer_secret", "access_token", "access_token_secret"}
        return {name: value for name, value in self.options("x").items() if name not in signing} | {
            "client_id": self.x.client[0],
            "client_secret": self.x.client[1],
            "refresh_token": self.x.refresh_token,
        }

    def lost(self, network: str) -> dict[str, Any]:
        """Return the options with an address that does not exist."""
        there: Mapping[str, dict[str, Any]] = {
            "x": {"service": NOWHERE},
            "mastodon": {"server": NOWHERE},
            "bluesky": {"service": NOWHERE},
            "email": {"url": "mailto://mail.invalid/?from=alerte@police34.example&mode=insecure"},
            "sms": {"url": f"forms{self.options('sms')['url'][4:].replace(self.sms.url[7:], 'sms.invalid')}"},
        }
        return self.options(network) | there[network]

    def without_tls(self, network: str) -> dict[str, Any]:
        """Return the options with TLS to a server that supports none."""
        there: Mapping[str, Callable[[], dict[str, Any]]] = {
            "x": lambda: {"service": self.x.url.replace("http", "https")},
            "mastodon": lambda: {"server": self.mastodon.url.replace("http", "https")},
            "bluesky": lambda: {"service": self.bluesky.url.replace("http", "https")},
            "email": lambda: {
                "url": f"mailtos://{self.mail.host}:{self.mail.port}/?from=alerte@police34.example&mode=ssl"
            },
            "sms": lambda: {"url": self.options("sms")["url"].replace("form", "forms", 1)},
        }
        return self.options(network) | there[network]()

    def untrusted(self, network: str) -> dict[str, Any]:
        """Return the options of a server with an untrusted certificate."""
        if self.untrusted_server is None:
            self.untrusted_server = _UntrustedServer(("127.0.0.1", 0), _Handshake)
            self.untrusted_server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trustme.CA().issue_cert("127.0.0.1").configure_cert(self.untrusted_server.context)
            Thread(target=self.untrusted_server.serve_forever, args=(0.01,), daemon=True).start()
        port = self.mail.port if network == "email" else urlsplit(getattr(self, network).url).port
        there = str(self.untrusted_server.server_address[1])
        return {
            name: value.replace(f":{port}", f":{there}") if isinstance(value, str) else value
            for name, value in self.without_tls(network).items()
        }

    def channel(self, network: str, options: Mapping[str, Any] | None = None, **how: Any) -> ChannelConfig:
        if network in {"email", "sms"}:
            people = ADDRESSES if network == "email" else NUMBERS
            how.setdefault("audiences", listed(network, lambda: people))
        return configure_channel(network, network, options or self.options(network), **how)

    def publisher(
        self, *, lost: str = "", astray: Callable[[str], dict[str, Any]] | None = None, **how: Any
    ) -> Publisher:
        led = astray or self.lost
        channels = [self.channel(name, led(name) if name == lost else None) for name in NETWORKS]
        usual = {"clock": self.clock, "wait": timedelta(seconds=10), "backoff": soon}
        made = open_journal_publisher(self.folder / "journal.db", self.keys, *channels, **{**usual, **how})
        self.opened.append(made)
        return made

    def close(self) -> None:
        for publisher in self.opened:
            publisher.close()
        if self.untrusted_server is not None:
            self.untrusted_server.shutdown()
            self.untrusted_server.server_close()

    def read(self, network: str) -> list[str]:
        """Return what readers have: one text for each of them and each post."""
        match network:
            case "email":
                return [str(mail.message["Subject"]) for mail in self.mail.mails]
            case "sms":
                return [message.text for message in self.sms.messages]
            case _:
                return [post.text for post in getattr(self, network).posts]


@contextmanager
def open_five(folder: Path, login: tuple[str, str] | None = None) -> Iterator[Five]:
    theirs = AheadClock()
    with ExitStack() as stack:
        five = Five(
            folder,
            stack.enter_context(FakeXServer(now=theirs.now)),
            stack.enter_context(FakeMastodonServer(now=theirs.now)),
            stack.enter_context(FakeBlueskyServer("police34.example", now=theirs.now)),
            stack.enter_context(FakeMailServer(login)),
            stack.enter_context(FakeSmsServer(now=theirs.now)),
            theirs=theirs,
            login=login,
        )
        stack.callback(five.close)
        yield five
