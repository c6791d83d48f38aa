"""Audiences of bare addresses: a fixed list, or what a function returns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from policenotify.audiences.model import Audience, Row, Subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressList:
    """The addresses that a function returns. They are all held in memory while they are read.

    Attributes:
        name: The installation's name for it.
        read: Returns the present addresses. It is called for each delivery, and must return them in the same order.
    """

    name: str
    read: Callable[[], Iterable[str]] = field(repr=False)

    def revision(self) -> str:
        """See `Audience.revision`. It reads all addresses."""
        digest = hashlib.sha256()
        for address in self._addresses():
            digest.update(f"{address}\n".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:16]

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        """See `Audience.rows`."""
        for position, address in enumerate(self._addresses()):
            if position >= start:
                yield Subscriber(position=position, address=address)

    def _addresses(self) -> Iterator[str]:
        for address in self.read():
            if not isinstance(address, str):
                raise TypeError
            if address.strip():
                yield address


@dataclass(frozen=True, slots=True, kw_only=True)
class SpelledAudience:
    """An audience whose addresses are spelled as the network spells them, so that one person is one.

    Attributes:
        audience: The audience.
        spell: Returns an address in the form that the network sends to.
    """

    audience: Audience
    spell: Callable[[str], str] = field(repr=False)

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
            yield replace(row, address=self.spell(row.address)) if isinstance(row, Subscriber) else row
