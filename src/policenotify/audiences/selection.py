"""Whom of some audiences a message concerns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from policenotify.audiences.model import Audience, Subscriber, WrongRow
from policenotify.model.cap import Severity
from policenotify.model.message import Message


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """How far the audiences of a delivery have been read: the number of the audience, and the next position in it."""

    audience: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A subscriber whom a message concerns, or a wrong row, and where reading goes on after it."""

    row: Subscriber | WrongRow = field(repr=False)
    after: Cursor


def concerns(subscriber: Subscriber, message: Message, *, language: str, main: bool) -> bool:
    """Return whether a message in a language concerns a subscriber.

    Args:
        subscriber: The person.
        message: The message as it may be public: resolved and blurred.
        language: The language of the delivery.
        main: It is the delivery's main language, which people without a language get.
    """
    if subscriber.categories and message.category not in subscriber.categories:
        return False
    if subscriber.severity is not None and not (message.severity or Severity.UNKNOWN).at_least(subscriber.severity):
        return False
    return subscriber.language == language or (main and not subscriber.language)


def select(
    audiences: Sequence[Audience], message: Message, *, language: str, main: bool, start: Cursor
) -> Iterator[Selected]:
    """Stream the subscribers of some audiences whom a message concerns, from a cursor on.

    A person whom several lists name appears several times. The journal takes each once.

    Raises:
        SettingsError: An audience cannot be read.
    """
    for number in range(start.audience, len(audiences)):
        first = start.position if number == start.audience else 0
        for row in audiences[number].rows(start=first):
            if isinstance(row, WrongRow) or concerns(row, message, language=language, main=main):
                yield Selected(row=row, after=Cursor(number, row.position + 1))
