"""Notify WebSub hubs of a changed feed (W3C Recommendation *WebSub*; PubSubHubbub 0.3, section 7.1)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from policenotify.errors import ChannelError
from policenotify.networks._http import open_session

_log = logging.getLogger("policenotify")
_TIMEOUT: Final = 2.0  # seconds to connect, and again to answer: the post is out already, and its receipt waits


def notify_hubs(hubs: Sequence[str], topics: Sequence[str]) -> None:
    """Let each hub know which files have changed. A failure is only logged, because readers also poll."""
    form = {"hub.mode": "publish", "hub.url": list(topics)}
    for hub in hubs if topics else ():
        try:
            with open_session(_TIMEOUT, plain=hub.startswith("http:")) as session:
                result = str(session.ask(partial(session.post, hub, data=form), where="the hub").status)
        except ChannelError as error:
            result = error.code
        if not result.startswith("2"):
            host = urlsplit(hub).hostname
            _log.warning("The WebSub hub %s was not notified (%s). Readers poll as well.", host, result)
