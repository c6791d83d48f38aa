"""A spam filter rates our mails."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from policenotify.networks.registry import configure_channel
from policenotify.testing.servers.mail import FakeMailServer
from tests.acceptance.peers.conftest import NewPublisher
from tests.acceptance.peers.spam_filter import SpamAssassin
from tests.support.audiences import listed
from tests.support.installation import accident

pytestmark = pytest.mark.peers

SHORT = {"description": "", "instruction": ""}


def photo(folder: Path, number: int) -> dict[str, object]:
    """A picture of a usual size, which no filter has seen before."""
    data = io.BytesIO()
    Image.effect_noise((600, 400), 40 + number).convert("RGB").save(data, "JPEG")
    file = folder / f"{number}.jpg"
    file.write_bytes(data.getvalue())
    return {"path": file, "alt": "Plan de la déviation"}


@pytest.mark.parametrize(("pictures", "words"), [(0, {}), (2, SHORT)])
def test_no_mail_counts_as_spam(
    spam_filter: SpamAssassin, new_publisher: NewPublisher, tmp_path: Path, pictures: int, words: dict[str, str]
) -> None:
    message = accident(**words, images=[photo(tmp_path, number) for number in range(pictures)])
    with FakeMailServer() as server:
        options = {
            "url": f"mailto://{server.host}:{server.port}?from=alerte@police34.example&mode=insecure",
            "list_id": "alerte.police34.example",
            "unsubscribe": "https://police34.example/stop/{recipient}",
        }
        people = ["ana@journal.example"]
        publisher = new_publisher(
            configure_channel("presse", "email", options, audiences=listed("presse", lambda: people))
        )
        publisher.publish(message, key="1", actor="desk")
        [mail] = server.mails
    assert len(list(mail.message.iter_attachments())) == pictures
    assert spam_filter.points(mail.raw) == {}
