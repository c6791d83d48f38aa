"""SMS, by apprise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policenotify.networks.sms.channel import Sms

__all__ = ["Sms"]


def __getattr__(name: str) -> object:
    if name != "Sms":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from policenotify.networks.sms.channel import Sms  # noqa: PLC0415 - loads the client library, when it is needed

    return Sms
