"""Results as JSON documents, whose schemas `policenotify schema` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, JsonValue

from policenotify.findings import Finding
from policenotify.model.documents import MessageDocument
from policenotify.model.history import Target
from policenotify.model.status import Problem
from policenotify.translation import AnyText


class Result(BaseModel):
    """A document that a command answers with."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, defer_build=True)


class PreviewedWording(Result):
    """One wording of a post.

    Attributes:
        kind: `reply` (in the thread), `standalone`, or `continuation` of the post before.
        used: How much of the channel's budget it takes.
        limit: The channel's budget.
        details: Further details of its length: `UCS-2, 2 segments (1 without accents)`. May be empty.
        post: The fields of `policenotify schema post`, without key and time.
    """

    kind: Literal["reply", "standalone", "continuation"]
    used: int
    limit: int
    details: AnyText
    post: dict[str, JsonValue]


class PreviewedPost(Result):
    """How a message reads on one channel. *omitted* was left out so that the rest fits."""

    channel: str
    language: str
    omitted: tuple[AnyText, ...]
    wordings: tuple[PreviewedWording, ...]


class PreviewedTarget(Result):
    """A channel without a post: the message does not fit, or an earlier post is deleted."""

    channel: str
    language: str
    reason: AnyText

    @classmethod
    def of(cls, target: Target) -> Self:
        """Return the result of a target."""
        return cls(channel=target.channel, language=target.language, reason=target.refused)


class PreviewedReach(Result):
    """How many people a message reaches on a channel in a language; see `policenotify.publishing.reach.Reach`."""

    channel: str
    language: str
    people: int | None
    messages: int
    price: float | None
    cost: float | None
    problem: AnyText


class PreviewResult(Result):
    """What `publish` would send; `allowed` unless a finding blocks it."""

    allowed: bool
    message: MessageDocument
    findings: tuple[Finding, ...]
    posts: tuple[PreviewedPost, ...]
    blocked: Mapping[str, Problem]
    refusals: tuple[PreviewedTarget, ...]
    deletions: tuple[PreviewedTarget, ...]
    reach: tuple[PreviewedReach, ...]
