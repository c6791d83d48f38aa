"""Mastodon and servers that speak its API, by Mastodon.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policenotify.networks.mastodon.channel import Mastodon

__all__ = ["Mastodon"]


def __getattr__(name: str) -> object:
    if name != "Mastodon":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from policenotify.networks.mastodon.channel import Mastodon  # noqa: PLC0415 - loads the client library, when it is needed

    return Mastodon
