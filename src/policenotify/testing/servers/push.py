"""Fake push services: ntfy, Gotify, Mattermost and Matrix.

```python
with FakePushServer() as server:
    ...                                    # the client, at server.url
    assert server.messages[0].title == "Route barrée"
```
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest

_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")  # docs.ntfy.sh
_MATRIX = "/_matrix/client/v3/"  # spec.matrix.org, "Client-Server API"
_NTFY_TEXT = 4096  # bytes (ibid., "Limitations")
_MATTERMOST_TEXT = 16_383  # characters (docs.mattermost.com, "Incoming webhooks"; a post's column)


@dataclass(frozen=True, slots=True)
class ReceivedPush:
    """A message as a reader sees it.

    Attributes:
        service: `ntfy`, `gotify`, `mattermost` or `matrix`.
        id: The service's id.
        title: Its title, or empty.
        place: The topic of ntfy, or the id of a place on Matrix.
    """

    service: str
    id: str
    title: str
    text: str
    place: str = ""


class FakePushServer(FakeServer):
    """The four services with one account each.

    Attributes:
        user: The user on ntfy and Matrix.
        password: Its password.
        token: The token of ntfy, instead of user and password.
        application: Gotify's application token.
        webhook: The last part of Mattermost's webhook URL.
        topics: Topics of ntfy that the user may write to.
        matrix_rooms: Ids of places on Matrix that the user may join, by alias.
    """

    def __init__(self) -> None:
        super().__init__()
        self.user: str = "desk"
        self.password: str = "s3cret"  # noqa: S105 - not a secret
        self.token: str = "tk_0123456789abcdefghijklmnopqrs"  # noqa: S105 - not a secret
        self.application: str = "A0123456789abcd"
        self.webhook: str = "xk7p4q9d3jyhtcrb8kzsw1mn2e"
        self.topics: set[str] = {"alertes"}
        self.matrix_rooms: dict[str, str] = {
            "#alertes:matrix.example": "!f3lQJbR2kOaVnPzY8wXcTg"
        }  # an id of room version 12
        self._messages: list[ReceivedPush] = []
        self.on("POST", "/", self._ntfy)
        self.on("POST", "/message", self._gotify)
        self.on("POST", "/hooks/*", self._mattermost)
        self.on("POST", f"{_MATRIX}login", self._matrix_login)
        self.on("POST", f"{_MATRIX}logout", Answer.json({}))
        self.on("POST", f"{_MATRIX}join/*", self._matrix)
        self.on("PUT", f"{_MATRIX}rooms/*/send/m.room.message/*", self._matrix)

    @property
    def messages(self) -> tuple[ReceivedPush, ...]:
        """What readers see, oldest first."""
        with self._lock:
            return tuple(self._messages)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Passwords and tokens, which must appear nowhere."""
        return self.password, self.token, self.application, self.webhook

    def _store(self, service: str, title: object, text: object, place: str = "") -> str:
        with self._lock:
            number = str(len(self._messages) + 1)
            if not self.drops_posts:
                self._messages.append(ReceivedPush(service, number, str(title or ""), str(text or ""), place))
            return number

    def _ntfy(self, request: RecordedRequest) -> Answer:
        """Answer a JSON publication (docs.ntfy.sh)."""
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if request.headers["Authorization"] not in {f"Basic {login}", f"Bearer {self.token}"}:
            return _ntfy_error(40101, "unauthorized")
        body: dict[str, Any] = request.json()
        topic, text = str(body.get("topic", "")), str(body.get("message", ""))
        if not _TOPIC.fullmatch(topic):
            return _ntfy_error(40009, "invalid request: topic invalid")
        if topic not in self.topics:
            return _ntfy_error(40301, "forbidden")
        if len(text.encode()) > _NTFY_TEXT:  # a longer text becomes an attachment, which is not allowed here
            return _ntfy_error(40014, "invalid request: attachments not allowed")
        number = self._store("ntfy", body.get("title"), text, topic)
        return Answer.json({"id": number, "event": "message", "topic": topic, "message": text})

    def _gotify(self, request: RecordedRequest) -> Answer:
        """Answer `POST /message` (gotify.net/api-docs)."""
        if request.headers["X-Gotify-Key"] != self.application:
            description = "you need to provide a valid access token or user credentials to access this api"
            return Answer.json({"error": "Unauthorized", "errorCode": 401, "errorDescription": description}, 401)
        body = request.json()
        if not body.get("message"):
            description = "Field 'message' is required"
            return Answer.json({"error": "Bad Request", "errorCode": 400, "errorDescription": description}, 400)
        number = self._store("gotify", body.get("title"), body["message"])
        return Answer.json({"id": int(number), "appid": 1, "message": body["message"], "title": body.get("title")})

    def _matrix_login(self, request: RecordedRequest) -> Answer:
        """Answer a password login as Synapse 1.163 does."""
        body = request.json()
        if (body["identifier"]["user"], body["password"]) != (self.user, self.password):
            return _matrix_error(403, "M_FORBIDDEN")
        user = {"user_id": f"@{self.user}:matrix.example", "device_id": "DEVICE", "home_server": "matrix.example"}
        return Answer.json({**user, "access_token": self.token})

    def _matrix(self, request: RecordedRequest) -> Answer:
        """Answer joins and unencrypted messages."""
        action, room = [unquote(part) for part in request.path.removeprefix(_MATRIX).split("/")][:2]
        if request.headers["Authorization"] != f"Bearer {self.token}":
            return _matrix_error(401, "M_UNKNOWN_TOKEN")
        room_id = self.matrix_rooms.get(room, room)
        if room_id not in self.matrix_rooms.values():
            return _matrix_error(404, "M_NOT_FOUND")
        if action == "join":
            return Answer.json({"room_id": room_id})
        body = request.json()
        number = self._store("matrix", "", body.get("formatted_body", body["body"]), room_id)
        return Answer.json({"event_id": f"${number}"})

    def _mattermost(self, request: RecordedRequest) -> Answer:
        """Answer an incoming webhook (docs.mattermost.com)."""
        text = str(request.json().get("text", ""))
        if request.path != f"/hooks/{self.webhook}":
            return Answer.json({"id": "web.incoming_webhook.invalid.app_error", "status_code": 404}, 404)
        if not text or len(text) > _MATTERMOST_TEXT:
            return Answer.json({"id": "web.incoming_webhook.text.app_error", "status_code": 400}, 400)
        self._store("mattermost", "", text)
        return Answer(200, b"ok", {"Content-Type": "text/plain"})


def _matrix_error(status: int, code: str) -> Answer:
    return Answer.json({"errcode": code, "error": "No"}, status)


def _ntfy_error(code: int, error: str) -> Answer:
    return Answer.json({"code": code, "http": code // 100, "error": error}, code // 100)
