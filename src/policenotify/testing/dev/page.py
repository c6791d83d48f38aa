"""The web server of the page that shows what the readers of fake networks see, and lets the networks fail."""

from __future__ import annotations

import re
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final, Self, cast
from urllib.parse import parse_qsl

from policenotify.cli.report.builder import draw_networks
from policenotify.cli.report.file import DEV_POLICY, dev_html
from policenotify.testing.dev.networks import DevNetworks
from policenotify.web.server import FeedFolder

if TYPE_CHECKING:
    from policenotify.catalogue.catalogue import Catalogue
    from policenotify.testing.dev.network import Mode

_LOCAL: Final = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
_LENGTH: Final = re.compile(r"[0-9]{1,4}")  # bytes of a form: a channel and a mode
_RELOAD: Final = 5  # seconds


class DevPage:
    """A page on 127.0.0.1, as a context manager. It also serves the files of a feed, whose address it becomes.

    Only this machine reaches it. A page of another site can neither read it nor send its form: each call must name this
    host, and a change must come from a page of it.

    Args:
        networks: The fake networks.
        port: The port. 0: a free one.
        switches: Show the form by which a network fails.
        catalogue: The language of the page. `None`: English.

    Raises:
        OSError: The port is in use.
    """

    def __init__(
        self, networks: DevNetworks, port: int = 0, *, switches: bool = True, catalogue: Catalogue | None = None
    ) -> None:
        self._networks = networks
        self._switches = switches
        self._catalogue = catalogue
        self._changing = Lock()
        self._feed = next((network for network in networks if network.channel == "feed"), None)
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.page = self
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url: str = f"http://127.0.0.1:{self._server.server_address[1]}/"
        """The address of the page."""
        if self._feed:
            self._feed.site = f"{self.url}feed/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def get(self, path: str, query: str) -> tuple[bytes, str] | None:
        """Return what a path shows, and its media type; `None` where there is nothing."""
        if path == "/":
            return self._html(reload=0 if query == "still" else _RELOAD).encode(), "text/html; charset=utf-8"
        if path == "/settings.toml":
            return self._networks.toml.encode(), "text/plain; charset=utf-8"
        if self._feed and path.startswith("/feed/"):
            file = FeedFolder(self._feed.server.folder).find(path.removeprefix("/feed/") or "index.html")
            return (file.content, file.media_type) if file else None
        return None

    def post(self, form: list[tuple[str, str]]) -> HTTPStatus:
        """Make a change."""
        if not self._switches:
            return HTTPStatus.NOT_FOUND
        with self._changing:
            try:
                [(channel, mode)] = form
                if channel == "reset":
                    self._networks.reset()
                else:
                    self._networks.set_mode(channel, cast("Mode", mode))
            except (KeyError, ValueError):
                return HTTPStatus.BAD_REQUEST
        return HTTPStatus.SEE_OTHER

    def _html(self, *, reload: int) -> str:
        devices = draw_networks(((each.config, each.posts) for each in self._networks), "Police nationale")
        modes = {each.channel: each.mode for each in self._networks if each.kind.refuse} if self._switches else {}
        return dev_html(devices, self._catalogue, modes=modes, reload=reload, feed=bool(self._feed))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    server_bind = TCPServer.server_bind  # the other one asks a name server
    page: DevPage

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the parent's types
        if not isinstance(sys.exception(), OSError):  # a browser may leave in the middle of an answer
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    timeout = 30  # seconds
    server: _Server

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if not _LOCAL.fullmatch(self.headers["Host"] or ""):
            self._answer(HTTPStatus.FORBIDDEN)
        elif found := self.server.page.get(path, query):
            self._answer(HTTPStatus.OK, *found)
        else:
            self._answer(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        length, host = self.headers["Content-Length"] or "0", self.headers["Host"] or ""
        if not _LENGTH.fullmatch(length):
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        form = parse_qsl(self.rfile.read(int(length)).decode(errors="replace"), keep_blank_values=True)
        if not _LOCAL.fullmatch(host) or self.headers["Origin"] != f"http://{host}":
            self._answer(HTTPStatus.FORBIDDEN)
            return
        self._answer(self.server.page.post(form))

    def _answer(self, status: HTTPStatus, content: bytes = b"", media_type: str = "text/plain") -> None:
        self.send_response_only(status)
        self.send_header("Content-Security-Policy", f"{DEV_POLICY}; frame-ancestors 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "same-origin")  # without it, the origin of a form would be null
        self.send_header("Cache-Control", "no-store")
        if status is HTTPStatus.SEE_OTHER:
            self.send_header("Location", "/?still" if self.path == "/?still" else "/")
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Log nothing."""
