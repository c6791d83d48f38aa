"""Arguments of publishing: keys, actors, waits and written reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

SHORTEST_REASON: Final = 10
"""Characters of a written reason, at least."""

_LONGEST_REASON: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The arguments of `publish` besides the message."""

    key: str
    actor: str
    to: Sequence[str] | None
    draft: str | None
    urgent: str
    despite_findings: str
    file_names: Sequence[str]


def checked_reason(name: str, text: str) -> str:
    """Return a written reason without white space around it.

    Raises:
        ValueError: It is too short to state one, too long, or cannot be printed.
    """
    reason = " ".join(text.split())
    if not SHORTEST_REASON <= len(reason) <= _LONGEST_REASON or not reason.isprintable():
        raise ValueError(f"{name}: write a reason of {SHORTEST_REASON} to {_LONGEST_REASON} characters")
    return reason


def wait_of(wait: timedelta | float | None) -> timedelta:
    """Return a time span, given as one or in seconds. `None` is zero."""
    if isinstance(wait, timedelta):
        return wait
    try:
        return timedelta(seconds=0 if wait is None else wait)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("wait: write a timedelta, or a number of seconds; nothing was sent") from None


def check_names(key: str, actor: str) -> None:
    """Refuse a key or an actor that is empty, too long or cannot be printed.

    Raises:
        ValueError: One is.
    """
    for name, value in (("key", key), ("actor", actor)):
        if not value.strip() or len(value) > 200 or not value.isprintable():  # noqa: PLR2004 - the column's width
            raise ValueError(f"{name}: 1 to 200 printable characters are needed; nothing was sent")
