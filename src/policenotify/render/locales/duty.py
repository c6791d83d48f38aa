"""Reminders of overdue incidents, for the desk itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderPhrases:
    """The phrases of a reminder in one language. Names in braces are filled in.

    Attributes:
        label: Heads a mail.
        headline: With `{incident}` and `{since}`, a day with its time.
        description: With `{number}`, `{headline}` and `{place}`.
    """

    label: str
    headline: str
    description: str
    instruction: str


DUTY: Final[Mapping[str, ReminderPhrases]] = MappingProxyType(
    {
        "fr": ReminderPhrases(
            label="Rappel",
            headline="Incident {incident}, nouvelles attendues depuis le {since}",
            description="Rappel n° {number} : {headline}{place}",
            instruction="Publiez la fin ou un point de situation.",
        ),
        "en": ReminderPhrases(
            label="Reminder",
            headline="Incident {incident}, news owed since {since}",
            description="Reminder {number}: {headline}{place}",
            instruction="Publish its end or an update.",
        ),
    }
)
"""The phrases by language. French stands in for a missing one."""
