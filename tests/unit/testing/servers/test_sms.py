"""The fake SMS gateways answer a plain client as the real ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from policenotify.testing import FakeSmsServer
from tests.support.patience import ANSWERED

KANNEL = {"username": "desk", "password": "s3cret", "from": "POLICE34", "to": "33600000001", "charset": "UTF-8"}


@pytest.fixture
def server() -> Iterator[FakeSmsServer]:
    with FakeSmsServer() as gateways:
        yield gateways


def kannel(server: FakeSmsServer, **asked: str) -> tuple[int, str]:
    got = requests.get(server.url + server.KANNEL, params=KANNEL | asked, timeout=ANSWERED)
    return got.status_code, got.text


def test_kannel_answers_as_kannel(server: FakeSmsServer) -> None:
    assert kannel(server, text="Accès fermé") == (202, "0: Accepted for delivery")
    assert kannel(server, text="x", password="wrong") == (403, "Authorization failed for sendsms")
    assert kannel(server, text="x", to="")[0] == 400
    assert kannel(server, text="x", to="12")[0] == 400
    got = requests.post(server.url + server.KANNEL, data=KANNEL | {"text": "Fin"}, timeout=ANSWERED)
    assert got.status_code == 202
    assert [each.text for each in server.phone("+33600000001")] == ["Accès fermé", "Fin"]
    assert repr(server.messages[0]) == "<ReceivedSms by kannel, GSM-7, 1 segments>"


@pytest.mark.parametrize(
    ("coding", "text", "shown", "encoding", "segments"),
    [
        ("0", "Forêt fermée, ça dure 🚨", "For?t fermée, Ça dure ?", "GSM-7", 1),
        ("2", "Forêt fermée, ça dure 🚨", "Forêt fermée, ça dure 🚨", "UCS-2", 1),
        ("2", "a" * 71, "a" * 71, "UCS-2", 2),
    ],
)
def test_kannel_takes_the_coding_at_its_word(
    server: FakeSmsServer, coding: str, text: str, shown: str, encoding: str, segments: int
) -> None:
    kannel(server, text=text, coding=coding)
    got = server.messages[0]
    assert (got.text, got.encoding, got.segments) == (shown, encoding, segments)
