"""A Matrix homeserver with one account and one room, as far as apprise calls it."""

from __future__ import annotations

from urllib.parse import unquote

from policenotify.testing import Answer, FakeServer
from policenotify.testing.servers.http import RecordedRequest

ALIAS, ROOM = "#alertes:matrix.example", "!f3lQJbR2kOaVnPzY8wXcTg"  # an id of room version 12
_API = "/_matrix/client/v3/"  # spec.matrix.org, "Client-Server API"


def matrix_server() -> FakeServer:
    server = FakeServer(Answer.json({}))
    server.on("GET", "/.well-known/*/*", Answer.json({}, 404))
    server.on("POST", f"{_API}login", _log_in)
    server.on("POST", f"{_API}join/*", _in_room)
    server.on("PUT", f"{_API}rooms/*/send/m.room.message/*", _in_room)
    return server


def _log_in(request: RecordedRequest) -> Answer:
    body = request.json()
    if (body["identifier"]["user"], body["password"]) != ("desk", "s3cret"):
        return Answer.json({"errcode": "M_FORBIDDEN", "error": "No"}, 403)
    return Answer.json({"access_token": "t0ken", "user_id": "@desk:matrix.example", "home_server": "matrix.example"})


def _in_room(request: RecordedRequest) -> Answer:
    if request.headers["Authorization"] != "Bearer t0ken":
        return Answer.json({"errcode": "M_UNKNOWN_TOKEN", "error": "No"}, 401)
    if unquote(request.path.removeprefix(_API).split("/")[1]) not in {ALIAS, ROOM}:
        return Answer.json({"errcode": "M_NOT_FOUND", "error": "No"}, 404)
    return Answer.json({"room_id": ROOM, "event_id": "$1"})
