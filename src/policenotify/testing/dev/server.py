"""The web server of the page that shows what the readers of fake networks see.

It needs the standard library only: three files and a JSON document are not worth a web framework, which the machine of
a developer may lack.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import Lock, Thread
from typing import Any, Final, NamedTuple, Self

from policenotify.testing.dev.kinds import FeedDevNetwork
from policenotify.testing.dev.network import ShownPost
from policenotify.testing.dev.networks import DevNetworks
from policenotify.testing.servers import VisibleImage, bound_socket
from policenotify.web.server import FeedFolder

_FILES: Final = {"/": "index.html", "/page.css": "page.css", "/page.js": "page.js"}
_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
# The page runs its own script only. Pages of the feed run none.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LOCAL: Final = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
_LENGTH: Final = re.compile(r"[0-9]{1,4}")  # bytes of a call: a channel and a mode
FEED: Final = "/feed/"
"""The path of the feed's files."""


class DevPage:
    """A page on 127.0.0.1, as a context manager.

    Only this machine reaches it. A page of another site can neither read it nor use its switches: each call must name
    this host, and a change must be JSON, which a browser does not send across sites without asking.

    It also serves the files of the feed, whose address it becomes.

    Args:
        networks: The fake networks.
        port: The port. 0: a free one.
        switches: Show the switches.

    Raises:
        OSError: The port is in use.
    """

    def __init__(self, networks: DevNetworks, port: int = 0, *, switches: bool = True) -> None:
        self._networks = networks
        self._switches = switches
        self._changing = Lock()
        self._server = _Server(("127.0.0.1", port), _Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = bound_socket(port)
        self._server.page = self
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        for feed in self._feeds():
            feed.url = f"{self.url}{FEED.removeprefix('/')}"
        self._server.server_activate()
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self._server.socket.getsockname()[1]}/"

    def state(self) -> dict[str, Any]:
        """Return what the page shows, as JSON has it."""
        return {
            "switches": self._switches,
            "networks": [
                {
                    "channel": network.channel,
                    "title": network.title,
                    "mode": network.mode,
                    "posts": [_post(post) for post in network.posts],
                }
                for network in self._networks
            ],
        }

    def get(self, path: str) -> Response | None:
        """Return the answer to a GET, `None` where there is nothing."""
        if path in _FILES:
            name = _FILES[path]
            content = (files(__package__) / "page" / name).read_bytes()
            return Response(content, f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8")
        if path == "/state.json":
            return Response(json.dumps(self.state(), ensure_ascii=False).encode(), "application/json")
        if path == "/settings.toml":
            return Response(self._networks.toml.encode(), "text/plain; charset=utf-8")
        if path.startswith("/images/"):
            return self._image(path.removeprefix("/images/"))
        return self._feed_file(path.removeprefix(FEED) or "index.html") if path.startswith(FEED) else None

    def post(self, path: str, body: Mapping[str, Any]) -> bool:
        """Make a change. Return False where there is nothing to change.

        Raises:
            KeyError: There is no such channel, or none is named.
            ValueError: There is no such mode.
        """
        if not self._switches:
            return False
        with self._changing:
            if path == "/mode":
                self._networks.set_mode(body["channel"], body["mode"])
            elif path == "/reset":
                self._networks.reset()
            else:
                return False
        return True

    def _image(self, name: str) -> Response | None:
        shown = (image for network in self._networks for post in network.posts for image in post.images)
        image = next((each for each in shown if _name(each) == name), None)
        return None if image is None else Response(image.data, image.media_type or "image/png")

    def _feed_file(self, path: str) -> Response | None:
        file = next((FeedFolder(feed.folder).find(path) for feed in self._feeds()), None)
        return Response(file.content, file.media_type) if file else None

    def _feeds(self) -> list[FeedDevNetwork]:
        return [network for network in self._networks if isinstance(network, FeedDevNetwork)]


class Response(NamedTuple):
    """What a GET is answered with."""

    content: bytes
    media_type: str


def _post(post: ShownPost) -> dict[str, Any]:
    return {
        "id": post.id,
        "parent": post.parent,
        "title": post.title,
        "text": post.text,
        "warning": post.warning,
        "link": post.card[0] if post.card else "",
        "images": [{"src": f"/images/{_name(image)}", "alt": image.alt} for image in post.images],
        "readers": post.readers,
    }


def _name(image: VisibleImage) -> str:
    return sha256(image.data).hexdigest()[:16]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    page: DevPage

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the parent's types
        if not isinstance(sys.exception(), OSError):  # a browser may leave in the middle of an answer
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30  # seconds: a browser keeps its connections open
    server: _Server

    def do_GET(self) -> None:
        if not self._is_local():
            self._answer(HTTPStatus.FORBIDDEN)
            return
        found = self.server.page.get(self.path.partition("?")[0])
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND)
            return
        tag = f'"{sha256(found.content).hexdigest()[:16]}"'
        if self.headers["If-None-Match"] == tag:
            self._answer(HTTPStatus.NOT_MODIFIED, tag=tag)
        else:
            self._answer(HTTPStatus.OK, *found, tag=tag)

    do_HEAD = do_GET  # noqa: N815 - the parent's name

    def do_POST(self) -> None:
        length = self.headers["Content-Length"] or "0"
        if not _LENGTH.fullmatch(length):
            self.close_connection = True
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        content = self.rfile.read(int(length))
        if not self._is_local() or self.headers.get_content_type() != "application/json":
            self._answer(HTTPStatus.FORBIDDEN)
            return
        try:
            changed = self.server.page.post(self.path, json.loads(content))
        except (ValueError, LookupError, TypeError):
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        self._answer(HTTPStatus.NO_CONTENT if changed else HTTPStatus.NOT_FOUND)

    def _is_local(self) -> bool:
        """Return True if the browser asks for this machine, and a page of this machine made the call."""
        origin = self.headers["Origin"]
        host = self.headers["Host"] or ""
        return _LOCAL.fullmatch(host) is not None and origin in {None, f"http://{host}"}

    def _answer(self, status: HTTPStatus, content: bytes = b"", media_type: str = "", *, tag: str = "") -> None:
        self.send_response_only(status)
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        if tag:
            self.send_header("ETag", tag)
        if media_type:
            self.send_header("Content-Type", media_type)
        if status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Log nothing."""
