"""Audiences in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from policenotify.audiences.function import FunctionAudience
from policenotify.audiences.model import Row, Subscriber, WrongRow
from policenotify.audiences.reader import RowReader
from policenotify.channel import ChannelConfig


def addresses_of(channel: ChannelConfig) -> tuple[str, ...]:
    """Return the present addresses of a channel, each once."""
    rows = (row for audience in channel.audiences for row in audience.rows())
    return tuple(dict.fromkeys(row.address for row in rows if isinstance(row, Subscriber)))


def listed(name: str, function: Callable[[], Iterable[str]]) -> tuple[FunctionAudience]:
    """Return the audiences of a channel whose addresses a function returns: each reaches the channel as it is."""
    return (FunctionAudience(name=name, function=function, reader=RowReader(checked=False)),)


@dataclass
class ListedPeople:
    """An audience of addresses and rows, which a test may change."""

    people: Sequence[str | Row]
    name: str = "list"

    def revision(self) -> str:
        return f"{hash(tuple(self.people)):x}"

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        for position, person in enumerate(tuple(self.people)):
            if position < start or (isinstance(person, str) and not person.strip()):
                continue
            row = Subscriber(position=position, address=person) if isinstance(person, str) else person
            assert isinstance(row, Subscriber | WrongRow)
            yield replace(row, position=position)
