"""SMS through Kannel, as they arrive at the operator's message centre."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from pydantic import SecretStr

from policenotify.channel import ChannelConfig, Recipient
from policenotify.errors import Blocked
from policenotify.journal.clock import SystemClock
from policenotify.model.history import Outcome
from policenotify.networks.registry import configure_channel
from policenotify.networks.sms.channel import Sms
from policenotify.networks.sms.receipts import read_receipt
from policenotify.testing import Answer, RecordedRequest
from policenotify.testing.servers.http import FakeServer
from policenotify.text import sms
from tests.acceptance.peers.conftest import NewPublisher
from tests.acceptance.peers.incident import a_post, publish_incident
from tests.acceptance.peers.kannel_server import Kannel
from tests.acceptance.peers.programs import wait_until
from tests.acceptance.peers.sms_centre import Sms as Arrived
from tests.support.audiences import listed
from tests.support.channels import open_channel
from tests.support.installation import accident
from tests.support.network_calls import outcomes_of

pytestmark = pytest.mark.peers

GSM, UCS2 = 0, 8  # data_coding (SMPP 3.4, section 5.2.19)
NUMBERS = ("+33639980001", "+33639980002", "+33639980003")  # ARCEP: numbers reserved for fiction


def address(port: int, password: str) -> str:
    call = "method=GET&:version=&:title=&:type=&:message=text&:charset=UTF-8&:coding={coding}&:to={recipient}"
    return f"form://127.0.0.1:{port}{Kannel.path}?{call}&:username=desk&:password={quote(password)}&:from=POLICE34"


def by_sms(kannel: Kannel, numbers: tuple[str, ...] = NUMBERS, **options: Any) -> ChannelConfig:
    url = {"url": address(kannel.port, kannel.password)}
    return configure_channel("sms", "sms", {**url, **options}, audiences=listed("sms", lambda: numbers))


def arrived(kannel: Kannel, before: int, count: int) -> list[Arrived]:
    """Return what has arrived since. Wait for *count* messages."""
    wait_until(lambda: len(kannel.centre.messages) >= before + count, f"{count} messages", 20)
    return kannel.centre.messages[before:]


def test_every_number_gets_the_incident_in_three_messages(kannel: Kannel, new_publisher: NewPublisher) -> None:
    before = len(kannel.centre.messages)
    publish_incident(new_publisher(by_sms(kannel)))
    got = arrived(kannel, before, 9)
    assert Counter((each.to, each.sender, each.coding) for each in got) == {(to, "POLICE34", GSM): 3 for to in NUMBERS}
    assert all("?" not in each.text for each in got)


@pytest.mark.parametrize(
    ("text", "accents", "arrives", "coding"),
    [
        (
            "Forêt fermée, l’accès à Évian est coupé : « évitez »",
            "fold",
            "Foret fermée, l'accès à Évian est coupé",
            GSM,
        ),
        (
            "Forêt fermée, l’accès à Évian est coupé : ça brûle 🚨",
            "keep",
            "Forêt fermée, l’accès à Évian est coupé",
            UCS2,
        ),
        ("€[]{}~^|\\ " * 14, "fold", "€[]{}~^|\\ ", GSM),
        ("é" * 152 + "€" + "b" * 150 + "€", "fold", "é" * 152 + "€b", GSM),
        ("ç" * 66 + "x" + "ê" * 60, "keep", "ç" * 66 + "xê", UCS2),
    ],
    ids=["written in GSM", "left as it is", "escaped letters", "an escape at a seam", "joined UCS-2"],
)
def test_a_text_arrives_as_written_in_as_many_parts_as_counted(
    kannel: Kannel, text: str, accents: str, arrives: str, coding: int
) -> None:
    before = len(kannel.centre.messages)
    channel = _channel(kannel, accents=accents)
    request = channel.prepare(a_post(channel, text), ())
    told = channel.send_to(request, [Recipient(key="ana", address=NUMBERS[0])])
    assert [each.outcome for each in told] == ["posted"]
    [got] = arrived(kannel, before, 1)
    assert got.text == request.body["text"]
    assert got.text.startswith(arrives)
    assert got.coding == coding
    assert len(got.parts) == sms(got.text).segments
    assert "?" not in got.text
    if len(got.parts) > 1:
        assert {each.header[:2] for each in got.parts} == {b"\x00\x03"}
        assert len({each.place[0] for each in got.parts}) == 1


def test_a_number_that_the_gateway_refuses_stops_no_other_number(kannel: Kannel, new_publisher: NewPublisher) -> None:
    before = len(kannel.centre.messages)
    numbers = (NUMBERS[0], "+33639980999", NUMBERS[1])
    said = new_publisher(by_sms(kannel, numbers)).publish(accident(), key="1", actor="desk")
    assert said.on("sms").recipients == {Outcome.POSTED: 2, Outcome.REFUSED: 1}, str(said.on("sms"))
    assert {each.to for each in arrived(kannel, before, 2)} == {NUMBERS[0], NUMBERS[1]}


def test_kannel_does_not_report_a_later_refusal_of_the_operator(kannel: Kannel) -> None:
    """An acceptance counts as `acceptance` sets."""
    channel = _channel(kannel)
    assert channel.capabilities.acceptance == "unverified"
    request = channel.prepare(a_post(channel, "Route barrée"), ())
    told = channel.send_to(request, [Recipient(key="ana", address="+33639980888")])
    assert [each.outcome for each in told] == ["posted"]


def test_a_wrong_password_blocks_the_channel(kannel: Kannel) -> None:
    channel = open_channel(Sms, url=SecretStr(address(kannel.port, "another")), clock=SystemClock())
    request = channel.prepare(a_post(channel, "Route barrée"), ())
    with pytest.raises(Blocked):
        channel.send_to(request, [Recipient(key="ana", address=NUMBERS[0])])


def test_each_person_has_a_delivery_receipt(kannel: Kannel) -> None:
    people = {f"token{number}": f"+3363998000{number}" for number in range(1, 4)} | {"absent": "+33639980777"}
    with FakeServer(Answer(200)) as desk:
        url = f"{desk.url}/dlr/sms/{{token}}"
        channel = _channel(kannel, receipt_url=url, receipt_format="kannel", segments=1)
        persons = [
            Recipient(key=token, address=number, sign=partial("{}-{}".format, token))
            for token, number in {**people, "wrong": "+33639980888"}.items()
        ]
        told = outcomes_of(channel, channel.prepare(a_post(channel, "Route barrée"), ()), persons)
        assert {each.outcome for each in told} == {"posted"}
        wait_until(lambda: len(desk.requests) >= 5, "five receipts", 20)
        calls = desk.requests
        receipts = {call.path.rpartition("/")[2]: read_receipt("kannel", call.body, _query(call)) for call in calls}
    status = {token.removesuffix("-receipt"): receipt.kind for token, receipt in receipts.items()}
    delivered = dict.fromkeys(["token1", "token2", "token3"], "delivered")
    assert status == {**delivered, "absent": None, "wrong": "gone"}
    assert {receipt.code for receipt in receipts.values()} == {"DELIVRD", "UNDELIV", "0x0000000b"}


def _query(call: RecordedRequest) -> str:
    return urlencode(call.query, doseq=True)


def _channel(kannel: Kannel, **options: Any) -> Sms:
    return open_channel(Sms, url=SecretStr(address(kannel.port, kannel.password)), clock=SystemClock(), **options)
