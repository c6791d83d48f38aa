"""One prevention message, published from asynchronous code."""

import asyncio

from policenotify import AsyncPublisher, Message, open_publisher

TIP = Message(
    category="scam_cyber",
    headline="Faux conseiller bancaire : votre banque ne vous demandera JAMAIS vos codes",
    instruction="Raccrochez et rappelez votre agence. Victime ? 17Cyber.gouv.fr",
)


async def main() -> None:
    """Publish once, however often the program is run."""
    async with AsyncPublisher(open_publisher()) as publisher:
        publication = await publisher.publish(TIP, key="prevention-faux-conseiller-2026", actor="prevention")
        for receipt in publication:
            print(receipt)
        publication.raise_for_failures()


asyncio.run(main())
