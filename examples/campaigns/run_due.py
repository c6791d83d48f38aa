"""Publish the due occurrences of the campaigns beside this file, then show the next ones. For cron.

Run it where a `policenotify.toml` is. Elsewhere it prints the posts, and publishes nothing.
"""

from datetime import timedelta
from pathlib import Path

from policenotify import Publication, Publisher, open_publisher
from policenotify.campaigns import load_campaigns, run
from policenotify.campaigns.runner import upcoming
from policenotify.testing import recording_publisher

CAMPAIGNS = Path(__file__).parent


def publish_due(publisher: Publisher, wait: timedelta | None = None) -> tuple[Publication, ...]:
    """Publish each occurrence once, on any number of machines. Problems are printed, and no occurrence is lost."""
    result = run(publisher, load_campaigns([CAMPAIGNS]), actor="prevention", wait=wait)
    for name, problem in result.problems.items():
        print(f"{name}: {problem}")
    for publication in result.published:
        for receipt in publication:
            print(publication.key, "·", receipt)
    return result.published


def main(publisher: Publisher) -> None:
    """Publish what is due, then show the plan of the next 31 days."""
    publish_due(publisher)
    today = publisher.journal.now().astimezone(publisher.installation.zone).date()
    for entry in upcoming(publisher, load_campaigns([CAMPAIGNS]), today, today + timedelta(days=31)):
        print(entry.occurrence.due, entry.occurrence.campaign, entry.variant)


if __name__ == "__main__":
    if Path("policenotify.toml").exists():
        with open_publisher() as publisher:
            main(publisher)
    else:  # a trial: the posts are only printed
        with recording_publisher() as trial:
            main(trial.publisher)
            print(*trial.posts, sep="\n")
