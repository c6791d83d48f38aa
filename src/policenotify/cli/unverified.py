"""Channels whose yes says less than it seems, told where only the journal was opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from policenotify.errors import SettingsError
from policenotify.receipt import UNVERIFIED, Outcome, Publication, Receipt
from policenotify.settings import channels_of

if TYPE_CHECKING:
    from policenotify.channel import Configured
    from policenotify.settings import Settings


def usable(settings: Settings) -> Iterator[Configured]:
    """The channels that are set rightly; one that is not is no reason to pass over the others."""
    for name, channel in settings.channels.items():
        try:
            yield from channels_of(settings.model_copy(update={"channels": {name: channel}}))
        except SettingsError:
            continue


def noted(publications: Iterable[Publication], settings: Settings) -> tuple[Publication, ...]:
    """The publications, whose receipts say where a gateway's yes is all that is known."""
    wanted = tuple(publications)
    names = {receipt.channel for one in wanted for receipt in one if receipt.outcome is Outcome.POSTED}
    asked = {name: channel for name, channel in settings.channels.items() if name in names}
    unsure = {
        one.name
        for one in usable(settings.model_copy(update={"channels": asked}))
        if one.abilities.acceptance == "unverified"
    }
    return tuple(
        one.model_copy(update={"receipts": tuple(_noted(receipt, unsure) for receipt in one)}) for one in wanted
    )


def _noted(receipt: Receipt, unsure: set[str]) -> Receipt:
    if receipt.channel not in unsure or receipt.outcome is not Outcome.POSTED:
        return receipt
    return receipt.model_copy(update={"note": UNVERIFIED})
