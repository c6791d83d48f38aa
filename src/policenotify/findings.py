"""The findings of checks on a message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The weight of a finding. An error blocks the message."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One remark of a check on a message.

    Attributes:
        code: The stable code of the rule: `PN101`.
        field: The field of the message that it is about.
        reason: The problem, in an officer's words.
        remedy: What to do, in the imperative.
        span: First and one-past-last character of the part of the field that it is about.
    """

    code: str
    level: Level
    field: str
    reason: str
    remedy: str
    span: tuple[int, int] | None = None

    @property
    def blocks(self) -> bool:
        """True if the message must not be published."""
        return self.level is Level.ERROR

    def __str__(self) -> str:
        return f"{self.code} {self.level} · {self.field}: {self.reason} {self.remedy}"


def demands_second(findings: Iterable[Finding]) -> bool:
    """Return True if a finding demands a second person and a reason, whatever the rules of approval are."""
    return any(finding.level == _SECOND for finding in findings)


def are_blocking(findings: Iterable[Finding]) -> bool:
    """Return True if a finding blocks that no second person lifts."""
    return any(finding.blocks and finding.level != _SECOND for finding in findings)


_SECOND = "second"  # the level, also where no check has it

APPROVAL_MISSING = "PN601"
"""The code of the finding that others must read a message before it is published."""


def approval_missing(readers: int, *, urgent: bool = True) -> Finding:
    """Return the finding that so many (more) people must read a message first.

    Args:
        readers: How many.
        urgent: It may be published at once, with a written reason.
    """
    others = "another person" if readers == 1 else f"{readers} other people"
    at_once = ", or publish it at once with a written reason: --urgent" if urgent else ""
    return Finding(
        code=APPROVAL_MISSING,
        level=next(iter(Level)),  # the gravest
        field="message",
        reason=f"This message needs the approval of {others}.",
        remedy=f"Submit it to them: --submit{at_once}.",
    )
