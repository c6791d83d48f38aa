"""What is in an audience, and how many people a message concerns. Both read the whole of it, and keep none of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policenotify.audiences.model import Audience, Subscriber, WrongRow
from policenotify.audiences.selection import select
from policenotify.model.message import Message

_LISTED = 10  # wrong rows that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceSummary:
    """What is in an audience.

    Attributes:
        people: Different addresses.
        doubles: Rows with an address that another row has.
        wrong: Wrong rows.
        first_wrong: The first ten of them.
        consents: People with a proof of consent.
    """

    people: int
    doubles: int
    wrong: int
    first_wrong: tuple[WrongRow, ...]
    consents: int


def summarize(audience: Audience) -> AudienceSummary:
    """Read an audience to its end.

    Raises:
        SettingsError: It cannot be read.
    """
    seen: set[int] = set()  # 64 bits for each address, so that a million addresses need no gigabyte
    people = doubles = wrong = consents = 0
    first_wrong: list[WrongRow] = []
    for row in audience.rows():
        if isinstance(row, WrongRow):
            wrong += 1
            if len(first_wrong) < _LISTED:
                first_wrong.append(row)
        elif _is_new(row, seen):
            people += 1
            consents += row.consent is not None
        else:
            doubles += 1
    return AudienceSummary(
        people=people, doubles=doubles, wrong=wrong, first_wrong=tuple(first_wrong), consents=consents
    )


def count_people(audiences: Sequence[Audience], message: Message, languages: Sequence[str]) -> dict[str, int]:
    """Return how many people of some audiences a message concerns, by the language in which they get it.

    Who is named several times counts once.

    Args:
        audiences: The audiences.
        message: The message as it may be public: resolved and blurred.
        languages: The languages of the posts, the main one first.

    Raises:
        SettingsError: An audience cannot be read.
    """
    seen: set[int] = set()
    people: dict[str, int] = {}
    for language in languages:
        before = len(seen)
        for _, row in select(audiences, message, language=language, main=language == languages[0]):
            if isinstance(row, Subscriber):
                _is_new(row, seen)
        people[language] = len(seen) - before
    return people


def _is_new(person: Subscriber, seen: set[int]) -> bool:
    known = len(seen)
    seen.add(hash(person.address.casefold()))
    return len(seen) > known
