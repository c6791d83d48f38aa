"""Bluesky, by atproto."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policenotify.networks.bluesky.channel import Bluesky

__all__ = ["Bluesky"]


def __getattr__(name: str) -> object:
    if name != "Bluesky":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from policenotify.networks.bluesky.channel import Bluesky  # noqa: PLC0415 - loads the client library, when it is needed

    return Bluesky
