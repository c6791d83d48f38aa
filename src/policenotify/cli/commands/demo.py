"""`policenotify demo`: an evening of a police desk on networks of the loopback, through the real SDKs."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import click
from rich.box import HORIZONTALS
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text
from rich.tree import Tree

from policenotify.channel import ChannelConfig
from policenotify.cli.exit_codes import exit_codes
from policenotify.cli.report.builder import draw
from policenotify.cli.report.file import PageFile, html_option
from policenotify.cli.report.networks import look_of
from policenotify.cli.report.source import Seen, Told
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
"""What is said, by the names of the samples."""

READERS = ("redaction@journal.example", "standard@mairie.example")
"""Who has subscribed to the mails."""

PHONES = ("+33639980001", "+33639980002", "+33639980003")
"""Who has subscribed to the SMS: numbers that belong to nobody (ARCEP: 06 39 98 00 00 to 99 are kept for films)."""

_PATIENCE = timedelta(seconds=10)
_STAGES = {"opening": "opens", "update": "update", "end": "end", "standalone": "said once"}


class StoryClock(SystemClock):
    """The machine's clock, put to another day: it ticks as it should."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """The time of the story."""
        return super().now() + self._ahead

    def put_to(self, at: datetime) -> None:
        """Go on from this moment."""
        self._ahead = at - super().now()


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the demo.

    Attributes:
        channel: Our account on it.
        shows: What a reader finds there by now, the oldest first.
    """

    channel: ChannelConfig
    shows: Callable[[], Sequence[Seen]]

    @property
    def name(self) -> str:
        """What people call it."""
        return look_of(self.channel.network).name


Start: TypeAlias = Callable[[ExitStack, StoryClock], Network]
"""Starts a network on the loopback, to be closed with the stack."""


def _x(opened: ExitStack, clock: StoryClock) -> Network:
    from policenotify.testing.servers.x import FakeXServer  # noqa: PLC0415 - only the demo starts stands

    stand = opened.enter_context(FakeXServer("police34", now=clock.now))
    names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    secrets_ = dict(zip(names, (*stand.consumer, *stand.access), strict=True))
    return Network(
        configure_channel("x", "x", {"handle": stand.handle, "service": stand.url, **secrets_}),
        lambda: [Seen(id=post.id, text=post.text, parent=post.parent) for post in stand.posts],
    )


def _mastodon(opened: ExitStack, clock: StoryClock) -> Network:
    from policenotify.testing.servers.mastodon import FakeMastodonServer  # noqa: PLC0415 - only the demo starts stands

    stand = opened.enter_context(FakeMastodonServer("police34", now=clock.now))
    return Network(
        configure_channel("mastodon", "mastodon", {"server": stand.url, "handle": stand.handle, "token": stand.token}),
        lambda: [Seen(id=one.id, text=one.text, parent=one.parent, warning=one.warning) for one in stand.posts],
    )


def _bluesky(opened: ExitStack, clock: StoryClock) -> Network:
    from policenotify.testing.servers.bluesky import FakeBlueskyServer  # noqa: PLC0415 - only the demo starts stands

    stand = opened.enter_context(FakeBlueskyServer("police34.example", now=clock.now))
    options = {"handle": stand.handle, "password": stand.password, "service": stand.url}
    return Network(
        configure_channel("bluesky", "bluesky", options),
        lambda: [Seen(id=post.uri, text=post.text, parent=post.parent, card=post.card) for post in stand.posts],
    )


def _sms(opened: ExitStack, _clock: StoryClock) -> Network:
    from policenotify.testing.servers.sms import FakeSmsServer  # noqa: PLC0415 - only the demo starts stands

    stand = opened.enter_context(FakeSmsServer())
    gateway = stand.url.replace("http://", f"json://{stand.user}:{stand.password}@")
    options = {"url": f"{gateway}{stand.JSON}?:to={{recipient}}&:from={{sender}}", "sender": "POLICE34"}
    return Network(
        configure_channel("sms", "sms", options, recipients=lambda: PHONES),
        lambda: [Seen(id=str(number), text=one.text) for number, one in enumerate(stand.phone(PHONES[0]))],
    )


def _mail(opened: ExitStack, clock: StoryClock) -> Network:
    from policenotify.testing.servers.mail import FakeMailServer, Mail  # noqa: PLC0415 - only the demo starts stands

    stand = opened.enter_context(FakeMailServer(now=clock.now))
    options = {
        "url": f"mailto://{stand.host}:{stand.port}/?from=alerte@police34.example&mode=insecure",
        "list_id": "alerte.police34.example",
        "unsubscribe": "https://police34.example/stop/{recipient}",
    }

    def read(mail: Mail) -> Seen:
        message = mail.message
        plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
        return Seen(
            id=str(message["Message-ID"]),
            text=plain.get_content() if plain else "",
            parent=message["In-Reply-To"] and str(message["In-Reply-To"]),
            title=str(message["Subject"]),
            html=html.get_content() if html else "",
        )

    return Network(
        configure_channel("mail", "email", options, recipients=lambda: READERS),
        lambda: [read(mail) for mail in stand.mailbox(READERS[0])],
    )


NETWORKS: tuple[Start, ...] = (_x, _mastodon, _bluesky, _sms, _mail)
"""Where the story is told: a network more is a line here, and how to read it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story is played."""

    publisher: Publisher
    clock: StoryClock
    networks: tuple[Network, ...]


@contextmanager
def stage(starts: Sequence[Start] | None = None) -> Iterator[Stage]:
    """Start the networks on the loopback, and a publisher with a journal of its own; all is gone afterwards."""
    from policenotify.testing.samples import PARIS, SENDER  # noqa: PLC0415 - only the demo tells them

    clock = StoryClock()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="policenotify-demo-")))
        networks = tuple(start(opened, clock) for start in starts or NETWORKS)
        publisher = Publisher(
            journal=open_journal(
                str(folder / "demo.db"), keys=Keys.create(secrets.token_bytes), clock=clock, create=True
            ),
            channels=[network.channel for network in networks],
            zone=PARIS,
            sender=SENDER,
            wait=_PATIENCE,
            clock=clock,
        )
        yield Stage(opened.enter_context(publisher), clock, networks)


def tell(on: Stage) -> Iterator[tuple[Publication, Told]]:
    """Publish the story, message by message, and look each time what is new on the networks."""
    from policenotify.testing.samples import SAMPLES  # noqa: PLC0415 - only the demo tells them

    samples = {sample.id: sample for sample in SAMPLES}
    known = dict.fromkeys((network.channel.name for network in on.networks), 0)
    for sample in sorted((samples[name] for name in STORY), key=lambda sample: sample.at):
        on.clock.put_to(sample.at)
        preview = on.publisher.preview(sample.message)
        publication = on.publisher.publish(sample.message, key=sample.id, actor="demo")
        new = {network.channel.name: tuple(network.shows()) for network in on.networks}
        seen = {name: posts[known[name] :] for name, posts in new.items()}
        known = {name: len(posts) for name, posts in new.items()}
        yield publication, Told(at=publication.at, preview=preview, publication=publication, seen=seen)


@click.command("demo", epilog=exit_codes("3 a post is not in order"))
@html_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the pages.")
def demo(*, html: str | None, as_json: bool) -> None:
    """Show an evening of a police desk: no account is needed, nothing leaves this machine.

    An accident in Montpellier (opening, update, end), a bomb disposal operation, a fire and a prevention message are
    published through the real SDKs to servers on 127.0.0.1, and shown as their readers see them.

    \b
    Examples:
      policenotify demo
      policenotify demo --html demo.html
      policenotify demo --json | jq '.publications[].receipts'
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    console = Console(highlight=False, soft_wrap=False)
    with ExitStack() as opened:
        file = opened.enter_context(PageFile(html)) if html else None
        on = opened.enter_context(stage())
        story = []
        for publication, told in tell(on):
            story.append((publication, told))
            if not as_json:
                console.print(_page(publication, told, on))
        if as_json:
            click.echo(json.dumps(_document([one for one, _ in story], on), ensure_ascii=False, indent=2))
        else:
            console.print(_threads(on))
        if file:
            file.write(draw("demo", [told for _, told in story], on.publisher))
            click.echo(f"\n{file}", err=as_json)
    if not all(one.ok for one, _ in story):
        raise SystemExit(3)


def _page(publication: Publication, told: Told, on: Stage) -> Group:
    """One publication as its readers see it, with its receipts."""
    message = publication.message
    about = f"incident {message.incident}, " if message.incident else ""
    when = publication.at.astimezone(on.publisher.zone)
    head = Text(f"\n{when:%A %d %B %Y, %H:%M} · {message.category} · {about}{_STAGES[message.stage]}", style="bold")
    return Group(
        head,
        *(_panel(seen, network.name) for network in on.networks for seen in told.seen[network.channel.name]),
        *(Text(f"  {'✔' if receipt.ok else '✘'} {receipt}") for receipt in publication.receipts),
    )


def _panel(seen: Seen, network: str) -> Panel:
    text = Text.assemble((f"{seen.title}\n\n" if seen.title else "", "bold"), seen.text.strip())
    title = f"{network}{' · in reply to the one before' if seen.parent else ''}"
    # Open at the sides: mails are wrapped at 78 columns, and a terminal has 80.
    return Panel(text, title=title, title_align="left", width=80, box=HORIZONTALS, padding=0)


def _threads(on: Stage) -> Group:
    """What became a thread on each network, as the network has it."""
    return Group(*(_tree(network) for network in on.networks))


def _tree(network: Network) -> Tree:
    tree = Tree(f"\nThreads on {network.name}")
    for thread in _by_thread(network):
        branch = tree.add(_short(thread[0]))
        for answer in thread[1:]:
            branch.add(_short(answer))
    return tree


def _by_thread(network: Network) -> list[list[str]]:
    """The first lines of its posts, each with those that answer it or an answer to it."""
    threads: dict[str, list[str]] = {}
    for seen in network.shows():
        thread = threads.get(seen.parent or "", [])
        thread.append(seen.title or seen.text)
        threads[seen.id] = thread
    return list({id(thread): thread for thread in threads.values()}.values())


def _short(text: str) -> Text:
    line = Text(text)
    line.truncate(70, overflow="ellipsis")  # so that a line of 80 holds it
    return line


def _document(published: list[Publication], on: Stage) -> dict[str, object]:
    return {
        "publications": [publication.model_dump(mode="json", exclude_none=True) for publication in published],
        **{network.channel.name: _by_thread(network) for network in on.networks},
    }
