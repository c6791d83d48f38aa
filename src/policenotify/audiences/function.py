"""Subscribers that a function of the installation yields."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from policenotify.audiences.model import Row, Subscriber, WrongRow
from policenotify.audiences.reader import RowReader
from policenotify.errors import PolicenotifyError, SettingsError
from policenotify.translation import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionAudience:
    """The people whom a function returns or yields, in the same order each time.

    It yields addresses, mappings from [`COLUMNS`][policenotify.audiences.reader.COLUMNS] to values, or
    [`Subscriber`][policenotify.audiences.model.Subscriber]s. The position of a row is its number, from 0: after each
    1,000 people it is called again, and the rows before are passed over. A function with a parameter `start` goes on
    from a position itself. Its mappings then have a `position`, rising.

    A function with an attribute `revision`, itself a function, states when the list has changed. Without one, new
    people must come behind the others, and who leaves makes it read from the beginning again. Of up to 1,000 people
    the order does not matter: they are read at once.

    Attributes:
        at: Its place in the settings, for errors. By default `audiences.NAME`.
    """

    name: str
    function: Callable[..., Iterable[object]] = field(repr=False)
    at: str = ""
    reader: RowReader = field(default_factory=RowReader)

    def revision(self) -> str:
        """See `Audience.revision`."""
        try:
            return str(getattr(self.function, "revision", lambda: "always")())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a host's own function may fail in any way
            raise self._failed(error) from None

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        """See `Audience.rows`."""
        try:
            seeks = _takes_start(self.function)
            values = self.function(start=start) if seeks else islice(self.function(), start, None)
            for number, value in enumerate(values, start=start):
                yield self._row(value, number, seeks=seeks)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the same
            raise self._failed(error) from None

    def _row(self, value: object, number: int, *, seeks: bool) -> Row:
        if isinstance(value, Subscriber | WrongRow):
            return value if seeks else replace(value, position=number)
        if isinstance(value, str):
            return self.reader.address(value.strip(), position=number)
        if isinstance(value, Mapping):
            return self.reader.mapping(value, position=value["position"] if seeks else number)
        reason = Text("is neither an address nor a mapping, but {name}.", name=type(value).__name__)
        return WrongRow(position=number, reason=reason)

    def _failed(self, error: BaseException) -> SettingsError:
        """Return the error of a function that failed. It quotes none of its texts, which may hold an address."""
        why = error.text if isinstance(error, PolicenotifyError) else f"{type(error).__name__}."
        at = self.at or f"audiences.{self.name}"
        return SettingsError(Text("{at}: the function failed: {why}", at=at, why=why))


def _takes_start(function: Callable[..., object]) -> bool:
    try:
        return "start" in inspect.signature(function).parameters
    except ValueError:  # one in C, such as partial(tuple, addresses), that names none
        return False
