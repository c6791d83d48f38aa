"""Tell WebSub hubs that a feed has changed."""

from __future__ import annotations

from collections.abc import Sequence


def ping(hubs: Sequence[str], topics: Sequence[str], *, timeout: float) -> None:
    """Tell each hub which addresses have changed. A lost call is harmless: readers also ask by themselves.

    Args:
        hubs: The addresses of the hubs.
        topics: The addresses of the feeds.
        timeout: Seconds for each hub.
    """
