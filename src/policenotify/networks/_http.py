"""What our networks share of HTTP: where a secret may be sent, and how a client library is kept from telling it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from urllib.parse import urlsplit

_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_safe(url: str) -> bool:
    """Whether a password or token may be sent there: https, or this machine itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = parts.scheme == "http" and parts.hostname in _THIS_MACHINE
    return bool(parts.hostname) and (parts.scheme == "https" or plain) and parts.username is None


def silencer(*loggers: logging.Logger) -> Callable[[], AbstractContextManager[None]]:
    """Make a context manager that keeps these loggers from saying what this thread makes them say.

    Libraries log addresses, numbers and tokens. Whatever else the process does with them keeps its log. Never hold it
    open across a `yield` of a generator.
    """
    hushed: ContextVar[bool] = ContextVar("policenotify_hushed", default=False)

    class Hush(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - the interface of logging
            return not hushed.get()

    for logger in loggers:
        logger.addFilter(Hush())

    @contextmanager
    def hush() -> Iterator[None]:
        before = hushed.set(True)
        try:
            yield
        finally:
            hushed.reset(before)

    return hush
