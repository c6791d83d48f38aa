"""A bridge from a dispatch system: its JSON events become the opening, the updates and the end of an incident.

The events come as one JSON object a line, from a file or `-` (standard input); without an argument, those below.
Feed it the same events again, for example after a crash: each publishes once, because its number is the key.

Run it where a `policenotify.toml` is. Elsewhere it prints the posts, and publishes nothing.
"""

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from policenotify import (
    IncidentNotFound,
    InvalidTransition,
    Lifecycle,
    Location,
    Message,
    MessageRejected,
    Publication,
    Publisher,
    open_publisher,
)
from policenotify.testing import recording_publisher

# Codes of the dispatch system, and the texts for readers.
NATURES = {"AVP": "traffic_accident", "FEU": "fire", "COLIS": "bomb_disposal"}
HEADLINES = {
    "AVP": "Accident de la circulation",
    "FEU": "Incendie",
    "COLIS": "Colis suspect, intervention des démineurs",
}
ADVICE = {
    "AVP": "Évitez le secteur.",
    "FEU": "Évitez le secteur et fermez vos fenêtres.",
    "COLIS": "Évitez le secteur et suivez les consignes des policiers.",
}
CLEAR = {
    "AVP": "Circulation rétablie.",
    "FEU": "Feu éteint, vous pouvez circuler normalement.",
    "COLIS": "Aucun danger, vous pouvez circuler normalement.",
}

SAMPLE = """
{"event": 1, "type": "created", "incident": "34-118204", "nature": "AVP", "insee": "34172", "street": "avenue de Toulouse"}
{"event": 2, "type": "note", "incident": "34-118204", "public": false, "text": "Véhicule 2 : conducteur connu"}
{"event": 3, "type": "note", "incident": "34-118204", "public": true, "text": "Une voie rouverte"}
{"event": 4, "type": "closed", "incident": "34-118204", "nature": "AVP"}
{"event": 4, "type": "closed", "incident": "34-118204", "nature": "AVP"}
{"event": 5, "type": "note", "incident": "34-118204", "public": true, "text": "Dépanneuse partie"}
"""  # noqa: E501 - one event is one line; with "at" an event says when it happened, here it is now


def message_of(event: dict[str, object], publisher: Publisher) -> Message | None:
    """Return the message for an event, or None if it is not for the public."""
    incident, nature = str(event["incident"]), str(event.get("nature", ""))
    match event["type"]:
        case "created" if nature in NATURES:
            at = datetime.fromisoformat(str(event["at"])) if "at" in event else datetime.now(UTC)
            return Message(
                category=NATURES[nature],
                headline=HEADLINES[nature],
                instruction=ADVICE[nature],
                location=Location(commune=str(event["insee"]), street=str(event["street"])),
                starts_at=at,
                next_update_at=at + timedelta(minutes=45),
                lifecycle=Lifecycle(stage="opening", incident=incident),
            )
        case "note" if event.get("public"):  # other notes never leave the dispatch system
            return publisher.operations.incident(incident).update(str(event["text"]), instruction="Restez prudents.")
        case "closed" if nature in NATURES:
            return publisher.operations.incident(incident).end("Fin d'intervention", description=CLEAR[nature])
    return None


def bridge(lines: Iterable[str], publisher: Publisher) -> list[Publication]:
    """Publish each event once. An event that cannot be published does not stop the others."""
    publications = []
    for line in filter(None, map(str.strip, lines)):
        number = "that cannot be read"
        try:
            event = json.loads(line)
            number = str(event["event"])
            key = f"dispatch-event-{number}"
            if publisher.operations.publication(key):  # published already, and its incident may have changed since
                continue
            message = message_of(event, publisher)
            if message is None:
                continue
            publications.append(publisher.publish(message, key=key, actor="dispatch"))
        except (IncidentNotFound, InvalidTransition, MessageRejected) as error:
            print(f"event {number}: {error}", file=sys.stderr)  # for the desk's own log, and a person
            continue
        except (KeyError, TypeError, ValueError) as error:
            print(f"event {number}: a field is missing or wrong: {error!r}", file=sys.stderr)
            continue
        for receipt in publications[-1]:
            print(f"event {number} · {publications[-1].message.stage} · {receipt}")
    return publications


def main(publisher: Publisher) -> None:
    """Publish the events that the command line names."""
    source = next(iter(sys.argv[1:]), None)
    if source is None:
        bridge(SAMPLE.splitlines(), publisher)
    elif source == "-":
        bridge(sys.stdin, publisher)
    else:
        bridge(Path(source).read_text(encoding="utf-8").splitlines(), publisher)


if __name__ == "__main__":
    if Path("policenotify.toml").exists():
        with open_publisher() as publisher:
            main(publisher)
    else:  # a trial: the posts are only printed
        with recording_publisher() as trial:
            main(trial.publisher)
            print(*trial.posts, sep="\n")
