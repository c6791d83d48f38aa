"""The page that shows what the readers of fake networks see, and lets the networks fail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self, cast

from policenotify.cli.report.builder import draw_networks
from policenotify.cli.report.file import DEV_POLICY, dev_html
from policenotify.testing.dev.networks import DevNetworks
from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest
from policenotify.web.server import FeedFolder

if TYPE_CHECKING:
    from policenotify.catalogue.catalogue import Catalogue
    from policenotify.testing.dev.network import Mode

_LOCAL: Final = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
_RELOAD: Final = 5  # seconds
_HEADERS: Final = {
    "Content-Security-Policy": f"{DEV_POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # without a referrer, the origin of a form would be null
    "Cache-Control": "no-store",
}


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
        self._server = FakeServer(self._answer).start(port)
        self._feed = next((network for network in networks if network.channel == "feed"), None)
        if self._feed:
            self._feed.site = f"{self.url}feed/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"{self._server.url}/"

    def _answer(self, request: RecordedRequest) -> Answer:
        host = request.headers["Host"] or ""
        changes = request.method == "POST"
        if not _LOCAL.fullmatch(host) or (changes and request.headers["Origin"] != f"http://{host}"):
            return Answer(403)
        if changes:
            return self._change(request)
        if request.path == "/":
            reload = 0 if "still" in request.query else _RELOAD
            return _shown(self._html(reload=reload).encode(), "text/html; charset=utf-8")
        if request.path == "/settings.toml":
            return _shown(self._networks.toml.encode(), "text/plain; charset=utf-8")
        if self._feed and request.path.startswith("/feed/"):
            file = FeedFolder(self._feed.server.folder).find(request.path.removeprefix("/feed/") or "index.html")
            return _shown(file.content, file.media_type) if file else Answer(404)
        return Answer(404)

    def _change(self, request: RecordedRequest) -> Answer:
        if not self._switches:
            return Answer(404)
        try:
            [(channel, [mode])] = request.form().items()
            if channel == "reset":
                self._networks.reset()
            else:
                self._networks.set_mode(channel, cast("Mode", mode))
        except (KeyError, ValueError):
            return Answer(400)
        return Answer.redirect("/?still" if "still" in request.query else "/", 303)

    def _html(self, *, reload: int) -> str:
        devices = draw_networks(((each.config, each.posts) for each in self._networks), "Police nationale")
        modes = {each.channel: each.mode for each in self._networks if each.kind.refuse} if self._switches else {}
        return dev_html(devices, self._catalogue, modes=modes, reload=reload, feed=bool(self._feed))


def _shown(content: bytes, media_type: str) -> Answer:
    return Answer(200, content, {**_HEADERS, "Content-Type": media_type})
