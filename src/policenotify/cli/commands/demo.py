"""`policenotify demo`: an evening of a police desk on fake networks."""

from __future__ import annotations

import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import TypeAlias

import click
from rich.box import HORIZONTALS
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text
from rich.tree import Tree

from policenotify.channel import ChannelConfig
from policenotify.cli.context import json_text
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.language import desk_catalogue
from policenotify.cli.report.builder import draw
from policenotify.cli.report.file import PageFile, html_option
from policenotify.cli.report.networks import look_of
from policenotify.cli.report.source import ReaderPost, ReportEntry
from policenotify.cli.systemd import ended_by_signals
from policenotify.errors import MissingExtra
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.model.receipt import Publication
from policenotify.networks.registry import configure_channel
from policenotify.publishing.publisher import Publisher

STORY = (
    "accident/opening", "bomb/opening", "accident/update", "bomb/update", "fire/opening", "bomb/end", "accident/end",
    "fire/end", "scam/info",
)  # fmt: skip
"""The messages, by the names of the samples."""

STILL_OPEN = "demo/opening"
"""What a served feed holds besides: an incident that is still to come, for its map and its calendar."""

PORT = 8034
"""The port of a served feed. IANA has assigned it to nothing."""

READERS = ("redaction@journal.example", "standard@mairie.example")
"""Recipients of the mails."""

PHONES = ("+33639980001", "+33639980002", "+33639980003")
"""Recipients of the SMS. ARCEP reserves 06 39 98 00 00 to 99 for films."""

_WAIT = timedelta(seconds=10)


class StoryClock(SystemClock):
    """The machine's clock, set to another day."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """Return the time of the story."""
        return super().now() + self._ahead

    def put_to(self, at: datetime) -> None:
        """Set the clock to a moment."""
        self._ahead = at - super().now()


@dataclass(frozen=True, slots=True)
class DemoNetwork:
    """A fake network.

    Attributes:
        posts: Returns what a reader sees there now, the oldest first.
    """

    channel: ChannelConfig
    posts: Callable[[], Sequence[ReaderPost]]

    @property
    def name(self) -> str:
        """Its usual name."""
        return look_of(self.channel.network).name


StartNetwork: TypeAlias = Callable[[ExitStack, StoryClock], DemoNetwork]
"""Starts a fake network, to be closed with the stack."""


def _x(stack: ExitStack, clock: StoryClock) -> DemoNetwork:
    from policenotify.testing.servers.x import FakeXServer

    server = stack.enter_context(FakeXServer("police34", now=clock.now))
    names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    credentials = dict(zip(names, (*server.consumer, *server.access), strict=True))
    return DemoNetwork(
        configure_channel("x", "x", {"handle": server.handle, "service": server.url, **credentials}),
        lambda: [ReaderPost(id=post.id, text=post.text, parent=post.parent) for post in server.posts],
    )


def _mastodon(stack: ExitStack, clock: StoryClock) -> DemoNetwork:
    from policenotify.testing.servers.mastodon import FakeMastodonServer

    server = stack.enter_context(FakeMastodonServer("police34", now=clock.now))
    return DemoNetwork(
        configure_channel(
            "mastodon", "mastodon", {"server": server.url, "handle": server.handle, "token": server.token}
        ),
        lambda: [
            ReaderPost(id=post.id, text=post.text, parent=post.parent, warning=post.warning) for post in server.posts
        ],
    )


def _bluesky(stack: ExitStack, clock: StoryClock) -> DemoNetwork:
    from policenotify.testing.servers.bluesky import FakeBlueskyServer

    server = stack.enter_context(FakeBlueskyServer("police34.example", now=clock.now))
    options = {"handle": server.handle, "password": server.password, "service": server.url}
    return DemoNetwork(
        configure_channel("bluesky", "bluesky", options),
        lambda: [ReaderPost(id=post.uri, text=post.text, parent=post.parent, card=post.card) for post in server.posts],
    )


def _sms(stack: ExitStack, _clock: StoryClock) -> DemoNetwork:
    from policenotify.testing.servers.sms import FakeSmsServer

    server = stack.enter_context(FakeSmsServer())
    gateway = server.url.replace("http://", f"json://{server.user}:{server.password}@")
    options = {"url": f"{gateway}{server.JSON}?:to={{recipient}}&:from={{sender}}", "sender": "POLICE34"}
    return DemoNetwork(
        configure_channel("sms", "sms", options, recipients=lambda: PHONES),
        lambda: [ReaderPost(id=str(n), text=message.text) for n, message in enumerate(server.phone(PHONES[0]))],
    )


def _mail(stack: ExitStack, clock: StoryClock) -> DemoNetwork:
    from policenotify.testing.servers.mail import FakeMailServer, Mail

    server = stack.enter_context(FakeMailServer(now=clock.now))
    options = {
        "url": f"mailto://{server.host}:{server.port}/?from=alerte@police34.example&mode=insecure",
        "list_id": "alerte.police34.example",
        "unsubscribe": "https://police34.example/stop/{recipient}",
    }

    def read(mail: Mail) -> ReaderPost:
        message = mail.message
        plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
        return ReaderPost(
            id=str(message["Message-ID"]),
            text=plain.get_content() if plain else "",
            parent=message["In-Reply-To"] and str(message["In-Reply-To"]),
            title=str(message["Subject"]),
            html=html.get_content() if html else "",
        )

    return DemoNetwork(
        configure_channel("mail", "email", options, recipients=lambda: READERS),
        lambda: [read(mail) for mail in server.mailbox(READERS[0])],
    )


NETWORKS: tuple[StartNetwork, ...] = (_x, _mastodon, _bluesky, _sms, _mail)
"""The networks of the demo."""


@dataclass(frozen=True, slots=True)
class DemoDesk:
    """An installation on fake networks."""

    publisher: Publisher
    clock: StoryClock
    networks: tuple[DemoNetwork, ...]


@contextmanager
def open_desk(
    starts: Sequence[StartNetwork] | None = None, *, channels: Sequence[ChannelConfig] = ()
) -> Iterator[DemoDesk]:
    """Start the fake networks and a publisher; delete everything afterwards.

    Args:
        starts: The fake networks.
        channels: Channels besides.
    """
    from policenotify.testing.samples import PARIS, SENDER

    clock = StoryClock()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="policenotify-demo-")))
        networks = tuple(start(stack, clock) for start in starts or NETWORKS)
        keys = Keys.create(secrets.token_bytes)
        publisher = Publisher(
            journal=open_journal(str(folder / "demo.db"), keys=keys, clock=clock, create=True),
            channels=[*(network.channel for network in networks), *channels],
            zone=PARIS,
            sender=SENDER,
            wait=_WAIT,
            clock=clock,
        )
        yield DemoDesk(stack.enter_context(publisher), clock, networks)


@contextmanager
def served_feed(port: int) -> Iterator[ChannelConfig]:
    """Serve a feed in a temporary folder on the loopback, and yield its channel.

    Raises:
        MissingExtra: The extra `web` is not installed.
        OSError: The port is in use.
    """
    from policenotify.testing.samples import SENDER
    from policenotify.web import app

    try:
        import uvicorn
    except ModuleNotFoundError:
        raise MissingExtra("The feed's web server", "web") from None
    with tempfile.TemporaryDirectory(prefix="policenotify-feed-") as folder, socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server = uvicorn.Server(uvicorn.Config(app(folder), log_level="warning", lifespan="off"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield configure_channel("feed", "feed", {"url": url, "folder": folder, "publisher": SENDER})
        finally:
            server.should_exit = True
            thread.join(_WAIT.total_seconds())


def publish_story(desk: DemoDesk, names: Sequence[str] | None = None) -> Iterator[tuple[Publication, ReportEntry]]:
    """Publish the story, and yield each publication with what is new on the networks.

    Args:
        desk: The installation.
        names: The names of the samples, by default those of the story.
    """
    from policenotify.testing.samples import SAMPLES

    samples = {sample.id: sample for sample in SAMPLES}
    counts = dict.fromkeys((network.channel.name for network in desk.networks), 0)
    for sample in sorted((samples[name] for name in names or STORY), key=lambda sample: sample.at):
        desk.clock.put_to(sample.at)
        preview = desk.publisher.preview(sample.message)
        publication = desk.publisher.publish(sample.message, key=sample.id, actor="demo")
        posts = {network.channel.name: tuple(network.posts()) for network in desk.networks}
        new = {name: shown[counts[name] :] for name, shown in posts.items()}
        counts = {name: len(shown) for name, shown in posts.items()}
        entry = ReportEntry(at=publication.at, preview=preview, publication=publication, reader_posts=new)
        yield publication, entry


@click.command("demo", epilog=exit_codes("3 a post is not as it should be"))
@html_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the pages.")
@click.option(
    "--serve",
    "port",
    type=click.IntRange(0, 65_535),
    is_flag=False,
    flag_value=str(PORT),
    metavar="[PORT]",
    help=f"Publish into a feed, too, and serve it on 127.0.0.1 until Ctrl-C. Port {PORT} by default, 0 for a free one.",
)
def demo(*, html: str | None, as_json: bool, port: int | None) -> None:
    """Run a demonstration: an evening of a police desk. No account is needed, nothing leaves this machine.

    An accident in Montpellier (opening, update, end), a bomb disposal operation, a fire and a prevention message are
    published through the real SDKs to servers on 127.0.0.1, and shown as their readers see them.

    \b
    Examples:
      policenotify demo
      policenotify demo --html demo.html
      policenotify demo --json | jq '.publications[].receipts'
      policenotify demo --serve
    """
    console = Console(highlight=False, soft_wrap=False)
    catalogue = desk_catalogue(None)
    say = catalogue.translate if catalogue else str
    with ExitStack() as stack:
        file = stack.enter_context(PageFile(html)) if html else None
        feed = stack.enter_context(_feed(port)) if port is not None else None
        desk = stack.enter_context(open_desk(channels=[feed] if feed else ()))
        story = []
        for publication, entry in publish_story(desk, (*STORY, STILL_OPEN) if feed else STORY):
            story.append((publication, entry))
            if not as_json:
                console.print(_page(publication, entry, desk, say))
        if as_json:
            document = {
                "publications": [publication.model_dump(mode="json", exclude_none=True) for publication, _ in story],
                **{network.channel.name: _threads(network) for network in desk.networks},
            }
            click.echo(json_text(document))
        else:
            console.print(Group(*(_tree(network, say) for network in desk.networks)))
        if file:
            file.write(draw("demo", [entry for _, entry in story], desk.publisher), catalogue)
            click.echo(f"\n{say(str(file))}", err=as_json)
        if feed:
            click.echo(say(f"\nThe feed: http://{feed.account}/ (Ctrl-C ends it)"), err=as_json)
            with ended_by_signals() as signals:
                while not signals.wait(3_600):
                    pass
    if not all(publication.ok for publication, _ in story):
        raise SystemExit(Exit.ATTENTION)


@contextmanager
def _feed(port: int) -> Iterator[ChannelConfig]:
    with ExitStack() as stack:
        try:
            feed = stack.enter_context(served_feed(port))
        except OSError as error:
            reason = f"port {port} of 127.0.0.1 cannot be used ({error.strerror}). Nothing was done."
            raise click.BadParameter(reason, param_hint="--serve") from None
        yield feed


def _page(publication: Publication, entry: ReportEntry, desk: DemoDesk, say: Callable[[str], str]) -> Group:
    """Return a publication as its readers see it, with its receipts."""
    message = publication.message
    incident = f"incident {message.incident}, " if message.incident else ""
    when = publication.at.astimezone(desk.publisher.zone)
    head = f"\n{when:%A} {when:%Y-%m-%d %H:%M} · {message.category} · {incident}{message.stage}"
    return Group(
        Text(say(head), style="bold"),
        *(
            _panel(post, network.name, say)
            for network in desk.networks
            for post in entry.reader_posts[network.channel.name]
        ),
        *(Text(say(f"  {'✔' if receipt.ok else '✘'} {receipt}")) for receipt in publication.receipts),
    )


def _panel(post: ReaderPost, network: str, say: Callable[[str], str]) -> Panel:
    text = Text.assemble((f"{post.title}\n\n" if post.title else "", "bold"), post.text.strip())
    title = f"{network}{say(' · in reply to the one before') if post.parent else ''}"
    # Open at the sides: mails are wrapped at 78 columns, and a terminal has 80.
    return Panel(text, title=title, title_align="left", width=80, box=HORIZONTALS, padding=0)


def _tree(network: DemoNetwork, say: Callable[[str], str]) -> Tree:
    """Return the threads of a network."""
    tree = Tree(say(f"\nThreads on {network.name}"))
    for thread in _threads(network):
        branch = tree.add(_short(thread[0]))
        for reply in thread[1:]:
            branch.add(_short(reply))
    return tree


def _threads(network: DemoNetwork) -> list[list[str]]:
    """Return the threads: each post with the replies to it and to its replies."""
    threads: dict[str, list[str]] = {}
    for post in network.posts():
        thread = threads.get(post.parent or "", [])
        thread.append(post.title or post.text)
        threads[post.id] = thread
    return list({id(thread): thread for thread in threads.values()}.values())


def _short(text: str) -> Text:
    line = Text(text)
    line.truncate(70, overflow="ellipsis")  # so that it fits into a line of 80
    return line
