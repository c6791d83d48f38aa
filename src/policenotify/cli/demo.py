"""`policenotify demo`: an evening of a police desk on two networks of the loopback, through the real SDKs."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.box import HORIZONTALS
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text
from rich.tree import Tree

from policenotify.clock import SystemClock
from policenotify.journal import open_journal
from policenotify.keys import Keys
from policenotify.publisher import Publisher
from policenotify.receipt import Publication
from policenotify.registry import configured

if TYPE_CHECKING:
    from policenotify.testing.bluesky import BlueskyStand, SeenPost
    from policenotify.testing.mailstand import Mail, MailStand

STORY = (
    "accident/opening", "bomb/opening", "accident/update", "bomb/update", "fire/opening", "bomb/end", "accident/end",
    "fire/end", "scam/info",
)  # fmt: skip
"""What is said, by the names of the samples."""

READERS = ("redaction@journal.example", "standard@mairie.example")
"""Who has subscribed to the mails."""

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
class Stage:
    """Where the story is played."""

    publisher: Publisher
    clock: StoryClock
    bluesky: BlueskyStand
    mail: MailStand


@contextmanager
def stage() -> Iterator[Stage]:
    """Start both networks on the loopback, and a publisher with a journal of its own; all is gone afterwards."""
    from policenotify.testing.bluesky import BlueskyStand  # noqa: PLC0415 - only the demo starts stands
    from policenotify.testing.mailstand import MailStand  # noqa: PLC0415 - likewise
    from policenotify.testing.samples import PARIS, SENDER  # noqa: PLC0415 - likewise

    clock = StoryClock()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="policenotify-demo-")))
        bluesky = opened.enter_context(BlueskyStand("police34.example", now=clock.now))
        mail = opened.enter_context(MailStand(now=clock.now))
        account = {"handle": bluesky.handle, "password": bluesky.password, "service": bluesky.url}
        relay = {
            "url": f"mailto://{mail.host}:{mail.port}/?from=alerte@police34.example&mode=insecure",
            "list_id": "alerte.police34.example",
            "unsubscribe": "https://police34.example/stop/{recipient}",
        }
        publisher = Publisher(
            journal=open_journal(str(folder / "demo.db"), keys=Keys.create(secrets.token_bytes), clock=clock),
            channels=[
                configured("bluesky", "bluesky", account),
                configured("mail", "email", relay, recipients=lambda: READERS),
            ],
            zone=PARIS,
            sender=SENDER,
            wait=_PATIENCE,
            clock=clock,
        )
        yield Stage(opened.enter_context(publisher), clock, bluesky, mail)


def tell(on: Stage) -> Iterator[Publication]:
    """Publish the story, message by message."""
    from policenotify.testing.samples import SAMPLES  # noqa: PLC0415 - only the demo tells them

    samples = {sample.id: sample for sample in SAMPLES}
    for sample in sorted((samples[name] for name in STORY), key=lambda sample: sample.at):
        on.clock.put_to(sample.at)
        yield on.publisher.publish(sample.message, key=sample.id, actor="demo")


@click.command("demo", short_help="Show an evening of a police desk; needs no account.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the pages.")
def demo(*, as_json: bool) -> None:
    """Show an evening of a police desk: no account is needed, nothing leaves this machine.

    An accident in Montpellier (opening, update, end), a bomb disposal operation, a fire and a prevention message are
    published through the real SDKs to a Bluesky and a mail server on 127.0.0.1, and shown as their readers see them.

    \b
    Examples:
      policenotify demo
      policenotify demo --json | jq '.publications[].receipts'
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    console = Console(highlight=False, soft_wrap=False)
    with stage() as on:
        published = []
        for publication in tell(on):
            published.append(publication)
            if not as_json:
                console.print(_page(publication, on))
        if as_json:
            click.echo(json.dumps(_document(published, on), ensure_ascii=False, indent=2))
        else:
            console.print(_threads(on))
    if not all(one.in_order for one in published):
        raise SystemExit(3)


def _page(publication: Publication, on: Stage) -> Group:
    """One publication as its readers see it, with its receipts."""
    message = publication.message
    about = f"incident {message.incident}, " if message.incident else ""
    when = publication.at.astimezone(on.publisher.zone)
    head = Text(f"\n{when:%A %d %B %Y, %H:%M} · {message.category} · {about}{_STAGES[message.stage]}", style="bold")
    posts = {post.uri: post for post in on.bluesky.posts}
    refs = [receipt.ref.id for receipt in publication.receipts if receipt.channel == "bluesky" and receipt.ref]
    return Group(
        head,
        *(_card(posts[uri]) for uri in refs),
        _letter(on.mail.mailbox(READERS[0])[-1]),
        *(Text(f"  {'✔' if receipt.in_order else '✘'} {receipt}") for receipt in publication.receipts),
    )


def _card(post: SeenPost) -> Panel:
    text = Text(post.text)
    for link in (*post.tags, *post.links):
        text.highlight_words([link.covers], "blue underline")
    above = " · in reply to the post before" if post.parent else ""
    return _panel(text, f"Bluesky{above}")


def _letter(mail: Mail) -> Panel:
    message = mail.message
    part = message.get_body(("plain",))
    body = part.get_content().strip() if part is not None else ""
    answers = " · in the thread of the first mail" if message["In-Reply-To"] else ""
    return _panel(Text.assemble((f"{message['Subject']}\n\n", "bold"), body), f"Mail{answers}")


def _panel(text: Text, title: str) -> Panel:
    # Open at the sides: mails are wrapped at 78 columns, and a terminal has 80.
    return Panel(text, title=title, title_align="left", width=80, box=HORIZONTALS, padding=0)


def _threads(on: Stage) -> Group:
    """What became a thread, on the network and in a mailbox."""
    posts = Tree("\nThreads on Bluesky (root and parent as the network has them)")
    for post in on.bluesky.posts:
        if post.root is None:
            branch = posts.add(_short(post.text))
            for answer in on.bluesky.thread(post.uri)[1:]:
                branch.add(_short(answer.text))
    mails = Tree(f"\nThreads in the mailbox of {READERS[0]} (by References)")
    for thread in on.mail.threads(READERS[0]):
        branch = mails.add(_short(str(thread[0].message["Subject"])))
        for mail in thread[1:]:
            branch.add(_short(str(mail.message["Subject"])))
    return Group(posts, mails)


def _short(text: str) -> Text:
    line = Text(text)
    line.truncate(70, overflow="ellipsis")  # so that a line of 80 holds it
    return line


def _document(published: list[Publication], on: Stage) -> dict[str, object]:
    return {
        "publications": [publication.model_dump(mode="json", exclude_none=True) for publication in published],
        "bluesky": [
            [post.text for post in on.bluesky.thread(post.uri)] for post in on.bluesky.posts if post.root is None
        ],
        "mail": [[str(mail.message["Subject"]) for mail in thread] for thread in on.mail.threads(READERS[0])],
    }
