"""Report pages for the tests: every network with every outcome, and hostile texts."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image as Drawing

from policenotify.channel import Capabilities, ChannelConfig, Recipient, RecipientOutcome
from policenotify.cli.commands.demo import STORY, StoryClock
from policenotify.cli.report.builder import Report, draw, draw_networks
from policenotify.cli.report.file import dev_html
from policenotify.cli.report.source import ReaderPost, ReportEntry
from policenotify.errors import Blocked, Refused
from policenotify.journal.keys import Keys
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Location
from policenotify.model.message import Image, Message
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import SAMPLES
from policenotify.text import Budget, graphemes, mastodon_length, sms, to_gsm, x_weight
from tests.support.fake_network import Scripted
from tests.support.installation import open_journal_publisher

READERS = ("redaction@journal.example", "standard.secret@mairie.example", "+33639981234")
ACCOUNTS = {
    "x": "police34",
    "mastodon": "police34@social.example",
    "bluesky": "police34.example@127.0.0.1:4711",
    "sms": "token-of-the-gateway",
    "email": "alerte@police34.example alerte.police34.example",
    "pager": "key-of-another-site",
}

LONG_WORD = "Donaudampfschifffahrt" * 24
HOSTILE = (
    '</style><script>document.title="owned"</script><img src=x onerror=alert(1)>',
    '" onmouseover="alert(1)" x=\'&quot;&amp;lt; {{ 7*7 }} {% raw %}',
    "\u202eevirra tse ecilop aL\u202c نوسع العربية נוסע \u2067ABC",
    LONG_WORD,
    "👮‍♀️👨‍👩‍👧‍👦🇫🇷1️⃣🚨𝐀𝐥𝐞𝐫𝐭𝐞 𠮷野家 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!",
    "--></textarea></title></iframe></details></article><!-- ]]> <base href=//evil.example>",
    "https://evil.example/" + "a" * 400 + "?q=%22%3E%3Cscript%3E#" + "b" * 90,
)
"""Hostile texts."""

MAIL = (
    f"<html><head><title>{LONG_WORD}</title></head><body><script>top.document.title='owned'</script>"
    f'<p>{HOSTILE[0]}<img src="https://evil.example/pixel.png"></body>'
)
"""A mail that is itself an attack."""


def budgets(room: int = 1) -> dict[str, Capabilities]:
    """Return the budgets of the networks, multiplied."""
    post: dict[str, Any] = {"replies": True, "images": 4}
    mail: dict[str, Any] = {"title": True, "html": True, "recipients": True, "replies": True, "images": 10}
    return {
        "x": Capabilities(budget=Budget(280 * room, x_weight), **post),
        "mastodon": Capabilities(budget=Budget(500 * room, mastodon_length), **post),
        "bluesky": Capabilities(budget=Budget(300 * room, graphemes), **post),
        "sms": Capabilities(
            budget=Budget(
                459 * room,
                lambda text: sms(text).units,
                transliterate=to_gsm,
                describe=lambda text: f"{sms(text).encoding}, {sms(text).segments} segments",
            ),
            recipients=True,
            hashtags=False,
        ),
        "email": Capabilities(budget=Budget(100_000), **mail),
        "pager": Capabilities(budget=Budget(240 * room)),
    }


def everywhere(room: int = 1, scripts: Mapping[str, Sequence[Any]] | None = None) -> list[ChannelConfig]:
    """Return a channel on each network. Calls outside the script succeed."""
    made = []
    for network, capabilities in budgets(room).items():
        scripted = Scripted(
            account=ACCOUNTS[network], capabilities=capabilities, sends=deque((scripts or {}).get(network, ()))
        )
        scripted.people.extend(READERS)
        made.append(scripted.configured(network).model_copy(update={"network": network}))
    return made


@contextmanager
def desk(folder: Path, channels: Sequence[ChannelConfig], **how: Any) -> Iterator[tuple[Publisher, StoryClock]]:
    clock = StoryClock()
    usual = {"wait": timedelta(seconds=5), "clock": clock}
    keys = Keys.create(secrets.token_bytes)
    with open_journal_publisher(folder / "pages.db", keys, *channels, **{**usual, **how}) as publisher:
        yield publisher, clock


def publish_entry(publisher: Publisher, message: Message, key: str) -> ReportEntry:
    preview = publisher.preview(message)
    publication = publisher.publish(message, key=key, actor="desk")
    return ReportEntry(at=publication.at, preview=preview, publication=publication)


def partly(people: Sequence[Recipient]) -> Iterator[RecipientOutcome]:
    """The last person's address does not exist."""
    yield from (RecipientOutcome(key=person.key, outcome="posted") for person in people[:-1])
    yield RecipientOutcome(key=people[-1].key, outcome="refused", code="550 5.1.1", reason="No such mailbox.")


def lost(*_: Any) -> Any:
    raise OSError("cut in the middle")


def stories(folder: Path) -> Report:
    """The demo's story on every network, with everything that can become of a post."""
    scripts: dict[str, list[Any]] = {
        "x": [Refused("X says that the text was posted already.", remedy="Change a word.", code="403")],
        "email": [partly],
        "mastodon": [lost, Blocked("The token was revoked.", remedy="Make a new token, then: policenotify doctor.")],
    }
    with desk(folder, everywhere(scripts=scripts)) as (publisher, clock):
        told = []
        for sample in sorted((one for one in SAMPLES if one.id in STORY), key=lambda one: one.at):
            clock.put_to(sample.at)
            told.append(publish_entry(publisher, sample.message, sample.id))
        return draw("demo", told, publisher)


def previewed(folder: Path) -> Report:
    """Preview an update in both wordings, with findings and a picture."""
    opening, update = SAMPLES[:2]
    with desk(folder, everywhere()) as (publisher, clock):
        clock.put_to(opening.at)
        publish_entry(publisher, opening.message, "opening")
        clock.put_to(update.at)
        pictures = (Image(alt="Plan du secteur", data=png(800, 450)),)
        message = update.message.model_copy(update={"images": pictures, "link": "https://police34.example/deviation"})
        long = message.model_copy(update={"description": "Circulation difficile. " * 30, "instruction": ""})
        return draw(
            "preview", [ReportEntry(at=update.at, preview=publisher.preview(one)) for one in (message, long)], publisher
        )


def hostile(folder: Path) -> Report:
    """Texts that want out, in every field and on every network."""
    pictures = tuple(
        Image(alt=text[:900], data=png(1200, 800 - 200 * number)) for number, text in enumerate(HOSTILE[:3])
    )
    words = dict(zip(("headline", "description", "instruction"), HOSTILE, strict=False))
    with desk(folder, everywhere(room=60), checks=(), sender=HOSTILE[0]) as (publisher, _):
        told = []
        for number in range(len(HOSTILE)):
            turned = (*HOSTILE[number:], *HOSTILE[:number])
            message = Message(
                category="fire",
                location=Location(commune="34172", label=turned[3][:120]),
                lifecycle=Lifecycle(stage=Stage.OPENING, incident=f"hostile-{number}"),
                images=pictures[: number % 4],
                link="https://police34.example/" + "x" * 150 if number else None,
                **dict(zip(words, (turned[0][:160], turned[1], turned[2]), strict=True)),
            )
            told.append(publish_entry(publisher, message, str(number)))
        post, mail = shown()
        told[0] = replace(told[0], reader_posts={"mastodon": (post,), "email": (mail,)})
        return draw("preview", told, publisher)


def shown() -> tuple[ReaderPost, ReaderPost]:
    """A post and a mail that are themselves attacks."""
    post = ReaderPost(id="1", text=HOSTILE[0], warning=HOSTILE[1], card=("javascript:alert(1)", HOSTILE[5], HOSTILE[3]))
    return post, ReaderPost(id="m", text=HOSTILE[0], title=HOSTILE[0], html=MAIL)


def attacks() -> str:
    """The page of fake networks that show such a post and such a mail."""
    post, mail = shown()
    channels = {channel.network: channel for channel in everywhere()}
    devices = draw_networks([(channels["mastodon"], [post]), (channels["email"], [mail])], HOSTILE[0])
    return dev_html(devices, modes={}, reload=0)


def png(width: int, height: int) -> bytes:
    """A grey picture."""
    file = BytesIO()
    Drawing.new("L", (width, height), 0x90).save(file, "PNG")
    return file.getvalue()
