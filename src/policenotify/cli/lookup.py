"""What an officer means by a name: an incident, a publication, or its key."""

from __future__ import annotations

from datetime import tzinfo
from difflib import get_close_matches
from typing import TYPE_CHECKING

from policenotify.errors import InvalidTransition
from policenotify.journal.records import describe_incidents
from policenotify.model.history import History
from policenotify.model.receipt import Publication

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal


def meant(journal: Journal, which: str, zone: tzinfo) -> Publication:
    """The publication of that id or key; of an incident: its last one. An incident comes first.

    Raises:
        InvalidTransition: There is none, or the name means two.
    """
    history, named = journal.incidents.history(which), journal.publications.get(which)
    if not history.entries:
        if named is None:
            raise unknown(journal, which, history, zone)
        return named
    if named is not None and named.incident != which:
        raise InvalidTransition(
            f"{which!r} is an incident, and also the key of publication {named.id}, which is not of it. "
            f"Give the id of the publication, or that of the incident's last one: {history.entries[-1].publication}.",
            incident=which,
        )
    last = journal.publications.get(history.entries[-1].publication)
    assert last is not None  # noqa: S101 - the history has just named it, and nothing is ever taken out
    return last


def unknown(journal: Journal, which: str, history: History, zone: tzinfo) -> InvalidTransition:
    """The error that says that there is nothing of that name, what is near it, and what is open."""
    open_now = journal.incidents.list()
    near = get_close_matches(which, [one.id for one in open_now], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    known = describe_incidents(history, open_now, zone)
    return InvalidTransition(f"There is no incident, publication or key {which!r}.{hint} {known}", incident=which)
