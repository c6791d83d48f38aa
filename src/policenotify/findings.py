"""What the checks remark about a message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One remark of a check about a message.

    Attributes:
        code: Names the rule, for ever: `PN101`.
        level: An `error` keeps the message from going out.
        field: The message's field that it is about.
        reason: What is wrong, in an officer's words.
        remedy: What to do, in the imperative.
        span: First and one-past-last character in the field, where it is about a part of it.
    """

    code: str
    level: Level
    field: str
    reason: str
    remedy: str
    span: tuple[int, int] | None = None

    @property
    def blocks(self) -> bool:
        """Whether the message may not go out."""
        return self.level is Level.ERROR

    def __str__(self) -> str:
        return f"{self.code} {self.level} · {self.field}: {self.reason} {self.remedy}"
