"""Notify WebSub hubs of a changed feed."""

from __future__ import annotations

from collections.abc import Sequence


def ping(hubs: Sequence[str], topics: Sequence[str], *, timeout: float) -> None:
    """Notify each hub of the addresses that have changed. A lost call is harmless: readers also ask by themselves.

    Args:
        hubs: The addresses of the hubs.
        topics: The addresses of the feeds.
        timeout: Seconds for each hub.
    """
