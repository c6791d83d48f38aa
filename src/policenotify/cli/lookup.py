"""Publications, looked up in the journal."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING

from policenotify.errors import InvalidTransition
from policenotify.model.receipt import Publication
from policenotify.publishing.operations import not_found
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal


def find_publication(journal: Journal, name: str, zone: tzinfo) -> Publication:
    """Return the publication of that id or key, or the last one of that incident.

    An incident takes precedence.

    Raises:
        IncidentNotFound: There is none.
        InvalidTransition: The name means two publications.
    """
    history, named = journal.incidents.history(name), journal.publications.get(name)
    if not history.entries:
        if named is None:
            raise not_found(journal, name, zone)
        return named
    last_id = history.entries[-1].publication
    if named is not None and named.incident != name:
        raise InvalidTransition(
            Text(
                "{name!r} is an incident, and also the key of publication {id}, which does not belong to it. "
                "Give the id of the publication, or that of the incident's last one: {last_id}.",
                name=name,
                id=named.id,
                last_id=last_id,
            ),
            incident=name,
        )
    last = journal.publications.get(last_id)
    assert last is not None  # noqa: S101 - the history names it, and nothing is ever removed
    return last
