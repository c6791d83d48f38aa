"""An installation for tests: two fake networks, and publishers on one journal."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from policenotify.channel import ChannelConfig, Clock
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Location
from policenotify.model.message import Message
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from policenotify.testing.servers.bluesky import FakeBlueskyServer
from policenotify.testing.servers.mail import FakeMailServer
from tests.support.audiences import listed
from tests.support.network_options import bluesky_options, mail_options
from tests.support.patience import ANSWERED, LONG

ADDRESSES = ("redaction@journal.example", "standard.secret@mairie.example", "t.dupont@habitant.example")
INCIDENT = "2026-4711"


def later(_before: timedelta) -> timedelta:
    """A backoff for tests that look at what one try has come to."""
    return timedelta(minutes=5)


_SETTINGS = """
schema_version = 1
sender = "Police nationale de l'Hérault"
zone = "Europe/Paris"
journal = "journal.db"
keys = "keys"

[channels.bluesky]
network = "bluesky"
handle = "{desk.bluesky.handle}"
password = "{desk.bluesky.password}"
service = "{desk.bluesky.url}"

[channels.presse]
network = "email"
url = "{desk.mail_url}"
recipients = {{ file = "presse.txt" }}
"""


def soon(before: timedelta) -> timedelta:
    """A backoff for tests."""
    return min(max(before * 1.5, timedelta(seconds=0.1)), timedelta(seconds=1))


def open_journal_publisher(
    place: Path | str,
    keys: Keys,
    *channels: ChannelConfig,
    clock: Clock | None = None,
    create: bool = True,
    **how: Any,
) -> Publisher:
    """Return a publisher on a journal, which is made if it is not there, unless *create* is false."""
    clock = clock or SystemClock()
    with ExitStack() as unless_made:
        journal = open_journal(str(place), keys=keys, clock=clock, create=create)
        unless_made.callback(journal.close)
        settings = {"channels": channels, "zone": PARIS, "sender": SENDER, "clock": clock, **how}
        made = Publisher(Installation(journal=journal, **settings))
        unless_made.pop_all()
    return made


@dataclass
class Desk:
    folder: Path
    bluesky: FakeBlueskyServer
    mail: FakeMailServer
    keys: Keys = field(default_factory=lambda: Keys.create(secrets.token_bytes))
    addresses: Sequence[str] = ADDRESSES
    clock: Clock = field(default_factory=SystemClock)
    opened: list[Publisher] = field(default_factory=list)
    timeout: float = ANSWERED

    @property
    def database(self) -> Path:
        return self.folder / "journal.db"

    @property
    def mail_url(self) -> str:
        return str(mail_options(self.mail)["url"])

    def on_bluesky(self, name: str = "bluesky", **how: Any) -> ChannelConfig:
        options = bluesky_options(self.bluesky) | {"timeout": self.timeout}
        return configure_channel(name, "bluesky", options, **how)

    def by_mail(self, name: str = "presse", **how: Any) -> ChannelConfig:
        options = {
            "url": self.mail_url,
            "list_id": "alerte.police34.example",
            "unsubscribe": "https://police34.example/stop/{recipient}",
            "timeout": self.timeout,
        }
        how.setdefault("audiences", listed(name, lambda: self.addresses))
        return configure_channel(name, "email", options, **how)

    def write_settings(self) -> Path:
        """Write the installation as a settings file, a keys file and a list of recipients."""
        if not (self.folder / "keys").exists():
            self.keys.save(self.folder / "keys")
        (self.folder / "presse.txt").write_text("\n".join(self.addresses), encoding="utf-8")
        settings = self.folder / "policenotify.toml"
        settings.write_text(_SETTINGS.format(desk=self), encoding="utf-8")
        if not self.database.exists():
            self.make_journal()
        return settings

    def change_settings(self, old: str, new: str) -> None:
        """Replace a text of the settings file, once."""
        settings = self.folder / "policenotify.toml"
        text = settings.read_text(encoding="utf-8")
        assert old in text
        settings.write_text(text.replace(old, new, 1), encoding="utf-8")

    def add_settings(self, text: str) -> None:
        """Write a text below the settings."""
        with (self.folder / "policenotify.toml").open("a", encoding="utf-8") as settings:
            settings.write(text)

    def make_journal(self) -> None:
        """Make the journal, as `policenotify init` does."""
        open_journal(str(self.database), keys=self.keys, clock=self.clock, create=True).close()

    def publisher(self, channels: Sequence[ChannelConfig] | None = None, **how: Any) -> Publisher:
        named = [self.on_bluesky(), self.by_mail()] if channels is None else channels
        usual = {"clock": self.clock, "wait": LONG, "backoff": soon}
        made = open_journal_publisher(self.database, self.keys, *named, **{**usual, **how})
        self.opened.append(made)
        return made


@contextmanager
def open_desk(folder: Path) -> Iterator[Desk]:
    with FakeBlueskyServer("police34.example") as bluesky, FakeMailServer() as mail:
        desk = Desk(folder, bluesky, mail)
        try:
            yield desk
        finally:
            for publisher in desk.opened:
                publisher.close()


def accident(**changes: Any) -> Message:
    """An opening that passes every check."""
    return Message(
        **{
            "category": "traffic_accident",
            "headline": "Accident de la circulation",
            "description": "Circulation très difficile.",
            "instruction": "Évitez le secteur, déviation par l'avenue de Lodève.",
            "location": Location(commune="34172", street="avenue de Toulouse"),
            "lifecycle": Lifecycle(stage=Stage.OPENING, incident=INCIDENT),
            **changes,
        }
    )
