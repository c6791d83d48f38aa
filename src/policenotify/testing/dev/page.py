"""The page that shows what the readers of fake networks see, and lets the networks fail."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

from policenotify.cli.report.builder import draw_networks
from policenotify.cli.report.file import DEV_POLICY, dev_html
from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policenotify.testing.dev.networks import DevNetworks, Mode

_LOCAL: Final = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
_RELOAD: Final = 5  # seconds
_HEADERS: Final = {
    "Content-Security-Policy": f"{DEV_POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # without a referrer, the origin of a form would be null
    "Cache-Control": "no-store",
}


@contextmanager
def dev_page(networks: DevNetworks, port: int = 0, *, form: bool = True, language: str = "en") -> Iterator[str]:
    """Serve a page on 127.0.0.1, and yield its address.

    Only this machine reaches it. A page of another site can neither read it nor send its form: each call must name this
    host, and a change must come from a page of it.

    Args:
        networks: The fake networks.
        port: The port. 0: a free one.
        form: Show the form by which a network fails.
        language: The language of the page.

    Raises:
        OSError: The port is in use.
    """

    def answer(request: RecordedRequest) -> Answer:
        host, again = request.headers["Host"] or "", "still" not in request.query
        changes = form and request.method == "POST"
        if not _LOCAL.fullmatch(host) or (changes and request.headers["Origin"] != f"http://{host}"):
            return Answer(403)
        if changes:
            return _change(networks, request) or Answer.redirect("/" if again else "/?still", 303)
        if request.path not in {"/", "/settings.toml"} or request.method == "POST":
            return Answer(404)
        kind, content = "plain", networks.toml
        if request.path == "/":
            devices = draw_networks(((each.config, each.posts) for each in networks), "Police nationale")
            modes = {each.channel: each.mode for each in networks} if form else {}
            kind, content = "html", dev_html(devices, language, modes=modes, reload=_RELOAD if again else 0)
        return Answer(200, content.encode(), {**_HEADERS, "Content-Type": f"text/{kind}; charset=utf-8"})

    with FakeServer().start(port) as server:
        server.on("*", "*", answer)
        yield f"{server.url}/"


def _change(networks: DevNetworks, request: RecordedRequest) -> Answer | None:
    """Change what the form names, or return the refusal."""
    try:
        [(channel, [mode])] = request.form().items()
        if channel == "reset":
            for network in networks:
                network.reset()
        else:
            networks[channel].mode = cast("Mode", mode)
    except (KeyError, ValueError):
        return Answer(400)
    return None
