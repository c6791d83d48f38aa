"""Read the audiences of a delivery, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from policenotify.audiences.model import Audience, Row, Subscriber, WrongRow
from policenotify.audiences.selection import select
from policenotify.channel import ChannelConfig
from policenotify.errors import SettingsError, Unavailable
from policenotify.journal.lists.state import BATCH, ListState, StoredCursor, mark
from policenotify.model.status import WAITS
from policenotify.translation import Text

_UNUSABLE = Text("address: is too long, or has characters that no address has. One line holds one address.")
_RESTARTS = 100  # of one reading: behind these, that of lists which change all the time goes on


def check_audiences(config: ChannelConfig, had_recipients: Callable[[str], bool]) -> None:
    """Check that the audiences of a channel can be read and are not empty. Reads the first rows only.

    Raises:
        Unavailable: They cannot be read, or no person is left of those whom *had_recipients* knows. A failed export
            looks like that. The audiences of a retired channel may be empty.
    """
    try:
        empty = not any(isinstance(row, Subscriber) for audience in config.audiences for row in audience.rows())
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a host's own function may fail, and quote an address
        raise unreadable(config.name, error) from None
    if empty and not config.retired and had_recipients(config.name):
        raise Unavailable(
            Text("The list of recipients of {name!r} is empty, and had people before.", name=config.name),
            remedy=Text("Restore the list; if it is meant to be empty, set retired = true. {waits}", waits=WAITS),
        )


def unreadable(channel: str, error: BaseException) -> Unavailable:
    """Return the error of a channel whose audiences cannot be read. It quotes no address."""
    why = error.text if isinstance(error, SettingsError) else f"{type(error).__name__}."
    reason = Text("The list of recipients of {channel!r} cannot be read: {why}", channel=channel, why=why)
    return Unavailable(reason, remedy=Text("Make it readable. {waits}", waits=WAITS))


def read_rows(
    audiences: Sequence[Audience], known: ListState, count: int = BATCH
) -> tuple[list[Row], StoredCursor, bool]:
    """Return the next rows behind the cursor, the cursor behind them, and whether no row follows.

    If the audiences were changed since the cursor was stored, they are read from the beginning again. Without a
    revision that states it, it is seen by the last row: people before it have left if it has moved.

    Raises:
        Exception: Whatever an audience raises.
    """
    revision, cursor = _revision_of(audiences), known.cursor
    chosen = _selected(audiences, known, cursor)
    if cursor.restarts <= _RESTARTS and (cursor.revision != revision or _has_moved(chosen, cursor)):
        cursor = StoredCursor(revision=revision, restarts=cursor.restarts + 1)
        chosen = _selected(audiences, known, cursor)
    rows = list(islice(chosen, count))
    ends = next(chosen, None) is None
    changed = cursor.restarts <= _RESTARTS and _revision_of(audiences) != revision  # while they were read
    return [row for _, row in rows], cursor.behind(rows), ends and not changed


def _selected(audiences: Sequence[Audience], known: ListState, cursor: StoredCursor) -> Iterator[tuple[int, Row]]:
    """Return the rows from the last one on that was read."""
    start = cursor.audience, cursor.position - bool(cursor.last)
    chosen = select(audiences, known.message, language=known.language, main=known.main, start=start)
    return ((number, usable(row)) for number, row in chosen)


def _has_moved(chosen: Iterator[tuple[int, Row]], cursor: StoredCursor) -> bool:
    """Return whether the last row that was read is not in its place any more. It is taken from the others."""
    return bool(cursor.last) and mark(next(chosen, (0, None))[1]) != cursor.last


def _revision_of(audiences: Sequence[Audience]) -> str:
    return " ".join(f"{audience.name}={audience.revision()}" for audience in audiences) or "-"


def usable(row: Row) -> Row:
    """Return a row, as a wrong one if its address cannot be stored. A host's own function may yield anything."""
    try:
        if isinstance(row, Subscriber):
            row.address.encode()
    except (UnicodeEncodeError, AttributeError):
        return WrongRow(position=row.position, reason=_UNUSABLE)
    return row
