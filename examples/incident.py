"""An accident from its opening to its end, as a dispatch system would publish it.

Run it where a `policenotify.toml` is. Elsewhere it prints the posts, and publishes nothing.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from policenotify import Lifecycle, Location, Message, Publisher, Stage, open_publisher
from policenotify.testing import recording_publisher

INCIDENT = f"exemple-{datetime.now(UTC):%Y%m%d%H%M%S}"

opening = Message(
    category="traffic_accident",
    location=Location(commune="34172", street="avenue de Toulouse"),
    headline="Accident de la circulation",
    description="Circulation très difficile.",
    instruction="Évitez le secteur, déviation par l'avenue de Lodève.",
    next_update_at=datetime.now(UTC) + timedelta(minutes=45),
    lifecycle=Lifecycle(stage=Stage.OPENING, incident=INCIDENT),
)


def main(publisher: Publisher) -> None:
    """Publish the opening, an update and the end."""
    for wording in publisher.preview(opening).posts:
        print(f"--- {wording.target.channel}\n{wording.standalone.text}\n")

    first = publisher.publish(opening, key=f"{INCIDENT} opening", actor="dispatch")
    updated = publisher.publish(
        first.update("Une voie rouverte", instruction="Restez prudents."),
        key=f"{INCIDENT} update",
        actor="dispatch",
    )
    # The end may come a week later, from another process: the journal knows the incident.
    over = publisher.operations.incident(INCIDENT).end("Fin d'intervention", description="Circulation rétablie.")
    ended = publisher.publish(over, key=f"{INCIDENT} end", actor="dispatch")

    for publication in (first, updated, ended):
        for receipt in publication:
            print(publication.message.stage, "·", receipt)
        publication.raise_for_failures()


if __name__ == "__main__":
    if Path("policenotify.toml").exists():
        with open_publisher() as publisher:
            main(publisher)
    else:  # a trial: the posts are only printed
        with recording_publisher() as trial:
            main(trial.publisher)
            print(*trial.posts, sep="\n")
