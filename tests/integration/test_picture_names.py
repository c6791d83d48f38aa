"""The name of a picture's file may name a person. It stays in the house, on each way out."""

from __future__ import annotations

import logging
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image as Pillow

from policenotify.errors import InvalidImage
from policenotify.model.message import Image
from policenotify.networks.registry import configure_channel
from policenotify.publishing.publisher import Publisher
from policenotify.render.locales import LOCALES
from policenotify.testing.servers.webhook import FakeWebhookServer
from tests.support.five_networks import Five
from tests.support.installation import accident
from tests.support.network_options import webhook_options
from tests.support.patience import LONG

NAME = "Bensalah"
WAYS = ("x", "mastodon", "bluesky", "email", "feed", "webhook")


@pytest.fixture
def picture(tmp_path: Path) -> Image:
    file = tmp_path / NAME / f"Karim_{NAME}.png"
    file.parent.mkdir()
    Pillow.effect_noise((64, 48), 90).save(file)
    return Image(path=file, alt="La chaussée barrée par deux véhicules")


def _publisher(five: Five, way: str, server: FakeWebhookServer) -> Publisher:
    (five.folder / "feed").mkdir()
    feed = {"url": "https://alertes.police.example/", "publisher": "Police", "folder": str(five.folder / "feed")}
    match way:
        case "feed":
            channel = configure_channel("feed", "feed", feed, locales=LOCALES)
        case "webhook":
            channel = configure_channel("webhook", "webhook", webhook_options(server))
        case _:
            channel = five.channel(way)
    return five.publisher(channels=[channel])


def _left(five: Five, server: FakeWebhookServer) -> bytes:
    """Return all that left the process: what servers received, the feed, and the files of the journal."""
    servers = (five.x, five.mastodon, five.bluesky, server)
    sent = [request for each in servers for request in each.requests]
    files = [path for path in five.folder.rglob("*") if path.is_file() and path.parent.name != NAME]
    parts = [
        *(f"{request.path} {request.headers}".encode() + request.body for request in sent),
        *(mail.raw for mail in five.mail.mails),
        *(f"{path.relative_to(five.folder)}".encode() + path.read_bytes() for path in files),
    ]
    return b"\n".join(parts)


def _named(five: Five, way: str) -> list[str]:
    """Return by which name, or with which content, each picture went out."""
    match way:
        case "email":
            return [str(part.get_filename()) for mail in five.mail.mails for part in mail.message.iter_attachments()]
        case "feed":
            return [path.stem for path in (five.folder / "feed" / "media").iterdir()]
        case "webhook":
            return []  # it sends the digest of a picture
        case _:
            return [sha256(image.data).hexdigest() for post in getattr(five, way).posts for image in post.images]


@pytest.mark.parametrize("way", WAYS)
def test_no_name_of_a_file_leaves_the_house(
    five: Five, picture: Image, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeWebhookServer() as server:
        publisher = _publisher(five, way, server)
        opened = publisher.publish(accident(images=[picture]), key="open", actor="desk", wait=LONG)
        assert opened.ok
        publisher.drafts.create(accident(images=[picture], headline="Choc"), actor="desk")
        left, sent = _left(five, server), _named(five, way)
    assert sent == {"email": ["1.png"] * 3, "webhook": []}.get(way, [opened.message.images[0].digest])
    assert NAME.casefold().encode() not in left.lower()
    assert NAME not in caplog.text


def test_what_cannot_be_read_is_named_to_the_desk_only(
    five: Five, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    missing = Image(path=tmp_path / f"{NAME}.png", alt="La chaussée barrée par deux véhicules")
    with FakeWebhookServer() as server:
        publisher = _publisher(five, "bluesky", server)
        with pytest.raises(InvalidImage, match=f"{NAME}.png' cannot be used"):
            publisher.publish(accident(images=[missing]), key="open", actor="desk", wait=LONG)
        left = _left(five, server)
    assert NAME.encode() not in left
    assert NAME not in caplog.text
