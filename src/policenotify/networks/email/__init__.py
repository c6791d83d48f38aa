"""E-mail, by apprise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policenotify.networks.email.channel import Email

__all__ = ["Email"]


def __getattr__(name: str) -> object:
    if name != "Email":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from policenotify.networks.email.channel import Email  # noqa: PLC0415 - loads the client library, when it is needed

    return Email
