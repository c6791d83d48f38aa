"""Subscribers, and the contract of an audience that streams them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias, runtime_checkable

from policenotify.model.cap import Severity
from policenotify.translation import AnyText


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The proof that a person asked for the messages.

    Attributes:
        at: When.
        source: Where: the form, the counter, the file.
        purpose: What for: `alerts`, `recruitment`.
    """

    at: datetime
    source: str
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """One row of an audience: a person, and what concerns this person.

    Attributes:
        position: The row's number in its audience, from 0, rising. Reading goes on from it.
        address: The mail address or telephone number. Never printed.
        language: BCP 47. Empty: the channel's main language.
        areas: Codes of areas, `commune:34172`, `epci:243400017`, `dept:34`. Empty: everywhere.
        point: Longitude and latitude (RFC 7946 order) of the person's place, instead of areas.
        categories: Categories of messages. Empty: all.
        severity: The least severity. `None`: any.
        consent: The proof of consent, if there is one.
    """

    position: int
    address: str = field(repr=False)
    language: str = ""
    areas: tuple[str, ...] = ()
    point: tuple[float, float] | None = field(default=None, repr=False)
    categories: frozenset[str] = frozenset()
    severity: Severity | None = None
    consent: Consent | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongRow:
    """A row that names no person, and why. The others are used.

    Attributes:
        position: As for a subscriber.
        reason: What is wrong, without the address.
    """

    position: int
    reason: AnyText

    @property
    def line(self) -> int:
        """The line in the file, or the number of the row, from 1, as people count."""
        return self.position + 1


Row: TypeAlias = Subscriber | WrongRow


@runtime_checkable
class Audience(Protocol):
    """A list of subscribers that is streamed, never held in memory."""

    @property
    def name(self) -> str:
        """The installation's name for it."""

    def revision(self) -> str:
        """Return a short value that changes when the list does. Cheap.

        Raises:
            SettingsError: The list cannot be read.
        """

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        """Stream the rows from a position on, in the same order while the revision stays.

        Raises:
            SettingsError: The list cannot be read.
        """
