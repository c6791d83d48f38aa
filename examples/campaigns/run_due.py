"""Say what the campaigns beside this file have due now, then show the next ones. For cron: run it as often as you like.

Run it where a `policenotify.toml` is, or set POLICENOTIFY_SETTINGS.
"""

from datetime import timedelta
from pathlib import Path

from policenotify import Publication, Publisher, open_publisher
from policenotify.campaigns import load_campaigns, run
from policenotify.campaigns.runner import upcoming

CAMPAIGNS = Path(__file__).parent


def say_due(publisher: Publisher, wait: timedelta | None = None) -> tuple[Publication, ...]:
    """Each occurrence once, on however many machines this runs; what could not be said is told, and is not lost."""
    done = run(publisher, load_campaigns([CAMPAIGNS]), actor="prevention", wait=wait)
    for name, problem in done.problems.items():
        print(f"{name}: {problem}")
    for publication in done.published:
        for receipt in publication:
            print(publication.key, "·", receipt)
    return done.published


if __name__ == "__main__":
    with open_publisher() as desk:
        say_due(desk)
        today = desk.journal.now().astimezone(desk.zone).date()
        for planned in upcoming(desk, load_campaigns([CAMPAIGNS]), today, today + timedelta(days=31)):
            print(planned.at or "never", planned.occurrence.campaign, planned.variant, planned.reason)
