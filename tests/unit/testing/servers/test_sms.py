"""The SMS gateways of the stand do what the true ones do, asked by a plain client."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from policenotify.testing import Answer, FakeSmsServer

KANNEL = {"username": "desk", "password": "s3cret", "from": "POLICE34", "to": "33600000001", "charset": "UTF-8"}
TRUE_OCTOPUSH = "https://sms.gateway.example/v1/public/sms-campaign/send"


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSmsServer]:
    with FakeSmsServer() as gateways:
        for name, value in gateways.environment.items():
            monkeypatch.setenv(name, value)
        yield gateways


def kannel(stand: FakeSmsServer, **asked: str) -> tuple[int, str]:
    got = requests.get(stand.url + stand.KANNEL, params=KANNEL | asked, timeout=5)
    return got.status_code, got.text


def octopush(stand: FakeSmsServer, **asked: object) -> requests.Response:
    body = {"recipients": [{"phone_number": "+33600000001"}], "text": "Accès", "sender": "POLICE34"} | asked
    return requests.post(TRUE_OCTOPUSH, json=body, headers={"api-login": stand.login, "api-key": stand.key}, timeout=5)


def test_kannel_answers_as_kannel(stand: FakeSmsServer) -> None:
    assert kannel(stand, text="Accès fermé") == (202, "0: Accepted for delivery")
    assert kannel(stand, text="x", password="wrong") == (403, "Authorization failed for sendsms")
    assert kannel(stand, text="x", to="")[0] == 400
    assert kannel(stand, text="x", to="12")[0] == 400
    got = requests.post(stand.url + stand.KANNEL, data=KANNEL | {"text": "Fin"}, timeout=5)
    assert got.status_code == 202
    assert [each.text for each in stand.phone("+33600000001")] == ["Accès fermé", "Fin"]
    assert repr(stand.messages[0]) == "<ReceivedSms by kannel, GSM-7, 1 segments>"


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
    stand: FakeSmsServer, coding: str, text: str, shown: str, encoding: str, segments: int
) -> None:
    kannel(stand, text=text, coding=coding)
    got = stand.messages[0]
    assert (got.text, got.encoding, got.segments) == (shown, encoding, segments)


def jasmin(stand: FakeSmsServer, **asked: str) -> tuple[int, str]:
    given = {
        "username": "desk",
        "password": "s3cret",
        "to": "33600000001",
        "from": "POLICE34",
        "content": "Fin",
    } | asked
    got = requests.get(stand.url + stand.JASMIN, params=given, timeout=5)
    return got.status_code, got.text


def test_jasmin_says_403_to_a_wrong_password_a_limit_and_an_empty_account(stand: FakeSmsServer) -> None:
    assert jasmin(stand, password="wrong") == (403, 'Error "Authentication failure for username:desk"')
    assert jasmin(stand, message="x") == (400, 'Error "Argument [message] is unknown."')
    assert jasmin(stand, to="12") == (412, 'Error "No route found"')
    stand.burst, stand.credit = 1, 2
    assert jasmin(stand)[0] == 200
    assert jasmin(stand) == (403, 'Error "User throughput exceeded"')
    stand.burst = None
    assert jasmin(stand)[0] == 200
    assert jasmin(stand) == (403, 'Error "Cannot charge submit_sm, check RouterPB log file for details"')
    assert [message.gateway for message in stand.messages] == ["jasmin", "jasmin"]


@pytest.mark.parametrize(
    ("coding", "text", "shown", "encoding", "segments"),
    [
        ("0", "Forêt", "For?t", "GSM-7", 1),
        ("8", "Forêt", "Forêt", "UCS-2", 1),
        ("2", "Forêt", "ForÃªt", "8-bit", 1),
        ("2", "a" * 141, "a" * 141, "8-bit", 2),
    ],
)
def test_jasmin_takes_the_coding_of_smpp(
    stand: FakeSmsServer, coding: str, text: str, shown: str, encoding: str, segments: int
) -> None:
    jasmin(stand, content=text, coding=coding)
    got = stand.messages[0]
    assert (got.text, got.encoding, got.segments) == (shown, encoding, segments)


def test_octopush_wants_its_form_its_key_and_its_money(stand: FakeSmsServer) -> None:
    got = octopush(stand)
    assert got.status_code == 201
    assert got.json()["number_of_sms_needed"] == 1
    assert octopush(stand, sender="POLICE MONTPELLIER").status_code == 422
    assert octopush(stand, recipients=[{"phone_number": "0600000001"}]).status_code == 422
    assert octopush(stand, recipients=[]).status_code == 400
    assert octopush(stand, text="").status_code == 400
    stand.credit = 1
    assert octopush(stand).status_code == 201
    assert octopush(stand).status_code == 402
    stand.key = "0ther"
    assert requests.post(TRUE_OCTOPUSH, json={}, timeout=5).status_code == 401
    assert len(stand.messages) == 2


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/sms/3/messages", {"Authorization": "App wrong"}, {}),
        ("/v1.0/message", {"X-CM-PRODUCTTOKEN": "wrong"}, {}),
        ("/send", {"Authorization": "Basic d3Jvbmc6"}, {}),
    ],
)
def test_others_want_their_keys(stand: FakeSmsServer, path: str, headers: dict[str, str], body: object) -> None:
    got = requests.post(f"https://sms.gateway.example{path}", json=body, headers=headers, timeout=5)
    assert got.status_code == 401
    assert [each.path for each in stand.requests] == [path]


def test_seven_and_sfr_say_no_with_a_success(stand: FakeSmsServer) -> None:
    got = requests.post(stand.url + "/api/sms", json={"to": "+33600000001", "text": "x"}, timeout=5)
    assert (got.status_code, got.json()) == (200, {"success": "900"})
    login = {"serviceId": "desk", "servicePassword": "wrong", "spaceId": stand.space}
    sfr = "/DmcWS/1.5.8/JsonService/MessagesUnitairesWS/addSingleCall"
    asked = {"authenticate": json.dumps(login), "messageUnitaire": "{}"}
    got = requests.post(stand.url + sfr, params=asked, timeout=5)
    assert got.json()["errorCode"] == "AUTHENTICATION"
    login["servicePassword"] = stand.password
    long = {"media": "SMSUnicode", "textMsg": "a" * 71 + "ê", "to": "33600000001", "from": "POLICE34"}
    asked = {"authenticate": json.dumps(login), "messageUnitaire": json.dumps(long)}
    assert requests.post(stand.url + sfr, params=asked, timeout=5).json()["errorCode"] == "MESSAGE_TOO_LONG"
    assert requests.post(stand.url + sfr, timeout=5).status_code == 400
    assert stand.messages == ()


def test_who_is_refused_gets_nothing_until_all_is_well_again(stand: FakeSmsServer) -> None:
    stand.refuse("+33600000001")
    assert kannel(stand, text="x")[0] == 400
    assert octopush(stand).status_code == 400
    stand.recover()
    assert kannel(stand, text="x")[0] == 202
    assert len(stand.phone("+33600000001")) == 1
    assert stand.phone("+33600000002") == ()


def test_faults_are_laid_over_the_gateways_behind_the_proxy_too(stand: FakeSmsServer) -> None:
    stand.fail_next("POST", "/v1/public/sms-campaign/send", Answer.json({}, 503))
    assert octopush(stand).status_code == 503
    stand.refuse_connections()
    with pytest.raises(requests.ConnectionError):
        octopush(stand)
    stand.recover()
    assert octopush(stand).status_code == 201


def test_the_environment_leads_nowhere_but_here(stand: FakeSmsServer) -> None:
    names = stand.environment
    assert names == stand.environment
    assert names["HTTPS_PROXY"] == names["https_proxy"]
    assert names["HTTPS_PROXY"].startswith("http://127.0.0.1:")
    assert names["NO_PROXY"] == names["no_proxy"] == ""
    assert "CERTIFICATE" in Path(names["REQUESTS_CA_BUNDLE"]).read_text(encoding="ascii")
    stand.close()
    assert not Path(names["REQUESTS_CA_BUNDLE"]).exists()
    stand.close()


def test_the_certificates_pass_the_strictest_check(stand: FakeSmsServer) -> None:
    proxy = stand.environment["HTTPS_PROXY"].rpartition(":")[2]
    context = ssl.create_default_context(cafile=stand.environment["SSL_CERT_FILE"])
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_connection(("127.0.0.1", int(proxy)), 5) as door:
        door.sendall(b"CONNECT sms.gateway.example:443 HTTP/1.1\r\n\r\n")
        assert door.recv(4096).startswith(b"HTTP/1.1 200")
        with context.wrap_socket(door, server_hostname="sms.gateway.example") as secured:
            assert secured.version() is not None


def test_the_proxy_opens_tunnels_and_does_nothing_else(stand: FakeSmsServer) -> None:
    proxy = stand.environment["HTTPS_PROXY"].rpartition(":")[2]
    for said in (b"GET http://gateway.example/ HTTP/1.1\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", int(proxy)), 5) as door:
            door.sendall(said)
            door.shutdown(socket.SHUT_WR)
            assert door.recv(4096) == b""


def test_a_tunnel_to_a_stand_that_is_closed_is_refused() -> None:
    with FakeSmsServer() as stand:
        proxy = stand.environment["HTTPS_PROXY"].rpartition(":")[2]
        super(FakeSmsServer, stand).refuse_connections()  # the gateway alone, and not the way to it
        with socket.create_connection(("127.0.0.1", int(proxy)), 5) as door:
            door.sendall(b"CONNECT sms.gateway.example:443 HTTP/1.1\r\n\r\n")
            assert door.recv(4096).startswith(b"HTTP/1.1 502")


def test_nothing_that_may_not_be_seen_is_forgotten(stand: FakeSmsServer) -> None:
    assert set(stand.secrets) == {stand.password, stand.key, stand.token, stand.space}
