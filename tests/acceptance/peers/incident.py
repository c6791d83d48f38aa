"""Publish one incident in three messages."""

from __future__ import annotations

from policenotify.model.receipt import Publication
from policenotify.publishing.publisher import Publisher
from tests.support.installation import INCIDENT, accident


def publish_incident(publisher: Publisher) -> list[Publication]:
    """Publish the opening, an update and the end, which must all succeed."""
    opened = publisher.publish(accident(), key="opening", actor="desk")
    said = [opened, publisher.publish(opened.update("Une voie rouverte à la circulation"), key="update", actor="desk")]
    end = publisher.operations.incident(INCIDENT).end("Fin d'intervention", description="Circulation rétablie.")
    said.append(publisher.publish(end, key="end", actor="desk"))
    for each in said:
        assert each.ok, "\n".join(map(str, each))
    return said
