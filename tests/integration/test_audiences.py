"""Audiences from publication to mailbox: everybody whom a message concerns gets it once, in one language."""

from __future__ import annotations

from collections import Counter

import pytest

from policenotify.audiences.files import CsvFile, TextFile
from policenotify.channel import ChannelConfig
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location
from policenotify.model.message import Message, Translation
from tests.support.installation import INCIDENT, Desk, accident

PRESS = "ALL@press.example\na@montpellier.example\n"
RESIDENTS = """address;language;areas
a@montpellier.example;;commune:34172
b@montpellier.example;en-GB;commune:34172
c@lattes.example;de;commune:34129
d@gard.example;;dept:30
d@gard.example;;dept:30
all@press.example;;
not an address;;
"""


@pytest.fixture
def channels(desk: Desk) -> tuple[ChannelConfig, ChannelConfig]:
    """Two channels of one sender account."""
    (desk.folder / "press.txt").write_text(PRESS)
    (desk.folder / "residents.csv").write_text(RESIDENTS)
    press = TextFile(name="press", path=desk.folder / "press.txt")
    residents = CsvFile(name="residents", path=desk.folder / "residents.csv")
    return (
        desk.by_mail("press", audiences=(press,)),
        desk.by_mail("residents", audiences=(residents, press), languages=("fr", "en")),
    )


def sent(desk: Desk, after: int = 0) -> Counter[str]:
    return Counter(mail.recipient.lower() for mail in desk.mail.mails[after:])


def follow(stage: Stage, commune: str) -> Message:
    return accident().followed_by(
        stage,
        headline="La suite",
        incident=INCIDENT,
        location=Location(commune=commune),
        instruction="Patience.",
        translations=(Translation(language="en", headline="More", instruction="Patience."),),
    )


def test_everybody_once_on_two_channels_of_one_account(
    desk: Desk, channels: tuple[ChannelConfig, ChannelConfig]
) -> None:
    publisher = desk.publisher(channels)
    english = Translation(language="en", headline="Accident", instruction="Avoid the area.")
    opened = publisher.publish(accident(translations=(english,)), key="1", actor="x")
    # Nobody is left for a delivery whose people are all on the other list.
    assert {receipt.outcome for receipt in opened} <= {Outcome.POSTED, Outcome.SKIPPED}
    people = {"all@press.example", "a@montpellier.example", "b@montpellier.example"}
    assert sent(desk) == Counter(people)
    subjects = {mail.recipient.lower(): mail.message["Subject"] for mail in desk.mail.mails}
    assert "Avoid" not in subjects["a@montpellier.example"]
    assert "Accident de la circulation" not in subjects["b@montpellier.example"]
    publisher.publish(follow(Stage.UPDATE, "34129"), key="2", actor="x")
    assert sent(desk, 3) == Counter({*people, "c@lattes.example"})
    publisher.publish(follow(Stage.END, "34129"), key="3", actor="x")
    assert sent(desk, 7) == Counter({*people, "c@lattes.example"})
