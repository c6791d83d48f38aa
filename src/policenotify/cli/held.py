"""Deliveries that a person must settle."""

from __future__ import annotations

from policenotify.model.history import Outcome
from policenotify.model.receipt import Receipt


def held(receipt: Receipt) -> bool:
    """Whether a person must say what became of it, or of it for some of its readers."""
    return receipt.outcome is Outcome.HELD or bool((receipt.recipients or {}).get(Outcome.HELD))
