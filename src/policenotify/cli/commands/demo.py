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
from typing import TYPE_CHECKING, Any, TypeVar

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
from policenotify.delivery.service import ended_by_signals
from policenotify.errors import MissingExtra
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.model.receipt import Publication
from policenotify.networks.registry import configure_channel
from policenotify.publishing.publisher import Publisher

if TYPE_CHECKING:
    from policenotify.testing.dev.network import DevNetwork, ShownPost
    from policenotify.testing.dev.networks import DevNetworks

_Started = TypeVar("_Started")

STORY = (
    "accident/opening", "bomb/opening", "accident/update", "bomb/update", "fire/opening", "bomb/end", "accident/end",
    "fire/end", "scam/info",
)  # fmt: skip
"""The messages, by the names of the samples."""

STILL_OPEN = "demo/opening"
"""What a served feed holds besides: an incident that is still to come, for its map and its calendar."""

PORT = 8034
"""The port of a served feed. IANA has assigned it to nothing."""

NETWORKS = ("x", "mastodon", "bluesky", "sms", "mail")
"""The channels of the demo, on fake networks."""

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
class DemoDesk:
    """An installation on fake networks."""

    publisher: Publisher
    clock: StoryClock
    networks: DevNetworks


@contextmanager
def open_desk(*, channels: Sequence[ChannelConfig] = ()) -> Iterator[DemoDesk]:
    """Start the fake networks and a publisher; delete everything afterwards.

    Args:
        channels: Channels besides.

    Raises:
        MissingExtra: The library of a network or of its fake server is not installed.
    """
    from policenotify.testing.dev.kinds import KINDS
    from policenotify.testing.dev.networks import DevNetworks
    from policenotify.testing.samples import PARIS, SENDER

    clock = StoryClock()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="policenotify-demo-")))
        kinds = [kind for kind in KINDS if kind.channel in NETWORKS]
        networks = stack.enter_context(DevNetworks(kinds=kinds, partial=False, now=clock.now))
        keys = Keys.create(secrets.token_bytes)
        publisher = Publisher(
            journal=open_journal(str(folder / "demo.db"), keys=keys, clock=clock, create=True),
            channels=[*(network.config for network in networks), *channels],
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
    counts = dict.fromkeys((network.channel for network in desk.networks), 0)
    for sample in sorted((samples[name] for name in names or STORY), key=lambda sample: sample.at):
        desk.clock.put_to(sample.at)
        preview = desk.publisher.preview(sample.message)
        publication = desk.publisher.publish(sample.message, key=sample.id, actor="demo")
        posts = {network.channel: tuple(map(_reader_post, network.posts)) for network in desk.networks}
        new = {name: shown[counts[name] :] for name, shown in posts.items()}
        counts = {name: len(shown) for name, shown in posts.items()}
        entry = ReportEntry(at=publication.at, preview=preview, publication=publication, reader_posts=new)
        yield publication, entry


def _reader_post(post: ShownPost) -> ReaderPost:
    return ReaderPost(
        id=post.id,
        text=post.text,
        parent=post.parent,
        title=post.title,
        html=post.html,
        warning=post.warning,
        card=post.card,
    )


@click.command("demo", epilog=exit_codes("3 a post is not as it should be"))
@html_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the pages.")
@click.option(
    "--serve",
    "port",
    type=click.IntRange(0, 65_534),
    is_flag=False,
    flag_value=str(PORT),
    metavar="[PORT]",
    help="Publish into a feed, too, and serve it on 127.0.0.1 until Ctrl-C, with a page that shows what readers see. "
    f"Port {PORT} and the next one by default, 0 for free ones.",
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
        feed = None if port is None else _at_port(port, lambda port: stack.enter_context(served_feed(port)))
        desk = stack.enter_context(open_desk(channels=[feed] if feed else ()))
        page = "" if port is None else _at_port(port and port + 1, lambda port: _served_page(stack, desk, port))
        story = []
        for publication, entry in publish_story(desk, (*STORY, STILL_OPEN) if feed else STORY):
            story.append((publication, entry))
            if not as_json:
                console.print(_page(publication, entry, desk, say))
        if as_json:
            document = {
                "publications": [publication.model_dump(mode="json", exclude_none=True) for publication, _ in story],
                **{network.channel: _threads(network) for network in desk.networks},
            }
            click.echo(json_text(document))
        else:
            console.print(Group(*(_tree(network, say) for network in desk.networks)))
        if file:
            file.write(draw("demo", [entry for _, entry in story], desk.publisher), catalogue)
            click.echo(f"\n{say(str(file))}", err=as_json)
        if feed:
            click.echo(say(f"\nWhat readers see: {page}"), err=as_json)
            click.echo(say(f"The feed: http://{feed.account}/ (Ctrl-C ends it)"), err=as_json)
            with ended_by_signals() as signals:
                while not signals.wait(3_600):
                    pass
    if not all(publication.ok for publication, _ in story):
        raise SystemExit(Exit.ATTENTION)


def _at_port(port: int, start: Callable[[int], _Started]) -> _Started:
    """Start a server at a port."""
    try:
        return start(port)
    except OSError as error:
        reason = f"port {port} of 127.0.0.1 cannot be used ({error.strerror}). Nothing was done."
        raise click.BadParameter(reason, param_hint="--serve") from None


def _served_page(stack: ExitStack, desk: DemoDesk, port: int) -> str:
    """Serve the page of what readers see, and return its address."""
    from policenotify.testing.dev.server import DevPage

    return stack.enter_context(DevPage(desk.networks, port, switches=False)).url


def _page(publication: Publication, entry: ReportEntry, desk: DemoDesk, say: Callable[[str], str]) -> Group:
    """Return a publication as its readers see it, with its receipts."""
    message = publication.message
    incident = f"incident {message.incident}, " if message.incident else ""
    when = publication.at.astimezone(desk.publisher.zone)
    head = f"\n{when:%A} {when:%Y-%m-%d %H:%M} · {message.category} · {incident}{message.stage}"
    return Group(
        Text(say(head), style="bold"),
        *(
            _panel(post, look_of(network.network).name, say)
            for network in desk.networks
            for post in entry.reader_posts[network.channel]
        ),
        *(Text(say(f"  {'✔' if receipt.ok else '✘'} {receipt}")) for receipt in publication.receipts),
    )


def _panel(post: ReaderPost, network: str, say: Callable[[str], str]) -> Panel:
    text = Text.assemble((f"{post.title}\n\n" if post.title else "", "bold"), post.text.strip())
    title = f"{network}{say(' · in reply to the one before') if post.parent else ''}"
    # Open at the sides: mails are wrapped at 78 columns, and a terminal has 80.
    return Panel(text, title=title, title_align="left", width=80, box=HORIZONTALS, padding=0)


def _tree(network: DevNetwork[Any], say: Callable[[str], str]) -> Tree:
    """Return the threads of a network."""
    tree = Tree(say(f"\nThreads on {look_of(network.network).name}"))
    for thread in _threads(network):
        branch = tree.add(_short(thread[0]))
        for reply in thread[1:]:
            branch.add(_short(reply))
    return tree


def _threads(network: DevNetwork[Any]) -> list[list[str]]:
    """Return the threads: each post with the replies to it and to its replies."""
    threads: dict[str, list[str]] = {}
    for post in network.posts:
        thread = threads.get(post.parent or "", [])
        thread.append(post.title or post.text)
        threads[post.id] = thread
    return list({id(thread): thread for thread in threads.values()}.values())


def _short(text: str) -> Text:
    line = Text(text)
    line.truncate(70, overflow="ellipsis")  # so that it fits into a line of 80
    return line
