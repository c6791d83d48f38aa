"""Open a channel from its options, as an installation does, without its settings."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from policenotify.channel import Clock, Services, StateStore
from policenotify.errors import SettingsError
from policenotify.render.locales import LOCALES
from policenotify.testing.fakes import FakeClock, InMemoryStateStore
from policenotify.translation import Text
from policenotify.validation import validation_errors

_Kind = TypeVar("_Kind")


def open_channel(
    kind: type[_Kind], /, *, clock: Clock | None = None, store: StateStore | None = None, **options: Any
) -> _Kind:
    """Return a channel on a network, with a fake clock and an empty store unless others are given.

    Raises:
        SettingsError: An option is wrong, as `configure_channel` reports it.
    """
    network: Any = kind
    try:
        values = network.Options(**options)
    except ValidationError as error:
        raise SettingsError(
            Text.join("\n", [each.line for each in validation_errors(error, network.Options, values=options)])
        ) from None
    opened: _Kind = network(values, Services(clock or FakeClock(), store or InMemoryStateStore(), LOCALES))
    return opened
