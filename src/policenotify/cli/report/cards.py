"""Cards of a report: one post each, as readers see it, with its outcome."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from policenotify.channel import ChannelConfig, Operation, Post, Span
from policenotify.cli.output import STANDS_ALONE
from policenotify.cli.report.source import ReaderPost, ReportEntry, Tone
from policenotify.model.history import Outcome, RenderedPost
from policenotify.model.lifecycle import Stage
from policenotify.model.receipt import Receipt, local_time
from policenotify.publishing.reach import sentences
from policenotify.translation import AnyText, Text

State: TypeAlias = Literal["good", "wait", "bad", "none"]
"""The look of an outcome: nothing to do, not final, a person must act, neutral."""

STAGES: Final = {
    Stage.OPENING: Text("Opening"),
    Stage.UPDATE: Text("Update"),
    Stage.END: Text("End"),
    Stage.CORRECTION: Text("Correction"),
    Stage.CANCELLATION: Text("Cancellation"),
    Stage.STANDALONE: Text("Message"),
}
"""The labels of the stages."""

OPERATIONS: Final = {
    Operation.POST: "",
    Operation.EDIT: Text("Changes the earlier post"),
    Operation.DELETE: Text("Deletes an earlier post"),
}
"""What a post does to an earlier one."""

_DONE: Final = {Operation.EDIT: Text("edited"), Operation.DELETE: Text("deleted")}


class Look(NamedTuple):
    """How a network looks to its readers.

    Attributes:
        unit: The unit of its count.
    """

    network: str
    name: str
    form: Literal["timeline", "mailbox", "phone", "plain"]
    unit: AnyText = "characters"


_LOOKS: Final = {
    name.lower(): Look(name.lower(), name, "timeline", Text("characters as {name} counts", name=name))
    for name in ("X", "Mastodon", "Bluesky")
} | {"sms": Look("sms", "SMS", "phone", "units"), "email": Look("email", "E-mail", "mailbox")}
ORDER: Final = tuple(_LOOKS)
"""The networks in the order of the page. Any other one comes after them."""


def look_of(network: str) -> Look:
    """Return how a network looks. An unknown one is a plain card under its own name."""
    return _LOOKS.get(network) or Look("other", network, "plain")


class Piece(NamedTuple):
    """A part of a text. A linked one is a tag, or leads to a web address."""

    text: str
    linked: bool = False
    href: str = ""


class LinkCard(NamedTuple):
    """The card that a network makes of a link."""

    href: str
    host: str
    title: str
    about: str


def pieces(text: str, spans: Iterable[Span]) -> list[Piece]:
    """Split a text at its spans. A span beyond it or over an earlier one is ignored."""
    parts, done = [], 0
    for span in sorted(spans, key=lambda span: span.start):
        if done <= span.start < span.end <= len(text):
            href = web_address(span.value) if span.kind == "url" else ""
            parts += [Piece(text[done : span.start]), Piece(text[span.start : span.end], linked=True, href=href)]
            done = span.end
    return [piece for piece in (*parts, Piece(text[done:])) if piece.text]


def web_address(address: str) -> str:
    """Return a web address, or an empty text: nothing else may be clicked."""
    return address if re.match(r"https?://[^\s/]", address, re.IGNORECASE) and address.isprintable() else ""


def link_card(address: str, title: str = "", about: str = "") -> LinkCard:
    """Return the card of a link."""
    href = web_address(address)
    try:
        host = (urlsplit(href).hostname or "").removeprefix("www.")
    except ValueError:  # half an IPv6 address
        host = ""
    return LinkCard(href, host or address, title, about)


def data_url(image: bytes) -> str:
    """Return a JPEG or PNG image as a `data:` URL."""
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Card:
    """One post as readers see it.

    Attributes:
        entry: Its message; `None`: only the network knows the post.
        reader_post: The post as the network shows it; `None`: that is not known.
        wording: Which of two wordings it is, or what it does to an earlier post; else empty.
        post: The post; `None`: there is none, or an earlier one is deleted.
        receipt: Its receipt; `None`: this is a preview.
        omitted: What was left out so that the rest fits.
        is_reply: It answers another post.
        parent: The card of that post; `None`: it is not on the page.
    """

    id: str
    device: Device
    entry: ReportEntry | None
    language: str
    wording: str = ""
    post: Post | None = None
    reader_post: ReaderPost | None = None
    receipt: Receipt | None = None
    omitted: tuple[AnyText, ...] = ()
    is_reply: bool = False
    parent: Card | None = None

    @property
    def root(self) -> Card:
        """The first post of its thread."""
        return self.parent.root if self.parent else self

    @property
    def stage(self) -> AnyText:
        """Label of the stage."""
        if self.post:
            return STAGES[self.post.stage]
        return STAGES[self.entry.message.stage if self.entry else Stage.STANDALONE]

    @property
    def tone(self) -> Tone:
        """The urgency of its message."""
        return self.entry.tone if self.entry else "info"

    @property
    def clock(self) -> str:
        """The time of its message, or an empty text."""
        return f"{self.entry.at:%H:%M}" if self.entry else ""

    @property
    def reach(self) -> AnyText:
        """How many people a previewed post reaches, and what that costs. Empty if the network has no recipients."""
        counted = self.entry.preview.reach if self.entry and self.post and self.receipt is None else ()
        return next(sentences(counted, self.device.channel.name, self.language), "")

    @property
    def is_published(self) -> bool:
        """Whether it is published."""
        return self.receipt is not None and self.receipt.outcome is Outcome.POSTED

    @property
    def text(self) -> str:
        """The text that readers see."""
        shown = self.reader_post or self.post
        return shown.text if shown else ""

    @property
    def title(self) -> str:
        """The subject of a mail."""
        shown = self.reader_post or self.post
        return shown.title if shown and self.device.channel.capabilities.title else ""

    @property
    def pieces(self) -> list[Piece]:
        """The text, split where the network links it."""
        # Where the network changed the text, the places of its links are not known.
        return pieces(self.text, self.post.spans if self.post and self.text == self.post.text else ())

    @property
    def pictures(self) -> Sequence[tuple[str, bytes]]:
        """Alternative text and bytes of each of its pictures."""
        if self.post:
            return [(picture.alt, picture.data) for picture in self.post.pictures]
        return self.reader_post.images if self.reader_post else ()

    @property
    def link(self) -> LinkCard | None:
        """The link card. Before it is published only its link is known, and a post with pictures has none."""
        if self.reader_post and self.reader_post.card:
            return link_card(*self.reader_post.card)
        if self.device.look.form != "timeline" or not self.post or not self.post.link or self.post.pictures:
            return None
        return link_card(self.post.link)

    @property
    def outcome(self) -> AnyText:
        """The outcome of its receipt. An edit or a deletion that was taken is named so."""
        done = _DONE.get(self.receipt.operation) if self.receipt and self.is_published else None
        return done or (self.receipt.outcome if self.receipt else "")

    @property
    def state(self) -> State | None:
        """The look of its receipt."""
        if self.receipt is None:
            return None
        if self.receipt.outcome in {Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED}:
            return "wait"
        return "bad" if not self.receipt.ok else "good" if self.is_published else "none"

    @property
    def notes(self) -> Iterator[AnyText]:
        """What else there is to know of its receipt."""
        receipt = self.receipt
        if receipt and receipt.standalone and receipt.ref and self.device.channel.capabilities.replies:
            yield STANDS_ALONE
        if receipt and receipt.retry_at and not receipt.outcome.is_final:
            yield Text("Not before {retry_at}.", retry_at=local_time(receipt.retry_at, self.device.zone))
        if receipt and receipt.note:
            yield receipt.note


@dataclass(slots=True, kw_only=True, eq=False)
class Device:
    """The posts of one channel in one section: a timeline, a mailbox, a telephone."""

    id: str
    channel: ChannelConfig
    sender: str
    zone: tzinfo = UTC
    cards: list[Card] = field(default_factory=list)
    _cards_by_reference: dict[str, Card] = field(default_factory=dict)

    @property
    def look(self) -> Look:
        """How its network looks."""
        return look_of(self.channel.network)

    @property
    def handle(self) -> str:
        """The account as readers know it. Empty where they see none, as it may be a number or a key."""
        account = self.channel.account
        if self.look.form == "timeline":
            return f"@{account.removeprefix('@').partition('@')[0]}"
        return account.partition(" ")[0] if self.look.form == "mailbox" else ""

    def add_post(self, entry: ReportEntry, rendered: RenderedPost, shown: ReaderPost | None) -> None:
        """Add the post that was published, or each of its two wordings."""
        receipt, target = entry.receipt(rendered), rendered.target
        for post, wording in _wordings(rendered, receipt):
            answers = shown.parent if shown else None
            if shown is None and post is rendered.reply and target.reply_to:
                answers = f"{target.reply_to[-1]}/{target.language}"
            self.add(
                entry,
                post.language,
                references=(f"{entry.id}/{target.language}", *((shown.id,) if shown else ())),
                answers=answers,
                wording=wording or OPERATIONS[target.operation],
                post=post,
                reader_post=shown,
                receipt=receipt,
                omitted=rendered.omitted,
            )

    def add(
        self,
        entry: ReportEntry | None,
        language: str,
        *,
        references: Iterable[str] = (),
        answers: str | None = None,
        **fields: Any,  # noqa: ANN401 - the fields of a card
    ) -> None:
        """Add a card of these fields. By its *references* later cards may answer it, as it *answers* one."""
        name, parent = f"{self.id}-{len(self.cards) + 1}", self._cards_by_reference.get(answers or "")
        is_reply = answers is not None
        card = Card(id=name, device=self, entry=entry, language=language, is_reply=is_reply, parent=parent, **fields)
        self.cards.append(card)
        self._cards_by_reference |= dict.fromkeys(references, card)


def _wordings(rendered: RenderedPost, receipt: Receipt | None) -> Iterator[tuple[Post, AnyText]]:
    if rendered.reply is None or rendered.reply is rendered.standalone or not rendered.target.reply_to:
        yield rendered.alone, ""
    elif receipt is not None:
        yield rendered.alone if receipt.standalone else rendered.reply, ""
    else:
        yield rendered.reply, Text("Under the earlier post")
        yield rendered.alone, Text("Where there is nothing to answer")
