"""How far the people of a delivery are stored, without the SQL toolkit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final
from zlib import crc32

from policenotify.audiences.model import Row, WrongRow
from policenotify.model.message import Message

BATCH: Final = 1_000
"""People in a batch. They are stored in one transaction, which others who publish wait for."""

UNREADABLE: Final = "list_unreadable"
"""The code of a delivery whose people could not be read at the last try, or whose lists were emptied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCursor:
    """How far the lists of a delivery were read.

    Attributes:
        earlier: The people of earlier deliveries are to be stored first.
        audience: The audience that is being read.
        position: The next position in it, or the number of batches of earlier deliveries that were read.
        revision: What the audiences' revisions were then.
        restarts: How often they are read from the start, because they were changed.
        last: A mark of the row before the position. If another is found there, rows before it have left.
        wrong: Rows that name no person.
    """

    earlier: bool = False
    audience: int = 0
    position: int = 0
    revision: str = ""
    restarts: int = 0
    last: str = ""
    wrong: int = 0

    def behind(self, rows: Sequence[tuple[int, Row]]) -> StoredCursor:
        """Return the cursor behind these rows, each with the number of its audience."""
        if not rows:
            return self
        (audience, last), wrong = rows[-1], sum(isinstance(row, WrongRow) for _, row in rows)
        return replace(self, audience=audience, position=last.position + 1, last=mark(last), wrong=self.wrong + wrong)

    def to_text(self) -> str:
        """Return it as it is stored."""
        return json.dumps(asdict(self), ensure_ascii=False)


def mark(row: Row | None) -> str:
    """Return a mark of a row, so short that it does not identify a telephone number. Without a row, it is empty."""
    if row is None:
        return ""
    address = "" if isinstance(row, WrongRow) else row.address
    return f"{crc32(address.encode()) & 0xFFFF:04x}"


def read_cursor(text: str | None) -> StoredCursor:
    """Read a stored cursor. One that is damaged begins again: who was taken already is passed over."""
    try:
        return StoredCursor(**json.loads(text)) if text else StoredCursor()
    except (TypeError, ValueError):
        return StoredCursor(earlier=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListState:
    """How far the people of a delivery are stored, and what decides about the others.

    Attributes:
        cursor: How far the lists were read.
        message: The message, as it is published.
        language: The delivery's language.
        main: It is the channel's main language in this publication.
        reading: Further people are to be stored, and no person has halted it.
        has_people: Some people are stored.
        unreadable: At the last try the audiences could not be read, or had been emptied.
    """

    cursor: StoredCursor
    message: Message = field(repr=False)
    language: str
    main: bool
    reading: bool
    has_people: bool
    unreadable: bool
