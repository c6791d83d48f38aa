"""Times in what people read: receipts, notes, lists and errors."""

from __future__ import annotations

from datetime import datetime, tzinfo


def local_time(at: datetime, zone: tzinfo | None, *, seconds: bool = False) -> str:
    """Return a time in the zone of the installation.

    Only UTC is named, so that it is not taken for the time on the wall.
    """
    at = at.astimezone(zone)
    shown = f"{at:%Y-%m-%d %H:%M:%S}" if seconds else f"{at:%Y-%m-%d %H:%M}"
    return f"{shown} UTC" if at.tzname() == "UTC" else shown
