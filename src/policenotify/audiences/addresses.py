"""Audiences of bare addresses, and audiences as a channel uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from zlib import crc32

from policenotify.audiences.model import Audience, Row, WrongRow
from policenotify.audiences.reader import RowReader
from policenotify.model.languages import is_same_language


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressList:
    """The addresses that a function returns. They are all held in memory while they are read.

    Attributes:
        name: The installation's name for it.
        read: Returns the present addresses. It is called for each delivery, and must return them in the same order.
        reader: Reads the rows.
    """

    name: str
    read: Callable[[], Iterable[str]] = field(repr=False)
    reader: RowReader = field(default_factory=lambda: RowReader(checked=False))

    def revision(self) -> str:
        """See `Audience.revision`. It reads all addresses."""
        number = count = 0
        for address in self._addresses():
            number, count = crc32(f"{address}\n".encode("utf-8", "surrogatepass"), number), count + 1
        # The journal keeps it: of a list with one telephone number, a longer digest would be as good as the number.
        return f"{count}-{number & 0xFFFF:04x}"

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        """See `Audience.rows`."""
        for position, address in enumerate(self._addresses()):
            if position >= start:
                yield self.reader.address(address, position=position)

    def _addresses(self) -> Iterator[str]:
        for address in self.read():
            if not isinstance(address, str):
                raise TypeError
            if address.strip():
                yield address


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAudience:
    """An audience as one channel uses it.

    Attributes:
        audience: The audience.
        spell: Returns an address in the form that the network sends to, so that one person is one.
        languages: The languages of the channel. A person whose language is none of them gets the main one.
        consent_for: The categories of messages that only people who consented to them get.
    """

    audience: Audience
    spell: Callable[[str], str] = field(default=str, repr=False)
    languages: tuple[str, ...] = ()
    consent_for: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of the audience."""
        return self.audience.name

    def revision(self) -> str:
        """See `Audience.revision`."""
        return self.audience.revision()

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        """See `Audience.rows`."""
        for row in self.audience.rows(start=start):
            if isinstance(row, WrongRow):
                yield row
            else:
                yield replace(row, address=self.spell(row.address), language=self._spoken(row.language))

    def _spoken(self, language: str) -> str:
        if not (language and self.languages):
            return language
        return next((own for own in self.languages if is_same_language(own, language)), "")
