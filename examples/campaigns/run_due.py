"""Publish the due occurrences of the campaigns beside this file, then show the next ones. For cron.

Run it where a `policenotify.toml` is, or set POLICENOTIFY_SETTINGS.
"""

from datetime import timedelta
from pathlib import Path

from policenotify import Publication, Publisher, open_publisher
from policenotify.campaigns import load_campaigns, run
from policenotify.campaigns.runner import upcoming

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


if __name__ == "__main__":
    with open_publisher() as publisher:
        publish_due(publisher)
        today = publisher.journal.now().astimezone(publisher.zone).date()
        for entry in upcoming(publisher, load_campaigns([CAMPAIGNS]), today, today + timedelta(days=31)):
            print(entry.at or "never", entry.occurrence.campaign, entry.variant, entry.reason)
