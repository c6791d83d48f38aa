"""One prevention message, published from asynchronous code.

Run it where a `policenotify.toml` is. Elsewhere it prints the posts, and publishes nothing.
"""

import asyncio
from pathlib import Path

from policenotify import AsyncPublisher, Message, Publisher, open_publisher
from policenotify.testing import recording_publisher

TIP = Message(
    category="scam_cyber",
    headline="Faux conseiller bancaire : votre banque ne vous demandera JAMAIS vos codes",
    instruction="Raccrochez et rappelez votre agence. Victime ? 17Cyber.gouv.fr",
)


async def main(opened: Publisher) -> None:
    """Publish once, however often the program is run."""
    async with AsyncPublisher(opened) as publisher:
        publication = await publisher.publish(TIP, key="prevention-faux-conseiller-2026", actor="prevention")
        for receipt in publication:
            print(receipt)
        publication.raise_for_failures()


if __name__ == "__main__":
    if Path("policenotify.toml").exists():
        asyncio.run(main(open_publisher()))
    else:  # a trial: the posts are only printed
        with recording_publisher() as trial:
            asyncio.run(main(trial.publisher))
            print(*trial.posts, sep="\n")
