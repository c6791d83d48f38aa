"""The source of a report: messages, their posts, receipts, and what readers see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeAlias

from policenotify.channel import Operation
from policenotify.checks import quotable_texts
from policenotify.findings import Finding
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome, RenderedPost, Target
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Publication, Receipt
from policenotify.publishing.reach import Preview

Tone: TypeAlias = Literal["act", "caution", "clear", "info"]
"""The urgency of a message (ISO 22324): red, yellow, green, neutral."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderPost:
    """A post as the network shows it to a reader.

    Attributes:
        id: The network's id.
        parent: The id of the post that it replies to, or `None`.
        title: The subject, or empty.
        html: The formatted version of a mail, or empty.
        warning: The line above a post that is folded away, or empty.
        card: URL, title and text of the link card; `None`: as the network usually makes it.
        images: Alternative text and bytes of each.
        readers: How many people received it, on a network with recipients; else 0.
    """

    id: str
    text: str
    parent: str | None = None
    title: str = ""
    html: str = ""
    warning: str = ""
    card: tuple[str, str, str] | None = None
    images: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    readers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportEntry:
    """One message of a report.

    Attributes:
        publication: Its receipts; `None`: it was not published.
        reader_posts: What readers see of it, by channel, in the order of its posts there.
    """

    at: datetime
    preview: Preview
    publication: Publication | None = None
    reader_posts: Mapping[str, tuple[ReaderPost, ...]] = field(default_factory=dict)

    @property
    def message(self) -> Message:
        """The resolved message."""
        return self.publication.message if self.publication else self.preview.message

    @property
    def id(self) -> str:
        """Id of the publication, empty for a preview."""
        return self.publication.id if self.publication else ""

    @property
    def tone(self) -> Tone:
        """The urgency of the message."""
        match self.message.stage:
            case Stage.END:
                return "clear"
            case Stage.CANCELLATION | Stage.CORRECTION | Stage.STANDALONE:
                return "info"
            case _:
                severity = self.message.severity
                return "act" if severity and severity.at_least(Severity.SEVERE) else "caution"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the checks."""
        return self.publication.findings if self.publication else self.preview.findings

    @property
    def texts(self) -> dict[str, str]:
        """The texts that the spans of the findings fit, by field."""
        return quotable_texts(self.message, self.findings)

    @property
    def posts(self) -> tuple[tuple[RenderedPost, ReaderPost | None], ...]:
        """Each post with what readers see of it, if the network shows the expected number."""
        posts = self._posts
        count = Counter(post.target.channel for post in posts if _is_new(post))
        shown = {name: self.reader_posts.get(name, ()) for name in count}
        certain = {name: iter(seen if len(seen) == count[name] else ()) for name, seen in shown.items()}
        return tuple((post, next(certain[post.target.channel], None) if _is_new(post) else None) for post in posts)

    @property
    def receipts_without_post(self) -> tuple[Receipt, ...]:
        """The receipts of skips, refusals, deletions and waiting posts."""
        rendered = {_identity(post.target) for post in self._posts}
        return tuple(receipt for receipt in self._receipts if _identity(receipt) not in rendered)

    def receipt(self, post: RenderedPost) -> Receipt | None:
        """Return the receipt of a post."""
        return next((receipt for receipt in self._receipts if _identity(receipt) == _identity(post.target)), None)

    @property
    def _posts(self) -> tuple[RenderedPost, ...]:
        """The posts, each continuation as a post of its own that answers the one before."""
        posts = []
        for rendered in self.preview.posts:
            posts.append(replace(rendered, continuations=()))
            target = rendered.target
            for number, post in enumerate(rendered.continuations, 1):
                below = replace(target, part=target.part + number, reply_to=(*target.reply_to, self.id))
                posts.append(replace(rendered, target=below, standalone=post, reply=post, continuations=()))
        return tuple(posts)

    @property
    def _receipts(self) -> tuple[Receipt, ...]:
        if self.publication:
            return self.publication.receipts
        blocked = self.preview.blocked
        waiting = (
            (post.target, Outcome.WAITING, why.reason, why.remedy)
            for post in self.preview.posts
            if (why := blocked.get(post.target.channel))
        )
        refused = ((target, Outcome.REFUSED, target.refused, "") for target in self.preview.refusals)
        return tuple(
            Receipt(
                channel=target.channel,
                language=target.language,
                operation=target.operation,
                part=target.part,
                outcome=outcome,
                delivery=0,
                reason=reason,
                remedy=remedy,
            )
            for target, outcome, reason, remedy in (*refused, *waiting)
        )


def _is_new(post: RenderedPost) -> bool:
    return post.target.operation is Operation.POST


def _identity(of: Target | Receipt) -> tuple[str, str, Operation, int]:
    return of.channel, of.language, of.operation, of.part
