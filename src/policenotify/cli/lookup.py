"""Publications and channels, looked up in the journal and the settings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from difflib import get_close_matches
from typing import TYPE_CHECKING

from policenotify.errors import InvalidTransition, SettingsError
from policenotify.journal.records import describe_incidents
from policenotify.model.history import History, Outcome
from policenotify.model.receipt import UNVERIFIED, Publication, Receipt

if TYPE_CHECKING:
    from policenotify.channel import ChannelConfig
    from policenotify.journal.journal import Journal
    from policenotify.settings import Settings

_NEAR = 1000  # newest open incidents among which a misspelt name is looked for


def find_publication(journal: Journal, name: str, zone: tzinfo) -> Publication:
    """Return the publication of that id or key, or the last one of that incident.

    An incident takes precedence.

    Raises:
        InvalidTransition: There is none, or the name means two publications.
    """
    history, named = journal.incidents.history(name), journal.publications.get(name)
    if not history.entries:
        if named is None:
            raise not_found(journal, name, history, zone)
        return named
    last_id = history.entries[-1].publication
    if named is not None and named.incident != name:
        raise InvalidTransition(
            f"{name!r} is an incident, and also the key of publication {named.id}, which does not belong to it. "
            f"Give the id of the publication, or that of the incident's last one: {last_id}.",
            incident=name,
        )
    last = journal.publications.get(last_id)
    assert last is not None  # noqa: S101 - the history names it, and nothing is ever removed
    return last


def not_found(journal: Journal, name: str, history: History, zone: tzinfo) -> InvalidTransition:
    """Return the error for an unknown name, with the nearest and the open incidents."""
    open_now = journal.incidents.list(limit=_NEAR)
    near = get_close_matches(name, [incident.id for incident in open_now], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    known = describe_incidents(history, open_now, zone, count=journal.incidents.count_open())
    return InvalidTransition(f"There is no incident, publication or key {name!r}.{hint} {known}", incident=name)


def is_held(receipt: Receipt) -> bool:
    """Return True if a person must resolve the delivery, or that of a recipient."""
    return receipt.outcome is Outcome.HELD or bool((receipt.recipients or {}).get(Outcome.HELD))


def configured_channels(settings: Settings) -> tuple[tuple[ChannelConfig, ...], str]:
    """Return all channels, usable or not, and what is wrong between them, if anything."""
    from policenotify.settings import channels_of

    try:
        return channels_of(settings, tolerant=True), ""
    except SettingsError as error:
        single = (settings.model_copy(update={"channels": {name: table}}) for name, table in settings.channels.items())
        return tuple(channel for alone in single for channel in channels_of(alone, tolerant=True)), str(error)


def with_notes(publications: Iterable[Publication], channels: Iterable[ChannelConfig]) -> tuple[Publication, ...]:
    """Return the publications with a note on each receipt of an unverified channel."""
    unverified = {channel.name for channel in channels if channel.capabilities.acceptance == "unverified"}
    return tuple(
        publication.model_copy(update={"receipts": tuple(_noted(receipt, unverified) for receipt in publication)})
        for publication in publications
    )


def _noted(receipt: Receipt, unverified: set[str]) -> Receipt:
    if receipt.channel not in unverified or receipt.outcome is not Outcome.POSTED:
        return receipt
    return receipt.model_copy(update={"note": UNVERIFIED})
