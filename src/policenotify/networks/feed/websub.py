"""Notify WebSub hubs of a changed feed (W3C Recommendation *WebSub*; PubSubHubbub 0.3, section 7.1)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from policenotify.errors import ChannelError
from policenotify.networks._http import open_session

_log = logging.getLogger("policenotify")
_TIMEOUT: Final = 2.0  # seconds to connect, and again to answer: the post is out already, and its receipt waits


def notify_hubs(hubs: Sequence[str], topics: Sequence[str]) -> None:
    """Let each hub know which files of a feed have changed.

    A lost notification is harmless, because readers also poll. A failure is only logged.

    Args:
        hubs: The addresses of the hubs.
        topics: The addresses of the files, which one call names together.
    """
    for hub in hubs if topics else ():
        if problem := _post(hub, topics):
            host = urlsplit(hub).hostname
            _log.warning("The WebSub hub %s was not notified (%s). Readers poll as well.", host, problem)


def _post(hub: str, topics: Sequence[str]) -> str:
    """Return an empty text, or what went wrong."""
    form = {"hub.mode": "publish", "hub.url": list(topics)}
    try:
        with open_session(str, _TIMEOUT, plain=hub.startswith("http:")) as session:
            status = session.ask(lambda: session.post(hub, data=form), where="the hub").status
    except ChannelError as error:
        return error.code
    return "" if status // 100 == 2 else str(status)  # noqa: PLR2004 - RFC 9110, section 15.3
