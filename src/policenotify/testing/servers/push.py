"""Services that push messages to their readers, on the loopback: ntfy, Gotify, Mattermost and Matrix, by their paths.

```python
with FakePushServer() as stand:
    ...                                    # the client, at stand.url
    assert stand.messages[0].title == "Route barrée"
```
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from threading import RLock
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
        id: The service's id of it.
        title: Its title, or empty.
        text: What is read.
        place: The topic or the room, where the service has them.
    """

    service: str
    id: str
    title: str
    text: str
    place: str = ""


class FakePushServer(FakeServer):
    """The four services with one account each, on which faults can be laid as on any `FakeServer`.

    Attributes:
        user: The user on ntfy and on Matrix.
        password: Their password.
        token: Of ntfy, in place of user and password.
        application: Gotify's application token.
        webhook: The last part of Mattermost's webhook address.
        topics: Topics of ntfy that the user may write to.
        rooms: Rooms of Matrix that the user may join: their ids by their aliases.
    """

    def __init__(self) -> None:
        super().__init__()
        self.user: str = "desk"
        self.password: str = "s3cret"  # noqa: S105 - the stand's own, and no secret
        self.token: str = "tk_0123456789abcdefghijklmnopqrs"  # noqa: S105 - the stand's own, and no secret
        self.application: str = "A0123456789abcd"
        self.webhook: str = "xk7p4q9d3jyhtcrb8kzsw1mn2e"
        self.topics: set[str] = {"alertes"}
        self.rooms: dict[str, str] = {"#alertes:matrix.example": "!f3lQJbR2kOaVnPzY8wXcTg"}  # an id of room version 12
        self._messages: list[ReceivedPush] = []
        self._lock = RLock()
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
        """The passwords and tokens: none of them may be seen anywhere."""
        return self.password, self.token, self.application, self.webhook

    def _keep(self, service: str, title: object, text: object, place: str = "") -> str:
        with self._lock:
            number = str(len(self._messages) + 1)
            self._messages.append(ReceivedPush(service, number, str(title or ""), str(text or ""), place))
            return number

    def _ntfy(self, seen: RecordedRequest) -> Answer:
        """Publishing as JSON (docs.ntfy.sh)."""
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if seen.headers["Authorization"] not in {f"Basic {login}", f"Bearer {self.token}"}:
            return _ntfy_no(40101, "unauthorized")
        asked: dict[str, Any] = seen.json()
        topic, text = str(asked.get("topic", "")), str(asked.get("message", ""))
        if not _TOPIC.fullmatch(topic):
            return _ntfy_no(40009, "invalid request: topic invalid")
        if topic not in self.topics:
            return _ntfy_no(40301, "forbidden")
        if len(text.encode()) > _NTFY_TEXT:  # without room for attachments, into which a longer text turns
            return _ntfy_no(40014, "invalid request: attachments not allowed")
        number = self._keep("ntfy", asked.get("title"), text, topic)
        return Answer.json({"id": number, "event": "message", "topic": topic, "message": text})

    def _gotify(self, seen: RecordedRequest) -> Answer:
        """`POST /message` (gotify.net/api-docs)."""
        if seen.headers["X-Gotify-Key"] != self.application:
            told = "you need to provide a valid access token or user credentials to access this api"
            return Answer.json({"error": "Unauthorized", "errorCode": 401, "errorDescription": told}, 401)
        asked = seen.json()
        if not asked.get("message"):
            told = "Field 'message' is required"
            return Answer.json({"error": "Bad Request", "errorCode": 400, "errorDescription": told}, 400)
        number = self._keep("gotify", asked.get("title"), asked["message"])
        return Answer.json({"id": int(number), "appid": 1, "message": asked["message"], "title": asked.get("title")})

    def _matrix_login(self, seen: RecordedRequest) -> Answer:
        """Logging in by password, as Synapse 1.163 has it."""
        asked = seen.json()
        if (asked["identifier"]["user"], asked["password"]) != (self.user, self.password):
            return _matrix_no(403, "M_FORBIDDEN")
        user = {"user_id": f"@{self.user}:matrix.example", "device_id": "STAND", "home_server": "matrix.example"}
        return Answer.json({**user, "access_token": self.token})

    def _matrix(self, seen: RecordedRequest) -> Answer:
        """Joining a room, and messages to it, without encryption."""
        what, room = [unquote(part) for part in seen.path.removeprefix(_MATRIX).split("/")][:2]
        if seen.headers["Authorization"] != f"Bearer {self.token}":
            return _matrix_no(401, "M_UNKNOWN_TOKEN")
        found = self.rooms.get(room, room)
        if found not in self.rooms.values():
            return _matrix_no(404, "M_NOT_FOUND")
        if what == "join":
            return Answer.json({"room_id": found})
        asked = seen.json()
        number = self._keep("matrix", "", asked.get("formatted_body", asked["body"]), found)
        return Answer.json({"event_id": f"${number}"})

    def _mattermost(self, seen: RecordedRequest) -> Answer:
        """An incoming webhook (docs.mattermost.com)."""
        text = str(seen.json().get("text", ""))
        if seen.path != f"/hooks/{self.webhook}":
            return Answer.json({"id": "web.incoming_webhook.invalid.app_error", "status_code": 404}, 404)
        if not text or len(text) > _MATTERMOST_TEXT:
            return Answer.json({"id": "web.incoming_webhook.text.app_error", "status_code": 400}, 400)
        self._keep("mattermost", "", text)
        return Answer(200, b"ok", {"Content-Type": "text/plain"})


def _matrix_no(status: int, code: str) -> Answer:
    return Answer.json({"errcode": code, "error": "No"}, status)


def _ntfy_no(code: int, error: str) -> Answer:
    return Answer.json({"code": code, "http": code // 100, "error": error}, code // 100)
