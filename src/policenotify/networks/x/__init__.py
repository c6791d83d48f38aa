"""X, by tweepy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policenotify.networks.x.channel import X

__all__ = ["X"]


def __getattr__(name: str) -> object:
    if name != "X":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from policenotify.networks.x.channel import X  # noqa: PLC0415 - loads the client library, when it is needed

    return X
