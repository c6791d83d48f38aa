"""`policenotify demo`: an evening of a police desk on fake networks."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policenotify.cli.context import CliContext, command
from policenotify.cli.exit_codes import Exit
from policenotify.cli.output import Part, in_short, line, paragraph, prose
from policenotify.cli.report.builder import Report, draw
from policenotify.cli.report.file import page_path, write_page
from policenotify.cli.report.source import ReportEntry
from policenotify.errors import MissingExtra
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.testing.dev import DevNetworks

STORY = (
    "accident/opening", "bomb/opening", "accident/update", "bomb/update", "fire/opening", "bomb/end", "accident/end",
    "fire/end", "scam/info",
)  # fmt: skip
"""The messages, by the names of the samples."""

INCIDENT = "accident"
"""The incident that is printed."""

PAGE = "policenotify-demo.html"
"""The page by default, in the current folder: a browser from a sandbox cannot open one in a temporary folder."""

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
def open_desk() -> Iterator[DemoDesk]:
    """Start the fake networks and a publisher; delete everything afterwards.

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
                channels=[network.config for network in networks],
                zone=PARIS,
                sender=SENDER,
                wait=_WAIT,
                clock=clock,
            )
        )
        yield DemoDesk(stack.enter_context(publisher), clock, networks)


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


@command("demo", exits="1 the page cannot be written; 3 a post is not as it should be")
@click.option(
    "--html",
    metavar="FILE",
    default=PAGE,
    show_default=True,
    help="Write a page that shows every network as its readers see it, for a browser or a printer.",
)
def demo(call: CliContext, *, html: str) -> Exit:
    """Run a demonstration: an evening of a police desk. No account is needed, nothing leaves this machine.

    An accident in Montpellier (opening, update, end), a bomb disposal operation, a fire and a prevention message are
    published through the real SDKs to servers on 127.0.0.1. A page shows them as their readers see them. The accident
    on one network is printed, too, with its receipts.

    \b
    Examples:
      policenotify demo
      policenotify demo --html demo.html --json | jq '.publications[].receipts'
    """
    path = page_path(html)
    with ExitStack() as stack:
        try:
            desk = stack.enter_context(open_desk())
        except MissingExtra as error:
            raise MissingExtra(Text("The command 'demo'"), "demo") from error
        report = draw("demo", list(publish_story(desk)), desk.publisher)
        place = write_page(path, report, call.language)
        document = {"publications": [entry.publication for entry in report.entries], "page": str(path)}
        call.emit(document, *_lines(report), line(place))
    return Exit.ATTENTION if report.needs_person else Exit.OK


def _lines(report: Report) -> Iterator[Part]:
    """Yield the posts of the incident on the first network, its outcomes."""
    [section] = [section for section in report.sections if section.incident == INCIDENT]
    for card, entry in zip(section.devices[0].cards, section.entries, strict=True):
        yield line(Text.join(" · ", (card.device.look.name, section.label, card.stage, card.clock)), "bold")
        yield paragraph(card.text)
        if entry.publication:
            yield paragraph(in_short(entry.publication))
    yield prose(report.closing)
