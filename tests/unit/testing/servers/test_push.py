"""The fake push services answer a plain client as the real ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from policenotify.testing import FakePushServer, ReceivedPush
from tests.support.patience import ANSWERED


@pytest.fixture
def server() -> Iterator[FakePushServer]:
    with FakePushServer() as services:
        yield services


def ntfy(server: FakePushServer, *, token: str = "", password: str = "", **asked: object) -> requests.Response:
    head = {"Authorization": f"Bearer {token}"} if token else {}
    login = None if token else (server.user, password or server.password)
    body = {"topic": "alertes", "message": "Évitez", "title": "Accident"} | asked
    return requests.post(server.url, json=body, auth=login, headers=head, timeout=ANSWERED)


def test_ntfy_takes_a_message_for_an_own_topic(server: FakePushServer) -> None:
    got = ntfy(server)
    assert got.status_code == 200
    assert got.json()["id"] == "1"
    assert ntfy(server, token=server.token, title=None).status_code == 200
    assert server.messages == (
        ReceivedPush("ntfy", "1", "Accident", "Évitez", "alertes"),
        ReceivedPush("ntfy", "2", "", "Évitez", "alertes"),
    )


@pytest.mark.parametrize(
    ("asked", "code", "status"),
    [
        ({"password": "wrong"}, 40101, 401),
        ({"topic": "autre"}, 40301, 403),
        ({"topic": "l’accès"}, 40009, 400),
        ({"message": "é" * 2049}, 40014, 400),
    ],
)
def test_ntfy_refuses_with_codes_of_its_own(
    server: FakePushServer, asked: dict[str, str], code: int, status: int
) -> None:
    got = ntfy(server, **asked)
    assert (got.status_code, got.json()["code"], got.json()["http"]) == (status, code, status)
    assert server.messages == ()


def test_matrix_requires_a_login_and_knows_its_rooms(server: FakePushServer) -> None:
    at = f"{server.url}/_matrix/client/v3"

    def login(password: str) -> requests.Response:
        who = {"type": "m.id.user", "user": server.user}
        asked = {"type": "m.login.password", "identifier": who, "password": password}
        return requests.post(f"{at}/login", json=asked, timeout=ANSWERED)

    assert login("wrong").json()["errcode"] == "M_FORBIDDEN"
    head = {"Authorization": f"Bearer {login(server.password).json()['access_token']}"}
    assert requests.post(f"{at}/join/%23alertes:matrix.example", json={}, timeout=ANSWERED).status_code == 401
    assert requests.post(f"{at}/join/!abc:matrix.example", json={}, headers=head, timeout=ANSWERED).status_code == 404
    room = requests.post(f"{at}/join/%23alertes:matrix.example", json={}, headers=head, timeout=ANSWERED).json()[
        "room_id"
    ]
    said = {"msgtype": "m.text", "body": "Évitez"}
    for where, status in ((room, 200), ("!abc", 404)):
        got = requests.put(f"{at}/rooms/{where}/send/m.room.message/1", json=said, headers=head, timeout=ANSWERED)
        assert got.status_code == status
    assert server.messages == (ReceivedPush("matrix", "1", "", "Évitez", room),)


def test_gotify_wants_its_token_and_a_message(server: FakePushServer) -> None:
    def gotify(token: str, **asked: str) -> requests.Response:
        return requests.post(f"{server.url}/message", json=asked, headers={"X-Gotify-Key": token}, timeout=ANSWERED)

    assert gotify(server.application, title="Accident", message="Évitez").json()["id"] == 1
    assert gotify("wrong", message="Évitez").json()["errorCode"] == 401
    assert gotify(server.application, title="Accident").status_code == 400
    assert server.messages == (ReceivedPush("gotify", "1", "Accident", "Évitez"),)


def test_mattermost_knows_a_webhook_by_its_address(server: FakePushServer) -> None:
    def mattermost(webhook: str, text: str) -> requests.Response:
        return requests.post(f"{server.url}/hooks/{webhook}", json={"text": text}, timeout=ANSWERED)

    assert mattermost(server.webhook, "Évitez").text == "ok"
    assert mattermost("wrong", "Évitez").status_code == 404
    assert mattermost(server.webhook, "").status_code == 400
    assert mattermost(server.webhook, "x" * 16_384).status_code == 400
    assert [each.text for each in server.messages] == ["Évitez"]


def test_nothing_that_may_not_be_seen_is_forgotten(server: FakePushServer) -> None:
    assert set(server.secrets) == {server.password, server.token, server.application, server.webhook}
