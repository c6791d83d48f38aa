"""`policenotify demo`: an evening of a police desk on fake networks."""

from __future__ import annotations

import socket
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

import click
from rich.rule import Rule
from rich.text import Text as RichText

from policenotify.channel import ChannelConfig
from policenotify.cli.context import json_text
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.language import desk_language
from policenotify.cli.output import Part, in_short, line, paragraph, printed, prose
from policenotify.cli.report.builder import Report, draw
from policenotify.cli.report.cards import STAGES
from policenotify.cli.report.file import PageFile
from policenotify.cli.report.source import ReportEntry
from policenotify.cli.usage import BadParameter
from policenotify.delivery.service import ended_by_signals
from policenotify.errors import MissingExtra
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.render.locales import LOCALES
from policenotify.translation import AnyText, Text, in_language

if TYPE_CHECKING:
    from policenotify.testing.dev import DevNetworks

_Started = TypeVar("_Started")

STORY = (
    "accident/opening", "bomb/opening", "accident/update", "bomb/update", "fire/opening", "bomb/end", "accident/end",
    "fire/end", "scam/info",
)  # fmt: skip
"""The messages, by the names of the samples."""

STILL_OPEN = "demo/opening"
"""What a served feed holds besides: an incident that is still to come, for its map and its calendar."""

INCIDENT = "accident"
"""The incident that is printed."""

PAGE = "policenotify-demo.html"
"""The page by default, in the current folder: a browser from a sandbox cannot open one in a temporary folder."""

PORT = 8034
"""The port of a served feed. IANA has assigned it to nothing."""

NETWORKS = ("x", "mastodon", "bluesky", "sms", "mail")
"""The channels of the demo, on fake networks."""

_WAIT = timedelta(minutes=1)
"""How long a network may take: on a slow machine, too, every post is shown."""


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
    from policenotify.testing.dev import DevNetworks
    from policenotify.testing.samples import PARIS, SENDER

    clock = StoryClock()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="policenotify-demo-")))
        networks = stack.enter_context(DevNetworks(channels=NETWORKS, now=clock.now))
        keys = Keys.create(lambda count: bytes(range(count)))  # no secret: each demo has the same references
        publisher = Publisher(
            Installation(
                journal=open_journal(str(folder / "demo.db"), keys=keys, clock=clock, create=True),
                channels=[*(network.config for network in networks), *channels],
                zone=PARIS,
                sender=SENDER,
                wait=_WAIT,
                clock=clock,
            )
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
        raise MissingExtra(Text("The feed's web server"), "web") from None
    with tempfile.TemporaryDirectory(prefix="policenotify-feed-") as folder, socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server = uvicorn.Server(uvicorn.Config(app(folder), log_level="warning", lifespan="off"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield configure_channel(
                "feed", "feed", {"url": url, "folder": folder, "publisher": SENDER}, locales=LOCALES
            )
        finally:
            server.should_exit = True
            thread.join(_WAIT.total_seconds())


def publish_story(desk: DemoDesk, names: Sequence[str] = STORY) -> Iterator[ReportEntry]:
    """Publish the story, and yield each publication with what is new on the networks.

    Args:
        desk: The installation.
        names: The names of the samples.
    """
    from policenotify.testing.samples import SAMPLES

    counts: Counter[str] = Counter()
    for sample in sorted((sample for sample in SAMPLES if sample.id in names), key=lambda sample: sample.at):
        desk.clock.put_to(sample.at)
        preview = desk.publisher.preview(sample.message, count_people=True)
        publication = desk.publisher.publish(sample.message, key=sample.id, actor="demo")
        posts = {network.channel: tuple(network.posts) for network in desk.networks}
        new = {name: shown[counts[name] :] for name, shown in posts.items()}
        counts.update({name: len(shown) for name, shown in new.items()})
        yield ReportEntry(at=publication.at, preview=preview, publication=publication, reader_posts=new)


@click.command("demo", epilog=exit_codes("3 a post is not as it should be"))
@click.option(
    "--html",
    metavar="FILE",
    default=PAGE,
    show_default=True,
    help="Write a page that shows every network as its readers see it, for a browser or a printer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead.")
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
def demo(*, html: str, as_json: bool, port: int | None) -> None:
    """Run a demonstration: an evening of a police desk. No account is needed, nothing leaves this machine.

    An accident in Montpellier (opening, update, end), a bomb disposal operation, a fire and a prevention message are
    published through the real SDKs to servers on 127.0.0.1. A page shows them as their readers see them. The accident
    on one network is printed, too, with its receipts.

    \b
    Examples:
      policenotify demo
      policenotify demo --html demo.html --json | jq '.publications[].receipts'
      policenotify demo --serve
    """
    from policenotify.testing.dev import dev_page

    language = desk_language(None)
    say = partial(in_language, language=language)
    with ExitStack() as stack:
        file = stack.enter_context(PageFile(html))
        feed = None if port is None else _at_port(port, lambda port: stack.enter_context(served_feed(port)))
        try:
            desk = stack.enter_context(open_desk(channels=[feed] if feed else ()))
        except MissingExtra as error:
            raise MissingExtra(Text("The command 'demo'"), "demo") from error
        page = None
        if port is not None:
            shown = partial(dev_page, desk.networks, language=language)
            page = _at_port(port and port + 1, lambda port: stack.enter_context(shown(port)))
        entries = list(publish_story(desk, (*STORY, STILL_OPEN) if feed else STORY))
        report = draw("demo", entries, desk.publisher)
        file.write(report, language)
        click.echo(json_text(_document(report)) if as_json else printed(_lines(report, say), say))
        click.echo(say(file.text), err=as_json)
        if feed and page:
            click.echo(say(Text("\nWhat readers see: {page}", page=page)), err=as_json)
            click.echo(say(Text("The feed: http://{account}/ (Ctrl-C ends it)", account=feed.account)), err=as_json)
            with ended_by_signals() as signals:
                while not signals.wait(3_600):
                    pass
    if report.concerns:
        raise SystemExit(Exit.ATTENTION)


def _at_port(port: int, start: Callable[[int], _Started]) -> _Started:
    """Start a server at a port."""
    try:
        return start(port)
    except OSError as error:
        reason = Text(
            "port {port} of 127.0.0.1 cannot be used ({strerror}). Nothing was done.",
            port=port,
            strerror=error.strerror,
        )
        raise BadParameter(reason, param_hint="--serve") from None


def _lines(report: Report, say: Callable[[AnyText], str]) -> Iterator[Part]:
    """Yield the posts of the incident on the first network, its outcomes, and what a person should look at."""
    [section] = [section for section in report.sections if section.incident == INCIDENT] or report.sections[:1]
    for card in section.devices[0].cards:
        parent = f" · {say(Text('In reply to'))} {card.parent.clock}" if card.parent else ""
        title = f"{card.device.look.name} · {section.label} · {say(card.stage)} {card.clock}{parent}"
        yield Rule(RichText(title, style="bold"), style="dim", align="left")
        yield RichText(f"{card.title}\n\n{card.text}".strip())
    yield prose()
    for entry in section.entries:
        if entry.publication:
            stage, outcomes = STAGES[entry.message.stage], in_short(entry.publication)
            yield line(Text("{stage} {at}: {outcomes}", stage=stage, at=f"{entry.at:%H:%M}", outcomes=outcomes))
    for _, label, reason in report.concerns:
        yield paragraph(Text("{label}: {reason}", label=label, reason=reason), "✘ ")
    yield prose(report.closing)


def _document(report: Report) -> dict[str, object]:
    """Return the publications, and by channel the texts of each incident."""
    threads = defaultdict(list)
    for device in (device for section in report.sections for device in section.devices):
        threads[device.channel.name].append([card.title or card.text for card in device.cards])
    return {"publications": [entry.publication for entry in report.entries], **threads}
