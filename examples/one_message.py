"""One message, published once: its preview, then its receipts.

Run it where a `policenotify.toml` is. Elsewhere it prints the posts, and publishes nothing.
"""

from pathlib import Path

from policenotify import Message, Publisher, open_publisher
from policenotify.testing import recording_publisher

TIP = Message(
    category="scam_cyber",
    headline="Faux conseiller bancaire : votre banque ne vous demandera JAMAIS vos codes",
    instruction="Raccrochez et rappelez votre agence. Victime ? 17Cyber.gouv.fr",
)


def main(publisher: Publisher) -> None:
    """Show the message as each network will, then publish it."""
    preview = publisher.preview(TIP)
    for finding in preview.findings:
        print(finding)
    for wording in preview.posts:
        budget = publisher.installation.channel_configs[wording.target.channel].capabilities.budget
        used, limit = budget.usage(wording.standalone.text)
        print(f"--- {wording.target.channel} ({used}/{limit})\n{wording.standalone.text}\n")

    # The key names this message: run the program again, and nothing is published twice.
    publication = publisher.publish(TIP, key="prevention-faux-conseiller-2026-11", actor="prevention")
    for receipt in publication:
        print(receipt)
    publication.raise_for_failures()


if __name__ == "__main__":
    if Path("policenotify.toml").exists():
        with open_publisher() as publisher:
            main(publisher)
    else:  # a trial: the posts are only printed
        with recording_publisher() as trial:
            main(trial.publisher)
            print(*trial.posts, sep="\n")
