"""What the page is drawn from: a message, how it is worded, what became of it, and what readers have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from policenotify.channel import Operation
from policenotify.model.history import Outcome, RenderedPost, Target
from policenotify.model.message import Message
from policenotify.model.receipt import Publication, Receipt
from policenotify.publishing.publisher import Preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One post as the network shows it to a reader.

    Attributes:
        id: The network's own id of it.
        text: What is read.
        parent: The id of the post that it answers, or `None`.
        title: The subject of a mail.
        html: The formatted version of a mail.
        warning: A content warning before it.
        card: The URL, title and text of the link card; `None`: as the page knows the network to make it.
    """

    id: str
    text: str
    parent: str | None = None
    title: str = ""
    html: str = ""
    warning: str = ""
    card: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One message.

    Attributes:
        at: When it was said, or would be.
        preview: How it is worded, and what the checks remark.
        publication: What became of it; `None`: it was not said.
        seen: What readers have of it, by channel, in the order of its posts there.
    """

    at: datetime
    preview: Preview
    publication: Publication | None = None
    seen: Mapping[str, tuple[Seen, ...]] = field(default_factory=dict)

    @property
    def message(self) -> Message:
        """The message, resolved."""
        return self.publication.message if self.publication else self.preview.message

    @property
    def worded(self) -> tuple[tuple[RenderedPost, Seen | None], ...]:
        """Each wording, with what readers have of it, if that can be told: as many posts as were to come."""
        posts = self._posts
        count = Counter(one.target.channel for one in posts if _is_post(one))
        new = {name: self.seen.get(name, ()) for name in count}
        sure = {name: iter(seen if len(seen) == count[name] else ()) for name, seen in new.items()}
        return tuple((one, next(sure[one.target.channel], None) if _is_post(one) else None) for one in posts)

    @property
    def unworded(self) -> tuple[Receipt, ...]:
        """The receipts of what has no words: what is left out, does not fit, takes an earlier post back, or waits."""
        worded = {_leg(one.target) for one in self._posts}
        return tuple(receipt for receipt in self._receipts if _leg(receipt) not in worded)

    def receipt(self, wording: RenderedPost) -> Receipt | None:
        """What became of a wording."""
        return next((one for one in self._receipts if _leg(one) == _leg(wording.target)), None)

    @property
    def _posts(self) -> tuple[RenderedPost, ...]:
        """The wordings, each post that goes on where one ends as a wording of its own, which hangs under that."""
        return tuple(
            replace(
                wording,
                target=replace(
                    wording.target, part=wording.target.part + number, reply_to=(*wording.target.reply_to, self._id)
                ),
                standalone=post,
                reply=post,
                continuations=(),
            )
            if number
            else replace(wording, continuations=())
            for wording in self.preview.posts
            for number, post in enumerate((wording.standalone, *wording.continuations))
        )

    @property
    def _id(self) -> str:
        return self.publication.id if self.publication else ""

    @property
    def _receipts(self) -> tuple[Receipt, ...]:
        if self.publication:
            return self.publication.receipts
        refusals = (
            Receipt(
                channel=leg.channel,
                language=leg.language,
                operation=leg.operation,
                part=leg.part,
                outcome=Outcome.REFUSED,
                delivery=0,
                reason=leg.refused,
            )
            for leg in self.preview.refusals
        )
        pending = (
            Receipt(
                channel=target.channel,
                language=target.language,
                outcome=Outcome.WAITING,
                delivery=0,
                reason=target.problem,
                remedy=target.remedy,
                unrendered=True,
            )
            for target in self.preview.pending
        )
        return (*refusals, *pending)


def _is_post(wording: RenderedPost) -> bool:
    return wording.target.operation is Operation.POST


def _leg(of: Target | Receipt) -> tuple[str, str, Operation, int]:
    return of.channel, of.language, of.operation, of.part
