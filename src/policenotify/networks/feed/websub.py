"""Notify WebSub hubs of a changed feed (W3C Recommendation *WebSub*; PubSubHubbub 0.4, section 7.1)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from policenotify.networks import import_lock
from policenotify.networks._bounds import deadline

_log = logging.getLogger("policenotify")
_LONGEST: Final = 2.0  # seconds for one call


class Hubs:
    """The hubs of one feed, notified in a thread of its own.

    A lost notification is harmless, because readers also poll. So it delays no post, and a failure is only logged.

    Args:
        hubs: The addresses of the hubs.
        topics: The addresses of the feed's files.
        timeout: Seconds for a call. At most 2 count.
    """

    def __init__(self, hubs: Sequence[str], topics: Sequence[str], *, timeout: float) -> None:
        self._hubs = hubs
        self._topics = topics
        self._timeout = min(timeout, _LONGEST)
        self._due = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def notify(self) -> None:
        """Let each hub know that the feed has changed. Return at once.

        Changes during a round of calls make one further round.
        """
        with self._lock:
            self._due = bool(self._hubs and self._topics)
            if not self._due or (self._thread is not None and self._thread.is_alive()):  # after a fork it is not
                return
            self._thread = threading.Thread(target=self._run, name="policenotify-hubs", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Wait for the calls that are under way, for the time of two at most."""
        if (thread := self._thread) is not None:
            thread.join(2 * self._timeout)

    def _run(self) -> None:
        while self._is_due():
            for hub in self._hubs:
                for topic in self._topics:
                    self._ping(hub, topic)

    def _is_due(self) -> bool:
        with self._lock:
            due, self._due = self._due, False
            if not due:
                self._thread = None
            return due

    def _ping(self, hub: str, topic: str) -> None:
        with import_lock():
            from policenotify.networks._requests import PostSession  # noqa: PLC0415 - loads requests

        problem = ""
        try:
            with deadline(self._timeout), PostSession(str, self._timeout, plain=hub.startswith("http:")) as session:
                session.headers["User-Agent"] = "policenotify"
                answer = session.post(hub, data={"hub.mode": "publish", "hub.url": topic})
                problem = "" if answer.status_code // 100 == 2 else str(answer.status_code)  # noqa: PLR2004 - RFC 9110, section 15.3
        except Exception as error:  # noqa: BLE001 - readers poll as well
            problem = type(error).__name__
        if problem:
            host = urlsplit(hub).hostname
            _log.warning("The WebSub hub %s was not notified of %s (%s). Readers poll as well.", host, topic, problem)
