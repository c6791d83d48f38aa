"""Publish one incident in three messages, and make a post for a channel."""

from __future__ import annotations

import secrets

from policenotify.channel import Channel, Post
from policenotify.journal.clock import SystemClock
from policenotify.model.lifecycle import Stage
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


def a_post(channel: Channel, text: str, **more: object) -> Post:
    """Return an opening that was made now, with a key of its own."""
    values = {"category": "traffic", "language": "fr", "stage": Stage.OPENING, "created_at": SystemClock().now()}
    key = secrets.token_hex(32)
    return Post.model_validate({"key": key, "account": channel.account, "text": text, **values, **more})
