"""The channels where only the journal was opened: which cannot be used, and which do not verify a post."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from policenotify.errors import SettingsError
from policenotify.model.history import Outcome
from policenotify.model.receipt import UNVERIFIED, Publication, Receipt
from policenotify.settings import channels_of

if TYPE_CHECKING:
    from policenotify.channel import ChannelConfig
    from policenotify.settings import Settings


def channels_in(settings: Settings) -> tuple[tuple[ChannelConfig, ...], str]:
    """Return the channels, those too that cannot be used, and what is wrong between them (empty: nothing)."""
    try:
        return channels_of(settings, tolerant=True), ""
    except SettingsError as error:
        alone = (settings.model_copy(update={"channels": {name: one}}) for name, one in settings.channels.items())
        return tuple(channel for one in alone for channel in channels_of(one, tolerant=True)), str(error)


def noted(publications: Iterable[Publication], channels: Iterable[ChannelConfig]) -> tuple[Publication, ...]:
    """The publications, whose receipts say where a gateway's yes is all that is known."""
    unsure = {one.name for one in channels if one.capabilities.acceptance == "unverified"}
    return tuple(
        one.model_copy(update={"receipts": tuple(_noted(receipt, unsure) for receipt in one)}) for one in publications
    )


def _noted(receipt: Receipt, unsure: set[str]) -> Receipt:
    if receipt.channel not in unsure or receipt.outcome is not Outcome.POSTED:
        return receipt
    return receipt.model_copy(update={"note": UNVERIFIED})
