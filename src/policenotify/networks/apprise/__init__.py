"""Any other service, by its apprise URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policenotify.networks.apprise.channel import Apprise

__all__ = ["Apprise"]


def __getattr__(name: str) -> object:
    if name != "Apprise":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from policenotify.networks.apprise.channel import Apprise  # noqa: PLC0415 - loads the client library, when it is needed

    return Apprise
