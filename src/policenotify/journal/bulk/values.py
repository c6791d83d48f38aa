"""How far the people of a delivery are stored, without the SQL toolkit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from policenotify.audiences.model import WrongRow
from policenotify.audiences.selection import Cursor
from policenotify.model.message import Message

if TYPE_CHECKING:
    from policenotify.journal.bulk.recipients import SealedPeople

PAGE: Final = 1_000
"""People in a page. They are stored in one transaction, which others who publish wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """How far the people of a delivery are stored, and what decides about the others.

    Attributes:
        earlier: The people of earlier deliveries are to be stored first.
        cursor: How far the audiences were read, or the pages of earlier deliveries.
        revision: What the audiences' revisions were then.
        message: The message, as it is published.
        language: The delivery's language.
        main: It is the channel's main language in this publication.
        expanded: All people are stored.
        has_people: Some people are stored.
        unreadable: At the last try the audiences could not be read, or had been emptied.
    """

    earlier: bool
    cursor: Cursor
    revision: str
    message: Message = field(repr=False)
    language: str
    main: bool
    expanded: bool
    has_people: bool
    unreadable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOfPeople:
    """Some people of the audiences of a delivery, and where reading goes on after them.

    Attributes:
        people: Their keys and addresses.
        wrong: Rows among them that name no person.
        start: The cursor before them, as it was read from the journal.
        after: The cursor behind them.
        before_revision: The revision of the audiences as it was read from the journal.
        revision: Their revision as these people were read.
        is_from_start: They are the first, perhaps because the audiences were changed since the cursor was stored.
        is_last: No row follows.
    """

    people: SealedPeople
    wrong: Sequence[WrongRow]
    start: Cursor
    after: Cursor
    before_revision: str
    revision: str
    is_from_start: bool
    is_last: bool
