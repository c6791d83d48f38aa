"""Read the audiences of a delivery page by page, and store its people in the journal."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from policenotify.audiences.model import Audience, Subscriber, WrongRow
from policenotify.audiences.selection import Cursor, Selected, select
from policenotify.channel import ChannelConfig
from policenotify.errors import JournalError, SettingsError
from policenotify.journal.bulk.values import PAGE, Expansion, PageOfPeople
from policenotify.journal.records import AttemptResult, ClaimedDelivery
from policenotify.log import fields
from policenotify.model.history import Outcome
from policenotify.model.status import WAITS

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_log = logging.getLogger("policenotify")
_RESTARTS = 3  # of one reading, because the lists change all the time: what they became later is not read any more


class AudienceProblem(Exception):
    """The people of a channel cannot be read, or are missing.

    Attributes:
        reason: What is wrong, in an officer's words.
        remedy: What to do now.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


def check_audiences(config: ChannelConfig, had_recipients: Callable[[str], bool]) -> None:
    """Check that the audiences of a channel can be read and are not empty. Reads the first rows only.

    Raises:
        AudienceProblem: They cannot be read, or no person is left of those whom *had_recipients* knows. A failed export
            looks like that. The audiences of a retired channel may be empty.
    """
    if not config.capabilities.recipients:
        return
    try:
        empty = not any(isinstance(row, Subscriber) for audience in config.audiences for row in audience.rows())
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a host's own function may fail, and quote an address
        raise unreadable(config.name, error) from None
    if empty and not config.retired and had_recipients(config.name):
        raise AudienceProblem(
            f"The list of recipients of {config.name!r} is empty, and had people before.",
            f"Restore the list; if it is meant to be empty, set retired = true. {WAITS}",
        )


def unreadable(channel: str, error: BaseException) -> AudienceProblem:
    """Return the problem of a channel whose audiences cannot be read. It quotes no address."""
    why = str(error) if isinstance(error, SettingsError) else f"{type(error).__name__}."
    return AudienceProblem(f"The list of recipients of {channel!r} cannot be read: {why}", f"Make it readable. {WAITS}")


@dataclass(slots=True)
class AudienceReader:
    """Reads the audiences of deliveries. It keeps the stream of one delivery open between two pages.

    A stream is opened again behind the cursor, or from the beginning if the audiences were changed since the cursor was
    stored. Used by one thread.
    """

    revision: str = field(default="", init=False)  # of the audiences whose stream is open
    is_at_end: bool = field(default=False, init=False)  # no row follows
    _delivery: int | None = field(default=None, init=False)  # of the open stream
    _cursor: Cursor = field(default_factory=Cursor, init=False)
    _rows: Iterator[Selected] = field(default_factory=lambda: iter(()), init=False)
    _next: Selected | None = field(default=None, init=False)
    _restarts: tuple[int, int] = field(default=(0, 0), init=False)  # of a delivery

    def read(
        self, delivery: int, audiences: Sequence[Audience], expansion: Expansion, count: int = PAGE
    ) -> tuple[list[Selected], bool, Cursor]:
        """Return the next rows behind the cursor, whether they are the first, and the cursor behind them.

        Raises:
            Exception: Whatever an audience raises.
        """
        state = (self._delivery, self._cursor, self.revision)
        self._delivery = None  # the stream is not used again if anything fails
        if state != (delivery, expansion.cursor, expansion.revision):
            self._open(audiences, expansion)
        first = self._cursor == Cursor()
        rows = [] if self._next is None else [self._next, *islice(self._rows, count - 1)]
        self._next = next(self._rows, None)
        self._cursor = rows[-1].after if rows else self._cursor
        self.is_at_end = self._next is None and not self._restarts_for(delivery, audiences)
        if self._next is not None or self.is_at_end:
            self._delivery = delivery
        return rows, first, self._cursor

    def _open(self, audiences: Sequence[Audience], expansion: Expansion) -> None:
        self.revision = _revision_of(audiences)
        self._cursor = expansion.cursor if expansion.revision in {"", self.revision} else Cursor()
        self._rows = select(
            audiences, expansion.message, language=expansion.language, main=expansion.main, start=self._cursor
        )
        self._next = next(self._rows, None)

    def _restarts_for(self, delivery: int, audiences: Sequence[Audience]) -> bool:
        """Return whether the audiences were changed while they were read, so that they are read again."""
        before = self._restarts[1] if self._restarts[0] == delivery else 0
        if before >= _RESTARTS or _revision_of(audiences) == self.revision:
            return False
        self._restarts = (delivery, before + 1)
        return True


def _revision_of(audiences: Sequence[Audience]) -> str:
    return " ".join(f"{audience.name}={audience.revision()}" for audience in audiences) or "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFiller:
    """Fills claimed pages with people.

    Attributes:
        siblings: The channels of the same network. A person gets a publication from one of them only.
        reader: Of this thread.
        lease: How long a page is held from each transaction on.
        backoff: Returns the wait after a failure, from the wait after the failure before it.
        may_go_on: Returns whether another page may be read.
        size: How many people a page has at least, unless they are the last.
    """

    journal: Journal
    config: ChannelConfig
    siblings: Collection[str]
    reader: AudienceReader
    lease: timedelta
    backoff: Callable[[timedelta], timedelta]
    may_go_on: Callable[[], bool]
    size: int = PAGE

    def fill(self, claimed: ClaimedDelivery) -> ClaimedDelivery | None:
        """Store people in an empty page, until it is full or the audiences end. Return the delivery with the page.

        It is released, and None is returned, if there was no person left, which may settle the delivery, if the
        audiences cannot be read, or if the drain ends.
        """
        deliveries, waiting = self.journal.deliveries, 0
        while self.may_go_on():
            expansion = deliveries.expansion(claimed)
            if waiting and (expansion.expanded or waiting >= self.size):
                return replace(claimed, filled=True)
            if expansion.expanded:
                break
            try:
                waiting = self._store(claimed, expansion, self.size - waiting)
            except AudienceProblem as problem:
                if waiting:  # who got an earlier message gets this one in any case
                    return replace(claimed, filled=True)
                wait = self.backoff(claimed.backoff)
                if deliveries.delay(claimed, problem.reason, problem.remedy, wait=wait):
                    about = fields(channel=claimed.channel, delivery=claimed.id, publication=claimed.publication)
                    _log.error("Channel %s: %s %s", claimed.channel, problem.reason, problem.remedy, extra=about)
                return None
        result = AttemptResult(outcome=Outcome.WAITING, not_before=self.journal.now(), of_people=True)
        deliveries.record_result(claimed, result)
        return None

    def _store(self, claimed: ClaimedDelivery, expansion: Expansion, count: int) -> int:
        if expansion.earlier:
            return self.journal.deliveries.store_earlier(claimed, self.siblings, lease=self.lease)
        try:
            rows, is_first, after = self.reader.read(claimed.id, self.config.audiences, expansion, count)
        except JournalError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a host's own function may fail, and quote an address
            raise unreadable(self.config.name, error) from None
        if is_first and not rows and not expansion.has_people:
            check_audiences(self.config, self.journal.deliveries.had_recipients)
        people = [each.row.address for each in rows if isinstance(each.row, Subscriber)]
        page = PageOfPeople(
            people=self.journal.deliveries.seal_people(people),
            wrong=[each.row for each in rows if isinstance(each.row, WrongRow)],
            start=expansion.cursor,
            after=after,
            before_revision=expansion.revision,
            revision=self.reader.revision,
            is_from_start=is_first,
            is_last=self.reader.is_at_end,
        )
        waiting = self.journal.deliveries.store_page(claimed, page, self.siblings, lease=self.lease)
        if expansion.unreadable:  # now it can be read: the others that wait for the list follow
            self.journal.deliveries.retry_lists(self.config.name)
        return waiting
