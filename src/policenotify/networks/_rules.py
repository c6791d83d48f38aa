"""Rules as data: what a network's answer means for a post."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from policenotify.errors import ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.translation import AnyText, Text
from policenotify.transport import quoted


class JudgedAnswer(Protocol):
    """A server's answer, of any protocol."""

    @property
    def status(self) -> int:
        """The status of HTTP, or the reply code of SMTP."""

    @property
    def from_network(self) -> bool:
        """True if the network itself answered, as the form of its errors shows, and not a proxy."""

    @property
    def phrases(self) -> str:
        """All words and codes of the answer, in lower case, by which a reason is recognised."""

    @property
    def code(self) -> str:
        """Status and name of the problem, for the technician."""

    @property
    def message(self) -> str:
        """The server's own words, on one line, without secrets. May be empty."""

    def retry_at(self, now: datetime) -> datetime | None:
        """Return the earliest time of the next call, if the answer names one."""


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """What some answers mean.

    Attributes:
        error: The error that the channel raises.
        reason: What happened. `{where}` stands for the server's name, and `{words}` for its own words after a colon, or
            for the full stop.
        remedy: What to do now. May be empty.
        statuses: The rule is about these. None: about any.
        phrases: Words in lower case, one of which must stand in the answer. None: any answer of such a status.
        own: It is only about answers of the network itself, and not of a proxy before it.
        fallback: See `Refused`.
        whole_channel: See `Unavailable`.
        wait: How long to wait if the answer names no time.
    """

    error: type[ChannelError]
    reason: Text
    remedy: AnyText = ""
    statuses: Container[int] | None = None
    phrases: tuple[str, ...] = ()
    own: bool = False
    fallback: Literal["standalone", "prepare", "distinct"] | None = None
    whole_channel: bool = False
    wait: timedelta | None = None

    def fits(self, answer: JudgedAnswer) -> bool:
        """Return True if it is about this answer."""
        return (
            (self.statuses is None or answer.status in self.statuses)
            and (answer.from_network or not self.own)
            and (not self.phrases or any(phrase in answer.phrases for phrase in self.phrases))
        )

    def judgement(self, answer: JudgedAnswer, *, now: datetime, where: AnyText = "") -> ChannelError:
        """Return the error for an answer that it fits."""
        reason = self.reason.filled(where=where, words=quoted(answer.message))
        if self.error is Refused:
            return Refused(reason, remedy=self.remedy, code=answer.code, fallback=self.fallback)
        at = answer.retry_at(now) or (now + self.wait if self.wait else None)
        if self.error is Unavailable:
            return Unavailable(
                reason, remedy=self.remedy, code=answer.code, retry_at=at, whole_channel=self.whole_channel
            )
        if self.error is Unconfirmed:
            return Unconfirmed(reason, remedy=self.remedy, code=answer.code, retry_at=at)
        return self.error(reason, remedy=self.remedy, code=answer.code)


def judge(
    answer: JudgedAnswer, rules: Sequence[AnswerRule], *, now: datetime, where: AnyText = ""
) -> ChannelError | None:
    """Return what an answer means by the first rule that fits it, or `None` if none does.

    Args:
        answer: The answer.
        rules: In the order in which they are tried.
        now: The time, for answers that give a delay.
        where: The server's name in an officer's words.
    """
    rule = next((each for each in rules if each.fits(answer)), None)
    return rule.judgement(answer, now=now, where=where) if rule else None
