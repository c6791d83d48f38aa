"""The push services of the stand do what the true ones do, asked by a plain client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from policenotify.testing import FakePushServer, ReceivedPush


@pytest.fixture
def stand() -> Iterator[FakePushServer]:
    with FakePushServer() as services:
        yield services


def ntfy(stand: FakePushServer, *, token: str = "", password: str = "", **asked: object) -> requests.Response:
    head = {"Authorization": f"Bearer {token}"} if token else {}
    login = None if token else (stand.user, password or stand.password)
    body = {"topic": "alertes", "message": "Évitez", "title": "Accident"} | asked
    return requests.post(stand.url, json=body, auth=login, headers=head, timeout=5)


def test_ntfy_takes_a_message_for_a_topic_of_ours(stand: FakePushServer) -> None:
    got = ntfy(stand)
    assert got.status_code == 200
    assert got.json()["id"] == "1"
    assert ntfy(stand, token=stand.token, title=None).status_code == 200
    assert stand.messages == (
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
def test_ntfy_says_no_with_codes_of_its_own(
    stand: FakePushServer, asked: dict[str, str], code: int, status: int
) -> None:
    got = ntfy(stand, **asked)
    assert (got.status_code, got.json()["code"], got.json()["http"]) == (status, code, status)
    assert stand.messages == ()


def test_matrix_wants_a_login_and_knows_its_rooms(stand: FakePushServer) -> None:
    at = f"{stand.url}/_matrix/client/v3"

    def login(password: str) -> requests.Response:
        who = {"type": "m.id.user", "user": stand.user}
        asked = {"type": "m.login.password", "identifier": who, "password": password}
        return requests.post(f"{at}/login", json=asked, timeout=5)

    assert login("wrong").json()["errcode"] == "M_FORBIDDEN"
    head = {"Authorization": f"Bearer {login(stand.password).json()['access_token']}"}
    assert requests.post(f"{at}/join/%23alertes:matrix.example", json={}, timeout=5).status_code == 401
    assert requests.post(f"{at}/join/!abc:matrix.example", json={}, headers=head, timeout=5).status_code == 404
    room = requests.post(f"{at}/join/%23alertes:matrix.example", json={}, headers=head, timeout=5).json()["room_id"]
    said = {"msgtype": "m.text", "body": "Évitez"}
    for where, status in ((room, 200), ("!abc", 404)):
        got = requests.put(f"{at}/rooms/{where}/send/m.room.message/1", json=said, headers=head, timeout=5)
        assert got.status_code == status
    assert stand.messages == (ReceivedPush("matrix", "1", "", "Évitez", room),)


def test_gotify_wants_its_token_and_a_message(stand: FakePushServer) -> None:
    def gotify(token: str, **asked: str) -> requests.Response:
        return requests.post(f"{stand.url}/message", json=asked, headers={"X-Gotify-Key": token}, timeout=5)

    assert gotify(stand.application, title="Accident", message="Évitez").json()["id"] == 1
    assert gotify("wrong", message="Évitez").json()["errorCode"] == 401
    assert gotify(stand.application, title="Accident").status_code == 400
    assert stand.messages == (ReceivedPush("gotify", "1", "Accident", "Évitez"),)


def test_mattermost_knows_a_webhook_by_its_address(stand: FakePushServer) -> None:
    def mattermost(webhook: str, text: str) -> requests.Response:
        return requests.post(f"{stand.url}/hooks/{webhook}", json={"text": text}, timeout=5)

    assert mattermost(stand.webhook, "Évitez").text == "ok"
    assert mattermost("wrong", "Évitez").status_code == 404
    assert mattermost(stand.webhook, "").status_code == 400
    assert mattermost(stand.webhook, "x" * 16_384).status_code == 400
    assert [each.text for each in stand.messages] == ["Évitez"]


def test_nothing_that_may_not_be_seen_is_forgotten(stand: FakePushServer) -> None:
    assert set(stand.secrets) == {stand.password, stand.token, stand.application, stand.webhook}
