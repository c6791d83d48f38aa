"""A publisher with two mail channels at one server, and the people on its list."""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import httpx

from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.person import ReportResult
from policenotify.model.receipt import Publication
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.people import People
from policenotify.publishing.publisher import Publisher
from policenotify.testing import FakeClock, FakeMailServer
from policenotify.testing.samples import PARIS, SENDER
from policenotify.web import app
from tests.support.audiences import listed
from tests.support.installation import accident
from tests.support.network_options import mail_options

ANA, BEN = "ana@journal.example", "ben@mairie.example"
DAY = 86_400


class MailDesk:
    """A publisher with two mail channels at one server."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.server = stack.enter_context(FakeMailServer())
        self.clock = FakeClock()
        self.people: tuple[str, ...] = (ANA, BEN, "chloe@c.example")
        self.journal = open_journal(
            str(folder / "journal.db"), keys=Keys.create(secrets.token_bytes), clock=self.clock, create=True
        )
        shared = {"unsubscribe": "https://police.example/stop/{token}", "bounces": "bounce@police.example"}
        press = {**mail_options(self.server), **shared}
        duty = {**shared, "url": press["url"].replace("alerte@", "permanence@")}
        channels = [
            configure_channel("press", "email", press, audiences=listed("press", lambda: self.people)),
            configure_channel("duty", "email", duty, audiences=listed("duty", lambda: self.people)),
        ]
        self.publisher = stack.enter_context(
            Publisher(
                Installation(journal=self.journal, channels=channels, zone=PARIS, sender=SENDER, clock=SystemClock())
            )
        )
        self.door: People = self.publisher.people
        self.wait = 20.0
        self._count = 0

    def publish(
        self, channel: str = "press", *, stage: Stage = Stage.OPENING, incident: str | None = None
    ) -> Publication:
        self._count += 1
        lifecycle = Lifecycle(stage=stage, incident=incident or f"I{self._count}")
        return self.publisher.publish(
            accident(lifecycle=lifecycle),
            key=str(self._count),
            actor="desk",
            to=[channel] if stage in {Stage.OPENING, Stage.UPDATE} else None,
            wait=timedelta(seconds=self.wait),
        )

    def counts(self, channel: str = "press", **how: object) -> dict[Outcome, int]:
        return dict(self.publish(channel, **how).on(channel).recipients or {})  # type: ignore[arg-type]

    def sender_to(self, address: str) -> str:
        """Return the envelope's sender of the last mail to an address, to which its bounces go."""
        return self.server.mailbox(address)[-1].sender

    def comes_back(self, address: str, mail: bytes) -> ReportResult | None:
        return self.door.bounce(mail, [self.sender_to(address)]).result

    def link_to(self, address: str) -> str:
        mail = self.server.mailbox(address)[-1].message
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        found = re.fullmatch(r"<https://police\.example(/stop/[a-z2-7]+)>", str(mail["List-Unsubscribe"]))
        assert found
        return found[1]

    def click(self, path: str) -> int:
        async def post() -> int:
            transport = httpx.ASGITransport(app(people=self.door))
            async with httpx.AsyncClient(transport=transport, base_url="https://police.example") as client:
                return (await client.post(path, content=b"List-Unsubscribe=One-Click")).status_code

        return asyncio.run(post())
