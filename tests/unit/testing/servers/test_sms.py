"""The fake SMS gateways answer a plain client as the real ones."""

from __future__ import annotations

import json
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from policenotify.errors import MissingExtra
from policenotify.testing import Answer, FakeSmsServer
from tests.support.patience import ANSWERED

KANNEL = {"username": "desk", "password": "s3cret", "from": "POLICE34", "to": "33600000001", "charset": "UTF-8"}
TRUE_OCTOPUSH = "https://sms.gateway.example/v1/public/sms-campaign/send"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSmsServer]:
    with FakeSmsServer() as gateways:
        for name, value in gateways.environment.items():
            monkeypatch.setenv(name, value)
        yield gateways


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def kannel(server: FakeSmsServer, **asked: str) -> tuple[int, str]:
    got = requests.get(server.url + server.KANNEL, params=KANNEL | asked, timeout=ANSWERED)
    return got.status_code, got.text


def octopush(server: FakeSmsServer, **asked: object) -> requests.Response:
    body = {"recipients": [{"phone_number": "+33600000001"}], "text": "Accès", "sender": "POLICE34"} | asked
    return requests.post(
        TRUE_OCTOPUSH, json=body, headers={"api-login": server.login, "api-key": server.key}, timeout=ANSWERED
    )


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
        ("2", "a" * 70, "a" * 70, "UCS-2", 1),
        ("2", "a" * 71, "a" * 71, "UCS-2", 2),
        ("0", "a" * 161, "a" * 161, "GSM-7", 2),
    ],
)
def test_kannel_takes_the_coding_at_its_word(
    server: FakeSmsServer, coding: str, text: str, shown: str, encoding: str, segments: int
) -> None:
    kannel(server, text=text, coding=coding)
    got = server.messages[0]
    assert (got.text, got.encoding, got.segments) == (shown, encoding, segments)


def jasmin(server: FakeSmsServer, **asked: str) -> tuple[int, str]:
    given = {
        "username": "desk",
        "password": "s3cret",
        "to": "33600000001",
        "from": "POLICE34",
        "content": "Fin",
    } | asked
    got = requests.get(server.url + server.JASMIN, params=given, timeout=ANSWERED)
    return got.status_code, got.text


def test_jasmin_answers_403_to_a_wrong_password_a_limit_and_an_empty_account(server: FakeSmsServer) -> None:
    assert jasmin(server, password="wrong") == (403, 'Error "Authentication failure for username:desk"')
    assert jasmin(server, message="x") == (400, 'Error "Argument [message] is unknown."')
    assert jasmin(server, to="12") == (412, 'Error "No route found"')
    server.burst, server.credit = 1, 2
    assert jasmin(server)[0] == 200
    assert jasmin(server) == (403, 'Error "User throughput exceeded"')
    server.burst = None
    assert jasmin(server)[0] == 200
    assert jasmin(server) == (403, 'Error "Cannot charge submit_sm, check RouterPB log file for details"')
    assert [message.gateway for message in server.messages] == ["jasmin", "jasmin"]


@pytest.mark.parametrize(
    ("coding", "text", "shown", "encoding", "segments"),
    [
        ("0", "Forêt", "For?t", "GSM-7", 1),
        ("8", "Foret", "䙯牥�", "UCS-2", 1),  # UTF-8, read as UTF-16BE
        ("2", "Forêt", "ForÃªt", "8-bit", 1),
        ("2", "a" * 141, "a" * 141, "8-bit", 2),
    ],
)
def test_jasmin_takes_the_coding_of_smpp(
    server: FakeSmsServer, coding: str, text: str, shown: str, encoding: str, segments: int
) -> None:
    jasmin(server, content=text, coding=coding)
    got = server.messages[0]
    assert (got.text, got.encoding, got.segments) == (shown, encoding, segments)


def test_octopush_wants_its_form_its_key_and_its_money(server: FakeSmsServer) -> None:
    got = octopush(server)
    assert got.status_code == 201
    assert got.json()["number_of_sms_needed"] == 1
    assert octopush(server, sender="POLICE MONTPELLIER").status_code == 422
    assert octopush(server, recipients=[{"phone_number": "0600000001"}]).status_code == 422
    assert octopush(server, recipients=[]).status_code == 400
    assert octopush(server, text="").status_code == 400
    server.credit = 1
    assert octopush(server).status_code == 201
    assert octopush(server).status_code == 402
    server.key = "0ther"
    assert requests.post(TRUE_OCTOPUSH, json={}, timeout=ANSWERED).status_code == 401
    assert len(server.messages) == 2


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/sms/3/messages", {"Authorization": "App wrong"}, {}),
        ("/v1.0/message", {"X-CM-PRODUCTTOKEN": "wrong"}, {}),
        ("/send", {"Authorization": "Basic d3Jvbmc6"}, {}),
    ],
)
def test_others_want_their_keys(server: FakeSmsServer, path: str, headers: dict[str, str], body: object) -> None:
    got = requests.post(f"https://sms.gateway.example{path}", json=body, headers=headers, timeout=ANSWERED)
    assert got.status_code == 401
    assert [each.path for each in server.requests] == [path]


def test_seven_and_sfr_refuse_with_a_success_status(server: FakeSmsServer) -> None:
    got = requests.post(server.url + "/api/sms", json={"to": "+33600000001", "text": "x"}, timeout=ANSWERED)
    assert (got.status_code, got.json()) == (200, {"success": "900"})
    login = {"serviceId": "desk", "servicePassword": "wrong", "spaceId": server.space}
    sfr = "/DmcWS/1.5.8/JsonService/MessagesUnitairesWS/addSingleCall"
    asked = {"authenticate": json.dumps(login), "messageUnitaire": "{}"}
    got = requests.post(server.url + sfr, params=asked, timeout=ANSWERED)
    assert got.json()["errorCode"] == "AUTHENTICATION"
    login["servicePassword"] = server.password
    long = {"media": "SMSUnicode", "textMsg": "a" * 71 + "ê", "to": "33600000001", "from": "POLICE34"}
    asked = {"authenticate": json.dumps(login), "messageUnitaire": json.dumps(long)}
    assert requests.post(server.url + sfr, params=asked, timeout=ANSWERED).json()["errorCode"] == "MESSAGE_TOO_LONG"
    assert requests.post(server.url + sfr, timeout=ANSWERED).status_code == 400
    assert server.messages == ()


def test_a_refused_recipient_gets_nothing_until_recovery(server: FakeSmsServer) -> None:
    server.refuse("+33600000001")
    assert kannel(server, text="x")[0] == 400
    assert octopush(server).status_code == 400
    server.recover()
    assert kannel(server, text="x")[0] == 202
    assert len(server.phone("+33600000001")) == 1
    assert server.phone("+33600000002") == ()


def test_faults_are_laid_over_the_gateways_behind_the_proxy_too(server: FakeSmsServer) -> None:
    server.fail_next("POST", "/v1/public/sms-campaign/send", Answer.json({}, 503))
    assert octopush(server).status_code == 503
    server.refuse_connections()
    with pytest.raises(requests.ConnectionError):
        octopush(server)
    server.recover()
    assert octopush(server).status_code == 201


def test_the_environment_leads_nowhere_but_here(server: FakeSmsServer) -> None:
    names = server.environment
    assert names == server.environment
    assert names["HTTPS_PROXY"] == names["https_proxy"] == server.url
    assert names["NO_PROXY"] == names["no_proxy"] == ""
    assert "CERTIFICATE" in Path(names["REQUESTS_CA_BUNDLE"]).read_text(encoding="ascii")
    server.close()
    assert not Path(names["REQUESTS_CA_BUNDLE"]).exists()
    server.close()


def test_the_certificates_pass_the_strictest_check(server: FakeSmsServer) -> None:
    proxy = port_of(server.environment["HTTPS_PROXY"])
    context = ssl.create_default_context(cafile=server.environment["SSL_CERT_FILE"])
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_connection(("127.0.0.1", proxy), ANSWERED) as door:
        door.sendall(b"CONNECT sms.gateway.example:443 HTTP/1.1\r\n\r\n")
        assert door.recv(4096).startswith(b"HTTP/1.1 200")
        with context.wrap_socket(door, server_hostname="sms.gateway.example") as secured:
            assert secured.version() is not None


def test_the_proxy_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with FakeSmsServer() as server, pytest.raises(MissingExtra, match=r"policenotify\[testing\]"):
        _ = server.environment


def test_without_its_environment_it_is_not_a_proxy() -> None:
    with FakeSmsServer() as server, socket.create_connection(("127.0.0.1", port_of(server.url)), ANSWERED) as door:
        door.sendall(b"CONNECT sms.gateway.example:443 HTTP/1.1\r\n\r\n")
        assert door.recv(4096).startswith(b"HTTP/1.1 404")


def test_nothing_that_may_not_be_seen_is_forgotten(server: FakeSmsServer) -> None:
    assert set(server.secrets) == {server.password, server.key, server.token, server.space}
