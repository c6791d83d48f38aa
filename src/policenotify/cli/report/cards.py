"""One post as a card of the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import tzinfo
from typing import Final

from policenotify.channel import ChannelConfig, Operation, Post
from policenotify.cli.context import plain
from policenotify.cli.report.mail_frame import letter
from policenotify.cli.report.networks import Look
from policenotify.cli.report.outcomes import verdict
from policenotify.cli.report.pieces import image, link_card, pieces
from policenotify.cli.report.source import Seen, Told
from policenotify.cli.report.values import Answer, Card, LinkCard, Meter, Moment, Tone, Verdict
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome, RenderedPost
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Receipt
from policenotify.text import sms

STAGES: Final = {
    Stage.OPENING: "Opening",
    Stage.UPDATE: "Update",
    Stage.END: "End",
    Stage.CORRECTION: "Correction",
    Stage.CANCELLATION: "Cancellation",
    Stage.STANDALONE: "Message",
}
"""What the page calls the stages."""

_DOING: Final = {
    Operation.POST: "",
    Operation.EDIT: "Changes the earlier post",
    Operation.DELETE: "Takes an earlier post back",
}
_REPLY, _ALONE = "Under the earlier post", "Where there is nothing to answer"


def tone(message: Message) -> Tone:
    """How urgent a message looks."""
    if message.stage is Stage.END:
        return "clear"
    if message.stage in {Stage.CANCELLATION, Stage.CORRECTION, Stage.STANDALONE}:
        return "info"
    return "act" if message.severity and message.severity.at_least(Severity.SEVERE) else "caution"


class Thread:
    """The posts of one channel in one section: it knows where on the page each of them is."""

    def __init__(self, channel: ChannelConfig, look: Look, device: str, zone: tzinfo) -> None:
        self._channel = channel
        self._look = look
        self.device = device
        self._zone = zone
        self._places: dict[str, Card] = {}
        self.cards: list[Card] = []

    def add(self, told: Told, wording: RenderedPost, seen: Seen | None) -> None:
        """Put a wording there: what went out, or, where nothing did, each of its two forms."""
        receipt = told.receipt(wording)
        for post, which in _forms(wording, receipt):
            card = self._card(told, wording, post, receipt, seen)
            answers = self._answers(wording, post, seen)
            doing = _DOING[wording.target.operation]
            self.cards.append(replace(card, wording=which or doing, answers=answers))
        publication = told.publication.id if told.publication else ""
        for name in filter(None, (f"{publication}/{wording.target.language}", seen.id if seen else "")):
            self._places[name] = self.cards[-1]

    def add_unworded(self, told: Told, operation: Operation, language: str, receipt: Receipt | None) -> None:
        """Put there what has no words: nothing is said, or an earlier post is taken back."""
        self.cards.append(
            Card(
                id=self._next(),
                stage=STAGES[told.message.stage],
                tone=tone(told.message),
                at=Moment(at=told.at.astimezone(self._zone)),
                language=language,
                wording=_DOING[operation],
                verdict=self._verdict(receipt),
            )
        )

    def _card(self, told: Told, wording: RenderedPost, post: Post, receipt: Receipt | None, seen: Seen | None) -> Card:
        look = self._look
        text = seen.text if seen else post.text
        html = seen.html if seen else post.html
        subject = seen.title if seen else post.title
        return Card(
            id=self._next(),
            stage=STAGES[post.stage],
            tone=tone(told.message),
            at=Moment(at=told.at.astimezone(self._zone)),
            language=post.language,
            out=receipt is not None and receipt.outcome is Outcome.POSTED,
            title=plain(subject) if self._channel.capabilities.title else "",
            # Where the network changed the text, the places of its links are not known.
            pieces=pieces(text, post.spans if text == post.text else ()),
            segments=tuple(plain(part) for part in sms(text).parts) if look.form == "phone" else (),
            letter=letter(html) if html else None,
            images=tuple(map(image, post.pictures)),
            link=_link(look, post, seen),
            warning=plain(seen.warning) if seen else "",
            meter=self._meter(text),
            omitted=wording.omitted,
            verdict=self._verdict(receipt),
        )

    def _verdict(self, receipt: Receipt | None) -> Verdict | None:
        return verdict(receipt, self._zone, self._channel.capabilities) if receipt else None

    def _meter(self, text: str) -> Meter:
        budget = self._channel.capabilities.budget
        used, limit = budget.usage(text)
        note = budget.describe(text) if budget.describe else ""
        return Meter(used=used, limit=limit, unit=self._look.unit, note=note)

    def _answers(self, wording: RenderedPost, post: Post, seen: Seen | None) -> Answer | None:
        if seen is not None:
            above = seen.parent
        elif post is wording.reply:
            above = f"{wording.target.reply_to[-1]}/{wording.target.language}"
        else:
            above = None
        if above is None:
            return None
        card = self._places.get(above)
        return Answer(id=card.id, label=card.at.clock) if card else Answer(id="", label="an earlier post")

    def _next(self) -> str:
        return f"{self.device}-{len(self.cards) + 1}"


def _forms(wording: RenderedPost, receipt: Receipt | None) -> Iterator[tuple[Post, str]]:
    if wording.reply is None or wording.reply is wording.standalone:
        yield wording.standalone, ""
    elif receipt is not None:
        yield wording.standalone if receipt.standalone else wording.reply, ""
    else:
        yield wording.reply, _REPLY
        yield wording.standalone, _ALONE


def _link(look: Look, post: Post, seen: Seen | None) -> LinkCard | None:
    """The card of a link: pictures leave no room for one."""
    if seen and seen.card:
        return link_card(*seen.card)
    if not post.link or post.pictures:
        return None
    if look.card == "page":
        return link_card(post.link)
    return link_card(post.link, post.title) if look.card == "post" and seen is None else None
