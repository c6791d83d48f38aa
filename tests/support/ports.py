"""Ports for servers of other projects, which must be told one before they start."""

from __future__ import annotations

import random
import socket

_BELOW_EPHEMERAL = range(20_000, 32_000)
"""Linux gives connections going out the ports from 32,768 on (`ip_local_port_range`), so none takes one of these."""
_random = random.SystemRandom()


def free_port() -> int:
    """Return a port of the loopback on which nothing listens, and which no connection going out takes meanwhile."""
    while True:
        port = _random.choice(_BELOW_EPHEMERAL)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
