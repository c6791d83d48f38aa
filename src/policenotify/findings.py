"""The findings of checks on a message."""

from __future__ import annotations

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
